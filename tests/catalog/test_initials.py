"""Pinyin initials of titles."""

from __future__ import annotations

import pytest

from server.catalog.initials import initials


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("苹果冬剪", "pgdj"),
        ("重庆火锅", "cqhg"),
        ("2026年冬小麦 CCTV-7", "2026ndxmcctv7"),
        ("１２３ＡＢＣ", "123abc"),
        ("“三会一课”怎么开？", "shykzmk"),
        ("🎬🎬", ""),
        ("", ""),
    ],
)
def test_a_title_is_found_by_the_first_letters_of_its_syllables(title: str, expected: str) -> None:
    assert initials(title) == expected


def test_initials_of_the_longest_title_fit_their_column() -> None:
    assert len(initials("长" * 10_000)) == 200
