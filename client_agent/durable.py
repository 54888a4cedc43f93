"""Writing so that a power cut leaves the old or the new, never a half. The one place that knows which of these calls a
system lacks: Windows has neither pread and pwrite nor fallocate, and opens no folders."""

from __future__ import annotations

import os
from pathlib import Path

BINARY = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
"""Flags that every file of ours is opened with."""


def pwrite_all(handle: int, data: bytes, offset: int) -> None:
    """All of ``data`` at ``offset``. The handle's own position may move."""
    view = memoryview(data)
    while view:
        if hasattr(os, "pwrite"):
            written = os.pwrite(handle, view, offset)
        else:
            os.lseek(handle, offset, os.SEEK_SET)
            written = os.write(handle, view)
        view, offset = view[written:], offset + written


def sync_data(handle: int) -> None:
    """A file's bytes are on the disk when this returns."""
    getattr(os, "fdatasync", os.fsync)(handle)


def reserve(path: Path, length: int) -> None:
    """A new file of ``length`` zero bytes whose room is really taken. Raises OSError (ENOSPC)."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | BINARY, 0o600)
    try:
        if length and hasattr(os, "posix_fallocate"):
            os.posix_fallocate(handle, 0, length)
        elif length:
            os.ftruncate(handle, length)
        os.fsync(handle)
    finally:
        os.close(handle)
    sync_folder(path.parent)


def write_durably(path: Path, data: bytes) -> None:
    """A small file that appears whole: beside, fsync, rename, fsync of the folder."""
    beside = path.with_name(f".{path.name}.new")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | BINARY, 0o600)
    try:
        pwrite_all(handle, data, 0)
        os.fsync(handle)
    finally:
        os.close(handle)
    os.replace(beside, path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """A folder's names are on the disk when this returns, where the system lets a program say so."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def set_aside(path: Path) -> Path:
    """Move an SQLite file and what belongs to it to ``<name>.corrupt-<n>``, the first number that is free."""
    n = 1
    while path.with_name(f"{path.name}.corrupt-{n}").exists():
        n += 1
    aside = path.with_name(f"{path.name}.corrupt-{n}")
    path.replace(aside)
    for part in ("-wal", "-shm"):
        side = path.with_name(path.name + part)
        if side.exists():
            side.replace(aside.with_name(aside.name + part))
    return aside
