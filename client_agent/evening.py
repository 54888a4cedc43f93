"""The station's evenings of study: what is offered tonight, the session that runs, and the records it leaves.

The session stands in the station's book and is written there before anything is answered, so a power cut at any moment
leaves the same session at the same place. The rules of its course are study.py's.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from client_agent import study
from client_agent.book import Book
from client_agent.guide import Guide
from client_agent.outbox import Outbox, OutboxFull
from client_agent.study import Studied, StudySession, StudyState
from protocol.batch import Attendance, ClockState, Roll, Study
from protocol.batch import Studied as StudiedRecord
from protocol.documents import Ref, StudyDay
from protocol.identifiers import uuid7
from protocol.times import ms_to_text, text_to_ms

log = logging.getLogger(__name__)
_KEY = "study"
_NEXT = "study-next"
_LAST = "study-last"
LAST_COUNTS_MS = 12 * 60 * 60 * 1000
"""So long after its end something may still be added to a session."""
KEEP_EVERY_MS = 5_000
MOST_PEOPLE = 9_999
Json = dict[str, Any]


class Deed(StrEnum):
    """What the page may do with a session."""

    BEGIN = "begin"
    OVER = "over"
    ONWARD = "onward"
    BACK = "back"
    STOP = "stop"
    FINISH = "finish"


class StudyDeed(msgspec.Struct, frozen=True):
    """``number``: the programme (from 1) the page believes it is at; a step from another one was said twice and does
    nothing. 0: none."""

    do: Deed
    number: Annotated[int, Meta(ge=0, le=1_000)] = 0
    led_by: Annotated[str, Meta(pattern=r"^[AB]?$")] = ""


class HeadCount(msgspec.Struct, frozen=True):
    """Heads counted at a session's beginning or end; of those present, members of the Party and others, where known."""

    present: Annotated[int, Meta(ge=0, le=MOST_PEOPLE)]
    expected: Annotated[int, Meta(ge=0, le=MOST_PEOPLE)] = 0
    members: Annotated[int, Meta(ge=0, le=MOST_PEOPLE)] = 0
    public: Annotated[int, Meta(ge=0, le=MOST_PEOPLE)] = 0


@dataclass(frozen=True)
class Tonight:
    """The session that runs, or the one that is offered, under the id that it will have."""

    id: str
    day: str
    title: str
    running: bool
    closing: bool
    starts_ms: int
    ends_ms: int
    rolls: Json


class Names:
    """The roll by name, as an evening sees it; here: nobody calls anybody by name."""

    def untold(self, session: str, roll: Roll) -> HeadCount | None:
        """What was counted by name since the roll was told last."""
        return None

    def told(self, session: str, roll: Roll) -> None:
        """The roll was told; what was counted by name until now is settled by that."""


class NoSession(Exception):
    """No session runs, or what was asked does not fit its state."""


class Evening:
    """Safe from any thread."""

    def __init__(
        self,
        book: Book,
        guide: Guide,
        outbox: Outbox,
        now: Callable[[], tuple[int, ClockState]],
        *,
        who: Callable[[], str] = lambda: "",
        days: Callable[[], list[StudyDay]] | None = None,
    ) -> None:
        """``who`` is signed in (A, B, or nobody); ``days``: the study days as the village adjusted them."""
        self._book = book
        self._guide = guide
        self._outbox = outbox
        self._now = now
        self._who = who
        self._days = days or guide.study_days
        self._lock = threading.RLock()
        self._rolls: dict[str, Json] = {}
        self.names = Names()
        """Where people are called by name; asked whenever the session moves on."""
        self._session = self._load()
        self._kept_position = 0

    # --- the book -----------------------------------------------------------------------------------------------------
    def _load(self) -> StudySession | None:
        kept = self._book.note(_KEY)
        if not kept:
            return None
        try:
            plain = msgspec.json.decode(kept)
            self._rolls = plain.pop("rolls", {})
            programmes = tuple(Studied(**one) for one in plain.pop("programmes"))
            session = StudySession(**plain | {"programmes": programmes, "state": StudyState(plain["state"])})
        except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
            log.error("the session in the book cannot be read and is left out: %s", error)
            return None
        now_ms, _ = self._now()
        resumed = study.after_a_break(session, now_ms=now_ms)
        if resumed.state is StudyState.ENDED:
            self._close(resumed)
            return None
        self._keep(resumed)
        return resumed

    def _keep(self, session: StudySession | None) -> None:
        plain = msgspec.json.encode(asdict(session) | {"rolls": self._rolls}) if session else b""
        self._book.keep_note(_KEY, plain.decode())

    @property
    def running(self) -> bool:
        """Whether a session runs. Takes no lock: it is asked from within others'."""
        return self._session is not None

    # --- what the page is told ----------------------------------------------------------------------------------------
    def told(self, now_ms: int, card: Callable[[str], Json | None]) -> Json:
        """The session that runs, or the study day to offer now. ``card`` makes a programme's."""
        with self._lock:
            session = self._session
        return {
            "session": self._told_session(session, now_ms, card) if session else None,
            "offer": None if session else self._offer(now_ms, card),
        }

    def _told_session(self, session: StudySession, now_ms: int, card: Callable[[str], Json | None]) -> Json:
        following = None if session.is_last else card(session.programmes[session.index + 1].release)
        return {
            "id": session.id,
            "title": session.title,
            "state": session.state,
            "number": session.index + 1,
            "count": len(session.programmes),
            "current": card(session.current.release),
            "from_ms": session.current.position_ms,
            "next": following,
            "since_ms": session.since_ms,
            "talk_ms": session.current.discuss_ms,
            "started_ms": session.started_ms,
            "broken": session.broken,
            "rolls": self._rolls,
        }

    def _offer(self, now_ms: int, card: Callable[[str], Json | None]) -> Json | None:
        day = study.day_for(self._days(), now_ms)
        if day is None or self._book.note(_done(day)):
            return None
        cards = [made for ref in day.programmes if (made := card(ref.release)) is not None]
        return {
            "day": day.id,
            "title": day.title,
            "starts_ms": text_to_ms(day.starts_at),
            "ends_ms": text_to_ms(day.ends_at),
            "moved_from_ms": text_to_ms(day.moved_from) if day.moved_from else None,
            "reason": day.reason,
            "programmes": cards,
            "ready": bool(cards) and all(one["stored"] for one in cards),
        }

    def tonight(self, now_ms: int, *, offers: bool = True) -> Tonight | None:
        """The session that runs, else the one to offer now (where the clock is known: ``offers``)."""
        with self._lock:
            session = self._session
            if session is not None:
                return Tonight(
                    session.id, session.day, session.title, True, session.state is StudyState.CLOSING,
                    session.started_ms, session.started_ms + study.LONGEST_MS, dict(self._rolls),
                )  # fmt: skip
            offer = self._offer(now_ms, lambda _: {"stored": True}) if offers else None
            if offer is None:
                return None
            return Tonight(
                self._id_for(offer["day"], now_ms), offer["day"], offer["title"], False, False,
                offer["starts_ms"], offer["ends_ms"], {},
            )  # fmt: skip

    def _id_for(self, day: str, now_ms: int) -> str:
        """The id of the session that a study day will have: drawn once, so that people can be called before it."""
        kept = self._book.note(_NEXT)
        drawn = msgspec.json.decode(kept, type=dict[str, str]) if kept else {}
        if drawn.get("day") != day:
            drawn = {"day": day, "id": uuid7(now_ms)}
            self._book.keep_note(_NEXT, msgspec.json.encode(drawn).decode())
        return drawn["id"]

    def last(self, now_ms: int) -> Json | None:
        """The session that ended last, as {id, title, led_by, ended_ms}, while something may still be added to it."""
        kept = self._book.note(_LAST)
        found: Json | None = msgspec.json.decode(kept) if kept else None
        return found if found and 0 <= now_ms - found["ended_ms"] < LAST_COUNTS_MS else None

    def plays(self, release: str) -> bool:
        """Whether this is what the session plays now."""
        with self._lock:
            session = self._session
            playing = session is not None and session.state is StudyState.PLAYING
            return playing and session is not None and session.current.release == release

    # --- what the page does -------------------------------------------------------------------------------------------
    def act(self, asked: StudyDeed) -> None:
        """Do it, and have it in the book before returning. Raises NoSession."""
        now_ms, _ = self._now()
        with self._lock:
            if asked.do is Deed.BEGIN:
                self._begin(asked.led_by, now_ms)
                return
            if self._session is None:
                raise NoSession
            if asked.number and asked.number != self._session.index + 1:
                return
            moved = _MOVES[asked.do](self._session, now_ms)
            if moved.state is not self._session.state:
                self._take_called(moved)
            if moved.state is StudyState.ENDED:
                self._close(moved)
            else:
                self._keep(moved)
            self._session = None if moved.state is StudyState.ENDED else moved
            self._kept_position = 0

    def _begin(self, led_by: str, now_ms: int) -> None:
        if self._session is not None:
            return  # pressed twice
        day = study.day_for(self._days(), now_ms)
        if day is None:
            raise NoSession
        playable = [one for ref in day.programmes if (one := self._studied(ref, day, now_ms)) is not None]
        if not playable:
            raise NoSession
        self._rolls = {}
        session = study.begin(
            self._id_for(day.id, now_ms), day, playable, now_ms=now_ms, led_by=self._who() or led_by
        )
        self._keep(session)
        self._book.keep_note(_NEXT, "")
        self._session = session
        self._take_called(session)

    def _studied(self, ref: Ref, day: StudyDay, now_ms: int) -> Studied | None:
        """A programme of the day, if it can be played here now."""
        play = self._guide.playable(ref.release)
        if play is None or self._guide.play_allowed(ref.release, now_ms) is not None:
            return None
        known = play.manifest
        return Studied(
            known.programme, known.edition, ref.release, known.title, known.section, known.duration_ms, day.discussion_ms
        )  # fmt: skip

    def heard(self, release: str, position_ms: int, counted_ms: int) -> None:
        """The programme of the session advanced; ``counted_ms`` is what was counted since the last time."""
        with self._lock:
            if self._session is None or not self.plays(release):
                return
            self._session = study.heard(self._session, position_ms, counted_ms)
            if abs(position_ms - self._kept_position) >= KEEP_EVERY_MS:
                self._keep(self._session)
                self._kept_position = position_ms

    def count_heads(self, heads: HeadCount, roll: Roll | None = None) -> None:
        """A roll at the beginning or, once it closes, at the end; counted again it replaces what stood there only in
        the book: what was reported stays reported, and the province takes the last. Raises NoSession."""
        with self._lock:
            if self._session is None:
                raise NoSession
            at_its_end = self._session.state is StudyState.CLOSING
            self._count(self._session, heads, roll or (Roll.END if at_its_end else Roll.START))

    def _count(self, session: StudySession, heads: HeadCount, roll: Roll) -> None:
        self._rolls[roll] = {"present": heads.present, "expected": heads.expected}
        self._keep(session)
        self._tell_heads(session.id, session.led_by, heads, roll)
        self.names.told(session.id, roll)

    def _tell_heads(self, session_id: str, led_by: str, heads: HeadCount, roll: Roll) -> None:
        self._outbox.append(
            Attendance, session=session_id, expected=heads.expected, present=heads.present, members=heads.members,
            public=heads.public, taken_by=self._who() or led_by, roll=roll,
        )  # fmt: skip

    def _take_called(self, session: StudySession) -> None:
        """Names were tapped and nobody said that this was all: what they come to is the roll."""
        for roll in (Roll.START, Roll.END):
            heads = self.names.untold(session.id, roll)
            if heads is not None:
                self._count(session, heads, roll)

    # --- the end ------------------------------------------------------------------------------------------------------
    def _close(self, session: StudySession) -> None:
        """The record first, then the book: twice written is one session told twice, never one lost."""
        try:
            self._outbox.append(Study, **self._record(session))
        except OutboxFull as error:
            log.error("the session %s could not be recorded: %s", session.id, error)
            raise
        if session.day:
            self._book.keep_note(f"study-done:{session.day}", "1")
        last = {
            "id": session.id,
            "title": session.title,
            "led_by": session.led_by,
            "ended_ms": session.ended_ms or session.since_ms,
        }
        self._book.keep_note(_LAST, msgspec.json.encode(last).decode())
        self._rolls = {}
        self._keep(None)

    def _record(self, session: StudySession) -> Json:
        _, clock = self._now()
        return {
            "session": session.id,
            "day": session.day,
            "title": session.title,
            "planned_at": ms_to_text(session.planned_ms) if session.planned_ms is not None else None,
            "started_at": ms_to_text(session.started_ms),
            "ended_at": ms_to_text(session.ended_ms or session.since_ms),
            "clock": clock,
            "programmes": [_told(one) for one in session.programmes],
            "discussion_ms": session.discussed_ms,
            "broken": session.broken,
            "completed": session.completed,
            "led_by": session.led_by,
        }


def _told(one: Studied) -> StudiedRecord:
    return StudiedRecord(
        programme=one.programme, edition=one.edition, release=one.release, title=one.title, section=one.section,
        duration_ms=one.duration_ms, played_ms=one.played_ms,
    )  # fmt: skip


def _done(day: StudyDay) -> str:
    return f"study-done:{day.id}"


_MOVES: dict[Deed, Callable[[StudySession, int], StudySession]] = {
    Deed.OVER: lambda session, now_ms: study.over(session, now_ms=now_ms),
    Deed.ONWARD: lambda session, now_ms: study.onward(session, now_ms=now_ms),
    Deed.BACK: lambda session, now_ms: study.back(session, now_ms=now_ms),
    Deed.STOP: lambda session, now_ms: study.stop(session, now_ms=now_ms),
    Deed.FINISH: lambda session, now_ms: study.finish(session, now_ms=now_ms),
}
