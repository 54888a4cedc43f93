"""Spreadsheets from outside and for outside: the import's list (xlsx, csv), its template, and harmless cells. Pure.

What comes in is hostile: packed bombs, merged cells, GBK, formulas. What goes out must not start a formula in anybody's
spreadsheet program, whatever somebody typed as a title.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from server.catalog.description import plain_line
from server.catalog.subtitles import decode_text
from server.errors import Invalid
from server.i18n import N_
from server.sheets import to_csv

MAX_BYTES = 8 * 1024 * 1024
MAX_UNPACKED = 80 * 1024 * 1024
MAX_ROWS = 5_000
MAX_COLUMNS = 60
MAX_CELL = 20_000
"""What makes a spreadsheet program read a text as a formula (OWASP, CSV injection)."""


@dataclass(frozen=True)
class Column:
    """A column of the list: its key, its heading, what to write there, an example."""

    key: str
    heading: str
    hint: str = ""
    example: str = ""
    required: bool = False


COLUMNS: tuple[Column, ...] = (
    Column("file", "文件", "文件名、相对路径或光盘文件夹；一盘多个文件用分号隔开", "苹果冬剪.mp4", True),
    Column("title", "标题", "1 到 200 字", "苹果冬剪", True),
    Column("section", "板块", "十二个板块之一", "农业科技", True),
    Column("sections", "附加板块", "用分号隔开", "致富信息"),
    Column("department", "资源单位", "不填为本单位自办", "省农林科学院"),
    Column("region", "地区", "行政区划代码，不填为本地区", ""),
    Column("summary", "简介", "", "讲冬季修剪的四个步骤"),
    Column("tags", "标签", "用分号隔开", "苹果；修剪"),
    Column("local_type", "本土类型", "新农村建设成就、风土人情专题或地方特色文艺", ""),
    Column("audience", "适用对象", "", "果农"),
    Column("months", "农时月份", "1 到 12，用分号隔开，可写 11-2", "12；1；2"),
    Column("course", "课程", "同名的归为一个课程", "果树四季"),
    Column("course_order", "课程序号", "", "1"),
    Column("rights_source", "来源", "", "省农林科学院"),
    Column("rights_licence", "授权方式", "", "本单位摄制，全省使用"),
    Column("rights_from", "授权起", "2026-01-01", ""),
    Column("rights_until", "授权止", "2028-12-31（含当天）", ""),
    Column("rights_regions", "授权地区", "行政区划代码，用分号隔开，不填为不限", ""),
    Column("subtitles", "字幕", "SRT、ASS 或 VTT 文件", ""),
    Column("attachments", "附件", "PDF 文件，用分号隔开", ""),
)
_KEYS = {name: column.key for column in COLUMNS for name in (column.heading, column.key)}
_SINGLE = ("file", "title")
"""What cannot be the same for several rows."""


@dataclass(frozen=True)
class SheetRow:
    """A row: its number as the spreadsheet program shows it, its texts by key, what is wrong with its cells."""

    number: int
    values: dict[str, str]
    problems: tuple[str, ...] = ()


def read_sheet(data: bytes, name: str) -> list[SheetRow]:
    """The rows of an import list that say anything. Raises Invalid naming the file and the reason."""
    if len(data) > MAX_BYTES:
        raise Invalid(N_("表格“%(file)s”超过 %(most)d MB"), code="sheet", file=name, most=MAX_BYTES >> 20)
    if not data:
        raise Invalid(N_("文件“%(file)s”是空的"), code="empty", file=name)
    lines = _xlsx(data, name) if data.startswith(b"PK\x03\x04") else _csv(data, name)
    return _rows(lines, name)


def _rows(lines: Iterable[tuple[int, Sequence[str], frozenset[int]]], name: str) -> list[SheetRow]:
    keys: list[str | None] = []
    found: list[SheetRow] = []
    for number, cells, merged in lines:
        if not any(cells):
            continue
        if not keys:
            keys = _headings(cells, name)
            continue
        values = {key: text for key, text in zip(keys, cells, strict=False) if key and text}
        if not values:
            continue
        if len(found) == MAX_ROWS:
            raise Invalid(N_("表格“%(file)s”超过 %(most)d 行"), code="sheet", file=name, most=MAX_ROWS)
        shared = [key for at, key in enumerate(keys) if at in merged and key in _SINGLE]
        found.append(SheetRow(number, values, tuple(f"merged_{key}" for key in shared)))
    if not keys:
        raise Invalid(N_("表格“%(file)s”里什么也没有"), code="sheet", file=name)
    return found


def _headings(cells: Sequence[str], name: str) -> list[str | None]:
    keys = [_KEYS.get(text.rstrip("*＊ ").strip()) for text in cells]
    missing = [column.heading for column in COLUMNS if column.required and column.key not in keys]
    if missing:
        raise Invalid(
            N_("表格“%(file)s”缺少列：%(columns)s"), code="sheet", file=name, columns="、".join(missing)
        )
    doubled = {key for key in keys if key and keys.count(key) > 1}
    if doubled:
        raise Invalid(N_("表格“%(file)s”有重复的列"), code="sheet", file=name)
    return keys


def _csv(data: bytes, name: str) -> Iterable[tuple[int, Sequence[str], frozenset[int]]]:
    if b"\0" in data[:4096] and data[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        raise Invalid(N_("“%(file)s”不是 xlsx 或 csv 表格"), code="sheet", file=name)
    text = decode_text(data, name)
    first = text.lstrip("\ufeff\r\n").split("\n", 1)[0]
    separator = max(",\t;", key=first.count)
    try:
        for number, cells in enumerate(
            csv.reader(io.StringIO(text.lstrip("\ufeff")), delimiter=separator), start=1
        ):
            yield number, [_cell(text) for text in cells[:MAX_COLUMNS]], frozenset()
    except csv.Error as error:
        raise Invalid(N_("“%(file)s”不是 xlsx 或 csv 表格"), code="sheet", file=name) from error


def _xlsx(data: bytes, name: str) -> Iterable[tuple[int, Sequence[str], frozenset[int]]]:
    sheet = _first_sheet(data, name)
    spread: dict[tuple[int, int], Any] = {}
    for area in sheet.merged_cells.ranges:
        if area.size["rows"] * area.size["columns"] > MAX_ROWS * 4:
            raise Invalid(N_("表格“%(file)s”里的合并单元格太大"), code="sheet", file=name)
        value = sheet.cell(area.min_row, area.min_col).value
        spread |= dict.fromkeys(area.cells, value)
    if sheet.max_row > MAX_ROWS * 4:
        raise Invalid(N_("表格“%(file)s”超过 %(most)d 行"), code="sheet", file=name, most=MAX_ROWS)
    for number, row in enumerate(sheet.iter_rows(max_col=MAX_COLUMNS), start=1):
        texts = [_cell(spread.get((cell.row, cell.column), cell.value)) for cell in row]
        yield number, texts, frozenset(at for at, cell in enumerate(row) if (cell.row, cell.column) in spread)


def _first_sheet(data: bytes, name: str) -> Any:
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            if sum(entry.file_size for entry in packed.infolist()) > MAX_UNPACKED:
                raise Invalid(N_("表格“%(file)s”展开后太大"), code="archive_bomb", file=name)
        return openpyxl.load_workbook(io.BytesIO(data), data_only=True, keep_links=False).worksheets[0]
    except Invalid:
        raise
    except (
        InvalidFileException,
        zipfile.BadZipFile,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
    ) as error:
        raise Invalid(N_("“%(file)s”不是 xlsx 或 csv 表格"), code="sheet", file=name) from error
    except Exception as error:  # its reader has no family of errors: XML, zlib, index errors
        raise Invalid(N_("“%(file)s”不是 xlsx 或 csv 表格"), code="sheet", file=name) from error


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return plain_line(str(value)[:MAX_CELL])


# --- out --------------------------------------------------------------------------------------------------------------
def to_xlsx(
    title: str, headings: Sequence[str], rows: Iterable[Sequence[object]], *, hints: Sequence[str] = ()
) -> bytes:
    """A workbook whose cells are texts and numbers, never formulas or links; ``hints`` are notes on the headings."""
    import xlsxwriter

    out = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(out, options) as book:
        sheet = book.add_worksheet(title[:31])
        bold = book.add_format({"bold": True, "bg_color": "#E8EEF7", "border": 1})
        text = book.add_format({"num_format": "@"})
        for at, heading in enumerate(headings):
            sheet.write_string(0, at, heading, bold)
            if at < len(hints) and hints[at]:
                sheet.write_comment(0, at, hints[at])
        sheet.set_column(0, max(0, len(headings) - 1), 16, text)
        sheet.freeze_panes(1, 0)
        for number, row in enumerate(rows, start=1):
            for at, cell in enumerate(row):
                if isinstance(cell, int | float) and not isinstance(cell, bool):
                    sheet.write_number(number, at, cell)
                else:
                    sheet.write_string(number, at, str(cell), text)
    return out.getvalue()


def template(kind: str) -> bytes:
    """The empty list with one example row, as ``xlsx`` or ``csv``."""
    headings = [column.heading + ("*" if column.required else "") for column in COLUMNS]
    example = [column.example for column in COLUMNS]
    if kind == "csv":
        return to_csv([headings, example])
    return to_xlsx("节目清单", headings, [example], hints=[column.hint for column in COLUMNS])
