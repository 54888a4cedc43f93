"""Files of the read plane on disk: where they lie and how they appear whole.

Anyone may carry these files; their names are the URL's path. A file appears by rename only after its bytes are on
disk, and an existing file is never changed in place.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

ROOT_METADATA = "root.json"


def write_whole(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write beside, fsync, rename, fsync the folder: after a power cut there is the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
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
    sync_folder(path.parent)


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
