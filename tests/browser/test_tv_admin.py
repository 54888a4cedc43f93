"""The administrator's own pages on the set: PINs, to-do, log, plan; with five keys."""

from __future__ import annotations

import re

import pytest

from protocol.batch import Attendance, ClockState, Mode, Roll, Studied, Study, Viewing
from protocol.documents import StudyDay, Why
from protocol.times import ms_to_text
from tests.browser.test_tv_desk import to_desk
from tests.browser.test_tv_page import NOW, TRAILER, TRAILER_MS, station, tv  # noqa: F401

pytestmark = pytest.mark.browser
MINUTE = 60_000
DAY = 86_400_000
PINS = {"A": "2580", "B": "1470"}


@pytest.fixture
def village(station):  # noqa: F811
    """A programme on air, one to come that is not stored; three study days: one over, tonight's, one to come."""
    station.wheat = station.add("冬小麦返青管理", "nongji", TRAILER_MS, TRAILER)
    station.history = station.add("家乡党史故事", "dangshi", TRAILER_MS, TRAILER)
    station.subsidy = station.add("惠农补贴解读", "zhengce", TRAILER_MS, None)
    station.place(station.wheat, -10)
    station.place(station.subsidy, 3_600)
    station.more["study"] = [
        study_day(station, "county@20261115", NOW - 7 * DAY, "十一月第二次集中学习"),
        study_day(station, "county@20261122", NOW + 3 * 3_600_000, "十一月第三次集中学习"),
        study_day(station, "county@20261125", NOW + 3 * DAY, "十一月第四次集中学习"),
    ]
    return station


def study_day(station, name, starts_ms, title):  # noqa: F811
    return StudyDay(
        id=name, channel="main", starts_at=ms_to_text(starts_ms), ends_at=ms_to_text(starts_ms + 7_200_000), title=title,
        discussion_ms=600_000, why=Why(rule="r", level="county", region="130123"), programmes=[station.ref(station.history)],
    )  # fmt: skip


def staff(viewer):
    """Both administrators, without the page."""
    people = viewer.server.parts.desk.people
    people.keep("A", "张三", PINS["A"])
    people.sign_in("A", PINS["A"])
    people.keep("B", "李四", PINS["B"])
    people.sign_out()


def held(viewer, days_ago=2, present=31):
    """A session and a play that the set recorded."""
    station, outbox = viewer.station, viewer.outbox  # noqa: F811
    begun = NOW - days_ago * DAY
    known = station.history.manifest
    session = f"01890000-0000-7000-8000-{days_ago:012d}"
    told = {
        "programme": known.programme,
        "edition": known.edition,
        "release": station.history.release,
        "title": known.title,
        "section": known.section,
    }
    outbox.append(Attendance, session=session, expected=42, present=present, taken_by="A", roll=Roll.START)
    outbox.append(
        Study, session=session, day="", title="十一月第二次集中学习", started_at=ms_to_text(begun), ended_at=ms_to_text(begun + 90 * MINUTE),
        clock=ClockState.KNOWN, programmes=[Studied(**told, duration_ms=40 * MINUTE, played_ms=40 * MINUTE)], discussion_ms=20 * MINUTE, led_by="A",
    )  # fmt: skip
    outbox.append(
        Viewing, session=session[:-1] + "f", mode=Mode.LIBRARY, started_at=ms_to_text(begun - 180 * MINUTE), ended_at=ms_to_text(begun - 150 * MINUTE),
        duration_ms=40 * MINUTE, played_ms=30 * MINUTE, watched=[(0, 30 * MINUTE)], clock=ClockState.KNOWN, **told,
    )  # fmt: skip


def move_to(viewer, text):
    """Walk a list that is asked over the screen down to an option."""
    for _ in range(120):
        if text in viewer.text(".ask-option.focus"):
            return
        viewer.press("ArrowDown")
    raise AssertionError(f"{text} is not in the list")


def pick(viewer, text):
    viewer.page.wait_for_selector(".ask.choose-ask.shown .ask-option.focus")
    move_to(viewer, text)
    viewer.press("Enter")


def type_pin(viewer, pin, title=None):
    if title:
        viewer.wait(
            f"(document.querySelector('.ask.shown h2') || {{textContent: ''}}).textContent.indexOf({title!r}) >= 0"
        )
    viewer.press(*pin, "Enter")


def lines(viewer):
    return viewer.server.parts.desk.log.lines("2026-01-01", "2026-12-31")


def test_the_first_person_sets_his_pin_with_arrows_only(tv, village):  # noqa: F811
    viewer = tv()
    to_desk(viewer, "people")
    viewer.page.wait_for_selector(".person.focus")
    viewer.press("Enter")
    viewer.page.wait_for_selector(".ask.choose-ask.shown")
    viewer.press("ArrowRight", "ArrowRight", "ArrowRight", "Enter")
    for _ in range(2):
        viewer.page.wait_for_selector(".ask.pad-ask.shown")
        # from 5: 2 5 8 0, then OK
        viewer.press(
            "ArrowUp",
            "Enter",
            "ArrowDown",
            "Enter",
            "ArrowDown",
            "Enter",
            "ArrowDown",
            "Enter",
            "ArrowRight",
            "Enter",
        )
    viewer.page.wait_for_selector(".person.mine")
    assert viewer.server.parts.desk.people.who() == "A"
    assert "张" in viewer.text(".person.mine")
    viewer.wait("document.getElementById('who-line').textContent === 'A 张'")


def test_the_other_one_takes_over_in_two_presses_and_his_pin(tv, village):  # noqa: F811
    viewer = tv()
    staff(viewer)
    viewer.server.parts.desk.people.sign_in("A", PINS["A"])
    to_desk(viewer)
    viewer.page.wait_for_selector(".tile[data-stop=tile-people]")
    viewer.page.evaluate("TV.Views.focusNamed('tile-people')")
    viewer.press("Enter")
    viewer.page.wait_for_selector(".person[data-stop=person-B].focus")
    viewer.press("Enter")
    type_pin(viewer, PINS["B"], "B 李四")
    viewer.page.wait_for_selector(".person.mine[data-stop=person-B]")
    assert viewer.server.parts.desk.people.who() == "B"


def test_a_wrong_pin_is_said_and_after_five_the_wait(tv, village):  # noqa: F811
    viewer = tv()
    staff(viewer)
    to_desk(viewer, "people")
    viewer.page.wait_for_selector(".person[data-stop=person-A].focus")
    viewer.press("Enter")
    for n in range(5):
        type_pin(viewer, "1111")
        viewer.wait(f"document.querySelector('.ask-about.poor') && {n} >= 0")
        viewer.wait("document.querySelectorAll('.ask-typed i.on').length === 0")
    type_pin(viewer, PINS["A"])
    viewer.page.wait_for_selector(".ask-about.poor:has-text('分钟')")
    viewer.press("Escape")
    viewer.page.wait_for_selector(".person.focus")
    assert viewer.server.parts.desk.people.who() == ""


def test_what_is_to_be_done_leads_to_where_it_is_done(tv, village):  # noqa: F811
    viewer = tv()
    to_desk(viewer, "todo")
    viewer.page.wait_for_selector(".todo.focus")
    told = viewer.page.locator(".todo span").all_inner_texts()
    assert any("还没有设管理员" in one for one in told)
    assert any("21:43 集中学习" in one for one in told)
    while "还没有设管理员" not in viewer.focused():
        viewer.press("ArrowDown")
    viewer.press("Enter")
    viewer.page.wait_for_selector("#shell.on-desk-people")
    viewer.press("Escape", "Escape")
    viewer.wait("document.getElementById('who-line').textContent.indexOf('今日要办') >= 0")


def test_heads_are_corrected_by_a_late_entry_that_is_shown_as_such(tv, village):  # noqa: F811
    viewer = tv()
    staff(viewer)
    held(viewer)
    to_desk(viewer, "logbook")
    viewer.page.wait_for_selector(".log-row.focus")
    assert "集中学习　实到 31 / 应到 42" in viewer.focused()
    viewer.press("Enter")
    viewer.page.wait_for_selector(".entry.focus")
    viewer.press("Enter")
    pick(viewer, "更正人数")
    pick(viewer, "A 张三")
    type_pin(viewer, PINS["A"])
    viewer.wait("(document.querySelector('.ask h2') || {}).textContent === '应到多少人？'")
    viewer.press("Enter")
    viewer.wait("document.querySelector('.ask h2').textContent === '实到多少人？'")
    viewer.press("ArrowLeft", "ArrowLeft", "Enter", "Enter")
    viewer.wait("document.querySelector('.ask-typed b').textContent === '–'")
    viewer.press("3", "3", "Enter")
    viewer.wait("document.querySelector('.ask h2').textContent === '其中党员多少人？'")
    viewer.press("Enter")
    pick(viewer, "数错了")
    viewer.page.wait_for_selector(".entry .late")
    assert "实到 33 / 应到 42" in viewer.text(".entry .late")
    late = [one for one in viewer.records() if isinstance(one, Attendance)][-1]
    assert (late.roll, late.present, late.taken_by) == (Roll.LATE, 33, "A")
    viewer.press("Escape")
    viewer.page.wait_for_selector(".log-row.focus .tag.late")


def test_a_study_day_is_moved_with_a_reason_and_offered_at_its_new_time(tv, village):  # noqa: F811
    viewer = tv()
    staff(viewer)
    viewer.server.parts.desk.people.sign_in("B", PINS["B"])
    to_desk(viewer, "plan")
    viewer.page.wait_for_selector(".plan-day")
    assert viewer.page.locator(".plan-state").all_inner_texts() == ["没有办", "今天", "待办"]
    viewer.page.wait_for_selector(".plan-day.now.focus")
    viewer.press("Enter")
    pick(viewer, "改到别的时间")
    viewer.page.wait_for_selector(".when")
    viewer.press("ArrowRight", "ArrowUp", "Enter")
    pick(viewer, "农忙")
    viewer.wait("document.querySelector('.plan-what .late')")
    assert "农忙" in viewer.text(".plan-what .late")
    [moved] = [day for day in viewer.server.parts.desk.plan.days() if day.moved_from]
    assert (moved.id, moved.reason) == ("county@20261122", "农忙")
    assert [line.reason for line in lines(viewer)] == ["plan-move"]
    viewer.press("Enter")
    pick(viewer, "撤回改动")
    viewer.wait("!document.querySelector('.plan-what .late')")


def test_a_session_of_the_villages_own_is_added_from_the_library(tv, village):  # noqa: F811
    viewer = tv()
    staff(viewer)
    viewer.server.parts.desk.people.sign_in("A", PINS["A"])
    to_desk(viewer, "plan")
    viewer.page.wait_for_selector(".plan-day.focus")
    viewer.press("ArrowUp", "ArrowUp", "ArrowRight", "ArrowRight", "Enter")
    viewer.page.wait_for_selector(".when")
    viewer.press("ArrowRight", "Enter")
    pick(viewer, "冬小麦返青管理")
    pick(viewer, "✓ 就这些")
    pick(viewer, "会议")
    viewer.wait("document.querySelectorAll('.plan-day').length === 4")
    assert "本村加的" in viewer.text(".plan-day:has-text('冬小麦返青管理')")


def test_opening_hours_are_set_by_weekday(tv, village):  # noqa: F811
    viewer = tv()
    staff(viewer)
    viewer.server.parts.desk.people.sign_in("A", PINS["A"])
    to_desk(viewer, "logbook")
    viewer.page.wait_for_selector("[data-stop=log-hours]")
    while "开放时间" not in viewer.focused():
        viewer.press("ArrowRight")
    viewer.press("Enter")
    viewer.page.wait_for_selector(".setting[data-stop=opening-0].focus")
    viewer.press("Enter")
    viewer.page.wait_for_selector(".ask.choose-ask.shown")
    viewer.press("Enter")
    viewer.wait(
        "(document.querySelector('.ask.shown h2') || {textContent: ''}).textContent.indexOf('关门') >= 0"
    )
    viewer.press("Enter")
    viewer.wait("document.querySelector('[data-stop=opening-0] b').textContent === '19:00 – 21:00'")
    assert viewer.server.parts.desk.opening.plan()[0] == (1140, 1260)
    viewer.press("Escape")
    viewer.page.wait_for_selector("#shell.on-desk-logbook")


def pages_of(viewer, path):
    """The PDF that printing a page makes, and how many sheets it is."""
    viewer.page.goto(viewer.server.url.rstrip("/") + path)
    viewer.wait("document.fonts.status === 'loaded'")
    pdf = viewer.page.pdf(prefer_css_page_size=True, print_background=True)
    return pdf, len(re.findall(rb"/Type\s*/Page[^s]", pdf))


def test_the_poster_and_the_log_print_on_one_sheet_each(tv, village):  # noqa: F811
    for day in range(7):
        for n in range(9):
            village.place(
                village.wheat if n % 2 else village.history, day * 86_400 + 200 + n * 900, required=n == 3
            )
    viewer = tv()
    held(viewer)
    held(viewer, days_ago=9)
    pdf, sheets = pages_of(viewer, "/print/week")
    assert sheets == 1
    assert len(pdf) > 50_000  # its font is inside
    assert viewer.page.evaluate("document.fonts.check('12pt Noto Sans SC', '节')")
    assert viewer.page.locator(".poster .study").count() == 2
    assert viewer.page.locator(".poster .line").count() > 25
    _, sheets = pages_of(viewer, "/print/log")
    assert sheets == 1
    viewer.press("Escape")
    viewer.page.wait_for_selector("#stage", state="attached")


def test_a_long_log_repeats_its_head_and_cuts_no_line(tv, village):  # noqa: F811
    viewer = tv()
    for day in range(1, 22):
        held(viewer, days_ago=day, present=20 + day)
    _, sheets = pages_of(viewer, "/print/log")
    assert 2 <= sheets <= 4
    assert (
        viewer.page.evaluate("getComputedStyle(document.querySelector('thead')).display")
        == "table-header-group"
    )
    assert viewer.page.evaluate("getComputedStyle(document.querySelector('tbody tr')).breakInside") == "avoid"


def test_printing_is_three_presses_from_the_desk_and_back_returns(tv, village):  # noqa: F811
    viewer = tv()
    to_desk(viewer, "print")
    viewer.page.wait_for_selector("[data-stop=print-week].focus")
    viewer.press("Enter")
    viewer.page.wait_for_selector(".sheet.poster")
    viewer.page.wait_for_load_state("load")  # its script is what hears the keys
    viewer.press("Escape")
    viewer.page.wait_for_selector("#stage", state="attached")
    viewer.wait_playing()
