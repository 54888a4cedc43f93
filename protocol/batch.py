"""Reports from a terminal: signed batches of records, and signed receipts.

Identity of a record is (terminal, epoch, seq). An epoch is a fresh random 64 bits at each start of the reporting
process, never read back for writing, so that a restored or cloned disk can never reuse a number. On the wire, by
HTTP or on a stick, a batch is three parts:

    header, one line of JSON        the bytes that are signed
    signature, one line of base64   Ed25519 by the terminal over the header's bytes
    body                            gzip of NDJSON, one record a line; the header holds its SHA-256

Caps: 256 KiB packed, 1 MiB unpacked, 2,000 records. Receipts are two lines: JSON and base64 signature by a receipt
key from network.json. A receipt never allows deletion by itself; see client_agent/outbox.py.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from protocol import keys
from protocol.documents import Sha256Hex, Uuid
from protocol.errors import BadSignature, MalformedBatch
from protocol.times import Timestamp

BATCH_VERSION = 1
MAX_PACKED = 256 * 1024
MAX_UNPACKED = 1024 * 1024
MAX_RECORDS = 2_000
MAX_HEADER = 4 * 1024
GENESIS_HASH = "0" * 64
"""``prev_hash`` of an epoch's first batch."""

Epoch = Annotated[str, Meta(pattern=r"^[0-9a-f]{16}$")]
Seq = Annotated[int, Meta(ge=1)]
Ms = Annotated[int, Meta(ge=0)]


class ClockState(StrEnum):
    """How far a terminal trusts its own clock."""

    KNOWN = "known"
    """Anchored on signed time in this boot."""
    HELD = "held"
    """Anchored earlier, kept by a clock that ran through."""
    UNCERTAIN = "uncertain"
    """Nothing signed was heard; wall times are guesses."""


class Mode(StrEnum):
    LINEAR = "linear"
    LIBRARY = "library"
    STUDY = "study"


# --- records ------------------------------------------------------------------------------------------------------
class _Record(Struct, frozen=True, kw_only=True, tag_field="kind"):
    seq: Seq
    at: Timestamp
    """The terminal's best wall time when the record was written."""
    boot: str
    mono_ms: Ms


class Prompt(Struct, frozen=True, kw_only=True):
    """ "还有人在看吗？": asked at this place of the medium; whether a key was pressed before it went away."""

    at_ms: Ms
    answered: bool


class Viewing(_Record, frozen=True, kw_only=True, tag="viewing"):
    """One uninterrupted play at one terminal. ``watched`` are media spans [from, to) in ms that really advanced while
    visible; ``played_ms`` is their sum. The title travels with the fact: deleting a programme loses no history.
    ``prompts``: what was asked of whoever watched; what an unanswered one means is the province's versioned rule."""

    session: str
    mode: Mode
    programme: Uuid
    edition: Uuid
    release: Sha256Hex
    title: str
    section: str
    started_at: Timestamp
    ended_at: Timestamp
    duration_ms: Ms
    played_ms: Ms
    watched: list[tuple[Ms, Ms]]
    clock: ClockState
    channel: str | None = None
    item: str | None = None
    profile: str | None = None
    prompts: Annotated[list[Prompt], Meta(max_length=50)] = []


class Roll(StrEnum):
    """When in a session heads were counted."""

    START = "start"
    END = "end"
    LATE = "late"
    """Entered after the session (迟录): shown as such, never passed off as counted on the spot."""


class Attendance(_Record, frozen=True, kw_only=True, tag="attendance"):
    """Who came to a group study session: counts only, names stay at the station."""

    session: str
    expected: Ms
    present: Ms
    members: Ms = 0
    public: Ms = 0
    taken_by: str = ""
    roll: Roll = Roll.START


class Studied(Struct, frozen=True, kw_only=True):
    """One programme of a study session: how much of it was played while the session ran."""

    programme: Uuid
    edition: Uuid
    release: Sha256Hex
    title: str
    section: str
    duration_ms: Ms
    played_ms: Ms


class Study(_Record, frozen=True, kw_only=True, tag="study"):
    """集中学习: one session, written when it ends. ``day`` is the study day it belongs to, empty for one held besides.

    Viewing records of the mode ``study`` stand beside it with their watched ranges; this one says what the evening
    was. ``broken``: how often power or programme failed and the session went on."""

    session: Uuid
    day: Annotated[str, Meta(max_length=80)] = ""
    title: Annotated[str, Meta(max_length=200)] = ""
    planned_at: Timestamp | None = None
    started_at: Timestamp
    ended_at: Timestamp
    clock: ClockState
    programmes: Annotated[list[Studied], Meta(max_length=50)]
    discussion_ms: Ms = 0
    broken: Ms = 0
    completed: bool = True
    led_by: Annotated[str, Meta(max_length=1)] = ""
    """A or B: which of the station's two administrators led it, by his own sign-in."""


class VoiceKind(StrEnum):
    """What a viewer says."""

    LIKING = "liking"
    WISH = "wish"
    """想看: he wants to see this, or what he searched for and did not find."""
    OPINION = "opinion"
    QUESTION = "question"


class Face(StrEnum):
    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"


class Voice(_Record, frozen=True, kw_only=True, tag="voice"):
    """What a viewer says, without a name. ``title`` travels with it, as with a viewing."""

    says: VoiceKind
    face: Face | None = None
    text: Annotated[str, Meta(max_length=500)] = ""
    programme: Uuid | None = None
    edition: Uuid | None = None
    title: Annotated[str, Meta(max_length=200)] = ""
    section: Annotated[str, Meta(max_length=40)] = ""


class SelfTest(_Record, frozen=True, kw_only=True, tag="self_test"):
    """自检: what somebody in front of the set saw and heard: each test's name and whether it was right."""

    results: Annotated[dict[Annotated[str, Meta(max_length=40)], bool], Meta(max_length=20)]
    by: Annotated[str, Meta(max_length=1)] = ""


class EvidenceKind(StrEnum):
    """What bytes beside the records show."""

    PHOTO = "photo"
    MINUTES_AUDIO = "minutes_audio"
    """Spoken minutes of a session."""
    SCREENSHOT = "screenshot"


class Minutes(_Record, frozen=True, kw_only=True, tag="minutes"):
    """学习讨论: what was discussed in a session, in words. Several of one session stand beside each other."""

    session: Annotated[str, Meta(max_length=80)]
    text: Annotated[str, Meta(max_length=2_000)]


class Evidence(_Record, frozen=True, kw_only=True, tag="evidence"):
    """Bytes that belong to what happened here; they follow on their own way (evidence.py), named by their SHA-256.

    ``session``: the study session they belong to, or, of a screenshot, the command that asked for it."""

    sha256: Sha256Hex
    length: Ms
    media_type: Annotated[str, Meta(max_length=40)]
    what: EvidenceKind
    session: Annotated[str, Meta(max_length=80)] = ""


class LateEntry(_Record, frozen=True, kw_only=True, tag="late_entry"):
    """迟录: what an administrator says afterwards about a session or a viewing, or (``manual``) of a session that left no
    record. It changes nothing that was reported; of several about one session the last one holds. Heads come beside it,
    as an Attendance of the roll ``late``."""

    session: Annotated[str, Meta(max_length=80)]
    started_at: Timestamp
    ended_at: Timestamp
    title: Annotated[str, Meta(max_length=200)] = ""
    manual: bool = False
    void: bool = False
    """It does not count: a trial, a wrong key."""
    reason: Annotated[str, Meta(max_length=20)] = ""
    remark: Annotated[str, Meta(max_length=200)] = ""
    by: Annotated[str, Meta(max_length=1)] = ""


class PlanStep(StrEnum):
    MOVED = "move"
    ADDED = "add"
    RESTORED = "restore"
    """As the county set it; a day of the village's own is gone."""


class PlanChanged(_Record, frozen=True, kw_only=True, tag="plan_change"):
    """月计划: the village moved a study day, added one, or took that back. ``planned_at``: the county's own time."""

    day: Annotated[str, Meta(max_length=80)]
    change: PlanStep
    title: Annotated[str, Meta(max_length=200)] = ""
    started_at: Timestamp
    """When it is to begin now."""
    planned_at: Timestamp | None = None
    reason: Annotated[str, Meta(max_length=20)] = ""
    by: Annotated[str, Meta(max_length=1)] = ""


class Fault(_Record, frozen=True, kw_only=True, tag="fault"):
    """Something broke: a code from the agent's table and plain words."""

    code: str
    text: Annotated[str, Meta(max_length=500)] = ""


class Health(_Record, frozen=True, kw_only=True, tag="health"):
    """How the terminal is. Bytes and bit/s; ``ready`` counts the next 24 hours' items stored and verified."""

    agent_version: str
    disk_free: Ms
    disk_total: Ms
    stored_items: Ms
    ready: Ms
    wanted: Ms
    throughput_bps: Ms = 0
    clock: ClockState = ClockState.UNCERTAIN
    clock_offset_ms: int = 0
    publication: int = 0
    outbox: Ms = 0
    errors: list[str] = []
    missing: Annotated[list[Sha256Hex], Meta(max_length=100)] = []
    """Releases scheduled or pushed for the next seven days that are not stored whole yet, the first to air first."""
    missing_bytes: Ms = 0
    """What all of them still lack together."""
    speed_by_hour: Annotated[list[Ms], Meta(max_length=24)] = []
    """Median bit/s of downloads by hour of the day in Asia/Shanghai over the last week; 0: nothing was measured."""
    download_from_hour: Annotated[int, Meta(ge=0, le=23)] = 0
    download_to_hour: Annotated[int, Meta(ge=1, le=24)] = 24
    """The hours downloads are allowed in; a span over midnight has its end before its beginning."""
    monthly_cap_bytes: Ms = 0
    """0: none."""
    month_bytes: Ms = 0
    """Fetched in this calendar month."""
    between_ms: Ms = 0
    """Fillers played between programmes since the health record before; they have no viewing records of their own."""
    temperature_c: float | None = None
    screen_on: bool | None = None


class Gap(_Record, frozen=True, kw_only=True, tag="gap"):
    """Records that were dropped unacknowledged (quota): epoch and the span of their numbers, ends included."""

    epoch: Epoch
    first: Seq
    last: Seq
    reason: str = "quota"


Record = (
    Viewing
    | Attendance
    | Study
    | Voice
    | SelfTest
    | Evidence
    | Minutes
    | LateEntry
    | PlanChanged
    | Fault
    | Health
    | Gap
)


# --- the batch ------------------------------------------------------------------------------------------------------
class BatchHeader(Struct, frozen=True, kw_only=True):
    """``prev_epoch``/``prev_last``: the epoch before this one at this terminal, and its last number (None at first
    life). ``prev_hash``: SHA-256 of the header bytes of the batch before in this epoch. ``offset_ms``: wall minus RTC."""

    v: int = BATCH_VERSION
    terminal: Uuid
    epoch: Epoch
    prev_epoch: Epoch | None
    prev_last: Ms | None
    first: Seq
    last: Seq
    prev_hash: Sha256Hex
    sha256: Sha256Hex
    boot: str
    mono_ms: Ms
    wall: Timestamp
    offset_ms: int = 0
    clock_state: ClockState
    incarnation_seen: str | None = None


@dataclass(frozen=True)
class SignedBatch:
    """A batch taken apart but not yet trusted: header, the header's exact bytes, signature, packed body."""

    header: BatchHeader
    header_bytes: bytes
    signature: str
    body: bytes

    @property
    def header_hash(self) -> str:
        return hashlib.sha256(self.header_bytes).hexdigest()


_records_encoder = msgspec.json.Encoder()
_record_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)
_header_decoder = msgspec.json.Decoder(BatchHeader)


def pack_records(records: Sequence[Record]) -> bytes:
    """The gzip body; without a time in it, so equal records are equal bytes."""
    return gzip.compress(_records_encoder.encode_lines(records), mtime=0)


def write_batch(header: BatchHeader, body: bytes, private: bytes) -> bytes:
    """The bytes on the wire."""
    line = msgspec.json.encode(header)
    return line + b"\n" + keys.sign(private, line).encode() + b"\n" + body


def read_batch(data: bytes) -> SignedBatch:
    """Take transmitted bytes apart; checks sizes, form and the body's hash, not yet the signature.

    Raises MalformedBatch.
    """
    if len(data) > MAX_PACKED + MAX_HEADER + 128:
        raise MalformedBatch("too large")
    line, _, rest = data.partition(b"\n")
    signature, found, body = rest.partition(b"\n")
    if not found or len(line) > MAX_HEADER or len(signature) > 128 or len(body) > MAX_PACKED:
        raise MalformedBatch("not header, signature and body")
    try:
        header = _header_decoder.decode(line)
    except msgspec.DecodeError as error:
        raise MalformedBatch(f"header: {error}") from error
    if header.v != BATCH_VERSION:
        raise MalformedBatch(f"version {header.v}")
    if not 0 <= header.last - header.first < MAX_RECORDS:
        raise MalformedBatch("numbers out of order, or too many")
    if hashlib.sha256(body).hexdigest() != header.sha256:
        raise MalformedBatch("the body is not the one the header names")
    return SignedBatch(header, line, signature.decode("ascii", "replace"), body)


def check_batch(batch: SignedBatch, public: str) -> None:
    """Raises BadSignature unless the terminal's key signed this header."""
    keys.verify(public, batch.header_bytes, batch.signature)


def unpack_lines(body: bytes) -> list[bytes]:
    """The raw lines of a body, never more than 1 MiB unpacked. Raises MalformedBatch (bomb, truncated, too many)."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        text = unpacker.decompress(body, MAX_UNPACKED + 1)
    except zlib.error as error:
        raise MalformedBatch(f"gzip: {error}") from error
    if len(text) > MAX_UNPACKED:
        raise MalformedBatch("unpacks to more than 1 MiB")
    if not unpacker.eof or unpacker.unused_data:
        raise MalformedBatch("gzip: truncated or followed by something")
    lines = [line for line in io.BytesIO(text).read().split(b"\n") if line]
    if len(lines) > MAX_RECORDS:
        raise MalformedBatch("more than 2,000 records")
    return lines


def read_record(line: bytes) -> Record:
    """One record. Raises MalformedBatch."""
    try:
        return _record_decoder.decode(line)
    except (msgspec.DecodeError, RecursionError) as error:
        raise MalformedBatch(f"record: {error}") from error


# --- receipts -------------------------------------------------------------------------------------------------------
class EpochState(Struct, frozen=True, kw_only=True):
    """What the province holds of an epoch: everything up to ``hwm`` but for ``missing`` ([first, last] pairs)."""

    hwm: Ms
    head: Sha256Hex
    missing: list[tuple[Seq, Seq]] = []


class SetAside(Struct, frozen=True, kw_only=True):
    """A record kept raw because it could not be understood; acknowledged all the same."""

    epoch: Epoch
    seq: Ms
    reason: str


class Receipt(Struct, frozen=True, kw_only=True):
    v: int = BATCH_VERSION
    request: Sha256Hex
    """SHA-256 of the whole request body this answers."""
    incarnation: str
    epochs: dict[str, EpochState]
    set_aside: list[SetAside] = []
    time: Timestamp


class MarksRequest(Struct, frozen=True, kw_only=True):
    """A terminal's daily question: what do you hold of these epochs? (epoch → highest number acknowledged).

    Sent as two lines like a receipt: JSON, then the terminal's signature over it."""

    v: int = BATCH_VERSION
    terminal: Uuid
    epochs: dict[str, Ms]
    nonce: Sha256Hex
    incarnation_seen: str | None = None


_S = TypeVar("_S", Receipt, MarksRequest)


def write_signed(message: _S, private: bytes) -> bytes:
    """Two lines: JSON and signature."""
    line = msgspec.json.encode(message)
    return line + b"\n" + keys.sign(private, line).encode() + b"\n"


def read_receipt(data: bytes, *, request: bytes, trusted: Sequence[str]) -> Receipt:
    """A receipt that one of the trusted keys signed over this very request.

    Raises BadSignature or MalformedBatch: a forged, foreign or replayed receipt acknowledges nothing.
    """
    line, signature = _two_lines(data)
    for public in trusted:
        try:
            keys.verify(public, line, signature)
            break
        except BadSignature:
            continue
    else:
        raise BadSignature("no receipt key of ours signed this")
    receipt = _decode(line, Receipt)
    if receipt.request != hashlib.sha256(request).hexdigest():
        raise BadSignature("a receipt for another request")
    return receipt


def read_marks_request(data: bytes) -> tuple[MarksRequest, bytes, str]:
    """The question, the signed bytes and the signature, which the caller checks with the terminal's key."""
    line, signature = _two_lines(data)
    return _decode(line, MarksRequest), line, signature


def _two_lines(data: bytes) -> tuple[bytes, str]:
    line, _, signature = data.strip(b"\n").partition(b"\n")
    if not line or not signature or len(signature) > 128:
        raise MalformedBatch("not two lines")
    return line, signature.decode("ascii", "replace")


def _decode(line: bytes, kind: type[_S]) -> _S:
    try:
        return msgspec.json.decode(line, type=kind)
    except msgspec.DecodeError as error:
        raise MalformedBatch(str(error)) from error
