"""Objects: media ``m/<sha256>`` and piece layers ``p/<root>``, in a folder or in S3.

Names are content hashes, so an object never changes and putting it twice is harmless. A folder store makes a file
appear by rename after its bytes are on disk. S3 is untrusted storage: whoever signs reads back and hashes again.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
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


class Store(Protocol):
    """Where objects lie. Keys are ``m/…`` and ``p/…``, which the read plane serves, and ``a/…`` (scans of licences), which
    only the console shows."""

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
        if folder not in ("m", "p", "a") or not name or not name.isalnum():
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


def open_store(config: Config) -> Store:
    """The store this installation is set up for."""
    return S3Store(config) if config.s3 else FolderStore(config.media)
