"""授权书: scans of licences, each for a batch of programmes, whose rights it gives them and which reviewers see.

The scan is no programme: it lies under ``a/…``, which the read plane does not serve.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from protocol.times import from_text
from server.catalog import describing, programmes, service
from server.catalog.models import Authorisation, AuthorisedProgramme, Programme
from server.errors import Conflict, Invalid, NotFound, TooLarge
from server.i18n import N_
from server.identity import audit
from server.identity.rules import Action, Caller
from server.storage import Store, scan_key

MOST_BYTES = 20_000_000
MOST_PROGRAMMES = 500
_KINDS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "application/pdf"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
)


@dataclass(frozen=True)
class Licence:
    """What a licence says."""

    title: str
    source: str = ""
    licence: str = ""
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    department: str | None = None


def media_type(data: bytes) -> str:
    """What a scan is, by its first bytes and not its name. Raises Invalid."""
    for head, kind in _KINDS:
        if data.startswith(head):
            return kind
    raise Invalid(N_("授权书须是 PDF、JPG 或 PNG 扫描件"), code="bad_scan")


def add(
    session: Session,
    caller: Caller,
    store: Store,
    *,
    filename: str,
    data: bytes,
    licence: Licence,
    batch_ids: Iterable[str],
    now: datetime,
) -> Authorisation:
    """Keep a scan for a batch of programmes; drafts among them take its rights over.

    Raises Forbidden, Invalid (kind, dates, none or too many programmes), TooLarge, NotFound.
    """
    kind = media_type(data)
    if len(data) > MOST_BYTES:
        raise TooLarge(N_("扫描件不能超过 %(most)s MB"), most=MOST_BYTES // 1_000_000)
    batch = _batch(session, caller, batch_ids)
    if licence.valid_from and licence.valid_until and licence.valid_until <= licence.valid_from:
        raise Invalid(N_("版权期限的结束须在开始之后"))
    title = service.clean_text(licence.title, 200)
    if not title:
        raise Invalid(N_("请填写授权书名称"))
    sha256 = hashlib.sha256(data).hexdigest()
    store.put_bytes(scan_key(sha256), data)
    row = Authorisation(
        title=title,
        filename=Path(filename.replace("\\", "/")).name[:255] or "scan",
        media_type=kind,
        size=len(data),
        sha256=sha256,
        department=service.department_named(session, licence.department).slug if licence.department else None,
        region=batch[0].region,
        source=service.clean_text(licence.source, 200),
        licence=service.clean_text(licence.licence, 200),
        valid_from=licence.valid_from,
        valid_until=licence.valid_until,
        made_by=caller.id,
        made_at=now,
    )
    session.add(row)
    session.flush()
    session.add_all(AuthorisedProgramme(authorisation_id=row.id, programme_id=one.id) for one in batch)
    for programme in batch:
        _take_over(session, caller, programme, row, now)
    audit.append(
        session,
        actor=caller,
        action="authorisation.add",
        subject=f"authorisation:{row.id}",
        detail={"sha256": sha256, "title": title, "programmes": [one.id for one in batch]},
        now=now,
    )
    return row


def _batch(session: Session, caller: Caller, ids: Iterable[str]) -> list[Programme]:
    wanted = list(dict.fromkeys(ids))
    if not 1 <= len(wanted) <= MOST_PROGRAMMES:
        raise Invalid(N_("请选择 1–%(most)s 个节目"), most=MOST_PROGRAMMES)
    batch = [service.get_programme(session, caller, one, lock=True) for one in sorted(wanted)]
    for programme in batch:
        service.require_contributing(caller, programme)
    return batch


def _take_over(
    session: Session, caller: Caller, programme: Programme, row: Authorisation, now: datetime
) -> None:
    """Rights of the scan become the programme's while nobody reviews it."""
    edition = service.changeable_edition(programme)
    if edition is None:
        return
    said = describing.describe(session, edition).rights
    rights = programmes.Rights(
        source=row.source or said.source,
        licence=row.licence or said.licence,
        valid_from=row.valid_from or (from_text(said.valid_from) if said.valid_from else None),
        valid_until=row.valid_until or (from_text(said.valid_until) if said.valid_until else None),
        regions=tuple(said.regions),
    )
    programmes.change_programme(session, caller, programme.id, programmes.Changes(rights=rights), now=now)


def extend(
    session: Session, caller: Caller, authorisation_id: str, batch_ids: Iterable[str], *, now: datetime
) -> int:
    """Let an authorisation cover further programmes; how many were new. Raises NotFound, Forbidden, Conflict."""
    row = get(session, caller, authorisation_id)
    known = set(
        session.scalars(
            select(AuthorisedProgramme.programme_id).where(AuthorisedProgramme.authorisation_id == row.id)
        )
    )
    new = [one for one in _batch(session, caller, batch_ids) if one.id not in known]
    if len(known) + len(new) > MOST_PROGRAMMES:
        raise Conflict(N_("一份授权书最多 %(most)s 个节目"), most=MOST_PROGRAMMES)
    session.add_all(AuthorisedProgramme(authorisation_id=row.id, programme_id=one.id) for one in new)
    session.flush()
    for programme in new:
        _take_over(session, caller, programme, row, now)
    audit.append(
        session,
        actor=caller,
        action="authorisation.extend",
        subject=f"authorisation:{row.id}",
        detail={"programmes": [one.id for one in new]},
        now=now,
    )
    return len(new)


def get(session: Session, caller: Caller, authorisation_id: str) -> Authorisation:
    """One that the caller may see: his own, his department's, or of a region where he edits or reviews."""
    row = session.get(Authorisation, service.known_id(authorisation_id))
    if row is None or not _may_see(caller, row):
        raise NotFound(N_("没有这份授权书"))
    return row


def _may_see(caller: Caller, row: Authorisation) -> bool:
    if row.made_by == caller.id or (caller.department is not None and row.department == caller.department):
        return True
    return caller.can(Action.CATALOG_VIEW_UNRELEASED, row.region)


def visible(session: Session, caller: Caller, *, limit: int = 200) -> list[tuple[Authorisation, int]]:
    """Authorisations the caller may see with the number of their programmes, newest first."""
    count = (
        select(func.count())
        .where(AuthorisedProgramme.authorisation_id == Authorisation.id)
        .correlate(Authorisation)
        .scalar_subquery()
    )
    conditions = [Authorisation.made_by == caller.id]
    conditions += [
        Authorisation.region.startswith(scope) for scope in caller.scopes(Action.CATALOG_VIEW_UNRELEASED)
    ]
    if caller.department:
        conditions.append(Authorisation.department == caller.department)
    rows = session.execute(
        select(Authorisation, count).where(or_(*conditions)).order_by(Authorisation.id.desc()).limit(limit)
    )
    return [(row, int(number)) for row, number in rows]


def of_programme(session: Session, programme_id: str) -> Sequence[Authorisation]:
    """The authorisations that cover a programme, newest first."""
    return session.scalars(
        select(Authorisation)
        .join(AuthorisedProgramme, AuthorisedProgramme.authorisation_id == Authorisation.id)
        .where(AuthorisedProgramme.programme_id == programme_id)
        .order_by(Authorisation.id.desc())
    ).all()


def scan_bytes(store: Store, row: Authorisation) -> bytes:
    """The scan itself. Raises NotFound when the object is gone."""
    try:
        return b"".join(store.chunks(scan_key(row.sha256)))
    except FileNotFoundError as error:
        raise NotFound(N_("扫描件不见了，请重新上传")) from error
