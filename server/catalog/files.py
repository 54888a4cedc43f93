"""Subtitles and attachments of an edition: sent in beside the source file, checked, stored as objects.

Objects are stored before the rows that name them; what a refused request stored is left over and harmless.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from protocol.documents import FileKind
from protocol.pieces import piece_layer_of
from server.catalog import recipe, subtitles
from server.catalog.description import plain_line
from server.catalog.models import EMPTY_RECIPE_SHA256, Asset, Edition, EditionFile, RenditionFile
from server.errors import Invalid, NotFound
from server.i18n import N_
from server.identity.rules import Caller
from server.storage import Store, media_key, pieces_key

MAX_PDF = 30 * 1024 * 1024
MAX_FILES = 20
"""Of one kind, in one edition."""
MAX_TITLE = 100
SUBTITLES, ATTACHMENT = FileKind.SUBTITLES.value, FileKind.ATTACHMENT.value


def add_subtitles(
    session: Session,
    caller: Caller,
    store: Store,
    edition: Edition,
    *,
    filename: str,
    data: bytes,
    language: str = "zh",
    title: str = "",
    now: datetime,
) -> EditionFile:
    """Subtitles on the source's time line; earlier ones of the same language are replaced. Raises Invalid."""
    tag = subtitles.clean_language(language)
    cues = subtitles.parse(data, filename)
    for row in [row for row in edition.files if row.kind == SUBTITLES and row.language == tag]:
        edition.files.remove(row)
    session.flush()
    source = _store(store, subtitles.to_vtt(cues))
    row = _row(caller, edition, SUBTITLES, _title(title or filename), source, now)
    row.language = tag
    _retime(session, store, edition, row)
    session.flush()
    return row


def add_attachment(
    session: Session,
    caller: Caller,
    store: Store,
    edition: Edition,
    *,
    filename: str,
    data: bytes,
    title: str = "",
    now: datetime,
) -> EditionFile:
    """A PDF to read beside the programme. ``data`` was opened and found whole (documents.check_pdf). Raises Invalid."""
    row = _row(caller, edition, ATTACHMENT, _title(title or filename), _store(store, data), now)
    session.flush()
    return row


def remove_file(session: Session, edition: Edition, file_id: str) -> None:
    """Take subtitles or an attachment off an edition. Raises NotFound."""
    row = next((row for row in edition.files if row.id == file_id), None)
    if row is None:
        raise NotFound(N_("没有这个附件"))
    edition.files.remove(row)
    session.flush()


def copy_files(session: Session, store: Store, before: Edition, edition: Edition, *, now: datetime) -> None:
    """Let a new edition begin with its predecessor's files: all of them for the same source, else attachments only."""
    for old in before.files:
        if old.kind == SUBTITLES and before.asset_id != edition.asset_id:
            continue
        row = EditionFile(
            kind=old.kind,
            title=old.title,
            language=old.language,
            order=old.order,
            source_sha256=old.source_sha256,
            sha256=old.sha256,
            length=old.length,
            pieces_root=old.pieces_root,
            created_by=old.created_by,
            created_at=now,
        )
        edition.files.append(row)
        if old.kind == SUBTITLES and before.recipe_sha256 != edition.recipe_sha256:
            _retime(session, store, edition, row)
    session.flush()


def retime_files(session: Session, store: Store, edition: Edition) -> None:
    """The subtitles on the time line of the edition's recipe, after it changed."""
    for row in edition.files:
        if row.kind == SUBTITLES:
            _retime(session, store, edition, row)
    session.flush()


def read_object(store: Store, sha256: str) -> bytes:
    """An object's bytes. Raises FileNotFoundError."""
    return b"".join(store.chunks(media_key(sha256)))


def _retime(session: Session, store: Store, edition: Edition, row: EditionFile) -> None:
    cut = recipe.parse(edition.recipe or {})
    source = read_object(store, row.source_sha256)
    if cut.empty:
        row.sha256, row.length, row.pieces_root = _store(store, source)
        return
    cues = subtitles.parse(source, "source.vtt")
    kept = cut.kept(edition.asset.duration_ms or max(cue.end_ms for cue in cues))
    moved = subtitles.retimed(cues, kept, lead_ms=_lead_ms(session, cut.intro))
    row.sha256, row.length, row.pieces_root = _store(store, subtitles.to_vtt(moved))


def pages_of_cut(
    session: Session, edition: Edition, files: Mapping[tuple[str, str], Sequence[RenditionFile]]
) -> list[RenditionFile]:
    """The courseware pages of an edition that has a recipe, at the moments of its cut: rows that are in no session.

    ``files`` are companions by (asset, recipe). Of an edition without a recipe the pages are among them already.
    """
    cut = recipe.parse(edition.recipe or {})
    whole = files.get((edition.asset_id, EMPTY_RECIPE_SHA256), ())
    pages = [row for row in whole if row.kind == FileKind.PAGE]
    if cut.empty or not pages:
        return []
    kept = cut.kept(edition.asset.duration_ms or 0)
    moments = moved_pages([row.at_ms or 0 for row in pages], kept, lead_ms=_lead_ms(session, cut.intro))
    return [
        RenditionFile(
            asset_id=row.asset_id,
            recipe_sha256=edition.recipe_sha256,
            kind=row.kind,
            order=row.order,
            title=row.title,
            at_ms=at_ms,
            sha256=row.sha256,
            length=row.length,
            pieces_root=row.pieces_root,
            created_at=row.created_at,
        )
        for row, at_ms in zip(pages, moments, strict=True)
        if at_ms is not None
    ]


def moved_pages(
    moments: Sequence[int], kept: Sequence[tuple[int, int]], *, lead_ms: int = 0
) -> list[int | None]:
    """Where pages that begin at these moments (ascending) of a source are first seen in a cut; None: cut away."""
    found: list[int | None] = [None] * len(moments)
    at = lead_ms
    for begin, end in kept:
        for number, moment in enumerate(moments):
            until = moments[number + 1] if number + 1 < len(moments) else end
            if found[number] is None and moment < end and until > begin:
                found[number] = at + max(moment, begin) - begin
        at += end - begin
    return found


def _lead_ms(session: Session, intro: str | None) -> int:
    """How long the intro is; 0 without one, or while nobody has looked into it yet."""
    if intro is None:
        return 0
    return session.scalar(select(Asset.duration_ms).where(Asset.sha256 == intro).limit(1)) or 0


def _store(store: Store, data: bytes) -> tuple[str, int, str]:
    """Put an object and its pieces; (sha256, length, pieces root)."""
    layer = piece_layer_of(data)
    store.put_bytes(media_key(layer.sha256), data)
    store.put_bytes(pieces_key(layer.root), layer.layer)
    return layer.sha256, layer.length, layer.root


def _row(
    caller: Caller,
    edition: Edition,
    kind: str,
    title: str,
    stored: tuple[str, int, str],
    now: datetime,
) -> EditionFile:
    same = [row for row in edition.files if row.kind == kind]
    if len(same) >= MAX_FILES:
        raise Invalid(N_("一个版本最多 %(most)d 个这样的文件"), code="too_many_files", most=MAX_FILES)
    row = EditionFile(
        kind=kind,
        title=title,
        language=None,
        order=max((old.order for old in same), default=-1) + 1,
        source_sha256=stored[0],
        sha256=stored[0],
        length=stored[1],
        pieces_root=stored[2],
        created_by=caller.id,
        created_at=now,
    )
    edition.files.append(row)
    return row


def _title(text: str) -> str:
    line = plain_line(text.rpartition(".")[0] if "." in text[-6:] else text)
    if not line or len(line) > MAX_TITLE:
        raise Invalid(N_("附件名称应为 1 到 %(most)d 个字"), code="title", most=MAX_TITLE)
    return line
