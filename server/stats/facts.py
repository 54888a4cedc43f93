"""Facts in their tables: rows from records, and what is already held of a number."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Text, cast, func, insert, null, select, union_all, update
from sqlalchemy.orm import Session

from protocol.batch import (
    Attendance,
    Evidence,
    Fault,
    Gap,
    Health,
    LateEntry,
    Minutes,
    PlanChanged,
    Record,
    SelfTest,
    Study,
    Viewing,
    Voice,
)
from protocol.times import day_of_ms, from_text, text_to_ms, to_ms
from server.stats.forks import Span
from server.stats.models import (
    AttendanceFact,
    EvidenceFact,
    FactColumns,
    FaultFact,
    GapFact,
    HealthFact,
    LateEntryFact,
    MinutesFact,
    PlanChangeFact,
    SelfTestFact,
    StudyFact,
    ViewingFact,
    VoiceFact,
)
from server.stats.ranges import Range
from server.stats.records import Line

TABLES: dict[type[Record], type[FactColumns]] = {
    Viewing: ViewingFact,
    Attendance: AttendanceFact,
    Study: StudyFact,
    Voice: VoiceFact,
    SelfTest: SelfTestFact,
    Evidence: EvidenceFact,
    LateEntry: LateEntryFact,
    PlanChanged: PlanChangeFact,
    Minutes: MinutesFact,
    Fault: FaultFact,
    Health: HealthFact,
    Gap: GapFact,
}


@dataclass(frozen=True)
class Source:
    """Where a batch's records come from, as every fact keeps it."""

    terminal_id: str
    station_id: str
    region: str
    epoch: str
    clock_state: str


def add(session: Session, source: Source, lines: Iterable[Line], *, now: datetime) -> None:
    """Insert facts. The primary key refuses a second one of the same name."""
    rows: dict[type[FactColumns], list[dict[str, Any]]] = {}
    for line in lines:
        rows.setdefault(TABLES[type(line.record)], []).append(_row(source, line, now))
    for table, values in rows.items():
        session.execute(insert(table), values)


@dataclass(frozen=True)
class Held:
    """What a fact says of its record: the digest, and the session it tells of where it tells of one."""

    digest: str
    session: str | None


def held(session: Session, terminal_id: str, epoch: str, within: Range) -> dict[int, Held]:
    """The facts of an epoch by number, first to last number included."""
    named = (ViewingFact, AttendanceFact, StudyFact)
    questions = [
        select(
            table.seq, table.digest, table.session if issubclass(table, named) else cast(null(), Text)
        ).where(table.terminal_id == terminal_id, table.epoch == epoch, table.seq.between(*within))
        for table in TABLES.values()
    ]
    rows = session.execute(union_all(*questions))
    return {seq: Held(digest, told_of) for seq, digest, told_of in rows}


def lengthen(session: Session, source: Source, line: Line, *, now: datetime) -> None:
    """The same session told of again, under the same number: keep whichever telling is the longer."""
    if not isinstance(line.record, Viewing):
        return
    session.execute(
        update(ViewingFact)
        .where(
            ViewingFact.terminal_id == source.terminal_id,
            ViewingFact.epoch == source.epoch,
            ViewingFact.seq == line.seq,
            ViewingFact.played_ms < line.record.played_ms,
        )
        .values(_row(source, line, now))
    )


def span_after(session: Session, terminal_id: str, epoch: str, after: int) -> Span | None:
    """When the facts of an epoch above a number were written."""
    spans = []
    for table in TABLES.values():
        start, end = session.execute(
            select(func.min(table.at), func.max(table.at)).where(
                table.terminal_id == terminal_id, table.epoch == epoch, table.seq > after
            )
        ).one()
        if start is not None:
            spans.append((to_ms(start), to_ms(end)))
    return (min(s for s, _ in spans), max(e for _, e in spans)) if spans else None


def dropped(session: Session, terminal_id: str, epoch: str) -> list[Range]:
    """The numbers of an epoch that its terminal says it dropped."""
    rows = session.execute(
        select(GapFact.first, GapFact.last).where(
            GapFact.terminal_id == terminal_id, GapFact.gap_epoch == epoch, GapFact.first <= GapFact.last
        )
    )
    return [(first, last) for first, last in rows]


def _row(source: Source, line: Line, now: datetime) -> dict[str, Any]:
    record = line.record
    shared = {
        "terminal_id": source.terminal_id,
        "epoch": source.epoch,
        "seq": record.seq,
        "digest": line.digest,
        "station_id": source.station_id,
        "region": source.region,
        "at": from_text(record.at),
        "boot": record.boot,
        "mono_ms": record.mono_ms,
        "clock_state": source.clock_state,
        "received_at": now,
    }
    return shared | _own_columns(record)


def _own_columns(record: Record) -> dict[str, Any]:
    columns: dict[str, Any] = _COLUMNS[type(record)](record)
    return columns


def _viewing(record: Viewing) -> dict[str, Any]:
    started, ended = text_to_ms(record.started_at), text_to_ms(record.ended_at)
    return _fields(
        record,
        *("session", "programme", "edition", "release", "title", "section", "duration_ms", "played_ms"),
        *("channel", "item", "profile"),
    ) | {
        "mode": str(record.mode),
        "clock": str(record.clock),
        "day": day_of_ms(started),
        "started_at": from_text(record.started_at),
        "ended_at": from_text(record.ended_at),
        "on_ms": max(0, ended - started),
        "watched": [list(span) for span in record.watched],
        "prompts": msgspec.to_builtins(record.prompts),
    }


def _study(record: Study) -> dict[str, Any]:
    return _fields(record, "session", "day", "title", "discussion_ms", "broken", "completed", "led_by") | {
        "planned_at": from_text(record.planned_at) if record.planned_at else None,
        "started_at": from_text(record.started_at),
        "ended_at": from_text(record.ended_at),
        "clock": str(record.clock),
        "programmes": msgspec.to_builtins(record.programmes),
        "played_ms": sum(one.played_ms for one in record.programmes),
    }


def _attendance(record: Attendance) -> dict[str, Any]:
    counts = _fields(record, "session", "expected", "present", "members", "public", "taken_by")
    return counts | {"roll": str(record.roll)}


def _voice(record: Voice) -> dict[str, Any]:
    said = _fields(record, "text", "programme", "edition", "title", "section")
    return said | {"says": str(record.says), "face": str(record.face) if record.face else None}


def _self_test(record: SelfTest) -> dict[str, Any]:
    wrong = sum(not right for right in record.results.values())
    return {"results": record.results, "failed": wrong, "by": record.by}


def _evidence(record: Evidence) -> dict[str, Any]:
    return _fields(record, "sha256", "length", "media_type", "session") | {"what": str(record.what)}


def _late_entry(record: LateEntry) -> dict[str, Any]:
    said = _fields(record, "session", "title", "manual", "void", "reason", "remark", "by")
    return said | {"started_at": from_text(record.started_at), "ended_at": from_text(record.ended_at)}


def _plan_change(record: PlanChanged) -> dict[str, Any]:
    return _fields(record, "day", "title", "reason", "by") | {
        "change": str(record.change),
        "started_at": from_text(record.started_at),
        "planned_at": from_text(record.planned_at) if record.planned_at else None,
    }


def _gap(record: Gap) -> dict[str, Any]:
    return _fields(record, "first", "last", "reason") | {"gap_epoch": record.epoch}


def _fields(record: Record, *names: str) -> dict[str, Any]:
    return {name: getattr(record, name) for name in names}


_COLUMNS: dict[type[Record], Callable[[Any], dict[str, Any]]] = {
    Viewing: _viewing,
    Attendance: _attendance,
    Study: _study,
    Voice: _voice,
    SelfTest: _self_test,
    LateEntry: _late_entry,
    PlanChanged: _plan_change,
    Evidence: _evidence,
    Minutes: lambda record: _fields(record, "session", "text"),
    Fault: lambda record: _fields(record, "code", "text"),
    Health: lambda record: {"health": msgspec.to_builtins(record), "between_ms": record.between_ms},
    Gap: _gap,
}
"""The columns of each kind beside those that all facts share."""
