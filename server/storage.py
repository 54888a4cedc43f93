"""Objects: media ``m/<sha256>`` and piece layers ``p/<root>``, in a folder or in S3.

Names are content hashes, so an object never changes and putting it twice is harmless. A folder store makes a file
appear by rename after its bytes are on disk. S3 is untrusted storage: whoever signs reads back and hashes again.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from server.config import Config
from server.readplane import sync_folder

CHUNK = 1024 * 1024


def media_key(sha256: str) -> str:
    return f"m/{sha256}"


def pieces_key(root: str) -> str:
    return f"p/{root}"


def scan_key(sha256: str) -> str:
    return f"a/{sha256}"


def evidence_key(sha256: str) -> str:
    return f"evidence/{sha256}"


class Store(Protocol):
    """Where objects lie. Keys are ``m/…`` and ``p/…``, which the read plane serves, and ``a/…`` (scans of licences) and
    ``evidence/…`` (what stations send beside their reports), which only the console shows."""

    def put(self, key: str, source: Path) -> None:
        """Store a file's bytes under a key; a present object is left as it is."""

    def put_bytes(self, key: str, data: bytes) -> None:
        """The same for bytes in memory."""

    def exists(self, key: str) -> bool: ...

    def chunks(self, key: str) -> Iterator[bytes]:
        """The object's bytes. Raises FileNotFoundError."""

    def delete(self, key: str) -> None: ...


class FolderStore:
    """Objects as files below a folder that the read plane serves as it is."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, key: str) -> Path:
        folder, _, name = key.partition("/")
        if folder not in ("m", "p", "a", "evidence") or not name or not name.isalnum():
            raise ValueError(f"not an object key: {key!r}")
        return self.root / folder / name

    def put(self, key: str, source: Path) -> None:
        target = self.path(key)
        if target.exists():
            return
        beside = self._beside(target)
        try:
            with source.open("rb") as reading, beside.open("xb") as writing:
                shutil.copyfileobj(reading, writing, CHUNK)
                writing.flush()
                os.fsync(writing.fileno())
            os.replace(beside, target)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        sync_folder(target.parent)

    def put_bytes(self, key: str, data: bytes) -> None:
        target = self.path(key)
        if target.exists():
            return
        beside = self._beside(target)
        try:
            with beside.open("xb") as writing:
                writing.write(data)
                writing.flush()
                os.fsync(writing.fileno())
            os.replace(beside, target)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        sync_folder(target.parent)

    def exists(self, key: str) -> bool:
        return self.path(key).exists()

    def chunks(self, key: str) -> Iterator[bytes]:
        with self.path(key).open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk

    def delete(self, key: str) -> None:
        self.path(key).unlink(missing_ok=True)

    @staticmethod
    def _beside(target: Path) -> Path:
        target.parent.mkdir(parents=True, exist_ok=True)
        return target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")


class S3Store:
    """Objects in one bucket of an S3 service."""

    def __init__(self, config: Config) -> None:
        from minio import Minio

        if config.s3 is None:
            raise ValueError("no S3 settings")
        self._bucket = config.s3.bucket
        self._client = Minio(
            config.s3.endpoint,
            access_key=config.s3.access_key,
            secret_key=config.s3.secret_key,
            secure=config.s3.secure,
        )

    def put(self, key: str, source: Path) -> None:
        if not self.exists(key):
            self._client.fput_object(self._bucket, key, str(source))

    def put_bytes(self, key: str, data: bytes) -> None:
        import io

        if not self.exists(key):
            self._client.put_object(self._bucket, key, io.BytesIO(data), len(data))

    def exists(self, key: str) -> bool:
        from minio.error import S3Error

        try:
            self._client.stat_object(self._bucket, key)
        except S3Error as error:
            if error.code == "NoSuchKey":
                return False
            raise
        return True

    def chunks(self, key: str) -> Iterator[bytes]:
        from minio.error import S3Error

        try:
            response = self._client.get_object(self._bucket, key)
        except S3Error as error:
            if error.code == "NoSuchKey":
                raise FileNotFoundError(key) from error
            raise
        try:
            yield from response.stream(CHUNK)
        finally:
            response.close()
            response.release_conn()

    def delete(self, key: str) -> None:
        self._client.remove_object(self._bucket, key)

    def older(self, prefix: str, before: datetime) -> Iterator[str]:
        """Keys below a prefix of objects that were put before a time."""
        for found in self._client.list_objects(self._bucket, prefix=prefix, recursive=True):
            if found.object_name and found.last_modified is not None and found.last_modified < before:
                yield found.object_name

    # --- multipart uploads of source files, under uploads/… ---
    def begin_multipart(self, key: str) -> str:
        """Open a multipart upload; its id."""
        return str(self._client._create_multipart_upload(self._bucket, key, {}))  # noqa: SLF001  -- the client's only way to parts

    def part_url(self, key: str, multipart: str, number: int) -> str:
        """Where a browser may PUT this one part itself, for an hour."""
        return str(
            self._client.get_presigned_url(
                "PUT",
                self._bucket,
                key,
                expires=timedelta(hours=1),
                extra_query_params={"uploadId": multipart, "partNumber": str(number)},
            )
        )

    def put_part(self, key: str, multipart: str, number: int, data: bytes) -> str:
        """Store one part; S3's ETag."""
        return str(self._client._upload_part(self._bucket, key, data, {}, multipart, number)).strip('"')  # noqa: SLF001  -- the client's only way to parts

    def parts(self, key: str, multipart: str) -> list[tuple[int, int, str]]:
        """(number, size, ETag) of the parts that arrived. Raises FileNotFoundError when the upload is over."""
        from minio.error import S3Error

        found: list[tuple[int, int, str]] = []
        marker: str | None = None
        while True:
            try:
                answer = self._client._list_parts(  # noqa: SLF001  -- the client's only way to parts
                    self._bucket, key, multipart, part_number_marker=marker
                )
            except S3Error as error:
                if error.code in ("NoSuchUpload", "NoSuchKey"):
                    raise FileNotFoundError(key) from error
                raise
            found += [(part.part_number, int(part.size or 0), part.etag.strip('"')) for part in answer.parts]
            if not answer.is_truncated or not answer.parts:
                return found
            marker = str(answer.next_part_number_marker)

    def finish_multipart(self, key: str, multipart: str, parts: list[tuple[int, int, str]]) -> None:
        """Make one object of the parts."""
        from minio.datatypes import Part

        self._client._complete_multipart_upload(  # noqa: SLF001  -- the client's only way to parts
            self._bucket, key, multipart, [Part(number, etag) for number, _, etag in parts]
        )

    def abort_multipart(self, key: str, multipart: str) -> None:
        """Give the parts up; twice changes nothing."""
        from minio.error import S3Error

        try:
            self._client._abort_multipart_upload(self._bucket, key, multipart)  # noqa: SLF001  -- the client's only way to parts
        except S3Error as error:
            if error.code != "NoSuchUpload":
                raise

    def fetch(self, key: str, target: Path) -> None:
        """Bring an object to this machine; the file appears whole. Raises FileNotFoundError."""
        beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        try:
            with beside.open("xb") as writing:
                for chunk in self.chunks(key):
                    writing.write(chunk)
                writing.flush()
                os.fsync(writing.fileno())
            os.replace(beside, target)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise


def upload_key(upload_id: str) -> str:
    """Where an uploaded file lies in S3: its place below the data folder."""
    return f"uploads/{upload_id}"


def source_file(store: Store, data: Path, path: str) -> Path:
    """A source file on this machine: ``path`` below the data folder, brought from S3 where it is not there yet.

    Raises FileNotFoundError.
    """
    local = data / path
    if not local.exists() and isinstance(store, S3Store):
        local.parent.mkdir(parents=True, exist_ok=True)
        store.fetch(path, local)
    return local


def open_store(config: Config) -> Store:
    """The store this installation is set up for."""
    return S3Store(config) if config.s3 else FolderStore(config.media)
