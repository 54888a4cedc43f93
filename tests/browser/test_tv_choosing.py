"""Choosing a programme with five keys and digits: by number, by initials, of the past week, where one left off."""

from __future__ import annotations

from datetime import datetime

import pytest

from protocol.batch import Face, VoiceKind
from protocol.documents import Ref, SectionName, Topic
from protocol.identifiers import uuid7
from protocol.times import SHANGHAI, ms_to_text, to_ms
from tests.browser.test_tv_page import BUNNY, BUNNY_MS, FRONT, TRAILER, TRAILER_MS, station, tv  # noqa: F401

pytestmark = pytest.mark.browser
NOW = to_ms(datetime(2026, 11, 22, 18, 43, 10, tzinfo=SHANGHAI))


@pytest.fixture
def evening(station):  # noqa: F811
    """A programme on air, one that was on air an hour ago, one in the library, one not stored."""
    station.wheat = station.add("冬小麦返青管理", "nongji", TRAILER_MS, TRAILER, initials="dxmfqgl")
    station.fraud = station.add("防电信诈骗", "fazhi", BUNNY_MS, BUNNY, initials="fdxzp")
    station.apple = station.add("苹果冬剪", "nongji", TRAILER_MS, None, initials="pgdj")
    station.place(station.wheat, -10)
    station.place(station.fraud, -3600)
    return station


def voices(viewer):
    return [record for record in viewer.records() if hasattr(record, "says")]


def test_a_number_typed_while_watching_names_the_programme_and_plays_it(tv, evening):  # noqa: F811
    viewer = tv()
    viewer.wait_playing("冬小麦返青管理")
    viewer.press("2")
    assert viewer.text("#number-typed") == "2"
    viewer.press("Enter")
    viewer.wait("document.getElementById('number-title').textContent === '防电信诈骗'")
    viewer.wait_playing("防电信诈骗")
    assert viewer.page.evaluate("TV.Screen.shown().mode") == "library"


def test_a_number_needs_no_ok(tv, evening):  # noqa: F811
    viewer = tv()
    viewer.wait_playing("冬小麦返青管理")
    viewer.press("0", "0", "0", "2")
    viewer.wait_playing("防电信诈骗")


def test_a_number_nobody_has_says_so_and_the_channel_goes_on(tv, evening):  # noqa: F811
    viewer = tv()
    viewer.wait_playing("冬小麦返青管理")
    viewer.press("7", "7", "Enter")
    viewer.wait("document.getElementById('number-title').textContent === '没有 77 号节目'")
    assert viewer.page.evaluate("TV.Screen.shown().title") == "冬小麦返青管理"


def test_what_was_on_air_today_is_seen_again_in_two_presses(tv, evening):  # noqa: F811
    viewer = tv()
    viewer.wait_playing("冬小麦返青管理")
    viewer.press("ArrowLeft")
    viewer.page.wait_for_selector(".on-replay .card.focus")
    assert "防电信诈骗" in viewer.focused()
    assert "17:43" in viewer.focused()
    viewer.press("Enter")
    viewer.wait_playing("防电信诈骗")


def test_initials_find_a_programme_and_the_pad_never_loses_the_focus(tv, evening):  # noqa: F811
    viewer = tv()
    viewer.wait_playing()
    viewer.press("Enter")
    viewer.page.wait_for_selector("#shell.shown .button.focus")
    viewer.press("ArrowUp", *["ArrowRight"] * 4, "Enter")
    viewer.page.wait_for_selector(".on-search .key.focus")
    viewer.page.evaluate("TV.Views.focusNamed('key-F')")
    viewer.press("Enter")
    viewer.wait("document.querySelector('.search-typed').textContent === 'F'")
    assert viewer.focused() == "F"
    titles = viewer.page.evaluate("[...document.querySelectorAll('.card')].map(c => c.dataset.title)")
    assert titles == ["防电信诈骗", "冬小麦返青管理"]
    viewer.press("ArrowDown", "ArrowDown", "ArrowDown", "Enter")
    viewer.wait_playing("防电信诈骗")


def test_a_search_that_finds_nothing_becomes_a_wish_the_province_hears(tv, evening):  # noqa: F811
    viewer = tv()
    viewer.wait_playing()
    viewer.press("Enter")
    viewer.page.wait_for_selector("#shell.shown .button.focus")
    viewer.press("ArrowUp", *["ArrowRight"] * 4, "Enter")
    viewer.page.wait_for_selector(".on-search .key.focus")
    for letter in "ZZ":
        viewer.page.evaluate(f"TV.Views.focusNamed('key-{letter}')")
        viewer.press("Enter")
    viewer.page.evaluate("TV.Views.focusNamed('key-wish')")
    for _ in range(2):
        viewer.press("Enter")
        viewer.wait("document.getElementById('toast').textContent === '已记下您想看“ZZ”'")
    [wish] = voices(viewer)
    assert (wish.says, wish.text) == (VoiceKind.WISH, "ZZ")


def test_what_is_not_stored_yet_becomes_a_wish(tv, evening):  # noqa: F811
    viewer = tv()
    viewer.wait_playing()
    viewer.press("3", "Enter")
    viewer.wait("document.getElementById('toast').textContent.indexOf('已记下您想看') > 0")
    [wish] = voices(viewer)
    assert (wish.says, wish.title) == (VoiceKind.WISH, "苹果冬剪")


@pytest.mark.parametrize(
    ("key", "face"),
    [("ArrowLeft", Face.POOR), ("Enter", Face.FAIR), ("ArrowRight", Face.GOOD), ("Escape", None)],
)
def test_one_key_says_how_a_programme_was(tv, evening, key, face):  # noqa: F811
    viewer = tv()
    viewer.wait_playing()
    viewer.press("2", "Enter")
    viewer.page.wait_for_selector("#faces.shown", timeout=30_000)
    viewer.press(key)
    viewer.page.wait_for_selector("#shell.shown")
    if face is not None:
        viewer.wait("document.getElementById('toast').textContent === '谢谢，已记下'")
    assert [(v.title, v.face) for v in voices(viewer)] == ([("防电信诈骗", face)] if face else [])


def test_a_programme_left_in_the_middle_is_gone_on_with_there_even_after_a_restart(tv, evening):  # noqa: F811
    viewer = tv()
    viewer.wait_playing()
    viewer.press("1", "Enter")
    viewer.wait("TV.Screen.shown() && TV.Screen.shown().mode === 'library'")
    viewer.wait_counted(500)
    viewer.press(*["ArrowRight"] * 3)
    viewer.wait(f"{FRONT}.currentTime > 31")
    viewer.press("Escape")
    viewer.page.wait_for_selector("#shell.shown .resume")
    viewer.open()
    viewer.wait_playing()
    viewer.press("Enter")
    viewer.page.wait_for_selector("#shell.shown .resume")
    viewer.press("ArrowDown", "Enter")
    viewer.wait("TV.Screen.shown() && TV.Screen.shown().mode === 'library'")
    viewer.wait(f"{FRONT}.currentTime > 30")
    assert viewer.text("#toast").startswith("从 0:3")


def test_a_topic_stands_before_the_shelves_and_shelves_have_the_frames_names(tv, evening):  # noqa: F811
    evening.more["sections"] = [
        SectionName(slug="nongji", name="庄稼把式"),
        SectionName(slug="fazhi", name="说法"),
    ]
    evening.more["topics"] = [
        Topic(
            id=uuid7(NOW), title="防骗月", starts_at=ms_to_text(NOW - 1), until=ms_to_text(NOW + 86_400_000), required=True,
            programmes=[Ref(edition=evening.fraud.manifest.edition, release=evening.fraud.release, duration_ms=BUNNY_MS)],
        )
    ]  # fmt: skip
    viewer = tv()
    viewer.wait_playing()
    viewer.press("Enter")
    viewer.page.wait_for_selector("#shell.shown .button.focus")
    viewer.press("ArrowUp", *["ArrowRight"] * 3, "Enter")
    viewer.page.wait_for_selector(".on-library .card.focus")
    headings = viewer.page.evaluate("[...document.querySelectorAll('.shelf h2')].map(h => h.textContent)")
    assert headings == ["专题　防骗月　·　必播", "庄稼把式", "说法"]
    assert "防电信诈骗" in viewer.focused()


def test_the_next_programme_is_announced_over_what_stands_before_it(tv, station):  # noqa: F811
    fraud = station.add("防电信诈骗", "fazhi", BUNNY_MS, BUNNY)
    wheat = station.add("冬小麦返青管理", "nongji", TRAILER_MS, TRAILER)
    station.filler(fraud)
    station.place(wheat, 12)
    station.next_card_ms = 8_000
    viewer = tv()
    viewer.wait_playing("防电信诈骗")
    viewer.page.wait_for_selector("#next-card.shown")
    assert viewer.text("#next-card-title") == "冬小麦返青管理"
    viewer.wait_playing("冬小麦返青管理")
    viewer.wait("!document.getElementById('next-card').classList.contains('shown')")
