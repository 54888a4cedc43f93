"""集中学习: one evening of group study as a pure state machine.

::

    ready ──begin──► playing ──programme over──► discussing ──next──► playing ──…──► closing ──finish──► ended
                        │  ▲                        │                                   ▲
                        │  └────────── back ────────┘         stop (from any) ──────────┘

It begins at second 0 of its first programme at whatever hour somebody presses the button; the channel's line waits.
A power cut changes nothing: the session that is loaded again stands where it stood, counted as broken once more.
*closing* waits for the second roll call; whoever skips it loses nothing but that count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from protocol.documents import StudyDay
from protocol.times import text_to_ms

LONGEST_MS = 8 * 60 * 60 * 1000
"""A session that nobody ended is over by itself after this."""
EARLY_MS = 3 * 60 * 60 * 1000
LATE_MS = 12 * 60 * 60 * 1000
"""A study day's session may begin from three hours before its time until twelve hours after its end."""


class StudyState(StrEnum):
    PLAYING = "playing"
    DISCUSSING = "discussing"
    CLOSING = "closing"
    ENDED = "ended"


@dataclass(frozen=True)
class Studied:
    """One programme of a session and how far it was played. ``discuss_ms`` is the time meant for talking it over.
    Its title stands here too: what was studied is told even when the programme has been recalled meanwhile."""

    programme: str
    edition: str
    release: str
    title: str
    section: str
    duration_ms: int
    discuss_ms: int = 0
    position_ms: int = 0
    played_ms: int = 0


@dataclass(frozen=True)
class StudySession:
    """An evening. Wall times are the terminal's best at the time; ``since_ms`` is when the present state began."""

    id: str
    day: str
    title: str
    planned_ms: int | None
    started_ms: int
    since_ms: int
    programmes: tuple[Studied, ...]
    state: StudyState = StudyState.PLAYING
    index: int = 0
    discussed_ms: int = 0
    broken: int = 0
    completed: bool = False
    led_by: str = ""
    ended_ms: int | None = None

    @property
    def current(self) -> Studied:
        return self.programmes[self.index]

    @property
    def is_last(self) -> bool:
        return self.index == len(self.programmes) - 1


def may_begin(day: StudyDay, now_ms: int) -> bool:
    """Whether a study day's session may begin now: also well before or after its hour (the tractor was late)."""
    return text_to_ms(day.starts_at) - EARLY_MS <= now_ms < text_to_ms(day.ends_at) + LATE_MS


def day_for(days: list[StudyDay], now_ms: int) -> StudyDay | None:
    """The study day to offer now: the one that runs or comes first among those that may begin."""
    open_ones = [day for day in days if day.programmes and may_begin(day, now_ms)]
    running = [day for day in open_ones if text_to_ms(day.starts_at) <= now_ms]
    return (
        max(running, key=lambda d: d.starts_at)
        if running
        else min(open_ones, key=lambda d: d.starts_at, default=None)
    )


def begin(
    session_id: str, day: StudyDay, programmes: Sequence[Studied], *, now_ms: int, led_by: str = ""
) -> StudySession:
    """A session of these programmes (those of the day that can be played here), from the first one's beginning.

    Raises ValueError without a programme."""
    if not programmes:
        raise ValueError("nothing to study")
    return StudySession(
        id=session_id,
        day=day.id,
        title=day.title,
        planned_ms=text_to_ms(day.starts_at),
        started_ms=now_ms,
        since_ms=now_ms,
        programmes=tuple(programmes),
        led_by=led_by,
    )


def heard(session: StudySession, position_ms: int, counted_ms: int) -> StudySession:
    """Where the programme is, and how much more of it was counted as played."""
    if session.state is not StudyState.PLAYING:
        return session
    now = session.current
    known = replace(
        now,
        position_ms=min(max(0, position_ms), now.duration_ms),
        played_ms=now.played_ms + max(0, counted_ms),
    )
    programmes = (*session.programmes[: session.index], known, *session.programmes[session.index + 1 :])
    return replace(session, programmes=programmes)


def over(session: StudySession, *, now_ms: int) -> StudySession:
    """The programme is at its end (or was passed over): talk about it, go on to the next one, or close."""
    if session.state is not StudyState.PLAYING:
        return session
    if session.current.discuss_ms > 0:
        return replace(session, state=StudyState.DISCUSSING, since_ms=now_ms)
    return _onward(session, now_ms)


def onward(session: StudySession, *, now_ms: int) -> StudySession:
    """Enough was said: the next programme, or the close."""
    if session.state is not StudyState.DISCUSSING:
        return session
    talked = replace(session, discussed_ms=session.discussed_ms + max(0, now_ms - session.since_ms))
    return _onward(talked, now_ms)


def _onward(session: StudySession, now_ms: int) -> StudySession:
    if session.is_last:
        return replace(session, state=StudyState.CLOSING, since_ms=now_ms, completed=True)
    return replace(session, state=StudyState.PLAYING, index=session.index + 1, since_ms=now_ms)


def back(session: StudySession, *, now_ms: int) -> StudySession:
    """From the discussion back into the programme, where it was left or from its beginning if it had ended."""
    if session.state is not StudyState.DISCUSSING:
        return session
    talked = session.discussed_ms + max(0, now_ms - session.since_ms)
    now = session.current
    if now.position_ms >= now.duration_ms - 1_000:
        now = replace(now, position_ms=0)
    programmes = (*session.programmes[: session.index], now, *session.programmes[session.index + 1 :])
    return replace(
        session, state=StudyState.PLAYING, since_ms=now_ms, discussed_ms=talked, programmes=programmes
    )


def stop(session: StudySession, *, now_ms: int) -> StudySession:
    """Somebody ends it early: the close comes, and what was left out stays left out."""
    if session.state in (StudyState.CLOSING, StudyState.ENDED):
        return session
    if session.state is StudyState.DISCUSSING:
        session = replace(session, discussed_ms=session.discussed_ms + max(0, now_ms - session.since_ms))
    return replace(session, state=StudyState.CLOSING, since_ms=now_ms)


def finish(session: StudySession, *, now_ms: int) -> StudySession:
    """The second roll was called or passed over: the session is over for good."""
    if session.state is StudyState.ENDED:
        return session
    closed = stop(session, now_ms=now_ms)
    ended_ms = min(max(now_ms, session.started_ms), session.started_ms + LONGEST_MS)
    return replace(closed, state=StudyState.ENDED, since_ms=now_ms, ended_ms=ended_ms)


def after_a_break(session: StudySession, *, now_ms: int) -> StudySession:
    """The agent started again in the middle of a session: the same one goes on, or ends if that was long ago."""
    if session.state is StudyState.ENDED:
        return session
    if now_ms - session.started_ms > LONGEST_MS:
        return finish(session, now_ms=session.since_ms)
    return replace(session, broken=session.broken + 1, since_ms=max(session.since_ms, now_ms))
