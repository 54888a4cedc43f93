"""Codes of the administrative tree (statistics bureau; GB/T 2260 down to county).

A code's length tells its level, and every ancestor's code is a prefix of it, so ancestry needs no look-up:
province 13 → city 1301 → county 130123 → township 130123105 → village 130123105201.
"""

from __future__ import annotations

from enum import StrEnum


class Level(StrEnum):
    PROVINCE = "province"
    CITY = "city"
    COUNTY = "county"
    TOWNSHIP = "township"
    VILLAGE = "village"


LEVEL_BY_LENGTH = {
    2: Level.PROVINCE,
    4: Level.CITY,
    6: Level.COUNTY,
    9: Level.TOWNSHIP,
    12: Level.VILLAGE,
}
_LENGTHS = tuple(LEVEL_BY_LENGTH)


def level_of(code: str) -> Level:
    """The level of a code. Raises ValueError for a code of no known length or with other than digits."""
    if not (code.isascii() and code.isdigit()) or len(code) not in LEVEL_BY_LENGTH:
        raise ValueError(f"not a region code: {code!r}")
    return LEVEL_BY_LENGTH[len(code)]


def lineage(code: str) -> tuple[str, ...]:
    """The code itself and its ancestors, nearest first: ``130123`` → ``("130123", "1301", "13")``."""
    level_of(code)
    return tuple(code[:length] for length in reversed(_LENGTHS) if length <= len(code))


def within(code: str, scope: str) -> bool:
    """Whether a region is the scope itself or lies below it."""
    return code.startswith(scope) and len(scope) in LEVEL_BY_LENGTH


def city_of(code: str) -> str | None:
    """The city a region lies in, or None for the province itself."""
    return code[:4] if len(code) >= 4 else None
