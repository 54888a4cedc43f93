"""节目预告: the coming seven days on one A4 sheet: study, what is required, and the evenings, as many as fit (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from html import escape

from client_agent.desk.paper.words import day_words, say
from protocol.times import SHANGHAI, from_ms

MOST_A_DAY = 5
"""Lines a day; with seven days they fill an A4 sheet."""
EVENING_HOUR = 17
TITLE_LENGTH = 30


@dataclass(frozen=True)
class PosterItem:
    """A programme on air; ``number`` 0 for none."""

    starts_ms: int
    title: str
    number: int = 0
    required: bool = False


@dataclass(frozen=True)
class PosterStudy:
    starts_ms: int
    title: str


@dataclass(frozen=True)
class PosterDay:
    day: date
    items: Sequence[PosterItem]
    studies: Sequence[PosterStudy] = ()


def chosen(day: PosterDay) -> list[PosterItem]:
    """What of a day goes on the wall: required first, then the evening's, then the rest; in order of time."""
    room = max(0, MOST_A_DAY - 2 * len(day.studies))
    ranked = sorted(
        day.items, key=lambda one: (not one.required, _hour(one.starts_ms) < EVENING_HOUR, one.starts_ms)
    )
    return sorted(ranked[:room], key=lambda one: one.starts_ms)


def poster_html(station: str, days: Sequence[PosterDay], lang: str = "zh") -> str:
    """The sheet's body."""
    first, last = day_words(lang, days[0].day)[0], day_words(lang, days[-1].day)[0]
    head = (
        f'<div class="poster-head"><h1>{say(lang, "poster")}</h1>'
        f"<p>{escape(say(lang, 'poster_span', station, first, last))}</p></div>"
    )
    rows = "".join(_day(day, lang) for day in days)
    return (
        f'<section class="sheet poster">{head}<table>{rows}</table>'
        f'<p class="poster-foot">{say(lang, "poster_foot")}</p></section>'
    )


def _day(day: PosterDay, lang: str) -> str:
    name, weekday = day_words(lang, day.day)
    lines = [
        f'<div class="line study"><b>{_clock(one.starts_ms)}</b>'
        f"<span>{say(lang, 'study')}　{escape(_short(one.title))}</span></div>"
        for one in day.studies
    ]
    lines += [_item(one, lang) for one in chosen(day)]
    if not lines:
        lines = [f'<div class="line nothing"><span>{say(lang, "nothing")}</span></div>']
    return f'<tr><td class="date">{name}<small>{weekday}</small></td><td>{"".join(lines)}</td></tr>'


def _item(one: PosterItem, lang: str) -> str:
    must = f'<em class="must">{say(lang, "must")}</em>' if one.required else ""
    number = f"<i>{say(lang, 'number', one.number)}</i>" if one.number else ""
    return f'<div class="line"><b>{_clock(one.starts_ms)}</b>{must}<span>{escape(_short(one.title))}</span>{number}</div>'


def _short(title: str) -> str:
    return title if len(title) <= TITLE_LENGTH else title[: TITLE_LENGTH - 1] + "…"


def _local(ms: int) -> datetime:
    return from_ms(ms).astimezone(SHANGHAI)


def _hour(ms: int) -> int:
    return _local(ms).hour


def _clock(ms: int) -> str:
    return f"{_local(ms):%H:%M}"
