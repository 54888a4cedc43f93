"""收看记录 on paper: a month as the township's register asks for it (pure). Sessions have a row each; what people chose for
themselves is summed by day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from html import escape
from typing import Any

from client_agent.desk.log_lines import Entry, LogDay, LogKind
from client_agent.desk.paper.words import day_words, say, why
from protocol.times import SHANGHAI, from_ms

COLUMNS = (
    "date", "span", "what", "section", "how", "heads", "members", "led", "talk", "remark", "source", "checked",
)  # fmt: skip
MINUTES_LENGTH = 120


def sheet_html(
    station: str,
    month: str,
    days: Sequence[LogDay],
    sums: Mapping[str, int],
    names: Mapping[str, Mapping[str, str]],
    printed_ms: int | None,
    lang: str = "zh",
) -> str:
    """The sheet's body; ``days`` in any order."""
    printed = f"{from_ms(printed_ms).astimezone(SHANGHAI):%Y-%m-%d %H:%M}" if printed_ms is not None else "—"
    head = "".join(f'<th class="w-{name}">{say(lang, name)}</th>' for name in COLUMNS)
    rows = "".join(_day(day, names, lang) for day in sorted(days, key=lambda day: day.day))
    if not rows:
        rows = f'<tr><td colspan="{len(COLUMNS)}" class="mid">{say(lang, "empty")}</td></tr>'
    total = say(
        lang, "sum", sums["studies"], _minutes(sums["study_ms"]), sums["present"], _minutes(sums["played_ms"]), sums["late"]
    )  # fmt: skip
    year, number = month.split("-")
    return (
        f'<section class="sheet wide log"><h1>{say(lang, "log")}</h1>'
        f'<div class="where"><b>{escape(station)}</b><b>{say(lang, "month", year, int(number))}</b>'
        f"<span>{say(lang, 'printed', printed)}</span></div>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        f'<p class="where">{total}</p>'
        f'<div class="signed"><span>{say(lang, "signed")}</span><span>{say(lang, "stamp")}</span></div></section>'
    )


def _day(day: LogDay, names: Mapping[str, Mapping[str, str]], lang: str) -> str:
    rows = [
        _row(entry, names, lang) for entry in reversed(day.entries) if entry.line.kind is not LogKind.VIEWING
    ]
    chosen = [entry for entry in day.entries if entry.line.kind is LogKind.VIEWING and not entry.void]
    if chosen:
        first, last = min(one.line.from_ms for one in chosen), max(one.line.to_ms for one in chosen)
        played = sum(one.played_ms for one in chosen)
        what = f"{say(lang, 'programmes', len(chosen))}，{say(lang, 'minutes', _minutes(played))}"
        checked = " ".join(sorted({one.checked for one in chosen if one.checked}))
        cells: list[Any] = [
            _date(day.day, lang), f"{_clock(first)}–{_clock(last)}", what, _sections(chosen, names, lang), say(lang, "chosen"),
            "", "", "", "", _marks(chosen, lang), say(lang, "auto"), checked,
        ]  # fmt: skip
        rows.append(_cells(cells))
    return "".join(rows)


def _row(entry: Entry, names: Mapping[str, Mapping[str, str]], lang: str) -> str:
    line, heads = entry.line, entry.heads
    what = "；".join(
        one.title + (f"（{say(lang, 'number', one.number)}）" if one.number else "")
        for one in line.programmes
    )
    cells: list[Any] = [
        _date(line.day, lang),
        f"{_clock(line.from_ms)}–{_clock(line.to_ms)}",
        what or line.title or "—",
        _sections([entry], names, lang),
        say(lang, "group"),
        f"{heads.expected or '—'} / {heads.present}" if heads else "—",
        f"{heads.members} / {heads.public}" if heads and heads.members else "—",
        line.by or say(lang, "nobody"),
        say(lang, "minutes", _minutes(line.discussion_ms)) if line.discussion_ms else "—",
        _marks([entry], lang),
        say(lang, "manual" if entry.manual else "auto"),
        entry.checked,
    ]
    return _cells(cells, void=entry.void)


def _marks(entries: Sequence[Entry], lang: str) -> list[str]:
    """Minutes, then late entries and doubts in amber: each a line of its own, as HTML."""
    said, found = [], []
    for entry in entries:
        said += [text[:MINUTES_LENGTH] for text in entry.minutes]
        if entry.manual:
            found.append(say(lang, "late", "", entry.line.by, why(lang, entry.line.reason)))
        if entry.line.clock == "uncertain":
            found.append(say(lang, "uncertain"))
        for late in entry.lates:
            told = why(lang, late.text) if late.text else why(lang, late.reason)
            when = f"{from_ms(late.at_ms).astimezone(SHANGHAI):%m-%d}"
            found.append(
                say(lang, "late", when, late.by, told) + (f"，{say(lang, 'void')}" if late.void else "")
            )
    plain = [f"<div>{escape(one)}</div>" for one in said]
    return plain + [f'<div class="late">{escape(one)}</div>' for one in dict.fromkeys(found)]


def _sections(entries: Sequence[Entry], names: Mapping[str, Mapping[str, str]], lang: str) -> str:
    slugs = dict.fromkeys(one.section for entry in entries for one in entry.line.programmes if one.section)
    return "、".join(names.get(slug, {}).get(lang, slug) for slug in slugs)


def _cells(cells: Sequence[Any], *, void: bool = False) -> str:
    made = []
    for name, cell in zip(COLUMNS, cells, strict=True):
        inside = "".join(cell) if isinstance(cell, list) else escape(str(cell))
        kind = (
            "void"
            if void and name in ("span", "what", "heads")
            else "mid"
            if name not in ("what", "remark", "section")
            else ""
        )
        made.append(f'<td class="{kind}">{inside}</td>')
    return f"<tr>{''.join(made)}</tr>"


def _date(day: str, lang: str) -> str:
    return day_words(lang, date.fromisoformat(day))[0]


def _minutes(ms: int) -> int:
    return round(ms / 60_000)


def _clock(ms: int) -> str:
    return f"{from_ms(ms).astimezone(SHANGHAI):%H:%M}"
