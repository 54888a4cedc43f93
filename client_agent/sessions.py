"""When does watching count? One uninterrupted play as a pure state machine.

The TV page says where it is, every two seconds and at each event. What lies between two reports counts as watched
only if the page was playing (and visible) at the first of them and the position advanced no faster than time passed;
all else moves the position without counting.

    state    what the page says then     a later position counts    next
    ───────  ──────────────────────────  ─────────────────────────  ──────────────────────────────────────────────
    waiting  (nothing yet)               no                         any of the below
    playing  playing, visible            yes, within elapsed time   playing, paused, hidden, stalled, ended
    paused   the viewer paused           no                         as above
    hidden   another window is in front  no                         as above
    stalled  no data to show             no                         as above
    ended    the programme's end         no                         (closed)

A session closes when its programme ends, another play begins, nothing is heard for 60 s, or the agent stops.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from protocol.batch import ClockState, Mode, Prompt
from protocol.times import ms_to_text

SILENCE_MS = 60_000
RATE = 1.05
"""A medium may run this much faster than our clock (its own crystal, a catch-up after a stall)."""
SLACK_MS = 750
"""How far two reports may be late against each other."""
CREDIT_MS = 2_000
"""Playing time that passed without an advance is lent to the next report: the one before it was only late."""
MOST_SPANS = 200
"""Spans of one session; whoever seeks more often begins another session."""


class PlayState(StrEnum):
    WAITING = "waiting"
    PLAYING = "playing"
    PAUSED = "paused"
    HIDDEN = "hidden"
    STALLED = "stalled"
    ENDED = "ended"


class Closed(StrEnum):
    """Why a session ended."""

    ENDED = "ended"
    CHANGED = "changed"
    SILENT = "silent"
    STOPPED = "stopped"
    CROWDED = "crowded"


@dataclass(frozen=True)
class Subject:
    """What is played. ``duration_ms`` bounds positions; ``release`` is the manifest's SHA-256; ``filler``: it only fills
    the time between programmes, so its minutes are told in sum and not one by one."""

    mode: Mode
    programme: str
    edition: str
    release: str
    title: str
    section: str
    duration_ms: int
    channel: str | None = None
    item: str | None = None
    profile: str | None = None
    filler: bool = False


@dataclass(frozen=True)
class Heard:
    """One report of the page, stamped by this agent: position in the medium, monotonic time of arrival. ``jump``:
    the position was chosen (a seek), not reached."""

    state: PlayState
    position_ms: int
    mono_ms: int
    jump: bool = False


@dataclass(frozen=True)
class Session:
    """An open session. ``watched`` are media spans [from, to) that really advanced, in the order they were seen."""

    id: str
    subject: Subject
    mono_ms: int
    """When anything was last heard."""
    state: PlayState = PlayState.WAITING
    position_ms: int = 0
    watched: tuple[tuple[int, int], ...] = ()
    first_mono_ms: int | None = None
    last_mono_ms: int | None = None
    credit_ms: int = 0
    prompts: tuple[Prompt, ...] = ()
    """What was asked of whoever watches (presence.py), and whether it was answered."""

    @property
    def played_ms(self) -> int:
        return sum(end - start for start, end in self.watched)


def hear(session: Session, heard: Heard) -> Session:
    """The session after a report."""
    position = min(max(0, heard.position_ms), session.subject.duration_ms)
    passed = int((heard.mono_ms - session.mono_ms) * RATE)
    moved = replace(session, state=heard.state, position_ms=position, mono_ms=heard.mono_ms, credit_ms=0)
    advanced = position - session.position_ms
    if session.state is not PlayState.PLAYING or heard.jump:
        return moved
    if not 0 <= advanced <= passed + session.credit_ms + SLACK_MS:
        return moved
    credit = min(CREDIT_MS, max(0, session.credit_ms + passed - advanced))
    if advanced == 0:
        return replace(moved, credit_ms=credit)
    return replace(
        moved,
        credit_ms=credit,
        watched=_extended(session.watched, session.position_ms, position),
        first_mono_ms=session.mono_ms if session.first_mono_ms is None else session.first_mono_ms,
        last_mono_ms=heard.mono_ms,
    )


def _extended(spans: tuple[tuple[int, int], ...], start: int, end: int) -> tuple[tuple[int, int], ...]:
    if spans and spans[-1][1] == start:
        return (*spans[:-1], (spans[-1][0], end))
    return (*spans, (start, end))


def must_close(session: Session, now_mono_ms: int) -> Closed | None:
    """Whether a session is over, and why."""
    if session.state is PlayState.ENDED:
        return Closed.ENDED
    if len(session.watched) >= MOST_SPANS:
        return Closed.CROWDED
    if now_mono_ms - session.mono_ms >= SILENCE_MS:
        return Closed.SILENT
    return None


def viewing(session: Session, *, wall_ms: int, mono_ms: int, clock: ClockState) -> dict[str, Any]:
    """The fields of the Viewing record, with both times told by one reading of the clocks: a clock that was put
    right in mid-session bends neither. Only for a session with something watched."""
    subject = session.subject
    first = session.mono_ms if session.first_mono_ms is None else session.first_mono_ms
    last = session.mono_ms if session.last_mono_ms is None else session.last_mono_ms
    return {
        "session": session.id,
        "mode": subject.mode,
        "programme": subject.programme,
        "edition": subject.edition,
        "release": subject.release,
        "title": subject.title,
        "section": subject.section,
        "started_at": ms_to_text(wall_ms - (mono_ms - first)),
        "ended_at": ms_to_text(wall_ms - (mono_ms - last)),
        "duration_ms": subject.duration_ms,
        "played_ms": session.played_ms,
        "watched": list(session.watched),
        "clock": clock,
        "channel": subject.channel,
        "item": subject.item,
        "profile": subject.profile,
        "prompts": list(session.prompts),
    }
