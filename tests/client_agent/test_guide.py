"""What is on, what may be played, what is ready."""

from __future__ import annotations

import pytest

from client_agent.documents import effective_region
from client_agent.playrule import Refusal, rights_refusal
from client_agent.refresh import refresh
from protocol.documents import EmergencyItem, Notice, Rights, Succession, Window
from protocol.merge import Source as ItemSource
from protocol.times import day_of_ms, ms_to_text
from tests.client_agent.conftest import take
from tests.client_agent.repository import DAY_MS, HOUR_MS, NOON_MS

EVENING_MS = NOON_MS + 7 * HOUR_MS


@pytest.fixture
def evening(province, source, terminal):
    """A film at 19:00, two fillers, the film in the library; verified and fetched."""
    film = province.release("冬小麦返青管理", duration_ms=600_000, poster=True)
    fillers = [province.release(t, duration_ms=30_000, length=50_000) for t in ("蔚县剪纸", "苹果冬剪")]
    province.frame(
        [film.item(EVENING_MS, required=True)], fillers=[f.ref() for f in fillers], library=[film.entry()]
    )
    province.network([source.url])
    province.publish(hours=0)
    take(terminal)
    return film, fillers


def test_the_film_is_on_at_its_offset_and_what_follows_is_known(evening, terminal):
    film, _ = evening
    on_air = terminal.guide.on_air(EVENING_MS + 61_500)
    assert (on_air.manifest, on_air.offset_ms, on_air.refusal) == (film.manifest, 61_500, None)
    assert on_air.ends_ms == EVENING_MS + 600_000
    assert on_air.play.rendition == film.manifest.renditions[0]
    assert on_air.play.poster == film.manifest.files[0]
    assert on_air.next_items[0].starts_ms == EVENING_MS + 600_000


def test_what_follows_goes_on_over_midnight(evening, terminal):
    before_midnight = NOON_MS + 12 * HOUR_MS - 10_000
    following = terminal.guide.on_air(before_midnight).next_items
    assert len(following) == 4
    starts = [item.starts_ms for item in following]
    assert starts == sorted(starts)
    assert starts[0] == NOON_MS + 12 * HOUR_MS


def test_at_any_hour_something_plays(evening, terminal):
    _, fillers = evening
    titles = {f.manifest.title for f in fillers}
    for minute in range(0, 6 * 60, 7):
        on_air = terminal.guide.on_air(NOON_MS + minute * 60_000 + 1_000)
        assert on_air.manifest.title in titles
        assert on_air.item.source is ItemSource.FILLER
        assert 0 <= on_air.offset_ms < 30_000


def test_what_is_not_stored_is_replaced_by_a_stored_filler_until_its_end(evening, terminal):
    film, fillers = evening
    terminal.store.remove(film.manifest.renditions[0].sha256)
    on_air = terminal.guide.on_air(EVENING_MS + 45_000)
    assert on_air.item.release == film.sha256
    assert on_air.refusal is Refusal.NOT_STORED
    assert on_air.manifest == fillers[1].manifest
    assert (on_air.offset_ms, on_air.ends_ms) == (15_000, EVENING_MS + 60_000)


def test_without_anything_stored_there_is_only_slate(evening, terminal):
    film, fillers = evening
    for release in (film, *fillers):
        terminal.store.remove(release.manifest.renditions[0].sha256)
    on_air = terminal.guide.on_air(EVENING_MS)
    assert (on_air.play, on_air.refusal) == (None, Refusal.NOT_STORED)


def test_a_terminal_that_never_heard_anything_shows_slate(terminal):
    assert terminal.guide.on_air().refusal is Refusal.NO_SCHEDULE
    assert terminal.guide.library() == []
    assert len(terminal.guide.listing(day_of_ms(NOON_MS)).items) == 1


def test_linear_play_needs_a_known_clock_and_the_library_does_not(evening, terminal, machine):
    machine.reboot("boot-2", rtc_ms=0)
    assert terminal.guide.on_air().refusal is Refusal.CLOCK
    assert terminal.guide.on_air().play is None
    assert [item.stored for item in terminal.guide.library()] == [True]


def test_when_the_schedule_is_over_nothing_may_be_played(evening, terminal):
    film, _ = evening
    assert terminal.guide.play_allowed(film.sha256, NOON_MS + 13 * DAY_MS) is None
    assert terminal.guide.play_allowed(film.sha256, NOON_MS + 14 * DAY_MS) is Refusal.EXPIRED
    on_air = terminal.guide.on_air(NOON_MS + 15 * DAY_MS)
    assert (on_air.play, on_air.item.source) == (None, ItemSource.SLATE)


def test_what_no_document_names_any_more_may_not_be_played(evening, province, terminal):
    film, fillers = evening
    province.frame([], fillers=[fillers[0].ref()])
    province.publish()
    refresh(terminal)
    assert terminal.guide.play_allowed(film.sha256, NOON_MS) is Refusal.NO_SCHEDULE
    assert terminal.guide.manifest(film.sha256) is None


def test_rights_bind_region_and_time():
    here = "130123105201"
    assert rights_refusal(Rights(), here, NOON_MS) is None
    assert rights_refusal(Rights(regions=["1301"]), here, NOON_MS) is None
    assert rights_refusal(Rights(regions=["1302", "130124"]), here, NOON_MS) is Refusal.REGION
    until = Rights(valid_from=ms_to_text(NOON_MS), valid_until=ms_to_text(NOON_MS + 1))
    assert [rights_refusal(until, here, NOON_MS + by) for by in (-1, 0, 1)] == [
        Refusal.RIGHTS,
        None,
        Refusal.RIGHTS,
    ]


def test_an_emergency_plays_though_the_schedule_is_over(evening, province, terminal):
    film, _ = evening
    starts = NOON_MS + 20 * DAY_MS
    province.emergency(
        EmergencyItem(
            id="e",
            starts_at=ms_to_text(starts),
            ends_at=ms_to_text(starts + HOUR_MS),
            regions=["13"],
            ref=film.ref(),
        )
    )
    province.publish()
    refresh(terminal)
    on_air = terminal.guide.on_air(starts + 30_000)
    assert on_air.manifest == film.manifest
    assert on_air.item.source is ItemSource.EMERGENCY


def test_notices_show_in_their_own_region_and_time_only(evening, province, terminal):
    def notice(number: str, region: str) -> Notice:
        return Notice(
            id=number,
            text="今晚停电",
            region=region,
            starts_at=ms_to_text(NOON_MS),
            until=ms_to_text(NOON_MS + HOUR_MS),
        )

    province.frame([], notices=[notice("mine", "1301"), notice("theirs", "1302")])
    province.publish()
    refresh(terminal)
    assert [n.id for n in terminal.guide.notices(NOON_MS)] == ["mine"]
    assert terminal.guide.notices(NOON_MS + HOUR_MS) == []


def test_readiness_names_each_placed_item_and_why_not(evening, province, terminal):
    film, fillers = evening
    other = province.release("还没下载", duration_ms=60_000)
    window = Window(
        id="w",
        starts_at=ms_to_text(EVENING_MS + HOUR_MS),
        ends_at=ms_to_text(EVENING_MS + HOUR_MS + 60_000),
        level="county",
        fill=[other.ref()],
    )
    province.frame([film.item(EVENING_MS)], windows=[window], fillers=[f.ref() for f in fillers])
    province.publish()
    refresh(terminal)
    ready = terminal.guide.readiness(NOON_MS, DAY_MS)
    assert [(item.title, item.ready, item.reason) for item in ready] == [
        ("冬小麦返青管理", True, None),
        ("还没下载", False, Refusal.NOT_STORED),
    ]


def test_airings_name_each_release_once_at_its_first_time(evening, terminal):
    film, fillers = evening
    airings = terminal.guide.airings(NOON_MS, 2 * DAY_MS)
    assert {a.release for a in airings} == {film.sha256, *(f.sha256 for f in fillers)}
    (placed,) = [a for a in airings if a.release == film.sha256]
    assert (placed.starts_ms, placed.required, placed.filler) == (EVENING_MS, True, False)


def test_memory_for_listings_is_bounded(evening, terminal):
    for day in range(30):
        terminal.guide.listing(day_of_ms(NOON_MS + day * DAY_MS))
    assert len(terminal.guide._listings) <= 3


def test_a_merged_region_takes_its_successor_s_programme():
    merged = [Succession(merged="130123", into="130102"), Succession(merged="1301", into="1301")]
    assert effective_region("130123105201", merged) == "130102"
    assert effective_region("130104", merged) == "130104"
    circle = [Succession(merged="1301", into="1302"), Succession(merged="1302", into="1301")]
    assert effective_region("130104", circle) in {"1301", "1302"}
