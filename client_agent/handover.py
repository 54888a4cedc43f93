"""换机: what a station has and the province has not goes from the old terminal to the new one by a stick.

On the stick: the station's own book (names, log, plans, people), what was set at the station, every signed batch that
has no receipt yet, and photos and recordings that were not sent. Batches travel as the old terminal signed them; the
new one brings them to the province like a relay (decision 20) and can add nothing to them.

Taking over reads the whole stick first; only when its end was there and genuine is anything changed, and then all of it
in one transaction of the book. A stick that is pulled, cut off, altered or of another station changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from client_agent.agent import Agent
from client_agent.book import Book
from client_agent.desk.log_lines import GENESIS, LogLine, line_bytes, next_hash
from client_agent.errors import StorageFailed
from client_agent.evidence import Evidence, Kept
from client_agent.outbox import Outbox
from client_agent.outbox_rules import covers
from client_agent.reporter import (
    BACKOFF_MOST_MS,
    CONTENT_TYPE,
    HELD_AGAIN_MS,
    REVOKED_AGAIN_MS,
    Answer,
    Identity,
    Line,
    NoAnswer,
    Verdict,
    backoff_ms,
    judge,
)
from client_agent.stick import Header, Part, StickFailed, Writer, new_phrase, read_header, read_parts
from protocol import batch as wire
from protocol.batch import EvidenceKind
from protocol.errors import ProtocolError
from protocol.times import DAY_MS

log = logging.getLogger(__name__)
SETTINGS = ("volume", "captions", "line_rules")
SETTINGS_NOTE = "handover_settings"
STAGING, COPY = "handover.new", "handover.copy"
GIVE_UP_MS = 100 * DAY_MS
"""The province takes what was carried for 90 days; then it is no use to ask again."""
_TABLE = (
    "CREATE TABLE IF NOT EXISTS carried (n INTEGER PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE, data BLOB NOT NULL,"
    " at_ms INTEGER NOT NULL, done INTEGER NOT NULL DEFAULT 0)"
)
_OWN = frozenset(
    {
        "evidence",
        "commands",
        "carried",
        "tries",
        "phone_done",
        "log",
        "log_to_tell",
        "roll_people",
        "roll_marks",
    }
)
"""Tables that are not copied row by row: a terminal's own, or taken over with more care."""
_NAME = re.compile(r"[a-z][a-z_]{0,40}")


@dataclass(frozen=True)
class Exported:
    """``phrase`` is shown once and kept nowhere."""

    phrase: str
    path: Path
    bytes: int
    batches: int
    evidence: int


@dataclass(frozen=True)
class Restored:
    """From which terminal, and how much came."""

    terminal: str
    log_lines: int
    people: int
    batches: int
    evidence: int


# --- onto the stick -----------------------------------------------------------------------------------------------------
def export(agent: Agent, book: Book, outbox: Outbox, evidence: Evidence, folder: Path) -> Exported:
    """Write everything to a stick and read it back. Raises StickFailed, StorageFailed, OutboxFull."""
    phrase, who = new_phrase(), agent.identity
    settle(agent, book)
    while outbox.cut_batch(who.terminal, who.private) is not None:
        pass
    copy = agent.paths.data / COPY
    writer = Writer(
        folder, phrase, station=who.station, station_name=who.station_name, terminal=who.terminal,
        made_ms=agent.clock.now_ms()[0],
    )  # fmt: skip
    try:
        book.copy_to(copy)
        writer.add(Part("book", "", copy.read_bytes()))
        writer.add(
            Part("settings", "", json.dumps({n: agent.database.setting(n) for n in SETTINGS}).encode())
        )
        batches = _add_batches(writer, book, outbox)
        files = _add_evidence(writer, evidence)
        writer.finish()
        for _ in read_parts(folder, phrase):
            pass
    except OSError as error:
        raise StorageFailed(f"{StorageFailed.__doc__}: {error}") from error
    finally:
        writer.give_up()
        copy.unlink(missing_ok=True)
    log.info("handover written: %d batches, %d files, %d bytes", batches, files, writer.written)
    return Exported(phrase, writer.path, writer.written, batches, files)


def _add_batches(writer: Writer, book: Book, outbox: Outbox) -> int:
    count = 0
    for batch in outbox.waiting_batches(limit=1_000_000):
        writer.add(Part("batch", "", outbox.batch_bytes(batch.id)))
        count += 1
    for (sha256,) in book.rows("SELECT sha256 FROM carried WHERE NOT done ORDER BY n"):
        writer.add(Part("batch", "", book.rows("SELECT data FROM carried WHERE sha256 = ?", (sha256,))[0][0]))
        count += 1
    return count


def _add_evidence(writer: Writer, evidence: Evidence) -> int:
    count = 0
    for kept in evidence.unsent():
        data = evidence.read(kept.sha256)
        if data is not None:
            about = {
                "what": str(kept.what),
                "session": kept.session,
                "at_ms": kept.at_ms,
                "type": kept.media_type,
            }
            writer.add(Part("evidence", json.dumps(about), data))
            count += 1
    return count


# --- from the stick -----------------------------------------------------------------------------------------------------
def restore(agent: Agent, book: Book, evidence: Evidence, folder: Path, phrase: str) -> Restored:
    """Take over what a stick holds of this station's former terminal. Raises StickFailed (GroupWrong among them),
    StorageFailed; then nothing changed."""
    settle(agent, book)
    header = read_header(folder)
    _check(agent, book, header)
    staging = agent.paths.data / STAGING
    try:
        staging.mkdir(mode=0o700)
        names = _stage(folder, phrase, staging)
        return _take_over(agent, book, evidence, header, staging, names)
    except OSError as error:
        raise StorageFailed(f"{StorageFailed.__doc__}: {error}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _check(agent: Agent, book: Book, header: Header) -> None:
    who = agent.identity
    if header.station != who.station:
        raise StickFailed("station", header.station_name)
    if header.terminal == who.terminal:
        raise StickFailed("same")
    taken_ms = int(book.note(f"handover:{header.terminal}") or "0")
    if header.made_ms <= taken_ms:
        raise StickFailed("already" if header.made_ms == taken_ms else "older")


def _stage(folder: Path, phrase: str, staging: Path) -> list[tuple[str, str]]:
    """(kind, name) of every part, in order; part n lies in ``staging/n``. The stick is not needed any more after this."""
    names: list[tuple[str, str]] = []
    for part in read_parts(folder, phrase):
        (staging / str(len(names))).write_bytes(part.data)
        names.append((part.kind, part.name))
    if [kind for kind, _ in names].count("book") != 1:
        raise StickFailed("damaged", "no book")
    return names


def _take_over(
    agent: Agent, book: Book, evidence: Evidence, header: Header, staging: Path, names: list[tuple[str, str]]
) -> Restored:
    now_ms = agent.clock.now_ms()[0]
    parts: dict[str, list[tuple[Path, str]]] = {}
    for n, (kind, name) in enumerate(names):
        parts.setdefault(kind, []).append((staging / str(n), name))
    adopted = 0
    with book.beside(parts["book"][0][0], "old"), book.transaction():
        _check(agent, book, header)
        merged = _Merge(book)
        merged.run()
        for path, _ in parts.get("batch", ()):
            _carry(book, path.read_bytes(), now_ms)
        for path, _ in parts.get("settings", ()):
            book.keep_note(SETTINGS_NOTE, path.read_text("utf-8"))
        for path, about in parts.get("evidence", ()):
            data = path.read_bytes()
            adopted += evidence.adopt(_kept(json.loads(about), data), data)
        book.keep_note(f"handover:{header.terminal}", str(header.made_ms))
    _take_settings(agent, book)
    return Restored(header.terminal, merged.log_lines, merged.people, len(parts.get("batch", ())), adopted)


def _kept(about: dict[str, Any], data: bytes) -> Kept:
    return Kept(
        sha256=hashlib.sha256(data).hexdigest(), length=len(data), media_type=str(about["type"]),
        what=EvidenceKind(about["what"]), session=str(about["session"]), at_ms=int(about["at_ms"]), held=0, tries=0,
        sent_ms=None,
    )  # fmt: skip


def settle(agent: Agent, book: Book) -> None:
    """End what a power cut left half-done: what lay in between goes, settings that were taken over are set."""
    _make_table(book)
    shutil.rmtree(agent.paths.data / STAGING, ignore_errors=True)
    (agent.paths.data / COPY).unlink(missing_ok=True)
    _take_settings(agent, book)


def _take_settings(agent: Agent, book: Book) -> None:
    """What was set at the station, unless this terminal was set otherwise already."""
    found = json.loads(book.note(SETTINGS_NOTE) or "{}")
    for name in SETTINGS:
        if found.get(name) and not agent.database.setting(name):
            agent.database.set_setting(name, str(found[name]))
    book.keep_note(SETTINGS_NOTE, "")


def _carry(book: Book, data: bytes, now_ms: int) -> None:
    book.execute(
        "INSERT OR IGNORE INTO carried (sha256, data, at_ms) VALUES (?, ?, ?)",
        (hashlib.sha256(data).hexdigest(), data, now_ms),
    )


def _make_table(book: Book) -> None:
    book.have(_TABLE)


class _Merge:
    """The old book (attached as ``old``) into this one, within the caller's transaction."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self.log_lines = 0
        self.people = 0

    def run(self) -> None:
        tables = {
            str(name): str(sql)
            for name, sql in self._book.rows("SELECT name, sql FROM old.sqlite_master WHERE type = 'table'")
            if _NAME.fullmatch(str(name)) and not str(name).startswith("sqlite_")
        }
        for name, sql in tables.items():
            if not self._columns("main", name) and sql.upper().startswith("CREATE TABLE"):
                self._book.execute(sql)
            if name not in _OWN:
                self._copy(name)
        if "roll_people" in tables:
            self._take_roll("roll_marks" in tables)
        if "log" in tables:
            self._take_log("log_to_tell" in tables)

    def _columns(self, where: str, table: str) -> list[str]:
        return [str(row[1]) for row in self._book.rows(f"PRAGMA {where}.table_info({table})")]

    def _shared(self, table: str) -> str:
        here = self._columns("main", table)
        return ", ".join(f'"{column}"' for column in self._columns("old", table) if column in here)

    def _copy(self, table: str) -> None:
        """What stands here already stays."""
        columns = self._shared(table)
        if columns:
            self._book.execute(
                f"INSERT OR IGNORE INTO main.{table} ({columns}) SELECT {columns} FROM old.{table}"  # noqa: S608 - names were checked
            )

    def _take_roll(self, has_marks: bool) -> None:
        """The old list under its numbers, which the marks name; names that were entered here since come behind."""
        book = self._book
        mine = book.rows("SELECT id, name, party FROM main.roll_people ORDER BY id")
        marks = book.rows("SELECT session, roll, person, present, at_ms FROM main.roll_marks")
        book.execute("DELETE FROM main.roll_people")
        book.execute("DELETE FROM main.roll_marks")
        self._copy("roll_people")
        if has_marks:
            self._copy("roll_marks")
        known = {name: number for number, name in book.rows("SELECT id, name FROM main.roll_people")}
        self.people = len(known)
        now: dict[int, int] = {0: 0}
        for number, name, party in mine:
            if name not in known:
                book.execute("INSERT INTO main.roll_people (name, party) VALUES (?, ?)", (name, party))
                known[name] = int(book.rows("SELECT last_insert_rowid()")[0][0])
            now[number] = known[name]
        for session, roll, person, present, at_ms in marks:
            book.execute(
                "INSERT OR IGNORE INTO main.roll_marks VALUES (?, ?, ?, ?, ?)",
                (session, roll, now.get(person, person), present, at_ms),
            )

    def _take_log(self, has_to_tell: bool) -> None:
        """The old log first, as it is; this terminal's lines go on behind it, with new numbers and a new chain."""
        book = self._book
        mine = book.rows("SELECT n, day, key, line FROM main.log ORDER BY n")
        to_tell = {n for (n,) in book.rows("SELECT n FROM main.log_to_tell")}
        book.execute("DELETE FROM main.log")
        book.execute("DELETE FROM main.log_to_tell")
        self._copy("log")
        if has_to_tell:
            self._copy("log_to_tell")
        known = {key: n for n, key in book.rows("SELECT n, key FROM main.log")}
        last = book.rows("SELECT n, hash FROM main.log ORDER BY n DESC LIMIT 1")
        n, before = last[0] if last else (0, GENESIS)
        self.log_lines = n
        new_number: dict[int, int] = {}
        for old_n, day, key, data in mine:
            if key in known:
                new_number[old_n] = known[key]
                continue
            n += 1
            new_number[old_n] = n
            line = _read_line(data)
            moved = line_bytes(_renumbered(line, n, new_number.get(line.about, line.about)))
            before = next_hash(before, moved)
            book.execute("INSERT INTO main.log VALUES (?, ?, ?, ?, ?)", (n, day, key, moved, before))
            if old_n in to_tell:
                book.execute("INSERT OR IGNORE INTO main.log_to_tell VALUES (?)", (n,))


def _read_line(data: bytes) -> LogLine:
    return msgspec.json.decode(data, type=LogLine)


def _renumbered(line: LogLine, n: int, about: int) -> LogLine:
    return msgspec.structs.replace(line, n=n, about=about)


# --- bringing the batches home --------------------------------------------------------------------------------------------
@dataclass
class Carrier:
    """Brings a former terminal's signed batches to the province. For one thread; times are monotonic ms."""

    book: Book
    outbox: Outbox
    who: Callable[[], Identity]
    line: Line
    mono_ms: Callable[[], int]
    wall_ms: Callable[[], int]
    fraction: Callable[[], float] = random.random
    _failures: int = 0
    _free_at: int = 0
    _not_before: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _make_table(self.book)

    @staticmethod
    def count(book: Book) -> int:
        """How many batches still wait."""
        _make_table(book)
        return int(book.rows("SELECT count(*) FROM carried WHERE NOT done")[0][0])

    def tick(self) -> int:
        """At most one batch; how many milliseconds until there may be another. Raises StorageFailed."""
        now = self.mono_ms()
        if now < self._free_at:
            return self._free_at - now
        rows = self.book.rows("SELECT sha256, at_ms FROM carried WHERE NOT done ORDER BY n")
        return self._next(rows, now)

    def _next(self, rows: list[tuple[Any, ...]], now: int) -> int:
        for sha256, at_ms in rows:
            if self._not_before.get(sha256, 0) > now:
                continue
            if self.wall_ms() - at_ms > GIVE_UP_MS:
                self._end(sha256)
                self.outbox.fault("carried_lost", sha256)
            else:
                self._send(sha256)
            return 0
        return BACKOFF_MOST_MS if not rows else max(200, min(self._not_before.values()) - now)

    def _send(self, sha256: str) -> None:
        data = bytes(self.book.rows("SELECT data FROM carried WHERE sha256 = ?", (sha256,))[0][0])
        try:
            answer = self.line("batches", data, CONTENT_TYPE)
        except NoAnswer as error:
            log.info("no answer about a carried batch: %s", error)
            self._stay_away(None)
            return
        verdict = judge(answer.status)
        if verdict is Verdict.RECEIPT and self._is_held(data, answer):
            self._failures = 0
            self._end(sha256)
        elif verdict is Verdict.FORK:
            log.error("a carried batch is of a forked epoch: the province keeps it aside")
            self._end(sha256)
            self.outbox.fault("carried_forked", sha256)
        elif verdict is Verdict.LATER:
            self._stay_away(answer)
        else:
            pause = REVOKED_AGAIN_MS if verdict is Verdict.REVOKED else HELD_AGAIN_MS
            self._not_before[sha256] = self.mono_ms() + pause

    def _is_held(self, data: bytes, answer: Answer) -> bool:
        """Whether a genuine receipt says that all of it is held."""
        try:
            header = wire.read_batch(data).header
            receipt = wire.read_receipt(answer.body, request=data, trusted=self.who().receipt_keys)
        except ProtocolError as error:
            log.error("a receipt for a carried batch proves nothing: %s", error)
            return False
        state = receipt.epochs.get(header.epoch)
        return state is not None and covers(state, header.first, header.last)

    def _end(self, sha256: str) -> None:
        """Its bytes may go: the province has them, or never will."""
        self.book.execute("UPDATE carried SET done = 1, data = x'' WHERE sha256 = ?", (sha256,))
        self._not_before.pop(sha256, None)

    def _stay_away(self, answer: Answer | None) -> None:
        self._failures += 1
        pause = backoff_ms(self._failures, answer.retry_after_s if answer else None, self.fraction())
        self._free_at = self.mono_ms() + pause
