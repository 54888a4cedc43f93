"""站点开放: when the station meant to be open, and when its set really was.

Open is the set while its page asks how things are (it does every five seconds) and no connected screen says that it is
off. Minutes are summed by day and written once a minute; a day the clock does not know is not counted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import msgspec

from client_agent.book import Book
from client_agent.desk.log_lines import day_text
from client_agent.errors import StorageFailed
from protocol.batch import Health, Record
from protocol.times import text_to_ms

_TABLE = """CREATE TABLE IF NOT EXISTS opening (
  day TEXT PRIMARY KEY, open_ms INTEGER NOT NULL, between_ms INTEGER NOT NULL) WITHOUT ROWID"""
_NOTE = "opening-plan"
SILENT_MS = 30_000
"""A page that asked nothing for longer was not there."""
WRITE_MS = 60_000
MINUTES = 24 * 60
Span = tuple[int, int]
"""From and to, in minutes of the day."""


class Opening:
    """Safe from any thread. ``screen_on`` is None where the machine does not tell."""

    def __init__(self, book: Book, screen_on: Callable[[], bool | None]) -> None:
        self._book = book
        self._screen_on = screen_on
        self._lock = threading.Lock()
        self._last_ms: int | None = None
        self._day = ""
        self._open_ms = 0
        book.have(_TABLE)

    def seen(self, mono_ms: int, now_ms: int | None) -> None:
        """The page is there. ``now_ms`` None: nobody knows what day it is."""
        with self._lock:
            before, self._last_ms = self._last_ms, mono_ms
            day = day_text(now_ms) if now_ms is not None else ""
            if day != self._day:
                self._flush()
                self._day = day
            if before is None or not day or not 0 < mono_ms - before <= SILENT_MS:
                return
            self._open_ms += mono_ms - before
            if self._open_ms >= WRITE_MS:
                self._flush()

    def _flush(self) -> None:
        open_ms, self._open_ms = self._open_ms, 0
        if open_ms and self._day and self._screen_on() is not False:
            try:
                self._add(self._day, open_ms, 0)
            except StorageFailed:
                self._open_ms = open_ms

    def take(self, record: Record) -> None:
        """Fillers between programmes are told in sum, with health."""
        if isinstance(record, Health) and record.between_ms and record.clock != "uncertain":
            try:
                self._add(day_text(text_to_ms(record.at)), 0, record.between_ms)
            except StorageFailed:
                return

    def _add(self, day: str, open_ms: int, between_ms: int) -> None:
        self._book.execute(
            "INSERT INTO opening VALUES (?, ?, ?) ON CONFLICT (day) DO UPDATE SET open_ms = open_ms + excluded.open_ms,"
            " between_ms = between_ms + excluded.between_ms",
            (day, open_ms, between_ms),
        )

    def month(self, month: str) -> dict[str, tuple[int, int]]:
        """Day → (ms open, ms of fillers) of a month that were written so far."""
        rows = self._book.rows(
            "SELECT day, open_ms, between_ms FROM opening WHERE day LIKE ?", (f"{month}-%",)
        )
        return {day: (open_ms, between_ms) for day, open_ms, between_ms in rows}

    # --- the plan -----------------------------------------------------------------------------------------------------
    def plan(self) -> list[Span | None]:
        """Seven days, Monday first: from and to in minutes, None for closed; all None while nobody set any."""
        note = self._book.note(_NOTE)
        try:
            found = msgspec.json.decode(note, type=list[Span | None]) if note else []
        except msgspec.DecodeError:
            found = []
        return found if len(found) == 7 else [None] * 7

    def set_plan(self, spans: Sequence[Span | None]) -> None:
        """Raises ValueError unless there are seven, each within a day."""
        if len(spans) != 7 or not all(one is None or 0 <= one[0] < one[1] <= MINUTES for one in spans):
            raise ValueError("seven spans of a day")
        self._book.keep_note(_NOTE, msgspec.json.encode(list(spans)).decode() if any(spans) else "")
