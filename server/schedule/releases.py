"""Which programmes can be placed: the newest released, playable edition of each, in one light query."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.catalog.models import Asset, AssetState, Edition, EditionState, Programme, Rendition
from server.errors import Conflict, NotFound
from server.i18n import N_
from server.schedule.rulebook import Release


@dataclass(frozen=True)
class ReleaseRef:
    """What publish knows of an admitted edition: the manifest's hash and the exact length."""

    release: str
    duration_ms: int


@dataclass(frozen=True)
class Playable:
    """A programme's newest released edition, as the schedule needs it."""

    programme: str
    edition: str
    number: int | None
    title: str
    section: str
    region: str
    duration_ms: int
    rights_from: datetime | None
    rights_until: datetime | None
    rights_regions: list[str]
    asset: str
    recipe: str

    @property
    def length(self) -> timedelta:
        return timedelta(milliseconds=self.duration_ms)


def playable(
    session: Session,
    programmes: Sequence[str] | None = None,
    *,
    lengths_ms: tuple[int, int] | None = None,
) -> dict[str, Playable]:
    """By programme id; of all programmes, or of these, or of those between two lengths."""
    lengths = (
        select(
            Rendition.asset_id, Rendition.recipe_sha256, func.min(Rendition.duration_ms).label("duration_ms")
        )
        .group_by(Rendition.asset_id, Rendition.recipe_sha256)
        .subquery()
    )
    length = func.coalesce(lengths.c.duration_ms, Asset.duration_ms, 0)
    query = (
        select(
            Edition.programme_id,
            Edition.id,
            Programme.number,
            Programme.title,
            Programme.section,
            Programme.region,
            length,
            Programme.rights_from,
            Programme.rights_until,
            Programme.rights_regions,
            Edition.asset_id,
            Edition.recipe_sha256,
        )
        .join(Asset, Edition.asset_id == Asset.id)
        .join(Programme, Edition.programme_id == Programme.id)
        .outerjoin(
            lengths,
            (lengths.c.asset_id == Edition.asset_id) & (lengths.c.recipe_sha256 == Edition.recipe_sha256),
        )
        .where(Edition.state == EditionState.RELEASED, Asset.state == AssetState.READY)
        .order_by(Edition.number)
    )
    if programmes is not None:
        query = query.where(Edition.programme_id.in_(programmes))
    if lengths_ms is not None:
        query = query.where(length.between(*lengths_ms))
    return {row[0]: Playable(*row) for row in session.execute(query)}


def schedulable(session: Session, programme_id: str) -> Playable:
    """The newest released edition of a programme (an edition's id is accepted too). Raises NotFound, Conflict."""
    edition = session.get(Edition, programme_id)
    programme = session.get(Programme, edition.programme_id if edition else programme_id)
    if programme is None:
        raise NotFound(N_("没有这个节目"))
    found = playable(session, [programme.id]).get(programme.id)
    if found is None:
        raise Conflict(N_("《%(title)s》尚未通过三审，不能编排"), code="not_released", title=programme.title)
    return found


def as_release(found: Playable, known: ReleaseRef | None) -> Release:
    """``known`` is what was admitted; without it, for a preview, a stand-in for the hash."""
    return Release(
        edition=found.edition,
        release=known.release if known else hashlib.sha256(found.edition.encode()).hexdigest(),
        duration_ms=known.duration_ms if known else found.duration_ms,
        section=found.section,
        title=found.title,
        regions=tuple(found.rights_regions),
        rights_from=found.rights_from,
        rights_until=found.rights_until,
    )


def releases_of(
    session: Session,
    admitted: Mapping[str, ReleaseRef] | None,
    programmes: Sequence[str] | None = None,
) -> dict[str, Release]:
    """By programme: what may be named in documents. ``admitted`` by edition; None counts every released edition.
    ``programmes``: only these."""
    found = {
        programme: as_release(one, admitted.get(one.edition) if admitted is not None else None)
        for programme, one in playable(session, programmes).items()
        if admitted is None or one.edition in admitted
    }
    return {programme: release for programme, release in found.items() if release.duration_ms > 0}
