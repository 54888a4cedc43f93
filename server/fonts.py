"""Where the one Chinese font is: for pictures, slates and PDF; pages use `/static/vendor/fonts/noto-sans-sc.css`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Weight = Literal["regular", "bold"]

_FONTS = Path(__file__).resolve().parent.parent / "web_dist" / "fonts"


class FontMissing(Exception):
    """The font was not made on this machine; `./yuanbo` makes it."""


def font_path(weight: Weight = "regular") -> Path:
    """The whole face of WEIGHT, one OpenType file with every Chinese character. Raises FontMissing."""
    path = _FONTS / f"sc-{weight}.otf"
    if not path.is_file():
        raise FontMissing(f"{path} is missing: run ./yuanbo once")
    return path
