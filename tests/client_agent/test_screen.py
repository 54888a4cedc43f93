"""What a screen should show, and what brings it there."""

from __future__ import annotations

import pytest

from client_agent.screen import (
    DRIFT_MS,
    LATE_MS,
    MOVES,
    STUCK_MS,
    Act,
    Choice,
    Heard,
    OnLine,
    Picture,
    Shown,
    View,
    Watchdog,
    act,
    picture_of,
)
from protocol.merge import ListedItem, Source


def item(source=Source.FRAME, name="i1", text=None):
    return ListedItem(
        id=name, starts_at="2026-12-05T11:00:00.000Z", duration_ms=60_000, source=source, text=text
    )


def line(source=Source.FRAME, name="i1", *, release="r1", offset_ms=5_000, left_ms=55_000, **more):
    return OnLine(item(source, name), release, f"/media/{release}/576p.mp4", offset_ms, left_ms, **more)


CHOSEN = Choice("c1", "/media/c1/576p.mp4", 12_000, 1)


def test_the_line_is_joined_at_its_offset():
    found = picture_of(line(), None, "站")
    assert (found.view, found.position_ms, found.end_ms) == (View.PROGRAMME, 5_000, 60_000)


@pytest.mark.parametrize(
    ("on_line", "choice", "view"),
    [
        (line(), None, View.PROGRAMME),
        (line(Source.FILLER), None, View.FILLER),
        (line(instead=True), None, View.FILLER),
        (OnLine(item()), None, View.SLATE),
        (OnLine(None), None, View.SLATE),
        (line(), CHOSEN, View.CHOSEN),
        (OnLine(None), CHOSEN, View.CHOSEN),
        (line(Source.EMERGENCY), None, View.EMERGENCY),
        (line(Source.EMERGENCY), CHOSEN, View.EMERGENCY),
        (OnLine(item(Source.EMERGENCY, text="转移")), CHOSEN, View.TEXT),
        (line(Source.EMERGENCY, instead=True), CHOSEN, View.TEXT),
    ],
)
def test_an_emergency_goes_before_a_choice_and_a_choice_before_the_line(on_line, choice, view):
    assert picture_of(on_line, choice, "站").view is view


def test_a_choice_goes_on_where_it_stood_after_an_emergency():
    before = picture_of(line(), CHOSEN, "")
    emergency = picture_of(line(Source.EMERGENCY, "e"), CHOSEN, "")
    after = picture_of(line(), CHOSEN, "")
    assert act(Shown(before), emergency, 12_000, 0) is Act.LOAD
    assert act(Shown(emergency), after, 3_000, 0) is Act.LOAD
    assert after.position_ms == 12_000


def test_the_picture_stays_until_something_else_is_due():
    now = picture_of(line(), None, "")
    assert act(None, now, None, 0) is Act.LOAD
    assert act(Shown(now), now, now.position_ms + DRIFT_MS, 0) is Act.KEEP
    assert act(Shown(now), now, now.position_ms + DRIFT_MS + 1, 0) is Act.SEEK
    assert act(Shown(now), now, None, 0) is Act.KEEP
    chosen = picture_of(line(), CHOSEN, "")
    assert act(Shown(chosen), chosen, 99_999, 0) is Act.KEEP, "a choice has no place it must be at"


def test_the_next_item_comes_from_behind_and_is_pushed_only_when_it_is_late():
    now, coming = picture_of(line(), None, ""), picture_of(line(name="i2", release="r2"), None, "")
    shown = Shown(now, coming, due_ms=1_000)
    assert act(shown, coming, 60_000, 1_000 + LATE_MS) is Act.KEEP
    assert act(shown, coming, 60_000, 1_001 + LATE_MS) is Act.PUSH
    assert act(Shown(now, coming, moved=True, due_ms=1_000), coming, 0, 1_000) is Act.ADOPT
    assert act(Shown(now, coming, moved=True, due_ms=1_000), now, 0, 900) is Act.KEEP, (
        "a moment early is no drift"
    )
    other = picture_of(line(name="i3", release="r3"), None, "")
    assert act(shown, other, 60_000, 1_000) is Act.LOAD


def test_the_watchdog_barks_only_at_a_picture_that_should_move():
    dog = Watchdog()
    moving, still = Picture(View.PROGRAMME, "a"), Picture(View.SLATE, "slate")
    assert not dog.is_stuck(moving, Heard(5), 0)
    assert not dog.is_stuck(moving, Heard(5), STUCK_MS)
    assert dog.is_stuck(moving, Heard(5), STUCK_MS + 1)
    assert not dog.is_stuck(moving, Heard(6), STUCK_MS + 2)
    for quiet in (Heard(6, paused=True), Heard(6, ended=True)):
        assert not dog.is_stuck(moving, quiet, 10 * STUCK_MS)
    assert not dog.is_stuck(still, Heard(None), 20 * STUCK_MS)
    assert not dog.is_stuck(still, Heard(None), 40 * STUCK_MS)
    assert not dog.is_stuck(None, Heard(None), 80 * STUCK_MS)


def test_every_state_has_its_moves():
    assert set(MOVES) == set(View)
    assert MOVES[View.DARK] == {View.SLATE}
