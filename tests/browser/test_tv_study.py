"""An evening of group study on the set: begun late, talked over, broken by a power cut, counted and closed."""

from __future__ import annotations

from datetime import datetime

import pytest

from protocol.batch import Attendance, Roll, Study
from protocol.documents import Emergency, EmergencyItem, Ref, StudyDay, Why
from protocol.times import SHANGHAI, ms_to_text, to_ms
from tests.browser.test_tv_page import BUNNY, BUNNY_MS, FRONT, TRAILER, TRAILER_MS, station, tv  # noqa: F401

pytestmark = pytest.mark.browser
NOW = to_ms(datetime(2026, 11, 22, 18, 43, 10, tzinfo=SHANGHAI))


@pytest.fixture
def evening(station):  # noqa: F811
    """A long and a short programme to study at 18:30, talked over; something else on the channel."""
    station.history = station.add("家乡党史故事", "dangshi", TRAILER_MS, TRAILER)
    station.fraud = station.add("防电信诈骗", "fazhi", BUNNY_MS, BUNNY)
    station.wheat = station.add("冬小麦返青管理", "nongji", TRAILER_MS, TRAILER)
    station.place(station.wheat, -10)
    station.more["study"] = [study_day(station, [station.fraud, station.history])]
    return station


def study_day(station, programmes):  # noqa: F811
    return StudyDay(
        id="county@20261122", channel="main", starts_at=ms_to_text(NOW - 13 * 60_000), ends_at=ms_to_text(NOW + 7_200_000),
        title="十一月第三次集中学习", discussion_ms=600_000, why=Why(rule="r", level="county", region="130123"),
        programmes=[Ref(edition=p.manifest.edition, release=p.release, duration_ms=p.duration_ms) for p in programmes],
    )  # fmt: skip


def begin(viewer, *heads):
    """Begin with the button; heads as keys, or none counted."""
    viewer.wait_playing("冬小麦返青管理")
    viewer.press("Enter")
    viewer.page.wait_for_selector(".tonight .button.focus")
    viewer.press("Enter")
    viewer.page.wait_for_selector("#heads.shown")
    viewer.press(*(heads or ["Escape"]))
    viewer.wait("TV.Screen.shown() && TV.Screen.shown().mode === 'study'")


def kinds(viewer, kind):
    return [record for record in viewer.records() if isinstance(record, kind)]


def test_tonight_is_announced_ready_with_one_button_in_focus(tv, evening):  # noqa: F811
    viewer = tv()
    viewer.wait_playing("冬小麦返青管理")
    viewer.press("Enter")
    viewer.page.wait_for_selector(".tonight .button.focus")
    assert viewer.focused() == "开始集中学习"
    assert viewer.text(".tonight-kicker") == "✓ 今晚已就绪"
    assert viewer.page.locator(".tonight .verified").all_inner_texts() == ["✓ 已核验", "✓ 已核验"]
    assert "断网也能播" in viewer.text(".tonight")


def test_a_programme_that_is_not_here_yet_is_said_so(tv, evening):  # noqa: F811
    missing = evening.add("惠农补贴解读", "zhengce", TRAILER_MS, None)
    evening.more["study"] = [study_day(evening, [evening.fraud, missing])]
    viewer = tv()
    viewer.wait_playing()
    viewer.press("Enter")
    viewer.page.wait_for_selector(".tonight .button.focus")
    assert viewer.text(".tonight-kicker") == "今晚的节目还在下载"
    assert viewer.page.locator(".tonight .verified").all_inner_texts() == ["✓ 已核验", "正在下载"]


def test_begun_late_it_plays_from_the_first_second_and_heads_are_counted_with_the_number_keys(tv, evening):  # noqa: F811
    evening.more["study"] = [study_day(evening, [evening.history])]
    viewer = tv()
    begin(viewer, "4", "2", "Enter", "3", "1", "Enter")
    viewer.wait_playing("家乡党史故事")
    viewer.wait_counted(300)
    assert viewer.player.session.watched[0][0] < 1_000
    [roll] = kinds(viewer, Attendance)
    assert (roll.expected, roll.present, roll.roll) == (42, 31, Roll.START)


def test_after_each_programme_comes_the_talk_then_the_next_one_and_at_the_end_one_record(tv, evening):  # noqa: F811
    viewer = tv()
    begin(viewer)
    viewer.page.wait_for_selector("#talk.shown", timeout=30_000)
    assert viewer.text("#talk-title") == "讨论"
    assert viewer.text("#talk-next").endswith("家乡党史故事")
    viewer.press("Enter")
    viewer.wait_playing("家乡党史故事")
    viewer.wait_counted(1_500)
    viewer.press("ArrowRight")
    viewer.page.wait_for_selector("#talk.shown")
    viewer.press("Enter")
    viewer.page.wait_for_selector("#heads.shown")
    viewer.press("2", "9", "Enter")
    viewer.wait("document.getElementById('talk-title').textContent === '本次集中学习结束'")
    viewer.wait("document.getElementById('talk-about').textContent === '实到 29 人，应到 – 人'")
    viewer.press("Enter")
    viewer.wait_playing("冬小麦返青管理")
    [record] = kinds(viewer, Study)
    assert (record.day, record.completed, record.broken) == ("county@20261122", True, 0)
    assert [one.title for one in record.programmes] == ["防电信诈骗", "家乡党史故事"]
    assert record.programmes[0].played_ms >= 3_000
    assert record.programmes[1].played_ms >= 1_000
    [end] = kinds(viewer, Attendance)
    assert (end.roll, end.present) == (Roll.END, 29)
    viewer.press("Enter")
    viewer.page.wait_for_selector("#shell.shown .hero")


def test_after_a_power_cut_the_set_comes_back_to_the_same_session_at_the_same_place(tv, evening):  # noqa: F811
    evening.more["study"] = [study_day(evening, [evening.history])]
    viewer = tv()
    begin(viewer, "4", "2", "Enter", "3", "1", "Enter")
    viewer.wait_playing("家乡党史故事")
    viewer.wait(f"{FRONT}.currentTime > 6")
    before = viewer.server.parts.evening.told(NOW, lambda _: None)["session"]
    tv.restart(viewer)
    viewer.wait("TV.Screen.shown() && TV.Screen.shown().mode === 'study'")
    viewer.wait_advance(0.3)
    assert viewer.position() >= 4
    after = viewer.server.parts.evening.told(NOW, lambda _: None)["session"]
    assert (after["id"], after["broken"], after["rolls"]) == (before["id"], 1, before["rolls"])
    assert not viewer.shown("heads")


def test_an_emergency_cuts_into_the_session_and_it_goes_on_afterwards(tv, evening):  # noqa: F811
    evening.more["study"] = [study_day(evening, [evening.history])]
    viewer = tv()
    begin(viewer)
    viewer.wait_playing("家乡党史故事")
    viewer.wait(f"{FRONT}.currentTime > 2")
    evening.emergency = Emergency(
        serial=1,
        items=[EmergencyItem(id="e", starts_at=ms_to_text(NOW), ends_at=ms_to_text(NOW + 25_000), regions=["13"], text="山洪预警")],
    )  # fmt: skip
    evening.publish()
    viewer.page.wait_for_selector("#emergency.shown", timeout=30_000)
    viewer.wait("TV.Screen.shown() && TV.Screen.shown().mode === 'study'", tries=900)
    viewer.wait_advance(0.3)
    assert viewer.position() >= 1.5


def test_back_asks_before_it_ends_the_session(tv, evening):  # noqa: F811
    viewer = tv()
    begin(viewer)
    viewer.press("Escape")
    viewer.wait("document.getElementById('toast').textContent === '再按一次返回，结束集中学习'")
    viewer.press("Escape")
    viewer.page.wait_for_selector("#heads.shown")
    viewer.press("Escape", "Enter")
    viewer.wait_playing("冬小麦返青管理")
    [record] = kinds(viewer, Study)
    assert not record.completed
