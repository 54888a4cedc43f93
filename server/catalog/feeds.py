"""Partner feeds 共享互通: their sources, and what was found in them. Harvesting itself is in feeds_harvest.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from server.catalog import service
from server.catalog.feeds_fetch import FetchRefused, check_url
from server.catalog.feeds_models import FeedItem, FeedKind, FeedSource, ItemState
from server.errors import Conflict, Invalid, NotFound
from server.i18n import N_
from server.identity import audit
from server.identity.rules import Action, Caller
from server.regions.models import Region

LEAST_INTERVAL_MINUTES = 15
MOST_INTERVAL_MINUTES = 7 * 24 * 60
PAGE = 50
MAX_PAGE = 200


@dataclass(frozen=True)
class NewSource:
    """What somebody says of a feed. Section and department by slug or name."""

    name: str
    kind: str
    url: str
    section: str
    rights_source: str
    rights_licence: str
    region: str = "13"
    department: str | None = None
    interval_minutes: int = 360
    oai_set: str = ""
    oai_prefix: str = "oai_dc"


def add_source(session: Session, caller: Caller, new: NewSource, *, now: datetime) -> FeedSource:
    """A feed that is harvested from now on; what it brings is handed in by the caller. Raises Invalid, Forbidden."""
    caller.require(Action.CATALOG_FEEDS, new.region)
    source = FeedSource(
        owner_id=caller.id, created_at=now, next_at=now, is_active=True, **_checked(session, new)
    )
    session.add(source)
    session.flush()
    _log(session, caller, "feed.add", source, now, url=source.url)
    return source


def change_source(
    session: Session, caller: Caller, source_id: str, new: NewSource, *, now: datetime
) -> FeedSource:
    """Say anew what a feed is; another address is harvested from its beginning, at once."""
    source = get_source(session, caller, source_id)
    caller.require(Action.CATALOG_FEEDS, new.region)
    values = _checked(session, new)
    if any(values[name] != getattr(source, name) for name in ("kind", "url", "oai_set", "oai_prefix")):
        values |= {"since": None, "etag": None, "modified": None, "next_at": now}
    for name, value in values.items():
        setattr(source, name, value)
    session.flush()
    _log(session, caller, "feed.change", source, now, url=source.url)
    return source


def _checked(session: Session, new: NewSource) -> dict[str, Any]:
    try:
        kind = FeedKind(new.kind)
        check_url(new.url)
    except ValueError as error:
        raise Invalid(N_("来源类型只能是 rss 或 oai"), code="kind") from error
    except FetchRefused as error:
        raise Invalid(error.message, code=error.code, **error.params) from error
    if len(new.url) > 1_000:
        raise Invalid(N_("网址太长"), code="url")
    if not LEAST_INTERVAL_MINUTES <= new.interval_minutes <= MOST_INTERVAL_MINUTES:
        raise Invalid(N_("采集间隔应为 15 分钟到 7 天"), code="interval")
    if not new.rights_source.strip() or not new.rights_licence.strip():
        raise Invalid(N_("请写明来源单位和授权方式：采集的节目都带着它们送审"), code="rights")
    if session.get(Region, new.region) is None:
        raise Invalid(N_("没有行政区划 %(region)s"), region=new.region)
    prefix = new.oai_prefix.strip() or "oai_dc"
    if prefix not in ("oai_dc", "lom", "oai_lom"):
        raise Invalid(N_("元数据格式只能是 oai_dc、lom 或 oai_lom"), code="prefix")
    return {
        "name": service.clean_title(new.name)[:80],
        "kind": kind,
        "url": new.url.strip(),
        "section": service.section_named(session, new.section).slug,
        "department": service.department_named(session, new.department).slug if new.department else None,
        "region": new.region,
        "rights_source": new.rights_source.strip()[:200],
        "rights_licence": new.rights_licence.strip()[:200],
        "interval_minutes": new.interval_minutes,
        "oai_set": new.oai_set.strip()[:200],
        "oai_prefix": prefix,
    }


def set_active(
    session: Session, caller: Caller, source_id: str, *, is_active: bool, now: datetime
) -> FeedSource:
    """Go on harvesting a feed, or stop."""
    source = get_source(session, caller, source_id)
    source.is_active = is_active
    _log(session, caller, "feed.resume" if is_active else "feed.pause", source, now)
    return source


def run_soon(session: Session, caller: Caller, source_id: str, *, now: datetime) -> FeedSource:
    """Harvest at the next opportunity, and try again what a broken line left. Raises Conflict for a stopped feed."""
    source = get_source(session, caller, source_id)
    if not source.is_active:
        raise Conflict(N_("这个来源已停用，请先启用"))
    source.next_at = now
    for item in session.scalars(
        select(FeedItem).where(FeedItem.source_id == source.id, FeedItem.state == ItemState.FOUND)
    ):
        item.next_try_at = now
    return source


def try_again(session: Session, caller: Caller, item_id: str, *, now: datetime) -> FeedItem:
    """Take a refused item up once more. Raises NotFound; Conflict when there is nothing to try."""
    item = session.get(FeedItem, service.known_id(item_id))
    if item is None:
        raise NotFound(N_("没有这个条目"))
    get_source(session, caller, item.source_id)
    if item.state != ItemState.REFUSED or item.media_url is None:
        raise Conflict(N_("只能重试未接受的条目"))
    item.state, item.reason, item.tries, item.next_try_at, item.changed_at = ItemState.FOUND, "", 0, now, now
    return item


def get_source(session: Session, caller: Caller, source_id: str) -> FeedSource:
    """Raises NotFound, also for a feed of a region that is not the caller's."""
    source = session.get(FeedSource, service.known_id(source_id))
    if source is None or not caller.can(Action.CATALOG_FEEDS, source.region):
        raise NotFound(N_("没有这个来源"))
    return source


def _own(caller: Caller) -> ColumnElement[bool]:
    return or_(*(FeedSource.region.startswith(scope) for scope in caller.scopes(Action.CATALOG_FEEDS)))


def list_sources(session: Session, caller: Caller) -> Sequence[FeedSource]:
    """The feeds of one's own regions, by name."""
    caller.require(Action.CATALOG_FEEDS)
    return session.scalars(
        select(FeedSource).where(_own(caller)).order_by(FeedSource.name, FeedSource.id)
    ).all()


def counts(session: Session, source_ids: Sequence[str]) -> dict[str, dict[ItemState, int]]:
    """How many items of each state these feeds have."""
    found: dict[str, dict[ItemState, int]] = {source_id: {} for source_id in source_ids}
    rows = session.execute(
        select(FeedItem.source_id, FeedItem.state, func.count())
        .where(FeedItem.source_id.in_(source_ids))
        .group_by(FeedItem.source_id, FeedItem.state)
    )
    for source_id, state, count in rows:
        found[source_id][ItemState(state)] = count
    return found


def items_of(
    session: Session,
    caller: Caller,
    source_id: str,
    *,
    state: str | None = None,
    after: str | None = None,
    limit: int = PAGE,
) -> tuple[list[FeedItem], str | None]:
    """What was found in a feed, the newest first, and where the next page begins."""
    source = get_source(session, caller, source_id)
    limit = max(1, min(limit, MAX_PAGE))
    query = select(FeedItem).where(FeedItem.source_id == source.id)
    if state:
        query = query.where(FeedItem.state == _state(state))
    if after:
        query = query.where(FeedItem.id < service.known_id(after))
    found = session.scalars(query.order_by(FeedItem.id.desc()).limit(limit + 1)).all()
    return list(found[:limit]), found[limit - 1].id if len(found) > limit else None


def _state(name: str) -> ItemState:
    try:
        return ItemState(name)
    except ValueError as error:
        raise Invalid(N_("没有状态“%(state)s”"), state=name) from error


def next_time(source: FeedSource, now: datetime) -> datetime:
    return now + timedelta(minutes=source.interval_minutes)


def _log(
    session: Session, caller: Caller, action: str, source: FeedSource, now: datetime, **detail: Any
) -> None:
    audit.append(
        session,
        actor=caller,
        action=action,
        subject=f"feed:{source.id}",
        detail={"name": source.name, **detail},
        now=now,
    )
