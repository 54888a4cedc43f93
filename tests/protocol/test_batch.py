"""Batches and receipts against damage, bombs and forgery."""

from __future__ import annotations

import gzip
import hashlib
import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import batch as wire
from protocol import keys
from protocol.batch import BatchHeader, ClockState, EpochState, Receipt
from protocol.errors import BadSignature, MalformedBatch, ProtocolError

PRIVATE = keys.new_private_key()
PUBLIC = keys.public_text(PRIVATE)
TERMINAL = "01930000-0000-7000-8000-000000000001"
AT = "2026-11-20T12:00:00.000Z"


def fault(seq: int = 1, text: str = "x") -> wire.Fault:
    return wire.Fault(seq=seq, at=AT, boot="b", mono_ms=5, code="c", text=text)


RECORDS = [
    wire.Viewing(
        seq=1, at=AT, boot="b", mono_ms=1, session="s", mode=wire.Mode.STUDY, programme=TERMINAL, edition=TERMINAL,
        release="ab" * 32, title="冬小麦返青管理", section="nongye", started_at=AT, ended_at=AT, duration_ms=9,
        played_ms=5, watched=[(0, 2), (4, 7)], clock=ClockState.HELD, channel="main",
    ),
    wire.Attendance(seq=2, at=AT, boot="b", mono_ms=1, session="s", expected=42, present=31, taken_by="A"),
    fault(3, "无信号"),
    wire.Health(
        seq=4, at=AT, boot="b", mono_ms=1, agent_version="1", disk_free=1, disk_total=2, stored_items=3, ready=4,
        wanted=5, errors=["a"],
    ),
    wire.Gap(seq=5, at=AT, boot="b", mono_ms=1, epoch="00000000000000e1", first=1, last=9),
]  # fmt: skip


def header(body: bytes, **changes) -> BatchHeader:
    fields = {
        "terminal": TERMINAL,
        "epoch": "00000000000000e1",
        "prev_epoch": None,
        "prev_last": None,
        "first": 1,
        "last": 5,
        "prev_hash": wire.GENESIS_HASH,
        "sha256": hashlib.sha256(body).hexdigest(),
        "boot": "b",
        "mono_ms": 0,
        "wall": AT,
        "clock_state": ClockState.KNOWN,
    }
    return BatchHeader(**fields | changes)


def sealed(body: bytes | None = None, **changes) -> bytes:
    body = wire.pack_records(RECORDS) if body is None else body
    return wire.write_batch(header(body, **changes), body, PRIVATE)


# --- batches --------------------------------------------------------------------------------------------------------
def test_every_kind_of_record_comes_out_as_it_went_in():
    batch = wire.read_batch(sealed())
    wire.check_batch(batch, PUBLIC)
    assert [wire.read_record(line) for line in wire.unpack_lines(batch.body)] == RECORDS
    assert batch.header_hash == hashlib.sha256(sealed().split(b"\n")[0]).hexdigest()


def test_equal_records_are_equal_bytes():
    assert wire.pack_records(RECORDS) == wire.pack_records(list(RECORDS))


def test_any_changed_byte_is_noticed():
    data = sealed()
    for place in range(0, len(data), 3):
        changed = bytearray(data)
        changed[place] ^= 0x01
        with pytest.raises(ProtocolError):
            wire.check_batch(wire.read_batch(bytes(changed)), PUBLIC)


def test_any_cut_is_noticed():
    data = sealed()
    for length in range(0, len(data), 5):
        with pytest.raises(MalformedBatch):
            wire.read_batch(data[:length])


def test_another_terminals_key_did_not_sign_it():
    with pytest.raises(BadSignature):
        wire.check_batch(wire.read_batch(sealed()), keys.public_text(keys.new_private_key()))


@pytest.mark.parametrize(
    "changes",
    [
        {"first": 5, "last": 4},
        {"first": 1, "last": 2_001},
        {"v": 2},
        {"sha256": "0" * 64},
        {"boot": "b" * 5_000},
    ],
)
def test_a_header_that_contradicts_itself_is_refused(changes):
    with pytest.raises(MalformedBatch):
        wire.read_batch(sealed(**changes))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("terminal", "x"), ("epoch", "E1"), ("epoch", "00000000000000E1"), ("first", 0), ("first", "1"),
        ("prev_epoch", ""), ("wall", "now"), ("clock_state", "perfect"), ("sha256", None),
    ],
)  # fmt: skip
def test_a_header_with_a_field_out_of_form_is_refused(name, value):
    line, signature, body = sealed().split(b"\n", 2)
    content = msgspec.json.decode(line) | {name: value}
    with pytest.raises(MalformedBatch):
        wire.read_batch(msgspec.json.encode(content) + b"\n" + signature + b"\n" + body)


def test_fields_of_a_later_program_do_not_disturb():
    line, signature, body = sealed().split(b"\n", 2)
    content = msgspec.json.decode(line) | {"weather": "冷"}
    assert wire.read_batch(msgspec.json.encode(content) + b"\n" + signature + b"\n" + body).header.last == 5


@given(st.binary(max_size=400))
def test_any_bytes_are_a_batch_or_a_plain_refusal(data):
    with pytest.raises(MalformedBatch):
        wire.read_batch(data)


def test_too_many_bytes_are_refused_unread():
    with pytest.raises(MalformedBatch, match="too large"):
        wire.read_batch(b"x" * (wire.MAX_PACKED + wire.MAX_HEADER + 129))


# --- bodies ---------------------------------------------------------------------------------------------------------
def test_a_bomb_is_stopped_at_one_mebibyte():
    bomb = gzip.compress(b"0" * (200 * 1024 * 1024), mtime=0)
    assert len(bomb) < wire.MAX_PACKED
    with pytest.raises(MalformedBatch, match="1 MiB"):
        wire.unpack_lines(bomb)
    with pytest.raises(MalformedBatch):
        wire.unpack_lines(gzip.compress(bomb, mtime=0) + bomb)


def test_exactly_the_most_fits():
    text = b"x" * (wire.MAX_UNPACKED - 1) + b"\n"
    assert [len(line) for line in wire.unpack_lines(gzip.compress(text))] == [wire.MAX_UNPACKED - 1]
    with pytest.raises(MalformedBatch):
        wire.unpack_lines(gzip.compress(text + b"x"))
    assert len(wire.unpack_lines(gzip.compress(b"1\n" * wire.MAX_RECORDS))) == wire.MAX_RECORDS
    with pytest.raises(MalformedBatch, match="2,000"):
        wire.unpack_lines(gzip.compress(b"1\n" * (wire.MAX_RECORDS + 1)))


def test_a_body_cut_anywhere_or_lengthened_is_refused():
    body = wire.pack_records(RECORDS)
    for length in range(len(body)):
        with pytest.raises(MalformedBatch):
            wire.unpack_lines(body[:length])
    for tail in (b"\x00", body, b"x" * 9):
        with pytest.raises(MalformedBatch):
            wire.unpack_lines(body + tail)
    with pytest.raises(MalformedBatch):
        wire.unpack_lines(zlib.compress(b"plain zlib"))


@pytest.mark.parametrize(
    "line",
    [
        b"", b"null", b"[]", b"7", b"{}", b'{"kind":"fault"}', b'{"kind":"comet","seq":1}', b"[" * 100_000, b"\xff",
        b'{"kind":"fault","seq":0,"at":"2026-11-20T12:00:00.000Z","boot":"b","mono_ms":0,"code":"c"}',
        b'{"kind":"fault","seq":1,"at":"2026-11-20T12:00:00Z","boot":"b","mono_ms":0,"code":"c"}',
        b'{"kind":"fault","seq":1,"at":"2026-11-20T12:00:00.000Z","boot":"b","mono_ms":-1,"code":"c"}',
        b'{"kind":"fault","seq":1.5,"at":"2026-11-20T12:00:00.000Z","boot":"b","mono_ms":0,"code":"c"}',
    ],
)  # fmt: skip
def test_what_is_no_record_is_refused(line):
    with pytest.raises(MalformedBatch):
        wire.read_record(line)


# --- receipts ---------------------------------------------------------------------------------------------------------
REQUEST = sealed()
RECEIPT = Receipt(
    request=hashlib.sha256(REQUEST).hexdigest(),
    incarnation="life",
    epochs={"00000000000000e1": EpochState(hwm=5, head="0" * 64, missing=[(2, 3)])},
    set_aside=[wire.SetAside(epoch="00000000000000e1", seq=4, reason="unreadable")],
    time=AT,
)


def test_a_receipt_reads_back_under_any_trusted_key():
    data = wire.write_signed(RECEIPT, PRIVATE)
    older = keys.public_text(keys.new_private_key())
    assert wire.read_receipt(data, request=REQUEST, trusted=[older, PUBLIC]) == RECEIPT


def test_a_forged_foreign_or_replayed_receipt_acknowledges_nothing():
    data = wire.write_signed(RECEIPT, PRIVATE)
    line, signature, _ = data.split(b"\n")
    higher = line.replace(b'"hwm":5', b'"hwm":9')
    stranger = wire.write_signed(RECEIPT, keys.new_private_key())
    for forged, request, trusted in (
        (stranger, REQUEST, [PUBLIC]),
        (higher + b"\n" + signature + b"\n", REQUEST, [PUBLIC]),
        (data, REQUEST + b" ", [PUBLIC]),
        (data, REQUEST, []),
    ):
        with pytest.raises(BadSignature):
            wire.read_receipt(forged, request=request, trusted=trusted)


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"{}", b"{}\n", b"<html>signed</html>\nno", b"{}\n" + b"A" * 200]
)
def test_what_is_no_receipt_is_refused(data):
    with pytest.raises(ProtocolError):
        wire.read_receipt(data, request=REQUEST, trusted=[PUBLIC])


def test_a_signed_line_that_is_no_receipt_is_refused():
    line = b'{"request": 5}'
    with pytest.raises(MalformedBatch):
        wire.read_receipt(line + b"\n" + keys.sign(PRIVATE, line).encode(), request=REQUEST, trusted=[PUBLIC])


def test_a_question_about_marks_is_signed_by_its_terminal():
    question = wire.MarksRequest(terminal=TERMINAL, epochs={"00000000000000e1": 7}, nonce="ab" * 32)
    read, line, signature = wire.read_marks_request(wire.write_signed(question, PRIVATE))
    assert read == question
    keys.verify(PUBLIC, line, signature)
    for data in (b"", b"{}\nx", wire.write_signed(RECEIPT, PRIVATE)):
        with pytest.raises(MalformedBatch):
            wire.read_marks_request(data)
