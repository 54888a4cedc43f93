"""The listing as a picture for chat groups: 1080 wide, with a QR code. Pure: a guide in, a PNG out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

from server.fonts import Weight, font_path
from server.schedule.exports_layout import (
    GOLD,
    GREY,
    INK,
    PAPER,
    PINE,
    RED,
    STUDY_MARK,
    Day,
    days_of,
    drawable,
    qr_matrix,
    span_label,
    wrapped,
)
from server.schedule.guide import Guide

WIDTH = 1080
MOST_ROWS = 60
"""A longer picture is shrunk by chat programs until nobody can read it: the rest stands behind the QR code."""
_MARGIN, _HEAD, _FOOT = 48, 230, 300
_SIZE, _LINE, _GAP = 40, 60, 28
_TIME_AT, _TITLE_AT = 250, 390


@lru_cache(maxsize=16)
def _font(size: int, weight: Weight = "regular") -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(font_path(weight)), size)


@dataclass(frozen=True)
class _Placed:
    day: Day
    rows: list[tuple[str, list[str], bool]]
    height: int


def picture(guide: Guide) -> bytes:
    """A PNG, 1080 wide and as high as it needs to be."""
    days, left_out = _placed(guide)
    height = _HEAD + sum(d.height + _GAP for d in days) + _GAP + (_LINE if left_out else 0) + _FOOT
    image = Image.new("RGB", (WIDTH, height), PAPER)
    draw = ImageDraw.Draw(image)
    _head(draw, guide)
    top = _HEAD + _GAP
    for day in days:
        _draw_day(draw, day, top)
        top += day.height + _GAP
    if left_out:
        draw.text((_MARGIN, top), f"还有 {left_out} 个节目，请扫码查看", font=_font(_SIZE - 6), fill=GREY)
    _foot(draw, guide, height - _FOOT)
    out = BytesIO()
    image.quantize(64).save(out, "PNG", optimize=True)
    return out.getvalue()


def _placed(guide: Guide) -> tuple[list[_Placed], int]:
    """Days with wrapped rows, and how many rows were left out."""
    title_width = WIDTH - _MARGIN - 28 - _TITLE_AT
    days = []
    room = MOST_ROWS
    left_out = 0
    for day in days_of(guide):
        shown = day.rows[:room]
        room -= len(shown)
        left_out += len(day.rows) - len(shown)
        rows = [
            (
                row.time,
                wrapped(
                    row.title + (f"（{row.note}）" if row.note else ""),
                    title_width,
                    _font(_SIZE, "bold" if row.study else "regular").getlength,
                ),
                row.study,
            )
            for row in shown
        ]
        lines = max(sum(len(lines) for _, lines, _ in rows), 2 + day.study)
        days.append(_Placed(day, rows, lines * _LINE + 36))
    return days, left_out


def _draw_day(draw: ImageDraw.ImageDraw, placed: _Placed, top: int) -> None:
    day = placed.day
    box = (_MARGIN - 20, top, WIDTH - _MARGIN + 20, top + placed.height)
    draw.rounded_rectangle(
        box, 18, fill="white", outline=RED if day.study else (222, 227, 221), width=5 if day.study else 2
    )
    at = top + 16
    draw.text((_MARGIN + 6, at), day.weekday, font=_font(46, "bold"), fill=RED if day.study else PINE)
    draw.text((_MARGIN + 6, at + _LINE + 4), day.label, font=_font(31), fill=GREY)
    if day.study:
        draw.text((_MARGIN + 6, at + 2 * _LINE - 8), f"{STUDY_MARK}日", font=_font(31, "bold"), fill=RED)
    if not placed.rows:
        draw.text((_TIME_AT, at + 2), "无固定节目", font=_font(_SIZE), fill=GREY)
    for time, lines, study in placed.rows:
        draw.text((_TIME_AT, at + 2), time, font=_font(_SIZE), fill=INK)
        for text in lines:
            draw.text(
                (_TITLE_AT, at + 2),
                text,
                font=_font(_SIZE, "bold" if study else "regular"),
                fill=RED if study else INK,
            )
            at += _LINE


def _head(draw: ImageDraw.ImageDraw, guide: Guide) -> None:
    draw.rectangle((0, 0, WIDTH, _HEAD), fill=PINE)
    draw.rectangle((0, _HEAD, WIDTH, _HEAD + 7), fill=GOLD)
    title = f"{drawable(guide.name)} 节目预告"
    size = 76
    while _font(size, "bold").getlength(title) > WIDTH - 2 * _MARGIN and size > 30:
        size -= 2
    draw.text((_MARGIN, 50), title, font=_font(size, "bold"), fill="white")
    draft = "（草稿，尚未发布）" if guide.publication is None else ""
    draw.text((_MARGIN, 154), span_label(guide) + draft, font=_font(40), fill=(255, 230, 180))


def _foot(draw: ImageDraw.ImageDraw, guide: Guide, top: int) -> None:
    draw.rectangle((0, top, WIDTH, top + _FOOT), fill="white")
    side = 228
    if guide.url:
        matrix = qr_matrix(guide.url)
        cell = side // len(matrix)
        left, up = WIDTH - _MARGIN - cell * len(matrix), top + 36
        for y, row in enumerate(matrix):
            for x, dark in enumerate(row):
                if dark:
                    draw.rectangle(
                        (left + x * cell, up + y * cell, left + (x + 1) * cell - 1, up + (y + 1) * cell - 1),
                        fill="black",
                    )
        draw.text((_MARGIN, top + 60), "扫码看最新节目单", font=_font(46, "bold"), fill=PINE)
    draw.text((_MARGIN, top + 132), "节目以站点播出为准", font=_font(36), fill=INK)
    made = f"第 {guide.publication} 号发布" if guide.publication is not None else "草稿"
    for position, text in enumerate(
        wrapped(f"远播 · {drawable(guide.full_name)} · {made}", 740, _font(26).getlength)
    ):
        draw.text((_MARGIN, top + 194 + 34 * position), text, font=_font(26), fill=GREY)
