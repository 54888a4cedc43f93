"""Finished exports, kept for as long as nothing else was published: a poster costs a second of work, its bytes nothing."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock

from server.errors import TooMany
from server.i18n import N_

MOST_BYTES = 24 * 1024 * 1024
DRAWN_AT_ONCE = 1
"""Posters and pictures take a whole core; more at once would only make every page wait."""
PATIENCE_S = 15.0


class FileCache:
    """Bytes by key, the least recently used forgotten first; safe for threads."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._held: OrderedDict[tuple[object, ...], bytes] = OrderedDict()
        self._size = 0
        self._lock = Lock()
        self._drawing = BoundedSemaphore(DRAWN_AT_ONCE)

    def get(self, key: tuple[object, ...], make: Callable[[], bytes], *, heavy: bool) -> bytes:
        """What is held under the key, or what ``make`` gives. Raises TooMany when too much is being drawn."""
        found = self._find(key)
        if found is not None:
            return found
        if not heavy:
            return self._keep(key, make())
        with self._turn():
            found = self._find(key)
            return found if found is not None else self._keep(key, make())

    def _find(self, key: tuple[object, ...]) -> bytes | None:
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        return None

    def _keep(self, key: tuple[object, ...], data: bytes) -> bytes:
        with self._lock:
            if key not in self._held:
                self._held[key] = data
                self._size += len(data)
            while self._size > self._most and self._held:
                self._size -= len(self._held.popitem(last=False)[1])
        return data

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._drawing.acquire(timeout=PATIENCE_S):
            raise TooMany(N_("正在生成的节目单太多，请稍后再试"), retry_after_s=10)
        try:
            yield
        finally:
            self._drawing.release()


def etag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:20]
