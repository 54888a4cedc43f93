"""The outbox: every report of this terminal, on disk before anybody is told, until the province surely has it.

Identity of a record is (terminal, epoch, seq). An epoch is 64 fresh random bits, drawn when this process writes its
first record and never read back for writing; one process at a time holds the outbox (file lock). So a disk restored
from yesterday or cloned into another box starts a new epoch and can neither reuse a number nor hide one.

Records wait as rows; a batch is cut from one run of numbers, signed and stored as the very bytes that go over the
line, so that it can be sent again unchanged after a lost answer, and again in a year if the province was restored
from a backup. A receipt deletes nothing: batches are kept 90 days after it, or until the quota asks for room, oldest
acknowledged first. When something unacknowledged must go, a gap record says which numbers.

A record may stay open for a while: a viewing session is written at its start, under its final number, and rewritten
every few seconds. After a power cut the next start closes it as it stands; a copy restored from a backup closes it
under the same number, so the province counts it once. Batches pass over open records and come back for them.

Raises OutboxBusy where another process holds it, OutboxFull where the disk has no room; both leave it as it was. A
file that cannot be read is set aside as ``outbox.sqlite.corrupt-<n>`` and a new one begun, with a fault record.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from client_agent.durable import set_aside
from client_agent.outbox_file import (
    OutboxBusy,
    OutboxFull,
    connect,
    count_waiting,
    hold_outbox,
    is_broken,
    outbox_length,
    records_of,
)
from client_agent.outbox_rules import (
    BATCH_RECORDS,
    BatchState,
    Moves,
    covers,
    cut_length,
    joined,
    lost_spans,
    moves,
)
from protocol import batch as wire
from protocol.batch import BatchHeader, ClockState, EpochState, Fault, Gap, Record
from protocol.errors import ProtocolError
from protocol.times import DAY_MS, ms_to_text, text_to_ms

__all__ = ["Batch", "Outbox", "OutboxBusy", "OutboxFull", "Place", "Stamp", "outbox_length"]
log = logging.getLogger(__name__)
T = TypeVar("T")

KEEP_MS = 90 * DAY_MS
QUOTA_BYTES = 64 * 1024 * 1024
FAULT_TEXT = 500
EPOCHS_ASKED = 500
"""Epochs in one question about marks; a terminal that restarts for ever asks in several."""


@dataclass(frozen=True)
class Stamp:
    """One reading of this terminal's clocks: best wall time and how far to trust it, boot and time since then."""

    wall_ms: int
    boot: str
    mono_ms: int
    clock: ClockState
    offset_ms: int = 0


@dataclass(frozen=True)
class Place:
    """Where an open record stands: its final identity."""

    epoch: str
    seq: int


@dataclass(frozen=True)
class Batch:
    """A batch on disk; ``Outbox.batch_bytes`` gives what goes over the line."""

    id: int
    epoch: str
    first: int
    last: int
    state: BatchState


class Outbox:
    """One terminal's reports. Safe for several threads of one process."""

    def __init__(
        self,
        path: Path,
        *,
        stamp: Callable[[], Stamp],
        quota_bytes: int = QUOTA_BYTES,
        keep_ms: int = KEEP_MS,
        new_epoch: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self.path = path
        self._stamp = stamp
        self._quota = quota_bytes
        self._keep_ms = keep_ms
        self._new_epoch = new_epoch
        self._epoch: str | None = None
        self.on_full: Callable[[], bool] = lambda: False
        """Asked for room when the disk is full; True when there is some now."""
        self.on_finished: Callable[[Record], None] = lambda _: None
        """Told of every record that :meth:`append` or :meth:`close_open` finished, once it is on disk."""
        self._lock = threading.RLock()
        self._held = hold_outbox(path.with_name(path.name + ".lock"))
        try:
            self._db = self._open()
        except BaseException:
            self._held.close()
            raise

    # --- writing ----------------------------------------------------------------------------------------------------
    def append(self, kind: type[Record], **fields: Any) -> Place:
        """Write one finished record; number and times are added here. On disk when this returns."""

        def write() -> tuple[Place, bytes]:
            with self._writing():
                return self._whole(self._insert(kind, fields, is_open=False))

        return self._finish(write)

    def _whole(self, place: Place) -> tuple[Place, bytes]:
        row = self._db.execute(
            "SELECT data FROM records WHERE epoch = ? AND seq = ?", (place.epoch, place.seq)
        ).fetchone()
        return place, row[0]

    def _finish(self, write: Callable[[], tuple[Place, bytes]]) -> Place:
        place, data = self._with_room(write)
        try:
            self.on_finished(wire.read_record(data))
        except ProtocolError as error:
            log.error("a record was written that cannot be read: %s", error)
        return place

    def _with_room(self, write: Callable[[], T]) -> T:
        """Once more where the disk was full and somebody could give room. Raises OutboxFull."""
        try:
            return write()
        except OutboxFull:
            if not self.on_full():
                raise
            return write()

    def fault(self, code: str, text: str = "") -> None:
        """Write a fault. A full disk swallows it (and is logged): faults must not cause faults."""
        try:
            self.append(Fault, code=code, text=text[:FAULT_TEXT])
        except OutboxFull:
            log.warning("no room to record fault %s: %s", code, text)

    def write_open(self, place: Place | None, kind: type[Record], **fields: Any) -> Place:
        """Begin an open record, or rewrite it as it stands now."""

        def write() -> Place:
            with self._writing():
                if place is None or not self._stands(place):
                    return self._insert(kind, fields, is_open=True)
                self._store(place, kind, fields, is_open=True)
                return place

        return self._with_room(write)

    def close_open(self, place: Place, kind: type[Record], **fields: Any) -> Place:
        """Finish an open record. Under a new number where the province called its epoch forked meanwhile, or where
        the file was set aside."""

        def write() -> tuple[Place, bytes]:
            with self._writing():
                if not self._stands(place):
                    self._db.execute(
                        "DELETE FROM records WHERE epoch = ? AND seq = ?", (place.epoch, place.seq)
                    )
                    return self._whole(self._insert(kind, fields, is_open=False))
                self._store(place, kind, fields, is_open=False)
                return self._whole(place)

        return self._finish(write)

    def _stands(self, place: Place) -> bool:
        """Whether an open record is still where it was, in an epoch that may be written on."""
        row = self._db.execute(
            "SELECT 1 FROM records r JOIN epochs e USING (epoch)"
            " WHERE r.epoch = ? AND r.seq = ? AND r.open AND NOT e.forked",
            (place.epoch, place.seq),
        ).fetchone()
        return row is not None

    def _insert(self, kind: type[Record], fields: Mapping[str, Any], *, is_open: bool) -> Place:
        epoch = self._epoch or self._begin_epoch()
        row = self._db.execute(
            "UPDATE epochs SET last = last + 1 WHERE epoch = ? RETURNING last", (epoch,)
        ).fetchone()
        place = Place(epoch, row[0])
        self._store(place, kind, fields, is_open=is_open)
        return place

    def _store(self, place: Place, kind: type[Record], fields: Mapping[str, Any], *, is_open: bool) -> None:
        now = self._stamp()
        record = kind(seq=place.seq, at=ms_to_text(now.wall_ms), boot=now.boot, mono_ms=now.mono_ms, **fields)
        self._db.execute(
            "INSERT OR REPLACE INTO records (epoch, seq, open, at_ms, data) VALUES (?, ?, ?, ?, ?)",
            (place.epoch, place.seq, int(is_open), now.wall_ms, msgspec.json.encode(record)),
        )

    def _begin_epoch(self) -> str:
        """A fresh epoch whose row names the one before it, in the transaction of its first record."""
        epoch = self._new_epoch()
        before = self._db.execute("SELECT epoch, last FROM epochs ORDER BY n DESC LIMIT 1").fetchone() or (
            None,
            None,
        )
        self._db.execute(
            "INSERT INTO epochs (epoch, prev_epoch, prev_last, head) VALUES (?, ?, ?, ?)",
            (epoch, *before, wire.GENESIS_HASH),
        )
        self._epoch = epoch
        return epoch

    # --- batches ----------------------------------------------------------------------------------------------------
    def cut_batch(self, terminal: str, private: bytes) -> Batch | None:
        """Make the next batch of what has none yet, oldest epoch first; None when nothing is left to cut."""
        with self._writing():
            line = self._db.execute(
                "SELECT e.epoch, e.prev_epoch, e.prev_last, e.head FROM epochs e WHERE EXISTS"
                " (SELECT 1 FROM records r WHERE r.epoch = e.epoch AND NOT r.open) ORDER BY e.n LIMIT 1"
            ).fetchone()
            if line is None:
                return None
            epoch, prev_epoch, prev_last, head = line
            records = self._next_records(epoch)
            if not records:
                return None
            now = self._stamp()
            body = wire.pack_records(records)
            header = BatchHeader(
                terminal=terminal,
                epoch=epoch,
                prev_epoch=prev_epoch,
                prev_last=prev_last,
                first=records[0].seq,
                last=records[-1].seq,
                prev_hash=head,
                sha256=hashlib.sha256(body).hexdigest(),
                boot=now.boot,
                mono_ms=now.mono_ms,
                wall=ms_to_text(now.wall_ms),
                offset_ms=now.offset_ms,
                clock_state=now.clock,
                incarnation_seen=self._meta("incarnation"),
            )
            return self._keep_batch(header, wire.write_batch(header, body, private))

    def _next_records(self, epoch: str) -> list[Record]:
        """The run of closed records at the front of an epoch. One that cannot be read is dropped, with a gap."""
        rows = self._db.execute(
            "SELECT seq, data FROM records WHERE epoch = ? AND NOT open ORDER BY seq LIMIT ?",
            (epoch, BATCH_RECORDS + 1),
        ).fetchall()
        records = []
        for seq, data in rows[: cut_length([(seq, len(data)) for seq, data in rows])]:
            try:
                records.append(wire.read_record(data))
            except ProtocolError as error:
                log.error("record %s/%d on disk cannot be read: %s", epoch, seq, error)
                self._db.execute("DELETE FROM records WHERE epoch = ? AND seq = ?", (epoch, seq))
                self._tell_gap(epoch, seq, seq, "unreadable")
                break
        return records

    def _keep_batch(self, header: BatchHeader, data: bytes) -> Batch:
        line = data.partition(b"\n")[0]
        self._db.execute(
            "UPDATE epochs SET head = ? WHERE epoch = ?", (hashlib.sha256(line).hexdigest(), header.epoch)
        )
        self._db.execute(
            "DELETE FROM records WHERE epoch = ? AND seq BETWEEN ? AND ?",
            (header.epoch, header.first, header.last),
        )
        cursor = self._db.execute(
            "INSERT INTO batches (epoch, first, last, state, data) VALUES (?, ?, ?, ?, ?)",
            (header.epoch, header.first, header.last, BatchState.WAITING, data),
        )
        return Batch(int(cursor.lastrowid or 0), header.epoch, header.first, header.last, BatchState.WAITING)

    def waiting_batches(self, limit: int = 200) -> list[Batch]:
        """Batches without a receipt, oldest first."""
        with self._reading():
            return self._batches("WHERE state = 'waiting' ORDER BY id LIMIT ?", (limit,))

    def batch(self, batch_id: int) -> Batch:
        """A batch by its id. Raises KeyError when it was dropped meanwhile."""
        with self._reading():
            found = self._batches("WHERE id = ?", (batch_id,))
        if not found:
            raise KeyError(batch_id)
        return found[0]

    def batch_bytes(self, batch_id: int) -> bytes:
        """The bytes of a batch as they were first written. Raises KeyError when it was dropped meanwhile."""
        with self._reading():
            row = self._db.execute("SELECT data FROM batches WHERE id = ?", (batch_id,)).fetchone()
        if row is None:
            raise KeyError(batch_id)
        return bytes(row[0])

    def _batches(self, where: str, values: tuple[object, ...] = ()) -> list[Batch]:
        rows = self._db.execute(f"SELECT id, epoch, first, last, state FROM batches {where}", values)  # noqa: S608 - constants of this file
        return [Batch(n, epoch, first, last, BatchState(state)) for n, epoch, first, last, state in rows]

    # --- what the province says ---------------------------------------------------------------------------------------
    def apply_receipt(
        self, epochs: Mapping[str, EpochState], time_ms: int, answered: int | None = None
    ) -> Moves:
        """Take in a verified receipt for a batch (``answered``; None: any): acknowledges it, never lowers, deletes
        nothing."""
        with self._writing():
            return self._apply(epochs, (), time_ms, answered)

    def apply_marks(
        self, asked: Collection[str], epochs: Mapping[str, EpochState], incarnation: str, time_ms: int
    ) -> Moves:
        """Take in a verified answer to :meth:`epochs_to_ask`: follow the province's marks *down*. Numbers that
        neither side has any more are told as gaps, once an incarnation."""
        with self._writing():
            if incarnation != self._meta("incarnation"):
                self._db.execute("DELETE FROM told_gaps")
                self._set_meta("incarnation", incarnation)
            changed = self._apply(epochs, asked, time_ms)
            for epoch in asked:
                self._tell_lost(epoch, epochs.get(epoch))
            return changed

    def _apply(
        self,
        epochs: Mapping[str, EpochState],
        lowering: Collection[str],
        time_ms: int,
        answered: int | None = None,
    ) -> Moves:
        concerned = [
            batch
            for epoch in {*epochs, *lowering}
            for batch in self._batches("WHERE epoch = ? AND state != 'reissued' ORDER BY id", (epoch,))
        ]
        changed = moves(concerned, epochs, lowering, answered)
        self._db.executemany(
            "UPDATE batches SET state = 'acknowledged', acknowledged_ms = ? WHERE id = ?",
            [(time_ms, batch_id) for batch_id in changed.acknowledged],
        )
        self._db.executemany(
            "UPDATE batches SET state = 'waiting', acknowledged_ms = NULL WHERE id = ?",
            [(batch_id,) for batch_id in changed.waiting_again],
        )
        return changed

    def _tell_lost(self, epoch: str, state: EpochState | None) -> None:
        line = self._db.execute("SELECT last FROM epochs WHERE epoch = ? AND NOT forked", (epoch,)).fetchone()
        if line is None:
            return
        kept = [(b.first, b.last) for b in self._batches("WHERE epoch = ?", (epoch,))]
        kept += [
            (seq, seq) for (seq,) in self._db.execute("SELECT seq FROM records WHERE epoch = ?", (epoch,))
        ]
        told = self._db.execute("SELECT first, last FROM told_gaps WHERE epoch = ?", (epoch,)).fetchall()
        for first, last in lost_spans(state, [*kept, *told], line[0]):
            self._tell_gap(epoch, first, last, "expired")

    def epochs_to_ask(self) -> list[dict[str, int]]:
        """(epoch → highest number acknowledged) of every epoch that batches are kept of, in portions."""
        with self._reading():
            rows = self._db.execute(
                "SELECT e.epoch, coalesce(max(CASE WHEN b.state = 'acknowledged' THEN b.last END), 0)"
                " FROM epochs e JOIN batches b ON b.epoch = e.epoch WHERE NOT e.forked GROUP BY e.epoch ORDER BY e.n"
            ).fetchall()
        return [dict(rows[start : start + EPOCHS_ASKED]) for start in range(0, len(rows), EPOCHS_ASKED)]

    def begin_again(self, epoch: str, held: EpochState | None) -> int:
        """The province calls an epoch forked: another device wrote on from the same disk. Close it, write what the
        province does not hold of it anew under a fresh epoch, and record the fault; how many records moved."""
        with self._writing():
            self._db.execute("UPDATE epochs SET forked = 1 WHERE epoch = ?", (epoch,))
            if self._epoch == epoch:
                self._epoch = None
            moved = [r for r in self._unacknowledged(epoch) if held is None or not covers(held, r.seq, r.seq)]
            self._db.execute(
                "UPDATE batches SET state = 'reissued', acknowledged_ms = ? WHERE epoch = ? AND state = 'waiting'",
                (self._stamp().wall_ms, epoch),
            )
            self._db.execute("DELETE FROM records WHERE epoch = ? AND NOT open", (epoch,))
            for record in moved:
                self._copy(record)
            self._insert(Fault, {"code": "outbox_forked", "text": f"{epoch}: {len(moved)}"}, is_open=False)
            return len(moved)

    def _unacknowledged(self, epoch: str) -> list[Record]:
        rows = self._db.execute(
            "SELECT data FROM batches WHERE epoch = ? AND state = 'waiting' ORDER BY id", (epoch,)
        ).fetchall()
        records = [record for (data,) in rows for record in records_of(data)]
        loose = self._db.execute(
            "SELECT data FROM records WHERE epoch = ? AND NOT open ORDER BY seq", (epoch,)
        )
        return records + [wire.read_record(data) for (data,) in loose.fetchall()]

    def _copy(self, record: Record) -> None:
        """The same record under a new number, with its own times."""
        epoch = self._epoch or self._begin_epoch()
        row = self._db.execute(
            "UPDATE epochs SET last = last + 1 WHERE epoch = ? RETURNING last", (epoch,)
        ).fetchone()
        data = msgspec.json.encode(msgspec.structs.replace(record, seq=row[0]))
        self._db.execute(
            "INSERT INTO records (epoch, seq, open, at_ms, data) VALUES (?, ?, 0, ?, ?)",
            (epoch, row[0], self._stamp().wall_ms, data),
        )

    # --- room -------------------------------------------------------------------------------------------------------
    def prune(self) -> int:
        """Drop what is past its time, then, over the quota, oldest acknowledged first; how many batches went."""
        with self._writing():
            now = self._stamp()
            gone = 0
            if now.clock is not ClockState.UNCERTAIN:
                cursor = self._db.execute(
                    "DELETE FROM batches WHERE acknowledged_ms < ?", (now.wall_ms - self._keep_ms,)
                )
                gone += cursor.rowcount
            self._db.execute(
                "DELETE FROM epochs WHERE n < (SELECT max(n) FROM epochs)"
                " AND epoch NOT IN (SELECT epoch FROM batches) AND epoch NOT IN (SELECT epoch FROM records)"
            )
            excess = self._bytes_kept() - self._quota
            if excess > 0:
                gone += self._make_room(excess)
            return gone

    def _bytes_kept(self) -> int:
        batches, records = self._db.execute(
            "SELECT (SELECT coalesce(sum(length(data)), 0) FROM batches),"
            " (SELECT coalesce(sum(length(data)), 0) FROM records)"
        ).fetchone()
        return int(batches + records)

    def _make_room(self, excess: int) -> int:
        rows = self._db.execute(
            "SELECT id, epoch, first, last, length(data), state FROM batches"
            " ORDER BY state = 'waiting', coalesce(acknowledged_ms, 0), id"
        ).fetchall()
        gone = 0
        dropped: dict[str, list[tuple[int, int]]] = {}
        for batch_id, epoch, first, last, size, state in rows:
            if excess <= 0:
                break
            if state == BatchState.WAITING:
                self._retell_gaps(batch_id)
                dropped.setdefault(epoch, []).append((first, last))
            self._db.execute("DELETE FROM batches WHERE id = ?", (batch_id,))
            excess -= size
            gone += 1
        for epoch, spans in dropped.items():
            for first, last in joined(spans):
                self._tell_gap(epoch, first, last, "quota")
        return gone

    def _retell_gaps(self, batch_id: int) -> None:
        """What a dropped batch itself said about gaps must not go with it."""
        row = self._db.execute("SELECT data FROM batches WHERE id = ?", (batch_id,)).fetchone()
        for record in records_of(row[0]):
            if isinstance(record, Gap):
                self._copy(record)

    def _tell_gap(self, epoch: str, first: int, last: int, reason: str) -> None:
        self._insert(Gap, {"epoch": epoch, "first": first, "last": last, "reason": reason}, is_open=False)
        self._db.execute(
            "INSERT OR IGNORE INTO told_gaps (epoch, first, last) VALUES (?, ?, ?)", (epoch, first, last)
        )

    # --- looking ----------------------------------------------------------------------------------------------------
    def length(self) -> int:
        """Records that the province has not acknowledged."""
        with self._reading():
            return count_waiting(self._db)

    def records(self) -> Iterator[Record]:
        """Every finished record still held, oldest first; of batches one at a time. What cannot be read is left out."""
        with self._reading():
            batches = [row[0] for row in self._db.execute("SELECT id FROM batches ORDER BY id")]
        for batch_id in batches:
            with suppress(KeyError, ProtocolError):
                yield from records_of(self.batch_bytes(batch_id))
        with self._reading():
            loose = self._db.execute(
                "SELECT data FROM records JOIN epochs USING (epoch) WHERE NOT open ORDER BY n, seq"
            ).fetchall()
        for (data,) in loose:
            with suppress(ProtocolError):
                yield wire.read_record(data)

    def waiting_since_ms(self) -> int | None:
        """When the oldest record was written that the province has not acknowledged, by this terminal's clock then."""
        with self._reading():
            loose = self._db.execute("SELECT min(at_ms) FROM records WHERE NOT open").fetchone()[0]
            cut = self._db.execute(
                "SELECT data FROM batches WHERE state = 'waiting' ORDER BY id LIMIT 1"
            ).fetchone()
        found = [loose] if loose is not None else []
        if cut is not None:
            with suppress(ProtocolError):
                found.append(text_to_ms(wire.read_batch(cut[0]).header.wall))
        return min(found, default=None)

    def uncut(self) -> int:
        """Closed records that stand in no batch yet."""
        with self._reading():
            return int(self._db.execute("SELECT count(*) FROM records WHERE NOT open").fetchone()[0])

    @property
    def incarnation(self) -> str | None:
        """The province's database life that marks were last compared with."""
        with self._reading():
            return self._meta("incarnation")

    def meet(self, incarnation: str) -> None:
        """Note the incarnation told at enrolment, if none is known yet."""
        with self._writing():
            if self._meta("incarnation") is None:
                self._set_meta("incarnation", incarnation)

    @property
    def marks_asked_ms(self) -> int:
        """When the province last answered about marks (its wall time); 0 for never."""
        with self._reading():
            return int(self._meta("marks_asked_ms") or 0)

    @marks_asked_ms.setter
    def marks_asked_ms(self, value: int) -> None:
        with self._writing():
            self._set_meta("marks_asked_ms", str(value))

    def _meta(self, name: str) -> str | None:
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def _set_meta(self, name: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, value))

    def close(self) -> None:
        """Let go of the file and the lock."""
        with self._lock:
            self._db.close()
            self._held.close()

    # --- the file ---------------------------------------------------------------------------------------------------
    def _open(self) -> sqlite3.Connection:
        """The connection, after closing what a dead process left open; a broken file is set aside first."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return connect(self.path)
        except sqlite3.DatabaseError as error:
            if not is_broken(error):
                raise
            return self._start_anew(error)

    def _start_anew(self, error: sqlite3.DatabaseError) -> sqlite3.Connection:
        aside = set_aside(self.path)
        log.error("the outbox cannot be read (%s); kept as %s, a new one begins", error, aside.name)
        self._db = connect(self.path)
        self._epoch = None
        self._db.execute("BEGIN IMMEDIATE")
        self._insert(
            Fault, {"code": "outbox_corrupt", "text": f"{error}; kept as {aside.name}"}, is_open=False
        )
        self._db.execute("COMMIT")
        return self._db

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction. Raises OutboxFull; on a broken file sets it aside, begins a new one and raises
        OutboxFull once, so that the caller tries again as with any other trouble."""
        with self._lock:
            epoch = self._epoch
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield
                self._db.execute("COMMIT")
            except BaseException as error:
                self._epoch = epoch
                self._undo(error)
                raise

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except sqlite3.DatabaseError as error:
                self._undo(error)
                raise

    def _undo(self, error: BaseException) -> None:
        if isinstance(error, sqlite3.DatabaseError) and is_broken(error):
            self._db.close()
            self._db = self._start_anew(error)
            raise OutboxFull(str(error)) from error
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        if isinstance(error, sqlite3.OperationalError):
            raise OutboxFull(str(error)) from error
