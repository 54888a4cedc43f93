"""Downloading a feed's media file, going on where a line broke, and making a source file of it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from server.catalog import completing, uploads
from server.catalog.feeds_fetch import Answer, Fetcher, FetchFailed, FetchRefused, Limits
from server.catalog.models import Asset, AssetState, Upload, UploadState
from server.catalog.renditions import retry_failed
from server.db import new_id, take_turn
from server.i18n import N_
from server.identity.rules import Caller
from server.readplane import sync_folder

CHUNK = 1024 * 1024
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
Started = Callable[[str | None, int | None], None]


@dataclass(frozen=True)
class Download:
    """A whole file on disk."""

    path: Path
    size: int
    sha256: str


def download(
    fetcher: Fetcher, url: str, path: Path, validator: str | None, limits: Limits, started: Started
) -> Download:
    """Fetch a file, going on behind the bytes that are there if the server still has the same ones (``validator``).

    ``started`` is told the new validator and size before bytes come. Raises FetchFailed: what came stays for the next
    time; FetchRefused: too large, no media.
    """
    have = path.stat().st_size if validator and path.exists() else 0
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": str(validator)}
    left = Limits(bytes=limits.bytes - have, seconds=limits.seconds)
    with fetcher.get(url, left if have else limits, headers) as answer:
        _check_media(answer)
        start, total = _span(answer, have)
        started(_validator(answer), total)
        if total is not None:
            _check_room(path.parent, total - start)
        written = _write(path, start, answer.chunks)
    if total is not None and written != total:
        raise FetchFailed(
            N_("文件没有传完：%(have)s / %(size)s 字节"), code="short", have=written, size=total
        )
    if written == 0:
        raise FetchRefused(N_("文件是空的"), code="empty")
    return Download(path, written, _hash(path))


def _check_media(answer: Answer) -> None:
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.startswith("text/") or kind in ("application/json", "application/xml", "application/xhtml+xml"):
        raise FetchRefused(N_("地址给出的是 %(kind)s，不是视频或音频"), code="not_media", kind=kind[:60])


def _span(answer: Answer, have: int) -> tuple[int, int | None]:
    """Where the bytes that come belong, and how long the whole file is, where that is said."""
    length = answer.headers.get("content-length", "")
    if answer.status == 206:
        said = _RANGE.fullmatch(answer.headers.get("content-range", ""))
        if said is None or int(said[1]) != have:
            raise FetchRefused(N_("对方给出的不是所要的那一段"), code="range")
        return have, None if said[3] == "*" else int(said[3])
    if answer.status != 200:
        raise FetchRefused(N_("对方没有给出文件"), code="status")
    return 0, int(length) if length.isdecimal() and "content-encoding" not in answer.headers else None


def _validator(answer: Answer) -> str | None:
    """What proves the next time that the bytes are still the same: a strong ETag, else the time of the last change."""
    etag = answer.headers.get("etag", "")
    if etag.startswith('"') and len(etag) <= 300:
        return etag
    return answer.headers.get("last-modified", "")[:300] or None


def _check_room(folder: Path, size: int) -> None:
    disk = shutil.disk_usage(folder)
    if disk.free - size < disk.total * uploads.KEPT_FREE:
        raise FetchFailed(N_("服务器磁盘空间不足，稍后再试"), code="disk_full")


def _write(path: Path, start: int, chunks: Iterable[bytes]) -> int:
    """Put bytes at their place as they come; the file's length, also when the line breaks in the middle."""
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+b") as file:
        file.truncate(start)
        file.seek(start)
        for chunk in chunks:
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
        return file.tell()


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def adopt(
    session: Session, caller: Caller, folder: Path, file: Download, *, name: str, now: datetime
) -> Asset:
    """A source file of the caller's made of a downloaded one, or the one that has the same bytes."""
    take_turn(session, f"asset:{file.sha256}")
    upload = Upload(
        id=new_id(),
        filename=uploads.plain_filename(name),
        size=file.size,
        part_size=uploads.part_size_for(file.size),
        state=UploadState.COMPLETE,
        created_by=caller.id,
        created_at=now,
    )
    asset = completing.known_asset(session, folder, file.sha256, file.size)
    if asset is None:
        kept = uploads.kept_path(folder, upload.id)
        os.replace(file.path, kept)
        sync_folder(folder)
        asset = Asset(
            filename=upload.filename,
            path=f"{folder.name}/{kept.name}",
            size=file.size,
            sha256=file.sha256,
            state=AssetState.UPLOADED,
            uploaded_by=caller.id,
            created_at=now,
        )
        session.add(asset)
    else:
        retry_failed(session, asset.id)
        file.path.unlink(missing_ok=True)
    session.flush()
    upload.asset_id = asset.id
    session.add(upload)
    session.flush()
    return asset
