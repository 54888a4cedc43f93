"""Programmes and their editions: what contributors say about them, new cuts, recipes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session, aliased

from protocol.documents import ProgrammeKind
from protocol.documents import Rights as ManifestRights
from protocol.regions import level_of
from protocol.times import to_text
from server.catalog import describing, description, recipe, review, service
from server.catalog.description import Description
from server.catalog.files import copy_files, retime_files
from server.catalog.initials import initials
from server.catalog.models import Asset, AssetState, Edition, EditionState, Programme, Upload
from server.catalog.service import clean_text, clean_title, known_id
from server.errors import Conflict, Invalid, NotFound
from server.i18n import N_
from server.identity import audit
from server.identity.rules import Caller
from server.regions.models import Region
from server.storage import Store

MAX_REASON = 500


@dataclass(frozen=True)
class Rights:
    """Where a programme comes from, until when and where it may be shown (no regions: everywhere)."""

    source: str = ""
    licence: str = ""
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    regions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Changes:
    """What to say about a programme; None leaves it as it is. Sections and department by slug or name, local type by
    code or name (empty: none), chapters as (at_ms, title) on the cut's time line."""

    title: str | None = None
    summary: str | None = None
    section: str | None = None
    sections: Sequence[str] | None = None
    department: str | None = None
    region: str | None = None
    rights: Rights | None = None
    kind: str | None = None
    local_type: str | None = None
    audience: str | None = None
    months: Sequence[int] | None = None
    tags: Sequence[str] | None = None
    chapters: Sequence[tuple[int, str]] | None = None


@dataclass(frozen=True, kw_only=True)
class NewProgramme:
    """What a contributor says. Section and department by slug or name; region defaults to the caller's own."""

    title: str
    section: str
    asset_id: str
    department: str | None = None
    region: str | None = None
    summary: str = ""
    rights: Rights = field(default_factory=Rights)
    more: Changes = field(default_factory=Changes)
    """Everything else that may be said: sections, kind, local type, audience, months, tags, chapters."""


def create_programme(session: Session, caller: Caller, new: NewProgramme, *, now: datetime) -> Programme:
    """A programme with its first edition, a draft. Raises Invalid, Forbidden, NotFound (the asset)."""
    region = service.region_for(session, caller, new.region)
    asset = _asset_of(session, caller, new.asset_id)
    title = clean_title(new.title)
    programme = Programme(
        title=title,
        initials=initials(title),
        summary=clean_text(new.summary, service.MAX_SUMMARY),
        section=service.section_named(session, new.section).slug,
        department=service.department_for(session, caller, new.department),
        region=region,
        number=None,
        kind=_kind_of(asset),
        local_type=None,
        audience="",
        months=[],
        chapters=[],
        created_by=caller.id,
        created_at=now,
        updated_at=now,
        **_rights(session, new.rights),
    )
    programme.editions.append(_edition(caller, asset, number=1, now=now))
    session.add(programme)
    session.flush()
    _say(session, programme, _cleaned(session, caller, programme.section, new.more))
    session.flush()
    audit.append(
        session,
        actor=caller,
        action="programme.create",
        subject=f"programme:{programme.id}",
        detail={"title": programme.title, "section": programme.section, "region": region},
        now=now,
    )
    return programme


def change_programme(
    session: Session, caller: Caller, programme_id: str, changes: Changes, *, now: datetime
) -> Programme:
    """Change what is said about a programme, only while nobody reviews it: reviewers approve it as it stands.

    Where an edition was released already, the words of its successor change, and nobody else reads them before they
    are released. Raises Conflict when no edition may be changed.
    """
    programme = service.get_programme(session, caller, programme_id, lock=True)
    service.require_contributing(caller, programme)
    edition = service.changeable_edition(programme)
    if edition is None:
        raise Conflict(N_("已送审或已通过的节目不能再改；请先退回，或提交新版本"))
    if describing.keeps_own_words(programme, edition):
        words = describing.describe(session, edition)
        values = _cleaned(session, caller, words.section, changes)
        describing.draft_words(session, edition, _said(words, values))
    else:
        values = _cleaned(session, caller, programme.section, changes)
        _say(session, programme, values)
    programme.updated_at = now
    session.flush()
    audit.append(
        session,
        actor=caller,
        action="programme.change",
        subject=f"programme:{programme.id}",
        detail={"edition": edition.id, "fields": sorted(values)},
        now=now,
    )
    return programme


def _cleaned(session: Session, caller: Caller, section: str, changes: Changes) -> dict[str, Any]:
    """The changes as the columns have them, checked. Raises Invalid, Forbidden."""
    values = {
        name: clean(said) for name, clean in _CLEANERS.items() if (said := getattr(changes, name)) is not None
    }
    if "title" in values:
        values["initials"] = initials(values["title"])
    if changes.section is not None:
        section = values["section"] = service.section_named(session, changes.section).slug
    if changes.sections is not None:
        values["sections"] = _further_sections(session, section, changes.sections)
    if changes.department is not None:
        values["department"] = service.department_for(session, caller, changes.department)
    if changes.region is not None:
        values["region"] = service.region_for(session, caller, changes.region)
    if changes.rights is not None:
        values |= _rights(session, changes.rights)
    return values


_CLEANERS: dict[str, Callable[[Any], Any]] = {
    "title": clean_title,
    "summary": lambda text: clean_text(text, service.MAX_SUMMARY),
    "kind": description.clean_kind,
    "local_type": description.clean_local_type,
    "audience": description.clean_audience,
    "months": description.clean_months,
    "tags": description.clean_tags,
    "chapters": description.clean_chapters,
}


def _further_sections(session: Session, main: str, names: Sequence[str]) -> list[str]:
    slugs = dict.fromkeys(service.section_named(session, name).slug for name in names)
    slugs.pop(main, None)
    if len(slugs) > description.MAX_SECTIONS:
        raise Invalid(N_("附加板块最多 %(most)d 个"), code="sections", most=description.MAX_SECTIONS)
    return list(slugs)


def _say(session: Session, programme: Programme, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if name == "sections":
            describing.set_sections(session, programme, value)
        elif name == "tags":
            describing.set_tags(session, programme, value)
        else:
            setattr(programme, name, value)


def _said(words: Description, values: dict[str, Any]) -> Description:
    """The description with these columns' values."""
    new = {
        name: value for name, value in values.items() if not name.startswith("rights_") and name != "region"
    }
    for name in ("sections", "tags", "months"):
        if name in new:
            new[name] = tuple(new[name])
    if "chapters" in new:
        new["chapters"] = description.as_chapters(new["chapters"])
    if "region" in values:
        new["place"] = values["region"] if level_of(values["region"]) != "province" else None
    if "kind" in new:
        new["kind"] = ProgrammeKind(new["kind"])
    if "rights_source" in values:
        since, until = values["rights_from"], values["rights_until"]
        new["rights"] = ManifestRights(
            source=values["rights_source"],
            licence=values["rights_licence"],
            valid_from=to_text(since) if since else None,
            valid_until=to_text(until) if until else None,
            regions=values["rights_regions"],
        )
    return msgspec.structs.replace(words, **new)


def _rights(session: Session, rights: Rights) -> dict[str, Any]:
    if rights.valid_from and rights.valid_until and rights.valid_until <= rights.valid_from:
        raise Invalid(N_("版权期限的结束须在开始之后"), code="rights")
    return {
        "rights_source": clean_text(rights.source, 200),
        "rights_licence": clean_text(rights.licence, 200),
        "rights_from": rights.valid_from,
        "rights_until": rights.valid_until,
        "rights_regions": known_regions(session, rights.regions),
    }


def known_regions(session: Session, codes: Sequence[str]) -> list[str]:
    """Region codes, each once, in order. Raises Invalid for one that there is not, or for too many."""
    wanted = sorted(set(codes))
    if len(wanted) > description.MAX_REGIONS:
        raise Invalid(N_("地区最多 %(most)d 个"), code="regions", most=description.MAX_REGIONS)
    known = set(session.scalars(select(Region.code).where(Region.code.in_(wanted))))
    for code in wanted:
        if code not in known:
            raise Invalid(N_("没有行政区划 %(region)s"), code="region", region=code)
    return wanted


# --- editions ---------------------------------------------------------------------------------------------------------
def new_edition(
    session: Session,
    caller: Caller,
    store: Store,
    programme_id: str,
    *,
    asset_id: str | None = None,
    recipe_plain: object | None = None,
    reason: str = "",
    now: datetime,
) -> Edition:
    """A new cut of a programme, a draft: another source file, another recipe, or the same cut with other words.

    What is not given is taken over from the newest edition; its words, subtitles and attachments come along.
    Raises Conflict while another edition is still under way, Invalid for a recipe that does not fit.
    """
    programme = service.get_programme(session, caller, programme_id, lock=True)
    service.require_contributing(caller, programme)
    if unfinished := service.unfinished_edition(programme):
        raise Conflict(N_("第 %(number)s 版还在办理中"), number=unfinished.number)
    before = programme.editions[-1]
    asset = _asset_of(session, caller, asset_id) if asset_id else before.asset
    cut = before.recipe if recipe_plain is None and not asset_id else recipe_plain or {}
    words = describing.describe(session, _newest_released(programme) or before)
    edition = _edition(caller, asset, number=before.number + 1, now=now)
    edition.reason = clean_text(reason, MAX_REASON)
    edition.poster = before.poster if asset is before.asset else 0
    _cut(session, caller, edition, cut)
    programme.editions.append(edition)
    session.flush()
    copy_files(session, store, before, edition, now=now)
    if describing.keeps_own_words(programme, edition):
        describing.draft_words(session, edition, words)
    programme.updated_at = now
    audit.append(
        session,
        actor=caller,
        action="edition.create",
        subject=service.subject_of(edition),
        detail={
            "programme": programme.id,
            "number": edition.number,
            "source_sha256": asset.sha256,
            "recipe_sha256": edition.recipe_sha256,
            "reason": edition.reason,
        },
        now=now,
    )
    return edition


def set_recipe(
    session: Session, caller: Caller, store: Store, edition_id: str, recipe_plain: object, *, now: datetime
) -> Edition:
    """Cut a draft or returned edition otherwise. Raises Conflict once it is handed in: then a new edition is due."""
    edition = draft_edition(session, caller, edition_id)
    _cut(session, caller, edition, recipe_plain)
    session.flush()
    retime_files(session, store, edition)
    edition.programme.updated_at = now
    audit.append(
        session,
        actor=caller,
        action="edition.recipe",
        subject=service.subject_of(edition),
        detail={"recipe": edition.recipe, "recipe_sha256": edition.recipe_sha256},
        now=now,
    )
    return edition


def choose_poster(
    session: Session, caller: Caller, edition_id: str, position: int, *, now: datetime
) -> Edition:
    """Which still is the poster, by its position among the edition's posters."""
    edition = draft_edition(session, caller, edition_id)
    if not 0 <= position < 1_000:
        raise Invalid(N_("没有这张剧照"), code="poster")
    edition.poster = position
    edition.programme.updated_at = now
    session.flush()
    return edition


def draft_edition(session: Session, caller: Caller, edition_id: str) -> Edition:
    """An edition that the caller may still change, locked. Raises NotFound, Forbidden, Conflict."""
    edition = service.get_edition(session, caller, edition_id)
    session.refresh(edition.programme, with_for_update=True)
    session.refresh(edition)
    service.require_contributing(caller, edition.programme)
    if edition.state not in review.EDITABLE:
        raise Conflict(N_("已送审或已通过的版本不能再改；请先退回，或提交新版本"))
    return edition


def _cut(session: Session, caller: Caller, edition: Edition, plain: object) -> None:
    cut = recipe.parse(plain)
    if edition.asset.duration_ms is not None and not cut.empty:
        recipe.check(cut, edition.asset.duration_ms)
    for sha256 in {cut.intro, cut.outro} - {None}:
        _require_known_piece(session, caller, str(sha256))
    edition.recipe, edition.recipe_sha256 = cut.plain(), cut.sha256


def _require_known_piece(session: Session, caller: Caller, sha256: str) -> None:
    """An intro or outro is a source file of one's own, or of something that everybody may see."""
    other = aliased(Edition)
    is_released = exists().where(other.asset_id == Asset.id, other.state == EditionState.RELEASED)
    usable = select(Asset).where(Asset.sha256 == sha256, or_(Asset.uploaded_by == caller.id, is_released))
    piece = session.scalars(usable.limit(1)).one_or_none()
    if piece is None:
        raise Invalid(N_("没有这个片头或片尾文件"), code="bad_recipe")
    if piece.duration_ms is None:
        raise Invalid(N_("片头或片尾“%(file)s”还没有转码完"), code="bad_recipe", file=piece.filename)


def _newest_released(programme: Programme) -> Edition | None:
    released = [edition for edition in programme.editions if edition.state == EditionState.RELEASED]
    return released[-1] if released else None


def _edition(caller: Caller, asset: Asset, *, number: int, now: datetime) -> Edition:
    if asset.state == AssetState.REFUSED:
        raise Invalid("%(reason)s", code=asset.error_code or "refused", reason=asset.error_text or "")
    return Edition(
        number=number, asset=asset, state=EditionState.DRAFT, contributor_id=caller.id, created_at=now
    )


def _kind_of(asset: Asset) -> ProgrammeKind:
    """Courseware is told by its file; whether there is only sound is said by people."""
    is_courseware = asset.original is not None or asset.state == AssetState.PREPARING
    return ProgrammeKind.COURSEWARE if is_courseware else ProgrammeKind.VIDEO


def _asset_of(session: Session, caller: Caller, asset_id: str) -> Asset:
    """An asset that the caller uploaded, perhaps not as the first. Raises NotFound."""
    asset = session.get(Asset, known_id(asset_id))
    mine = asset is not None and (
        asset.uploaded_by == caller.id
        or session.scalar(select(exists().where(Upload.asset_id == asset.id, Upload.created_by == caller.id)))
    )
    if asset is None or not mine:
        raise NotFound(N_("没有这个源文件"))
    return asset
