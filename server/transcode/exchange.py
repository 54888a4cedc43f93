"""How files that several workers need reach them: a shared folder, or the object store.

Workers on one machine, or on several with a shared data folder, see each other's files. Where media lie in S3, sources
and pieces travel through it under ``work/``: S3 is untrusted, so whoever fetches a source knows its SHA-256, and what is
made of pieces is decoded and compared before anybody may have it. What lies there for a month belongs to no job any more
and is deleted.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from server.config import Config
from server.storage import S3Store, Store
from server.transcode.errors import OutputBroken, TranscodeError
from server.transcode.files import WorkLost

KEPT_IN_STORE = timedelta(days=23)
"""Beyond the time that ended jobs are kept: a job that waits longer than both together has failed."""


class SourceAway(TranscodeError):
    """An uploaded file is neither on this machine nor in the store."""


class Exchange(Protocol):
    """Paths are below the data folder, the same on every machine."""

    def source(self, path: str, sha256: str) -> Path:
        """An uploaded file, here. Raises SourceAway where it is nowhere, OutputBroken where it is another one."""

    def offer_source(self, path: str, sha256: str) -> bool:
        """Let the other workers reach an uploaded file that is here. False when it is neither here nor in the store."""

    def offer(self, files: Iterable[Path]) -> None:
        """Let the other workers reach finished files."""

    def fetch(self, files: Iterable[Path]) -> None:
        """Finished files of other workers, here, at the same place. Raises WorkLost."""

    def forget(self, before: datetime) -> None:
        """Drop copies of sources that nobody used since, and what lies in the store for much longer."""


class SharedFolder:
    """Everybody sees the same files."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def source(self, path: str, sha256: str) -> Path:
        return self._data / path

    def offer_source(self, path: str, sha256: str) -> bool:
        return True

    def offer(self, files: Iterable[Path]) -> None:
        pass

    def fetch(self, files: Iterable[Path]) -> None:
        pass

    def forget(self, before: datetime) -> None:
        pass


class ThroughStore:
    """Each machine has a folder of its own; what others need goes through the store."""

    def __init__(self, store: S3Store, data: Path, work: Path) -> None:
        self._store = store
        self._data = data
        self._work = work

    def source(self, path: str, sha256: str) -> Path:
        if (here := self._data / path).exists():
            return here
        copy = self._work / "sources" / sha256
        if not copy.exists():
            try:
                self._download([f"work/sources/{sha256}", path], copy, sha256)
            except WorkLost as error:
                raise SourceAway(path) from error
        os.utime(copy)
        return copy

    def offer_source(self, path: str, sha256: str) -> bool:
        if (here := self._data / path).exists():
            self._store.put(f"work/sources/{sha256}", here)
            return True
        return self._store.exists(f"work/sources/{sha256}") or self._store.exists(path)

    def offer(self, files: Iterable[Path]) -> None:
        for file in files:
            self._store.put(self._key(file), file)

    def fetch(self, files: Iterable[Path]) -> None:
        for file in files:
            if not file.exists():
                self._download([self._key(file)], file)

    def forget(self, before: datetime) -> None:
        for copy in (self._work / "sources").glob("*"):
            with suppress(FileNotFoundError):
                if copy.stat().st_mtime < before.timestamp():
                    copy.unlink()
        for key in self._store.older("work/", before - KEPT_IN_STORE):
            self._store.delete(key)

    def _key(self, file: Path) -> str:
        return f"work/{file.relative_to(self._work)}"

    def _download(self, keys: list[str], target: Path, sha256: str | None = None) -> None:
        """The first of these objects that exists, whole or not at all."""
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            for key in keys:
                digest = hashlib.sha256()
                try:
                    with beside.open("wb") as file:
                        for chunk in self._store.chunks(key):
                            digest.update(chunk)
                            file.write(chunk)
                except FileNotFoundError:
                    continue
                if sha256 is not None and digest.hexdigest() != sha256:
                    raise OutputBroken(f"the store gave back something else than the source {sha256}")
                beside.replace(target)
                return
        finally:
            beside.unlink(missing_ok=True)
        raise WorkLost(f"{keys[0]} is neither here nor in the store")


def open_exchange(config: Config, store: Store) -> Exchange:
    """How this installation's workers reach each other's files."""
    if not isinstance(store, S3Store):
        return SharedFolder(config.data)
    return ThroughStore(store, config.data, config.run / "transcode")
