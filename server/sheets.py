"""Tables for spreadsheet programs: CSV that opens in Chinese, and cells that nothing runs as a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import TypeVar

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""What makes spreadsheet programs take a text for a formula (OWASP, CSV Injection)."""
_Cell = TypeVar("_Cell")


def harmless(cell: _Cell) -> _Cell | str:
    """A text that would be run gets an apostrophe in front; numbers and all else stay as they are."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell


def to_csv(rows: Iterable[Sequence[object]]) -> bytes:
    """UTF-8 with the byte order mark that spreadsheets need for Chinese, every cell harmless."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows([harmless(cell) for cell in row] for row in rows)
    return b"\xef\xbb\xbf" + out.getvalue().encode()
