"""Keeps account of what this terminal plays: one session at a time, journaled in the outbox as it goes.

A session stands in the outbox as an open record under its final number from its first counted second, rewritten at
most every eight seconds: a power cut costs at most ten, and the next start closes the record as it stood, with the
times of the boot it was written in. Where the disk is full the session goes on in memory and is written later.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from client_agent import presence
from client_agent.outbox import Outbox, OutboxFull, Place, Stamp
from client_agent.sessions import Closed, Heard, PlayState, Session, Subject, hear, must_close, viewing
from protocol.batch import Viewing
from protocol.identifiers import uuid7

log = logging.getLogger(__name__)
JOURNAL_MS = 8_000
UNWRITTEN_SESSIONS = 50
"""Closed sessions kept in memory while the disk takes nothing."""


class UnknownPlay(LookupError):
    """No such play here (any more): the agent was restarted, or the page was silent too long. Begin another."""


class Superseded(LookupError):
    """Another play has begun at this terminal since; this one counts no longer."""


class Player:
    """The one play that counts. Safe from any thread."""

    def __init__(self, outbox: Outbox, stamp: Callable[[], Stamp]) -> None:
        self._outbox = outbox
        self._stamp = stamp
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._place: Place | None = None
        self._journaled: Session | None = None
        self._between_ms = 0
        self._presence = presence.Presence()
        self._past: deque[str] = deque(maxlen=64)
        self._unwritten: deque[tuple[Session, Place | None]] = deque(maxlen=UNWRITTEN_SESSIONS)

    @property
    def session(self) -> Session | None:
        """The open session, for status."""
        return self._session

    def begin(self, subject: Subject) -> str:
        """Another play begins here and ends the one before; returns its id."""
        now = self._stamp()
        with self._lock:
            self._close(Closed.CHANGED)
            self._session = Session(id=uuid7(now.wall_ms), subject=subject, mono_ms=now.mono_ms)
            return self._session.id

    def report(
        self,
        play: str,
        state: PlayState,
        position_ms: int,
        *,
        jump: bool = False,
        touched: bool | None = None,
    ) -> int:
        """The page says where it is; returns the milliseconds counted so far. ``touched``: whether a key was pressed
        since the report before; None from a screen that asks nobody anything. Raises UnknownPlay, Superseded."""
        now = self._stamp()
        with self._lock:
            if self._session is None or self._session.id != play:
                raise Superseded if play in self._past and self._session is not None else UnknownPlay
            if must_close(self._session, now.mono_ms) is Closed.SILENT:
                self._close(Closed.SILENT)
                raise UnknownPlay
            before_ms = self._session.played_ms
            self._session = hear(self._session, Heard(state, position_ms, now.mono_ms, jump))
            counted = self._session.played_ms
            if touched is not None:
                self._heed(counted - before_ms, now.mono_ms, touched=touched)
            why = must_close(self._session, now.mono_ms)
            if why is not None:
                self._close(why)
            elif self._journal_due():
                self._journal()
            return counted

    def asking_ms(self) -> int:
        """How long the page is still to ask whether anybody watches; 0: not at all."""
        with self._lock:
            return self._presence.left_ms(self._stamp().mono_ms)

    def _heed(self, advanced_ms: int, mono_ms: int, *, touched: bool) -> None:
        assert self._session is not None
        self._presence, over = presence.heard(
            self._presence, self._session, advanced_ms=advanced_ms, touched=touched, mono_ms=mono_ms
        )
        if over is not None:
            self._session = replace(self._session, prompts=(*self._session.prompts, over))
            if self._session.watched:
                self._journal()

    def tick(self) -> None:
        """Now and then: close a silent session, write what the disk refused before."""
        with self._lock:
            if self._session is not None and must_close(self._session, self._stamp().mono_ms) is not None:
                self._close(Closed.SILENT)
            self._write_unwritten()

    def take_between_ms(self) -> int:
        """Milliseconds of fillers played since the last question; they have no records of their own."""
        with self._lock:
            taken, self._between_ms = self._between_ms, 0
            return taken

    def stop(self) -> None:
        """The agent stops."""
        with self._lock:
            self._close(Closed.STOPPED)
            self._write_unwritten()

    def _journal_due(self) -> bool:
        session, before = self._session, self._journaled
        if session is None or session.subject.filler or not session.watched or session.last_mono_ms is None:
            return False
        if before is None or before.last_mono_ms is None:
            return True
        return session.last_mono_ms - before.last_mono_ms >= JOURNAL_MS

    def _journal(self) -> None:
        assert self._session is not None
        try:
            self._place = self._outbox.write_open(self._place, Viewing, **self._fields(self._session))
            self._journaled = self._session
        except OutboxFull as error:
            log.warning("the session is not journaled: %s", error)

    def _fields(self, session: Session) -> dict[str, object]:
        now = self._stamp()
        return viewing(session, wall_ms=now.wall_ms, mono_ms=now.mono_ms, clock=now.clock)

    def _close(self, why: Closed) -> None:
        session, place = self._session, self._place
        self._session = self._place = self._journaled = None
        if session is None:
            return
        self._past.append(session.id)
        log.info(
            "%s %s: %d s counted (%s)",
            session.subject.mode,
            session.subject.title,
            session.played_ms // 1000,
            why,
        )
        if session.subject.filler:
            self._between_ms += session.played_ms
        elif session.watched:
            self._unwritten.append((session, place))
            self._write_unwritten()

    def _write_unwritten(self) -> None:
        while self._unwritten:
            session, place = self._unwritten[0]
            try:
                if place is None:
                    self._outbox.append(Viewing, **self._fields(session))
                else:
                    self._outbox.close_open(place, Viewing, **self._fields(session))
            except OutboxFull as error:
                log.warning("a session waits to be written: %s", error)
                return
            self._unwritten.popleft()
