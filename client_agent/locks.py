"""Locks that the system lets go when their process dies."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import IO


def hold(path: Path) -> IO[bytes]:
    """An exclusive lock, held until the file is closed. Raises OSError when another process holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("ab")
    try:
        try:
            fcntl = importlib.import_module("fcntl")
        except ImportError:  # Windows
            msvcrt = importlib.import_module("msvcrt")
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise
    return file
