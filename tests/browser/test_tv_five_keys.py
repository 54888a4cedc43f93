"""The whole page with arrows, OK and back: wherever somebody wanders, one thing has the focus or a picture plays."""

from __future__ import annotations

import logging
import random

import pytest

from client_agent import presence
from protocol.documents import ProgrammeKind
from tests.browser.test_tv_page import BUNNY, BUNNY_MS, TRAILER, TRAILER_MS, station, tv  # noqa: F401
from tests.browser.test_tv_study import study_day
from tests.browser.test_tv_viewer import drawn
from tests.client_agent.station import Page

pytestmark = pytest.mark.browser
log = logging.getLogger(__name__)
FIVE = ("ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Enter", "Escape")
WEIGHTS = (3, 5, 3, 5, 5, 1)
BACKS = 4
HOLDS = """() => {
  const shown = (id) => document.getElementById(id).classList.contains('shown');
  const inside = (e) => { const b = e.getBoundingClientRect();
    return b.width > 0 && b.left >= -2 && b.top >= -2 && b.right <= innerWidth + 2 && b.bottom <= innerHeight + 2; };
  const one = (selector) => { const all = [...document.querySelectorAll(selector)];
    return all.length === 1 && inside(all[0]) ? '' : `${selector}: ${all.length}, ${all.map(e => e.textContent + JSON.stringify(e.getBoundingClientRect()))}`; };
  const at = document.body.className;
  if (shown('test')) return '';
  if (shown('pick')) return one('.pick-one.focus');
  if (shown('heads')) return one('.heads-box.field');
  if (TV.layered()) return '';
  if (shown('talk') || shown('faces')) return '';
  if (shown('shell')) return one('.stop.focus');
  if (/at-menu/.test(at)) return 'a menu that is not shown';
  const wanted = TV.Screen.wanted();
  if (wanted) { const v = TV.Screen.video();
    return !TV.Screen.shown() || v.paused || v.ended || v.readyState > 1 ? '' : 'a picture that is none'; }
  return shown('slate') ? '' : 'neither picture nor slate';
}"""
PICTURE = "/at-(watch|study)/.test(document.body.className)"


@pytest.fixture
def village(station, monkeypatch):  # noqa: F811
    """A day's programmes of every kind: on air, of yesterday, to come, not stored, short, with pages."""
    for name in ("EARLIEST_MS", "LATEST_MS"):
        monkeypatch.setattr(presence, name, 9_000)
    monkeypatch.setattr(presence, "ROOM_MS", 20_000)
    wheat = station.add("冬小麦返青管理", "nongji", TRAILER_MS, TRAILER)
    station.fraud = station.add("防电信诈骗", "fazhi", BUNNY_MS, BUNNY)
    station.lesson = station.add(
        "苹果冬剪", "nongji", TRAILER_MS, TRAILER, kind=ProgrammeKind.COURSEWARE,
        pages=[Page(drawn("1"), "看树形", 0), Page(drawn("2"), "下剪", 20_000), Page(drawn("3"), stored=False)],
    )  # fmt: skip
    station.add("惠农补贴解读", "zhengce", TRAILER_MS, None)
    for number in range(9):
        station.add(f"家乡党史故事之{number + 1}", "dangshi", BUNNY_MS, BUNNY)
    station.filler(station.fraud)
    for number in range(-6, 8):
        station.place(wheat, -10 + number * 3_600)
    station.logo = station.picture(drawn("HB", (400, 120)))
    station.notice("明天上午九点停电")
    return station


class Walker:
    """Presses keys and looks after each whether the page still holds."""

    def __init__(self, viewer):
        self.viewer, self.pressed, self.errors = viewer, [], []
        viewer.page.emulate_media(reduced_motion="reduce")
        viewer.page.on("pageerror", lambda error: self.errors.append(str(error)))
        viewer.page.on("console", self._said)
        viewer.open()
        viewer.wait_playing()

    def _said(self, message):
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.errors.append(message.text)

    def press(self, *keys):
        for key in keys:
            self.pressed.append(key)
            self.viewer.press(key)
            self.look()

    def look(self):
        for _ in range(80):
            wrong = self.viewer.page.evaluate(HOLDS)
            if not wrong:
                break
            self.viewer.page.wait_for_timeout(50)
        body = self.viewer.page.evaluate(
            "document.body.className + ' ' + document.getElementById('shell').className"
        )
        assert not wrong, (wrong, body, self.pressed[-25:])
        assert self.errors == [], self.pressed[-25:]

    def home_again(self):
        """Back to the picture, with four presses of one key; one more where a question took one for its answer."""
        spare = 1
        for _ in range(BACKS + spare):
            if self.viewer.page.evaluate(PICTURE):
                return
            self.press("Escape")
        assert self.viewer.page.evaluate(PICTURE), self.pressed[-25:]


def wander(walker, seed, keys):
    log.info("seed %d", seed)
    viewer, dice, seen = walker.viewer, random.Random(seed), set()
    for number in range(keys):
        walker.press(dice.choices(FIVE, WEIGHTS)[0])
        seen.add(viewer.page.evaluate("document.body.className.split(' ')[0] + '/' + (TV.Views.view || '')"))
        if number % 30 == 29:
            walker.home_again()
    log.info("seed %d: %d places: %s", seed, len(seen), sorted(seen))
    return seen


def test_wherever_one_wanders_there_is_a_focus_or_a_picture_and_a_way_back(tv, village):  # noqa: F811
    assert len(wander(Walker(tv()), random.randrange(10**6), 110)) >= 4


def test_the_same_on_an_evening_of_study(tv, village):  # noqa: F811
    village.more["study"] = [study_day(village, [village.lesson, village.fraud])]
    viewer = tv()
    walker = Walker(viewer)
    walker.press("Enter", "Enter")
    viewer.wait("/at-study/.test(document.body.className)")
    wander(walker, random.randrange(10**6), 50)


@pytest.mark.full
@pytest.mark.parametrize("study", [False, True])
def test_a_long_walk(tv, village, study):  # noqa: F811
    if study:
        village.more["study"] = [study_day(village, [village.lesson, village.fraud])]
    wander(Walker(tv()), random.randrange(10**6), 1_500)


def test_every_tab_and_every_tile_is_reached_and_left_with_five_keys(tv, village):  # noqa: F811
    viewer = tv()
    walker = Walker(viewer)
    tabs = viewer.page.evaluate("TV.Views.TABS")
    for tab in tabs:
        walker.press("Enter")
        viewer.page.wait_for_selector("#shell.shown.on-home")
        walker.press("ArrowUp", *["ArrowRight"] * tabs.index(tab), "Enter")
        viewer.page.wait_for_selector(f"#shell.shown.on-{tab}")
        walker.home_again()
    walker.press("Enter", "ArrowUp", *["ArrowRight"] * tabs.index("desk"), "Enter")
    viewer.page.wait_for_selector(".tile.focus")
    tiles = viewer.page.evaluate(
        "[...document.querySelectorAll('.tile')].map(t => t.getAttribute('data-stop'))"
    )
    for number, tile in enumerate(tiles):
        walker.press(*["ArrowUp"] * (len(tiles) // 4 + 1), "ArrowDown", *["ArrowLeft"] * 3)
        walker.press(*["ArrowDown"] * (number // 4), *["ArrowRight"] * (number % 4))
        assert viewer.page.locator(f"[data-stop={tile}].focus").count(), tile
        walker.press("Enter")
        walker.look()
        for _ in range(3):
            if viewer.page.locator("#shell.on-desk").count() and not viewer.page.evaluate("TV.layered()"):
                break
            walker.press("Escape")
        assert viewer.page.locator(f"[data-stop={tile}].focus").count(), f"back from {tile}"


def test_any_stored_programme_plays_within_three_presses_from_the_picture(tv, village):  # noqa: F811
    viewer = tv()
    walker = Walker(viewer)
    for made in [made for made in village.programmes if made.media is not None][::4]:
        keys = [*str(made.number), "Enter"]
        assert len(keys) <= 3
        for key in keys:
            viewer.press(key)
        viewer.wait(
            f"TV.Screen.shown() && TV.Screen.shown().mode === 'library' && TV.Screen.shown().title === {made.title!r}"
        )
        walker.look()
        viewer.press("Escape")
        viewer.page.wait_for_selector("#shell.shown")
        walker.home_again()
