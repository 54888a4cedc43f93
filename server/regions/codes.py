"""How names of the tree are read and shortened. Pure."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from protocol.regions import LEVEL_BY_LENGTH, level_of

_SHORTER = (("社区居民委员会", "社区"), ("村民委员会", "村"), ("居民委员会", "居委会"))
HEADING = ["code", "parent", "level", "name"]


@dataclass(frozen=True)
class Row:
    """One line of the tree's file; ``parent`` is None for the province."""

    code: str
    parent: str | None
    level: str
    name: str


def short_name(name: str) -> str:
    """How people write a place: 曲阳桥村民委员会 → 曲阳桥村."""
    for official, plain in _SHORTER:
        if name.endswith(official) and name != official:
            return name.removesuffix(official) + plain
    return name


def parent_code(code: str) -> str | None:
    """The code one level up, None for a province. Raises ValueError."""
    level_of(code)
    return next(
        (code[:length] for length in sorted(LEVEL_BY_LENGTH, reverse=True) if length < len(code)), None
    )


def read_rows(lines: Iterable[str]) -> Iterator[Row]:
    """The rows of a tree's CSV. Raises ValueError naming the line that does not fit."""
    reader = csv.reader(lines)
    if next(reader, None) != HEADING:
        raise ValueError(f"line 1: the heading is not {','.join(HEADING)}")
    for cells in reader:
        yield _row(cells, reader.line_num)


def _row(cells: list[str], line: int) -> Row:
    try:
        code, parent, level, name = cells
        fits = level_of(code) == level and (parent or None) == parent_code(code) and bool(name.strip())
    except ValueError as error:
        raise ValueError(f"line {line}: {error}") from error
    if not fits:
        raise ValueError(f"line {line}: {','.join(cells)} is not a place with its parent and level")
    return Row(code, parent or None, level, name.strip())
