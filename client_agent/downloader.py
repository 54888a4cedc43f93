"""Fetches files piece by piece from several sources; the one that gave a wrong piece is the one that is blamed.

Nothing received is believed before the store has hashed it. A download can be stopped between any two pieces and
goes on there later, also after a power cut.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TypeVar

from client_agent.errors import (
    AgentError,
    BadAnswer,
    NoSpace,
    NotStored,
    StorageFailed,
    Unreachable,
    Withheld,
)
from client_agent.fetch import Answer, Http, join
from client_agent.planner import Wanted
from client_agent.sources import Blame, Sources
from client_agent.store import FileName, Store, StoredFile
from protocol import names
from protocol.errors import BadPieces
from protocol.pieces import HASH_LENGTH, PIECE_LENGTH, piece_count, piece_span

log = logging.getLogger(__name__)
PIECE_DEADLINE_S = 180.0
"""A megabyte at 47 kbit/s."""
ROUNDS = 3
"""How often all sources are asked for one piece before the file is left for the next pass."""
BACKOFF_S = 0.5
_T = TypeVar("_T")
_HTTP_OK, _HTTP_PARTIAL, _HTTP_ABSENT = 200, 206, (403, 404, 410)


@dataclass
class DownloadSummary:
    """``files`` completed, ``bytes`` received and verified, ``failed``: SHA-256 → reason, ``bps`` measured (0: too
    little to tell); ``stopped``: asked to stop before the end."""

    files: int = 0
    bytes: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    bps: int = 0
    stopped: bool = False


class _Result(Enum):
    """What one source made of one request."""

    GOOD = auto()
    ABSENT = auto()
    WRONG = auto()
    SILENT = auto()


class Downloader:
    """Fills the store from the read plane."""

    def __init__(
        self, store: Store, http: Http, sources: Sources, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self._store = store
        self._http = http
        self._sources = sources
        self._sleep = sleep
        self._seconds = 0.0

    def fetch(
        self, wanted: Sequence[Wanted], keep: Collection[str], stop: Callable[[], bool] = lambda: False
    ) -> DownloadSummary:
        """Fetch files in order. Those that fail are named in the summary and do not hold the others up.

        ``keep``: files that must not be evicted to make room. ``stop`` is asked before every piece.
        """
        summary = DownloadSummary()
        self._seconds = 0.0
        for item in wanted:
            if stop():
                summary.stopped = True
                break
            try:
                summary.files += self._fetch_file(item, keep, stop, summary)
            except (AgentError, BadPieces) as error:
                log.warning("%s (%s): %s", item.title, item.what, error)
                summary.failed[item.sha256] = str(error)
                if isinstance(error, (StorageFailed, Unreachable)):
                    break  # neither disk nor line will do better with the next file
        if summary.bytes >= PIECE_LENGTH and self._seconds > 0:
            summary.bps = int(summary.bytes * 8 / self._seconds)
        return summary

    def _fetch_file(
        self, item: Wanted, keep: Collection[str], stop: Callable[[], bool], summary: DownloadSummary
    ) -> bool:
        """True when the file is complete afterwards."""
        row = self._begin(item, keep)
        for index in row.missing:
            if stop():
                summary.stopped = True
                return False
            summary.bytes += self._fetch_piece(item, index)
        return self._store.is_complete(item.sha256) or self._store.finish(item.sha256)

    def _begin(self, item: Wanted, keep: Collection[str]) -> StoredFile:
        """The file's row, with a layer that fits its signed root. Raises NoSpace, Withheld."""
        name = FileName(item.sha256, item.length, item.pieces_root)
        begun = self._store.begun(name)
        if begun is not None and begun.bad:
            raise Withheld(f"{item.sha256[:12]}: {begun.bad}")
        if begun is not None:
            return begun
        if not self._has_room(item, keep):
            raise NoSpace(
                f"磁盘空间不足，放不下《{item.title}》（{item.length / 2**20:.0f} MB） / not enough free space"
            )
        length = piece_count(item.length) * HASH_LENGTH
        path = names.PIECES_PATH + item.pieces_root

        def take(answer: Answer) -> StoredFile:
            if answer.status != _HTTP_OK:
                raise BadPieces(f"HTTP {answer.status} where a whole file was asked for")
            return self._store.begin(name, answer.body)

        if not length:
            return self._store.begin(name, b"")
        return self._ask(path, length, None, take)

    def _has_room(self, item: Wanted, keep: Collection[str]) -> bool:
        """Only what airs may push other files out."""
        if item.air_ms is None:
            return item.length <= self._store.free_space()
        return self._store.make_room(item.length, keep)

    def _fetch_piece(self, item: Wanted, index: int) -> int:
        start, end = piece_span(index, item.length)

        def take(answer: Answer) -> int:
            self._store.put_piece(item.sha256, index, _piece_of(answer, start, end, item.length))
            return end - start

        before = time.monotonic()
        received = self._ask(names.MEDIA_PATH + item.sha256, end - start, (start, end), take)
        self._seconds += time.monotonic() - before
        return received

    def _ask(self, path: str, length: int, span: tuple[int, int] | None, take: Callable[[Answer], _T]) -> _T:
        """Ask source after source, a few rounds with full jitter between, until ``take`` accepts an answer.

        Raises Withheld (somebody answered, nobody had it right), Unreachable (nobody answered), NoSpace, StorageFailed.
        """
        headers = {"Range": f"bytes={span[0]}-{span[1] - 1}"} if span else {}
        results: set[_Result] = set()
        for attempt in range(ROUNDS):
            if attempt:
                self._sleep(random.uniform(0, BACKOFF_S * 2**attempt))  # noqa: S311 - jitter, not a secret
            for source in self._sources.order():
                result, taken = self._ask_one(source, path, length, headers, take)
                if taken is not None:
                    return taken
                results.add(result)
            if results == {_Result.ABSENT}:
                break  # they all say so: the next publication may bring it, another round will not
        if results == {_Result.SILENT}:
            raise Unreachable
        raise Withheld(f"{Withheld.__doc__}: {path[:20]}")

    def _ask_one(
        self, source: str, path: str, length: int, headers: Mapping[str, str], take: Callable[[Answer], _T]
    ) -> tuple[_Result, _T | None]:
        """Ask one source and praise or blame it; what ``take`` made of its answer, or None."""
        try:
            answer = self._http.get(
                join(source, path), max_bytes=length, deadline_s=PIECE_DEADLINE_S, headers=headers
            )
            if answer.status in _HTTP_ABSENT:
                log.info("source %s has no %s", source, path)
                return _Result.ABSENT, None
            if answer.status not in (_HTTP_OK, _HTTP_PARTIAL):
                self._sources.blame(source, Blame.UNREACHABLE, f"HTTP {answer.status}")
                return _Result.WRONG, None
            taken = take(answer)
        except (NoSpace, StorageFailed, NotStored):
            raise
        except (BadPieces, BadAnswer) as error:
            self._sources.blame(source, Blame.WRONG_BYTES, f"{path}: {error}")
            return _Result.WRONG, None
        except AgentError as error:
            self._sources.blame(source, Blame.UNREACHABLE, str(error))
            return _Result.SILENT, None
        self._sources.praise(source)
        return _Result.GOOD, taken


def _piece_of(answer: Answer, start: int, end: int, length: int) -> bytes:
    """The bytes asked for. A whole file instead of a range counts when the range is the whole file.

    Raises BadPieces for any other answer: a false Content-Range, a wrong length, a page with an error.
    """
    if answer.status == _HTTP_OK and (start, end) == (0, length):
        return answer.body
    if answer.status != _HTTP_PARTIAL:
        raise BadPieces(f"HTTP {answer.status} where a range was asked for")
    if not answer.headers.get("content-range", "").startswith(f"bytes {start}-{end - 1}/"):
        raise BadPieces("another range than was asked for")
    return answer.body
