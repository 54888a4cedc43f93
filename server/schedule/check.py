"""The conflict report of the coming days, from the rows: findings, and which stations cannot have what is planned."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from protocol.regions import level_of, within
from protocol.times import SHANGHAI
from server.catalog.models import Edition, EditionState, Programme, Rendition, Section
from server.catalog.rereviews import needs_rereview
from server.db import Setting
from server.errors import Invalid, NotFound
from server.i18n import N_
from server.identity.rules import Action, Caller
from server.regions import service as regions
from server.regions.models import Region
from server.schedule.conflicts import Facts, Finding, Limits, Severity, by_urgency, find_conflicts, finding
from server.schedule.feasibility import Feasibility, Need, Station, feasibility
from server.schedule.lines import line_of
from server.schedule.loading import load_rules
from server.schedule.models import Slot
from server.schedule.placement import Placed
from server.schedule.placing import known_region
from server.schedule.resolve import PROVINCE, Resolver
from server.stations import models as stations
from server.stations.queries import inside

MOST_DAYS = 31
LIMITS_KEY = "schedule.limits"
PARTY_SECTIONS = ("党建时政", "政策法规", "党史党性", "先锋风采")
"""The default shelves of Party education, by name."""
REVIEW_PROFILE = "review"
_CHUNK = 500
STATES = {
    EditionState.WITHDRAWN: N_("已撤下"),
    EditionState.RETURNED: N_("已退回"),
    EditionState.DRAFT: N_("未送审"),
    EditionState.RELEASED: N_("没有转码成品"),
}


@dataclass(frozen=True)
class Published:
    """What stations were told: ``releases`` by edition as signed, and when the newest publication was made."""

    releases: Mapping[str, str] = field(default_factory=dict)
    at: datetime | None = None


@dataclass(frozen=True)
class Report:
    """``findings``, the worst first; ``feasibility`` of every item of the span that is still to air; ``titles`` by item.
    ``places`` are the names of the regions in the findings."""

    region: str
    begin: datetime
    end: datetime
    findings: Sequence[Finding]
    feasibility: Feasibility
    items: Mapping[str, Placed]
    places: Mapping[str, str]

    @property
    def is_clean(self) -> bool:
        """Whether nothing stands against publishing."""
        return not any(found.severity is Severity.ERROR for found in self.findings)

    def count(self, severity: Severity) -> int:
        return sum(found.severity is severity for found in self.findings)


def check(
    session: Session,
    *,
    region: str = "13",
    days: int = 7,
    published: Published | None = None,
    with_stations: bool = True,
    now: datetime,
) -> Report:
    """What is wrong with the next ``days`` days, today included, as a region's people would see them.

    ``published`` lets feasibility know what stations could have fetched already; without it they lack everything.
    Raises NotFound, Invalid.
    """
    known_region(session, region)
    if not 1 <= days <= MOST_DAYS:
        raise Invalid(N_("一次最多看 %(most)s 天"), most=MOST_DAYS)
    begin = now.astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
    end = begin + timedelta(days=days)
    rules = load_rules(session, None, begin, end)
    resolver = Resolver(rules, begin, end)
    slots = {slot.programme for slot in resolver.all_slots}
    facts = _facts(session, resolver, sorted(slots), region, now)
    findings = find_conflicts(resolver, facts, limits(session), now=now, scope=region)
    items = dict(_items_to_come(resolver, region, now))
    needs = _needs(session, resolver, items, region, published or Published())
    prospects = feasibility(_stations(session, region), needs, now=now) if with_stations else Feasibility()
    findings = by_urgency([*findings, *_cannot(items, prospects)])
    places = regions.names(session, {found.region for found in findings})
    named = [_with_place(found, places) for found in findings]
    return Report(region, begin, end, named, prospects, items, places)


def _with_place(found: Finding, places: Mapping[str, str]) -> Finding:
    if "place" not in found.params:
        return found
    return replace(found, params={**found.params, "place": places.get(found.region, found.region)})


# --- limits ------------------------------------------------------------------------------------------------------------------
def limits(session: Session) -> Limits:
    """What counts as too little or too much, as set here; by default the shelves of Party education fill a fifth."""
    row = session.get(Setting, LIMITS_KEY)
    if row is not None:
        kept: dict[str, Any] = json.loads(row.value)
        return Limits(**{**kept, "party_sections": tuple(kept.get("party_sections", ()))})
    found = session.scalars(select(Section.slug).where(Section.name.in_(PARTY_SECTIONS)))
    return Limits(party_sections=tuple(sorted(found)))


def set_limits(session: Session, caller: Caller, values: Mapping[str, Any]) -> Limits:
    """Change some of the limits. Raises Forbidden, NotFound (a section), Invalid."""
    caller.require(Action.SCHEDULE_EDIT, "13")
    wanted = {**asdict(limits(session)), **values}
    for section in wanted["party_sections"]:
        if session.get(Section, section) is None:
            raise NotFound(N_("没有这个板块：%(section)s"), section=section)
    bounds = {"party_minimum": 100, "most_a_day": 50, "most_a_week": 200, "gap_minutes": 1_440, "gap_from_hour": 23, "gap_to_hour": 24}  # fmt: skip
    if any(not 0 <= wanted[name] <= most for name, most in bounds.items()):
        raise Invalid(N_("限度的数值不对"))
    made = Limits(**{**wanted, "party_sections": tuple(wanted["party_sections"])})
    session.merge(Setting(key=LIMITS_KEY, value=json.dumps(asdict(made), ensure_ascii=False)))
    session.flush()
    return made


# --- facts --------------------------------------------------------------------------------------------------------------------
def _facts(
    session: Session, resolver: Resolver, programmes: Sequence[str], scope: str, now: datetime
) -> Facts:
    known = resolver.rules.releases
    by_edition = {known[p].edition: p for p in programmes if p in known}
    doubtful = needs_rereview(session, sorted(by_edition), now)
    missing = [p for p in programmes if p not in known]
    own = session.scalars(select(Region.code).where(func.length(Region.code).in_((4, 6)))).all()
    return Facts(
        titles=dict(_titles(session, missing)),
        states=dict(_states(session, missing)),
        rereview=frozenset(by_edition[edition] for edition in doubtful),
        counties=[code for code in own if level_of(code) == "county" and _near(code, scope)],
        cities=[code for code in own if level_of(code) == "city" and _near(code, scope)],
        merged=frozenset(regions.successors(session)),
    )


def _near(code: str, scope: str) -> bool:
    return within(code, scope) or within(scope, code)


def _titles(session: Session, programmes: Sequence[str]) -> Iterator[tuple[str, str]]:
    for chunk in _chunks(programmes):
        rows = session.execute(select(Programme.id, Programme.title).where(Programme.id.in_(chunk)))
        yield from ((row[0], row[1]) for row in rows)


def _states(session: Session, programmes: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Why a programme has nothing to play: the state of its newest edition, in words."""
    for chunk in _chunks(programmes):
        rows = session.execute(
            select(Edition.programme_id, Edition.state)
            .where(Edition.programme_id.in_(chunk))
            .order_by(Edition.number)
        )
        yield from ((row[0], STATES.get(EditionState(row[1]), N_("审核中"))) for row in rows)


def _chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    return (values[start : start + _CHUNK] for start in range(0, len(values), _CHUNK))


# --- feasibility ----------------------------------------------------------------------------------------------------------------
def _items_to_come(resolver: Resolver, scope: str, now: datetime) -> Iterator[tuple[str, Placed]]:
    """What will air in the scope, each item once."""
    for region in resolver.frame_regions:
        if not _near(region, scope) or resolver.frame(region) is None:
            continue
        for channel in resolver.rules.channels:
            for placed in resolver.line(region, channel.id):
                if placed.start > now:
                    yield placed.id, placed
    for region in resolver.local_regions:
        if _near(region, scope):
            shown = {i.id for channel in resolver.local(region).channels for i in channel.items}
            for channel in resolver.rules.channels:
                for placed in resolver.placed(region, channel.id, province=False):
                    if placed.start > now and placed.id in shown:
                        yield placed.id, placed


def _needs(
    session: Session, resolver: Resolver, items: Mapping[str, Placed], scope: str, published: Published
) -> list[Need]:
    sizes = _sizes(session, sorted({placed.release.edition for placed in items.values()}))
    changed = _changed(session) if published.at is not None else {}
    frames = [
        code for code in resolver.frame_regions if _near(code, scope) and resolver.frame(code) is not None
    ]
    shown = {
        code: {p.id for channel in resolver.rules.channels for p in resolver.line(code, channel.id)}
        for code in frames
    }
    needs = []
    for item, placed in items.items():
        rule = placed.rule
        elsewhere: list[str] = []
        if rule.level == PROVINCE:
            elsewhere = [
                c for c in frames if c != rule.region and within(c, rule.region) and item not in shown[c]
            ]
        edition = placed.release.edition
        told = changed.get(rule.id.partition("@")[0])
        is_out = (
            published.at is not None
            and edition in published.releases
            and told is not None
            and told <= published.at
        )
        needs.append(
            Need(
                item=item,
                release=published.releases.get(edition, placed.release.release),
                size=sizes.get(edition, 0),
                starts_at=placed.start,
                regions=(rule.region,),
                announced_at=told if is_out else None,
                excluded=(*rule.excluded, *elsewhere),
            )
        )
    return needs


def _changed(session: Session) -> dict[str, datetime]:
    rows = session.execute(
        select(Slot.id, func.coalesce(Slot.changed_at, Slot.created_at)).where(Slot.removed_at.is_(None))
    )
    return {row[0]: row[1] for row in rows}


def _sizes(session: Session, editions: Sequence[str]) -> dict[str, int]:
    """The smallest rendition of each edition, in bytes."""
    found: dict[str, int] = {}
    for chunk in _chunks(editions):
        rows = session.execute(
            select(Edition.id, func.min(Rendition.length))
            .join(
                Rendition,
                (Rendition.asset_id == Edition.asset_id)
                & (Rendition.recipe_sha256 == Edition.recipe_sha256)
                & (Rendition.profile != REVIEW_PROFILE),
            )
            .where(Edition.id.in_(chunk))
            .group_by(Edition.id)
        )
        found.update((row[0], row[1]) for row in rows)
    return found


def _stations(session: Session, scope: str) -> Iterator[Station]:
    """Every station of a region's subtree with what its terminal reported last."""
    rows = session.execute(
        select(
            stations.Station.id,
            stations.Station.region,
            stations.Terminal.health,
            stations.Terminal.last_seen_at,
        )
        .outerjoin(
            stations.Terminal,
            (stations.Terminal.station_id == stations.Station.id) & stations.Terminal.revoked_at.is_(None),
        )
        .where(inside(stations.Station.region, [scope]))
        .order_by(stations.Station.id, stations.Terminal.last_seen_at)
    )
    last: Station | None = None
    for station_id, region, health, seen in rows:
        if last is not None and last.id != station_id:
            yield last
        last = station_of(station_id, region, health, seen)
    if last is not None:
        yield last


def station_of(
    station_id: str, region: str, health: Mapping[str, Any] | None, seen: datetime | None
) -> Station:
    """A station from its terminal's last health report; what is not in it is not assumed to be well."""
    if not health:
        return Station(station_id, region, heard_at=None)
    return Station(
        id=station_id,
        region=region,
        line=line_of(health),
        missing=tuple(health.get("missing") or ()),
        missing_bytes=health.get("missing_bytes") or 0,
        heard_at=seen,
    )


def _cannot(items: Mapping[str, Placed], prospects: Feasibility) -> list[Finding]:
    found = []
    for item, prospect in prospects.prospects.items():
        if prospect.cannot:
            placed = items[item]
            params: dict[str, str | int] = {
                "at": placed.start.astimezone(SHANGHAI).strftime("%m-%d %H:%M"),
                "title": placed.release.title,
                "count": len(prospect.cannot),
            }
            found.append(
                finding(
                    "cannot_have",
                    placed.rule.region,
                    params,
                    at=placed.start,
                    rule=placed.rule.id,
                    channel=placed.rule.channel,
                    stations=tuple(prospect.cannot),
                )
            )
    return found


def station_names(session: Session, ids: Sequence[str]) -> dict[str, str]:
    """Stations' names by id."""
    found: dict[str, str] = {}
    for chunk in _chunks(ids):
        rows = session.execute(
            select(stations.Station.id, stations.Station.name).where(stations.Station.id.in_(chunk))
        )
        found.update((row[0], row[1]) for row in rows)
    return found
