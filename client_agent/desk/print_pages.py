"""What is printed, as pages: ``/print/week``, ``/print/log?month=2026-11``; with ``lang=en`` in English. The phone's
listener may serve the same bodies (:func:`print_week`, :func:`print_log`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from html import escape
from http import HTTPStatus
from importlib import resources

from client_agent.desk.log_pages import month_sum, section_names
from client_agent.desk.paper.poster import PosterDay, PosterItem, PosterStudy, poster_html
from client_agent.desk.paper.sheet import sheet_html
from client_agent.desk.paper.words import say
from client_agent.desk.plan_pages import step
from client_agent.routes import Refused, TvParts
from protocol.batch import ClockState
from protocol.merge import Source
from protocol.times import day_of_ms, text_to_ms

DAYS = 7
Query = Mapping[str, str]
Page = tuple[str, str]
"""Content type and text."""
_ON_PAPER = frozenset({Source.FRAME, Source.LOCAL})


def print_week(parts: TvParts, query: Query) -> Page:
    """The poster of the coming seven days, today included. Raises Refused while nobody knows what day it is."""
    now_ms, clock = parts.desk.agent.clock.for_programmes()
    if clock is ClockState.UNCERTAIN:
        raise Refused(HTTPStatus.CONFLICT, "clock")
    today, lang = day_of_ms(now_ms), _lang(query)
    days = [_poster_day(parts, today + timedelta(days=step)) for step in range(DAYS)]
    return _page(
        say(lang, "poster"),
        poster_html(parts.desk.agent.identity.station_name, days, lang),
        "portrait",
        lang,
        keys=query.get("keys") != "0",
    )


def _poster_day(parts: TvParts, day: date) -> PosterDay:
    items = []
    for line in parts.guide.listing(day).items:
        if line.release is None or line.source not in _ON_PAPER:
            continue
        manifest = parts.guide.manifest(line.release)
        if manifest is not None and day_of_ms(line.starts_ms) == day:
            items.append(PosterItem(line.starts_ms, manifest.title, manifest.number, line.required))
    studies = [
        PosterStudy(text_to_ms(one.starts_at), one.title)
        for one in parts.desk.plan.days()
        if day_of_ms(text_to_ms(one.starts_at)) == day
    ]
    return PosterDay(day, items, studies)


def print_log(parts: TvParts, query: Query) -> Page:
    """A month of the log; ``month=last`` for the one before this. Raises Refused."""
    now_ms, clock = parts.desk.agent.clock.for_programmes()
    asked, lang = query.get("month", ""), _lang(query)
    present = day_of_ms(now_ms).isoformat()[:7]
    month = step(present, -1) if asked == "last" else asked or present
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
        raise Refused(HTTPStatus.BAD_REQUEST, "month")
    days = parts.desk.log.month(month)
    body = sheet_html(
        parts.desk.agent.identity.station_name, month, days, month_sum(days), section_names(parts.desk),
        now_ms if clock is not ClockState.UNCERTAIN else None, lang,
    )  # fmt: skip
    return _page(say(lang, "log"), body, "landscape", lang, keys=query.get("keys") != "0")


def _lang(query: Query) -> str:
    return "en" if query.get("lang") == "en" else "zh"


def _page(title: str, body: str, paper: str, lang: str, *, keys: bool) -> Page:
    """``keys``: with the line of keys and what they do; a phone has its own menu for printing."""
    below = f'<div class="keys">{say(lang, "keys")}</div><script src="print.js"></script>' if keys else ""
    text = (
        f'<!doctype html><html lang="{"zh-CN" if lang == "zh" else "en"}"><head><meta charset="utf-8">'
        f'<title>{escape(title)}</title><meta name="viewport" content="width=1000">'
        '<link rel="stylesheet" href="../fonts/noto-sans-sc.css"><link rel="stylesheet" href="print.css">'
        f'<link rel="stylesheet" href="{paper}.css"></head><body>{body}{below}</body></html>'
    )
    return "text/html; charset=utf-8", text


def _file(name: str) -> Callable[[TvParts, Query], Page]:
    kind = "text/javascript" if name.endswith(".js") else "text/css"

    def read(_parts: TvParts, _query: Query) -> Page:
        text = resources.files("client_agent.desk.paper").joinpath(name).read_text("utf-8")
        return f"{kind}; charset=utf-8", text

    return read


PAGES: dict[str, Callable[[TvParts, Query], Page]] = {
    "/print/week": print_week,
    "/print/log": print_log,
    **{f"/print/{name}": _file(name) for name in ("print.css", "portrait.css", "landscape.css", "print.js")},
}


def papers(parts: TvParts) -> dict[str, Callable[[dict[str, str]], Page]]:
    """The same for phones in the local network, without the set's keys; paths without their first slash."""

    def shown(make: Callable[[TvParts, Query], Page]) -> Callable[[dict[str, str]], Page]:
        def show(query: dict[str, str]) -> Page:
            try:
                return make(parts, query | {"keys": "0"})
            except Refused as refused:
                return "text/plain; charset=utf-8", f"{refused.reason}\n"

        return show

    return {path.removeprefix("/"): shown(make) for path, make in PAGES.items() if not path.endswith(".js")}
