"""Resumable uploads with the semantics of S3 multipart: parts are written at their offset in one file, in any order,
again if need be, across lost lines and restarts; then the file is hashed and becomes an asset.

A part's bytes stream through :func:`write_part` without a transaction open; its row is taken away before and put back
after, so that a row always means bytes that arrived whole. ``complete`` hashes every part against its row again: what
two senders of one part wrote into each other, or a disk lost, is sent again and never becomes an asset.

Files: ``uploads/<upload id>.part`` while open, ``uploads/<upload id>`` once it is an asset's.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath, PureWindowsPath

from sqlalchemy import delete, exists, func, select
from sqlalchemy.orm import Session

from server.catalog.models import Asset, AssetState, Upload, UploadPart, UploadState
from server.catalog.renditions import retry_failed
from server.catalog.service import known_id
from server.db import Database, take_turn
from server.errors import Conflict, Invalid, NotFound, TooLarge, TooMany, YuanboError
from server.i18n import N_
from server.identity import audit
from server.identity.rules import Action, Caller
from server.readplane import sync_folder

log = logging.getLogger(__name__)

MIB = 1024 * 1024
CHUNK = 256 * 1024
PART_SIZE = 8 * MIB
MAX_PARTS = 10_000
MAX_SIZE = 64 * 1024 * MIB
MAX_OPEN = 200
"""Uploads one person may have open at once."""
HEARD_OUT = 64 * MIB
"""How much of a refused part is still read, so that its sender hears the answer."""
KEPT_FREE = 0.05
"""Share of the disk that an upload may not eat into."""
ABANDONED_AFTER = timedelta(days=7)
PART_SUFFIX = ".part"

Reader = Callable[[int], bytes]


class DiskFull(YuanboError):
    """There is no room for this upload."""

    status = 507
    code = "disk_full"
    title = N_("服务器磁盘空间不足")


class PartDamaged(Invalid):
    """Bytes on disk are not those that arrived: these parts must be sent again."""

    code = "part_damaged"


def part_size_for(size: int) -> int:
    """Bytes of a part: 8 MiB, or more whole MiB where 10,000 parts would not do."""
    needed = -(-size // MAX_PARTS)
    return max(PART_SIZE, -(-needed // MIB) * MIB)


def part_count(size: int, part_size: int) -> int:
    return -(-size // part_size)


def plain_filename(text: str) -> str:
    """The last name of whatever path a browser sent, without control characters. Raises Invalid."""
    name = PureWindowsPath(PurePosixPath(text).name).name
    name = "".join(letter for letter in name if letter.isprintable()).strip()
    if not name or name in (".", ".."):
        raise Invalid(N_("请给出文件名"), code="filename")
    if len(name) > 255:
        suffix = PurePosixPath(name).suffix[:20]
        name = name[: 255 - len(suffix)] + suffix
    return name


# --- opening and looking ------------------------------------------------------------------------------------------
def create(
    session: Session, caller: Caller, folder: Path, *, filename: str, size: int, now: datetime
) -> Upload:
    """Open an upload. Raises Invalid (empty, no name), TooLarge, TooMany, DiskFull."""
    caller.require(Action.CATALOG_UPLOAD)
    name = plain_filename(filename)
    if size <= 0:
        raise Invalid(N_("文件“%(file)s”是空的"), code="empty", file=name)
    if size > MAX_SIZE:
        raise TooLarge(N_("文件“%(file)s”超过 %(most)s GB"), file=name, most=MAX_SIZE // (1024 * MIB))
    _check_open_uploads(session, caller)
    _check_room(folder, size, name)
    upload = Upload(
        filename=name,
        size=size,
        part_size=part_size_for(size),
        state=UploadState.OPEN,
        created_by=caller.id,
        created_at=now,
        asset_id=None,
    )
    session.add(upload)
    session.flush()
    return upload


def _check_open_uploads(session: Session, caller: Caller) -> None:
    is_mine = (Upload.created_by == caller.id, Upload.state == UploadState.OPEN)
    if (session.scalar(select(func.count()).select_from(Upload).where(*is_mine)) or 0) >= MAX_OPEN:
        raise TooMany(N_("您有 %(count)s 个上传尚未完成，请先完成或取消"), count=MAX_OPEN)


def _check_room(folder: Path, size: int, name: str) -> None:
    disk = shutil.disk_usage(folder)
    if disk.free - size < disk.total * KEPT_FREE:
        raise DiskFull(N_("服务器磁盘空间不足，放不下“%(file)s”"), file=name)


def get(session: Session, caller: Caller, upload_id: str) -> Upload:
    """One of the caller's own uploads. Raises NotFound."""
    upload = session.get(Upload, known_id(upload_id))
    if upload is None or upload.created_by != caller.id:
        raise NotFound(N_("没有这个上传"))
    return upload


def open_uploads(
    session: Session, caller: Caller, *, filename: str | None = None, size: int | None = None
) -> Sequence[Upload]:
    """The caller's unfinished uploads, newest first: what can be resumed."""
    query = select(Upload).where(Upload.created_by == caller.id, Upload.state == UploadState.OPEN)
    if filename is not None:
        query = query.where(Upload.filename == plain_filename(filename))
    if size is not None:
        query = query.where(Upload.size == size)
    return session.scalars(query.order_by(Upload.id.desc()).limit(MAX_OPEN)).all()


# --- parts --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Span:
    """Where a part belongs."""

    upload_id: str
    number: int
    path: Path
    offset: int
    length: int


def begin_part(session: Session, caller: Caller, folder: Path, upload_id: str, number: int) -> Span:
    """Where part ``number`` (from 1) goes; an earlier copy of it no longer counts. Raises NotFound, Conflict, Invalid."""
    upload = get(session, caller, upload_id)
    _require_open(upload)
    count = part_count(upload.size, upload.part_size)
    if not 1 <= number <= count:
        raise Invalid(N_("这个文件只有第 1 到第 %(count)s 段"), code="part_number", count=count)
    session.execute(delete(UploadPart).where(UploadPart.upload_id == upload.id, UploadPart.number == number))
    offset = (number - 1) * upload.part_size
    return Span(
        upload_id=upload.id,
        number=number,
        path=open_path(folder, upload.id),
        offset=offset,
        length=min(upload.part_size, upload.size - offset),
    )


def write_part(span: Span, read: Reader) -> str:
    """Stream a part to its place, never more than a chunk in memory; its SHA-256, which is the ETag.

    Raises Invalid when more or fewer bytes come than belong there, DiskFull when they do not fit.
    """
    digest = hashlib.sha256()
    written = 0
    try:
        descriptor = os.open(span.path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            while chunk := read(min(CHUNK, span.length + 1 - written)):
                if written + len(chunk) > span.length:
                    raise _wrong_size(span, written + len(chunk))
                _write_at(descriptor, chunk, span.offset + written)
                digest.update(chunk)
                written += len(chunk)
            if written != span.length:
                raise _wrong_size(span, written)
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull from error
        raise
    return digest.hexdigest()


def _write_at(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        done = os.pwrite(descriptor, view, offset)
        view, offset = view[done:], offset + done


def _wrong_size(span: Span, came: int) -> Invalid:
    if came > span.length:
        return Invalid(
            N_("第 %(number)s 段应为 %(length)s 字节，收到的更多"),
            code="part_size",
            number=span.number,
            length=span.length,
        )
    return Invalid(
        N_("第 %(number)s 段应为 %(length)s 字节，只收到 %(came)s 字节"),
        code="part_size",
        number=span.number,
        length=span.length,
        came=came,
    )


def record_part(session: Session, caller: Caller, span: Span, etag: str) -> UploadPart:
    """The part is on disk. Raises Conflict when the upload was finished or given up meanwhile."""
    upload = get(session, caller, span.upload_id)
    _require_open(upload)
    part = session.merge(UploadPart(upload_id=upload.id, number=span.number, size=span.length, etag=etag))
    session.flush()
    return part


def _require_open(upload: Upload) -> None:
    if upload.state == UploadState.COMPLETE:
        raise Conflict(N_("“%(file)s”已经上传完成"), code="upload_complete", file=upload.filename)
    if upload.state == UploadState.ABORTED:
        raise Conflict(N_("“%(file)s”的上传已取消"), code="upload_aborted", file=upload.filename)


# --- completing ---------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Completed:
    """What an upload became. ``known``: the same bytes were here already, nothing was stored twice."""

    asset: Asset
    known: bool


def complete(
    database: Database,
    caller: Caller,
    folder: Path,
    upload_id: str,
    *,
    sha256: str | None = None,
    now: datetime,
) -> Completed:
    """Make an asset of a finished upload; asking again gives the same one. Opens its own transactions, because hashing
    a large file takes minutes.

    Raises Invalid (parts missing, size or hash not as claimed), PartDamaged, Conflict (given up), NotFound.
    """
    with database.read() as session:
        upload = get(session, caller, upload_id)
        if upload.state == UploadState.COMPLETE:
            return Completed(session.get_one(Asset, upload.asset_id), known=False)
        _require_open(upload)
        parts = list(upload.parts)
    _check_parts(upload, parts)
    path = _file_of(folder, upload)
    found = _hash(path, parts)
    if found.damaged:
        with database.write() as session:
            _forget_parts(session, upload.id, found.damaged)
        raise PartDamaged(
            N_("“%(file)s”第 %(parts)s 段损坏，请重传"), file=upload.filename, parts=_listed(found.damaged)
        )
    if sha256 is not None and sha256.lower() != found.sha256:
        raise Invalid(N_("“%(file)s”的 SHA-256 与声明的不符"), code="sha256", file=upload.filename)
    return _store(database, caller, folder, upload.id, path, found.sha256, now)


def _check_parts(upload: Upload, parts: Sequence[UploadPart]) -> None:
    here = {part.number for part in parts}
    missing = [n for n in range(1, part_count(upload.size, upload.part_size) + 1) if n not in here]
    if missing:
        raise Invalid(
            N_("“%(file)s”还缺第 %(parts)s 段"),
            code="parts_missing",
            file=upload.filename,
            parts=_listed(missing),
        )


def _listed(numbers: Sequence[int]) -> str:
    """``1、2、5…``, at most ten."""
    return "、".join(map(str, numbers[:10])) + ("…" if len(numbers) > 10 else "")


def _file_of(folder: Path, upload: Upload) -> Path:
    """The upload's bytes: still open, or already renamed by a ``complete`` that a crash cut off before its commit."""
    for path in (open_path(folder, upload.id), kept_path(folder, upload.id)):
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            continue
        if size != upload.size:
            raise Invalid(
                N_("“%(file)s”应为 %(size)s 字节，实际 %(found)s 字节"),
                code="size",
                file=upload.filename,
                size=upload.size,
                found=size,
            )
        return path
    raise Invalid(N_("“%(file)s”的内容已不在服务器上，请重新上传"), code="lost", file=upload.filename)


@dataclass(frozen=True)
class _Hashed:
    sha256: str
    damaged: tuple[int, ...]


def _hash(path: Path, parts: Sequence[UploadPart]) -> _Hashed:
    """SHA-256 of the whole file, and the parts whose bytes are not those that arrived."""
    whole = hashlib.sha256()
    damaged = []
    with path.open("rb") as file:
        for part in parts:
            piece = hashlib.sha256()
            left = part.size
            while left and (chunk := file.read(min(MIB, left))):
                whole.update(chunk)
                piece.update(chunk)
                left -= len(chunk)
            if piece.hexdigest() != part.etag:
                damaged.append(part.number)
    return _Hashed(whole.hexdigest(), tuple(damaged))


def _forget_parts(session: Session, upload_id: str, numbers: Sequence[int]) -> None:
    session.execute(
        delete(UploadPart).where(UploadPart.upload_id == upload_id, UploadPart.number.in_(numbers))
    )


def _store(
    database: Database, caller: Caller, folder: Path, upload_id: str, path: Path, sha256: str, now: datetime
) -> Completed:
    """Name the file and record the asset; the copy goes only after the record of the one we keep is certain."""
    with database.write() as session:
        take_turn(session, f"asset:{sha256}")  # two uploads of the same bytes must not both become assets
        upload = session.get_one(Upload, upload_id, populate_existing=True)
        if upload.state == UploadState.COMPLETE:
            return Completed(session.get_one(Asset, upload.asset_id), known=False)
        _require_open(upload)
        known = known_asset(session, folder, sha256, upload.size)
        asset = known or _new_asset(session, caller, folder, upload, path, sha256, now)
        if known is not None:
            retry_failed(session, known.id)
        upload.state, upload.asset_id = UploadState.COMPLETE, asset.id
        session.flush()
        audit.append(
            session,
            actor=caller,
            action="asset.known" if known else "asset.store",
            subject=f"asset:{asset.id}",
            detail={"upload": upload.id, "filename": upload.filename, "size": upload.size, "sha256": sha256},
            now=now,
        )
    if known is not None:
        path.unlink(missing_ok=True)
    return Completed(asset, known=known is not None)


def known_asset(session: Session, folder: Path, sha256: str, size: int) -> Asset | None:
    """An asset of the same bytes whose file is really there."""
    same = session.scalars(select(Asset).where(Asset.sha256 == sha256, Asset.size == size).order_by(Asset.id))
    return next((asset for asset in same if (folder.parent / asset.path).is_file()), None)


def _new_asset(
    session: Session, caller: Caller, folder: Path, upload: Upload, path: Path, sha256: str, now: datetime
) -> Asset:
    kept = kept_path(folder, upload.id)
    if path != kept:
        os.replace(path, kept)
        sync_folder(folder)
    asset = Asset(
        filename=upload.filename,
        path=f"{folder.name}/{kept.name}",
        size=upload.size,
        sha256=sha256,
        state=AssetState.UPLOADED,
        uploaded_by=caller.id,
        created_at=now,
    )
    session.add(asset)
    session.flush()
    return asset


# --- giving up and tidying ----------------------------------------------------------------------------------------
def abort(session: Session, caller: Caller, folder: Path, upload_id: str) -> None:
    """Give an upload up and delete its bytes; twice changes nothing. Raises Conflict when it is an asset already."""
    upload = get(session, caller, upload_id)
    if upload.state == UploadState.COMPLETE:
        _require_open(upload)
    upload.state = UploadState.ABORTED
    _forget_all_parts(session, upload.id)
    open_path(folder, upload.id).unlink(missing_ok=True)


def _forget_all_parts(session: Session, upload_id: str) -> None:
    session.execute(delete(UploadPart).where(UploadPart.upload_id == upload_id))


def sweep(session: Session, folder: Path, *, now: datetime) -> int:
    """Give up uploads left alone for a week and delete files that belong to nothing; how many files went."""
    stale = session.scalars(
        select(Upload).where(Upload.state == UploadState.OPEN, Upload.created_at < now - ABANDONED_AFTER)
    )
    for upload in stale:
        upload.state = UploadState.ABORTED
        _forget_all_parts(session, upload.id)
    session.flush()
    removed = 0
    for path in folder.iterdir():
        if _belongs_to_nothing(session, folder, path):
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _belongs_to_nothing(session: Session, folder: Path, path: Path) -> bool:
    try:
        upload_id = known_id(path.name.removesuffix(PART_SUFFIX))
    except NotFound:
        return False
    is_open = select(exists().where(Upload.id == upload_id, Upload.state == UploadState.OPEN))
    is_kept = select(exists().where(Asset.path == f"{folder.name}/{path.name}"))
    return not session.scalar(is_open) and not session.scalar(is_kept)


def open_path(folder: Path, upload_id: str) -> Path:
    return folder / f"{upload_id}{PART_SUFFIX}"


def kept_path(folder: Path, upload_id: str) -> Path:
    return folder / upload_id
