"""Catalogue health as a spreadsheet. Pure. A cell that begins like a formula is made text: titles come from outside."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

import xlsxwriter

from server.catalog.health import HealthReport, Item, ShelfHealth
from server.sheets import harmless, to_csv

Cell = str | int | float
_SHELF_HEAD = (
    "名称",
    "节目",
    "时长（小时）",
    "30 天新增",
    "新增时长（小时）",
    "本土节目",
    "最近更新",
    "状态",
)
_STATES = {"empty": "空架", "stale": "90 天没有更新", "fresh": "正常"}


def sheets(report: HealthReport) -> list[tuple[str, list[Sequence[Cell]]]]:
    """(name, rows) of each sheet; the first row of each is its head."""
    summary: list[Sequence[Cell]] = [
        ("项目", "数值"),
        ("地区", report.region_name),
        ("统计时间", report.at),
        ("已通过节目", report.programmes),
        ("总时长（小时）", report.hours),
        ("30 天新增节目", report.new_programmes),
        ("30 天新增时长（小时）", report.new_hours),
        ("本土占比", report.local_share),
        ("60 天内到期", report.expiring_count),
        ("30 天以上没有编排", report.unshown_count),
    ]
    return [
        ("概况", summary),
        ("板块", _shelves(report.sections)),
        ("资源单位", _shelves(report.departments)),
        ("地区", _shelves(report.places)),
        ("即将到期", _items(report.expiring, "到期")),
        ("无人编排", _items(report.unshown, "通过")),
    ]


def _shelves(rows: Sequence[ShelfHealth]) -> list[Sequence[Cell]]:
    return [
        _SHELF_HEAD,
        *(
            (r.name, r.programmes, r.hours, r.new_programmes, r.new_hours, r.local_programmes, r.newest_at or "", _STATES[r.state])
            for r in rows
        ),
    ]  # fmt: skip


def _items(rows: Sequence[Item], when: str) -> list[Sequence[Cell]]:
    return [
        ("标识", "标题", "板块", "地区", when),
        *((r.id, r.title, r.section, r.region, r.at) for r in rows),
    ]


def as_csv(report: HealthReport) -> bytes:
    """All sheets one below the other, in UTF-8 with a mark that spreadsheets know."""
    return to_csv(row for name, rows in sheets(report) for row in ([f"【{name}】"], *rows, []))


def as_xlsx(report: HealthReport) -> bytes:
    """A workbook; texts are written as texts, so that nothing is a formula."""
    file = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(file, options) as book:
        head = book.add_format({"bold": True, "bottom": 1})
        for name, rows in sheets(report):
            sheet = book.add_worksheet(name)
            sheet.set_column(0, 1, 28)
            sheet.set_column(2, 8, 16)
            sheet.freeze_panes(1, 0)
            for at, row in enumerate(rows):
                for column, cell in _cells(row):
                    if isinstance(cell, str):
                        sheet.write_string(at, column, str(harmless(cell)), head if at == 0 else None)
                    else:
                        sheet.write_number(at, column, cell)
    return file.getvalue()


def _cells(row: Sequence[Cell]) -> Iterator[tuple[int, Cell]]:
    yield from enumerate(row)
