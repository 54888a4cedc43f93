"""SHA-256 of a file and of its parts in one pass, in order. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


class PartsHasher:
    """Takes a file's bytes in order and cuts them into parts of ``part_size``, the last one short."""

    def __init__(self, part_size: int) -> None:
        self._part_size = part_size
        self._whole = hashlib.sha256()
        self._part = hashlib.sha256()
        self._in_part = 0
        self.length = 0
        self.etags: list[str] = []
        """SHA-256 of the parts that are complete, in hex."""

    def update(self, chunk: bytes | memoryview) -> None:
        view = memoryview(chunk)
        self._whole.update(view)
        self.length += len(view)
        while view:
            piece = view[: self._part_size - self._in_part]
            self._part.update(piece)
            self._in_part += len(piece)
            view = view[len(piece) :]
            if self._in_part == self._part_size:
                self._close_part()

    def finish(self) -> str:
        """SHA-256 of the whole; the last part is closed."""
        if self._in_part:
            self._close_part()
        return self._whole.hexdigest()

    def _close_part(self) -> None:
        self.etags.append(self._part.hexdigest())
        self._part = hashlib.sha256()
        self._in_part = 0


def parts_sha256(etags: Sequence[str]) -> str:
    """What a file is recognised by before it is sent: SHA-256 over its parts' hex digests, one after another."""
    return hashlib.sha256("".join(etags).encode()).hexdigest()
