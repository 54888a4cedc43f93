"""Completing uploads: their bytes are hashed whole and part by part, then they are an asset.

A small file is hashed while its sender waits. A large one, and one in S3, is *checking* meanwhile: a thread of the worker
process hashes it, and has in fact followed it while it arrived, so that only its end is left (:class:`Follower`).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from server.catalog import uploads
from server.catalog.courseware import is_courseware
from server.catalog.hashing import PartsHasher, parts_sha256
from server.catalog.models import Asset, AssetState, Upload, UploadPart, UploadState
from server.catalog.renditions import retry_failed
from server.catalog.uploads import MIB, kept_path, open_path, part_count, require_open
from server.db import Database, take_turn
from server.errors import Invalid, YuanboError
from server.i18n import N_
from server.identity import audit
from server.identity.rules import Caller
from server.identity.service import caller_with_id
from server.readplane import sync_folder
from server.storage import S3Store, Store, upload_key

log = logging.getLogger(__name__)

INLINE_BYTES = 64 * MIB
"""Up to this size the sender waits for the hash: some tenths of a second."""
LEASE = timedelta(minutes=2)
"""After this silence another worker takes over the checking of an upload."""
FOLLOW_BYTES = 256 * MIB
"""How much of arriving uploads is hashed in one go."""
TELL_EVERY_BYTES = 512 * MIB


class PartDamaged(Invalid):
    """Bytes on disk are not those that arrived: these parts must be sent again."""

    code = "part_damaged"


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
    cloud: S3Store | None = None,
    now: datetime,
) -> Completed | None:
    """Make an asset of an upload whose parts are all there; asking again gives the same one. None: it is being checked
    in the background, look at the upload again. Opens its own transactions.

    Raises Invalid (parts missing, size or hash not as claimed), PartDamaged, Conflict (given up), NotFound.
    """
    with database.write() as session:
        upload = uploads.get(session, caller, upload_id)
        if upload.state == UploadState.COMPLETE:
            return Completed(session.get_one(Asset, upload.asset_id), known=False)
        if upload.state == UploadState.CHECKING:
            return None
        require_open(upload)
        if cloud is not None:
            uploads.sync_parts(session, cloud, upload)
        _check_parts(upload)
        upload.claimed_sha256 = sha256.lower() if sha256 else None
        upload.error_code = None
        in_background = cloud is not None or upload.size > INLINE_BYTES
        if in_background:
            upload.state, upload.checked, upload.checking_at = UploadState.CHECKING, 0, None
    if in_background:
        return None
    return _check(database, folder, upload, _Bytes(folder, upload, None), now=now)


def recognise(
    session: Session,
    caller: Caller,
    folder: Path,
    upload_id: str,
    digest: str,
    cloud: S3Store | None,
    *,
    now: datetime,
) -> Completed | None:
    """The same file is here already: ``digest`` is :func:`hashing.parts_sha256` of the file, which only he knows who
    has it. The upload is complete then, without a byte sent. None where it is not known."""
    upload = uploads.get(session, caller, upload_id)
    if upload.state == UploadState.COMPLETE:
        return Completed(session.get_one(Asset, upload.asset_id), known=True)
    require_open(upload)
    same = session.scalars(
        select(Asset).where(Asset.parts_sha256 == digest, Asset.size == upload.size).order_by(Asset.id)
    )
    asset = next((asset for asset in same if _is_here(folder, cloud, asset)), None)
    if asset is None:
        return None
    retry_failed(session, asset.id)
    uploads.forget_all_parts(session, upload.id)
    upload.state, upload.asset_id = UploadState.COMPLETE, asset.id
    session.flush()
    _note(session, caller, upload, asset, known=True, now=now)
    open_path(folder, upload.id).unlink(missing_ok=True)
    if cloud is not None and upload.multipart_id is not None:
        cloud.abort_multipart(upload_key(upload.id), upload.multipart_id)
    return Completed(asset, known=True)


def _check_parts(upload: Upload) -> None:
    here = {part.number for part in upload.parts}
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


# --- the bytes --------------------------------------------------------------------------------------------------------
class _Bytes:
    """Where an upload's bytes lie: in the folder, or in S3 as one object made of its parts."""

    def __init__(self, folder: Path, upload: Upload, cloud: S3Store | None) -> None:
        self.cloud = cloud if upload.multipart_id else None
        self._upload = upload
        self.path = None if self.cloud else _file_of(folder, upload)

    def chunks(self, offset: int = 0) -> Iterator[bytes]:
        if self.path is not None:
            with self.path.open("rb") as file:
                file.seek(offset)
                while chunk := file.read(MIB):
                    yield chunk
            return
        assert self.cloud is not None
        _make_object(self.cloud, self._upload)
        yield from self.cloud.chunks(upload_key(self._upload.id))


def _make_object(cloud: S3Store, upload: Upload) -> None:
    """One object of the parts; done before by a checker that died, it is left as it is."""
    key = upload_key(upload.id)
    if cloud.exists(key):
        return
    parts = [(part.number, part.size, part.etag) for part in upload.parts]
    cloud.finish_multipart(key, str(upload.multipart_id), parts)


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


# --- checking ---------------------------------------------------------------------------------------------------------
def _check(
    database: Database,
    folder: Path,
    upload: Upload,
    where: _Bytes,
    *,
    begun: PartsHasher | None = None,
    now: datetime,
) -> Completed:
    """Hash what is not hashed yet, compare, and make the asset. Raises like :func:`complete`."""
    hasher = begun or PartsHasher(upload.part_size)
    told = hasher.length
    for chunk in where.chunks(hasher.length):
        hasher.update(chunk)
        if hasher.length - told >= TELL_EVERY_BYTES:
            told = hasher.length
            _tell(database, upload.id, told)
    whole = hasher.finish()
    if hasher.length != upload.size:
        raise Invalid(
            N_("“%(file)s”应为 %(size)s 字节，实际 %(found)s 字节"),
            code="size",
            file=upload.filename,
            size=upload.size,
            found=hasher.length,
        )
    _check_hashes(database, upload, hasher.etags, whole)
    return _store(database, folder, upload.id, where, whole, parts_sha256(hasher.etags), now)


def _tell(database: Database, upload_id: str, checked: int) -> None:
    with database.write() as session:
        session.execute(
            update(Upload).where(Upload.id == upload_id).values(checked=checked, checking_at=_clock())
        )


def _check_hashes(database: Database, upload: Upload, etags: Sequence[str], whole: str) -> None:
    arrived = {part.number: part.etag for part in upload.parts}
    damaged = (
        [] if upload.multipart_id else [n for n, etag in enumerate(etags, start=1) if arrived.get(n) != etag]
    )
    if damaged:
        with database.write() as session:
            _forget_parts(session, upload.id, damaged)
        raise PartDamaged(
            N_("“%(file)s”第 %(parts)s 段损坏，请重传"), file=upload.filename, parts=_listed(damaged)
        )
    if upload.claimed_sha256 is not None and upload.claimed_sha256 != whole:
        raise Invalid(N_("“%(file)s”的 SHA-256 与声明的不符"), code="sha256", file=upload.filename)


def _forget_parts(session: Session, upload_id: str, numbers: Sequence[int]) -> None:
    for start in range(0, len(numbers), 500):
        session.execute(
            delete(UploadPart).where(
                UploadPart.upload_id == upload_id, UploadPart.number.in_(numbers[start : start + 500])
            )
        )


def _store(
    database: Database, folder: Path, upload_id: str, where: _Bytes, sha256: str, parts: str, now: datetime
) -> Completed:
    """Name the file and record the asset; the copy goes only after the record of the one we keep is certain."""
    cloud = where.cloud
    with database.write() as session:
        take_turn(session, f"asset:{sha256}")  # two uploads of the same bytes must not both become assets
        upload = session.get_one(Upload, upload_id, populate_existing=True)
        if upload.state == UploadState.COMPLETE:
            return Completed(session.get_one(Asset, upload.asset_id), known=False)
        if upload.state != UploadState.CHECKING:
            require_open(upload)
        known = known_asset(session, folder, sha256, upload.size, cloud=cloud)
        asset = known or _new_asset(session, folder, upload, where, sha256, now)
        asset.parts_sha256 = asset.parts_sha256 or parts
        if known is not None:
            retry_failed(session, known.id)
        upload.state, upload.asset_id, upload.checked = UploadState.COMPLETE, asset.id, upload.size
        session.flush()
        caller = caller_with_id(session, upload.created_by)
        _note(session, caller, upload, asset, known=known is not None, now=now)
    if known is not None:
        if where.path is not None:
            where.path.unlink(missing_ok=True)
        elif cloud is not None and known.path != f"{folder.name}/{upload_id}":
            cloud.delete(upload_key(upload_id))
    return Completed(asset, known=known is not None)


def _note(
    session: Session, caller: Caller | None, upload: Upload, asset: Asset, *, known: bool, now: datetime
) -> None:
    audit.append(
        session,
        actor=caller,
        action="asset.known" if known else "asset.store",
        subject=f"asset:{asset.id}",
        detail={
            "upload": upload.id,
            "filename": upload.filename,
            "size": upload.size,
            "sha256": asset.sha256,
        },
        now=now,
    )


def known_asset(
    session: Session, folder: Path, sha256: str, size: int, *, cloud: S3Store | None = None
) -> Asset | None:
    """An asset of the same bytes whose file is really there."""
    same = session.scalars(select(Asset).where(Asset.sha256 == sha256, Asset.size == size).order_by(Asset.id))
    return next((asset for asset in same if _is_here(folder, cloud, asset)), None)


def _is_here(folder: Path, cloud: S3Store | None, asset: Asset) -> bool:
    place = folder.parent / (asset.original or asset.path)
    return place.is_file() or (cloud is not None and cloud.exists(upload_key(place.name)))


def _new_asset(
    session: Session, folder: Path, upload: Upload, where: _Bytes, sha256: str, now: datetime
) -> Asset:
    kept = kept_path(folder, upload.id)
    if where.path is not None and where.path != kept:
        os.replace(where.path, kept)
        sync_folder(folder)
    head = next(iter(where.chunks() if where.path is None else _head(kept)), b"")
    asset = Asset(
        filename=upload.filename,
        path=f"{folder.name}/{kept.name}",
        size=upload.size,
        sha256=sha256,
        state=AssetState.PREPARING if is_courseware(head, upload.filename) else AssetState.UPLOADED,
        uploaded_by=upload.created_by,
        created_at=now,
    )
    session.add(asset)
    session.flush()
    return asset


def _head(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield file.read(4_096)


# --- in the background ------------------------------------------------------------------------------------------------
class Follower:
    """Hashes large uploads in the background: those that arrive, as far as their parts go without a gap, and those that
    are to be checked, to the end. What it has hashed it keeps in memory; after a restart it begins again."""

    def __init__(self, database: Database, folder: Path, store: Store) -> None:
        self._database, self._folder = database, folder
        self._cloud = store if isinstance(store, S3Store) else None
        self._begun: dict[str, PartsHasher] = {}

    def tick(self, *, now: datetime) -> int:
        """One round; how many uploads it finished or gave back to their senders."""
        ended = 0
        while (upload := self._claim(now)) is not None:
            self._finish(upload, now)
            ended += 1
        self._follow()
        return ended

    def _claim(self, now: datetime) -> Upload | None:
        """An upload to check that nobody else is checking."""
        with self._database.write() as session:
            free = or_(Upload.checking_at.is_(None), Upload.checking_at < now - LEASE)
            upload = session.scalars(
                select(Upload)
                .where(Upload.state == UploadState.CHECKING, free)
                .order_by(Upload.id)
                .limit(1)
                .with_for_update(skip_locked=True)
            ).one_or_none()
            if upload is not None:
                upload.checking_at = now
                session.flush()
                list(upload.parts)
            return upload

    def _finish(self, upload: Upload, now: datetime) -> None:
        try:
            begun = self._fitting(upload)
            where = _Bytes(self._folder, upload, self._cloud)
            _check(self._database, self._folder, upload, where, begun=begun, now=now)
        except YuanboError as error:
            log.warning("upload %s goes back to its sender: %s", upload.id, error)
            with self._database.write() as session:
                row = session.get_one(Upload, upload.id)
                if row.state == UploadState.CHECKING:
                    row.state, row.error_code, row.checking_at = UploadState.OPEN, error.code, None
        finally:
            self._begun.pop(upload.id, None)

    def _fitting(self, upload: Upload) -> PartsHasher | None:
        """What was hashed of it while it arrived, unless a part was sent again since."""
        begun = self._begun.get(upload.id)
        if begun is None or self._cloud is not None:
            return None
        arrived = {part.number: part.etag for part in upload.parts}
        fits = all(arrived.get(n) == etag for n, etag in enumerate(begun.etags, start=1))
        return begun if fits else None

    def _follow(self) -> None:
        """Hash on where parts arrived without a gap."""
        if self._cloud is not None:
            return
        with self._database.read() as session:
            large = session.scalars(
                select(Upload).where(Upload.state == UploadState.OPEN, Upload.size > INLINE_BYTES)
            ).all()
            arrived = {upload: [part.number for part in upload.parts] for upload in large}
        for gone in set(self._begun) - {upload.id for upload in large}:
            del self._begun[gone]
        budget = FOLLOW_BYTES
        for upload, numbers in arrived.items():
            hasher = self._begun.setdefault(upload.id, PartsHasher(upload.part_size))
            budget -= self._hash_on(upload, numbers, hasher, budget)

    def _hash_on(self, upload: Upload, numbers: Sequence[int], hasher: PartsHasher, budget: int) -> int:
        whole_parts, done = set(numbers), 0
        try:
            with open_path(self._folder, upload.id).open("rb") as file:
                while done < budget and (number := len(hasher.etags) + 1) in whole_parts:
                    if number * upload.part_size > upload.size:
                        break  # the last, short part is hashed when all is there
                    file.seek((number - 1) * upload.part_size)
                    for _ in range(0, upload.part_size, MIB):
                        hasher.update(file.read(min(MIB, number * upload.part_size - hasher.length)))
                    done += upload.part_size
        except OSError:
            self._begun.pop(upload.id, None)  # it ended meanwhile
        return done


def _clock() -> datetime:
    from server import clock

    return clock.now()
