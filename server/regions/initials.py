"""Pinyin initials of places, for those who type a village on a phone's keys: qyq finds 曲阳桥. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import islice

from pypinyin import Style, pinyin

ALSO_READ = {
    "长": "c", "圈": "j", "朝": "z", "碡": "z", "行": "h", "巷": "h", "尉": "y", "蔚": "y", "宿": "x", "蛤": "g", "无": "m", "参": "s",
    "阿": "e", "茄": "q", "堡": "p",
}  # fmt: skip
"""Characters whose reading within a name begins with another letter than alone: all that pypinyin 0.55 reads so in the
56,712 names of the province's tree. (Reading every name as words takes 2 s, this 0.1 s, in a web process while somebody
types; titles are read as words, catalog/initials.py.)"""


@lru_cache(maxsize=8192)
def _initials(char: str) -> tuple[str, ...]:
    if char.isascii():
        return (char.lower() if char.isalnum() else "",)
    found = pinyin(char, style=Style.FIRST_LETTER, errors="ignore")
    alone = found[0][0][:1] if found else ""
    return (alone, ALSO_READ[char]) if char in ALSO_READ else (alone,)


def initials(name: str) -> list[str]:
    """The first letters of a name, lower-case, one for each way of reading it: 曲阳桥镇 → qyqz; 蔚县 → wx, yx."""
    found = [""]
    for char in name:
        found = [before + letter for before in found for letter in _initials(char)]
    return found


class InitialsIndex:
    """Codes by the initials of their names: those that begin with what was typed first, then shorter codes first."""

    def __init__(self, places: Iterable[tuple[str, str]]) -> None:
        """``places`` are (code, name) pairs."""
        self._entries: Sequence[tuple[str, tuple[str, ...]]] = sorted(
            ((code, tuple(initials(name))) for code, name in places), key=lambda pair: (len(pair[0]), pair[0])
        )

    def find(self, typed: str, limit: int) -> list[str]:
        """The codes of places whose initials begin with the letters."""
        wanted = typed.lower()
        found = (code for code, ways in self._entries if any(way.startswith(wanted) for way in ways))
        return list(islice(found, limit))
