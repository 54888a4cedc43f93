"""Pinyin initials 拼音首字母: how a title is found with the few keys of a remote control. Pure."""

from __future__ import annotations

import unicodedata


def initials(title: str) -> str:
    """The initials of a title, lower-case letters and digits only: 苹果冬剪2026 → ``pgdj2026``.

    A character with several readings is read as in the words around it (重庆 → ``cq``). At most 200 letters.
    """
    from pypinyin import (  # its dictionary takes a while to load: only where titles are written
        Style,
        lazy_pinyin,
    )

    plain = unicodedata.normalize("NFKC", title)
    letters = lazy_pinyin(plain, style=Style.FIRST_LETTER, errors="default")
    found = "".join(letter for part in letters for letter in part if letter.isascii() and letter.isalnum())
    return found.lower()[:200]
