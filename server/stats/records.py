"""A batch's body, line by line: what can become a fact, what cannot and why. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from protocol.batch import Record, Viewing, read_record
from protocol.errors import MalformedBatch
from protocol.times import from_text

LARGEST = 2**53 - 1
"""No number in a record may be larger: it must survive JSON readers and a signed 64-bit column."""
LONGEST_PLAY_MS = 31 * 24 * 60 * 60 * 1000


@dataclass(frozen=True)
class Line:
    """A readable record: its number, its bytes as they came, and its digest."""

    record: Record
    raw: bytes
    digest: str

    @property
    def seq(self) -> int:
        return self.record.seq


@dataclass(frozen=True)
class BadLine:
    """A line that cannot become a fact. ``first``/``last``: the number it stands for; an empty span
    (last < first) where none can be told."""

    first: int
    last: int
    raw: bytes
    reason: str


class _Numbered(msgspec.Struct):
    seq: int


def sort_lines(lines: Sequence[bytes], first: int, last: int) -> tuple[list[Line], list[BadLine]]:
    """Readable records of a batch that spans ``first`` to ``last``, and the rest with reasons.

    A line whose number cannot be read stands for the numbers between its readable neighbours: one line for one
    number where the batch is dense, else for all of them, or the terminal would send it for ever.
    """
    good: list[Line] = []
    bad: list[BadLine] = []
    seen: set[int] = set()
    unnumbered: list[bytes] = []
    reached = first - 1
    for raw in lines:
        seq, line, reason = _read(raw)
        if seq is None:
            unnumbered.append(raw)
            continue
        if not first <= seq <= last:
            bad.append(BadLine(1, 0, raw, "a number outside the batch"))
            continue
        bad += _spread(unnumbered, reached + 1, seq - 1)
        unnumbered = []
        reached = max(reached, seq)
        if seq in seen:
            bad.append(BadLine(1, 0, raw, "a number twice in one batch"))
        elif line is None:
            bad.append(BadLine(seq, seq, raw, reason))
        else:
            good.append(line)
        seen.add(seq)
    return good, bad + _spread(unnumbered, reached + 1, last)


def _read(raw: bytes) -> tuple[int | None, Line | None, str]:
    try:
        record = read_record(raw)
    except MalformedBatch as error:
        return _number_of(raw), None, str(error)
    if reason := unfit(record):
        return record.seq, None, reason
    return record.seq, Line(record, raw, digest(record)), ""


def _number_of(raw: bytes) -> int | None:
    try:
        return msgspec.json.decode(raw, type=_Numbered).seq
    except (msgspec.DecodeError, RecursionError):
        return None


def _spread(unnumbered: Sequence[bytes], first: int, last: int) -> list[BadLine]:
    if len(unnumbered) == last - first + 1:
        return [BadLine(first + i, first + i, raw, "not readable") for i, raw in enumerate(unnumbered)]
    return [BadLine(first, last, raw, "not readable") for raw in unnumbered]


def unfit(record: Record) -> str:
    """Why a well-formed record can still not be kept in a table; empty if it can."""
    content = msgspec.to_builtins(record)
    for name, value in content.items():
        if reason := _unfit_value(value):
            return f"{name}: {reason}"
    return _unfit_times(content) or (_unfit_viewing(record) if isinstance(record, Viewing) else "")


def _unfit_value(value: Any) -> str:
    if isinstance(value, str) and "\x00" in value:
        return "a NUL character"
    if isinstance(value, int) and abs(value) > LARGEST:
        return "a number too large"
    if isinstance(value, dict):
        return next((reason for item in value.items() if (reason := _unfit_value(item))), "")
    if isinstance(value, (list, tuple)):
        return next((reason for item in value if (reason := _unfit_value(item))), "")
    return ""


def _unfit_times(content: dict[str, Any]) -> str:
    for name in ("at", "started_at", "ended_at", "planned_at"):
        if content.get(name) is not None:
            try:
                year = from_text(content[name]).year
            except ValueError:
                return f"{name}: no such time"
            if not 1900 <= year < 9000:
                return f"{name}: no time of ours"
    return ""


def _unfit_viewing(record: Viewing) -> str:
    if any(end < start for start, end in record.watched):
        return "watched: a span that ends before it begins"
    if max(record.played_ms, record.duration_ms) > LONGEST_PLAY_MS:
        return "a play longer than a month"
    return ""


def digest(record: Record) -> str:
    """32 hex digits that tell apart two records of one name.

    Over the content without what equals its default, so that a field added to the protocol later changes no digest.
    """
    content: dict[str, Any] = {"kind": type(record).__struct_config__.tag}
    for name, default in _fields(type(record)):
        value = getattr(record, name)
        if value != default:
            content[name] = value
    return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()[:32]


@cache
def _fields(kind: type[Record]) -> tuple[tuple[str, Any], ...]:
    """Names and defaults; a required field's default equals nothing."""
    return tuple((field.name, _default(field)) for field in msgspec.structs.fields(kind))


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
