"""换机 on the set: writing to a stick with its phrase shown, and taking over from one with the number keys."""

from __future__ import annotations

import os
import re

import pytest

from client_agent.book import Book
from client_agent.phone.people import People
from client_agent.stick import FILE, Part, Writer, new_phrase, read_header
from tests.browser.test_tv_desk import evening, to_desk  # noqa: F401
from tests.browser.test_tv_page import station, tv  # noqa: F401
from tests.client_agent.station import TERMINAL

pytestmark = pytest.mark.browser
OLD = "01890000-0000-7000-8000-00000000000d"


@pytest.fixture
def usb(tmp_path, monkeypatch):
    folder = tmp_path / "KINGSTON"
    folder.mkdir()
    monkeypatch.setenv("YUANBO_STICKS", str(folder))
    return folder


def look(viewer, name):
    if folder := os.environ.get("YUANBO_TEST_PICTURES"):
        viewer.page.screenshot(path=f"{folder}/swap-{name}.png")


def test_everything_goes_to_a_stick_and_the_phrase_is_shown_once(tv, evening, usb):  # noqa: F811
    viewer = tv()
    people = viewer.server.parts.desk.people
    people.keep("A", "张三", "2580")
    people.sign_in("A", "2580")
    to_desk(viewer, "swap")
    viewer.page.wait_for_selector("[data-stop=swap-export-0].focus")
    look(viewer, "choose")
    viewer.press("Enter")
    viewer.page.wait_for_selector(".swap-phrase", timeout=20_000)
    look(viewer, "phrase")
    assert re.fullmatch(r"(\d{4} ){5}\d{4}", viewer.text(".swap-phrase"))
    assert read_header(usb).station == TERMINAL
    viewer.page.wait_for_selector("[data-stop=swap-leave].focus")
    viewer.press("Enter")
    viewer.page.wait_for_selector("[data-stop=swap-export-0]")
    assert viewer.page.locator(".swap-phrase").count() == 0


def test_an_old_terminals_stick_is_taken_over_with_the_number_keys(tv, evening, usb, tmp_path):  # noqa: F811
    phrase = old_stick(usb, tmp_path)
    viewer = tv()
    to_desk(viewer, "swap")
    viewer.page.wait_for_selector("[data-stop=swap-restore-0]")
    viewer.press("ArrowRight")
    viewer.page.wait_for_selector("[data-stop=swap-restore-0].focus")
    viewer.press("Enter")
    viewer.page.wait_for_selector(".pad-ask.shown")
    first, *others = phrase.split()
    viewer.press(*first[:3], str((int(first[3]) + 1) % 10), "Enter")
    viewer.page.wait_for_selector(".ask-about.poor")
    look(viewer, "wrong")
    for group in (first, *others):
        viewer.press(*group, "Enter")
    viewer.page.wait_for_selector(".desk-verdict.good", timeout=20_000)
    look(viewer, "restored")
    assert "名单 2 人" in viewer.text("#view")
    assert [one.name for one in People(viewer.server.parts.book).everybody()] == ["赵一", "钱二"]


def old_stick(usb, tmp_path) -> str:
    book = Book(tmp_path / "old.sqlite")
    People(book).add([("赵一", True), ("钱二", False)])
    book.copy_to(tmp_path / "copy.sqlite")
    book.close()
    phrase = new_phrase()
    writer = Writer(
        usb,
        phrase,
        station=TERMINAL,
        station_name="正定县曲阳桥镇站点",
        terminal=OLD,
        made_ms=1_780_000_000_000,
    )
    writer.add(Part("book", "", (tmp_path / "copy.sqlite").read_bytes()))
    writer.finish()
    assert (usb / FILE).exists()
    return phrase


def test_without_a_stick_the_page_says_so(tv, evening, monkeypatch):  # noqa: F811
    monkeypatch.setenv("YUANBO_STICKS", "")
    viewer = tv()
    to_desk(viewer, "swap")
    viewer.page.wait_for_selector("[data-stop=swap-again].focus")
    assert "没有找到U盘" in viewer.text("#view")
