"""The programme guide of one region: what a span of days announces, ready for every form it leaves in. Pure.

A guide lists what was placed: programmes of the frame, local programmes, emergencies. Fillers and slates are what
plays between them and are never announced.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from protocol.documents import ItemKind, StudyDay
from protocol.merge import ListedItem, Listing, Source
from protocol.times import SHANGHAI, from_ms, from_text

ANNOUNCED = (Source.FRAME, Source.LOCAL, Source.EMERGENCY)
MOST_DAYS = 14
"""As far as documents reach."""
NO_BREAK = str.maketrans({"\u00a0": " ", "\u3000": " ", "\u2028": " ", "\u2029": " "})


@dataclass(frozen=True)
class About:
    """What is told of an edition beside its time."""

    title: str
    summary: str = ""
    section: str = ""
    section_en: str = ""
    number: int | None = None
    media: str | None = None
    """The URL of a rendition, where it can be played from."""


@dataclass(frozen=True)
class Showing:
    """One announced programme. Times are aware, in Asia/Shanghai; ``ends_at`` is after ``starts_at``."""

    id: str
    channel: str
    starts_at: datetime
    ends_at: datetime
    title: str
    source: Source
    edition: str | None = None
    summary: str = ""
    section: str = ""
    section_en: str = ""
    number: int | None = None
    media: str | None = None
    required: bool = False
    premiere: bool = False
    kind: ItemKind = ItemKind.PROGRAMME
    level: str = ""
    place: str = ""
    """Short name of the region that placed it, for local programmes."""

    @property
    def day(self) -> date:
        return self.starts_at.date()

    @property
    def duration_s(self) -> int:
        return round((self.ends_at - self.starts_at).total_seconds())

    @property
    def is_study(self) -> bool:
        return self.required or self.kind is ItemKind.STUDY


@dataclass(frozen=True)
class Line:
    """A channel with what it announces, in order of start."""

    id: str
    name: str
    name_en: str
    showings: tuple[Showing, ...]


@dataclass(frozen=True)
class Study:
    """集中学习: an evening on which villages study together."""

    starts_at: datetime
    ends_at: datetime
    title: str = ""
    moved_from: date | None = None
    reason: str = ""


@dataclass(frozen=True)
class Guide:
    """What one region may announce for ``days`` days from ``first_day``.

    ``name`` is the place as people say it, ``full_name`` as it is written on a letter, both :func:`plain`. ``publication`` is the number
    of the signed publication it was read from; None for a draft. ``url`` is where viewers find the living page.
    """

    region: str
    name: str
    full_name: str
    first_day: date
    days: int
    lines: tuple[Line, ...]
    study: tuple[Study, ...] = ()
    publication: int | None = None
    url: str = ""
    made_at: datetime | None = None

    @property
    def all_days(self) -> list[date]:
        return [self.first_day + timedelta(days=i) for i in range(self.days)]

    @property
    def last_day(self) -> date:
        return self.first_day + timedelta(days=self.days - 1)

    @property
    def showings(self) -> list[Showing]:
        """Of all channels, by start, then in the channels' order."""
        order = {line.id: position for position, line in enumerate(self.lines)}
        every = [showing for line in self.lines for showing in line.showings]
        return sorted(every, key=lambda s: (s.starts_at, order[s.channel]))

    def on(self, day: date, line: Line) -> list[Showing]:
        """What starts on a day, and on the first day what is still running from the night before."""
        return [
            s
            for s in line.showings
            if s.day == day or (day == self.first_day and s.day < day and s.ends_at.date() >= day)
        ]

    def is_study_day(self, day: date) -> bool:
        return any(s.starts_at.date() == day for s in self.study) or any(
            s.is_study for s in self.showings if s.day == day
        )


def plain(text: str, most: int = 300) -> str:
    """A text in one line without what breaks lines, files or the direction of reading.

    Control characters, lone surrogates, marks that turn the direction of reading and invisible tags go; every kind of
    blank becomes one space; what is longer than ``most`` ends in an ellipsis.
    """
    kept = "".join(" " if c in "\t\n\r\x0b\x0c\x85" else c for c in text.translate(NO_BREAK) if _is_sound(c))
    one_line = " ".join(kept.split())
    return one_line if len(one_line) <= most else one_line[: most - 1].rstrip() + "…"


def _is_sound(char: str) -> bool:
    if char in "\t\n\r\x0b\x0c\x85":
        return True
    if unicodedata.category(char) == "Cf":
        return char == "\u200d"  # joins the parts of one picture sign
    return unicodedata.category(char) not in ("Cc", "Cs", "Cn", "Co") and ord(char) & 0xFFFE != 0xFFFE


def line_of(
    channel: tuple[str, str, str],
    listings: Iterable[Listing],
    about: Mapping[str, About],
    place_name: Callable[[str], str],
) -> Line:
    """A channel (id, name, English name) from its listings of consecutive days; what crosses midnight stands once."""
    found: dict[str, Showing] = {}
    for listing in listings:
        for item in listing.items:
            if item.source in ANNOUNCED and item.id not in found:
                found[item.id] = showing_of(channel[0], item, about, place_name)
    ordered = sorted(found.values(), key=lambda s: (s.starts_at, s.id))
    return Line(channel[0], plain(channel[1], 40), plain(channel[2], 60), tuple(_joined(ordered)))


def showing_of(
    channel: str, item: ListedItem, about: Mapping[str, About], place_name: Callable[[str], str]
) -> Showing:
    told = about.get(item.edition or "", About(title=""))
    title = plain(item.text or told.title, 200) or "节目"
    return Showing(
        id=item.id,
        channel=channel,
        starts_at=from_ms(item.starts_ms).astimezone(SHANGHAI),
        ends_at=from_ms(item.ends_ms).astimezone(SHANGHAI),
        title=title,
        source=item.source,
        edition=item.edition,
        summary=plain(told.summary, 1000),
        section=plain(told.section, 40),
        section_en=plain(told.section_en, 60),
        number=told.number,
        media=told.media,
        required=item.required,
        premiere=bool(getattr(item, "premiere", False)),
        kind=getattr(item, "kind", ItemKind.PROGRAMME),
        level=item.why.level if item.why else "",
        place=place_name(item.why.region) if item.why and item.source is Source.LOCAL else "",
    )


def _joined(showings: Sequence[Showing]) -> Iterable[Showing]:
    """An emergency's programme repeats until it ends: one entry, not a hundred."""
    last: Showing | None = None
    for showing in showings:
        if (
            last is not None
            and last.source is Source.EMERGENCY is showing.source
            and (last.title, last.edition, last.ends_at)
            == (showing.title, showing.edition, showing.starts_at)
        ):
            last = replace(last, ends_at=showing.ends_at)
            continue
        if last is not None:
            yield last
        last = showing
    if last is not None:
        yield last


def _own_title(title: str) -> str:
    """An evening's title where it says more than that it is one."""
    shown = plain(title, 60)
    return "" if shown == "集中学习" else shown


def study_of(days: Iterable[StudyDay], first_day: date, count: int) -> tuple[Study, ...]:
    """The study days that begin within the span, in order."""
    found = [
        Study(
            starts_at=from_text(day.starts_at).astimezone(SHANGHAI),
            ends_at=from_text(day.ends_at).astimezone(SHANGHAI),
            title=_own_title(day.title),
            moved_from=from_text(day.moved_from).astimezone(SHANGHAI).date() if day.moved_from else None,
            reason=plain(day.reason, 100),
        )
        for day in days
    ]
    last = first_day + timedelta(days=count)
    return tuple(
        sorted((s for s in found if first_day <= s.starts_at.date() < last), key=lambda s: s.starts_at)
    )
