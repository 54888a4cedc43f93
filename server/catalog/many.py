"""Doing one thing to many programmes at once, and keeping sets of filters under a name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.catalog import service, topics
from server.catalog.models import Programme
from server.catalog.programmes import Changes, change_programme
from server.catalog.search import Filters
from server.catalog.search_models import SavedView
from server.catalog.topics import TopicChanges
from server.errors import Conflict, Invalid, NotFound, YuanboError
from server.i18n import N_
from server.identity.rules import Caller

MOST = 200
MOST_VIEWS = 30


class Deed(StrEnum):
    """What can be done to many at once; ``value`` is the section, tag, topic or reason."""

    SUBMIT = "submit"
    WITHDRAW = "withdraw"
    SECTION = "section"
    TAG = "tag"
    UNTAG = "untag"
    TOPIC = "topic"


DEED_NAMES = {
    Deed.SUBMIT: N_("送审"),
    Deed.WITHDRAW: N_("撤下"),
    Deed.SECTION: N_("改板块"),
    Deed.TAG: N_("加标签"),
    Deed.UNTAG: N_("去标签"),
    Deed.TOPIC: N_("加入专题"),
}


@dataclass(frozen=True)
class Outcome:
    """What became of one programme; ``error`` is why nothing did."""

    programme_id: str
    title: str
    error: YuanboError | None = None


def do(
    session: Session, caller: Caller, programme_ids: Sequence[str], deed: Deed, value: str, *, now: datetime
) -> list[Outcome]:
    """Do it to each programme for which it is allowed; what is refused leaves the others as done. Raises Invalid for
    too many, or when the value fits none."""
    ids = list(dict.fromkeys(programme_ids))
    if not ids:
        raise Invalid(N_("请先选择节目"), code="none_chosen")
    if len(ids) > MOST:
        raise Invalid(N_("一次最多办理 %(most)d 个节目"), code="too_many", most=MOST)
    work = _work(session, caller, deed, value.strip(), now)
    return [_one(session, caller, one, work) for one in ids]


def _one(session: Session, caller: Caller, programme_id: str, work: Callable[[Programme], object]) -> Outcome:
    """In a transaction of its own inside ours: refused half-way, nothing of it stays."""
    title = ""
    try:
        with session.begin_nested():
            programme = service.get_programme(session, caller, programme_id)
            title = programme.title
            work(programme)
            session.flush()
    except YuanboError as error:
        return Outcome(programme_id, title, error)
    return Outcome(programme_id, title)


def _work(
    session: Session, caller: Caller, deed: Deed, value: str, now: datetime
) -> Callable[[Programme], object]:
    if deed is Deed.SUBMIT:
        return lambda programme: service.submit(session, caller, programme.editions[-1].id, now=now)
    if not value:
        raise Invalid(N_("请填写板块、标签、专题或原因"), code="value")
    if deed is Deed.WITHDRAW:
        return lambda programme: service.withdraw(
            session, caller, programme.editions[-1].id, reason=value, now=now
        )
    if deed is Deed.TOPIC:
        topics.get_topic(session, caller, value)
        return lambda programme: _add_to_topic(session, caller, value, programme, now)
    if deed is Deed.SECTION:
        section = service.section_named(session, value).slug
        return lambda programme: _change(session, caller, programme, Changes(section=section), now)
    return lambda programme: _change(session, caller, programme, _tags(programme, deed, value), now)


def _change(session: Session, caller: Caller, programme: Programme, changes: Changes, now: datetime) -> None:
    change_programme(session, caller, programme.id, changes, now=now)


def _tags(programme: Programme, deed: Deed, tag: str) -> Changes:
    here = [row.tag for row in programme.tags]
    return Changes(tags=[*here, tag] if deed is Deed.TAG else [one for one in here if one != tag])


def _add_to_topic(
    session: Session, caller: Caller, topic_id: str, programme: Programme, now: datetime
) -> None:
    here = [entry.programme_id for entry in topics.get_topic(session, caller, topic_id).programmes]
    if programme.id in here:
        raise Conflict(N_("已在这个专题里"), code="in_topic")
    topics.change_topic(session, caller, topic_id, TopicChanges(programmes=[*here, programme.id]), now=now)


# --- saved views --------------------------------------------------------------------------------------------------------
def save_view(session: Session, caller: Caller, name: str, filters: Filters, *, now: datetime) -> SavedView:
    """Keep filters under a name of one's own; the same name is replaced. Raises Invalid."""
    title = service.clean_title(name)[:40]
    kept = {key: value for key, value in asdict(filters).items() if value not in (None, False)}
    if not kept:
        raise Invalid(N_("请先选择筛选条件"), code="no_filters")
    mine = SavedView.account_id == caller.id
    row = session.scalars(select(SavedView).where(mine, SavedView.name == title)).one_or_none()
    if row is None:
        if (session.scalar(select(func.count()).select_from(SavedView).where(mine)) or 0) >= MOST_VIEWS:
            raise Invalid(N_("最多保存 %(most)d 个视图"), code="too_many", most=MOST_VIEWS)
        row = SavedView(account_id=caller.id, name=title, created_at=now)
        session.add(row)
    row.filters = kept
    session.flush()
    return row


def saved_views(session: Session, caller: Caller) -> Sequence[SavedView]:
    """One's own, by name."""
    return session.scalars(
        select(SavedView).where(SavedView.account_id == caller.id).order_by(SavedView.name)
    ).all()


def forget_view(session: Session, caller: Caller, view_id: str) -> None:
    """Raises NotFound."""
    row = session.get(SavedView, service.known_id(view_id))
    if row is None or row.account_id != caller.id:
        raise NotFound
    session.delete(row)


def filters_of(arguments: dict[str, Any]) -> Filters:
    """Filters from what an address or a form says; empty ones are left out. Raises Invalid."""
    known = set(Filters.__dataclass_fields__)
    given = {
        name: str(value).strip() for name, value in arguments.items() if name in known and str(value).strip()
    }
    numbers = {name: _number(given.pop(name)) for name in ("longer", "shorter", "month") if name in given}
    mine = given.pop("mine", "") not in ("", "0", "False")
    return Filters(**given, **numbers, mine=mine)  # type: ignore[arg-type]


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise Invalid(N_("“%(text)s”不是数字"), code="number", text=text[:20])
    return int(text)
