"""Resumable uploads with the semantics of S3 multipart: parts are written at their offset in one file, in any order,
again if need be, across lost lines and restarts; then the file is hashed and becomes an asset.

A part's bytes stream through :func:`write_part` without a transaction open; its row is taken away before and put back
after, so that a row always means bytes that arrived whole. ``completing`` hashes every part against its row again: what
two senders of one part wrote into each other, or a disk lost, is sent again and never becomes an asset.

Files: ``uploads/<upload id>.part`` while open, ``uploads/<upload id>`` once it is an asset's. Where objects lie in S3
(``cloud``) the parts do too: a browser PUTs them there itself, under addresses that hold for an hour.
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

from sqlalchemy import delete, exists, func, or_, select
from sqlalchemy.orm import Session

from server.catalog.models import Asset, Upload, UploadPart, UploadState
from server.catalog.service import known_id
from server.errors import Conflict, Invalid, NotFound, TooLarge, TooMany, YuanboError
from server.i18n import N_
from server.identity.rules import Action, Caller
from server.storage import S3Store, upload_key

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
    session: Session,
    caller: Caller,
    folder: Path,
    *,
    filename: str,
    size: int,
    cloud: S3Store | None = None,
    now: datetime,
) -> Upload:
    """Open an upload. Raises Invalid (empty, no name), TooLarge, TooMany, DiskFull."""
    caller.require(Action.CATALOG_UPLOAD)
    name = plain_filename(filename)
    if size <= 0:
        raise Invalid(N_("文件“%(file)s”是空的"), code="empty", file=name)
    if size > MAX_SIZE:
        raise TooLarge(N_("文件“%(file)s”超过 %(most)s GB"), file=name, most=MAX_SIZE // (1024 * MIB))
    _check_open_uploads(session, caller)
    if cloud is None:
        _check_room(folder, size, name)
    upload = Upload(
        filename=name,
        size=size,
        part_size=part_size_for(size),
        state=UploadState.OPEN,
        created_by=caller.id,
        created_at=now,
        checked=0,
        asset_id=None,
    )
    session.add(upload)
    session.flush()
    if cloud is not None:
        upload.multipart_id = cloud.begin_multipart(upload_key(upload.id))
        session.flush()
    return upload


def has_twin(session: Session, size: int) -> bool:
    """Whether a file of this very size is here already: then it is worth the sender's while to hash it."""
    return bool(session.scalar(select(exists().where(Asset.size == size, Asset.parts_sha256.is_not(None)))))


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
    under_way = (UploadState.OPEN, UploadState.CHECKING)
    query = select(Upload).where(Upload.created_by == caller.id, Upload.state.in_(under_way))
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


def part_url(session: Session, caller: Caller, cloud: S3Store, upload_id: str, number: int) -> str:
    """Where a browser PUTs a part of an upload that lies in S3. Raises NotFound, Conflict, Invalid."""
    upload = get(session, caller, upload_id)
    require_open(upload)
    _check_number(upload, number)
    if upload.multipart_id is None:
        raise Invalid(N_("这个上传不在对象存储里"), code="not_direct")
    return cloud.part_url(upload_key(upload.id), upload.multipart_id, number)


def sync_parts(session: Session, cloud: S3Store, upload: Upload) -> None:
    """Learn from S3 which parts of an open upload arrived."""
    if upload.multipart_id is None or upload.state != UploadState.OPEN:
        return
    try:
        found = cloud.parts(upload_key(upload.id), upload.multipart_id)
    except FileNotFoundError:
        return  # made one object already, or given up: what is recorded stays
    forget_all_parts(session, upload.id)
    session.expire(upload, ["parts"])
    session.add_all(
        UploadPart(upload_id=upload.id, number=number, size=size, etag=etag[:64])
        for number, size, etag in found
    )
    session.flush()


def _check_number(upload: Upload, number: int) -> None:
    count = part_count(upload.size, upload.part_size)
    if not 1 <= number <= count:
        raise Invalid(N_("这个文件只有第 1 到第 %(count)s 段"), code="part_number", count=count)


def begin_part(session: Session, caller: Caller, folder: Path, upload_id: str, number: int) -> Span:
    """Where part ``number`` (from 1) goes; an earlier copy of it no longer counts. Raises NotFound, Conflict, Invalid."""
    upload = get(session, caller, upload_id)
    require_open(upload)
    _check_number(upload, number)
    if upload.multipart_id is not None:
        raise Invalid(N_("这个上传的各段直接送到对象存储"), code="direct")
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
    require_open(upload)
    part = session.merge(UploadPart(upload_id=upload.id, number=span.number, size=span.length, etag=etag))
    session.flush()
    return part


def require_open(upload: Upload) -> None:
    """Raises Conflict when it takes no more parts."""
    if upload.state == UploadState.CHECKING:
        raise Conflict(N_("“%(file)s”正在核对"), code="upload_checking", file=upload.filename)
    if upload.state == UploadState.COMPLETE:
        raise Conflict(N_("“%(file)s”已经上传完成"), code="upload_complete", file=upload.filename)
    if upload.state == UploadState.ABORTED:
        raise Conflict(N_("“%(file)s”的上传已取消"), code="upload_aborted", file=upload.filename)


# --- giving up and tidying ----------------------------------------------------------------------------------------
def abort(
    session: Session, caller: Caller, folder: Path, upload_id: str, cloud: S3Store | None = None
) -> None:
    """Give an upload up and delete its bytes; twice changes nothing. Raises Conflict when it is an asset already."""
    upload = get(session, caller, upload_id)
    if upload.state in (UploadState.COMPLETE, UploadState.CHECKING):
        require_open(upload)
    _give_up(session, upload, cloud)
    open_path(folder, upload.id).unlink(missing_ok=True)


def _give_up(session: Session, upload: Upload, cloud: S3Store | None) -> None:
    upload.state = UploadState.ABORTED
    forget_all_parts(session, upload.id)
    if cloud is not None and upload.multipart_id is not None:
        cloud.abort_multipart(upload_key(upload.id), upload.multipart_id)


def forget_all_parts(session: Session, upload_id: str) -> None:
    session.execute(delete(UploadPart).where(UploadPart.upload_id == upload_id))


def sweep(session: Session, folder: Path, *, cloud: S3Store | None = None, now: datetime) -> int:
    """Give up uploads left alone for a week and delete files that belong to nothing; how many files went."""
    stale = session.scalars(
        select(Upload).where(Upload.state == UploadState.OPEN, Upload.created_at < now - ABANDONED_AFTER)
    )
    for upload in stale:
        _give_up(session, upload, cloud)
    session.flush()
    removed = 0
    for path in folder.iterdir():
        if _belongs_to_nothing(session, folder, path):
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _belongs_to_nothing(session: Session, folder: Path, path: Path) -> bool:
    try:
        upload_id = known_id(path.name.partition(".")[0])
    except NotFound:
        return False
    under_way = (UploadState.OPEN, UploadState.CHECKING)
    is_open = select(exists().where(Upload.id == upload_id, Upload.state.in_(under_way)))
    place = f"{folder.name}/{path.name}"
    is_kept = select(exists().where(or_(Asset.path == place, Asset.original == place)))
    return not session.scalar(is_open) and not session.scalar(is_kept)


def open_path(folder: Path, upload_id: str) -> Path:
    return folder / f"{upload_id}{PART_SUFFIX}"


def kept_path(folder: Path, upload_id: str) -> Path:
    return folder / upload_id
