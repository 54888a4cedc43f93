"""When a set asks whether anybody still watches, and what it tells of the answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from client_agent import presence
from client_agent.outbox import Outbox, Stamp
from client_agent.player import Player
from client_agent.presence import EARLIEST_MS, GRACE_MS, LATEST_MS, SHOWN_MS, due_after_ms
from client_agent.sessions import PlayState, Subject
from protocol import batch as wire
from protocol.batch import ClockState, Mode, Prompt

UUID = "01890000-0000-7000-8000-00000000000"
NOW = 1_780_000_000_000
HOUR_MS = 3_600_000
FILM = Subject(
    Mode.LIBRARY, UUID + "1", UUID + "2", "a" * 64, "家乡党史故事", "dangshi", 4 * HOUR_MS, profile="576p"
)


class Watcher:
    """A page that reports every two seconds, on a clock of its own."""

    def __init__(self, folder):
        self.mono_ms = 1_000_000
        self.outbox = Outbox(folder / "outbox.sqlite", stamp=self.stamp)
        self.player = Player(self.outbox, self.stamp)
        self.position_ms = 0

    def stamp(self):
        return Stamp(NOW + self.mono_ms, "boot-1", self.mono_ms, ClockState.KNOWN, 0)

    def begin(self, subject=FILM):
        self.play, self.position_ms = self.player.begin(subject), 0
        self.report()

    def report(self, *, touched=False, state=PlayState.PLAYING):
        self.player.report(self.play, state, self.position_ms, touched=touched)

    def watch(self, ms):
        """So long without a key; whether it asked meanwhile."""
        asked = False
        for _ in range(0, ms, 2_000):
            self.mono_ms += 2_000
            self.position_ms += 2_000
            self.report()
            asked = asked or self.player.asking_ms() > 0
        return asked

    def until_asked(self):
        start = self.position_ms
        while not self.player.asking_ms():
            self.watch(2_000)
            assert self.position_ms - start < HOUR_MS
        return self.position_ms - start

    def prompts(self):
        self.player.stop()
        rows = self.outbox._db.execute("SELECT data FROM records ORDER BY seq").fetchall()
        return [wire.read_record(data).prompts for (data,) in rows]


@pytest.fixture
def watcher(tmp_path):
    made = Watcher(tmp_path)
    yield made
    made.outbox.close()


def test_the_moment_lies_between_18_and_25_minutes_and_is_the_same_for_the_same_play():
    moments = [due_after_ms(f"play-{number}", 0) for number in range(500)]
    assert moments == [due_after_ms(f"play-{number}", 0) for number in range(500)]
    assert min(moments) >= EARLIEST_MS
    assert max(moments) <= LATEST_MS
    assert max(moments) - min(moments) > 6 * 60_000


def test_a_key_within_a_minute_is_an_answer_told_with_the_place_it_was_asked_at(watcher):
    watcher.begin()
    after = watcher.until_asked()
    assert EARLIEST_MS <= after <= LATEST_MS + 2_000
    assert after - due_after_ms(watcher.play, 0) < 4_000
    watcher.watch(30_000)
    watcher.report(touched=True)
    assert watcher.player.asking_ms() == 0
    assert watcher.prompts() == [[Prompt(at_ms=after, answered=True)]]


def test_no_answer_is_told_and_asked_again_later_while_the_play_goes_on(watcher):
    watcher.begin()
    first = watcher.until_asked()
    watcher.watch(SHOWN_MS + GRACE_MS + 2_000)
    assert watcher.player.asking_ms() == 0
    before = watcher.position_ms
    watcher.until_asked()
    second = watcher.position_ms
    assert second - before >= EARLIEST_MS - 2_000
    watcher.watch(SHOWN_MS + GRACE_MS + 2_000)
    played = watcher.player.session.played_ms
    assert watcher.prompts() == [[Prompt(at_ms=first, answered=False), Prompt(at_ms=second, answered=False)]]
    assert played == watcher.position_ms


def test_every_key_begins_the_quiet_anew(watcher):
    watcher.begin()
    for _ in range(6):
        assert not watcher.watch(15 * 60_000)
        watcher.report(touched=True)
    assert watcher.prompts() == [[]]


def test_a_page_that_is_loaded_again_is_asked_no_later(watcher):
    watcher.begin()
    first = watcher.play
    watcher.watch(17 * 60_000)
    watcher.begin()
    waited = watcher.until_asked()
    assert 17 * 60_000 + waited - due_after_ms(first, 0) < 6_000


def test_programmes_in_a_row_are_one_stretch_and_none_is_asked_about_just_before_its_end(watcher):
    short = replace(FILM, mode=Mode.LINEAR, duration_ms=10 * 60_000)
    for _ in range(3):
        watcher.begin(short)
        for _ in range(0, short.duration_ms, 2_000):
            watcher.watch(2_000)
            if watcher.player.asking_ms():
                assert short.duration_ms - watcher.position_ms >= presence.ROOM_MS
    told = [prompt for prompts in watcher.prompts() for prompt in prompts]
    assert [prompt.answered for prompt in told] == [False]


def test_a_question_that_a_play_ended_over_was_never_asked(watcher):
    watcher.begin()
    watcher.until_asked()
    watcher.begin()
    watcher.watch(4_000)
    assert watcher.player.asking_ms() > 0  # of the new play, since it is due
    watcher.report(touched=True)
    assert [len(prompts) for prompts in watcher.prompts()] == [0, 1]


@pytest.mark.parametrize(
    "subject", [replace(FILM, mode=Mode.STUDY), replace(FILM, mode=Mode.LINEAR, filler=True)]
)
def test_study_and_fillers_are_not_asked_about(watcher, subject):
    watcher.begin(subject)
    assert not watcher.watch(HOUR_MS)


def test_a_screen_that_asks_nobody_anything_is_told_nothing(watcher):
    watcher.begin()
    for _ in range(1_000):
        watcher.mono_ms += 2_000
        watcher.position_ms += 2_000
        watcher.player.report(watcher.play, PlayState.PLAYING, watcher.position_ms)
    assert watcher.player.asking_ms() == 0


def test_a_paused_film_is_not_asked_about(watcher):
    watcher.begin()
    watcher.watch(17 * 60_000)
    for _ in range(900):
        watcher.mono_ms += 2_000
        watcher.report(state=PlayState.PAUSED)
    assert watcher.player.asking_ms() == 0
