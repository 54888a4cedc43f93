"""A batch's lines: each is a fact to be, or set aside for a number that can be told."""

from __future__ import annotations

import msgspec

from protocol import batch as wire
from server.stats.records import digest, sort_lines, unfit
from tests.stats.simulator import START_MS, make_viewing


def fault(seq: int, text: str = "") -> bytes:
    return msgspec.json.encode(
        wire.Fault(seq=seq, at="2026-11-20T12:00:00.000Z", boot="b", mono_ms=0, code="c", text=text)
    )


def spans(bad) -> list[tuple[int, int]]:
    return [(line.first, line.last) for line in bad]


def test_readable_lines_keep_their_order_and_bytes():
    good, bad = sort_lines([fault(3), fault(4)], 3, 4)
    assert [(line.seq, line.raw) for line in good] == [(3, fault(3)), (4, fault(4))]
    assert bad == []


def test_unreadable_lines_of_a_dense_batch_stand_for_their_own_numbers():
    good, bad = sort_lines([b"?", fault(2), b"??", b"???", fault(5), b"????"], 1, 6)
    assert [line.seq for line in good] == [2, 5]
    assert spans(bad) == [(1, 1), (3, 3), (4, 4), (6, 6)]


def test_unreadable_lines_of_a_sparse_batch_stand_for_all_between_their_neighbours():
    _, bad = sort_lines([fault(1), b"?", fault(9)], 1, 9)
    assert spans(bad) == [(2, 8)]


def test_an_unreadable_line_where_no_number_is_left_stands_for_none():
    _, bad = sort_lines([fault(1), b"?", fault(2)], 1, 2)
    assert [line.last < line.first for line in bad] == [True]


def test_a_bad_record_whose_number_can_be_read_stands_for_it():
    _, bad = sort_lines([b'{"kind":"comet","seq":7}', fault(8)], 7, 8)
    assert spans(bad) == [(7, 7)]


def test_every_line_goes_somewhere():
    texts = [fault(1), fault(1), b"?", fault(99), b'{"seq":0}', fault(3), b"{}"]
    good, bad = sort_lines(texts, 1, 5)
    assert sorted([line.raw for line in good] + [line.raw for line in bad]) == sorted(texts)


def test_records_that_no_table_can_hold_are_unfit():
    fine = make_viewing(START_MS, "s")
    assert unfit(fine) == ""
    replace = msgspec.structs.replace
    for broken in (
        replace(fine, title="a\x00b"),
        replace(fine, played_ms=2**60),
        replace(fine, duration_ms=40 * 86_400_000),
        replace(fine, watched=[(5, 4)]),
        replace(fine, ended_at="2026-02-30T00:00:00.000Z"),
        replace(fine, started_at="0000-01-01T00:00:00.000Z"),
        wire.Health(
            seq=1, at=fine.at, boot="b", mono_ms=0, agent_version="1", disk_free=1, disk_total=1, stored_items=1,
            ready=1, wanted=1, errors=["\x00"],
        ),
    ):  # fmt: skip
        assert unfit(broken)


def test_the_digest_tells_records_apart_but_not_their_spelling():
    one = wire.read_record(fault(1, "a"))
    spelt = wire.read_record(fault(1, "a").replace(b",", b" , ").replace(b'"kind"', b'"new": [1], "kind"'))
    assert digest(one) == digest(spelt)
    assert digest(one) != digest(wire.read_record(fault(1, "b")))
    assert digest(one) != digest(wire.read_record(fault(2, "a")))


def test_the_digest_passes_over_what_equals_its_default():
    written_out = wire.read_record(fault(1, ""))
    left_out = wire.read_record(fault(1, "").replace(b',"text":""', b""))
    assert digest(written_out) == digest(left_out)
