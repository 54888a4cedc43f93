"""What a station needs, and by when, from its verified documents (pure).

What airs comes from the merged listing of every channel, with the study days' programmes beside it, since an evening
of group study begins when people come, also after it was on air. Then pushes, then the library. Each release once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from msgspec.structs import replace as with_fields

from client_agent.documents import Programme, library_entries, pictures, study_days
from client_agent.planner import Airing
from protocol.documents import Frame, LocalDocument, Picture
from protocol.merge import ListedItem, Source, merge
from protocol.times import day_of_ms, text_to_ms

FILLERS_FIRST = 3
"""So many fillers of a channel come as early as what is required: with none stored, every gap is a slate."""


@dataclass(frozen=True)
class Demand:
    """``airings``: what is to come within the horizon, the earliest first. ``pushed``: releases that are to be stored
    without anybody choosing them, in order. ``library``: the rest of the shelf, in order. ``pictures``: logos and posters
    of topics."""

    airings: tuple[Airing, ...]
    pushed: tuple[str, ...]
    library: tuple[str, ...]
    pictures: tuple[Picture, ...] = ()

    @property
    def releases(self) -> list[str]:
        """What must come by itself, in order: the scheduled and the pushed."""
        return list(dict.fromkeys([*(a.release for a in self.airings), *self.pushed]))


def demand(programme: Programme, now_ms: int, horizon_ms: int) -> Demand:
    """Everything that documents ask of this terminal from now to the horizon."""
    airings: dict[str, Airing] = {}
    for airing in (
        *_listed(programme, now_ms, horizon_ms),
        *_studied(programme, now_ms, horizon_ms),
        *_fillers(programme, now_ms),
    ):
        if airing.release not in programme.recalled:
            known = airings.get(airing.release)
            airings[airing.release] = _joined(known, airing) if known else airing
    local = _nearest_first(programme)
    entries = [e for e in library_entries(programme.frame, local) if e.release not in programme.recalled]
    pushed = tuple(
        e.release
        for e in entries
        if e.pushed and e.release not in airings and (e.until is None or now_ms < text_to_ms(e.until))
    )
    known_names = {*airings, *pushed}
    ordered = sorted(airings.values(), key=lambda a: (a.starts_ms, a.release))
    shelf = tuple(e.release for e in entries if e.release not in known_names)
    return Demand(tuple(ordered), pushed, shelf, tuple(pictures(programme.frame, local)))


def _nearest_first(programme: Programme) -> list[LocalDocument]:
    return sorted(programme.locals, key=lambda document: -len(document.region))


def _joined(a: Airing, b: Airing) -> Airing:
    """One airing for both: as early as the earlier, as important as the more important."""
    first = a if a.starts_ms <= b.starts_ms else b
    return replace(
        first,
        required=a.required or b.required,
        filler=a.filler and b.filler,
        urgent=a.urgent or b.urgent,
    )


def _listed(programme: Programme, now_ms: int, horizon_ms: int) -> Iterator[Airing]:
    """Placed items and window fills of every channel; gaps are left out, their fillers come by themselves."""
    frame = _without_fillers(programme.frame)
    channels = [channel.id for channel in frame.channels] if frame else [""]
    for channel in channels:
        day, last = day_of_ms(now_ms), day_of_ms(now_ms + horizon_ms)
        while day <= last:
            listing = merge(
                region=programme.region,
                channel=channel,
                day=day,
                frame=frame,
                local_documents=programme.locals,
                emergency=programme.emergency,
                recalled=programme.recalled,
            )
            for item in listing.items:
                if item.release and item.ends_ms > now_ms and item.starts_ms < now_ms + horizon_ms:
                    yield _airing(item, item.release)
            day += timedelta(days=1)


def _without_fillers(frame: Frame | None) -> Frame | None:
    """The same frame without its thousands of filler items a day."""
    if frame is None:
        return None
    return with_fields(frame, channels=[with_fields(line, fillers=[]) for line in frame.channels])


def _airing(item: ListedItem, release: str) -> Airing:
    urgent = item.source is Source.EMERGENCY
    return Airing(release, item.starts_ms, item.ends_ms, item.required or urgent, False, urgent)


def _studied(programme: Programme, now_ms: int, horizon_ms: int) -> Iterator[Airing]:
    for day in study_days(programme.frame, _nearest_first(programme)):
        starts, ends = text_to_ms(day.starts_at), text_to_ms(day.ends_at)
        if ends > now_ms and starts < now_ms + horizon_ms:
            for ref in day.programmes:
                yield Airing(ref.release, starts, ends, True, False)


def _fillers(programme: Programme, now_ms: int) -> Iterator[Airing]:
    for channel in programme.frame.channels if programme.frame else []:
        for index, ref in enumerate(channel.fillers):
            yield Airing(ref.release, now_ms, now_ms + ref.duration_ms, index < FILLERS_FIRST, True)
