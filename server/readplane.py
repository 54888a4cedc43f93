"""Files of the read plane on disk: where they lie and how they appear whole.

Anyone may carry these files; their names are the URL's path. A file appears by rename only after its bytes are on
disk, and an existing file is never changed in place.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

ROOT_METADATA = "root.json"
PART = ".part"
MANY = 32
"""From so many files on, a sync of the whole file system costs less than waiting for each."""


def write_whole(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write beside, fsync, rename, fsync the folder: after a power cut there is the old file or the new one."""
    make_folder(path.parent)
    _replace(path, data, mode)
    sync_folder(path.parent)


def write_many(files: Iterable[tuple[Path, bytes]]) -> int:
    """Write files whole like :func:`write_whole`, with the waiting for the disk shared; how many bytes that were.

    For names that nobody looks for yet: after a power cut any of them may be there or not, none is cut short.
    """
    waiting: list[tuple[Path, Path]] = []
    written = 0
    try:
        for path, data in files:
            make_folder(path.parent)
            beside = _beside(path)
            waiting.append((beside, path))
            with beside.open("xb") as file:
                file.write(data)
            written += len(data)
        _sync_all([beside for beside, _ in waiting])
        for beside, path in waiting:
            os.replace(beside, path)
    except BaseException:
        for beside, _ in waiting:
            beside.unlink(missing_ok=True)
        raise
    for folder in sorted({path.parent for _, path in waiting}):
        sync_folder(folder)
    return written


def _sync_all(paths: list[Path]) -> None:
    """fsync each file, which tells of errors; for many, one sync before spares each its own wait."""
    if len(paths) > MANY:
        os.sync()
    for path in paths:
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}{PART}")


def sweep(folder: Path, *, before_s: float) -> int:
    """Remove what killed writers left behind in a folder, last changed before that time; how many files."""
    found = 0
    for path in folder.rglob(f".*{PART}"):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < before_s:
                path.unlink()
                found += 1
    return found


def make_folder(folder: Path) -> None:
    """Make a folder and its parents so that they survive a power cut."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def _replace(path: Path, data: bytes, mode: int) -> None:
    beside = _beside(path)
    try:
        with os.fdopen(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def metadata_folder(read: Path) -> Path:
    return read / "r" / "metadata"


def targets_folder(read: Path) -> Path:
    return read / "r" / "targets"


def target_path(read: Path, target: str, sha256: str) -> Path:
    """Where a target lies with consistent snapshots: ``release/<sha256>.<name>``."""
    folder, _, name = target.rpartition("/")
    return targets_folder(read) / folder / f"{sha256}.{name}"


def newest_root(read: Path) -> bytes:
    """The newest root.json published, for enrolment answers. Raises FileNotFoundError before the first publication."""
    versions = sorted(
        (int(path.name.split(".")[0]), path)
        for path in metadata_folder(read).glob(f"*.{ROOT_METADATA}")
        if path.name.split(".")[0].isdigit()
    )
    if not versions:
        raise FileNotFoundError("no root has been published")
    return versions[-1][1].read_bytes()
