"""还有人在看吗？ When to ask whether anybody still watches, and what became of it (pure).

Asked of the channel's line and of chosen programmes after 18 to 25 minutes that were played without a key; in a study
session the roll is that question. The moment is drawn from the play in which the quiet stretch began, and the stretch
is this agent's, not the page's: whoever loads the page again is asked no later.

    quiet ──played long enough──► asked ──a key within a minute──► answered ─┐
      ▲                             │  └─── a minute passes ─────► unanswered ┤
      └─────────────────────────────┴── the play ends: as if never asked ◄────┘

The agent only tells; what an unanswered question means for the minutes is a versioned rule of the province.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from client_agent.sessions import PlayState, Session
from protocol.batch import Mode, Prompt

EARLIEST_MS = 18 * 60_000
LATEST_MS = 25 * 60_000
SHOWN_MS = 60_000
GRACE_MS = 3_000
"""A key pressed in the last moment is told with the next report of the page."""
ROOM_MS = SHOWN_MS + 30_000
"""Nobody is asked so near a programme's end that it would end over the question."""


@dataclass(frozen=True)
class Asked:
    """A question that stands on the screen: in which play, at which place of its medium, since when (monotonic)."""

    play: str
    at_ms: int
    mono_ms: int


@dataclass(frozen=True)
class Presence:
    """A stretch without a key. ``seed``: the play it began in; ``number``: how often it was asked in it;
    ``quiet_ms``: what was played since the last key or question."""

    seed: str = ""
    number: int = 0
    quiet_ms: int = 0
    asked: Asked | None = None

    def left_ms(self, mono_ms: int) -> int:
        """How long the question is still to be shown; 0: there is none."""
        return max(0, self.asked.mono_ms + SHOWN_MS - mono_ms) if self.asked else 0


def due_after_ms(seed: str, number: int) -> int:
    """How much is played without a key before the question, the same for the same play and number."""
    drawn = int.from_bytes(hashlib.sha256(f"{seed}/{number}".encode()).digest()[:8], "big")
    return EARLIEST_MS + drawn % (LATEST_MS - EARLIEST_MS + 1)


def heard(
    before: Presence, session: Session, *, advanced_ms: int, touched: bool, mono_ms: int
) -> tuple[Presence, Prompt | None]:
    """After a report of the play ``session``, in which ``advanced_ms`` were counted; ``touched``: a key was pressed
    since the report before. The second is a question that is over now."""
    if session.subject.mode is Mode.STUDY:
        return Presence(), None
    known, answer = before, None
    if known.asked is not None:
        known, answer = _after_asking(known, known.asked, session, touched=touched, mono_ms=mono_ms)
    if touched or not known.seed:
        return Presence(session.id), answer
    known = replace(known, quiet_ms=known.quiet_ms + advanced_ms)
    return (_ask(known, session, mono_ms) if known.asked is None else known), answer


def _after_asking(
    known: Presence, asked: Asked, session: Session, *, touched: bool, mono_ms: int
) -> tuple[Presence, Prompt | None]:
    if asked.play != session.id:
        return replace(known, asked=None), None
    shown_ms = mono_ms - asked.mono_ms
    if touched and shown_ms < SHOWN_MS + GRACE_MS:
        return replace(known, asked=None), Prompt(at_ms=asked.at_ms, answered=True)
    if shown_ms < SHOWN_MS + GRACE_MS:
        return known, None
    gone_on = replace(known, asked=None, number=known.number + 1, quiet_ms=0)
    return gone_on, Prompt(at_ms=asked.at_ms, answered=False)


def _ask(known: Presence, session: Session, mono_ms: int) -> Presence:
    fits = session.subject.duration_ms - session.position_ms >= ROOM_MS and not session.subject.filler
    if session.state is not PlayState.PLAYING or not fits:
        return known
    if known.quiet_ms < due_after_ms(known.seed, known.number):
        return known
    return replace(known, asked=Asked(session.id, session.position_ms, mono_ms))
