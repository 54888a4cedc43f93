"""收看记录, the pure part: lines, how they hang together, and the entries and months that people read.

A line is written once and never changed. What is known better later is a line of its own (迟录) that names the one it is
about, who says so and why. Each line's hash covers the hash of the line before, so that nothing can be altered, taken out
or slipped in between without every later hash telling. (Lines cut off at the very end are not told by it.)

Lines come from the records that the station reports (source 自动) or from an administrator (手工).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from protocol.batch import Attendance, Minutes, Mode, Record, Roll, SelfTest, Study, Viewing, Voice, VoiceKind
from protocol.times import day_of_ms, text_to_ms

GENESIS = "0" * 64
SHORT_MS = 60_000
"""What was chosen or on air for less stands in a day's sum only."""
Json = dict[str, Any]


class LogKind(StrEnum):
    STUDY = "study"
    """A session of group study, closed."""
    ROLL = "roll"
    """Heads counted in a session."""
    VIEWING = "viewing"
    """One uninterrupted play outside of study."""
    SAID = "said"
    """An opinion or a question."""
    SELF_TEST = "self_test"
    MINUTES = "minutes"
    """What was discussed in a session, in words."""
    LATE = "late"
    """迟录: about another line, or a session that left no record."""
    CHECK = "check"
    """核对: an administrator looked through all lines up to one."""
    EVENT = "event"
    """What an administrator did: a person, the plan."""


class LogProgramme(Struct, frozen=True, omit_defaults=True):
    """``number`` is what is typed on the remote, 0 for none."""

    title: str
    section: str = ""
    number: int = 0
    duration_ms: int = 0
    played_ms: int = 0


class Heads(Struct, frozen=True, omit_defaults=True):
    expected: int = 0
    present: int = 0
    members: int = 0
    public: int = 0


class LogLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``day`` is the day it belongs to (Asia/Shanghai), ``at_ms`` when it was written, ``from_ms`` to ``to_ms`` when it
    happened; ``clock`` how far the time was to be trusted then. ``about``: the line a late entry is about."""

    n: int
    kind: LogKind
    day: str
    at_ms: int
    clock: str = ""
    from_ms: int = 0
    to_ms: int = 0
    session: str = ""
    study_day: str = ""
    title: str = ""
    mode: str = ""
    programmes: list[LogProgramme] = []
    heads: Heads | None = None
    roll: str = ""
    by: str = ""
    discussion_ms: int = 0
    broken: int = 0
    completed: bool = True
    about: int = 0
    reason: str = ""
    text: str = ""
    void: bool = False


# --- the chain --------------------------------------------------------------------------------------------------------
def line_bytes(line: LogLine) -> bytes:
    return msgspec.json.encode(line, order="sorted")


def next_hash(before: str, data: bytes) -> str:
    """The hash of a line: over the hash of the line before and its own bytes."""
    return hashlib.sha256(before.encode() + b"\n" + data).hexdigest()


def first_broken(rows: Iterable[tuple[int, bytes, str]]) -> int | None:
    """The number of the first line that does not follow from the one before; None when all do."""
    before = GENESIS
    for number, (n, data, known) in enumerate(rows, start=1):
        before = next_hash(before, data)
        if n != number or known != before:
            return number
    return None


# --- from records -------------------------------------------------------------------------------------------------------
def key_of(record: Record) -> str | None:
    """What makes a record the same one when it is met again; None for a kind that leaves no line.

    Not its number: records get another one when an epoch forks."""
    if isinstance(record, Viewing):
        return None if record.mode is Mode.STUDY else f"viewing:{record.session}"
    if isinstance(record, Study):
        return f"study:{record.session}"
    late = isinstance(record, Attendance) and record.roll is Roll.LATE
    unsaid = isinstance(record, Voice) and record.says not in _SAID
    name = None if late or unsaid else _NAMES.get(type(record))
    return f"{name}:{record.boot}:{record.mono_ms}" if name else None


_NAMES: dict[type[Record], str] = {
    Attendance: "roll",
    Voice: "said",
    SelfTest: "self-test",
    Minutes: "minutes",
}
_SAID = (VoiceKind.OPINION, VoiceKind.QUESTION)


def fields_of(record: Record, number_of: dict[str, int]) -> Json:
    """The fields of a record's line, but for ``n`` and ``at_ms``. ``number_of``: release → programme number."""
    at_ms = text_to_ms(record.at)
    if isinstance(record, Viewing):
        return _viewing(record, number_of)
    if isinstance(record, Study):
        return _study(record, number_of)
    if isinstance(record, Attendance):
        heads = Heads(record.expected, record.present, record.members, record.public)
        return {
            "kind": LogKind.ROLL, "day": day_text(at_ms), "from_ms": at_ms, "session": record.session,
            "heads": heads, "roll": str(record.roll), "by": record.taken_by,
        }  # fmt: skip
    if isinstance(record, Voice):
        said = {"kind": LogKind.SAID, "mode": str(record.says), "text": record.text, "title": record.title}
        return said | {"day": day_text(at_ms), "from_ms": at_ms}
    if isinstance(record, SelfTest):
        wrong = sorted(name for name, right in record.results.items() if not right)
        tested = {"kind": LogKind.SELF_TEST, "day": day_text(at_ms), "from_ms": at_ms, "by": record.by}
        return tested | {"text": " ".join(wrong), "completed": not wrong}
    if isinstance(record, Minutes):
        said = {"kind": LogKind.MINUTES, "session": record.session, "text": record.text}
        return said | {"day": day_text(at_ms), "from_ms": at_ms}
    raise ValueError(f"{type(record).__name__} leaves no line")


def _viewing(record: Viewing, number_of: dict[str, int]) -> Json:
    from_ms = text_to_ms(record.started_at)
    programme = LogProgramme(
        record.title, record.section, number_of.get(record.release, 0), record.duration_ms, record.played_ms
    )
    return {
        "kind": LogKind.VIEWING, "day": day_text(from_ms), "from_ms": from_ms, "to_ms": text_to_ms(record.ended_at),
        "clock": str(record.clock), "session": record.session, "mode": str(record.mode), "programmes": [programme],
    }  # fmt: skip


def _study(record: Study, number_of: dict[str, int]) -> Json:
    from_ms = text_to_ms(record.started_at)
    programmes = [
        LogProgramme(one.title, one.section, number_of.get(one.release, 0), one.duration_ms, one.played_ms)
        for one in record.programmes
    ]
    return {
        "kind": LogKind.STUDY, "day": day_text(from_ms), "from_ms": from_ms, "to_ms": text_to_ms(record.ended_at),
        "clock": str(record.clock), "session": record.session, "study_day": record.day, "title": record.title,
        "mode": str(Mode.STUDY), "programmes": programmes, "by": record.led_by,
        "discussion_ms": record.discussion_ms, "broken": record.broken, "completed": record.completed,
    }  # fmt: skip


def day_text(ms: int) -> str:
    return day_of_ms(ms).isoformat()


# --- what people read ---------------------------------------------------------------------------------------------------
@dataclass
class Entry:
    """One entry 收看记录 as it stands now, with everything later lines said about it."""

    line: LogLine
    start: Heads | None = None
    end: Heads | None = None
    late: Heads | None = None
    """Heads as a late entry gives them, in place of those counted on the spot."""
    lates: list[LogLine] = field(default_factory=list)
    minutes: list[str] = field(default_factory=list)
    """What was discussed, in words."""
    checked: str = ""
    """A or B: who looked it through after the last thing that was said about it."""
    void: bool = False

    @property
    def heads(self) -> Heads | None:
        """What holds: a late entry, else the most of both rolls (who left early was there, too)."""
        if self.late is not None:
            return self.late
        counted = [one for one in (self.start, self.end) if one is not None]
        return max(counted, key=lambda one: one.present, default=None)

    @property
    def played_ms(self) -> int:
        return sum(one.played_ms for one in self.line.programmes)

    @property
    def manual(self) -> bool:
        """手工: no record of a play stands behind it."""
        return self.line.kind is LogKind.LATE


@dataclass
class LogDay:
    """One day: entries, newest first; what was only glanced at, in sum; what else was written."""

    day: str
    entries: list[Entry] = field(default_factory=list)
    glances: int = 0
    glanced_ms: int = 0
    others: list[LogLine] = field(default_factory=list)

    @property
    def studies(self) -> list[Entry]:
        """Sessions that count: played here, or entered late, and not void."""
        return [one for one in self.entries if one.line.kind is not LogKind.VIEWING and not one.void]

    @property
    def played_ms(self) -> int:
        return self.glanced_ms + sum(one.played_ms for one in self.entries if not one.void)


def days_of(lines: Sequence[LogLine]) -> list[LogDay]:
    """Lines in the order they were written, as days, newest first."""
    days: dict[str, LogDay] = {}
    entries: dict[int, Entry] = {}
    sessions: dict[str, Entry] = {}
    beside = [line for line in lines if line.kind in (LogKind.ROLL, LogKind.MINUTES)]
    for line in lines:
        if line.kind in _BESIDE or (line.kind is LogKind.LATE and line.about):
            continue
        day = days.setdefault(line.day, LogDay(line.day))
        if line.kind is LogKind.VIEWING and sum(one.played_ms for one in line.programmes) < SHORT_MS:
            day.glances += 1
            day.glanced_ms += sum(one.played_ms for one in line.programmes)
        elif line.kind in (LogKind.STUDY, LogKind.VIEWING, LogKind.LATE):
            entry = entries[line.n] = Entry(line, late=line.heads if line.kind is LogKind.LATE else None)
            day.entries.append(entry)
            if line.session:
                sessions[line.session] = entry
        else:
            day.others.append(line)
    _tell(beside, sessions)
    _amend(lines, entries)
    for day in days.values():
        day.entries.sort(key=lambda one: (one.line.from_ms, one.line.n), reverse=True)
    return sorted(days.values(), key=lambda day: day.day, reverse=True)


_BESIDE = (LogKind.ROLL, LogKind.MINUTES, LogKind.CHECK)
"""Kinds that are no entries of their own."""


def _tell(beside: Sequence[LogLine], sessions: dict[str, Entry]) -> None:
    """Rolls and minutes to their sessions; heads counted again, the last ones hold."""
    for line in beside:
        entry = sessions.get(line.session)
        if entry is None:
            continue
        if line.heads is None:
            entry.minutes.append(line.text)
        elif line.roll == Roll.END:
            entry.end = line.heads
        else:
            entry.start = line.heads


def _amend(lines: Sequence[LogLine], entries: dict[int, Entry]) -> None:
    """Late entries and checks, in the order they were written."""
    for line in lines:
        if line.kind is LogKind.CHECK:
            for n, entry in entries.items():
                if n <= line.about and all(late.n < line.n for late in entry.lates):
                    entry.checked = line.by
        elif line.kind is LogKind.LATE and line.about in entries:
            entry = entries[line.about]
            entry.lates.append(line)
            entry.checked = ""
            entry.void = line.void
            entry.late = line.heads or entry.late
