"""What partners may harvest of our catalogue, as records: every programme that was ever released.

Shared is what is released, whose rights hold now and are not bound to single regions; what no longer is stays as a
deleted record, so that those who harvested it take it down. A right that runs out changes the datestamp by itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, case, cast, exists, func, or_, select
from sqlalchemy.orm import Session, aliased, selectinload

from server.catalog import oai, service
from server.catalog.describing import course_ref
from server.catalog.lom import LomItem
from server.catalog.models import Edition, EditionState, Programme, ProgrammeSection, Rendition
from server.catalog.oai import Asked, OaiError, Record
from server.catalog.renditions import REVIEW_PROFILE
from server.db import Setting
from server.errors import Invalid, NotFound
from server.i18n import N_
from server.identity import audit
from server.identity.rules import Action, Caller
from server.regions import service as regions
from server.regions.models import Region

_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_NAME, _EMAIL, _OFF = "sharing.name", "sharing.email", "sharing.off"
_EMAIL_FORM = re.compile(r"[^\s@]+@([^\s@.]+\.)+[^\s@.]+")


# --- who we are ---------------------------------------------------------------------------------------------------------
def repository(session: Session, url: str) -> oai.Repository:
    """Raises NotFound when sharing is switched off."""
    if is_off(session):
        raise NotFound(N_("本平台没有开放共享"))
    province = session.scalar(select(Region.name).where(Region.level == "province").limit(1)) or ""
    earliest = session.scalar(select(func.min(Edition.released_at))) or _EARLIEST
    return oai.Repository(
        url=url,
        name=_setting(session, _NAME) or f"{province}党员干部现代远程教育节目库",
        email=_setting(session, _EMAIL) or "postmaster@yuanbo.example",
        earliest=earliest,
    )


def is_off(session: Session) -> bool:
    return _setting(session, _OFF) == "1"


def _setting(session: Session, key: str) -> str:
    row = session.get(Setting, key)
    return row.value if row is not None else ""


def change_sharing(
    session: Session, caller: Caller, *, name: str, email: str, is_off: bool, now: datetime
) -> None:
    """Say under which name others may harvest us, whom they write to, or that they may not. Raises Invalid."""
    caller.require(Action.CATALOG_SETTINGS)
    if email and not _EMAIL_FORM.fullmatch(email):
        raise Invalid(N_("“%(email)s”不是邮箱地址"), code="email", email=email[:80])
    values = {_NAME: service.clean_text(name, 100), _EMAIL: email[:200], _OFF: "1" if is_off else "0"}
    for key, value in values.items():
        session.merge(Setting(key=key, value=value))
    session.flush()
    detail = {"name": name, "email": email, "off": is_off}
    audit.append(session, actor=caller, action="sharing.change", subject="sharing", detail=detail, now=now)


def sharing(session: Session) -> tuple[str, str, bool]:
    """What was set: name, e-mail, whether sharing is off."""
    return _setting(session, _NAME), _setting(session, _EMAIL), is_off(session)


# --- which --------------------------------------------------------------------------------------------------------------
def is_shared(now: datetime) -> ColumnElement[bool]:
    """The condition on Programme for what may be harvested."""
    edition = aliased(Edition)
    return and_(
        exists().where(edition.programme_id == Programme.id, edition.state == EditionState.RELEASED),
        or_(Programme.rights_until.is_(None), Programme.rights_until > now),
        or_(Programme.rights_from.is_(None), Programme.rights_from <= now),
        func.replace(cast(Programme.rights_regions, Text), " ", "") == "[]",
    )


def _was_released() -> ColumnElement[bool]:
    edition = aliased(Edition)
    return exists().where(edition.programme_id == Programme.id, edition.released_at.is_not(None))


def _stamp(now: datetime) -> Any:
    """When a record last changed: with what is said about it, or when its rights began or ran out."""
    changed = func.coalesce(Programme.updated_at, Programme.created_at)
    until, since = Programme.rights_until, Programme.rights_from
    return case(
        (and_(until <= now, until > changed), until),
        (and_(since <= now, since > changed), since),
        else_=changed,
    )


def page(session: Session, asked: Asked, *, media: str, now: datetime) -> tuple[list[Record], bool]:
    """A page of a list, the longest unchanged first, and whether there is more. Raises OaiError."""
    stamp = _stamp(now)
    query = select(Programme, stamp.label("stamp"), is_shared(now).label("shared")).where(_was_released())
    if asked.since is not None:
        query = query.where(stamp >= asked.since)
    if asked.before is not None:
        query = query.where(stamp < asked.before)
    if asked.set_spec is not None:
        query = query.where(_in_set(session, asked.set_spec))
    if asked.behind is not None:
        at, programme_id = _behind(asked)
        query = query.where(or_(stamp > at, and_(stamp == at, Programme.id > programme_id)))
    rows = session.execute(
        query.order_by(stamp, Programme.id)
        .limit(oai.PAGE + 1)
        .options(
            selectinload(Programme.editions), selectinload(Programme.sections), selectinload(Programme.tags)
        )
    ).all()
    records = _records(session, [tuple(row) for row in rows[: oai.PAGE]], media)
    return records, len(rows) > oai.PAGE


def _behind(asked: Asked) -> tuple[Any, Any]:
    place = asked.behind
    assert place is not None
    try:
        return place.stamp, service.known_id(place.programme_id)
    except NotFound as error:
        raise OaiError("badResumptionToken", "The resumptionToken is not one of ours.") from error


def _in_set(session: Session, spec: str) -> ColumnElement[bool]:
    if spec not in {section.slug for section in service.sections(session)}:
        raise OaiError("noRecordsMatch", "There is no such set.")
    further = exists().where(ProgrammeSection.programme_id == Programme.id, ProgrammeSection.section == spec)
    return or_(Programme.section == spec, further)


def one(session: Session, identifier: str, *, media: str, now: datetime) -> Record:
    """The record of an identifier. Raises OaiError."""
    missing = OaiError("idDoesNotExist", "There is no such identifier here.")
    try:
        programme_id = service.known_id(oai.programme_of(identifier))
    except NotFound as error:
        raise missing from error
    row = session.execute(
        select(Programme, _stamp(now), is_shared(now)).where(Programme.id == programme_id, _was_released())
    ).one_or_none()
    if row is None:
        raise missing
    return _records(session, [tuple(row)], media)[0]


def newest(
    session: Session, *, section: str | None, before: str | None, limit: int, media: str, now: datetime
) -> list[Record]:
    """The released programmes, the newest first, for MRSS. Raises Invalid (section), NotFound (before)."""
    query = select(Programme, _stamp(now), is_shared(now)).where(is_shared(now))
    if section:
        slug = service.section_named(session, section).slug
        query = query.where(Programme.section == slug)
    if before:
        query = query.where(Programme.id < service.known_id(before))
    rows = session.execute(
        query.order_by(Programme.id.desc())
        .limit(limit)
        .options(
            selectinload(Programme.editions), selectinload(Programme.sections), selectinload(Programme.tags)
        )
    ).all()
    return _records(session, [tuple(row) for row in rows], media)


def file_of(session: Session, programme_id: str, *, now: datetime) -> str:
    """SHA-256 of the file that partners get of a shared programme. Raises NotFound."""
    programme = session.scalars(
        select(Programme).where(Programme.id == service.known_id(programme_id), is_shared(now))
    ).one_or_none()
    if programme is None:
        raise NotFound
    best = _best(session, [_released(programme)]).get(_cut(_released(programme)))
    if best is None:
        raise NotFound
    return best.sha256


# --- as records -----------------------------------------------------------------------------------------------------------
def _records(session: Session, rows: Sequence[tuple[Any, ...]], media: str) -> list[Record]:
    """``media`` is the address at which ``<programme>.mp4`` lies."""
    shelves = {row.slug: row.name for row in service.sections(session)}
    departments = {row.slug: row.name for row in service.departments(session)}
    places = regions.full_names(session, {programme.region for programme, _stamp, _shared in rows})
    best = _best(session, [_released(programme) for programme, _stamp, shared in rows if shared])
    found = []
    for programme, stamp, shared in rows:
        sets = [programme.section, *(row.section for row in programme.sections)]
        item = None
        if shared:
            edition = _released(programme)
            item = _item(session, programme, edition, best.get(_cut(edition)), shelves, media)
            item = replace(
                item,
                place=places.get(programme.region, ""),
                publisher=departments.get(programme.department or "", ""),
            )
        found.append(Record(programme.id, stamp, sets, item, departments.get(programme.department or "", "")))
    return found


def _item(
    session: Session,
    programme: Programme,
    edition: Edition,
    rendition: Rendition | None,
    shelves: dict[str, str],
    media: str,
) -> LomItem:
    course = course_ref(session, programme.id)
    return LomItem(
        identifier=oai.identifier_of(programme.id),
        title=programme.title,
        summary=programme.summary,
        language="zh-CN",
        tags=[row.tag for row in programme.tags],
        kind=programme.kind or "video",
        version=str(edition.number),
        released_on=edition.released_at.date().isoformat() if edition.released_at else "",
        size=rendition.length if rendition else None,
        location=f"{media}/{programme.id}.mp4" if rendition else "",
        duration_ms=rendition.duration_ms if rendition else None,
        section=(programme.section, shelves.get(programme.section, "")),
        sections=[(row.section, shelves.get(row.section, "")) for row in programme.sections],
        audience=programme.audience or "",
        months=programme.months or (),
        course=(course.id, course.title) if course else None,
        rights_source=programme.rights_source,
        rights_licence=programme.rights_licence,
        rights_until=programme.rights_until.date().isoformat() if programme.rights_until else "",
    )


def _released(programme: Programme) -> Edition:
    """The newest released edition."""
    return [edition for edition in programme.editions if edition.state == EditionState.RELEASED][-1]


def _cut(edition: Edition) -> tuple[str, str]:
    return edition.asset_id, edition.recipe_sha256


def _best(session: Session, editions: Sequence[Edition]) -> dict[tuple[str, str], Rendition]:
    """The largest rendition of each cut, review copies aside."""
    rows = session.scalars(
        select(Rendition)
        .where(
            Rendition.asset_id.in_({edition.asset_id for edition in editions}),
            Rendition.profile != REVIEW_PROFILE,
        )
        .order_by(Rendition.height, Rendition.bitrate)
    )
    return {(row.asset_id, row.recipe_sha256): row for row in rows}
