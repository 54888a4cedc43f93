"""A text as the squares of a QR code."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=4)
def squares(text: str) -> tuple[str, ...]:
    """Rows of "1" (dark) and "0", without the quiet zone. Short texts bear 15 % of damage, long ones 7 %: what is
    gained there is larger squares, which a phone reads from further off."""
    import segno

    code = segno.make(text, error="m" if len(text) < 80 else "l", micro=False, boost_error=False)
    return tuple("".join("1" if cell else "0" for cell in row) for row in code.matrix)
