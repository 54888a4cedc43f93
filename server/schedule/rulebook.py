"""The rules as data: what :mod:`resolve` makes documents from. Loaded by :mod:`loading`, drawn at random by tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from protocol.documents import Picture, Ref, SectionName
from protocol.regions import Level, within

PROVINCE = Level.PROVINCE.value


@dataclass(frozen=True)
class Release:
    """A released edition as the schedule names it. ``regions`` and the two times bound its broadcasting rights: none
    means everywhere, always."""

    edition: str
    release: str
    duration_ms: int
    section: str
    title: str = ""
    regions: tuple[str, ...] = ()
    rights_from: datetime | None = None
    rights_until: datetime | None = None

    def ref(self) -> Ref:
        return Ref(edition=self.edition, release=self.release, duration_ms=self.duration_ms)

    def allowed_in(self, region: str) -> bool:
        """Whether it may be shown in the whole of a region."""
        return not self.regions or any(within(region, area) for area in self.regions)

    def allowed_at(self, moment: datetime) -> bool:
        early = self.rights_from is not None and moment < self.rights_from
        return not early and (self.rights_until is None or moment < self.rights_until)


@dataclass(frozen=True)
class SlotRule:
    """A programme placed at a time (see ``models.Slot``). ``fixed``: it begins on the dot, whatever runs before it."""

    id: str
    channel: str
    region: str
    level: str
    programme: str
    starts_at: datetime
    rrule: str | None
    required: bool
    by: str
    exdates: tuple[str, ...] = ()
    rdates: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    kind: str = "programme"
    premiere: bool = False
    duration_ms: int | None = None
    tolerance_min: int = 0
    fixed: bool = False
    why: str = ""

    def covers(self, region: str) -> bool:
        """Whether it is meant for the whole of a region."""
        return within(region, self.region) and not any(within(region, area) for area in self.excluded)


@dataclass(frozen=True)
class WindowSpan:
    """A window rule. ``region`` is the frame's region it stands in; ``fill`` are programmes."""

    id: str
    channel: str
    region: str
    level: str
    starts_at: datetime
    duration_ms: int
    rrule: str | None
    admits: tuple[str, ...] = ()
    exdates: tuple[str, ...] = ()
    rdates: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    fill: tuple[str, ...] = ()
    deadline_hours: int = 0

    def covers(self, region: str) -> bool:
        return within(region, self.region) and not any(within(region, area) for area in self.excluded)


@dataclass(frozen=True)
class ChannelRule:
    id: str
    name: str
    name_en: str = ""
    logo: Picture | None = None
    next_card_ms: int = 0
    no_repeat_ms: int = 0


@dataclass(frozen=True)
class Evening:
    """What one day of a study rule brings; ``programmes`` by id, in order."""

    programmes: tuple[str, ...] = ()
    discussion_ms: int = 0
    title: str = ""
    moved_to: datetime | None = None
    cancelled: bool = False
    reason: str = ""


@dataclass(frozen=True)
class StudyPlan:
    """集中学习日 of a region. ``evenings`` by the day (ISO) that the rule gives."""

    id: str
    channel: str
    region: str
    level: str
    starts_at: datetime
    duration_ms: int
    rrule: str
    title: str = ""
    by: str = ""
    evenings: Mapping[str, Evening] = field(default_factory=dict)


@dataclass(frozen=True)
class NoticeSpan:
    """An approved ticker."""

    id: str
    region: str
    level: str
    text: str
    starts_at: datetime
    until: datetime


@dataclass(frozen=True)
class PushSpan:
    """Programmes that every station of a region is to have."""

    region: str
    level: str
    programmes: tuple[str, ...]
    until: datetime | None = None


@dataclass(frozen=True)
class TopicSpan:
    """A promoted collection, shown in ``regions``. The province's stand in frames, those of a city or county in the local
    documents of the regions they are meant for."""

    id: str
    title: str
    starts_at: datetime
    until: datetime
    programmes: tuple[str, ...]
    summary: str = ""
    regions: tuple[str, ...] = ("13",)
    level: str = PROVINCE
    required: bool = False
    poster: Picture | None = None


class Placeable(Protocol):
    """What every rule has that makes documents differ from region to region."""

    @property
    def region(self) -> str: ...

    @property
    def level(self) -> str: ...


@dataclass(frozen=True)
class Rules:
    """Everything the documents are made from. ``releases`` by programme id; ``fillers`` programme ids by channel, one
    listed twice comes twice as often."""

    channels: Sequence[ChannelRule]
    slots: Sequence[SlotRule]
    windows: Sequence[WindowSpan]
    fillers: Mapping[str, Sequence[str]]
    releases: Mapping[str, Release]
    study: Sequence[StudyPlan] = ()
    notices: Sequence[NoticeSpan] = ()
    pushes: Sequence[PushSpan] = ()
    topics: Sequence[TopicSpan] = ()
    sections: Sequence[SectionName] = ()
    root: str = "13"

    @property
    def regional(self) -> list[Placeable]:
        """Slots, study days and pushes."""
        return [*self.slots, *self.study, *self.pushes]
