"""What the province answers to a batch, good or bad, and what it keeps of it."""

from __future__ import annotations

import gzip
import hashlib
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from sqlalchemy import select

from protocol import batch as wire
from protocol import keys
from protocol.batch import BatchHeader, ClockState, SetAside
from protocol.errors import BadSignature
from protocol.times import from_ms, ms_to_text
from server.errors import Forbidden, Invalid, TooMany, Unauthenticated
from server.stations.models import Terminal
from server.stats import ingest
from server.stats.models import FaultFact, GapFact, HealthFact, ReportEpoch, SetAsideRecord, ViewingFact
from tests.stats.simulator import START_MS, Device, Disk, make_viewing, token_of

EPOCH = "00000000000000e1"


def sealed(device, body: bytes, **changes) -> bytes:
    """A batch of any body, signed by the device."""
    header = {
        "terminal": device.terminal,
        "epoch": EPOCH,
        "prev_epoch": None,
        "prev_last": None,
        "first": 1,
        "last": 1,
        "prev_hash": wire.GENESIS_HASH,
        "sha256": hashlib.sha256(body).hexdigest(),
        "boot": "b",
        "mono_ms": 0,
        "wall": ms_to_text(START_MS),
        "clock_state": ClockState.KNOWN,
    } | changes
    return wire.write_batch(BatchHeader(**header), body, device.private)


def lines(*texts: bytes) -> bytes:
    return gzip.compress(b"\n".join(texts) + b"\n", mtime=0)


def fault(seq: int, text: str = "x", **more) -> bytes:
    record = wire.Fault(seq=seq, at=ms_to_text(START_MS), boot="b", mono_ms=seq, code="c", text=text)
    return msgspec.json.encode(msgspec.to_builtins(record) | more)


def texts(province) -> list[str]:
    return sorted(fact.text for fact in province.rows(FaultFact))


# --- delivering ---------------------------------------------------------------------------------------------------
def test_a_batch_becomes_facts_with_place_title_and_times(province, device):
    device.disk.epochs[device.epoch].records[1] = make_viewing(
        START_MS, "s1", minutes=2.5, seq=1, channel="main", item="i1", profile="576p"
    )
    province.receipt(device.cut(device.epoch, [1]))

    (fact,) = province.rows(ViewingFact)
    assert (fact.title, fact.section, fact.region) == ("冬小麦返青管理", "nongye", "130123105201")
    assert (fact.played_ms, fact.on_ms, fact.watched) == (150_000, 150_000, [[0, 150_000]])
    assert (fact.channel, fact.item, fact.profile, fact.mode) == ("main", "i1", "576p", "linear")
    assert fact.started_at == from_ms(START_MS)
    assert fact.day.isoformat() == from_ms(START_MS + 8 * 3_600_000).date().isoformat()
    assert (fact.epoch, fact.seq, fact.terminal_id) == (device.epoch, 1, device.terminal)


def test_a_second_delivery_gets_the_same_receipt_and_adds_nothing(province, device):
    device.write(6)
    data = device.cut(device.epoch, [1, 2, 3, 4, 5, 6])
    first = province.receipt(data)
    before = province.tokens()
    province.world.pass_time()
    second = province.receipt(data)

    assert msgspec.structs.replace(second, time=first.time) == first
    assert province.tokens() == before
    assert set(before.values()) == {1}


def test_batches_in_any_order_are_all_held_and_holes_are_named(province, device):
    device.write(9)
    epoch = device.epoch
    head, middle, tail = (device.cut(epoch, [n, n + 1, n + 2]) for n in (1, 4, 7))

    late = province.receipt(tail).epochs[epoch]
    assert (late.hwm, late.missing) == (9, [(1, 6)])
    assert province.receipt(head).epochs[epoch].hwm == 3
    done = province.receipt(middle).epochs[epoch]
    assert (done.hwm, done.missing) == (6, [])
    assert len(province.tokens()) == 9


def test_a_receipt_never_reaches_beyond_the_batch_it_answers(province, device):
    device.write(4)
    first, both = device.cut(device.epoch, [1, 2]), device.cut(device.epoch, [1, 2, 3, 4])
    province.receipt(both)
    assert province.receipt(first).epochs[device.epoch].hwm == 2


def test_batches_cut_anew_around_held_records_are_no_fork(province, device):
    device.write(5)
    province.receipt(device.cut(device.epoch, [1, 2, 3]))
    _, fork = province.send(device.cut(device.epoch, [2, 3, 4, 5]))
    assert not fork
    assert len(province.tokens()) == 5


def test_a_session_told_of_twice_by_a_restored_disk_stays_one_the_longer(province, device):
    records = device.disk.epochs[device.epoch].records
    records[1] = make_viewing(START_MS, "s1", minutes=10, seq=1)
    whole = device.cut(device.epoch, [1])
    records[1] = make_viewing(START_MS, "s1", minutes=4, seq=1)
    cut_short = device.cut(device.epoch, [1])

    for data in (cut_short, whole, cut_short):
        _, fork = province.send(data)
        assert not fork
    (fact,) = province.rows(ViewingFact)
    assert (fact.played_ms, fact.watched) == (600_000, [[0, 600_000]])
    assert province.rows(SetAsideRecord) == []


def test_other_content_under_a_held_number_is_a_fork_and_is_kept_raw(province, device):
    province.receipt(sealed(device, lines(fault(1, "common"), fault(2, "mine")), last=2))
    forked = sealed(device, lines(fault(1, "common"), fault(2, "yours"), fault(3, "new")), last=3)
    for _ in range(2):
        answer, fork = province.send(forked)
        receipt = wire.read_receipt(answer, request=forked, trusted=[province.public])
        assert fork
        assert receipt.epochs[EPOCH].hwm == 1
        assert receipt.set_aside == [SetAside(epoch=EPOCH, seq=n, reason="fork") for n in (2, 3)]
    assert texts(province) == ["common", "mine"]
    kept = province.rows(SetAsideRecord)
    assert sorted(msgspec.json.decode(row.raw)["text"] for row in kept) == ["new", "yours"]
    (terminal,) = province.rows(Terminal)
    assert terminal.disputed_at is not None
    (epoch,) = province.rows(ReportEpoch)
    assert epoch.disputed_after == 1


def test_a_field_added_to_a_record_later_makes_it_no_other_record(province, device):
    province.receipt(sealed(device, lines(fault(1))))
    _, fork = province.send(sealed(device, lines(fault(1, colour="red"))))
    assert not fork


# --- bad records and batches ----------------------------------------------------------------------------------------
BAD_RECORDS = [
    b'{"kind": "comet", "seq": 2}',
    b'{"kind": "fault", "seq": 2}',
    fault(2, at="2026-13-45T99:99:99.000Z"),
    fault(2, at="9999-12-31T23:59:59.999Z"),
    fault(2, "a\x00b"),
    fault(2, mono_ms=2**70),
    b'{"kind": "fault", "seq": 2, "text": "\\ud800"}',
    b"not json at all",
    b"\xff\xfe\x00",
    b"[" * 5_000,
]


def test_a_record_that_cannot_be_kept_is_set_aside_and_blocks_nothing(province, device):
    for number, bad in enumerate(BAD_RECORDS):
        epoch = f"{number:016x}"
        data = sealed(device, lines(fault(1, f"a{number}"), bad, fault(3, f"c{number}")), last=3, epoch=epoch)
        receipt = province.receipt(data)

        assert (receipt.epochs[epoch].hwm, receipt.epochs[epoch].missing) == (3, []), bad
        assert [(entry.epoch, entry.seq) for entry in receipt.set_aside] == [(epoch, 2)], bad
        assert province.receipt(data) == receipt
    assert texts(province) == sorted(f"{letter}{n}" for n in range(len(BAD_RECORDS)) for letter in "ac")
    assert [
        row.raw for row in sorted(province.rows(SetAsideRecord), key=lambda row: row.epoch)
    ] == BAD_RECORDS


def bomb() -> bytes:
    return gzip.compress(b" " * (64 * 1024 * 1024), mtime=0)


def test_a_signed_batch_whose_body_is_unreadable_is_kept_raw_and_acknowledged(province, device):
    cases = [
        (bomb(), 3),
        (lines(fault(1), fault(2))[:-9], 2),
        (lines(*(fault(n) for n in range(1, 2_002))), 2_000),
        (b"no gzip", 4),
        (lines(fault(1)) + b"tail", 1),
    ]
    for number, (body, span) in enumerate(cases):
        epoch = f"{number:016x}"
        data = sealed(device, body, last=span, epoch=epoch)
        receipt = province.receipt(data)
        assert (receipt.epochs[epoch].hwm, receipt.epochs[epoch].missing) == (span, [])
        assert len(receipt.set_aside) == 1
        assert data in [row.raw for row in province.rows(SetAsideRecord)]
    assert province.tokens() == {}


def test_what_was_set_aside_becomes_a_fact_when_it_comes_again_readable(province, device):
    province.receipt(sealed(device, lines(b"garbage")))
    province.receipt(sealed(device, lines(fault(1, "mended"))))
    assert texts(province) == ["mended"]


def test_numbers_outside_the_batch_or_twice_in_it_are_set_aside(province, device):
    data = sealed(device, lines(fault(1, "a"), fault(1, "again"), fault(7, "far")), last=2)
    receipt = province.receipt(data)
    assert texts(province) == ["a"]
    assert (receipt.epochs[EPOCH].hwm, receipt.epochs[EPOCH].missing) == (1, [])
    assert sorted(row.raw for row in province.rows(SetAsideRecord)) == sorted(
        [fault(1, "again"), fault(7, "far")]
    )


def test_a_header_that_contradicts_itself_or_its_body_changes_nothing(province, device):
    for changes in (
        {"first": 5, "last": 4},
        {"first": 1, "last": 2_001},
        {"v": 2},
        {"first": 2**60, "last": 2**60},
        {"sha256": "0" * 64},
    ):
        with pytest.raises(Invalid, match="上报数据无法读取"):
            province.send(sealed(device, lines(fault(1)), **changes))
    assert province.rows(ReportEpoch) == []
    assert province.rows(SetAsideRecord) == []


def test_damaged_or_foreign_bytes_change_nothing(province, device):
    data = sealed(device, lines(fault(1)))
    for damaged in (
        b"",
        b"\n\n",
        data[:-1],
        data[:40],
        b"x" * 300_000,
        data.replace(b'"first":1', b'"first":2'),
    ):
        with pytest.raises((Invalid, Unauthenticated)):
            province.send(damaged)
    assert province.rows(ReportEpoch) == []


def test_a_terminal_that_sends_nothing_but_nonsense_is_put_off_before_it_fills_the_disk(
    province, device, monkeypatch
):
    monkeypatch.setattr(ingest, "MAX_RAW_A_DAY", 20_000)
    junk = [sealed(device, lines(b"?" * 9_000 + bytes([n])), first=n, last=n) for n in range(65, 68)]
    for data in junk[:2]:
        province.receipt(data)
    with pytest.raises(TooMany):
        province.send(junk[2])
    assert len(province.rows(SetAsideRecord)) == 2
    province.receipt(junk[0])
    province.receipt(sealed(device, lines(fault(1, "sound records still pass"))))
    province.world.pass_time(90_000_000)
    assert province.receipt(junk[2]).epochs[EPOCH].hwm == 67


# --- who may report -------------------------------------------------------------------------------------------------
def test_only_the_terminals_own_key_reports(province, device):
    other, other_private = province.add_terminal("130726100201", "前堡村站点")
    stolen_name = Device(province.world, other, device.private, Disk())
    unknown = Device(province.world, "01930000-0000-7000-8000-000000000009", device.private, Disk())
    for liar in (stolen_name, unknown):
        with pytest.raises(Unauthenticated):
            province.send(sealed(liar, lines(fault(1))))
        with pytest.raises(Unauthenticated):
            province.ask(liar.marks_request())
    assert province.rows(ReportEpoch) == []
    assert other_private != device.private


def test_a_revoked_terminal_is_told_so_and_changes_nothing(province, device):
    with province.database.write() as session:
        session.scalars(select(Terminal)).one().revoked_at = from_ms(START_MS)
    with pytest.raises(Forbidden, match="停用"):
        province.send(sealed(device, lines(fault(1))))
    with pytest.raises(Forbidden):
        province.ask(device.marks_request())
    assert province.rows(ReportEpoch) == []


def test_a_receipt_of_another_key_or_for_another_request_is_refused(province, device):
    data = sealed(device, lines(fault(1)))
    answer, _ = province.send(data)
    with pytest.raises(BadSignature):
        wire.read_receipt(answer, request=data, trusted=[keys.public_text(keys.new_private_key())])
    with pytest.raises(BadSignature):
        wire.read_receipt(answer, request=data + b" ", trusted=[province.public])


# --- marks and gaps -----------------------------------------------------------------------------------------------------
def test_marks_tell_what_is_held_of_each_epoch_asked_about(province, device):
    device.write(4)
    epoch = device.epoch
    province.receipt(device.cut(epoch, [1, 2]))
    province.receipt(device.cut(epoch, [4]))
    request = device.marks_request()
    receipt = wire.read_receipt(province.ask(request), request=request, trusted=[province.public])
    assert (receipt.epochs[epoch].hwm, receipt.epochs[epoch].missing) == (4, [(3, 3)])

    device.boot()
    request = device.marks_request()
    receipt = wire.read_receipt(province.ask(request), request=request, trusted=[province.public])
    assert receipt.epochs[device.epoch].hwm == 0


def test_nonsense_for_marks_is_refused(province, device):
    bad_names = wire.MarksRequest(terminal=device.terminal, epochs={"x": 1}, nonce="0" * 64)
    many = wire.MarksRequest(
        terminal=device.terminal, epochs={f"{n:016x}": 1 for n in range(1_001)}, nonce="0" * 64
    )
    for data in (
        b"",
        b"{}\n",
        b"{}\nsig",
        *(wire.write_signed(q, device.private) for q in (bad_names, many)),
    ):
        with pytest.raises(Invalid):
            province.ask(data)


def test_numbers_a_terminal_dropped_are_not_called_missing_but_count_if_they_come(province, device):
    device.write(4)
    epoch = device.epoch
    gap = wire.Gap(seq=5, at=ms_to_text(START_MS), boot="b", mono_ms=0, epoch=epoch, first=1, last=3)
    device.disk.epochs[epoch].records[5] = gap
    state = province.receipt(device.cut(epoch, [4, 5])).epochs[epoch]
    assert (state.hwm, state.missing) == (5, [])
    (row,) = province.rows(GapFact)
    assert (row.gap_epoch, row.first, row.last, row.reason) == (epoch, 1, 3, "quota")

    found_after_all = device.cut(epoch, [2])
    province.receipt(found_after_all)
    assert token_of(device.disk.epochs[epoch].records[2]) in province.tokens()


def test_too_many_holes_are_named_in_portions_without_hiding_any(province, device, monkeypatch):
    monkeypatch.setattr(ingest, "MAX_MISSING", 2)
    device.write(9)
    for number in (2, 4, 6, 8):
        province.receipt(device.cut(device.epoch, [number]))
    state = province.receipt(device.cut(device.epoch, [9])).epochs[device.epoch]
    assert state.missing == [(1, 1), (3, 3)]
    assert state.hwm == 4


# --- health -------------------------------------------------------------------------------------------------------
def health(seq: int, at_ms: int, free: int, clock: str = "known") -> bytes:
    record = wire.Health(
        seq=seq, at=ms_to_text(at_ms), boot="b", mono_ms=0, agent_version="1", disk_free=free, disk_total=9,
        stored_items=0, ready=0, wanted=0, clock=ClockState(clock),
    )  # fmt: skip
    return msgspec.json.encode(record)


def shown(province) -> int:
    (terminal,) = province.rows(Terminal)
    return terminal.health["disk_free"]


def test_the_newest_health_report_is_shown_whatever_order_they_come_in(province, device):
    province.receipt(sealed(device, lines(health(2, START_MS + 60_000, 2)), first=2, last=2))
    province.receipt(sealed(device, lines(health(1, START_MS, 1))))
    assert shown(province) == 2
    assert len(province.rows(HealthFact)) == 2


def test_a_report_by_a_clock_that_guesses_gives_way(province, device):
    province.receipt(sealed(device, lines(health(1, START_MS + 10**9, 1, "uncertain"))))
    province.receipt(sealed(device, lines(health(2, START_MS, 2)), first=2, last=2))
    assert shown(province) == 2


def test_a_station_whose_clock_says_1970_is_heard_and_last_seen_is_our_time(province, device):
    record = wire.Fault(seq=1, at="1970-01-01T00:00:07.000Z", boot="b", mono_ms=7, code="c", text="early")
    data = sealed(
        device, lines(msgspec.json.encode(record)), wall="1970-01-01T00:00:08.000Z", clock_state="uncertain"
    )
    province.receipt(data)
    assert texts(province) == ["early"]
    (terminal,) = province.rows(Terminal)
    assert terminal.last_seen_at == from_ms(province.world.now_ms)


def test_an_old_batch_forwarded_again_makes_no_dead_station_look_alive(province, device):
    data = sealed(device, lines(fault(1)))
    province.receipt(data)
    (before,) = province.rows(Terminal)
    province.world.pass_time(86_400_000)
    province.receipt(data)
    (after,) = province.rows(Terminal)
    assert after.last_seen_at == before.last_seen_at


# --- copies ---------------------------------------------------------------------------------------------------------
def terminal_of(province) -> Terminal:
    (terminal,) = province.rows(Terminal)
    return terminal


def test_a_stick_of_the_old_disk_that_arrives_late_makes_no_dispute(province, device):
    device.write(5)
    province.receipt(device.cut(device.epoch, [1, 2, 3, 4, 5]))
    copy = device.disk.copied()
    device.write(5)
    on_a_stick = device.cut(device.epoch, [6, 7, 8, 9, 10])
    restored = Device(province.world, device.terminal, device.private, copy)
    restored.write(3)
    province.receipt(restored.cut(restored.epoch, [1, 2, 3]))
    assert terminal_of(province).copied_at is None, "nothing shows yet what the old disk wrote after the copy"

    province.receipt(on_a_stick)
    assert terminal_of(province).copied_at is not None
    assert terminal_of(province).disputed_at is None
    assert len(province.tokens()) == 13


def test_two_devices_are_found_out_though_each_reports_only_at_the_end(province, device):
    device.write(5)
    province.receipt(device.cut(device.epoch, [1, 2, 3, 4, 5]))
    clone = Device(province.world, device.terminal, device.private, device.disk.copied())
    for _ in range(3):
        device.write()
        clone.write()
    province.receipt(clone.cut(clone.epoch, [1, 2, 3]))
    province.receipt(device.cut(device.epoch, [6, 7, 8]))
    assert terminal_of(province).disputed_at is not None
    assert {row.epoch: row.disputed_after for row in province.rows(ReportEpoch)} == {
        device.epoch: 5,
        clone.epoch: 0,
    }


def test_a_clock_that_guesses_is_not_believed_about_copies(province, device):
    device.write(2)
    province.receipt(device.cut(device.epoch, [1, 2]))
    copy = device.disk.copied()
    device.write(2)
    province.receipt(device.cut(device.epoch, [3, 4]))
    restored = Device(province.world, device.terminal, device.private, copy)
    restored.clock = ClockState.UNCERTAIN
    province.world.now_ms -= 10 * 86_400_000  # its battery is dead: it writes old times
    restored.write(2)
    data = restored.cut(restored.epoch, [1, 2])
    province.world.now_ms += 11 * 86_400_000
    province.receipt(data)
    assert terminal_of(province).copied_at is not None
    assert terminal_of(province).disputed_at is None


# --- many at once -----------------------------------------------------------------------------------------------------
def test_the_same_batches_from_all_sides_at_once_count_once(province, device):
    device.write(24)
    batches = [device.cut(device.epoch, list(range(first, first + 6))) for first in (1, 4, 10, 16, 19)]
    device.boot()
    device.write(6)
    batches.append(device.cut(device.epoch, [1, 2, 3, 4, 5, 6]))
    orders = [batches, batches[::-1], batches[2:] + batches[:2], batches[3:] + batches[:3]]

    def deliver(order):
        return [province.send(data)[1] for data in order]

    with ThreadPoolExecutor(4) as pool:
        forks = [fork for answers in pool.map(deliver, orders) for fork in answers]
    assert not any(forks)
    assert set(province.tokens().values()) == {1}
    assert len(province.tokens()) == 30
    for epoch in province.rows(ReportEpoch):
        assert epoch.ranges == [[1, 24 if epoch.prev_epoch is None else 6]]
