"""The Range header, one range of bytes (RFC 9110, 14.2)."""

from __future__ import annotations

import re

_RANGE = re.compile(r"^\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*$")


class Unsatisfiable(ValueError):
    """No byte of the file lies in the range asked for."""

    def __init__(self, length: int) -> None:
        super().__init__(f"a file of {length} bytes")
        self.length = length


def read_range(header: str | None, length: int) -> tuple[int, int] | None:
    """[start, end) of the bytes asked for, or None for the whole file: without the header, and where it is not one
    plain range (several ranges, another unit, nonsense), which a server may ignore. Raises Unsatisfiable."""
    found = _RANGE.match(header or "")
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        if int(last) == 0 or length == 0:
            raise Unsatisfiable(length)
        return max(0, length - int(last)), length
    start, end = int(first), min(int(last) + 1 if last else length, length)
    if last and int(last) < int(first):
        return None
    if start >= length:
        raise Unsatisfiable(length)
    return start, end
