"""Taking in report batches: nothing lost, nothing doubled, or said so (ARCHITECTURE.md, "Reporting").

``receive`` answers a batch, ``marks`` a terminal's question what is held. Answers, all in one form for HTTP and stick:

- 200: a receipt, two lines (JSON, signature), ``application/octet-stream``. Its ``epochs`` hold the batch's epoch:
  everything up to ``hwm`` but for ``missing`` is held here. In answer to a batch ``hwm`` is never above the batch's
  last number, whatever else is held: a receipt acknowledges what its sender sent. Numbers that the terminal reported
  as dropped (gap records) are not called missing. ``set_aside`` lists records kept raw because they could not be
  understood; they count as held. Its ``seq`` is 0 for a batch whose whole body could not be read, and for a line
  without a number.
- 409: fork, and again a signed receipt in the same form. Some numbers of the batch are held here with *other
  content*: two processes go on with one epoch (a virtual machine's snapshot; a disk alone cannot do it). Nothing of
  the batch became a fact. ``epochs`` holds the state of the history that both share: ``hwm`` is the number before the
  first that differs. The terminal begins a new epoch (after this one, that ``hwm``), gives every unacknowledged record
  above it a new number there, and sends those. ``set_aside`` names the records of this batch concerned, reason
  "fork"; they are kept here raw, yet not acknowledged. The same batch again gets the same answer.
- 401 (``unknown_terminal``: no such terminal, or not its signature), 403 (``revoked``), 413 and 422 (``malformed``:
  damaged on the way, or no batch), 429 and 503 with Retry-After: problem details; nothing changed here, the terminal
  keeps everything and comes again.

``marks`` answers with what is held of each epoch asked about. A terminal follows these marks *down* only: what it had
a receipt for and is not held any more (a restored server) is sent again. What it has no receipt for is sent whatever
the marks say, else the records of a cloned machine would count as held because the other one's, under the same
numbers, are.

One number may hold one session told of twice, by a disk that was restored in the middle of it: it is the same record,
and the longer telling stays.

A restored or cloned *disk* gets 200: its new epoch is held beside the old one; what it means is judged in forks.py.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from protocol.batch import (
    GENESIS_HASH,
    BatchHeader,
    ClockState,
    EpochState,
    Health,
    MarksRequest,
    Receipt,
    SetAside,
    SignedBatch,
    read_batch,
    read_marks_request,
    unpack_lines,
    write_signed,
)
from protocol.errors import MalformedBatch
from protocol.times import from_text, to_ms, to_text
from server.db import Database, new_id
from server.errors import Forbidden, Invalid, TooMany
from server.i18n import N_
from server.stations import incarnation
from server.stations.models import Station, Terminal
from server.stats import facts, forks, ranges
from server.stats.authentication import authenticate, is_carried
from server.stats.facts import Source
from server.stats.models import ReportEpoch, SetAsideRecord
from server.stats.ranges import Range
from server.stats.records import LARGEST, BadLine, Line, sort_lines

log = logging.getLogger(__name__)

MAX_MISSING = 200
"""Spans of missing numbers named of one epoch."""
MAX_EPOCHS_ASKED = 1_000
MAX_RAW_A_DAY = 16 * 1024 * 1024
"""Bytes kept raw of one terminal in a day; beyond, a batch with something to keep raw is put off."""
RAW_RETRY_S = 3_600


@dataclass(frozen=True)
class Answer:
    """What goes back: ``receipt`` is the signed two lines, ``fork`` tells 409 from 200."""

    receipt: bytes
    fork: bool = False


@dataclass(frozen=True)
class _Taken:
    """What a batch came to, before it is signed."""

    state: EpochState
    set_aside: list[SetAside]
    fork: bool


@dataclass(frozen=True)
class _Content:
    """A batch's body after reading: facts to be, and what cannot become one."""

    lines: list[Line]
    bad: list[BadLine]


# --- a batch --------------------------------------------------------------------------------------------------------
def receive(database: Database, private: bytes, data: bytes, *, now: datetime) -> Answer:
    """Take in the transmitted bytes of a batch and sign what is held then; ``private`` is the receipt key.

    Raises Invalid (damaged), Unauthenticated (nobody we know signed it), Forbidden (revoked), TooMany (it sends so much
    that cannot be understood).
    """
    batch = _read(data)
    with database.read() as session:
        authenticate(session, batch.header.terminal, batch.header_bytes, batch.signature, carried=True)
    content = _content(batch, data)
    with database.write() as session:
        life = incarnation.current(session)
        taken = _take_in(session, batch, content, now)
    receipt = Receipt(
        request=hashlib.sha256(data).hexdigest(),
        incarnation=life,
        epochs={batch.header.epoch: taken.state},
        set_aside=taken.set_aside,
        time=to_text(now),
    )
    return Answer(write_signed(receipt, private), taken.fork)


def _read(data: bytes) -> SignedBatch:
    try:
        batch = read_batch(data)
    except MalformedBatch as error:
        raise _malformed(error) from error
    if batch.header.last > LARGEST or (batch.header.prev_last or 0) > LARGEST:
        raise _malformed(MalformedBatch("a number too large"))
    return batch


def _malformed(error: MalformedBatch) -> Invalid:
    return Invalid(N_("上报数据无法读取：%(reason)s"), code="malformed", reason=str(error))


def _content(batch: SignedBatch, data: bytes) -> _Content:
    """The records; a signed body that cannot be read is one bad line for all its numbers."""
    header = batch.header
    try:
        lines, bad = sort_lines(unpack_lines(batch.body), header.first, header.last)
    except MalformedBatch as error:
        return _Content([], [BadLine(header.first, header.last, data, str(error))])
    return _Content(lines, bad)


def _take_in(session: Session, batch: SignedBatch, content: _Content, now: datetime) -> _Taken:
    header = batch.header
    terminal, station = _lock(session, header, now)
    epoch, is_new = _epoch(session, batch, now)
    received: list[Range] = [(first, last) for first, last in epoch.ranges]
    fresh = [line for line in content.lines if not ranges.contains(received, line.seq)]
    known = [line for line in content.lines if ranges.contains(received, line.seq)]
    seen = _compare(session, epoch, known)
    if seen.differing:
        common = seen.differing[0].seq - 1
        terminal.disputed_at = terminal.disputed_at or now
        _dispute(epoch, common)
        _keep_raw(session, epoch, content.bad, now)
        set_aside = _refuse_fork(session, epoch, [line for line in content.lines if line.seq > common], now)
        return _Taken(_state(session, epoch, common), set_aside, fork=True)
    set_aside = _keep_raw(session, epoch, content.bad, now)
    source = Source(terminal.id, station.id, station.region, epoch.epoch, str(header.clock_state))
    added = [*fresh, *seen.healed]
    facts.add(session, source, added, now=now)
    for line in seen.retold:
        facts.lengthen(session, source, line, now=now)
    grown = ranges.union(received, ranges.of_numbers(line.seq for line in fresh), _spans(content.bad))
    if added:
        _widen(epoch, added, header.clock_state, now)
        _note_health(terminal, fresh)
    if grown != received:
        _advance(epoch, grown, batch, now)
        if terminal.revoked_at is None:
            terminal.last_seen_at = now
        else:
            epoch.carried_at = epoch.carried_at or now
        _judge(session, terminal, epoch, is_new, now)
    session.flush()
    return _Taken(_state(session, epoch, header.last), set_aside, fork=False)


def _lock(session: Session, header: BatchHeader, now: datetime) -> tuple[Terminal, Station]:
    """The terminal, its row locked: batches of one terminal take turns. Raises Forbidden where it is revoked, unless the
    batch was made before it was replaced."""
    terminal = session.scalars(select(Terminal).where(Terminal.id == header.terminal).with_for_update()).one()
    if terminal.revoked_at is not None and not is_carried(terminal, header, now):
        raise Forbidden(N_("该终端已停用"), code="revoked")
    return terminal, session.get_one(Station, terminal.station_id)


def _epoch(session: Session, batch: SignedBatch, now: datetime) -> tuple[ReportEpoch, bool]:
    header = batch.header
    found = session.get(ReportEpoch, (header.terminal, header.epoch))
    if found is not None:
        return found, False
    epoch = ReportEpoch(
        terminal_id=header.terminal,
        epoch=header.epoch,
        prev_epoch=header.prev_epoch,
        prev_last=header.prev_last,
        hwm=0,
        head_hash=GENESIS_HASH,
        ranges=[],
        first_received_at=now,
        last_received_at=now,
    )
    session.add(epoch)
    return epoch, True


@dataclass(frozen=True)
class _Seen:
    """Lines whose number was received before, in order: what differs from the fact held, what was set aside then and
    can be understood now, what tells of the same session in other words."""

    differing: list[Line]
    healed: list[Line]
    retold: list[Line]


def _compare(session: Session, epoch: ReportEpoch, known: Sequence[Line]) -> _Seen:
    seen = _Seen([], [], [])
    if not known:
        return seen
    within = (min(line.seq for line in known), max(line.seq for line in known))
    held = facts.held(session, epoch.terminal_id, epoch.epoch, within)
    for line in sorted(known, key=lambda line: line.seq):
        fact = held.get(line.seq)
        if fact is None:
            seen.healed.append(line)
        elif fact.digest != line.digest:
            same = fact.session is not None and fact.session == getattr(line.record, "session", None)
            (seen.retold if same else seen.differing).append(line)
    return seen


def _advance(epoch: ReportEpoch, grown: Sequence[Range], batch: SignedBatch, now: datetime) -> None:
    epoch.ranges = [list(pair) for pair in grown]
    if batch.header.last >= epoch.hwm:
        epoch.head_hash = batch.header_hash
    epoch.hwm = ranges.high_water(grown)
    epoch.last_received_at = now


def _spans(bad: Sequence[BadLine]) -> list[Range]:
    return [(line.first, line.last) for line in bad if line.first <= line.last]


def _state(session: Session, epoch: ReportEpoch, upto: int) -> EpochState:
    """What is held of an epoch, as far as ``upto``. Where there are too many holes to name, less far: a receipt
    that leaves out a hole would acknowledge what is not here."""
    received: list[Range] = [(first, last) for first, last in epoch.ranges]
    hwm = min(epoch.hwm, upto)
    lacking = [
        (first, min(last, hwm))
        for first, last in ranges.missing(received, facts.dropped(session, epoch.terminal_id, epoch.epoch))
        if first <= hwm
    ]
    if len(lacking) > MAX_MISSING:
        hwm = lacking[MAX_MISSING][0] - 1
    return EpochState(hwm=hwm, head=epoch.head_hash, missing=lacking[:MAX_MISSING])


# --- what could not be taken in ----------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Raw:
    """Bytes to keep as they came; ``seq`` 0 where they stand for no single number."""

    seq: int
    reason: str
    detail: str
    raw: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.raw).hexdigest()


def _refuse_fork(
    session: Session, epoch: ReportEpoch, lines: Sequence[Line], now: datetime
) -> list[SetAside]:
    log.warning("terminal %s: epoch %s goes on in two places", epoch.terminal_id, epoch.epoch)
    _keep(session, epoch, [_Raw(line.seq, "fork", "", line.raw) for line in lines], now)
    return [SetAside(epoch=epoch.epoch, seq=line.seq, reason="fork") for line in lines]


def _keep_raw(session: Session, epoch: ReportEpoch, bad: Sequence[BadLine], now: datetime) -> list[SetAside]:
    kept = [
        _Raw(line.first if line.first == line.last else 0, "unreadable", line.reason, line.raw)
        for line in bad
    ]
    _keep(session, epoch, kept, now)
    return [SetAside(epoch=epoch.epoch, seq=raw.seq, reason=raw.detail[:200]) for raw in kept]


def _keep(session: Session, epoch: ReportEpoch, raws: Sequence[_Raw], now: datetime) -> None:
    """Keep bytes once; the same bytes again change nothing."""
    by_hash = {raw.sha256: raw for raw in raws}
    if not by_hash:
        return
    session.flush()
    known = session.scalars(
        select(SetAsideRecord.sha256).where(
            SetAsideRecord.terminal_id == epoch.terminal_id,
            SetAsideRecord.epoch == epoch.epoch,
            SetAsideRecord.sha256.in_(by_hash),
        )
    )
    for sha256 in known:
        del by_hash[sha256]
    if by_hash:
        _check_room(session, epoch.terminal_id, sum(len(raw.raw) for raw in by_hash.values()), now)
        session.execute(insert(SetAsideRecord), [_kept(epoch, raw, now) for raw in by_hash.values()])


def _kept(epoch: ReportEpoch, raw: _Raw, now: datetime) -> dict[str, Any]:
    return {
        "id": new_id(),
        "terminal_id": epoch.terminal_id,
        "epoch": epoch.epoch,
        "seq": raw.seq,
        "reason": raw.reason,
        "detail": raw.detail.replace("\x00", "?"),
        "raw": raw.raw,
        "sha256": raw.sha256,
        "received_at": now,
    }


def _check_room(session: Session, terminal_id: str, wanted: int, now: datetime) -> None:
    """A broken or hostile terminal must not fill our disk. Raises TooMany; then the whole batch is put off."""
    kept = session.scalar(
        select(func.coalesce(func.sum(func.length(SetAsideRecord.raw)), 0)).where(
            SetAsideRecord.terminal_id == terminal_id, SetAsideRecord.received_at > now - timedelta(days=1)
        )
    )
    if int(kept or 0) + wanted > MAX_RAW_A_DAY:
        log.error("terminal %s: too much that cannot be understood", terminal_id)
        raise TooMany(N_("该终端无法识别的数据太多，请稍后再报"), retry_after_s=RAW_RETRY_S)


# --- what the records say about the terminal ---------------------------------------------------------------------------
def _moments(lines: Sequence[Line], clock: ClockState, now: datetime) -> list[datetime]:
    """When records were written; a clock that guesses is not believed, they count as written now."""
    return [now] if clock is ClockState.UNCERTAIN else [from_text(line.record.at) for line in lines]


def _widen(epoch: ReportEpoch, lines: Sequence[Line], clock: ClockState, now: datetime) -> None:
    moments = _moments(lines, clock, now)
    epoch.first_at = min([*moments, *([epoch.first_at] if epoch.first_at else [])])
    epoch.last_at = max([*moments, *([epoch.last_at] if epoch.last_at else [])])


def _note_health(terminal: Terminal, lines: Sequence[Line]) -> None:
    """Show the newest health report, unless the one shown is newer by a clock that was no guess."""
    reports = [line.record for line in lines if isinstance(line.record, Health)]
    if not reports:
        return
    newest = max(reports, key=lambda record: record.seq)
    shown = terminal.health or {}
    if shown.get("clock") != ClockState.UNCERTAIN and shown.get("at", "") > newest.at:
        return
    terminal.health = msgspec.to_builtins(newest)


def _judge(session: Session, terminal: Terminal, epoch: ReportEpoch, is_new: bool, now: datetime) -> None:
    """See whether this terminal's disk was restored or copied; only where this batch can have changed it."""
    if not (is_new or terminal.copied_at or _passed_a_successor(session, epoch)):
        return
    session.flush()
    rows = session.scalars(select(ReportEpoch).where(ReportEpoch.terminal_id == terminal.id)).all()
    verdict = forks.judge(
        [_life(row) for row in rows], lambda name, after: facts.span_after(session, terminal.id, name, after)
    )
    if verdict.copied and terminal.copied_at is None:
        terminal.copied_at = now
        log.warning("terminal %s: its disk was restored or copied", terminal.id)
    if verdict.disputed and terminal.disputed_at is None:
        terminal.disputed_at = now
        log.warning("terminal %s: two devices report under its key", terminal.id)
    for row in rows:
        if row.epoch in verdict.disputed:
            _dispute(row, verdict.disputed[row.epoch])


def _dispute(epoch: ReportEpoch, after: int) -> None:
    epoch.disputed_after = after if epoch.disputed_after is None else min(after, epoch.disputed_after)


def _passed_a_successor(session: Session, epoch: ReportEpoch) -> bool:
    earliest = session.scalar(
        select(func.min(func.coalesce(ReportEpoch.prev_last, 0))).where(
            ReportEpoch.terminal_id == epoch.terminal_id, ReportEpoch.prev_epoch == epoch.epoch
        )
    )
    return earliest is not None and earliest < epoch.hwm


def _life(row: ReportEpoch) -> forks.Life:
    span = (to_ms(row.first_at), to_ms(row.last_at)) if row.first_at and row.last_at else None
    return forks.Life(row.epoch, row.prev_epoch, row.prev_last or 0, row.hwm, span)


# --- the daily question --------------------------------------------------------------------------------------------
def marks(database: Database, private: bytes, data: bytes, *, now: datetime) -> bytes:
    """Answer what is held of the epochs a terminal names; of one never heard of, nothing (hwm 0).

    The signed receipt. Raises Invalid, Unauthenticated, Forbidden as :func:`receive` does.
    """
    try:
        asked, signed, signature = read_marks_request(data)
        _check_epochs(asked)
    except MalformedBatch as error:
        raise _malformed(error) from error
    with database.write() as session:
        authenticate(session, asked.terminal, signed, signature)
        life = incarnation.current(session)
        states = {name: _held(session, asked.terminal, name) for name in asked.epochs}
    receipt = Receipt(
        request=hashlib.sha256(data).hexdigest(), incarnation=life, epochs=states, time=to_text(now)
    )
    return write_signed(receipt, private)


def _check_epochs(asked: MarksRequest) -> None:
    if len(asked.epochs) > MAX_EPOCHS_ASKED:
        raise MalformedBatch("too many epochs")
    if any(len(name) != 16 or not set(name) <= set("0123456789abcdef") for name in asked.epochs):
        raise MalformedBatch("not an epoch")


def _held(session: Session, terminal_id: str, name: str) -> EpochState:
    epoch = session.get(ReportEpoch, (terminal_id, name))
    return _state(session, epoch, epoch.hwm) if epoch else EpochState(hwm=0, head=GENESIS_HASH)
