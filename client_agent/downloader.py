"""Fetches files piece by piece from several sources at once; the one that gave a wrong piece is the one that is blamed.

Nothing received is believed before the store has hashed it. A download can be stopped between any two pieces and
goes on there later, also after a power cut: each source has at most one piece under way, so that is what is lost.

Rested sources fetch different pieces of one file side by side; whoever fails is out. What they leave is asked for
one by one, of every source, with pauses between the rounds.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Generic, TypeVar

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
from client_agent.line import Line
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
SOURCES_AT_ONCE = 3
"""Each holds a piece in memory."""
LEAST_MEASURED_S = 0.01
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
    closed: bool = False
    """Ended because the line's hours or the month's cap are over; emergencies' files went on."""


@dataclass(frozen=True)
class _Request(Generic[_T]):
    """A path of the read plane, the most bytes it may have, and what to make of an answer (raises BadPieces)."""

    path: str
    length: int
    headers: Mapping[str, str]
    take: Callable[[Answer], _T]


class _Result(Enum):
    """How one source failed a request."""

    ABSENT = auto()
    WRONG = auto()
    SILENT = auto()


class Downloader:
    """Fills the store from the read plane."""

    def __init__(
        self,
        store: Store,
        http: Http,
        sources: Sources,
        line: Line,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._store = store
        self._http = http
        self._sources = sources
        self._line = line
        self._sleep = sleep

    def fetch(
        self, wanted: Sequence[Wanted], keep: Collection[str], stop: Callable[[], bool] = lambda: False
    ) -> DownloadSummary:
        """Fetch files in order. Those that fail are named in the summary and do not hold the others up.

        ``keep``: files that must not be evicted to make room. ``stop`` is asked before every piece.
        """
        summary = DownloadSummary()
        before = self._line.measured()
        for item in wanted:
            try:
                if self._must_end(item, stop, summary):
                    break
                summary.files += self._fetch_file(item, keep, stop, summary)
            except (AgentError, BadPieces) as error:
                log.warning("%s (%s): %s", item.title, item.what, error)
                summary.failed[item.sha256] = str(error)
                if isinstance(error, (StorageFailed, Unreachable)):
                    break  # neither disk nor line will do better with the next file
        self._line.flush()
        seconds = self._line.measured() - before
        if summary.bytes >= PIECE_LENGTH and seconds > LEAST_MEASURED_S:
            summary.bps = int(summary.bytes * 8 / seconds)
        return summary

    def _must_end(self, item: Wanted, stop: Callable[[], bool], summary: DownloadSummary) -> bool:
        """Asked to stop, or the line's time is over for this file (and so for all after it)."""
        summary.stopped = summary.stopped or stop()
        if not item.urgent and self._line.closed_until_ms() is not None:
            summary.closed = True
        return summary.stopped or (summary.closed and not item.urgent)

    def _fetch_file(
        self, item: Wanted, keep: Collection[str], stop: Callable[[], bool], summary: DownloadSummary
    ) -> bool:
        """True when the file is complete afterwards."""
        row = self._begin(item, keep)
        missing: deque[int] = deque(row.missing)
        sources = self._sources.rested()[:SOURCES_AT_ONCE]
        if len(sources) > 1 and len(missing) > 1:
            _Together(self, item, missing, sources, stop, summary).run()
        while missing:
            if self._must_end(item, stop, summary):
                return False
            summary.bytes += self._fetch_piece(item, missing.popleft())
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

        def take(answer: Answer) -> StoredFile:
            if answer.status != _HTTP_OK:
                raise BadPieces(f"HTTP {answer.status} where a whole file was asked for")
            return self._store.begin(name, answer.body)

        if not length:
            return self._store.begin(name, b"")
        return self._ask(_Request(names.PIECES_PATH + item.pieces_root, length, {}, take))

    def _has_room(self, item: Wanted, keep: Collection[str]) -> bool:
        """Only what airs or is pushed may push other files out."""
        if not item.may_evict:
            return item.length <= self._store.free_space()
        return self._store.make_room(item.length, keep)

    def _fetch_piece(self, item: Wanted, index: int) -> int:
        """From whichever source has it right; how many bytes. Raises like :meth:`_ask`."""
        request = self._piece(item, index)
        return self._ask(request)

    def _piece(self, item: Wanted, index: int) -> _Request[int]:
        start, end = piece_span(index, item.length)

        def take(answer: Answer) -> int:
            self._store.put_piece(item.sha256, index, _piece_of(answer, start, end, item.length))
            return end - start

        headers = {"Range": f"bytes={start}-{end - 1}"}
        return _Request(names.MEDIA_PATH + item.sha256, end - start, headers, take)

    def _ask(self, request: _Request[_T]) -> _T:
        """Ask source after source, a few rounds with full jitter between, until somebody's answer is taken.

        Raises Withheld (somebody answered, nobody had it right), Unreachable (nobody answered), NoSpace, StorageFailed.
        """
        results: set[_Result] = set()
        for attempt in range(ROUNDS):
            if attempt:
                self._sleep(random.uniform(0, BACKOFF_S * 2**attempt))  # noqa: S311 - jitter, not a secret
            for source in self._sources.order():
                taken = self._ask_one(source, request)
                if not isinstance(taken, _Result):
                    return taken
                results.add(taken)
            if results == {_Result.ABSENT}:
                break  # they all say so: the next publication may bring it, another round will not
        if results == {_Result.SILENT}:
            raise Unreachable
        raise Withheld(f"{Withheld.__doc__}: {request.path[:20]}")

    def _ask_one(self, source: str, request: _Request[_T]) -> _T | _Result:
        """Ask one source and praise or blame it; what was made of its answer, or how it failed."""
        try:
            answer = self._get(source, request)
            if answer.status in _HTTP_ABSENT:
                log.info("source %s has no %s", source, request.path)
                return _Result.ABSENT
            if answer.status not in (_HTTP_OK, _HTTP_PARTIAL):
                self._sources.blame(source, Blame.UNREACHABLE, f"HTTP {answer.status}")
                return _Result.WRONG
            taken = request.take(answer)
        except (NoSpace, StorageFailed, NotStored):
            raise
        except (BadPieces, BadAnswer) as error:
            self._sources.blame(source, Blame.WRONG_BYTES, f"{request.path}: {error}")
            return _Result.WRONG
        except AgentError as error:
            self._sources.blame(source, Blame.UNREACHABLE, str(error))
            return _Result.SILENT
        self._sources.praise(source)
        return taken

    def _get(self, source: str, request: _Request[_T]) -> Answer:
        """What the source says; its bytes count for the line, good or not."""
        deadline_s = max(PIECE_DEADLINE_S, self._line.seconds_for(request.length) * 2)
        with self._line.busy():
            answer = self._http.get(
                join(source, request.path),
                max_bytes=request.length,
                deadline_s=deadline_s,
                headers=request.headers,
                pace=self._line.pacer(),
            )
            self._line.took(len(answer.body))
        return answer


class _Together:
    """Several sources fetch pieces of one file side by side; each at most one at a time."""

    def __init__(
        self,
        downloader: Downloader,
        item: Wanted,
        missing: deque[int],
        sources: Sequence[str],
        stop: Callable[[], bool],
        summary: DownloadSummary,
    ) -> None:
        self._downloader = downloader
        self._item = item
        self._missing = missing
        self._sources = sources
        self._stop = stop
        self._summary = summary
        self._lock = threading.Lock()
        self._error: BaseException | None = None

    def run(self) -> None:
        """Until no piece is left, no source will, or it was asked to stop; what is left stays in ``missing``.

        Raises what the disk raised: NoSpace, NotStored, StorageFailed.
        """
        helpers = [
            threading.Thread(target=self._work, args=(source,), name="fetch", daemon=True)
            for source in self._sources[1:]
        ]
        for helper in helpers:
            helper.start()
        self._work(self._sources[0])
        for helper in helpers:
            helper.join()
        if self._error is not None:
            raise self._error

    def _work(self, source: str) -> None:
        while (index := self._next()) is not None:
            received: int | _Result = _Result.WRONG
            try:
                request = self._downloader._piece(self._item, index)  # noqa: SLF001 - one module, two classes
                received = self._downloader._ask_one(source, request)  # noqa: SLF001
            except BaseException as error:  # noqa: BLE001 - raised again in the thread that asked
                with self._lock:
                    self._error = self._error or error
            with self._lock:
                if isinstance(received, _Result):
                    self._missing.appendleft(index)  # somebody else's, or the rounds' after this
                    return
                self._summary.bytes += received

    def _next(self) -> int | None:
        with self._lock:
            if self._error is not None or not self._missing:
                return None
            if self._downloader._must_end(self._item, self._stop, self._summary):  # noqa: SLF001
                return None
            return self._missing.popleft()


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
