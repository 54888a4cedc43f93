"""The hand-over to the rooms on the right: transcode takes uploaded files and records what became of them, publish
reads what is released and records what it signed. Nothing here asks who calls; workers do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.orm import Session, selectinload

from protocol.documents import FileKind
from server.catalog.describing import describe
from server.catalog.description import Description
from server.catalog.files import pages_of_cut
from server.catalog.models import (
    EMPTY_RECIPE_SHA256,
    Asset,
    AssetState,
    Edition,
    EditionFile,
    EditionState,
    Rendition,
    RenditionFile,
)
from server.errors import Conflict, NotFound
from server.i18n import N_

REVIEW_PROFILE = "review"
"""The copy that reviewers watch: there within minutes, the whole source as it is, never part of a release."""


@dataclass(frozen=True)
class UploadedAsset:
    """A source file to encode. ``path`` is relative to the data folder."""

    id: str
    path: str
    filename: str
    size: int
    sha256: str


@dataclass(frozen=True)
class NewRendition:
    """One encoded output, already stored and verified. ``bitrate`` in bit/s of the whole file."""

    profile: str
    profile_version: int
    sha256: str
    length: int
    pieces_root: str
    width: int
    height: int
    bitrate: int
    duration_ms: int


@dataclass(frozen=True)
class NewFile:
    """A companion: kind poster, playlist (of a profile), sprite, storyboard, preview, subtitles or page; already stored
    and verified.
    """

    kind: str
    sha256: str
    length: int
    pieces_root: str
    profile: str | None = None
    order: int = 0
    language: str | None = None
    title: str = ""
    at_ms: int | None = None


# --- for transcode ----------------------------------------------------------------------------------------------------
def waiting_assets(session: Session, limit: int = 100) -> Sequence[UploadedAsset]:
    """Files nobody has begun to encode, the oldest first."""
    rows = session.scalars(
        select(Asset).where(Asset.state == AssetState.UPLOADED).order_by(Asset.id).limit(limit)
    )
    return [_as_uploaded(asset) for asset in rows]


def claim_uploaded(
    session: Session, limit: int = 10, *, only: Collection[str] | None = None
) -> Sequence[UploadedAsset]:
    """Take files to encode (``only``: among these ids): uploaded → processing, each by one taker only."""
    waiting = [one for one in waiting_assets(session, limit) if only is None or one.id in only]
    return [one for one in waiting if claim(session, one.id)]


def claim(session: Session, asset_id: str) -> bool:
    """Take one file: uploaded → processing. False when it was not waiting."""
    return _change(session, asset_id, {AssetState.UPLOADED}, state=AssetState.PROCESSING, progress=0)


def get_asset(session: Session, asset_id: str) -> Asset:
    """Raises NotFound."""
    asset = session.get(Asset, asset_id)
    if asset is None:
        raise NotFound(N_("没有这个源文件"))
    return asset


def record_progress(session: Session, asset_id: str, percent: int) -> None:
    """How far the encoding is, 0–100; only while it runs."""
    _change(session, asset_id, {AssetState.PROCESSING}, progress=max(0, min(100, percent)))


def record_ready(
    session: Session,
    asset_id: str,
    renditions: Iterable[NewRendition],
    files: Iterable[NewFile],
    duration_ms: int,
    probe: dict[str, Any],
    *,
    now: datetime,
) -> None:
    """The uncut source is encoded, everything is stored and verified. Recording the same again changes nothing.

    Raises Conflict when the file is neither being encoded nor ready.
    """
    taken = _change(
        session,
        asset_id,
        {AssetState.PROCESSING, AssetState.READY},
        state=AssetState.READY,
        progress=100,
        duration_ms=duration_ms,
        probe=probe,
        error_code=None,
        error_text=None,
        error_text_en=None,
    )
    if not taken:
        raise Conflict(N_("这个源文件不在转码中"))
    record_cut(session, asset_id, EMPTY_RECIPE_SHA256, renditions, files, now=now)


def record_cut(
    session: Session,
    asset_id: str,
    recipe_sha256: str,
    renditions: Iterable[NewRendition],
    files: Iterable[NewFile],
    *,
    now: datetime,
) -> None:
    """A cut is encoded, stored and verified: its rows take the place of all earlier ones, in this transaction."""
    for table in (Rendition, RenditionFile):
        of_cut = (table.asset_id == asset_id, table.recipe_sha256 == recipe_sha256)
        session.execute(delete(table).where(*of_cut, _not_review(table), *_not_pages(table)))
    of = {"asset_id": asset_id, "recipe_sha256": recipe_sha256, "created_at": now}
    session.add_all(Rendition(**of, **vars(rendition)) for rendition in renditions)
    session.add_all(RenditionFile(**of, **vars(file)) for file in files)
    session.flush()


def record_review_copy(
    session: Session, asset_id: str, rendition: NewRendition, playlist: NewFile, *, now: datetime
) -> None:
    """The review copy is stored. Both must be of :data:`REVIEW_PROFILE`; a former copy is replaced."""
    if {rendition.profile, playlist.profile} != {REVIEW_PROFILE}:
        raise ValueError("not a review copy")
    for table in (Rendition, RenditionFile):
        session.execute(delete(table).where(table.asset_id == asset_id, table.profile == REVIEW_PROFILE))
    session.add(Rendition(asset_id=asset_id, created_at=now, **vars(rendition)))
    session.add(RenditionFile(asset_id=asset_id, created_at=now, **vars(playlist)))
    session.flush()


def _not_pages(table: type[Rendition | RenditionFile]) -> list[ColumnElement[bool]]:
    """Pages come from the courseware itself, not from its encoding."""
    return [RenditionFile.kind != FileKind.PAGE] if table is RenditionFile else []


def _not_review(table: type[Rendition | RenditionFile]) -> ColumnElement[bool]:
    return or_(table.profile.is_(None), table.profile != REVIEW_PROFILE)


def record_refused(session: Session, asset_id: str, code: str, text_zh: str, text_en: str) -> None:
    """The file itself is at fault: final. ``code`` is for programs, the texts name the file and the reason."""
    _change(
        session,
        asset_id,
        {AssetState.UPLOADED, AssetState.PROCESSING},
        state=AssetState.REFUSED,
        error_code=code[:40],
        error_text=text_zh,
        error_text_en=text_en,
    )


def record_failed(session: Session, asset_id: str, code: str, text_zh: str, text_en: str) -> None:
    """We are at fault; :func:`retry_failed` lets it wait again."""
    _change(
        session,
        asset_id,
        {AssetState.UPLOADED, AssetState.PROCESSING},
        state=AssetState.FAILED,
        error_code=code[:40],
        error_text=text_zh,
        error_text_en=text_en,
    )


def retry_failed(session: Session, asset_id: str) -> bool:
    """Let a failed file wait for encoding again; False when it had not failed."""
    return _change(
        session,
        asset_id,
        {AssetState.FAILED},
        state=AssetState.UPLOADED,
        progress=0,
        error_code=None,
        error_text=None,
        error_text_en=None,
    )


def _change(session: Session, asset_id: str, states: Collection[AssetState], **values: Any) -> bool:
    """A conditional change: whether the row was in one of these states."""
    done = session.execute(
        update(Asset)
        .where(Asset.id == asset_id, Asset.state.in_(list(states)))
        .values(**values)
        .execution_options(synchronize_session="fetch")
    )
    return bool(done.rowcount == 1)  # type: ignore[attr-defined]


def _as_uploaded(asset: Asset) -> UploadedAsset:
    return UploadedAsset(asset.id, asset.path, asset.filename, asset.size, asset.encoded_sha256)


# --- for everybody ----------------------------------------------------------------------------------------------------
def renditions_of(
    session: Session, asset_id: str, recipe_sha256: str = EMPTY_RECIPE_SHA256
) -> Sequence[Rendition]:
    """The encoded outputs of a cut, the smallest picture first."""
    return session.scalars(
        select(Rendition)
        .where(
            Rendition.asset_id == asset_id,
            Rendition.recipe_sha256 == recipe_sha256,
            Rendition.profile != REVIEW_PROFILE,
        )
        .order_by(Rendition.height, Rendition.profile)
    ).all()


def files_of(
    session: Session, asset_id: str, recipe_sha256: str = EMPTY_RECIPE_SHA256
) -> Sequence[RenditionFile]:
    """The companions of a cut, by kind and order."""
    return session.scalars(
        select(RenditionFile)
        .where(
            RenditionFile.asset_id == asset_id,
            RenditionFile.recipe_sha256 == recipe_sha256,
            _not_review(RenditionFile),
        )
        .order_by(RenditionFile.kind, RenditionFile.order, RenditionFile.profile)
    ).all()


@dataclass(frozen=True)
class ReviewCopy:
    """What reviewers watch: one MP4 at ``/m/<media.sha256>``, and its playlist for HLS."""

    media: Rendition
    playlist: RenditionFile


def review_copy(session: Session, asset_id: str) -> ReviewCopy | None:
    """The review copy of a source; None until it is made (:attr:`Asset.progress` rises meanwhile)."""
    media = session.scalar(
        select(Rendition).where(Rendition.asset_id == asset_id, Rendition.profile == REVIEW_PROFILE)
    )
    playlist = session.scalar(
        select(RenditionFile).where(
            RenditionFile.asset_id == asset_id, RenditionFile.profile == REVIEW_PROFILE
        )
    )
    return ReviewCopy(media, playlist) if media and playlist else None


def asset_of(session: Session, sha256: str) -> Asset | None:
    """A source by its bytes, such as an intro that a recipe names; one that was accepted before one that was not."""
    rows = session.scalars(select(Asset).where(Asset.sha256 == sha256).order_by(Asset.id)).all()
    return min(rows, key=lambda row: row.state in (AssetState.REFUSED, AssetState.FAILED), default=None)


# --- for schedule and publish -----------------------------------------------------------------------------------------
@dataclass(frozen=True)
class ReleasedEdition:
    """A released edition with everything a manifest says; the rows are loaded and may be read after the session."""

    edition: Edition
    renditions: Sequence[Rendition]
    files: Sequence[RenditionFile]
    description: Description
    own_files: Sequence[EditionFile]
    """Subtitles and attachments that were sent in."""


def released_editions(session: Session, *, only: Collection[str] | None = None) -> list[ReleasedEdition]:
    """Released editions whose cut is encoded, oldest first (``only``: among these ids). What their rows say is a
    claim; signers believe :func:`server.catalog.service.proven_release`.

    Renditions of optional codecs (``720p-hevc``) stay out: a manifest does not say what a box must be able to decode.
    """
    query = (
        select(Edition)
        .join(Edition.asset)
        .where(Edition.state == EditionState.RELEASED, Asset.state == AssetState.READY)
        .order_by(Edition.id)
        .options(selectinload(Edition.programme), selectinload(Edition.asset), selectinload(Edition.files))
    )
    if only is not None:
        query = query.where(Edition.id.in_(list(only)))
    editions = session.scalars(query).all()
    renditions = cuts(session, Rendition, editions)
    files = cuts(session, RenditionFile, editions)
    return [
        ReleasedEdition(
            edition,
            _for_every_box(renditions.get(cut, [])),
            _for_every_box(files.get(cut, [])) + pages_of_cut(session, edition, files),
            describe(session, edition),
            list(edition.files),
        )
        for edition in editions
        for cut in [(edition.asset_id, edition.recipe_sha256)]
        if cut in renditions or edition.recipe_sha256 == EMPTY_RECIPE_SHA256
    ]


def _for_every_box(rows: Sequence[Any]) -> list[Any]:
    return [row for row in rows if row.profile is None or "-" not in row.profile]


def cuts(session: Session, table: Any, editions: Sequence[Edition]) -> dict[tuple[str, str], list[Any]]:
    """Rows of Rendition or RenditionFile by (asset, recipe), in the order of :func:`renditions_of` and :func:`files_of`."""
    order = (
        (Rendition.height, Rendition.profile)
        if table is Rendition
        else (RenditionFile.kind, RenditionFile.order, RenditionFile.profile)
    )
    assets = sorted({edition.asset_id for edition in editions})
    found: dict[tuple[str, str], list[Any]] = {}
    for start in range(0, len(assets), 500):
        rows = session.scalars(
            select(table)
            .where(table.asset_id.in_(assets[start : start + 500]), _not_review(table))
            .order_by(*order)
        )
        for row in rows:
            found.setdefault((row.asset_id, row.recipe_sha256), []).append(row)
    return found


def mark_admitted(session: Session, edition_ids: Iterable[str], publication: int) -> None:
    """These editions were signed into the catalogue by this publication; the first one stays."""
    for start in range(0, len(ids := list(edition_ids)), 500):
        session.execute(
            update(Edition)
            .where(Edition.id.in_(ids[start : start + 500]), Edition.admitted_in.is_(None))
            .values(admitted_in=publication)
        )
