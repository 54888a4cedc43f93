"""The outbox on disk: numbers, batches, room, and files that broke."""

from __future__ import annotations

import sqlite3

import pytest

from client_agent.outbox import Outbox, OutboxBusy, OutboxFull, Stamp, outbox_length
from protocol import batch as wire
from protocol import keys
from protocol.batch import ClockState, EpochState, Fault, Gap, Health
from protocol.times import DAY_MS

TERMINAL = "01890000-0000-7000-8000-000000000001"
KEY = keys.new_private_key()
NOW = 1_780_000_000_000


class Clock:
    def __init__(self, wall_ms=NOW, clock=ClockState.KNOWN):
        self.wall_ms, self.mono_ms, self.clock, self.boot = wall_ms, 1_000, clock, "boot-1"

    def __call__(self):
        return Stamp(self.wall_ms, self.boot, self.mono_ms, self.clock)

    def pass_ms(self, ms):
        self.wall_ms += ms
        self.mono_ms += ms


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "outbox.sqlite"


@pytest.fixture
def outbox(path, clock):
    opened = Outbox(path, stamp=clock)
    yield opened
    opened.close()


def fill(outbox, count, code="x"):
    return [outbox.append(Fault, code=f"{code}{n}") for n in range(count)]


def cut(outbox):
    return outbox.cut_batch(TERMINAL, KEY)


def parts(outbox, batch):
    signed = wire.read_batch(outbox.batch_bytes(batch.id))
    wire.check_batch(signed, keys.public_text(KEY))
    return signed.header, [wire.read_record(line) for line in wire.unpack_lines(signed.body)], signed


def held(last, *missing):
    return EpochState(hwm=last, head="0" * 64, missing=list(missing))


def test_records_are_numbered_from_one_without_holes(outbox):
    places = fill(outbox, 3)
    assert [place.seq for place in places] == [1, 2, 3]
    assert len({place.epoch for place in places}) == 1
    assert outbox.length() == 3


def test_each_start_begins_a_new_epoch_that_names_the_one_before(path, clock):
    first = Outbox(path, stamp=clock)
    old = fill(first, 2)[0].epoch
    first.close()
    second = Outbox(path, stamp=clock)
    new = fill(second, 1)[0].epoch
    assert new != old
    cut(second)
    header, _, _ = parts(second, cut(second))
    second.close()
    assert (header.epoch, header.prev_epoch, header.prev_last) == (new, old, 2)


def test_a_start_that_writes_nothing_leaves_no_epoch(path, clock):
    for _ in range(3):
        Outbox(path, stamp=clock).close()
    outbox = Outbox(path, stamp=clock)
    fill(outbox, 1)
    header, _, _ = parts(outbox, cut(outbox))
    outbox.close()
    assert header.prev_epoch is None


def test_batches_of_an_epoch_are_chained_by_their_headers(outbox):
    fill(outbox, 2)
    _, _, first = parts(outbox, cut(outbox))
    fill(outbox, 1)
    header, records, _ = parts(outbox, cut(outbox))
    assert first.header.prev_hash == wire.GENESIS_HASH
    assert header.prev_hash == first.header_hash
    assert (header.first, header.last) == (3, 3)
    assert [record.seq for record in records] == [3]


def test_a_batch_stays_within_its_caps(outbox):
    for _ in range(3):
        outbox.append(
            Health,
            agent_version="1",
            disk_free=1,
            disk_total=1,
            stored_items=0,
            ready=0,
            wanted=0,
            errors=["e" * 120_000],
        )
    batches = []
    while batch := cut(outbox):
        batches.append(batch)
        data = outbox.batch_bytes(batch.id)
        assert len(data) < wire.MAX_PACKED
    assert [(b.first, b.last) for b in batches] == [(1, 2), (3, 3)]


def test_a_receipt_deletes_nothing(outbox):
    epoch = fill(outbox, 4)[0].epoch
    batch = cut(outbox)
    before = outbox.batch_bytes(batch.id)
    outbox.apply_receipt({epoch: held(4)}, NOW)
    assert outbox.length() == 0
    assert outbox.waiting_batches() == []
    assert outbox.batch_bytes(batch.id) == before


def test_a_receipt_that_covers_half_a_batch_acknowledges_none_of_it(outbox):
    epoch = fill(outbox, 4)[0].epoch
    cut(outbox)
    outbox.apply_receipt({epoch: held(3)}, NOW)
    outbox.apply_receipt({epoch: held(9, (2, 2))}, NOW)
    assert outbox.length() == 4


def test_marks_that_went_down_make_the_same_bytes_wait_again(outbox):
    epoch = fill(outbox, 2)[0].epoch
    first = cut(outbox)
    fill(outbox, 2)
    second = cut(outbox)
    outbox.apply_receipt({epoch: held(4)}, NOW)
    before = outbox.batch_bytes(second.id)
    changed = outbox.apply_marks([epoch], {epoch: held(2)}, "restored", NOW)
    assert changed.waiting_again == [second.id]
    assert [b.id for b in outbox.waiting_batches()] == [second.id]
    assert outbox.batch_bytes(second.id) == before
    changed = outbox.apply_marks([epoch], {}, "restored again", NOW)
    assert changed.waiting_again == [first.id]


def test_marks_acknowledge_nothing_that_has_no_receipt_of_its_own(outbox):
    epoch = fill(outbox, 2)[0].epoch
    cut(outbox)
    changed = outbox.apply_marks([epoch], {epoch: held(9)}, "restored", NOW)
    assert changed.acknowledged == []
    assert outbox.length() == 2


def test_a_receipt_acknowledges_the_batch_it_answers_and_no_other(outbox):
    epoch = fill(outbox, 2)[0].epoch
    first = cut(outbox)
    fill(outbox, 2)
    second = cut(outbox)
    outbox.apply_receipt({epoch: held(4)}, NOW, second.id)
    assert [batch.id for batch in outbox.waiting_batches()] == [first.id]


def test_a_receipt_never_lowers(outbox):
    epoch = fill(outbox, 2)[0].epoch
    cut(outbox)
    outbox.apply_receipt({epoch: held(2)}, NOW)
    outbox.apply_receipt({epoch: held(0)}, NOW)
    assert outbox.length() == 0


def test_acknowledged_batches_go_after_ninety_days_and_not_before(outbox, clock):
    epoch = fill(outbox, 1)[0].epoch
    batch = cut(outbox)
    outbox.apply_receipt({epoch: held(1)}, clock.wall_ms)
    clock.pass_ms(90 * DAY_MS)
    assert outbox.prune() == 0
    clock.pass_ms(1)
    clock.clock = ClockState.UNCERTAIN
    assert outbox.prune() == 0
    clock.clock = ClockState.KNOWN
    assert outbox.prune() == 1
    with pytest.raises(KeyError):
        outbox.batch_bytes(batch.id)


def test_over_the_quota_the_oldest_acknowledged_goes_first_and_without_a_gap(path, clock):
    outbox = Outbox(path, stamp=clock, quota_bytes=1_700)
    epoch = fill(outbox, 1)[0].epoch
    one = len(outbox.batch_bytes(cut(outbox).id))
    assert 600 < one < 800
    fill(outbox, 1)
    acknowledged = cut(outbox)
    outbox.apply_receipt({epoch: held(2, (1, 1))}, NOW)
    fill(outbox, 1)
    cut(outbox)
    assert outbox.prune() == 1
    assert {b.first for b in outbox.waiting_batches()} == {1, 3}
    with pytest.raises(KeyError):
        outbox.batch_bytes(acknowledged.id)
    assert outbox.uncut() == 0
    outbox.close()


def test_dropping_what_nobody_acknowledged_leaves_a_gap_record_even_for_gap_records(path, clock):
    outbox = Outbox(path, stamp=clock, quota_bytes=600)
    epoch = fill(outbox, 3)[0].epoch
    cut(outbox)
    fill(outbox, 2)
    cut(outbox)
    outbox.prune()
    gaps = cut(outbox)
    _, records, _ = parts(outbox, gaps)
    assert [(r.epoch, r.first, r.last) for r in records if isinstance(r, Gap)] == [(epoch, 1, 5)]
    fill(outbox, 60, "more")
    cut(outbox)
    outbox.prune()
    _, records, _ = parts(outbox, cut(outbox))
    assert (epoch, 1, 5) in [(r.epoch, r.first, r.last) for r in records if isinstance(r, Gap)]
    outbox.close()


def test_what_neither_side_has_any_more_is_told_once(outbox, clock):
    epoch = fill(outbox, 1)[0].epoch
    cut(outbox)
    outbox.apply_receipt({epoch: held(1)}, clock.wall_ms)
    clock.pass_ms(91 * DAY_MS)
    fill(outbox, 1)
    cut(outbox)
    outbox.prune()
    for _ in range(2):
        outbox.apply_marks([epoch], {}, "restored", clock.wall_ms)
    assert outbox.uncut() == 1
    _, records, _ = parts(outbox, cut(outbox))
    assert [(r.first, r.last, r.reason) for r in records] == [(1, 1, "expired")]


def test_an_open_record_keeps_its_number_and_batches_come_back_for_it(outbox):
    fill(outbox, 1)
    place = outbox.write_open(None, Fault, code="session", text="10 s")
    fill(outbox, 1)
    assert [(b.first, b.last) for b in (cut(outbox), cut(outbox))] == [(1, 1), (3, 3)]
    assert cut(outbox) is None
    assert outbox.write_open(place, Fault, code="session", text="20 s") == place
    outbox.close_open(place, Fault, code="session", text="30 s")
    _, records, _ = parts(outbox, cut(outbox))
    assert [(r.seq, r.text) for r in records] == [(2, "30 s")]


def test_after_a_power_cut_the_open_record_is_closed_as_it_stood_under_its_own_number(path, clock):
    outbox = Outbox(path, stamp=clock)
    place = outbox.write_open(None, Fault, code="session", text="10 s")
    outbox.close()
    clock.boot, clock.mono_ms = "boot-2", 5
    again = Outbox(path, stamp=clock)
    fill(again, 1)
    header, records, _ = parts(again, cut(again))
    again.close()
    assert header.epoch == place.epoch
    assert [(r.seq, r.text, r.boot) for r in records] == [(1, "10 s", "boot-1")]


def test_a_fork_moves_only_what_the_province_lacks_to_a_fresh_epoch(outbox):
    epoch = fill(outbox, 3)[0].epoch
    cut(outbox)
    place = outbox.write_open(None, Fault, code="open")
    fill(outbox, 1, "late")
    assert outbox.begin_again(epoch, held(2)) == 2
    closed = outbox.close_open(place, Fault, code="open")
    header, records, _ = parts(outbox, cut(outbox))
    assert header.epoch == closed.epoch != epoch
    assert (header.prev_epoch, header.prev_last) == (epoch, 5)
    assert [r.code for r in records] == ["x2", "late0", "outbox_forked", "open"]
    assert cut(outbox) is None


def test_two_processes_cannot_hold_one_outbox(outbox, path, clock):
    with pytest.raises(OutboxBusy):
        Outbox(path, stamp=clock)


def test_another_process_may_ask_for_the_length(outbox, path):
    fill(outbox, 3)
    cut(outbox)
    fill(outbox, 1)
    assert outbox_length(path) == 4
    assert outbox_length(path.with_name("none.sqlite")) == 0


@pytest.mark.parametrize("damage", ["not a database", "torn"])
def test_a_file_that_broke_is_set_aside_and_a_new_one_begins_with_a_fault(path, clock, damage):
    outbox = Outbox(path, stamp=clock)
    fill(outbox, 300, "y" * 400)
    outbox.close()
    data = bytearray(path.read_bytes())
    if damage == "not a database":
        data[:100] = b"#" * 100
    else:
        data[8192:40960] = b"\xff" * 32768
    path.write_bytes(data)
    outbox = Outbox(path, stamp=clock)
    _, records, _ = parts(outbox, cut(outbox))
    outbox.close()
    assert [r.code for r in records] == ["outbox_corrupt"]
    assert path.with_name("outbox.sqlite.corrupt-1").read_bytes() == bytes(data)


def test_a_file_that_breaks_while_open_costs_one_try_and_not_the_process(path, clock):
    outbox = Outbox(path, stamp=clock)
    fill(outbox, 300, "y" * 400)
    place = outbox.write_open(None, Fault, code="session")
    outbox._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    outbox._db.execute("PRAGMA cache_size = 1")
    outbox._db.execute("PRAGMA shrink_memory")
    size = path.stat().st_size
    path.write_bytes(b"\xff" * size)
    with pytest.raises(OutboxFull):
        fill(outbox, 400, "z" * 400)
    assert path.with_name("outbox.sqlite.corrupt-1").exists()
    outbox.close_open(place, Fault, code="session")
    _, records, _ = parts(outbox, cut(outbox))
    outbox.close()
    assert [r.code for r in records] == ["outbox_corrupt", "session"]


def test_a_full_disk_is_said_and_leaves_the_outbox_as_it_was(outbox):
    fill(outbox, 2)
    pages = outbox._db.execute("PRAGMA page_count").fetchone()[0]
    outbox._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(OutboxFull):
        fill(outbox, 400, "y" * 400)
    before = outbox.length()
    outbox.fault("disk_full", "y" * 5000)
    outbox._db.execute("PRAGMA max_page_count = 100000")
    assert outbox.length() == before >= 2
    places = fill(outbox, 1)
    assert places[0].seq == before + 1


def test_every_commit_reaches_the_disk(outbox):
    db: sqlite3.Connection = outbox._db
    assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert db.execute("PRAGMA synchronous").fetchone()[0] == 2
