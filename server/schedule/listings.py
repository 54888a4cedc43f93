"""What a region sees on a day, as it would be if everything were published now: for previews, the board, exports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from protocol.documents import Window
from protocol.merge import Listing, merge
from protocol.regions import lineage
from protocol.times import day_bounds_ms, from_ms, to_text
from server.errors import Invalid
from server.i18n import N_
from server.identity.rules import Action, Caller
from server.schedule import history
from server.schedule import resolve as r
from server.schedule.loading import load_rules
from server.schedule.models import Channel, Slot
from server.schedule.placing import MAIN_CHANNEL, known_region
from server.schedule.releases import playable

MOST_DAYS = 35


@dataclass(frozen=True)
class ListingView:
    """A listing with the titles of what is in it, by edition."""

    listing: Listing
    titles: Mapping[str, str]
    windows: Sequence[Window]


@dataclass(frozen=True)
class Preview:
    """Several days and channels of one region, from one reading of the rules. ``versions`` by slot or window rule;
    ``number`` is the newest change of any rule that is in it."""

    region: str
    days: Sequence[date]
    listings: Mapping[tuple[str, date], Listing]
    windows: Mapping[str, Sequence[r.Span]]
    titles: Mapping[str, str]
    problems: Sequence[r.Problem]
    number: int


def preview(
    session: Session, *, region: str, days: Sequence[date], channel_ids: Sequence[str] | None = None
) -> Preview:
    """What a region would see if everything were published now. Raises NotFound, Invalid."""
    known_region(session, region)
    if not days or len(days) > MOST_DAYS:
        raise Invalid(N_("一次最多看 %(most)s 天"), most=MOST_DAYS)
    begin, end = (from_ms(day_bounds_ms(day)[i]) for day, i in ((min(days), 0), (max(days), 1)))
    begin -= timedelta(days=1)
    rules = load_rules(session, None, begin, end, region=region)
    resolver = r.Resolver(rules, begin, end)
    frame = resolver.frame_for(region)
    own = set(resolver.local_regions)
    local_documents = [resolver.local(code) for code in lineage(region) if code in own]
    wanted = channel_ids or [channel.id for channel in rules.channels]
    return Preview(
        region=region,
        days=days,
        listings={
            (channel, day): merge(
                region=region, channel=channel, day=day, frame=frame, local_documents=local_documents
            )
            for channel in wanted
            for day in days
        },
        windows={channel: resolver.windows(region, channel) for channel in wanted},
        titles={release.edition: release.title for release in rules.releases.values()},
        problems=resolver.problems,
        number=history.change_number(session),
    )


def preview_listings(
    session: Session, *, region: str, days: Sequence[date], channel: str = MAIN_CHANNEL
) -> list[ListingView]:
    """The same of one channel, day by day. Raises NotFound."""
    seen = preview(session, region=region, days=days, channel_ids=[channel])
    windows = [window for _, window in seen.windows[channel]]
    return [ListingView(seen.listings[channel, day], seen.titles, on_day(windows, day)) for day in days]


def on_day(windows: Sequence[Window], day: date) -> list[Window]:
    """The windows that overlap a day in Asia/Shanghai."""
    begin, end = (to_text(from_ms(ms)) for ms in day_bounds_ms(day))
    return [w for w in windows if w.starts_at < end and w.ends_at > begin]


def week_view(
    session: Session, caller: Caller, *, region: str, start_day: date, channel: str = MAIN_CHANNEL
) -> list[ListingView]:
    """Seven days of a region's channel for the console. Raises NotFound, Forbidden."""
    caller.require(Action.SCHEDULE_VIEW)
    days = [start_day + timedelta(days=i) for i in range(7)]
    return preview_listings(session, region=region, days=days, channel=channel)


@dataclass(frozen=True)
class Choice:
    """A programme that may be placed, for a form."""

    id: str
    title: str
    length: str


def choices(session: Session) -> list[Choice]:
    """Every released programme, by title."""
    found = [Choice(p.programme, p.title, _minutes_text(p.duration_ms)) for p in playable(session).values()]
    return sorted(found, key=lambda c: c.title)


def _minutes_text(ms: int) -> str:
    return f"{ms // 60_000}:{ms // 1000 % 60:02d}"


def channels(session: Session) -> list[Channel]:
    return list(session.scalars(select(Channel).order_by(Channel.position)))


def slots_in(
    session: Session,
    *,
    region: str | None = None,
    begin: datetime | None = None,
    end: datetime | None = None,
    channel: str | None = None,
    removed: bool = False,
) -> list[Slot]:
    """Placed slots, optionally of one region's subtree and a span of first starts; ``removed``: those taken out."""
    query = select(Slot).order_by(Slot.starts_at, Slot.id)
    query = query.where(Slot.removed_at.is_not(None) if removed else Slot.removed_at.is_(None))
    if region:
        query = query.where(Slot.region.startswith(region))
    if channel:
        query = query.where(Slot.channel == channel)
    if begin:
        query = query.where((Slot.starts_at >= begin) | Slot.rrule.is_not(None))
    if end:
        query = query.where(Slot.starts_at < end)
    return list(session.scalars(query))


def slots_seen(session: Session, region: str, channel: str | None = None) -> list[Slot]:
    """Every slot in force that could show in a region: those of the regions above it, its own and those below."""
    above = Slot.region.in_(lineage(region))
    query = select(Slot).where(
        Slot.removed_at.is_(None), or_(above, Slot.region.startswith(region, autoescape=True))
    )
    return list(session.scalars(query.where(Slot.channel == channel) if channel else query))
