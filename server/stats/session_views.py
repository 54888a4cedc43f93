"""A study session as people with rights see it: planned and played, heads by source, photos, minutes; one record from
what the station reported and what phones told the province (sessions.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from protocol.batch import Roll
from server.errors import NotFound
from server.i18n import N_
from server.identity.rules import Action, Caller
from server.stations.models import Station
from server.stations.service import get_station
from server.stats.models import (
    AttendanceFact,
    EvidenceFact,
    EvidenceFile,
    LateEntryFact,
    MinutesFact,
    SessionNote,
    StudyFact,
)
from server.stats.session_models import NoteKind
from server.stats.sessions import HeadCount, MergedRoll, Source, merge

MOST_LISTED = 200
_TOLD_OF = (StudyFact, AttendanceFact, MinutesFact, EvidenceFact, LateEntryFact)


@dataclass(frozen=True)
class Told:
    """Words or a file of a session: where from and when."""

    source: Source
    at: datetime
    text: str = ""
    what: str = ""
    file_id: str | None = None


@dataclass(frozen=True)
class SessionView:
    """``study`` is the station's own record, None until it is here; ``files`` only where the caller may see them."""

    id: str
    station: Station
    title: str
    study: StudyFact | None
    rolls: list[MergedRoll]
    minutes: list[Told]
    late: list[LateEntryFact]
    """What the station's administrators said afterwards (迟录), the last one last; it holds."""
    questions: list[Told]
    faults: list[Told]
    files: list[Told]
    may_see_files: bool

    @property
    def is_void(self) -> bool:
        """Whether it was said not to count: a trial, a wrong key."""
        return bool(self.late) and self.late[-1].void


@dataclass(frozen=True)
class Listed:
    """A session of a station's list."""

    id: str
    title: str
    at: datetime
    state: str
    """``done``, ``early`` (ended before its end), ``phone`` (told by phones alone), ``late`` (entered afterwards) or
    ``void`` (said not to count)."""
    roll: MergedRoll | None
    files: int


def get_session(
    session: Session, caller: Caller, session_id: str, *, station_id: str | None = None
) -> SessionView:
    """One session at one station: the one it was first told of, unless said. Raises NotFound, also for one outside the
    caller's regions. What another station says under the same number is another station's."""
    station = _station_of(session, caller, session_id, station_id)
    study = session.scalars(
        select(StudyFact)
        .where(StudyFact.session == session_id, StudyFact.station_id == station.id)
        .order_by(StudyFact.received_at.desc())
    ).first()
    notes = session.scalars(
        select(SessionNote)
        .where(SessionNote.session == session_id, SessionNote.station_id == station.id)
        .order_by(SessionNote.received_at)
    ).all()
    late = list(
        session.scalars(
            select(LateEntryFact)
            .where(LateEntryFact.session == session_id, LateEntryFact.station_id == station.id)
            .order_by(LateEntryFact.at, LateEntryFact.seq)
        )
    )
    titles = [study.title if study else "", *(entry.title for entry in late), *(note.title for note in notes)]
    may_see = caller.can(Action.EVIDENCE_VIEW, station.region)
    return SessionView(
        id=session_id,
        station=station,
        title=next(filter(None, titles), ""),
        study=study,
        rolls=merge([*_station_counts(session, [session_id], station.id), *_phone_counts(notes)]),
        minutes=_minutes(session, session_id, station.id, notes),
        late=late,
        questions=_said(notes, NoteKind.QUESTION),
        faults=_said(notes, NoteKind.FAULT),
        files=_files(session, session_id, station.id, notes) if may_see else [],
        may_see_files=may_see,
    )


def _station_of(session: Session, caller: Caller, session_id: str, station_id: str | None) -> Station:
    tellers: list[tuple[datetime, str]] = []
    for table in (*_TOLD_OF, SessionNote):
        rows = session.execute(
            select(func.min(table.received_at), table.station_id)
            .where(table.session == session_id)
            .group_by(table.station_id)
        )
        tellers += [(at, teller) for at, teller in rows]
    allowed = [teller for _, teller in sorted(tellers) if station_id in (None, teller)]
    station = session.get(Station, allowed[0]) if allowed else None
    if station is None or not caller.can(Action.STATS_VIEW, station.region):
        raise NotFound(N_("没有这次学习的记录"))
    return station


def list_sessions(
    session: Session, caller: Caller, station_id: str, *, limit: int = 50
) -> tuple[Station, list[Listed]]:
    """A station's sessions, the newest first. Raises NotFound, Forbidden."""
    station = get_station(session, caller, station_id)
    caller.require(Action.STATS_VIEW, station.region)
    studies = session.scalars(
        select(StudyFact)
        .where(StudyFact.station_id == station_id)
        .order_by(StudyFact.started_at.desc())
        .limit(min(limit, MOST_LISTED))
    ).all()
    notes = session.scalars(
        select(SessionNote)
        .where(SessionNote.station_id == station_id)
        .order_by(SessionNote.received_at.desc())
        .limit(MOST_LISTED)
    ).all()
    late = session.scalars(
        select(LateEntryFact)
        .where(LateEntryFact.station_id == station_id)
        .order_by(LateEntryFact.at.desc(), LateEntryFact.seq.desc())
        .limit(MOST_LISTED)
    ).all()
    found: dict[str, tuple[str, datetime, str]] = {}
    for study in studies:
        found.setdefault(
            study.session, (study.title, study.started_at, "done" if study.completed else "early")
        )
    for note in reversed(notes):  # told by phones alone, the station's record is still to come
        found.setdefault(note.session, (note.title, note.received_at, "phone"))
    for entry in reversed(late):
        title, at, state = found.get(entry.session, (entry.title, entry.started_at, "late"))
        if entry.manual or entry.session in found:
            found[entry.session] = (title, at, "void" if entry.void else "late" if state == "void" else state)
    newest = sorted(found.items(), key=lambda one: one[1][1], reverse=True)[: min(limit, MOST_LISTED)]
    ids = [one for one, _ in newest]
    counts = {one: list(_phone_counts([n for n in notes if n.session == one])) for one in ids}
    for told_of, count in _counts_by_session(session, ids, station_id):
        counts[told_of].append(count)
    files = _file_numbers(session, ids, station_id)
    listed = []
    for one, (title, at, state) in newest:
        rolls = merge(counts[one])
        listed.append(Listed(one, title, at, state, rolls[0] if rolls else None, files.get(one, 0)))
    return station, listed


def _file_numbers(session: Session, ids: Sequence[str], station_id: str) -> dict[str, int]:
    rows = session.execute(
        select(EvidenceFile.session, func.count())
        .where(
            EvidenceFile.session.in_(ids),
            EvidenceFile.station_id == station_id,
            EvidenceFile.complete_at.is_not(None),
        )
        .group_by(EvidenceFile.session)
    )
    return {one: int(number) for one, number in rows}


# --- heads ------------------------------------------------------------------------------------------------------------
def _station_counts(session: Session, ids: Sequence[str], station_id: str) -> list[HeadCount]:
    return [count for _, count in _counts_by_session(session, ids, station_id)]


def _counts_by_session(session: Session, ids: Sequence[str], station_id: str) -> list[tuple[str, HeadCount]]:
    """Every count the station reported: counted again is reported again, and the last one holds."""
    facts = session.scalars(
        select(AttendanceFact).where(AttendanceFact.session.in_(ids), AttendanceFact.station_id == station_id)
    )
    return [
        (
            fact.session,
            HeadCount(
                Source.STATION, Roll(fact.roll), fact.present, fact.expected, fact.members, fact.public,
                fact.at, fact.taken_by, fact.seq,
            ),
        )
        for fact in facts
    ]  # fmt: skip


def _phone_counts(notes: Sequence[SessionNote]) -> list[HeadCount]:
    return [
        HeadCount(
            Source.PHONE, Roll(said["roll"]), said["present"], said["expected"], said["members"], said["public"],
            note.received_at, "", number,
        )
        for number, note in enumerate(notes)
        if note.kind == NoteKind.HEADS and (said := note.said)
    ]  # fmt: skip


# --- words and files ----------------------------------------------------------------------------------------------------
def _minutes(session: Session, session_id: str, station_id: str, notes: Sequence[SessionNote]) -> list[Told]:
    facts = session.scalars(
        select(MinutesFact).where(MinutesFact.session == session_id, MinutesFact.station_id == station_id)
    )
    own = [Told(Source.STATION, fact.at, fact.text) for fact in facts]
    return sorted([*own, *_said(notes, NoteKind.MINUTES)], key=lambda told: told.at)


def _said(notes: Sequence[SessionNote], kind: NoteKind) -> list[Told]:
    return [
        Told(Source.PHONE, note.received_at, note.said.get("text", ""), note.said.get("code", ""))
        for note in notes
        if note.kind == kind
    ]


def _files(session: Session, session_id: str, station_id: str, notes: Sequence[SessionNote]) -> list[Told]:
    """Each file once, also those whose bytes are still on the way (without a ``file_id``)."""
    by_phone = {note.said["sha256"]: note.received_at for note in notes if note.kind == NoteKind.FILE}
    facts = session.scalars(
        select(EvidenceFact).where(EvidenceFact.session == session_id, EvidenceFact.station_id == station_id)
    ).all()
    names = {fact.sha256: Told(Source.STATION, fact.at, "", fact.what) for fact in facts}
    here = session.scalars(
        select(EvidenceFile).where(
            EvidenceFile.station_id == station_id,
            EvidenceFile.sha256.in_([*names, *by_phone]),
            EvidenceFile.complete_at.is_not(None),
        )
    )
    found: dict[str, Any] = dict(names)
    for file in here:
        told = names.get(file.sha256)
        source, at = (told.source, told.at) if told else (Source.PHONE, by_phone[file.sha256])
        found[file.sha256] = Told(source, at, "", file.what, file.id)
    return sorted(found.values(), key=lambda told: told.at)
