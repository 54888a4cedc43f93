"""A file that does nothing but lie there: 16 MB that are given back when the disk is full.

A full disk must not stop reports, floors and positions, whatever filled it. The first writer that finds no room lets
the ballast go and writes; it is laid down again once there is room to spare.
"""

from __future__ import annotations

import errno
import logging
import shutil
import threading
from pathlib import Path

from client_agent.durable import reserve

log = logging.getLogger(__name__)
BALLAST_BYTES = 16 * 1024 * 1024
SPARE_BYTES = 64 * 1024 * 1024
"""It is only laid down where so much stays free beside it."""


class Ballast:
    """One data folder's ballast. Safe from any thread; raises nothing."""

    def __init__(self, path: Path, spare_bytes: int = SPARE_BYTES) -> None:
        self._path = path
        self._spare = spare_bytes
        self._lock = threading.Lock()

    @property
    def is_down(self) -> bool:
        return self._path.exists()

    def lay(self) -> bool:
        """Lay it down if it is not there and there is room to spare; whether it lies there now."""
        with self._lock:
            if self._path.exists():
                return True
            try:
                if shutil.disk_usage(self._path.parent).free < BALLAST_BYTES + self._spare:
                    return False
                reserve(self._path, BALLAST_BYTES)
            except OSError as error:
                self._path.unlink(missing_ok=True)
                log.warning("no ballast: %s", error)
                return False
            return True

    def release(self) -> bool:
        """Give its room back; whether there was any."""
        with self._lock:
            try:
                self._path.unlink()
            except OSError:
                return False
        log.error("the disk is full: %d MB of ballast are given back", BALLAST_BYTES // 2**20)
        return True


def is_full(error: BaseException) -> bool:
    """Whether an error says that the disk is full."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
