"""收看记录: the station's log, written by the station itself as things happen, and kept when the outbox is emptied.

Whatever record is finished in the outbox is offered to :meth:`Logbook.take`; those of plays, sessions, rolls, opinions
and self-tests become lines. A power cut between the record and its line loses nothing: the next start reads what the
outbox still holds and writes the lines that are missing, each once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

import msgspec

from client_agent.book import Book
from client_agent.desk.log_lines import (
    GENESIS,
    Heads,
    LogDay,
    LogKind,
    LogLine,
    LogProgramme,
    day_text,
    days_of,
    fields_of,
    first_broken,
    key_of,
    line_bytes,
    next_hash,
)
from client_agent.errors import StorageFailed
from protocol.batch import ClockState, Record, Study, Viewing
from protocol.identifiers import uuid7

log = logging.getLogger(__name__)
_TABLES = (
    """CREATE TABLE IF NOT EXISTS log (
      n INTEGER PRIMARY KEY, day TEXT NOT NULL, key TEXT NOT NULL UNIQUE, line BLOB NOT NULL, hash TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS log_by_day ON log (day)",
    "CREATE TABLE IF NOT EXISTS log_to_tell (n INTEGER PRIMARY KEY)",
)
_decoder = msgspec.json.Decoder(LogLine)


class NoSuchLine(LookupError):
    """No line of that number, or one that cannot be spoken about so."""


class Logbook:
    """Safe from any thread. ``number_of`` tells a release's programme number, 0 for none."""

    def __init__(
        self,
        book: Book,
        now: Callable[[], tuple[int, ClockState]],
        number_of: Callable[[str], int] = lambda _: 0,
    ) -> None:
        self._book = book
        self._now = now
        self._number_of = number_of
        self.behind = False
        """Whether a line could not be written (full disk): the outbox has its record, :meth:`catch_up` writes it."""
        book.have(*_TABLES)

    # --- writing ------------------------------------------------------------------------------------------------------
    def take(self, record: Record) -> None:
        """A record was finished. What cannot be written now is written at the next :meth:`catch_up`."""
        key = key_of(record)
        if key is None:
            return
        try:
            self._append(key, fields_of(record, self._numbers(record)))
        except StorageFailed as error:
            self.behind = True
            log.error("a line of the log waits to be written: %s", error)

    def catch_up(self, records: Iterable[Record]) -> int:
        """Write the lines that are missing of records still held; how many there were. Raises StorageFailed."""
        written = 0
        for record in records:
            key = key_of(record)
            if key is not None and not self._has(key):
                self._append(key, fields_of(record, self._numbers(record)))
                written += 1
        self.behind = False
        return written

    def write(
        self, kind: LogKind, *, day: str = "", key: str = "", tell: bool = False, **fields: Any
    ) -> LogLine:
        """A line by hand. ``tell``: it is also to be reported (:meth:`to_tell`), even if the power fails right after.
        Raises StorageFailed."""
        now_ms, clock = self._now()
        told = {"kind": kind, "day": day or day_text(now_ms), "clock": str(clock)} | fields
        return self._append(key or f"{kind}:{uuid7(now_ms)}", told, tell=tell)

    def _append(self, key: str, fields: dict[str, Any], *, tell: bool = False) -> LogLine:
        """One more line at the end of the chain; the same one once."""
        with self._book.transaction():
            known = self._book.rows("SELECT line FROM log WHERE key = ?", (key,))
            if known:
                return _decoder.decode(known[0][0])
            last = self._book.rows("SELECT n, hash FROM log ORDER BY n DESC LIMIT 1")
            n, before = last[0] if last else (0, GENESIS)
            line = LogLine(n=n + 1, at_ms=self._now()[0], **fields)
            data = line_bytes(line)
            self._book.execute(
                "INSERT INTO log VALUES (?, ?, ?, ?, ?)",
                (line.n, line.day, key, data, next_hash(before, data)),
            )
            if tell:
                self._book.execute("INSERT INTO log_to_tell VALUES (?)", (line.n,))
            return line

    def _has(self, key: str) -> bool:
        return bool(self._book.rows("SELECT 1 FROM log WHERE key = ?", (key,)))

    def _numbers(self, record: Record) -> dict[str, int]:
        if isinstance(record, Viewing):
            return {record.release: self._number_of(record.release)}
        if isinstance(record, Study):
            return {one.release: self._number_of(one.release) for one in record.programmes}
        return {}

    # --- late entries ---------------------------------------------------------------------------------------------------
    def amend(
        self,
        about: int,
        by: str,
        reason: str,
        *,
        heads: Heads | None = None,
        void: bool = False,
        text: str = "",
    ) -> LogLine:
        """迟录 about an entry: other heads, that it does not count, or a remark. Raises NoSuchLine, StorageFailed."""
        line = self.line(about)
        if line.kind not in (LogKind.STUDY, LogKind.VIEWING) and not (
            line.kind is LogKind.LATE and not line.about
        ):
            raise NoSuchLine(about)
        if heads is not None and line.kind is LogKind.VIEWING:
            raise NoSuchLine(about)
        titles = line.title or "、".join(one.title for one in line.programmes)
        return self.write(
            LogKind.LATE, day=line.day, about=about, session=line.session, by=by, reason=reason, heads=heads,
            void=void, text=text, from_ms=line.from_ms, to_ms=line.to_ms, title=titles, tell=True,
        )  # fmt: skip

    def add_late(
        self,
        day: date,
        by: str,
        reason: str,
        heads: Heads,
        programmes: list[LogProgramme],
        from_ms: int,
        to_ms: int,
    ) -> LogLine:
        """补记: a session that left no record here (no power, a disc, another room). Raises StorageFailed."""
        now_ms, _ = self._now()
        return self.write(
            LogKind.LATE, day=day.isoformat(), by=by, reason=reason, heads=heads, programmes=programmes,
            from_ms=from_ms, to_ms=to_ms, session=uuid7(now_ms), tell=True,
        )  # fmt: skip

    def check(self, by: str) -> LogLine | None:
        """核对: somebody looked through everything there is now; None where there is nothing new."""
        last = self.last_number()
        checked = self._book.rows("SELECT line FROM log WHERE key LIKE 'check:%' ORDER BY n DESC LIMIT 1")
        if not last or (checked and _decoder.decode(checked[0][0]).n == last):
            return None
        return self.write(LogKind.CHECK, about=last, by=by)

    def to_tell(self) -> list[LogLine]:
        """Late entries that are to be reported still."""
        rows = self._book.rows("SELECT line FROM log JOIN log_to_tell USING (n) ORDER BY n")
        return [_decoder.decode(line) for (line,) in rows]

    def told(self, n: int) -> None:
        """A late entry is in the outbox."""
        self._book.execute("DELETE FROM log_to_tell WHERE n = ?", (n,))

    def session_line(self, session: str) -> int | None:
        """The number of the line of a session's own record; None where there is none."""
        rows = self._book.rows("SELECT n FROM log WHERE key = ?", (f"study:{session}",))
        return int(rows[0][0]) if rows else None

    # --- reading --------------------------------------------------------------------------------------------------------
    def line(self, n: int) -> LogLine:
        """Raises NoSuchLine."""
        rows = self._book.rows("SELECT line FROM log WHERE n = ?", (n,))
        if not rows:
            raise NoSuchLine(n)
        return _decoder.decode(rows[0][0])

    def last_number(self) -> int:
        return int(self._book.rows("SELECT coalesce(max(n), 0) FROM log")[0][0])

    def lines(self, first: str, last: str) -> list[LogLine]:
        """Lines of the days from ``first`` to ``last``, both included, and every check, in the order written."""
        rows = self._book.rows(
            "SELECT line FROM log WHERE day BETWEEN ? AND ? OR key LIKE 'check:%' ORDER BY n", (first, last)
        )
        return [_decoder.decode(line) for (line,) in rows]

    def month(self, month: str) -> list[LogDay]:
        """The days of a month (``2026-11``) that have anything, newest first."""
        return days_of(self.lines(f"{month}-01", f"{month}-31"))

    def months(self) -> list[str]:
        """Months that have anything, newest first."""
        return [
            row[0] for row in self._book.rows("SELECT DISTINCT substr(day, 1, 7) FROM log ORDER BY 1 DESC")
        ]

    def broken_at(self) -> int | None:
        """The first line that was altered, taken out or slipped in; None when the chain is whole."""
        return first_broken(
            (n, line.encode() if isinstance(line, str) else bytes(line), known)
            for n, line, known in self._book.rows("SELECT n, line, hash FROM log ORDER BY n")
        )
