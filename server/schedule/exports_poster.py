"""The week as a printed sheet for the wall of a village station (节目单). Pure: a guide in, a PDF out.

To be read from two metres: characters as large as the sheet allows, never below :data:`SMALLEST_PT` (7 mm, which
the usual rule of 1/250 of the distance asks for with something to spare). A week that needs more takes more sheets.
Study days are marked by word and frame, not by colour alone: most village printers are black and white.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fpdf import FPDF

from protocol.times import SHANGHAI
from server.fonts import font_path
from server.schedule.exports_layout import (
    GOLD,
    GREY,
    INK,
    PINE,
    RED,
    STUDY_MARK,
    Day,
    Row,
    days_of,
    drawable,
    qr_matrix,
    span_label,
    wrapped,
)
from server.schedule.guide import Guide

Paper = Literal["A4", "A3"]
SMALLEST_PT = 20.0
LARGEST_PT = 44.0
_STEP_PT = 1.0
_MM_PER_PT = 25.4 / 72
_LINE = 1.32
"""Height of a line in character heights."""


@dataclass(frozen=True)
class _Sheet:
    """Measures of one paper size in millimetres."""

    width: float
    height: float
    margin: float
    head: float
    foot: float

    @property
    def room(self) -> float:
        return self.height - self.head - self.foot


_SHEETS: dict[Paper, _Sheet] = {
    "A4": _Sheet(210, 297, 9, 36, 30),
    "A3": _Sheet(297, 420, 12, 50, 42),
}


@dataclass(frozen=True)
class _Block:
    """A day (or the part of one that fits a sheet) with its wrapped rows."""

    day: Day
    rows: tuple[tuple[Row, tuple[str, ...]], ...]
    height: float


def poster(guide: Guide, paper: Paper = "A4") -> bytes:
    """A PDF with as many sheets as the week needs."""
    sheet = _SHEETS[paper]
    pdf = _open(guide, paper)
    days = days_of(guide)
    size, blocks = _largest(pdf, days, sheet)
    pages = _paginated(blocks, sheet, size)
    for number, page in enumerate(pages, 1):
        pdf.add_page()
        _head(pdf, guide, sheet, f"{number}/{len(pages)}" if len(pages) > 1 else "")
        at = sheet.head
        spare = max(0.0, sheet.room - sum(b.height for b in page)) if len(pages) == 1 else 0.0
        gap = min(spare / max(1, len(page)), size * _MM_PER_PT)
        for block in page:
            _draw_block(pdf, block, at, sheet, size, block.height + gap)
            at += block.height + gap
        _foot(pdf, guide, sheet)
    return bytes(pdf.output())


def _open(guide: Guide, paper: Paper) -> FPDF:
    pdf = FPDF(format=paper)
    pdf.set_auto_page_break(False)
    pdf.set_margin(0)
    pdf.add_font("sc", "", str(font_path("regular")))
    pdf.add_font("sc", "B", str(font_path("bold")))
    pdf.set_title(f"{guide.name} 节目单 {span_label(guide)}")
    pdf.set_lang("zh-CN")
    if guide.made_at:
        pdf.set_creation_date(guide.made_at)
    return pdf


def _largest(pdf: FPDF, days: Sequence[Day], sheet: _Sheet) -> tuple[float, list[_Block]]:
    """The largest characters with which the week fits one sheet; the smallest allowed where none do."""
    size = LARGEST_PT
    while size > SMALLEST_PT:
        blocks = [_block(pdf, day, sheet, size) for day in days]
        if sum(b.height for b in blocks) <= sheet.room:
            return size, blocks
        size -= _STEP_PT
    return SMALLEST_PT, [_block(pdf, day, sheet, SMALLEST_PT) for day in days]


def _columns(sheet: _Sheet, size: float) -> tuple[float, float, float]:
    """Left edges of time and title, and the title's width. The day's column is four characters and a bit wide."""
    char = size * _MM_PER_PT
    time_at = sheet.margin + 4.3 * char * 0.8
    title_at = time_at + 3.1 * char
    return time_at, title_at, sheet.width - sheet.margin - title_at


def _block(pdf: FPDF, day: Day, sheet: _Sheet, size: float) -> _Block:
    pdf.set_font("sc", "B", size)
    width = _columns(sheet, size)[2]
    rows = tuple((row, tuple(wrapped(_words(row), width, pdf.get_string_width))) for row in day.rows)
    return _Block(day, rows, _height(rows, day.study, size))


def _height(rows: Sequence[tuple[Row, tuple[str, ...]]], study: bool, size: float) -> float:
    line = size * _MM_PER_PT * _LINE
    return max(sum(len(lines) for _, lines in rows), 1.75 + 0.65 * study) * line + 0.4 * line


def _words(row: Row) -> str:
    marks = f"【{STUDY_MARK}】" if row.study else ""
    return f"{marks}{row.title}" + (f"（{row.note}）" if row.note else "")


def _paginated(blocks: Sequence[_Block], sheet: _Sheet, size: float) -> list[list[_Block]]:
    pages: list[list[_Block]] = [[]]
    used = 0.0
    for part in (p for block in blocks for p in _cut(block, sheet, size)):
        if pages[-1] and used + part.height > sheet.room + 0.01:
            pages.append([])
            used = 0.0
        pages[-1].append(part)
        used += part.height
    return pages


def _cut(block: _Block, sheet: _Sheet, size: float) -> list[_Block]:
    """A day that is taller than a sheet, in parts that are not."""
    if block.height <= sheet.room:
        return [block]
    most = max(1, int(sheet.room / (size * _MM_PER_PT * _LINE)) - 1)
    parts: list[list[tuple[Row, tuple[str, ...]]]] = [[]]
    for row in block.rows:
        if sum(len(lines) for _, lines in parts[-1]) + len(row[1]) > most:
            parts.append([])
        parts[-1].append(row)
    return [_Block(block.day, tuple(rows), _height(rows, block.day.study, size)) for rows in parts]


def _draw_block(pdf: FPDF, block: _Block, top: float, sheet: _Sheet, size: float, height: float) -> None:
    line = size * _MM_PER_PT * _LINE
    pdf.set_draw_color(*GREY)
    pdf.set_line_width(0.25)
    pdf.line(sheet.margin, top, sheet.width - sheet.margin, top)
    if block.day.study:
        pdf.set_draw_color(*RED)
        pdf.set_line_width(1.1)
        inset = sheet.margin * 0.45
        pdf.rect(inset, top + 0.8, sheet.width - 2 * inset, height - 1.6)
    time_at, title_at, _ = _columns(sheet, size)
    at = top + 0.2 * line
    _text(pdf, sheet.margin, at, block.day.weekday, size * 1.02, "B", RED if block.day.study else PINE)
    _text(pdf, sheet.margin, at + line, block.day.label, size * 0.62, "", GREY)
    if block.day.study:
        _text(pdf, sheet.margin, at + 1.68 * line, f"{STUDY_MARK}日", size * 0.62, "B", RED)
    if not block.rows:
        _text(pdf, time_at, at, "无固定节目", size, "", GREY)
    for row, lines in block.rows:
        _text(pdf, time_at, at, row.time, size, "", INK)
        for text in lines:
            _text(pdf, title_at, at, text, size, "B", RED if row.study else INK)
            at += line


def _head(pdf: FPDF, guide: Guide, sheet: _Sheet, number: str) -> None:
    scale = sheet.width / 210
    pdf.set_fill_color(*PINE)
    pdf.rect(0, 0, sheet.width, 29 * scale, style="F")
    pdf.set_fill_color(*GOLD)
    pdf.rect(0, 29 * scale, sheet.width, 1.2 * scale, style="F")
    title = f"{drawable(guide.name)} 节目单"
    right = f"{span_label(guide)} {number}".strip()
    pdf.set_font("sc", "", 20 * scale)
    room = sheet.width - 2 * sheet.margin - pdf.get_string_width(right) - 6
    size = 34 * scale
    pdf.set_font("sc", "B", size)
    while pdf.get_string_width(title) > room and size > 14:
        size -= 1
        pdf.set_font("sc", "B", size)
    white = (255, 255, 255)
    _text(pdf, sheet.margin, 14.5 * scale - size * _MM_PER_PT / 2, title, size, "B", white)
    pdf.set_font("sc", "", 20 * scale)
    at = sheet.width - sheet.margin - pdf.get_string_width(right)
    _text(pdf, at, 13 * scale, right, 20 * scale, "", white)
    if guide.publication is None:
        _text(pdf, at, 5 * scale, "草稿，尚未发布", 13 * scale, "B", (255, 214, 140))


def _foot(pdf: FPDF, guide: Guide, sheet: _Sheet) -> None:
    scale = sheet.width / 210
    top = sheet.height - sheet.foot + 2
    side = sheet.foot - 5
    text_at = sheet.margin
    if guide.url:
        _qr(pdf, guide.url, sheet.width - sheet.margin - side, top, side)
    _text(pdf, text_at, top + 2 * scale, "节目以站点播出为准，断网也能照常收看", 15 * scale, "B", INK)
    _text(
        pdf,
        text_at,
        top + 9.5 * scale,
        "手机扫右边的码，随时看最新节目单" if guide.url else "",
        13 * scale,
        "",
        INK,
    )
    made = f"{guide.made_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M} 制" if guide.made_at else ""
    issue = f"第 {guide.publication} 号发布" if guide.publication is not None else "草稿"
    _text(
        pdf, text_at, top + 17 * scale, " · ".join(t for t in ("远播", drawable(guide.full_name), issue, made) if t), 9 * scale, "", GREY
    )  # fmt: skip


def _qr(pdf: FPDF, url: str, left: float, top: float, side: float) -> None:
    """Drawn as shapes: sharp at every size of print."""
    matrix = qr_matrix(url)
    cell = side / len(matrix)
    pdf.set_fill_color(0, 0, 0)
    for y, row in enumerate(matrix):
        for x, dark in enumerate(row):
            if dark:
                pdf.rect(left + x * cell, top + y * cell, cell + 0.02, cell + 0.02, style="F")


def _text(
    pdf: FPDF,
    left: float,
    top: float,
    text: str,
    size: float,
    style: Literal["", "B"],
    colour: tuple[int, int, int],
) -> None:
    """One line whose top is at ``top``; the baseline of the font lies 0.88 of its size below."""
    pdf.set_font("sc", style, size)
    pdf.set_text_color(*colour)
    pdf.text(left, top + 0.88 * size * _MM_PER_PT, text)
