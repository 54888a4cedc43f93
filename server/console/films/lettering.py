"""Chinese lettering: the shipped font, its weights, and whether it has every glyph a text needs."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from server.console.films.art import Colour, colour
from server.fonts import font_path

Weight = Literal["regular", "medium", "bold", "black"]

# Two faces are shipped; the weights between and above are their outlines, thickened by this share of the size.
_FACES: dict[Weight, tuple[Literal["regular", "bold"], float]] = {
    "regular": ("regular", 0.0),
    "medium": ("regular", 0.012),
    "bold": ("bold", 0.0),
    "black": ("bold", 0.016),
}


@lru_cache(maxsize=128)
def font(size: float, weight: Weight = "regular") -> ImageFont.FreeTypeFont:
    """The shipped face nearest to `weight` at `size` pixels."""
    return ImageFont.truetype(str(font_path(_FACES[weight][0])), size)


@lru_cache(maxsize=1)
def covered() -> frozenset[int]:
    """Code points for which both shipped faces have a glyph."""
    regular, bold = (TTFont(str(font_path(face)), lazy=True).getBestCmap() for face in ("regular", "bold"))
    return frozenset(regular.keys() & bold.keys())


def missing_glyphs(text: str) -> set[str]:
    """The visible characters of `text` for which the shipped font has no glyph."""
    return {char for char in text if not char.isspace() and ord(char) not in covered()}


def width(text: str, size: float, weight: Weight = "regular", tracking: float = 0.0) -> float:
    """Pixels `text` takes in a line, with `tracking` pixels between characters."""
    return float(font(size, weight).getlength(text)) + tracking * max(0, len(text) - 1)


def write(
    sheet: Image.Image,
    place: tuple[float, float],
    text: str,
    size: float,
    tint: Colour,
    *,
    weight: Weight = "regular",
    tracking: float = 0.0,
    anchor: str = "l",
    alpha: float = 1.0,
) -> None:
    """Letter `text` on `sheet`: `place` is the left end, middle or right end (`anchor` l, m, r) of its
    optical middle line."""
    pen = ImageDraw.Draw(sheet, "RGBA" if sheet.mode == "RGB" else None)
    x, y = place
    total = width(text, size, weight, tracking)
    x -= {"l": 0.0, "m": total / 2, "r": total}[anchor]
    thick = _FACES[weight][1] * size
    ink = colour(tint, alpha)
    pieces = list(text) if tracking else [text]
    for piece in pieces:
        pen.text(
            (x, y), piece, font=font(size, weight), fill=ink, stroke_width=thick, stroke_fill=ink, anchor="lm"
        )
        x += float(font(size, weight).getlength(piece)) + tracking


def label(
    text: str,
    size: float,
    tint: Colour,
    *,
    weight: Weight = "regular",
    tracking: float = 0.0,
    shadow: Colour | None = None,
) -> Image.Image:
    """`text` alone on a transparent sheet, with an optional soft shadow."""
    margin = round(size * 0.28)
    sheet_size = (round(width(text, size, weight, tracking)) + 2 * margin, round(size * 1.3) + 2 * margin)
    clear = (*colour(shadow or tint)[:3], 0)
    sheet = Image.new("RGBA", sheet_size, clear)
    middle = (float(margin), sheet_size[1] / 2)
    if shadow is not None:
        write(
            sheet, (middle[0], middle[1] + size * 0.04), text, size, shadow, weight=weight, tracking=tracking
        )
        sheet = sheet.filter(ImageFilter.GaussianBlur(size * 0.07))
        glyphs = Image.new("RGBA", sheet_size, (*colour(tint)[:3], 0))
        write(glyphs, middle, text, size, tint, weight=weight, tracking=tracking)
        return Image.alpha_composite(sheet, glyphs)
    write(sheet, middle, text, size, tint, weight=weight, tracking=tracking)
    return sheet
