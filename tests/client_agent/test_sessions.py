"""What counts as watched, and what never does."""

from __future__ import annotations

import logging
import random
from dataclasses import replace

import pytest

from client_agent.outbox import Outbox, OutboxFull, Stamp
from client_agent.player import Player, Superseded, UnknownPlay
from client_agent.sessions import MOST_SPANS, Heard, PlayState, Session, Subject, hear, must_close, viewing
from protocol import batch as wire
from protocol.batch import ClockState, Mode

log = logging.getLogger(__name__)
UUID = "01890000-0000-7000-8000-00000000000"
SUBJECT = Subject(
    Mode.LINEAR,
    UUID + "1",
    UUID + "2",
    "a" * 64,
    "冬小麦返青管理",
    "nongji",
    60_000,
    "main",
    "item-1",
    "576p",
)
NOW = 1_780_000_000_000
PLAYING, PAUSED, HIDDEN, STALLED, ENDED = list(PlayState)[1:]


def watch(*reports, start=0):
    """A session after reports of (state, position in s, seconds passed since the last)."""
    session = Session(id=UUID + "3", subject=SUBJECT, mono_ms=start)
    at = start
    for state, position, passed, *jump in reports:
        at += int(passed * 1000)
        session = hear(session, Heard(state, int(position * 1000), at, bool(jump)))
    return session


def test_what_advanced_while_playing_counts():
    session = watch((PLAYING, 10, 0), (PLAYING, 12, 2), (PLAYING, 14, 2))
    assert session.watched == ((10_000, 14_000),)
    assert session.played_ms == 4_000


@pytest.mark.parametrize("state", [PAUSED, HIDDEN, STALLED])
def test_a_paused_hidden_or_stalled_player_adds_nothing_even_if_the_position_moves(state):
    session = watch((PLAYING, 10, 0), (state, 12, 2), (state, 20, 8), (PLAYING, 30, 10), (PLAYING, 32, 2))
    assert session.watched == ((10_000, 12_000), (30_000, 32_000))


def test_a_seek_does_not_count_in_either_direction():
    session = watch((PLAYING, 0, 0), (PLAYING, 30, 2), (PLAYING, 32, 2), (PLAYING, 5, 2), (PLAYING, 7, 2))
    assert session.watched == ((30_000, 32_000), (5_000, 7_000))


def test_a_small_seek_that_says_so_does_not_count():
    session = watch((PLAYING, 0, 0), (PLAYING, 10, 10, "jump"), (PLAYING, 12, 2))
    assert session.watched == ((10_000, 12_000),)


def test_a_medium_cannot_run_faster_than_time():
    assert watch((PLAYING, 0, 0), (PLAYING, 20, 10)).played_ms == 0
    assert watch((PLAYING, 0, 0), (PLAYING, 10.9, 10)).played_ms == 10_900


def test_a_report_that_came_late_costs_the_next_one_nothing():
    session = watch((PLAYING, 0, 0), (PLAYING, 2, 3.5), (PLAYING, 4, 0.5), (PLAYING, 6, 2))
    assert session.watched == ((0, 6_000),)


def test_time_that_passed_without_an_advance_is_not_lent_for_long():
    session = watch((PLAYING, 0, 0), *[(PLAYING, 0, 2)] * 20, (PLAYING, 10, 2))
    assert session.played_ms == 0
    assert (
        watch(
            (PLAYING, 0, 0), (PAUSED, 0, 2), *[(PAUSED, 0, 2)] * 5, (PLAYING, 0, 1), (PLAYING, 4, 1)
        ).played_ms
        == 0
    )


def test_a_position_beyond_the_programme_counts_to_its_end_only():
    assert watch((PLAYING, 58, 0), (PLAYING, 70, 20)).watched == ((58_000, 60_000),)


def test_watching_again_counts_again_but_as_its_own_span():
    session = watch((PLAYING, 0, 0), (PLAYING, 4, 4), (PLAYING, 0, 0.1, "jump"), (PLAYING, 4, 4))
    assert session.watched == ((0, 4_000), (0, 4_000))
    assert session.played_ms == 8_000


def test_silence_the_end_and_endless_seeking_close_a_session():
    assert must_close(watch((PLAYING, 0, 0)), 59_999) is None
    assert must_close(watch((PLAYING, 0, 0)), 60_000) == "silent"
    assert must_close(watch((PLAYING, 0, 0), (ENDED, 2, 2)), 2_000) == "ended"
    seeking = watch(
        *[(PLAYING, n % 50 - 0.6, 0.4) if n % 2 else (PLAYING, n % 50, 1, "jump") for n in range(800)]
    )
    assert len(seeking.watched) >= MOST_SPANS
    assert must_close(seeking, seeking.mono_ms) == "crowded"


def test_counted_time_never_exceeds_the_time_that_passed():
    seed = random.randrange(10**9)
    log.info("seed %d", seed)
    draw = random.Random(seed)
    for _ in range(200):
        reports = [
            (draw.choice(list(PlayState)[1:5]), draw.random() * 60, draw.random() * 5)
            for _ in range(draw.randrange(40))
        ]
        session = watch(*reports)
        passed = sum(r[2] for r in reports) * 1000
        assert session.played_ms <= passed * 1.05 + 750 * len(reports)
        assert all(0 <= start < end <= 60_000 for start, end in session.watched)


def test_times_of_the_record_are_told_by_one_clock_even_if_it_was_put_right_midway():
    session = watch((PLAYING, 0, 5), (PLAYING, 10, 10), (PAUSED, 10, 5))
    fields = viewing(session, wall_ms=NOW, mono_ms=30_000, clock=ClockState.KNOWN)
    assert fields["started_at"] == "2026-05-28T20:26:15.000Z"
    assert fields["ended_at"] == "2026-05-28T20:26:25.000Z"


# --- the player: sessions on disk ---------------------------------------------------------------------------------------
class Machine:
    def __init__(self):
        self.wall_ms, self.mono_ms, self.boot = NOW, 0, "boot-1"

    def __call__(self):
        return Stamp(self.wall_ms, self.boot, self.mono_ms, ClockState.KNOWN)

    def pass_s(self, seconds):
        self.wall_ms += int(seconds * 1000)
        self.mono_ms += int(seconds * 1000)


@pytest.fixture
def machine():
    return Machine()


@pytest.fixture
def outbox(tmp_path, machine):
    opened = Outbox(tmp_path / "outbox.sqlite", stamp=machine)
    yield opened
    opened.close()


@pytest.fixture
def player(outbox, machine):
    return Player(outbox, machine)


def records(outbox):
    rows = outbox._db.execute("SELECT data, open FROM records ORDER BY seq").fetchall()
    return [(wire.read_record(data), bool(is_open)) for data, is_open in rows]


def play(player, machine, seconds, step=2.0, position=0.0, subject=SUBJECT):
    name = player.begin(subject)
    player.report(name, PLAYING, int(position * 1000))
    for _ in range(int(seconds / step)):
        machine.pass_s(step)
        position += step
        player.report(name, PLAYING, int(position * 1000))
    return name


def test_a_finished_programme_is_one_closed_record_with_its_title(player, machine, outbox):
    name = play(player, machine, 20)
    player.report(name, ENDED, 20_000)
    [(record, is_open)] = records(outbox)
    assert not is_open
    assert (record.title, record.played_ms, record.watched, record.mode) == (
        "冬小麦返青管理",
        20_000,
        [(0, 20_000)],
        Mode.LINEAR,
    )
    assert record.session == name


def test_another_item_closes_the_one_before_and_its_late_reports_count_nowhere(player, machine, outbox):
    first = play(player, machine, 10)
    second = play(player, machine, 10)
    with pytest.raises(Superseded):
        player.report(first, PLAYING, 12_000)
    player.stop()
    assert [(r.session, r.played_ms, o) for r, o in records(outbox)] == [
        (first, 10_000, False),
        (second, 10_000, False),
    ]


def test_sixty_silent_seconds_close_a_session_at_what_was_heard(player, machine, outbox):
    name = play(player, machine, 10)
    machine.pass_s(59)
    player.tick()
    assert player.session is not None
    machine.pass_s(1)
    player.tick()
    assert player.session is None
    assert [r.played_ms for r, _ in records(outbox)] == [10_000]
    with pytest.raises(UnknownPlay):
        player.report(name, PLAYING, 12_000)


def test_a_play_in_which_nothing_advanced_leaves_no_record(player, machine, outbox):
    name = player.begin(SUBJECT)
    for _ in range(5):
        machine.pass_s(2)
        player.report(name, PAUSED, 0)
    player.stop()
    assert records(outbox) == []


def test_a_power_cut_loses_at_most_ten_seconds_and_keeps_the_old_boots_times(tmp_path, machine):
    outbox = Outbox(tmp_path / "outbox.sqlite", stamp=machine)
    player = Player(outbox, machine)
    play(player, machine, 50)
    outbox.close()  # nothing of the player's is called: the power is gone
    machine.boot, machine.mono_ms = "boot-2", 40
    machine.wall_ms += 3_600_000
    again = Outbox(tmp_path / "outbox.sqlite", stamp=machine)
    [(record, is_open)] = records(again)
    again.close()
    assert not is_open
    assert 40_000 <= record.played_ms <= 50_000
    assert record.boot == "boot-1"
    assert record.ended_at < "2026-05-28T21:00:00.000Z"


def test_a_full_disk_keeps_sessions_in_memory_and_writes_them_once_there_is_room(
    player, machine, outbox, monkeypatch
):
    def full(*_, **__):
        raise OutboxFull("disk full")

    with monkeypatch.context() as patched:
        for name in ("append", "write_open", "close_open"):
            patched.setattr(outbox, name, full)
        play(player, machine, 10)
        play(player, machine, 20)
        player.stop()
    assert records(outbox) == []
    player.tick()
    assert [r.played_ms for r, _ in records(outbox)] == [10_000, 20_000]


def test_fillers_leave_no_records_but_their_sum(tmp_path):
    clock = [0]
    stamp = lambda: Stamp(NOW + clock[0], "boot", clock[0], ClockState.KNOWN)  # noqa: E731
    outbox = Outbox(tmp_path / "outbox.sqlite", stamp=stamp)
    player = Player(outbox, stamp)
    for _ in range(30):
        play = player.begin(replace(SUBJECT, filler=True))
        for position in (0, 10_000, 20_000):
            player.report(play, PLAYING, position)
            clock[0] += 10_000
    player.stop()
    assert outbox.length() == 0
    assert player.take_between_ms() == 30 * 20_000
    assert player.take_between_ms() == 0
    outbox.close()
