"""Pinyin initials of places, for those who type a village on a phone's keys: qyq finds 曲阳桥. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from pypinyin import Style, pinyin


@lru_cache(maxsize=8192)
def _initial(char: str) -> str:
    if char.isascii():
        return char.lower() if char.isalnum() else ""
    found = pinyin(char, style=Style.FIRST_LETTER, errors="ignore")
    return found[0][0][:1] if found else ""


def initials(name: str) -> str:
    """The first letter of each character's first reading, lower-case: 曲阳桥镇 → qyqz."""
    return "".join(_initial(char) for char in name)


class InitialsIndex:
    """Codes by the initials of their names: those that begin with what was typed first, then shorter codes first."""

    def __init__(self, places: Iterable[tuple[str, str]]) -> None:
        """``places`` are (code, name) pairs."""
        self._entries: Sequence[tuple[str, str]] = sorted(
            ((code, initials(name)) for code, name in places), key=lambda pair: (len(pair[0]), pair[0])
        )

    def find(self, typed: str, limit: int) -> list[str]:
        """The codes of places whose initials begin with the letters."""
        wanted = typed.lower()
        return [code for code, letters in self._entries if letters.startswith(wanted)][:limit]
