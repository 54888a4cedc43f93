"""A province in miniature: the rules of report ingest, in memory, for tests of the agent's side.

It can lose answers, be restored from a backup, be silent, and speaks only through the protocol's own functions.
"""

from __future__ import annotations

import copy
import hashlib
import secrets
from dataclasses import dataclass, field

from client_agent.outbox_rules import joined
from client_agent.reporter import Answer
from protocol import batch as wire
from protocol import keys
from protocol.batch import EpochState, Receipt, Record, SetAside
from protocol.errors import MalformedBatch

TIME = "2026-12-05T11:00:00.000Z"


@dataclass
class Line:
    """What the province knows of one epoch."""

    ranges: list[tuple[int, int]] = field(default_factory=list)
    head: str = wire.GENESIS_HASH
    prev_epoch: str | None = None
    successors: dict[str, str] = field(default_factory=dict)

    def state(self) -> EpochState:
        hwm = self.ranges[-1][1] if self.ranges else 0
        missing, at = [], 1
        for first, last in self.ranges:
            if first > at:
                missing.append((at, first - 1))
            at = last + 1
        return EpochState(hwm=hwm, head=self.head, missing=missing)


@dataclass
class Life:
    """What a backup of the database holds."""

    epochs: dict[str, Line] = field(default_factory=dict)
    facts: dict[tuple[str, int], Record] = field(default_factory=dict)
    set_aside: list[tuple[str, int]] = field(default_factory=list)


class Province:
    """Called like the agent's line to the province; ``facts`` are what it would count."""

    def __init__(self, public: str) -> None:
        self.private = keys.new_private_key()
        self.public = keys.public_text(self.private)
        self.terminal_public = public
        self.incarnation = secrets.token_hex(8)
        self.life = Life()
        self.requests: list[tuple[str, bytes]] = []
        self.doubled: list[tuple[str, int]] = []
        self.strict = True

    @property
    def facts(self) -> dict[tuple[str, int], Record]:
        return self.life.facts

    def backup(self) -> Life:
        return copy.deepcopy(self.life)

    def restore(self, life: Life) -> None:
        self.life = copy.deepcopy(life)
        self.incarnation = secrets.token_hex(8)

    def __call__(self, path: str, body: bytes, content_type: str) -> Answer:
        assert content_type == "application/octet-stream"
        self.requests.append((path, body))
        return self.take_batch(body) if path == "batches" else self.answer_marks(body)

    def take_batch(self, data: bytes) -> Answer:
        batch = wire.read_batch(data)
        wire.check_batch(batch, self.terminal_public)
        header = batch.header
        line = self.life.epochs.setdefault(header.epoch, Line(prev_epoch=header.prev_epoch))
        covered = wire_covers(line, header.first, header.last)
        successor = line.successors.setdefault(header.prev_hash, batch.header_hash)
        if self.strict and successor != batch.header_hash and not covered:
            return Answer(409, b"{}")
        aside = self._store(header.epoch, line, batch)
        line.head = batch.header_hash
        line.ranges = joined([*line.ranges, (header.first, header.last)])
        return self._signed(data, {header.epoch: line.state()}, aside)

    def _store(self, epoch: str, line: Line, batch: wire.SignedBatch) -> list[SetAside]:
        aside = []
        for text in wire.unpack_lines(batch.body):
            try:
                record = wire.read_record(text)
            except MalformedBatch as error:
                aside.append(SetAside(epoch=epoch, seq=0, reason=str(error)))
                continue
            if any(first <= record.seq <= last for first, last in line.ranges):
                continue
            if (epoch, record.seq) in self.life.facts:
                self.doubled.append((epoch, record.seq))
            self.life.facts[epoch, record.seq] = record
        return aside

    def answer_marks(self, data: bytes) -> Answer:
        question, signed, signature = wire.read_marks_request(data)
        keys.verify(self.terminal_public, signed, signature)
        known = {e: self.life.epochs[e].state() for e in question.epochs if e in self.life.epochs}
        return self._signed(data, known, [])

    def _signed(self, data: bytes, epochs: dict[str, EpochState], aside: list[SetAside]) -> Answer:
        receipt = Receipt(
            request=hashlib.sha256(data).hexdigest(),
            incarnation=self.incarnation,
            epochs=epochs,
            set_aside=aside,
            time=TIME,
        )
        return Answer(200, wire.write_signed(receipt, self.private))


def wire_covers(line: Line, first: int, last: int) -> bool:
    return any(low <= first and last <= high for low, high in line.ranges)
