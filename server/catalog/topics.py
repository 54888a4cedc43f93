"""专题: promoted collections with a period, target regions and, where it is required viewing, a last day.

The schedule puts the topics of :func:`topics_between` into frames and local documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session, selectinload

from protocol.documents import Picture
from protocol.regions import lineage, within
from server.catalog import service
from server.catalog.models import Programme, Topic, TopicProgramme
from server.catalog.programmes import known_regions
from server.catalog.service import PAGE, clean_text, known_id
from server.errors import Forbidden, Invalid, NotFound
from server.i18n import N_
from server.identity import audit
from server.identity.rules import Action, Caller

MAX_TITLE = 60
MAX_PROGRAMMES = 100
LONGEST = timedelta(days=366)


@dataclass(frozen=True, kw_only=True)
class TopicChanges:
    """What is said of a topic; None leaves it. ``region`` is the level that makes it, ``regions`` its targets inside
    (none: all of it); ``programmes`` are ids in order, replacing what was there."""

    title: str | None = None
    summary: str | None = None
    region: str | None = None
    regions: Sequence[str] | None = None
    starts_at: datetime | None = None
    until: datetime | None = None
    required: bool | None = None
    position: int | None = None
    programmes: Sequence[str] | None = None
    poster: Picture | None = None


@dataclass(frozen=True)
class TopicInForce:
    """A topic as the schedule needs it: ``programmes`` are ids in order, ``regions`` where it is shown."""

    id: str
    title: str
    summary: str
    region: str
    regions: tuple[str, ...]
    starts_at: datetime
    until: datetime
    required: bool
    poster: Picture | None
    programmes: tuple[str, ...]
    by: str

    def reaches(self, region: str) -> bool:
        """Whether stations of this region show it: it lies in a target, or a target lies in it."""
        return any(within(region, target) for target in self.regions)


def create_topic(session: Session, caller: Caller, said: TopicChanges, *, now: datetime) -> Topic:
    """Raises Invalid (no title or period, targets outside), Forbidden, NotFound (a programme)."""
    if said.starts_at is None or said.until is None:
        raise Invalid(N_("请给出专题的起止时间"), code="period")
    topic = Topic(
        title=_title(said.title or ""),
        region=_region_for(session, caller, said.region),
        regions=[],
        starts_at=said.starts_at,
        until=said.until,
        required=False,
        position=0,
        created_by=caller.id,
        created_at=now,
        updated_at=now,
    )
    session.add(topic)
    session.flush()
    _change(session, caller, topic, said)
    _note(session, caller, "topic.create", topic, now)
    return topic


def change_topic(
    session: Session, caller: Caller, topic_id: str, said: TopicChanges, *, now: datetime
) -> Topic:
    """Raises NotFound, Forbidden, Invalid."""
    topic = get_topic(session, caller, topic_id)
    _require_mine(caller, topic)
    if said.title is not None:
        topic.title = _title(said.title)
    if said.region is not None:
        topic.region = _region_for(session, caller, said.region)
    topic.starts_at, topic.until = said.starts_at or topic.starts_at, said.until or topic.until
    _change(session, caller, topic, said)
    topic.updated_at = now
    _note(session, caller, "topic.change", topic, now)
    return topic


def end_topic(session: Session, caller: Caller, topic_id: str, *, now: datetime) -> Topic:
    """Take a topic off before its time; it stays in the list. Raises NotFound, Forbidden."""
    topic = get_topic(session, caller, topic_id)
    _require_mine(caller, topic)
    topic.ended_at = topic.updated_at = now
    _note(session, caller, "topic.end", topic, now)
    return topic


def get_topic(session: Session, caller: Caller, topic_id: str) -> Topic:
    """Raises NotFound, also for what the caller may not see."""
    query = select(Topic).where(Topic.id == known_id(topic_id), _visible(caller))
    topic = session.scalars(query).one_or_none()
    if topic is None:
        raise NotFound(N_("没有这个专题"))
    return topic


def list_topics(
    session: Session,
    caller: Caller,
    *,
    at: datetime | None = None,
    after: str | None = None,
    limit: int = PAGE,
) -> tuple[list[Topic], str | None]:
    """Topics of one's own places and of every level above them, newest first; ``at``: only those shown then."""
    limit = max(1, min(limit, service.MAX_PAGE))
    query = select(Topic).where(_visible(caller))
    if at is not None:
        query = query.where(Topic.starts_at <= at, Topic.until > at, Topic.ended_at.is_(None))
    if after:
        query = query.where(Topic.id < known_id(after))
    found = session.scalars(
        query.order_by(Topic.id.desc()).limit(limit + 1).options(selectinload(Topic.programmes))
    ).all()
    return list(found[:limit]), found[limit - 1].id if len(found) > limit else None


def topics_between(session: Session, since: datetime, until: datetime) -> list[TopicInForce]:
    """Every topic that is shown at some time of [since, until), in the order of display. For the schedule."""
    rows = session.scalars(
        select(Topic)
        .where(Topic.starts_at < until, Topic.until > since, Topic.ended_at.is_(None))
        .order_by(Topic.position, Topic.id)
        .options(selectinload(Topic.programmes))
    )
    return [_in_force(row) for row in rows]


def _in_force(row: Topic) -> TopicInForce:
    return TopicInForce(
        id=row.id,
        title=row.title,
        summary=row.summary,
        region=row.region,
        regions=tuple(row.regions) or (row.region,),
        starts_at=row.starts_at,
        until=row.until,
        required=row.required,
        poster=picture_of(row),
        programmes=tuple(entry.programme_id for entry in row.programmes),
        by=row.created_by,
    )


def picture_of(topic: Topic) -> Picture | None:
    """The topic's own picture."""
    if topic.poster_sha256 is None:
        return None
    return Picture(
        sha256=topic.poster_sha256,
        length=topic.poster_length or 0,
        pieces_root=topic.poster_pieces_root or "",
    )


def programmes_of(session: Session, topic: Topic) -> list[Programme]:
    """The topic's programmes in order."""
    ids = [entry.programme_id for entry in topic.programmes]
    found = {row.id: row for row in session.scalars(select(Programme).where(Programme.id.in_(ids)))}
    return [found[one] for one in ids if one in found]


# --- parts ------------------------------------------------------------------------------------------------------------
def _change(session: Session, caller: Caller, topic: Topic, said: TopicChanges) -> None:
    if said.summary is not None:
        topic.summary = clean_text(said.summary, service.MAX_SUMMARY)
    if said.regions is not None:
        topic.regions = _targets(session, topic.region, said.regions)
    if said.required is not None:
        topic.required = said.required
    if said.position is not None:
        topic.position = max(0, min(9_999, said.position))
    if said.poster is not None:
        topic.poster_sha256, topic.poster_length = said.poster.sha256, said.poster.length
        topic.poster_pieces_root = said.poster.pieces_root
    if said.programmes is not None:
        _fill(session, caller, topic, said.programmes)
    if not topic.starts_at < topic.until <= topic.starts_at + LONGEST:
        raise Invalid(N_("专题的结束须在开始之后，最长一年"), code="period")
    if any(not within(code, topic.region) for code in topic.regions):
        raise Invalid(N_("目标地区须在专题所属地区之内"), code="regions")
    session.flush()


def _targets(session: Session, region: str, codes: Sequence[str]) -> list[str]:
    wanted = known_regions(session, codes)
    return [] if wanted == [region] else wanted


def _fill(session: Session, caller: Caller, topic: Topic, programmes: Sequence[str]) -> None:
    wanted = list(dict.fromkeys(known_id(one) for one in programmes))
    if len(wanted) > MAX_PROGRAMMES:
        raise Invalid(N_("一个专题最多 %(most)d 个节目"), code="topic", most=MAX_PROGRAMMES)
    here = {entry.programme_id for entry in topic.programmes}
    for one in wanted:
        if one not in here:
            service.get_programme(session, caller, one)
    topic.programmes.clear()
    session.flush()
    topic.programmes.extend(
        TopicProgramme(programme_id=one, order=at) for at, one in enumerate(wanted, start=1)
    )


def _title(text: str) -> str:
    title = " ".join(clean_text(text, 10_000).split())
    if not title or len(title) > MAX_TITLE:
        raise Invalid(N_("专题名称应为 1 到 %(most)d 个字"), code="title", most=MAX_TITLE)
    return title


def _region_for(session: Session, caller: Caller, region: str | None) -> str:
    """The level that makes the topic: an editor's own place. Partners make none."""
    scopes = caller.scopes(Action.CATALOG_WITHDRAW)
    code = region or (scopes[0] if scopes else None)
    if code is None:
        raise Forbidden(N_("您的岗位不能办专题"))
    caller.require(Action.CATALOG_WITHDRAW, code)
    return known_regions(session, [code])[0]


def _visible(caller: Caller) -> ColumnElement[bool]:
    scopes = caller.scopes(Action.CATALOG_VIEW)
    above = {code for scope in scopes for code in lineage(scope)}
    return or_(
        Topic.created_by == caller.id,
        Topic.region.in_(above),
        *(Topic.region.startswith(scope) for scope in scopes),
    )


def _require_mine(caller: Caller, topic: Topic) -> None:
    if not caller.can(Action.CATALOG_WITHDRAW, topic.region):
        raise Forbidden(N_("这不是您能办理的专题"))


def _note(session: Session, caller: Caller, action: str, topic: Topic, now: datetime) -> None:
    audit.append(
        session,
        actor=caller,
        action=action,
        subject=f"topic:{topic.id}",
        detail={
            "title": topic.title,
            "regions": list(topic.regions),
            "required": topic.required,
            "programmes": [entry.programme_id for entry in topic.programmes],
        },
        now=now,
    )
