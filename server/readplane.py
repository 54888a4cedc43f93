"""Files of the read plane on disk: where they lie and how they appear whole.

Anyone may carry these files; their names are the URL's path. A file appears by rename only after its bytes are on
disk, and an existing file is never changed in place.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

ROOT_METADATA = "root.json"


def write_whole(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write beside, fsync, rename, fsync the folder: after a power cut there is the old file or the new one."""
    make_folder(path.parent)
    _replace(path, data, mode)
    sync_folder(path.parent)


def write_many(files: Iterable[tuple[Path, bytes]]) -> int:
    """Write files whole like :func:`write_whole`, but sync each folder once at the end; how many bytes that were.

    For names that nobody looks for yet: after a power cut any of them may be there or not, none is cut short.
    """
    written = 0
    folders: set[Path] = set()
    for path, data in files:
        if path.parent not in folders:
            make_folder(path.parent)
            folders.add(path.parent)
        _replace(path, data, 0o644)
        written += len(data)
    for folder in sorted(folders):
        sync_folder(folder)
    return written


def make_folder(folder: Path) -> None:
    """Make a folder and its parents so that they survive a power cut."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def _replace(path: Path, data: bytes, mode: int) -> None:
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
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
