"""What changed between two submissions, side by side: words letter by letter, subtitles line by line. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from msgspec import Struct

MOST_LETTERS = 6_000
MOST_LINES = 4_000


class Piece(Struct, frozen=True, kw_only=True, array_like=True):
    """A stretch of one side: ``changed`` where the other side reads otherwise."""

    text: str
    changed: bool


class Change(Struct, frozen=True, kw_only=True):
    """One field that differs."""

    field: str
    before: list[Piece]
    after: list[Piece]


class Line(Struct, frozen=True, kw_only=True, array_like=True):
    """A line of subtitles."""

    at_ms: int
    text: str


class LineChange(Struct, frozen=True, kw_only=True):
    """Subtitles that differ: None where one side has no such line."""

    before: Line | None
    after: Line | None


def changed_fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Fields whose text differs, in the order of ``after``, then those that are gone."""
    names = [*after, *(name for name in before if name not in after)]
    changes = []
    for name in names:
        old, new = as_text(before.get(name)), as_text(after.get(name))
        if old != new:
            left, right = letters(old, new)
            changes.append(Change(field=name, before=left, after=right))
    return changes


def as_text(value: Any) -> str:
    """A field as people read it."""
    if value is None or value == "":
        return ""
    if isinstance(value, Mapping):
        return "\n".join(f"{key}: {as_text(item)}" for key, item in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "、".join(as_text(item) for item in value)
    return str(value)


def letters(before: str, after: str) -> tuple[list[Piece], list[Piece]]:
    """Both sides in pieces, equal and changed ones; very long texts as one changed piece."""
    if len(before) + len(after) > MOST_LETTERS:
        return _whole(before), _whole(after)
    left: list[Piece] = []
    right: list[Piece] = []
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for kind, a1, a2, b1, b2 in matcher.get_opcodes():
        if a2 > a1:
            left.append(Piece(text=before[a1:a2], changed=kind != "equal"))
        if b2 > b1:
            right.append(Piece(text=after[b1:b2], changed=kind != "equal"))
    return left, right


def _whole(text: str) -> list[Piece]:
    return [Piece(text=text, changed=True)] if text else []


def changed_lines(before: Sequence[Line], after: Sequence[Line]) -> list[LineChange]:
    """Lines of subtitles that differ in words; a shift in time alone is none."""
    before, after = before[:MOST_LINES], after[:MOST_LINES]
    matcher = SequenceMatcher(None, [one.text for one in before], [one.text for one in after], autojunk=False)
    changes: list[LineChange] = []
    for kind, a1, a2, b1, b2 in matcher.get_opcodes():
        if kind == "equal":
            continue
        changes.extend(
            LineChange(
                before=before[a1 + step] if a1 + step < a2 else None,
                after=after[b1 + step] if b1 + step < b2 else None,
            )
            for step in range(max(a2 - a1, b2 - b1))
        )
    return changes
