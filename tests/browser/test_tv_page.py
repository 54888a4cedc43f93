"""A viewer in front of the TV page: real Chromium, real video, five keys."""

from __future__ import annotations

import logging
import random
import re
import threading
from datetime import datetime
from pathlib import Path

import pytest

from client_agent import reporting
from client_agent.store import VerifiedFile
from protocol import batch as wire
from protocol.documents import Emergency, EmergencyItem
from protocol.pieces import PIECE_LENGTH
from protocol.times import SHANGHAI, ms_to_text, to_ms
from tests.client_agent.station import Station, keep
from tests.glyphs import fonts_of_the_machine

pytestmark = pytest.mark.browser

log = logging.getLogger(__name__)
MEDIA = Path(__file__).parent.parent / "media"
TRAILER = (MEDIA / "trailer_bbb.mp4").read_bytes()
TRAILER_MS = 55_125
BUNNY = (MEDIA / "bigbuckbunny.mp4").read_bytes()
BUNNY_MS = 5_312
NOW = to_ms(datetime(2026, 11, 22, 18, 43, 10, tzinfo=SHANGHAI))
FRONT = "document.querySelector('video.front')"


class Tv:
    """A station's server and a browser on its page."""

    def __init__(self, page, station, agent, outbox, player, server):
        self.page, self.station, self.agent, self.outbox, self.player = page, station, agent, outbox, player
        self.server = server

    def open(self, query=""):
        self.page.set_viewport_size({"width": 1920, "height": 1080})
        self.page.goto(self.server.url + query)

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def wait(self, expression, tries=400):
        """Until an expression is true; asked from outside, because the page's policy forbids eval."""
        for _ in range(tries):
            if self.page.evaluate(f"!!({expression})"):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"never true: {expression}")

    def wait_playing(self, title=None):
        """Until a picture moves, of this programme."""
        self.wait(f"{FRONT} && !{FRONT}.paused && {FRONT}.currentTime > 0 && {FRONT}.readyState > 2")
        if title:
            self.wait(f"TV.Screen.shown() && TV.Screen.shown().title === {title!r}")

    def wait_advance(self, seconds):
        start = self.position()
        self.wait(f"{FRONT} && {FRONT}.currentTime > {start + seconds}")

    def position(self):
        return self.page.evaluate(f"{FRONT}.currentTime")

    def text(self, selector):
        return self.page.locator(selector).inner_text()

    def shown(self, name):
        return self.page.evaluate(f"document.getElementById('{name}').classList.contains('shown')")

    def focused(self):
        return self.page.evaluate("(document.querySelector('.stop.focus') || {textContent: ''}).textContent")

    def wait_counted(self, ms):
        """Until the agent has counted at least so much of the play that is open."""
        for _ in range(300):
            session = self.player.session
            if session is not None and session.played_ms >= ms:
                return session.played_ms
            self.page.wait_for_timeout(50)
        raise AssertionError(f"only {self.player.session} counted")

    def records(self):
        rows = self.outbox._db.execute("SELECT data FROM records ORDER BY seq").fetchall()
        return [wire.read_record(data) for (data,) in rows]


@pytest.fixture
def station(tmp_path):
    return Station(tmp_path / "station", NOW)


@pytest.fixture
def tv(page, station):
    opened = []

    def power_on():
        agent = station.open()
        outbox = reporting.open_outbox(agent)
        player, server = reporting.open_tv(agent, outbox, 0)
        server.start()
        opened.append((agent, outbox, player, server))
        return opened[-1]

    def power_off():
        page.goto("about:blank")
        while opened:
            agent, outbox, player, server = opened.pop()
            server.stop()
            player.stop()
            outbox.close()
            agent.close()

    def start(query=""):
        station.publish()
        made = Tv(page, station, *power_on())
        made.open(query)
        return made

    def restart(viewer):
        """The power goes and comes back."""
        power_off()
        viewer.agent, viewer.outbox, viewer.player, viewer.server = power_on()
        viewer.open()

    start.restart = restart
    yield start
    power_off()


@pytest.fixture
def evening(station):
    """One programme on air, three in the library, one of them not stored."""
    station.wheat = station.add("冬小麦返青管理", "nongji", TRAILER_MS, TRAILER)
    station.fraud = station.add("防电信诈骗", "fazhi", BUNNY_MS, BUNNY)
    station.apple = station.add("苹果冬剪", "nongji", TRAILER_MS, None)
    station.place(station.wheat, -10)
    station.place(station.apple, 3600)
    return station


# --- watching ----------------------------------------------------------------------------------------------------------
def test_the_programme_on_air_plays_at_its_offset_and_moves(tv, evening):
    viewer = tv()
    viewer.wait_playing("冬小麦返青管理")
    now = viewer.page.evaluate("TV.now()")
    assert abs(viewer.position() - (now - NOW + 10_000) / 1000) < 2
    viewer.wait_advance(1)
    assert viewer.text("#bar-title") == "冬小麦返青管理"
    assert "19:43" in viewer.text("#bar-next")
    assert "苹果冬剪" in viewer.text("#bar-next")


def test_in_an_ordinary_browser_it_starts_muted_says_so_and_the_first_key_brings_the_sound(tv, evening):
    viewer = tv()
    viewer.wait_playing()
    assert viewer.page.evaluate(f"{FRONT}.muted")
    viewer.page.wait_for_selector("#hint.shown")
    assert viewer.text("#hint") == "按任意键打开声音"
    viewer.press("ArrowRight")
    assert not viewer.page.evaluate(f"{FRONT}.muted")
    viewer.wait("!document.getElementById('hint').classList.contains('shown')")
    assert viewer.page.evaluate(f"!{FRONT}.paused")


def test_what_was_watched_is_counted_and_becomes_a_record_with_its_spans(tv, evening):
    viewer = tv()
    viewer.wait_playing()
    counted = viewer.wait_counted(4_000)
    viewer.player.stop()
    [record] = viewer.records()
    assert (record.title, record.mode) == ("冬小麦返青管理", "linear")
    assert record.played_ms >= counted
    assert sum(end - start for start, end in record.watched) == record.played_ms
    assert record.watched[0][0] >= 9_000


def test_a_library_programme_plays_within_three_presses(tv, evening):
    viewer = tv()
    viewer.wait_playing("冬小麦返青管理")
    viewer.press("Enter")
    viewer.page.wait_for_selector("#shell.shown .card")
    viewer.press("ArrowDown", "Enter")
    viewer.wait("TV.Screen.shown() && TV.Screen.shown().mode === 'library'")
    viewer.wait_advance(0.5)
    assert viewer.position() < 30
    assert viewer.page.evaluate("!document.getElementById('shell').classList.contains('shown')")


def test_when_a_chosen_programme_ends_the_menu_is_back_where_it_was_and_the_line_goes_on(tv, evening):
    viewer = tv()
    viewer.wait_playing()
    viewer.press("Enter")
    viewer.page.wait_for_selector("#shell.shown .card")
    viewer.press("ArrowDown", "ArrowRight")
    assert "防电信诈骗" in viewer.focused()
    viewer.press("Enter")
    viewer.wait("TV.Screen.shown() && TV.Screen.shown().title === '防电信诈骗'")
    viewer.page.wait_for_selector("#faces.shown", timeout=20_000)
    viewer.press("Escape")
    viewer.page.wait_for_selector("#shell.shown")
    assert "防电信诈骗" in viewer.focused()
    viewer.wait_playing("冬小麦返青管理")
    [chosen] = [r for r in viewer.records() if r.title == "防电信诈骗"]
    assert chosen.mode == "library"
    assert chosen.watched[0][0] < 2_000
    assert chosen.played_ms >= 3_000


# --- what never counts -------------------------------------------------------------------------------------------------
def choose(viewer):
    """The long programme from the library, counted a little."""
    viewer.wait_playing()
    viewer.press("Enter")
    viewer.page.wait_for_selector("#shell.shown .card")
    viewer.press("ArrowDown", "Enter")
    viewer.wait("TV.Screen.shown() && TV.Screen.shown().mode === 'library'")
    viewer.wait_counted(1_000)


def settled(viewer, quiet_ms=3_000):
    """What is counted once nothing more arrives."""
    viewer.page.wait_for_timeout(700)
    before = viewer.player.session.played_ms
    viewer.page.wait_for_timeout(quiet_ms)
    return before, viewer.player.session.played_ms


def test_a_paused_player_adds_nothing(tv, evening):
    viewer = tv()
    choose(viewer)
    viewer.press("Enter")
    viewer.wait(f"{FRONT}.paused")
    before, after = settled(viewer)
    assert after == before
    viewer.page.wait_for_selector("#bar.shown")
    viewer.press("Enter")
    viewer.wait_counted(before + 1_000)


def test_a_hidden_player_adds_nothing_though_it_plays_on(tv, evening):
    viewer = tv()
    choose(viewer)
    hide = """(hidden) => { Object.defineProperty(document, 'hidden', {configurable: true, get: () => hidden});
                            document.dispatchEvent(new Event('visibilitychange')); }"""
    viewer.page.evaluate(hide, True)
    before, after = settled(viewer)
    assert after == before
    assert viewer.page.evaluate(f"!{FRONT}.paused")
    viewer.page.evaluate(hide, False)
    viewer.wait_counted(before + 1_000)


def test_a_stalled_player_adds_nothing(tv, evening, monkeypatch):
    gate, read = threading.Event(), VerifiedFile.read

    def held(self, start, end):
        if self.length == len(TRAILER) and PIECE_LENGTH <= start < 6 * PIECE_LENGTH:
            gate.wait(60)
        return read(self, start, end)

    monkeypatch.setattr(VerifiedFile, "read", held)
    evening.items.clear()
    viewer = tv()
    viewer.press("Enter")
    viewer.page.wait_for_selector("#shell.shown .card")
    viewer.press("ArrowDown", "ArrowLeft", "Enter")
    viewer.wait(f"{FRONT} && {FRONT}.currentTime > 1 && {FRONT}.readyState < 3")
    before, after = settled(viewer)
    gate.set()
    assert after == before


def test_a_seek_adds_nothing_of_what_it_jumped_over(tv, evening):
    viewer = tv()
    choose(viewer)
    viewer.press("ArrowRight", "ArrowRight")
    viewer.wait(f"{FRONT}.currentTime > 20")
    viewer.wait_counted(3_000)
    viewer.press("Escape")
    viewer.page.wait_for_selector("#shell.shown")
    viewer.player.stop()
    chosen = next(r for r in viewer.records() if r.mode == "library")
    assert chosen.played_ms < 15_000
    assert len(chosen.watched) >= 2
    assert chosen.watched[-1][1] > 20_000


# --- from item to item, and when something is wrong --------------------------------------------------------------------
def test_from_item_to_item_the_old_picture_stays_until_the_new_one_moves(tv, station):
    first = station.add("防电信诈骗", "fazhi", BUNNY_MS, BUNNY)
    second = station.add("冬小麦返青管理", "nongji", TRAILER_MS, TRAILER)
    station.place(second, -10)
    viewer = tv()
    viewer.wait_playing("冬小麦返青管理")
    shown = viewer.page.evaluate("TV.Screen.shown().play")
    soon = int(viewer.page.evaluate("TV.now()") - NOW) // 1000 + 8
    station.items.clear()
    station.place(second, -10, duration_s=10 + soon)
    station.place(first, soon, duration_s=3)
    station.place(second, soon + 3)
    station.publish()
    viewer.page.evaluate(
        """() => { window.seen = []; window.gaps = [];
          setInterval(() => { const front = document.querySelector('video.front');
            window.seen.push(!!front && front.readyState >= 2 && !document.getElementById('slate').classList.contains('shown'));
          }, 20);
          const put = TV.Screen.put, onShown = TV.Screen.onShown; let asked = 0;
          TV.Screen.put = (show) => { asked = performance.now(); put(show); };
          TV.Screen.onShown = (show) => { window.gaps.push(Math.round(performance.now() - asked)); onShown(show); }; }"""
    )
    viewer.wait(f"TV.Screen.shown().ends_ms === {NOW + soon * 1000}")
    assert viewer.page.evaluate("TV.Screen.shown().play") == shown, (
        "the same programme goes on under a new listing"
    )
    viewer.wait("TV.Screen.shown().title === '防电信诈骗'")
    viewer.wait("TV.Screen.shown().title === '冬小麦返青管理'")
    viewer.wait_advance(0.5)
    log.info("milliseconds until the next picture moved: %s", viewer.page.evaluate("window.gaps"))
    assert all(viewer.page.evaluate("window.seen"))
    assert len(viewer.page.evaluate("window.gaps")) == 2


def test_a_recalled_programme_leaves_the_screen_and_a_filler_takes_its_place(tv, evening):
    evening.fillers = [evening.ref(evening.fraud)]
    viewer = tv()
    viewer.wait_playing("冬小麦返青管理")
    evening.recall(evening.wheat)
    viewer.wait("TV.Screen.shown() && TV.Screen.shown().title === '防电信诈骗'")


def test_a_wrong_byte_on_the_disk_never_shows_the_filler_plays_and_it_returns_once_fetched_again(tv, evening):
    evening.fillers = [evening.ref(evening.fraud)]
    sha256 = evening.wheat.manifest.renditions[0].sha256
    opened = evening.open

    def spoilt():
        agent = opened()
        with (evening.paths.media / sha256).open("r+b") as file:
            file.seek(3 * PIECE_LENGTH)
            file.write(bytes(64))
        agent.store.trim()
        return agent

    evening.open = spoilt
    viewer = tv()
    viewer.wait("TV.Screen.shown() && TV.Screen.shown().title === '防电信诈骗'")
    keep(viewer.agent, TRAILER)
    assert viewer.agent.store.is_complete(sha256)
    viewer.wait("TV.Screen.shown() && TV.Screen.shown().title === '冬小麦返青管理'")


def test_without_a_trusted_clock_no_time_is_shown_and_the_library_plays(tv, evening):
    evening.known_clock = False
    viewer = tv()
    viewer.page.wait_for_selector("#slate.shown")
    viewer.wait("document.getElementById('slate-why').textContent.indexOf('校准时间') > 0")
    assert viewer.text("#slate-station") == evening.name
    assert not re.search(r"\d\d:\d\d", viewer.text("body"))
    viewer.press("Enter")
    viewer.page.wait_for_selector("#shell.shown .card")
    assert not re.search(r"\d\d:\d\d", viewer.text("header"))
    viewer.press("ArrowDown", "Enter")
    viewer.wait_playing("冬小麦返青管理")


def test_a_station_with_nothing_yet_says_what_will_come(tv, station):
    viewer = tv()
    viewer.wait("document.getElementById('slate-why').textContent === '还没有收到节目安排'")
    viewer.press("Enter")
    viewer.page.wait_for_selector("#shell.shown .empty")
    assert "下载到本站" in viewer.text(".empty")
    assert viewer.focused() == "看节目单"


def test_an_agent_that_restarts_finds_its_page_again(tv, evening):
    viewer = tv()
    viewer.wait_playing()
    viewer.player._session = None
    viewer.player._past.clear()
    viewer.wait_counted(1_000)
    assert viewer.player.session.subject.title == "冬小麦返青管理"


# --- five keys ---------------------------------------------------------------------------------------------------------
def test_the_focus_is_always_one_and_in_sight_whatever_is_pressed(tv, evening):
    for n in range(14):
        evening.add(f"节目{n}", ["dangjian", "kepu", "xiangtu"][n % 3], TRAILER_MS, None)
    viewer = tv()
    viewer.wait_playing()
    seed = random.randrange(10**9)
    log.info("seed %d", seed)
    draw = random.Random(seed)
    viewer.press("Enter")
    viewer.page.wait_for_selector("#shell.shown .card")
    look = """() => { const found = [...document.querySelectorAll('.stop.focus')];
        if (!document.getElementById('shell').classList.contains('shown')) { return 'closed'; }
        if (found.length !== 1 || document.activeElement !== found[0]) { return 'lost: ' + found.length; }
        return ''; }"""
    sight = """() => { const box = document.querySelector('.stop.focus').getBoundingClientRect();
        const seen = box.left >= 0 && box.right <= innerWidth && box.top >= 0 && box.bottom <= innerHeight;
        return seen ? '' : TV.Views.view + ' ' + JSON.stringify(box); }"""
    for _ in range(120):
        key = draw.choice(["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "ArrowDown", "ArrowRight"])
        if viewer.focused() in ("首页", "节目单", "回看", "点播", "搜索", "设置"):
            key = draw.choice([key, "Enter"])
        viewer.press(key)
        assert viewer.page.evaluate(look) == "", key
    viewer.page.wait_for_timeout(300)
    assert viewer.page.evaluate(sight) == "", seed


def test_the_whole_page_is_reached_with_five_keys(tv, evening):
    viewer = tv()
    viewer.wait_playing()
    viewer.press("Enter")
    viewer.page.wait_for_selector("#shell.shown .button.focus")
    viewer.press("ArrowUp", "ArrowRight", "Enter")
    viewer.page.wait_for_selector(".listed.now.focus")
    assert "冬小麦返青管理" in viewer.focused()
    viewer.press("ArrowDown", "Enter")
    viewer.page.wait_for_selector("#toast.shown")
    assert "19:43" in viewer.text("#toast")
    viewer.press("Escape", "ArrowRight", "Enter")
    viewer.page.wait_for_selector(".on-replay .empty")
    viewer.press("ArrowRight", "Enter")
    viewer.page.wait_for_selector(".on-library .card.focus")
    viewer.press("ArrowRight", "Enter")
    viewer.wait("document.getElementById('toast').textContent.indexOf('已记下您想看') > 0")
    viewer.press("Escape", "ArrowRight", "Enter")
    viewer.page.wait_for_selector(".on-search .key.focus")
    viewer.press("Escape", "ArrowRight", "Enter")
    viewer.page.wait_for_selector(".on-desk .tile.focus")
    viewer.press("Escape", "ArrowRight", "Enter")
    viewer.page.wait_for_selector(".on-settings .setting.focus")
    viewer.press("Enter")
    viewer.wait("document.documentElement.lang === 'en'")
    assert "Captions" in viewer.text("main")
    viewer.press("Escape", "Escape")
    viewer.wait("!document.getElementById('shell').classList.contains('shown')")
    assert viewer.text("#bar-kicker") == "Now playing"


def test_old_remotes_that_know_only_key_numbers_work(tv, evening):
    viewer = tv()
    viewer.wait_playing()

    def old_key(code):
        viewer.page.evaluate(
            """(code) => { const event = new Event('keydown', {bubbles: true, cancelable: true});
                Object.defineProperty(event, 'keyCode', {value: code}); document.dispatchEvent(event); }""",
            code,
        )

    old_key(13)
    viewer.page.wait_for_selector("#shell.shown .card")
    old_key(40)
    assert "冬小麦返青管理" in viewer.focused()
    old_key(39)
    assert "防电信诈骗" in viewer.focused()
    old_key(461)
    viewer.wait("!document.getElementById('shell').classList.contains('shown')")


def test_every_character_is_drawn_with_the_font_that_set_up_brought(tv, evening):
    evening.notice("明天上午九点全村停电检修")
    viewer = tv()
    viewer.wait_playing()
    viewer.press("Enter")
    viewer.page.wait_for_selector("#shell.shown .card")
    assert fonts_of_the_machine(viewer.page) == {}
    for _ in range(3):
        viewer.press("ArrowUp", "ArrowUp", "ArrowRight", "Enter")
        viewer.page.wait_for_timeout(300)
        assert fonts_of_the_machine(viewer.page) == {}


def test_it_speaks_english_when_asked(tv, evening):
    viewer = tv("?lang=en")
    viewer.wait_playing()
    assert viewer.text("#hint") == "Press any key for sound"
    viewer.press("Enter")
    viewer.page.wait_for_selector("#shell.shown")
    assert viewer.text("#tabs").split() == [
        "Home",
        "Listing",
        "Catch-up",
        "Library",
        "Search",
        "Desk",
        "Settings",
    ]


def test_a_notice_runs_over_the_picture(tv, evening):
    evening.notice("明天上午九点全村停电检修")
    viewer = tv()
    viewer.wait_playing()
    viewer.page.wait_for_selector("#ticker.shown")
    assert viewer.page.locator("#ticker-text").text_content() == "明天上午九点全村停电检修"


def test_an_emergency_takes_the_screen_from_whatever_was_chosen(tv, evening):
    viewer = tv()
    choose(viewer)
    item = EmergencyItem(
        id="e1",
        starts_at=ms_to_text(NOW),
        ends_at=ms_to_text(NOW + 600_000),
        regions=["13"],
        ref=evening.ref(evening.fraud),
        text="暴雨红色预警",
    )
    evening.emergency = Emergency(serial=1, items=[item])
    evening.publish()
    viewer.wait("TV.Screen.shown() && TV.Screen.shown().title === '防电信诈骗'")
    assert not viewer.shown("shell")
    assert viewer.page.evaluate("TV.Screen.shown().mode") == "linear"
    viewer.page.wait_for_selector("#ticker.urgent.shown")
    assert viewer.page.locator("#ticker-text").text_content() == "暴雨红色预警"


def test_subtitles_show_until_they_are_switched_off_and_stay_off(tv, station):
    text = "WEBVTT\n\n00:00.000 --> 00:55.000\n大家好，今天讲冬小麦返青\n".encode()
    wheat = station.add("冬小麦返青管理", "nongji", TRAILER_MS, TRAILER, subtitles=text)
    station.place(wheat, -10)
    viewer = tv()
    viewer.wait_playing()
    track = f"{FRONT}.textTracks[0]"
    viewer.wait(
        f"{track} && {track}.mode === 'showing' && {track}.activeCues && {track}.activeCues.length === 1"
    )
    assert viewer.page.evaluate(f"{track}.activeCues[0].text") == "大家好，今天讲冬小麦返青"
    viewer.press("Enter", "ArrowUp", *["ArrowRight"] * 6, "Enter")
    viewer.page.wait_for_selector(".on-settings .setting.focus")
    viewer.press("ArrowDown", "Enter")
    assert viewer.page.evaluate(f"{track}.mode") == "disabled"
    viewer.open()
    viewer.wait_playing()
    viewer.wait(f"{track}.mode === 'disabled'")


def test_a_slot_longer_than_its_programme_shows_the_slate_for_the_rest(tv, station):
    fraud = station.add("防电信诈骗", "fazhi", BUNNY_MS, BUNNY)
    station.place(fraud, -600, duration_s=1200)
    station.place(fraud, 3600)
    viewer = tv()
    viewer.wait("document.getElementById('slate-why').textContent === '稍后播出'")
    assert viewer.shown("slate")
    assert "19:43" in viewer.text("#slate-next")
    assert viewer.page.evaluate("document.querySelector('video.front') === null")


def test_the_kiosk_starts_with_sound_where_the_browser_lets_it_and_plays_in_any_case(tv, evening):
    viewer = tv("?kiosk=1")
    viewer.wait_playing()
    viewer.wait(f"document.getElementById('hint').classList.contains('shown') === {FRONT}.muted")
    assert viewer.page.evaluate("getComputedStyle(document.body).cursor") == "none"


def test_an_emergencys_words_fill_the_screen_and_a_key_still_opens_the_menu(tv, evening):
    item = EmergencyItem(
        id="e1",
        starts_at=ms_to_text(NOW - 1000),
        ends_at=ms_to_text(NOW + 600_000),
        regions=["13"],
        text="暴雨红色预警，请立即转移到村委会",
    )
    evening.emergency = Emergency(serial=1, items=[item])
    viewer = tv()
    viewer.page.wait_for_selector("#emergency.shown")
    assert viewer.text("#emergency-text") == "暴雨红色预警，请立即转移到村委会"
    viewer.press("Enter")
    viewer.page.wait_for_selector("#shell.shown .card")
    viewer.press("Escape")
    viewer.page.wait_for_selector("#emergency.shown")
