"""Guides of a region: as it was published, or as the rules stand now. Works in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from protocol.documents import Frame, LocalDocument, StudyDay
from protocol.merge import Listing, merge
from protocol.regions import lineage
from server.catalog.models import Edition, Programme, Rendition, Section
from server.errors import Invalid, NotFound
from server.i18n import N_
from server.regions import service as regions
from server.schedule import service
from server.schedule.guide import ANNOUNCED, MOST_DAYS, About, Guide, Line, line_of, plain, study_of
from server.schedule.served import Documents, ReadPlane

PROFILES = ("576p", "360p", "720p")
"""Which rendition a playlist names, the most fitting first."""
_CHUNK = 500


def published_guide(
    session: Session,
    plane: ReadPlane,
    *,
    region: str,
    first_day: date,
    days: int,
    url: str = "",
    media_base: str = "",
    now: datetime,
) -> Guide:
    """What the region's stations were told. Raises NotFound (no such region), Invalid (days)."""
    check_days(days)
    place = regions.get(session, regions.require_code(region))
    documents = plane.documents(region)
    span = [first_day + timedelta(days=i) for i in range(days)]
    listings = {
        (line.id, line.name, line.name_en): [
            merge(
                region=region,
                channel=line.id,
                day=day,
                frame=documents.frame,
                local_documents=documents.local_documents,
                emergency=documents.emergency,
                recalled=documents.recalled,
            )
            for day in span
        ]
        for line in (documents.frame.channels if documents.frame else [])
    }
    return Guide(
        region=region,
        name=plain(regions.join_names([place]), 80),
        full_name=plain(regions.full_name(session, region), 200),
        first_day=first_day,
        days=days,
        lines=_lines(session, listings, media_base),
        study=study_of(study_days(documents.frame, documents.local_documents, region), first_day, days),
        publication=plane.publication,
        url=url,
        made_at=now,
    )


def draft_guide(
    session: Session,
    *,
    region: str,
    first_day: date,
    days: int,
    url: str = "",
    media_base: str = "",
    now: datetime,
) -> Guide:
    """What the region would be told if everything were published now. Raises NotFound, Invalid."""
    check_days(days)
    place = regions.get(session, regions.require_code(region))
    span = [first_day + timedelta(days=i) for i in range(days)]
    listings = {
        (channel.id, channel.name, channel.name_en): [
            view.listing
            for view in service.preview_listings(session, region=region, days=span, channel=channel.id)
        ]
        for channel in service.channels(session)
    }
    return Guide(
        region=region,
        name=plain(regions.join_names([place]), 80),
        full_name=plain(regions.full_name(session, region), 200),
        first_day=first_day,
        days=days,
        lines=_lines(session, listings, media_base),
        url=url,
        made_at=now,
    )


def check_days(days: int) -> None:
    """Raises Invalid."""
    if not 1 <= days <= MOST_DAYS:
        raise Invalid(N_("天数须在 1 到 %(most)s 之间"), code="days", most=MOST_DAYS)


def require_published(guide: Guide) -> Guide:
    """The guide, where there is a publication to speak of. Raises NotFound."""
    if guide.publication is None:
        raise NotFound(N_("节目单还没有发布过"), code="not_published")
    return guide


def study_days(
    frame: Frame | None, local_documents: Iterable[LocalDocument], region: str
) -> Sequence[StudyDay]:
    """The study days of the nearest level that sets any: county, city, then the province's frame."""
    by_region = {document.region: document for document in local_documents}
    for code in lineage(region):
        document = by_region.get(code)
        if document is not None and document.study is not None:
            return document.study
    return frame.study if frame else []


def on_air(documents: Documents, region: str, day: date) -> dict[str, Listing]:
    """Today's listing of each channel, with its fillers, to say what plays this minute."""
    return {
        line.id: merge(
            region=region,
            channel=line.id,
            day=day,
            frame=documents.frame,
            local_documents=documents.local_documents,
            emergency=documents.emergency,
            recalled=documents.recalled,
        )
        for line in (documents.frame.channels if documents.frame else [])
    }


# --- what is told of editions ---------------------------------------------------------------------------------------
def _lines(
    session: Session, listings: Mapping[tuple[str, str, str], Sequence[Listing]], media_base: str
) -> tuple[Line, ...]:
    items = [
        i for several in listings.values() for one in several for i in one.items if i.source in ANNOUNCED
    ]
    about = about_editions(session, {i.edition for i in items if i.edition}, media_base)
    places = regions.names(session, {i.why.region for i in items if i.why})
    return tuple(
        line_of(channel, several, about, lambda code: places.get(code, code))
        for channel, several in listings.items()
    )


def about_editions(session: Session, editions: Iterable[str], media_base: str = "") -> dict[str, About]:
    """What is told of editions, by id; unknown ones are left out. ``media_base``: URL that ``/m/…`` follows."""
    wanted = sorted(editions)
    found: dict[str, About] = {}
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        media = _media(session, chunk) if media_base else {}
        rows = session.execute(
            select(Edition.id, Programme, Section)
            .join(Programme, Edition.programme_id == Programme.id)
            .join(Section, Programme.section == Section.slug)
            .where(Edition.id.in_(chunk))
        )
        for edition, programme, section in rows:
            found[edition] = About(
                title=programme.title,
                summary=programme.summary,
                section=section.name,
                section_en=section.name_en,
                number=programme.number,
                media=f"{media_base}/m/{media[edition]}" if edition in media else None,
            )
    return found


def _media(session: Session, editions: Sequence[str]) -> dict[str, str]:
    """The SHA-256 of the rendition that fits a playlist best, by edition."""
    rows = session.execute(
        select(Edition.id, Rendition.profile, Rendition.sha256)
        .join(
            Rendition,
            (Rendition.asset_id == Edition.asset_id) & (Rendition.recipe_sha256 == Edition.recipe_sha256),
        )
        .where(Edition.id.in_(editions))
    )
    rank = {profile: position for position, profile in enumerate(PROFILES)}
    best: dict[str, tuple[int, str]] = {}
    for edition, profile, sha256 in rows:
        mine = (rank.get(profile, len(PROFILES)), sha256)
        best[edition] = min(best.get(edition, mine), mine)
    return {edition: sha256 for edition, (_, sha256) in best.items()}
