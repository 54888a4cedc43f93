"""课件: what is courseware, and how a 三分屏 folder keeps its sync. Pure.

Three kinds are read: PDF; PowerPoint, where the machine can turn it into PDF; and a packed 三分屏 folder: one film, slides
as pictures, and an index that says when which slide is shown. Every maker of such folders wrote his own index, so any
XML, JSON, CSV, text or script file counts as one where a slide's file name stands with a time beside it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from server.errors import Invalid
from server.i18n import N_

PDF_MARK = b"%PDF-"
ZIP_MARK = b"PK\x03\x04"
OLE_MARK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""PowerPoint before 2007."""
MAX_PAGES = 500
PAGE_MS = 20_000
"""How long a page stands in the film made of a PDF."""
FILMS = (".wmv", ".mp4", ".asf", ".avi", ".mpg", ".mpeg", ".flv", ".rm", ".rmvb", ".mov", ".mkv", ".m4v")
SLIDES = (".jpg", ".jpeg", ".png", ".gif", ".bmp")
INDEXES = (".xml", ".json", ".csv", ".txt", ".js", ".htm", ".html", ".smi", ".lst")
MAX_INDEX = 4 * 1024 * 1024


@dataclass(frozen=True)
class Page:
    """A slide: its file in the folder, when it is shown, its name for people."""

    file: str
    at_ms: int
    title: str = ""


@dataclass(frozen=True)
class ThreeScreen:
    """A 三分屏 folder: the film and its pages in order of time."""

    film: str
    pages: tuple[Page, ...]


def is_courseware(head: bytes, filename: str) -> bool:
    """Whether a file is made into pages before it is encoded: PDF, PowerPoint, or a packed 三分屏 folder."""
    return (
        PDF_MARK in head[:1024]
        or head.startswith(ZIP_MARK)
        or (head.startswith(OLE_MARK) and filename.lower().endswith((".ppt", ".pps")))
    )


def is_powerpoint(head: bytes, names: Iterable[str] = ()) -> bool:
    """Whether it is a presentation, old (OLE) or new (a zip of these ``names``)."""
    return head.startswith(OLE_MARK) or "ppt/presentation.xml" in set(names)


def read_folder(names: Sequence[str], texts: Mapping[str, str], *, file: str) -> ThreeScreen:
    """The film and the pages of a folder. ``names`` are all its files, ``texts`` the decoded index files among them.

    Raises Invalid naming ``file`` (the courseware) and what is wrong with it.
    """
    films = [name for name in names if name.lower().endswith(FILMS)]
    slides = [name for name in names if name.lower().endswith(SLIDES)]
    if len(films) != 1:
        raise Invalid(
            N_("课件“%(file)s”里应有一个视频，实际有 %(count)d 个"),
            code="courseware",
            file=file,
            count=len(films),
        )
    if not slides:
        raise Invalid(N_("课件“%(file)s”里没有幻灯片图片"), code="courseware", file=file)
    by_name: dict[str, str] = {}
    for slide in slides:
        by_name.setdefault(PurePosixPath(slide).name.lower(), slide)
    best: list[Page] = []
    for name in sorted(texts):
        found = _pages_in(texts[name], by_name, file)
        if len(found) > len(best):
            best = found
    if not best:
        raise Invalid(N_("课件“%(file)s”里没有说明每张幻灯片何时出现的索引"), code="courseware", file=file)
    if len(best) > MAX_PAGES:
        raise Invalid(N_("课件“%(file)s”超过 %(most)d 页"), code="courseware", file=file, most=MAX_PAGES)
    return ThreeScreen(film=films[0], pages=tuple(sorted(best, key=lambda page: page.at_ms)))


# --- indexes of any make ----------------------------------------------------------------------------------------------
_RECORD = re.compile(r"<[^<>]{1,2000}>(?:[^<>]{0,300})|\{[^{}]{1,2000}\}|[^\r\n]{1,2000}")
_SLIDE = re.compile(r"([^\s\"'=<>|,;\\/(){}\[\]]{1,120}\.(?:jpe?g|png|gif|bmp))", re.IGNORECASE)
_CLOCK = re.compile(r"(?<![\d:.])(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?(?:[.,](\d{1,3}))?(?![\d:])")
_NAMED_TIME = re.compile(
    r"(?:time|start|begin|at|pos|position|sync|offset)[\w-]{0,8}[\"']?\s*[=:]\s*[\"']?(\d{1,9}(?:\.\d{1,3})?)\s*(ms|s)?",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w.:])(\d{1,9}(?:\.\d{1,3})?)(?![\w.:])")
_TITLE = re.compile(r"(?:title|name|caption|标题)[\"']?\s*[=:]\s*[\"']([^\"']{1,100})[\"']", re.IGNORECASE)
_MS_FROM = 20_000
"""Plain numbers whose largest is beyond this are milliseconds: no lesson lasts 20,000 seconds."""


def _pages_in(text: str, by_name: Mapping[str, str], file: str) -> list[Page]:
    """The pages that an index names. Raises Invalid when it names a slide that is not there."""
    found: list[tuple[str, float, bool, str]] = []
    for record in _records(text):
        slide, when = _SLIDE.search(record), _time_in(record)
        if slide is None or when is None:
            continue
        name = PurePosixPath(slide.group(1)).name.lower()
        if name not in by_name:
            raise Invalid(
                N_("课件“%(file)s”缺少幻灯片 %(slide)s"), code="courseware", file=file, slide=slide.group(1)
            )
        title = _TITLE.search(record)
        found.append((by_name[name], *when, title.group(1).strip() if title else ""))
    plain = [seconds for _, seconds, is_clock, _ in found if not is_clock]
    scale = 1 if plain and max(plain) > _MS_FROM else 1_000
    return [
        Page(slide, round(seconds * (1_000 if is_clock else scale)), title)
        for slide, seconds, is_clock, title in found
    ]


def _records(text: str) -> list[str]:
    if text.lstrip().startswith(("[", "{")):
        try:
            return [json.dumps(one, ensure_ascii=False) for one in _objects(json.loads(text))]
        except (ValueError, RecursionError):
            pass
    return [match.group(0) for match in _RECORD.finditer(text)]


def _objects(node: object) -> list[object]:
    if isinstance(node, dict):
        inner = [one for value in node.values() for one in _objects(value)]
        return inner or [node]
    if isinstance(node, list):
        if node and not any(isinstance(one, dict | list) for one in node):
            return [node]
        return [one for value in node for one in _objects(value)]
    return []


def _time_in(record: str) -> tuple[float, bool] | None:
    """(seconds or a plain number, whether it is surely seconds) of the time that stands in a record."""
    without = _SLIDE.sub(" ", record)
    if clock := _CLOCK.search(without):
        first, second, third, fraction = clock.groups()
        whole = (
            int(first) * 60 + int(second)
            if third is None
            else int(first) * 3600 + int(second) * 60 + int(third)
        )
        return whole + float(f"0.{fraction or 0}"), True
    if named := _NAMED_TIME.search(without):
        number, unit = float(named.group(1)), (named.group(2) or "").lower()
        return (number / 1_000, True) if unit == "ms" else (number, unit == "s")
    numbers = _NUMBER.findall(without)
    return (float(numbers[0]), False) if len(numbers) == 1 else None
