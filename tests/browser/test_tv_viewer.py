"""What viewers see beside the film: pages of a courseware, the logo, volume, a question, faults, the self-test."""

from __future__ import annotations

import io

import pytest
from PIL import Image, ImageDraw

from client_agent import presence
from protocol.batch import Fault, SelfTest, Viewing, Voice
from protocol.documents import ProgrammeKind, Ref, Topic
from protocol.identifiers import uuid7
from protocol.times import ms_to_text
from tests.browser.test_tv_desk import to_desk
from tests.browser.test_tv_page import BUNNY, BUNNY_MS, FRONT, NOW, TRAILER, TRAILER_MS, station, tv  # noqa: F401
from tests.browser.test_tv_study import study_day
from tests.client_agent.station import Page

pytestmark = pytest.mark.browser
CUES = "WEBVTT\n\n00:00.000 --> 00:50.000\n{}\n"


def drawn(text, size=(800, 600), colour="#f4efe2"):
    """A picture with a few large letters on it, as PNG."""
    picture = Image.new("RGB", size, colour)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((20, 20, size[0] - 20, size[1] - 20), outline="#8e2a1f", width=6)
    pen.text((size[0] // 3, size[1] // 3), text, fill="#222", font_size=size[1] // 4)
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def evening(station):  # noqa: F811
    """A programme on air; a lesson of four pages, one of them at no moment and one not stored."""
    station.wheat = station.add("冬小麦返青管理", "nongji", TRAILER_MS, TRAILER)
    station.lesson = station.add(
        "苹果冬剪", "nongji", TRAILER_MS, TRAILER, kind=ProgrammeKind.COURSEWARE,
        pages=[Page(drawn("1"), "看树形", 0), Page(drawn("2"), "定主枝", 20_000), Page(drawn("3"), "工具", None),
               Page(drawn("4"), "剪后管理", 40_000, stored=False)],
    )  # fmt: skip
    station.fraud = station.add("防电信诈骗", "fazhi", BUNNY_MS, BUNNY)
    station.place(station.wheat, -10)
    return station


def kinds(viewer, kind):
    return [record for record in viewer.records() if isinstance(record, kind)]


def choose(viewer, number):
    """By its number."""
    viewer.wait_playing()
    viewer.press(str(number), "Enter")
    viewer.wait("TV.Screen.shown() && TV.Screen.shown().mode === 'library'")
    viewer.wait_playing()


# --- courseware --------------------------------------------------------------------------------------------------------
def page_now(viewer):
    return viewer.text("#course-number")


def test_pages_come_with_the_film_and_are_turned_with_the_arrows(tv, evening):  # noqa: F811
    viewer = tv()
    choose(viewer, 2)
    viewer.page.wait_for_selector("#course.shown #course-image.shown")
    assert page_now(viewer) == "第 1 / 4 页"
    assert viewer.page.locator(".course-line").all_inner_texts()[1].split("\n")[1:] == ["定主枝", "0:20"]
    viewer.page.evaluate("TV.Screen.seek(21000)")
    viewer.wait("document.getElementById('course-number').textContent === '第 2 / 4 页'")
    viewer.press("ArrowRight")
    assert page_now(viewer) == "第 3 / 4 页"
    viewer.press("ArrowLeft", "ArrowLeft", "ArrowLeft")
    assert page_now(viewer) == "第 1 / 4 页"
    viewer.press("ArrowUp")
    viewer.wait(f"{FRONT}.currentTime < 10")
    viewer.press("ArrowRight", "ArrowUp")
    viewer.wait(f"{FRONT}.currentTime >= 20")
    assert page_now(viewer) == "第 2 / 4 页"


def test_a_page_that_is_not_here_is_said_so_and_the_film_plays_on(tv, evening):  # noqa: F811
    viewer = tv()
    choose(viewer, 2)
    viewer.press("ArrowRight", "ArrowRight", "ArrowRight")
    viewer.page.wait_for_selector("#course-missing.shown")
    assert "还没下载到本站" in viewer.text("#course-missing")
    viewer.wait_advance(0.5)
    assert viewer.page.locator(".course-line.missing.current").count() == 1


def test_down_is_the_whole_page_and_back_to_both_and_ok_pauses(tv, evening):  # noqa: F811
    viewer = tv()
    choose(viewer, 2)
    viewer.press("ArrowDown")
    viewer.page.wait_for_selector("html.course-full")
    box = viewer.page.locator("#course-page").bounding_box()
    assert (box["width"], box["height"]) == (1920, 1080)
    viewer.press("ArrowDown", "Enter")
    viewer.page.wait_for_selector("html.course-both")
    viewer.wait(f"{FRONT}.paused")
    assert "暂停" in viewer.text("#course-time")
    film = viewer.page.evaluate(f"{FRONT}.getBoundingClientRect().right")
    assert film < viewer.page.locator("#course-page").bounding_box()["x"]
    viewer.press("Escape")
    viewer.page.wait_for_selector("#shell.shown")
    assert not viewer.shown("course")


def test_in_a_study_session_the_last_page_leads_to_the_discussion_when_asked_twice(tv, evening):  # noqa: F811
    evening.more["study"] = [study_day(evening, [evening.lesson])]
    viewer = tv()
    viewer.wait_playing("冬小麦返青管理")
    viewer.press("Enter")
    viewer.page.wait_for_selector(".tonight .button.focus")
    viewer.press("Enter")
    viewer.page.wait_for_selector("#heads.shown")
    viewer.press("Escape")
    viewer.wait("TV.Screen.shown() && TV.Screen.shown().mode === 'study'")
    viewer.page.wait_for_selector("#course.shown")
    viewer.press(*["ArrowRight"] * 4)
    assert page_now(viewer) == "第 4 / 4 页"
    assert viewer.text("#toast") == "再按一次 ▶，进入讨论"
    viewer.press("ArrowRight")
    viewer.page.wait_for_selector("#talk.shown")
    assert not viewer.shown("course")


def test_on_the_line_pages_come_by_themselves_and_the_keys_stay_the_line_s(tv, evening):  # noqa: F811
    evening.items.clear()
    evening.place(evening.lesson, -21)
    viewer = tv()
    viewer.wait_playing("苹果冬剪")
    viewer.page.wait_for_selector("#course.shown")
    viewer.wait("document.getElementById('course-number').textContent === '第 2 / 4 页'")
    assert viewer.text("#course-keys") == ""
    viewer.press("Enter")
    viewer.page.wait_for_selector("#shell.shown")
    assert not viewer.shown("course")


# --- logo, poster ------------------------------------------------------------------------------------------------------
def test_the_logo_lies_over_the_line_and_over_nothing_else(tv, evening):  # noqa: F811
    evening.logo = evening.picture(drawn("HB", (400, 120)))
    viewer = tv()
    viewer.wait_playing("冬小麦返青管理")
    viewer.page.wait_for_selector("#logo.shown")
    box = viewer.page.locator("#logo").bounding_box()
    assert 60 <= box["height"] <= 68
    assert viewer.page.evaluate("getComputedStyle(document.getElementById('logo')).opacity") == "0.7"
    viewer.press("Enter")
    viewer.page.wait_for_selector("#shell.shown")
    assert not viewer.shown("logo")
    viewer.press("Escape")
    choose(viewer, 3)
    assert not viewer.shown("logo")


def test_a_topic_has_its_poster_on_its_shelf(tv, evening):  # noqa: F811
    made = evening.fraud
    evening.more["topics"] = [
        Topic(
            id=uuid7(NOW), title="防骗月", starts_at=ms_to_text(NOW - 1), until=ms_to_text(NOW + 86_400_000),
            poster=evening.picture(drawn("!", (480, 270), "#8e2a1f")),
            programmes=[Ref(edition=made.manifest.edition, release=made.release, duration_ms=BUNNY_MS)],
        )
    ]  # fmt: skip
    viewer = tv()
    viewer.wait_playing()
    viewer.press("Enter")
    viewer.page.wait_for_selector("#shell.shown .button.focus")
    viewer.press("ArrowUp", *["ArrowRight"] * 3, "Enter")
    viewer.page.wait_for_selector(".on-library .card.focus")
    viewer.wait("document.querySelector('.shelf-poster img').naturalWidth === 480")


# --- volume, captions --------------------------------------------------------------------------------------------------
def test_volume_is_changed_with_the_arrows_or_its_own_keys_and_survives_a_restart(tv, evening):  # noqa: F811
    viewer = tv()
    viewer.wait_playing()
    viewer.press("AudioVolumeDown")
    viewer.page.wait_for_selector("#volume.shown")
    assert viewer.text("#volume-number") == "75"
    choose(viewer, 3)
    viewer.press("ArrowDown", "ArrowDown", "ArrowUp")
    assert viewer.text("#volume-number") == "70"
    assert viewer.page.evaluate(f"{FRONT}.volume") == pytest.approx(0.7)
    viewer.press("AudioVolumeMute")
    assert viewer.text("#volume-label") == "静音"
    assert viewer.page.evaluate(f"{FRONT}.muted")
    viewer.press("AudioVolumeMute")
    assert not viewer.page.evaluate(f"{FRONT}.muted")
    with viewer.page.expect_response("**/api/watching"):
        viewer.press("ArrowUp")
    tv.restart(viewer)
    viewer.wait_playing()
    viewer.wait(f"Math.abs({FRONT}.volume - 0.75) < 0.01")


def test_captions_and_their_language_are_kept_by_the_station(tv, station):  # noqa: F811
    made = station.add("防火", "kepu", TRAILER_MS, TRAILER, subtitles=CUES.format("你好").encode())
    station.place(made, -5)
    viewer = tv()
    viewer.wait_playing()
    viewer.wait(f"{FRONT}.textTracks[0].mode === 'showing'")
    viewer.press("Enter")
    viewer.page.wait_for_selector("#shell.shown")
    viewer.press("ArrowUp", *["ArrowRight"] * 6, "Enter")
    viewer.page.wait_for_selector(".on-settings .setting.focus")
    viewer.press("ArrowDown")
    with viewer.page.expect_response("**/api/watching"):
        viewer.press("Enter")
    assert viewer.page.evaluate(f"{FRONT}.textTracks[0].mode") == "disabled"
    tv.restart(viewer)
    viewer.wait_playing()
    viewer.wait(f"{FRONT}.textTracks[0].mode === 'disabled'")


# --- is anybody there --------------------------------------------------------------------------------------------------
@pytest.fixture
def soon(monkeypatch):
    """The question comes after two seconds instead of twenty minutes."""
    for name in ("EARLIEST_MS", "LATEST_MS"):
        monkeypatch.setattr(presence, name, 2_000)
    monkeypatch.setattr(presence, "ROOM_MS", 10_000)


def test_after_a_long_quiet_it_asks_and_any_key_is_an_answer_and_does_nothing_else(tv, evening, soon):  # noqa: F811
    viewer = tv()
    choose(viewer, 1)
    viewer.page.wait_for_selector("#prompt.shown", timeout=20_000)
    assert "还有人在看吗？" in viewer.text("#prompt")
    viewer.press("Escape")
    viewer.wait("!document.getElementById('prompt').classList.contains('shown')")
    assert viewer.page.evaluate("TV.Screen.shown().mode") == "library"
    viewer.wait_counted(3_000)
    viewer.page.wait_for_timeout(500)
    viewer.player.stop()
    [record] = [one for one in kinds(viewer, Viewing) if one.mode == "library"]
    assert [prompt.answered for prompt in record.prompts] == [True]


def test_nobody_answers_the_film_plays_on_and_it_is_told(tv, evening, soon, monkeypatch):  # noqa: F811
    monkeypatch.setattr(presence, "SHOWN_MS", 2_000)
    monkeypatch.setattr(presence, "GRACE_MS", 500)
    viewer = tv()
    choose(viewer, 1)
    viewer.page.wait_for_selector("#prompt.shown", timeout=20_000)
    viewer.wait("!document.getElementById('prompt').classList.contains('shown')")
    viewer.wait_advance(2.5)
    viewer.player.stop()
    [record] = [one for one in kinds(viewer, Viewing) if one.mode == "library"]
    assert [prompt.answered for prompt in record.prompts][:1] == [False]


# --- faults, opinions --------------------------------------------------------------------------------------------------
def test_a_fault_is_reported_in_three_presses_of_ok(tv, evening):  # noqa: F811
    viewer = tv()
    to_desk(viewer, "voice")
    viewer.page.wait_for_selector(".voice-fault.focus")
    assert viewer.focused().startswith("没有声音")
    viewer.press("ArrowRight", "Enter")
    viewer.page.wait_for_selector("#pick.shown")
    assert viewer.text("#pick-title") == "报修：没有图像？"
    viewer.press("Enter")
    viewer.wait("document.getElementById('toast').textContent.indexOf('已记下：没有图像') === 0")
    assert [fault.code for fault in kinds(viewer, Fault)] == ["no_picture"]
    viewer.wait("document.querySelector('.voice-fault.focus').textContent.indexOf('11月22日') > 0")


def test_changing_one_s_mind_reports_nothing(tv, evening):  # noqa: F811
    viewer = tv()
    to_desk(viewer, "voice")
    viewer.page.wait_for_selector(".voice-fault.focus")
    for keys in (["ArrowRight", "Enter"], ["Escape"]):
        viewer.press("Enter")
        viewer.page.wait_for_selector("#pick.shown")
        viewer.press(*keys)
        viewer.wait("!document.getElementById('pick').classList.contains('shown')")
    assert kinds(viewer, Fault) == []
    assert viewer.focused().startswith("没有声音")


def test_a_word_on_the_programme_and_more_of_a_section(tv, evening):  # noqa: F811
    viewer = tv()
    to_desk(viewer, "voice")
    viewer.page.wait_for_selector(".voice-fault.focus")
    assert "说的是《冬小麦返青管理》" in viewer.text("#view")
    viewer.press("ArrowDown", "Enter")
    viewer.wait("document.getElementById('toast').textContent === '谢谢，意见已记下'")
    viewer.press(*["ArrowRight"] * 3, "Enter")
    viewer.page.wait_for_selector("#pick.shown")
    viewer.press("ArrowRight", "Enter")
    viewer.wait("!document.getElementById('pick').classList.contains('shown')")
    viewer.wait("document.getElementById('toast').textContent === '谢谢，意见已记下'")
    viewer.page.wait_for_timeout(300)
    assert [(said.text, said.title, said.section) for said in kinds(viewer, Voice)] == [
        ("节目太长", "冬小麦返青管理", "nongji"),
        ("想多看这个板块", "", "fazhi"),
    ]


def test_the_month_s_form_is_three_answers_and_back_leaves_it_unsaid(tv, evening):  # noqa: F811
    viewer = tv()
    to_desk(viewer, "voice")
    viewer.page.wait_for_selector(".voice-fault.focus")
    viewer.press("ArrowDown", "ArrowDown", "Enter")
    viewer.page.wait_for_selector("#pick.shown")
    assert viewer.text("#pick-title") == "最需要什么？"
    viewer.press("Enter", "Enter", "Escape")
    viewer.wait("!document.getElementById('pick').classList.contains('shown')")
    assert kinds(viewer, Voice) == []
    viewer.press("Enter", "ArrowRight", "Enter", "ArrowDown", "Enter", "Enter")
    viewer.wait("document.getElementById('toast').textContent === '这个月的反馈已记下'")
    [said] = kinds(viewer, Voice)
    assert said.text == "2026-11 月度反馈\n需求：养殖技术\n建议：晚上多播一些\n问题：来看的人少"
    viewer.wait("document.querySelector('.voice-month').textContent.indexOf('已经填过') > 0")


# --- 自检 --------------------------------------------------------------------------------------------------------------
def test_the_self_test_is_six_answers_and_becomes_a_record(tv, evening):  # noqa: F811
    viewer = tv()
    to_desk(viewer, "selftest")
    viewer.page.wait_for_selector(".button.focus")
    viewer.press("Enter")
    for check, key in (("bars", "Enter"), ("safe_area", "Enter"), ("left", "ArrowLeft"), ("right", "Enter")):
        viewer.page.wait_for_selector(f"#test.test-{check}")
        assert viewer.page.evaluate(f"{FRONT}.muted")
        viewer.press(key)
    viewer.page.wait_for_selector("#test-dot.on")
    viewer.press("Enter")
    viewer.page.wait_for_selector("#test.test-keys")
    viewer.press("ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Enter", "Escape")
    viewer.page.wait_for_selector("#test.test-done")
    assert viewer.text("#test-ask").startswith("不正常：左声道")
    viewer.press("Enter")
    viewer.wait("!document.getElementById('test').classList.contains('shown')")
    [record] = kinds(viewer, SelfTest)
    assert {check for check, right in record.results.items() if not right} == {"left"}
    assert len(record.results) == 6
    assert "1 项不正常" in viewer.text("#view")
    assert not viewer.page.evaluate(f"{FRONT}.muted")
    viewer.press("Escape")
    viewer.page.wait_for_selector(".tile.focus")
    assert "1 项不正常" in viewer.focused()


def test_leaving_the_self_test_keeps_nothing_and_the_sound_comes_back(tv, evening):  # noqa: F811
    viewer = tv()
    to_desk(viewer, "selftest")
    viewer.page.wait_for_selector(".button.focus")
    viewer.press("Enter", "Enter", "Escape")
    viewer.wait("!document.getElementById('test').classList.contains('shown')")
    assert kinds(viewer, SelfTest) == []
    assert not viewer.page.evaluate(f"{FRONT}.muted")
