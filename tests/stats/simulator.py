"""A small terminal for tests: a disk that can be copied and restored, a process that writes and reports from it.

It follows the agent's side of the protocol in memory: nothing is deleted on a receipt, the province's marks are
followed up *and down*, a fork's records move to a new epoch. What the line does to requests and answers is decided by
:class:`Line`.
"""

from __future__ import annotations

import copy
import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from protocol import batch as wire
from protocol import keys
from protocol.batch import ClockState, Mode, Receipt, Record
from protocol.identifiers import uuid7
from protocol.times import ms_to_text

START_MS = 1_795_000_000_000
PROGRAMME = "01930000-0000-7000-8000-000000000001"
EDITION = "01930000-0000-7000-8000-000000000002"


@dataclass
class World:
    """Time, chance, and everything that any device ever wrote, by its token."""

    seed: int
    now_ms: int = START_MS
    written: dict[str, Record] = field(default_factory=dict)
    delivered: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def pass_time(self, ms: int = 60_000) -> None:
        self.now_ms += ms


@dataclass
class Epoch:
    """``held`` are the numbers the province says it holds."""

    prev: str | None
    prev_last: int | None
    records: dict[int, Record] = field(default_factory=dict)
    held: set[int] = field(default_factory=set)
    head: str = wire.GENESIS_HASH

    @property
    def last(self) -> int:
        return max(self.records, default=0)


@dataclass
class Disk:
    epochs: dict[str, Epoch] = field(default_factory=dict)
    incarnation: str | None = None

    def copied(self) -> Disk:
        return copy.deepcopy(self)

    def tokens(self) -> set[str]:
        return {token_of(record) for epoch in self.epochs.values() for record in epoch.records.values()}


class Device:
    """A terminal's process on a disk. ``most``: records in one batch."""

    def __init__(self, world: World, terminal: str, private: bytes, disk: Disk | None = None, most: int = 7):
        self.world, self.terminal, self.private, self.most = world, terminal, private, most
        self.disk = disk or Disk()
        self.clock = ClockState.KNOWN
        self.boot()

    # --- writing
    def boot(self) -> str:
        """A process starts: a fresh epoch after the newest on this disk."""
        before = next((name for name in reversed(self.disk.epochs) if self.disk.epochs[name].records), None)
        return self._begin(before, self.disk.epochs[before].last if before else None)

    def _begin(self, prev: str | None, prev_last: int | None) -> str:
        self.epoch = f"{self.world.random.getrandbits(64):016x}"
        self.disk.epochs[self.epoch] = Epoch(prev, prev_last)
        return self.epoch

    def write(self, count: int = 1) -> None:
        for _ in range(count):
            self.world.pass_time()
            current = self.disk.epochs[self.epoch]
            record = make_record(self.world, current.last + 1)
            current.records[current.last + 1] = record
            self.world.written[token_of(record)] = record

    # --- reporting
    def next_batch(self) -> bytes | None:
        """The oldest records not held by the province, in one epoch; None when there are none."""
        for name, epoch in self.disk.epochs.items():
            waiting = sorted(set(epoch.records) - epoch.held)
            if waiting:
                count = self.world.random.randint(1, self.most)
                return self.cut(name, waiting[:count])
        return None

    def cut(self, name: str, numbers: list[int], body: bytes | None = None) -> bytes:
        epoch = self.disk.epochs[name]
        records = [epoch.records[number] for number in numbers if number in epoch.records]
        packed = wire.pack_records(records) if body is None else body
        header = wire.BatchHeader(
            terminal=self.terminal,
            epoch=name,
            prev_epoch=epoch.prev,
            prev_last=epoch.prev_last,
            first=numbers[0],
            last=numbers[-1],
            prev_hash=epoch.head,
            sha256=hashlib.sha256(packed).hexdigest(),
            boot="boot-1",
            mono_ms=max(0, self.world.now_ms - START_MS),
            wall=ms_to_text(self.world.now_ms),
            clock_state=self.clock,
            incarnation_seen=self.disk.incarnation,
        )
        return wire.write_batch(header, packed, self.private)

    def marks_request(self) -> bytes:
        asked = {name: max(epoch.held, default=0) for name, epoch in self.disk.epochs.items()}
        nonce = f"{self.world.random.getrandbits(256):064x}"
        request = wire.MarksRequest(
            terminal=self.terminal, epochs=asked, nonce=nonce, incarnation_seen=self.disk.incarnation
        )
        return wire.write_signed(request, self.private)

    def hear(self, receipt: Receipt, sent: bytes) -> bool:
        """A receipt acknowledges numbers of the batch it answers, nothing else.

        True when the province's incarnation changed and marks should be asked for.
        """
        header = wire.read_batch(sent).header
        epoch = self.disk.epochs[header.epoch]
        carried = set(range(header.first, header.last + 1)) & set(epoch.records)
        epoch.held |= carried & _covered(receipt.epochs[header.epoch])
        epoch.head = receipt.epochs[header.epoch].head
        changed = self.disk.incarnation not in (None, receipt.incarnation)
        self.disk.incarnation = receipt.incarnation
        return changed

    def hear_marks(self, receipt: Receipt) -> None:
        """Follow the province's marks down: what it does not hold any more is sent again."""
        self.disk.incarnation = receipt.incarnation
        for name, state in receipt.epochs.items():
            self.disk.epochs[name].held &= _covered(state)
            self.disk.epochs[name].head = state.head

    def hear_fork(self, receipt: Receipt) -> None:
        """Begin a new epoch and give what is not common history new numbers there."""
        ((name, common),) = receipt.epochs.items()
        old = self.disk.epochs[name]
        moving = sorted(number for number in old.records if number > common.hwm and number not in old.held)
        self._begin(name, common.hwm)
        fresh = self.disk.epochs[self.epoch]
        for number, old_number in enumerate(moving, start=1):
            fresh.records[number] = msgspec.structs.replace(old.records.pop(old_number), seq=number)


@dataclass
class Line:
    """What happens between a device and the province. ``send`` and ``ask`` are the province's two calls:
    bytes to (receipt bytes, whether it is a fork)."""

    world: World
    send: Callable[[bytes], tuple[bytes, bool]]
    ask: Callable[[bytes], bytes]
    trusted: list[str]
    lose_request: float = 0.0
    lose_answer: float = 0.0
    duplicate: float = 0.0
    delay: float = 0.0
    held_back: list[bytes] = field(default_factory=list)

    def report(self, device: Device) -> bool:
        """One attempt; False when the device had nothing to send."""
        data = device.next_batch()
        if data is None:
            return False
        self.world.pass_time(1_000)
        chance = self.world.random.random
        if chance() < self.lose_request:
            return True
        if chance() < self.delay:
            self.held_back.append(data)
            return True
        answer, fork = self.send(data)
        if chance() < self.duplicate:
            self.held_back.append(data)
        if chance() < self.lose_answer:
            return True
        receipt = wire.read_receipt(answer, request=data, trusted=self.trusted)
        if fork:
            device.hear_fork(receipt)
        elif device.hear(receipt, data):
            self.ask_marks(device)
        return True

    def ask_marks(self, device: Device) -> None:
        request = device.marks_request()
        device.hear_marks(wire.read_receipt(self.ask(request), request=request, trusted=self.trusted))

    def release(self) -> None:
        """Deliver what was held back, in any order; nobody hears the answers."""
        self.world.random.shuffle(self.held_back)
        for data in self.held_back:
            self.send(data)
        self.held_back.clear()

    def drain(self, *devices: Device) -> None:
        """A good line until nothing waits anywhere."""
        self.release()
        quiet = Line(self.world, self.send, self.ask, self.trusted)
        for _ in range(2_000):
            had_some = [quiet.report(device) for device in devices]
            if not any(had_some):
                return
        raise AssertionError("reports never come to an end")


def _covered(state: wire.EpochState) -> set[int]:
    lacking = {number for first, last in state.missing for number in range(first, last + 1)}
    return set(range(1, state.hwm + 1)) - lacking


# --- records --------------------------------------------------------------------------------------------------------
def make_record(world: World, seq: int) -> Record:
    """A record of any kind, each with a token of its own."""
    token = uuid7(world.now_ms)
    shared = {
        "seq": seq,
        "at": ms_to_text(world.now_ms),
        "boot": "boot-1",
        "mono_ms": max(0, world.now_ms - START_MS),
    }
    kind = world.random.choice(["viewing", "viewing", "viewing", "attendance", "fault", "health"])
    if kind == "viewing":
        return make_viewing(world.now_ms, token, **shared)
    if kind == "attendance":
        return wire.Attendance(session=token, expected=42, present=31, members=20, public=11, **shared)
    if kind == "fault":
        return wire.Fault(code="no_signal", text=token, **shared)
    return wire.Health(
        agent_version=token,
        disk_free=1,
        disk_total=2,
        stored_items=3,
        ready=4,
        wanted=5,
        clock="known",
        **shared,
    )


def make_viewing(
    started_ms: int, token: str, *, minutes: float = 1, programme: str = PROGRAMME, **shared
) -> Record:
    played = int(minutes * 60_000)
    shared = {"seq": 1, "at": ms_to_text(started_ms), "boot": "boot-1", "mono_ms": 0} | shared
    return wire.Viewing(
        **{
            "session": token,
            "mode": Mode.LINEAR,
            "programme": programme,
            "edition": EDITION,
            "release": "ab" * 32,
            "title": "冬小麦返青管理",
            "section": "nongye",
            "started_at": ms_to_text(started_ms),
            "ended_at": ms_to_text(started_ms + played),
            "duration_ms": played,
            "played_ms": played,
            "watched": [(0, played)],
            "clock": ClockState.KNOWN,
        }
        | shared
    )


def token_of(record: Record) -> str:
    match record:
        case wire.Viewing() | wire.Attendance() | wire.Study() | wire.LateEntry():
            return record.session
        case wire.Fault() | wire.Voice():
            return record.text
        case wire.Health():
            return record.agent_version
        case wire.PlanChanged():
            return record.day
        case wire.SelfTest():
            return " ".join(record.results)
        case wire.Gap():
            return f"gap {record.epoch} {record.first} {record.last}"


def new_key() -> tuple[bytes, str]:
    private = keys.new_private_key()
    return private, keys.public_text(private)
