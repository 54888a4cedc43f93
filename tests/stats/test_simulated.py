"""Faults that field machines have, simulated with printed seeds; facts are compared with what was written, record by
record. Figures of the same faults under a plain (terminal, sequence) with one mark: thousands lost."""

from __future__ import annotations

import msgspec
import pytest

from protocol.batch import Viewing
from server.stations.models import Terminal
from server.stats.models import ReportEpoch, ViewingFact
from tests.stats.simulator import Device, World

SEEDS = [3, 159, *(pytest.param(seed, marks=pytest.mark.full) for seed in range(2_000, 2_040))]
TROUBLES = {"lose_request": 0.1, "lose_answer": 0.25, "duplicate": 0.2, "delay": 0.1}


def compare(province, world, *, recoverable: set[str]) -> None:
    """Nothing doubled, nothing invented, and everything recoverable is there as it was written."""
    tokens = province.tokens()
    lost = recoverable - set(tokens)
    assert not lost, f"seed {world.seed}: {len(lost)} lost of {len(recoverable)}"
    assert max(tokens.values(), default=1) == 1, f"seed {world.seed}: some doubled"
    assert set(tokens) <= set(world.written), f"seed {world.seed}: facts nobody wrote"
    for fact in province.rows(ViewingFact):
        record = world.written[fact.session]
        assert isinstance(record, Viewing)
        assert (fact.title, fact.played_ms, fact.duration_ms) == (
            record.title, record.played_ms, record.duration_ms,
        )  # fmt: skip
        assert fact.watched == msgspec.to_builtins([list(span) for span in record.watched])


def chatter(line, *devices: Device, rounds: int) -> None:
    """Devices write and report by turns, as chance has it."""
    for _ in range(rounds):
        device = line.world.random.choice(devices)
        device.write(line.world.random.randint(0, 4))
        if line.world.random.random() < 0.1:
            device.boot()
        line.report(device)
        if line.world.random.random() < 0.1:
            line.release()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_bad_line_loses_and_doubles_nothing(province, seed):
    world = World(seed)
    line = province.line(world, **TROUBLES)
    device = Device(world, *province.add_terminal())

    chatter(line, device, rounds=40)
    line.drain(device)

    compare(province, world, recoverable=set(world.written))
    (terminal,) = province.rows(Terminal)
    assert terminal.copied_at is None
    assert terminal.disputed_at is None


@pytest.mark.parametrize("seed", SEEDS)
def test_a_disk_restored_from_record_50_loses_only_what_was_wiped_undelivered(province, seed):
    world = World(seed)
    line = province.line(world, **TROUBLES)
    device = Device(world, *province.add_terminal())
    device.write(30)
    chatter(line, device, rounds=10)
    device.write(max(0, 50 - len(world.written)))
    yesterday = device.disk.copied()
    device.write(30)
    chatter(line, device, rounds=15)
    line.release()
    delivered = set(province.tokens())

    restored = Device(world, device.terminal, device.private, yesterday)
    chatter(line, restored, rounds=25)
    line.drain(restored)

    compare(province, world, recoverable=delivered | restored.disk.tokens())
    (terminal,) = province.rows(Terminal)
    if delivered - yesterday.tokens():
        assert terminal.copied_at is not None
    assert terminal.disputed_at is None, f"seed {seed}: one device at a time is no dispute"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_cloned_card_running_beside_the_original_loses_nothing_and_is_disputed(province, seed):
    world = World(seed)
    line = province.line(world, **TROUBLES)
    original = Device(world, *province.add_terminal())
    original.write(20)
    chatter(line, original, rounds=10)
    clone = Device(world, original.terminal, original.private, original.disk.copied())
    chatter(line, original, clone, rounds=40)
    original.write()
    clone.write()
    original.write()
    clone.write()
    line.drain(original, clone)

    compare(province, world, recoverable=set(world.written))
    (terminal,) = province.rows(Terminal)
    assert terminal.copied_at is not None
    assert terminal.disputed_at is not None
    assert [epoch for epoch in province.rows(ReportEpoch) if epoch.disputed_after is not None]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_running_machine_that_was_cloned_moves_to_a_new_epoch(province, seed):
    world = World(seed)
    line = province.line(world, **TROUBLES)
    original = Device(world, *province.add_terminal())
    original.write(20)
    for _ in range(4):
        line.report(original)
    clone = Device(world, original.terminal, original.private, original.disk.copied())
    clone.disk.epochs.pop(clone.epoch)
    clone.epoch = original.epoch  # the memory was copied too: both go on with one epoch
    for _ in range(30):
        device = world.random.choice([original, clone])
        device.write(world.random.randint(0, 3))
        line.report(device)
    original.write()
    clone.write()
    line.drain(original, clone)

    compare(province, world, recoverable=set(world.written))
    (terminal,) = province.rows(Terminal)
    assert terminal.disputed_at is not None


@pytest.mark.parametrize("seed", SEEDS)
def test_a_restored_server_is_refilled_by_its_stations(province, seed):
    world = World(seed)
    line = province.line(world, **TROUBLES)
    devices = [Device(world, *province.add_terminal()) for _ in range(2)]
    chatter(line, *devices, rounds=20)
    backup = province.backup()
    chatter(line, *devices, rounds=20)
    line.release()

    province.restore(backup)
    chatter(line, *devices, rounds=10)
    line.drain(*devices)
    for device in devices:
        line.ask_marks(device)  # the daily question finds what no new batch gave away
    line.drain(*devices)

    compare(province, world, recoverable=set(world.written))


@pytest.mark.parametrize("seed", SEEDS)
def test_an_empty_server_is_refilled_too(province, seed):
    world = World(seed)
    line = province.line(world)
    device = Device(world, *province.add_terminal())
    empty = province.backup()
    chatter(line, device, rounds=15)
    line.drain(device)

    province.restore(empty)
    assert not province.tokens()
    line.ask_marks(device)
    line.drain(device)

    compare(province, world, recoverable=set(world.written))
