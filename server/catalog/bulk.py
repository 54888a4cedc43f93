"""Importing many programmes from a list: what each row would become, and what is wrong with it, before a byte is sent.

The same list may be read again at any time: a row whose programme is there already (the same title, a source of the same
size) is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from protocol.times import SHANGHAI, to_text
from server.catalog import description, service
from server.catalog.discs import Listed, Match, Shelf
from server.catalog.models import Asset, Edition, Programme
from server.catalog.programmes import known_regions
from server.catalog.sheets import SheetRow, read_sheet
from server.catalog.uploads import MAX_SIZE
from server.errors import Forbidden, Invalid, YuanboError
from server.i18n import N_
from server.identity.rules import Action, Caller

PROBLEMS: dict[str, str] = {
    "no_file": N_("没有写文件"),
    "missing": N_("找不到文件“%(name)s”"),
    "ambiguous": N_("有多个文件叫“%(name)s”，请写明文件夹"),
    "empty": N_("文件“%(name)s”是空的"),
    "program": N_("“%(name)s”是程序，不是节目"),
    "not_joinable": N_("“%(name)s”有几个文件，这种格式不能直接拼接，请每个文件写一行"),
    "no_media": N_("文件夹“%(name)s”里没有节目文件"),
    "too_large": N_("文件“%(name)s”太大"),
    "merged_file": N_("“文件”一列不能用合并单元格"),
    "merged_title": N_("“标题”一列不能用合并单元格"),
}


@dataclass
class RowPlan:
    """What a row would become. ``state``: new, exists, bad. ``programme`` are the fields of the API's request."""

    number: int
    title: str
    state: str = "new"
    files: list[str] = field(default_factory=list)
    size: int = 0
    programme: dict[str, Any] = field(default_factory=dict)
    subtitles: list[str] = field(default_factory=list)
    attachments: list[str] = field(default_factory=list)
    problems: list[YuanboError] = field(default_factory=list)
    existing: str | None = None


def plan(session: Session, caller: Caller, sheet: bytes, name: str, files: Sequence[Listed]) -> list[RowPlan]:
    """Every row of the list with what is wrong with it. Raises Invalid when the list itself cannot be read."""
    caller.require(Action.CATALOG_UPLOAD)
    return plan_rows(session, caller, read_sheet(sheet, name), files)


def plan_rows(
    session: Session, caller: Caller, rows: Sequence[SheetRow], files: Sequence[Listed]
) -> list[RowPlan]:
    """The same of rows that were read already."""
    planner = _Planner(session, caller, Shelf(files))
    found = [planner.row(row) for row in rows]
    _mark_doubles(found)
    _mark_existing(session, caller, found)
    return found


class _Planner:
    """Reads rows; every problem is kept and the next cell looked at."""

    def __init__(self, session: Session, caller: Caller, shelf: Shelf) -> None:
        self._session, self._caller, self._shelf = session, caller, shelf

    def row(self, row: SheetRow) -> RowPlan:
        made = RowPlan(number=row.number, title=row.values.get("title", ""))
        made.problems += [Invalid(PROBLEMS[code], code=code) for code in row.problems]
        self._source(made, row.values.get("file", ""))
        for key, read in self._readers().items():
            self._field(made, key, row.values.get(key, ""), read)
        if row.values.get("course_order"):
            self._field(made, "course_order", row.values["course_order"], _order)
        made.programme["rights"] = self._rights(made, row.values)
        made.subtitles = self._companions(
            made, row.values.get("subtitles", ""), (".srt", ".ass", ".ssa", ".vtt")
        )
        made.attachments = self._companions(made, row.values.get("attachments", ""), (".pdf",))
        if made.problems:
            made.state = "bad"
        return made

    def _readers(self) -> dict[str, Callable[[str], Any]]:
        return {
            "title": service.clean_title,
            "section": lambda text: service.section_named(self._session, text).slug,
            "sections": lambda text: [service.section_named(self._session, one).slug for one in _split(text)],
            "department": self._department,
            "region": self._region,
            "summary": lambda text: service.clean_text(text, service.MAX_SUMMARY),
            "tags": lambda text: description.clean_tags(_split(text)),
            "local_type": description.clean_local_type,
            "audience": description.clean_audience,
            "months": lambda text: description.clean_months(_months(text)),
            "course": lambda text: service.clean_title(text) if text else None,
        }

    def _field(self, made: RowPlan, key: str, text: str, read: Callable[[str], Any]) -> None:
        try:
            value = read(text) if text or key in ("title", "section") else None
        except (Invalid, Forbidden) as error:
            made.problems.append(error)
            return
        if value is not None:
            made.programme[key] = value

    def _department(self, text: str) -> str | None:
        return service.department_for(self._session, self._caller, text)

    def _region(self, text: str) -> str:
        return service.region_for(self._session, self._caller, text)

    def _source(self, made: RowPlan, said: str) -> None:
        match = self._shelf.find(said)
        problem = match.problem or ("too_large" if match.size > MAX_SIZE else None)
        if problem:
            made.problems.append(Invalid(PROBLEMS[problem], code=problem, name=said or "?"))
        made.files, made.size = [file.path for file in match.files], match.size

    def _companions(self, made: RowPlan, said: str, endings: tuple[str, ...]) -> list[str]:
        found = []
        for name in _split(said):
            match = self._shelf.find(name)
            problem = match.problem or _wrong_ending(match, endings)
            if problem:
                made.problems.append(Invalid(PROBLEMS.get(problem, problem), code="companion", name=name))
            found += [file.path for file in match.files[:1]]
        return found

    def _rights(self, made: RowPlan, values: dict[str, str]) -> dict[str, Any]:
        rights: dict[str, Any] = {}
        readers: dict[str, Callable[[str], Any]] = {
            "source": lambda text: service.clean_text(text, 200),
            "licence": lambda text: service.clean_text(text, 200),
            "valid_from": _first_moment,
            "valid_until": _last_moment,
            "regions": lambda text: known_regions(self._session, _split(text)),
        }
        names = {"valid_from": "rights_from", "valid_until": "rights_until"}
        for key, read in readers.items():
            if text := values.get(names.get(key, f"rights_{key}"), ""):
                try:
                    rights[key] = read(text)
                except Invalid as error:
                    made.problems.append(error)
        if {"valid_from", "valid_until"} <= rights.keys() and rights["valid_from"] >= rights["valid_until"]:
            made.problems.append(Invalid(N_("版权期限的结束须在开始之后"), code="rights"))
        return rights


def _wrong_ending(match: Match, endings: tuple[str, ...]) -> str | None:
    fits = all(file.path.lower().endswith(endings) for file in match.files)
    return None if fits else N_("“%(name)s”不是字幕或 PDF 文件")


def _mark_doubles(rows: Sequence[RowPlan]) -> None:
    """The second row of the same file, or of the same title and size, is bad."""
    seen: dict[object, int] = {}
    for row in rows:
        for key in (tuple(row.files),) if row.files else ():
            first = seen.setdefault(key, row.number)
            if first != row.number:
                row.problems.append(Invalid(N_("与第 %(row)d 行重复"), code="double", row=first))
                row.state = "bad"


def _mark_existing(session: Session, caller: Caller, rows: Sequence[RowPlan]) -> None:
    """Rows whose programme is there already: the same title, a source of the same size, seen by the caller."""
    wanted = [row for row in rows if row.state == "new"]
    titles = sorted({row.programme["title"] for row in wanted})
    known: dict[tuple[str, int], str] = {}
    for start in range(0, len(titles), 500):
        found = session.execute(
            select(Programme.id, Programme.title, Asset.size)
            .join(Edition, Edition.programme_id == Programme.id)
            .join(Asset, Asset.id == Edition.asset_id)
            .where(Programme.title.in_(titles[start : start + 500]), service.visible_to(caller))
        )
        known |= {(row.title, row.size): row.id for row in found}
    for row in wanted:
        row.existing = known.get((row.programme["title"], row.size))
        if row.existing:
            row.state = "exists"


# --- cells ------------------------------------------------------------------------------------------------------------
def _split(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"[;；,，、\n]", text) if part.strip()]


def _months(text: str) -> list[int]:
    """``12；1-3`` → 12, 1, 2, 3; a span may run over the end of the year. Raises Invalid."""
    found: list[int] = []
    for part in _split(text.replace("月", "")):
        match = re.fullmatch(r"(\d{1,2})(?:\s*[-–—~～至]\s*(\d{1,2}))?", part)
        if match is None or not 1 <= int(match.group(1)) <= 12:
            raise Invalid(N_("农时月份应在 1 到 12 之间"), code="months")
        first, last = int(match.group(1)), int(match.group(2) or match.group(1))
        if not 1 <= last <= 12:
            raise Invalid(N_("农时月份应在 1 到 12 之间"), code="months")
        found += [(month - 1) % 12 + 1 for month in range(first, (last if last >= first else last + 12) + 1)]
    return found


def _order(text: str) -> int:
    if not re.fullmatch(r"\d{1,4}", text) or int(text) < 1:
        raise Invalid(N_("课程序号“%(text)s”不是正整数"), code="course_order", text=text)
    return int(text)


def _day(text: str) -> datetime:
    match = re.fullmatch(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?", text.strip())
    try:
        if match is None:
            raise ValueError(text)
        year, month, day = (int(part) for part in match.groups())
        return datetime(year, month, day, tzinfo=SHANGHAI)
    except ValueError as error:
        raise Invalid(N_("日期“%(text)s”不对，例：2026-12-31"), code="date", text=text[:20]) from error


def _first_moment(text: str) -> str:
    return to_text(_day(text))


def _last_moment(text: str) -> str:
    """The end of that day."""
    return to_text(_day(text) + timedelta(days=1))
