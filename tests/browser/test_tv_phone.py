"""手机助手: a phone scans the set's code and calls the roll; real Chromium on both sides."""

from __future__ import annotations

import io
import re

import pytest
from PIL import Image

from client_agent.evening import Deed, StudyDeed
from protocol.batch import Attendance, Fault, Minutes, Roll, Voice
from protocol.ticket import check_ticket, read_ticket
from tests.browser.test_tv_desk import to_desk
from tests.browser.test_tv_page import BUNNY, BUNNY_MS, TRAILER, TRAILER_MS, station, tv  # noqa: F401
from tests.browser.test_tv_study import NOW, begin, kinds, study_day

pytestmark = pytest.mark.browser
NAMES = "\n".join(
    f"{family}{given}" for family in "王李张刘陈" for given in ("建国 党员", "秀英", "志强", "桂兰")
)


@pytest.fixture
def evening(station, monkeypatch):  # noqa: F811
    monkeypatch.setenv("YUANBO_LAN_ADDRESS", "127.0.0.1")
    station.history = station.add("家乡党史故事", "dangshi", TRAILER_MS, TRAILER)
    station.fraud = station.add("防电信诈骗", "fazhi", BUNNY_MS, BUNNY)
    station.wheat = station.add("冬小麦返青管理", "nongji", TRAILER_MS, TRAILER)
    station.place(station.wheat, -10)
    station.more["study"] = [study_day(station, [station.history, station.fraud])]
    return station


@pytest.fixture
def phone(chromium):
    """Opens phones at an address: 390 wide, with a finger."""
    opened, complaints = [], []

    def scan(url):
        context = chromium.new_context(
            viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True, locale="zh-CN"
        )
        opened.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None,
        )
        page.goto(url)
        page.wait_for_selector(".tile-roll")
        return page

    yield scan
    for context in opened:
        context.close()
    assert complaints == []


def code_of(viewer):
    """The address in the code that the set shows now, checked square by square against its picture."""
    squares = viewer.page.evaluate(
        "[].slice.call(document.querySelectorAll('.qr path')).pop().getAttribute('d')"
    )
    lan = viewer.server.parts.phone.told()["lan"]
    runs = [tuple(map(int, run)) for run in re.findall(r"M(\d+) (\d+)h(\d+)", squares)]
    dark = {(x + step - 4, y - 4) for x, y, length in runs for step in range(length)}
    assert dark == {
        (x, y) for y, row in enumerate(lan["squares"]) for x, cell in enumerate(row) if cell == "1"
    }
    return lan["url"]


def list_names(page, names=NAMES):
    page.tap(".tile-roll")
    page.tap(".wide")
    page.fill("textarea", names)
    page.tap(".wide")
    page.wait_for_selector(".person")
    page.tap("#back")
    page.wait_for_selector(".name")


def tonight(viewer):
    """The home page with 今晚已就绪 and the code in its corner."""
    viewer.wait_playing("冬小麦返青管理")
    viewer.press("Enter")
    viewer.page.wait_for_selector("#phone-corner.shown.at-home .qr")


def test_a_roll_called_beside_tonight_is_ready_spares_the_set_its_question(tv, evening, phone):  # noqa: F811
    viewer = tv()
    tonight(viewer)
    page = phone(code_of(viewer))
    list_names(page)
    for name in page.locator(".name").all()[:13]:
        name.tap()
    page.tap(".save")
    page.wait_for_selector(".total .good")
    assert page.locator(".total .figure").inner_text() == "13 / 20"
    viewer.page.wait_for_selector("#phone-corner span")
    assert viewer.text("#phone-corner span") == "实到 13 / 20"
    viewer.press("Enter")
    viewer.wait("TV.Screen.shown() && TV.Screen.shown().mode === 'study'")
    [roll] = kinds(viewer, Attendance)
    assert (roll.present, roll.expected, roll.members, roll.public) == (13, 20, 4, 9)


def test_the_set_that_asks_for_heads_takes_the_roll_of_the_phone(tv, evening, phone):  # noqa: F811
    viewer = tv()
    tonight(viewer)
    viewer.press("Enter")
    viewer.page.wait_for_selector("#heads.shown")
    viewer.page.wait_for_selector("#phone-corner.shown.at-over .qr")
    page = phone(code_of(viewer))
    list_names(page)
    page.tap(".tool")  # 全部到齐
    page.locator(".name").nth(3).tap()
    page.tap(".save")
    viewer.page.wait_for_selector("#heads:not(.shown)", state="attached")
    viewer.wait("TV.Screen.shown() && TV.Screen.shown().mode === 'study'")
    assert [(r.present, r.expected) for r in kinds(viewer, Attendance)] == [(19, 20)]


def test_two_phones_see_each_others_taps_and_undo_takes_back(tv, evening, phone):  # noqa: F811
    viewer = tv()
    begin(viewer)
    url = viewer.server.parts.phone.told()["lan"]["url"]
    one, other = phone(url), phone(url)
    list_names(one)
    one.locator(".name").nth(0).tap()
    one.locator(".name").nth(1).tap()
    other.tap(".tile-roll")
    other.wait_for_selector(".name.there[data-person='2']")
    other.locator(".name").nth(1).tap()
    one.wait_for_selector(".name[data-person='2']:not(.there)")
    one.tap(".tool")
    other.wait_for_selector(".name.there[data-person='20']")
    one.locator(".tool").nth(1).tap()
    other.wait_for_selector(".name[data-person='20']:not(.there)")
    assert other.locator(".total .figure").inner_text() == "1 / 20"


def test_what_was_tapped_and_typed_out_of_reach_survives_a_reload_and_arrives(tv, evening, phone):  # noqa: F811
    viewer = tv()
    begin(viewer)
    page = phone(viewer.server.parts.phone.told()["lan"]["url"])
    list_names(page)
    page.route("**/api/**", lambda route: route.abort())
    page.locator(".name").nth(4).tap()
    page.wait_for_selector("#line.shown")
    page.tap("#back")
    page.tap(".tile-question")
    page.fill("textarea", "冬小麦什么时候浇返青水？")
    page.reload()
    page.wait_for_selector(".tile-roll")
    page.tap(".tile-question")
    assert page.locator("textarea").input_value() == "冬小麦什么时候浇返青水？"
    page.tap(".save")
    page.tap(".tile-roll")
    page.wait_for_selector(".name.there[data-person='5']")
    page.unroute("**/api/**")
    page.wait_for_selector("#line:not(.shown)", state="attached")
    page.wait_for_function("() => !Kept.queue.length && !Object.keys(Kept.taps.of).length")
    assert [voice.text for voice in kinds(viewer, Voice)] == ["冬小麦什么时候浇返青水？"]
    page.tap(".save")
    page.wait_for_selector(".total .good")
    assert [roll.present for roll in kinds(viewer, Attendance)] == [1]


def test_taps_out_of_reach_go_to_their_own_roll_when_the_session_has_moved_on(tv, evening, phone):  # noqa: F811
    viewer = tv()
    begin(viewer)
    page = phone(viewer.server.parts.phone.told()["lan"]["url"])
    list_names(page)
    session = viewer.server.parts.phone.tonight().id
    page.route("**/api/**", lambda route: route.abort())
    page.locator(".name").nth(4).tap()
    page.wait_for_selector("#line.shown")
    viewer.server.parts.evening.act(StudyDeed(do=Deed.STOP))
    page.unroute("**/api/**")
    page.wait_for_selector(".name[data-person='5']:not(.there)")
    page.wait_for_function("() => Kept.state.session.rolls.start.there.length === 1")
    people = viewer.server.parts.phone.people
    assert [person for person, mark in people.marks(session, Roll.START)[0].items() if mark.present] == [5]
    assert people.marks(session, Roll.END)[0] == {}


def test_at_the_end_the_roll_begins_with_one_tap_from_those_of_the_beginning(tv, evening, phone):  # noqa: F811
    viewer = tv()
    begin(viewer)
    page = phone(viewer.server.parts.phone.told()["lan"]["url"])
    list_names(page)
    for place in (0, 3, 5):
        page.locator(".name").nth(place).tap()
    page.tap(".save")
    page.wait_for_selector(".total .good")
    viewer.press("Escape", "Escape")
    viewer.page.wait_for_selector("#heads.shown")
    page.get_by_text("和开始时一样").tap()
    assert page.locator(".name.there").count() == 3
    page.locator(".name").nth(5).tap()
    page.tap(".save")
    viewer.wait("document.getElementById('talk-about').textContent === '实到 2 人，应到 20 人'")
    assert [(roll.roll, roll.present) for roll in kinds(viewer, Attendance)] == [
        (Roll.START, 3),
        (Roll.END, 2),
    ]


def test_a_fault_is_reported_in_two_taps(tv, evening, phone):  # noqa: F811
    viewer = tv()
    begin(viewer)
    page = phone(viewer.server.parts.phone.told()["lan"]["url"])
    page.tap(".tile-fault")
    page.get_by_text("没有声音").tap()
    page.wait_for_selector("#toast.shown")
    assert page.locator("#toast").inner_text() == "✓ 已报：没有声音"
    assert [fault.code for fault in kinds(viewer, Fault)] == ["no_sound"]


def test_a_photo_is_made_small_on_the_phone_and_minutes_are_spoken_and_written(tv, evening, phone, tmp_path):  # noqa: F811
    Image.effect_noise((3000, 2000), 90).convert("RGB").save(tmp_path / "photo.jpg", quality=95)
    sound = b"\x1a\x45\xdf\xa3\x01\x00\x00\x00\x00\x00\x00\x1f\x42\x82\x84webm" + bytes(50_000)
    (tmp_path / "minutes.webm").write_bytes(sound)
    viewer = tv()
    begin(viewer)
    page = phone(viewer.server.parts.phone.told()["lan"]["url"])
    page.tap(".tile-photo")
    page.set_input_files("input[type=file]", tmp_path / "photo.jpg")
    page.wait_for_selector("img.taken")
    page.tap(".save:not(.quiet)")
    page.wait_for_selector(".tile-photo .figure")
    page.evaluate("Object.defineProperty(window, 'isSecureContext', {value: false})")
    page.tap(".tile-voice")
    page.set_input_files("input[type=file]", tmp_path / "minutes.webm")
    page.wait_for_selector("audio.taken")
    page.tap(".save:not(.quiet)")
    page.wait_for_selector(".tile-voice .figure")
    page.tap(".tile-minutes")
    page.fill("textarea", "讨论了春灌的轮次。")
    page.tap(".save")
    page.wait_for_function("() => !Kept.queue.length")
    evidence = viewer.server.parts.evidence
    photo, voice = evidence.of_session(viewer.server.parts.phone.tonight().id)
    assert photo.length <= 300_000
    with Image.open(io.BytesIO(evidence.read(photo.sha256))) as picture:
        assert max(picture.size) <= 1280
        assert picture.format == "JPEG"
    assert evidence.read(voice.sha256) == sound
    assert [minutes.text for minutes in kinds(viewer, Minutes)] == ["讨论了春灌的轮次。"]


def test_names_with_markup_are_only_names(tv, evening, phone):  # noqa: F811
    viewer = tv()
    begin(viewer)
    page = phone(viewer.server.parts.phone.told()["lan"]["url"])
    list_names(page, '<img src=x onerror="x">\n王建国')
    assert page.locator(".name b").all_inner_texts() == ['<img src=x onerror="', "王建国"]
    assert page.locator(".name img").count() == 0


def test_the_large_code_stands_in_the_desk_and_an_expired_one_says_so(tv, evening, phone):  # noqa: F811
    viewer = tv()
    to_desk(viewer, "phone")
    viewer.page.wait_for_selector(".phone-large .qr")
    page = phone(code_of(viewer))
    viewer.server.parts.phone._pass = None
    page.wait_for_selector("#line.shown")
    assert "重新扫" in page.locator("#line").inner_text()


def test_three_posters_and_the_code_do_not_cover_each_other(tv, evening):  # noqa: F811
    evening.subsidy = evening.add("惠农补贴解读", "zhengce", TRAILER_MS, TRAILER)
    evening.more["study"] = [study_day(evening, [evening.history, evening.fraud, evening.subsidy])]
    viewer = tv()
    viewer.wait_playing("冬小麦返青管理")
    viewer.press("Enter")
    viewer.page.wait_for_selector("#phone-corner.shown.at-low .qr")
    code = viewer.page.locator("#phone-corner").bounding_box()
    assert code["y"] + code["height"] <= 1080
    for part in viewer.page.locator(".tonight-programme, .tonight .button, .tonight-note").all():
        box = part.bounding_box()
        beside = box["x"] + box["width"] <= code["x"] or code["x"] + code["width"] <= box["x"]
        assert beside or box["y"] + box["height"] <= code["y"] + 1


def test_without_the_stations_wifi_ok_shows_the_code_of_the_provinces_page(tv, evening, phone):  # noqa: F811
    viewer = tv()
    to_desk(viewer, "phone")
    viewer.page.wait_for_selector("[data-stop=phone-other]")
    viewer.press("ArrowDown")
    assert viewer.focused() == "没连本站无线网？换成省里的网页"
    viewer.press("Enter")
    viewer.page.wait_for_function(
        "() => document.querySelector('.phone-words').textContent.indexOf('流量') > 0"
    )
    away = viewer.server.parts.phone.told()["away"]
    found = read_ticket(away["url"].rpartition("/")[2])
    assert check_ticket(found, viewer.agent.identity.public, NOW)
    assert found.ticket.session == viewer.server.parts.phone.tonight().id
    assert found.ticket.title == "十一月第三次集中学习"
    viewer.press("Enter")
    viewer.page.wait_for_selector(".phone-url")


def test_in_no_local_network_the_corner_shows_the_provinces_page(tv, evening, monkeypatch):  # noqa: F811
    monkeypatch.setenv("YUANBO_LAN_ADDRESS", "203.0.113.9")
    viewer = tv()
    tonight(viewer)
    told = viewer.server.parts.phone.told()
    assert told["lan"] is None
    side = int(viewer.page.locator(".qr").get_attribute("viewBox").split()[2])
    assert side == len(told["away"]["squares"]) + 8


def test_the_week_s_poster_opens_on_a_phone_for_printing_or_sharing(tv, evening, phone):  # noqa: F811
    viewer = tv()
    tonight(viewer)
    page = phone(code_of(viewer))
    assert page.locator(".papers a").all_inner_texts() == ["本周节目预告", "本月收看记录"]
    page.tap(".papers a >> nth=0")
    page.wait_for_selector(".sheet.poster .study")
    assert "十一月第三次集中学习" in page.locator(".sheet").inner_text()
    assert page.locator(".keys").count() == 0
