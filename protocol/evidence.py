"""Evidence: what a record speaks of but cannot carry: a photo, spoken minutes, a picture of the screen.

The record (``batch.Evidence``) names the bytes by their SHA-256; the bytes follow on a way of their own, before or after
it, in pieces. On the wire a piece has a batch's form:

    header, one line of JSON        the bytes that are signed
    signature, one line of base64   Ed25519 by the terminal over the header's bytes
    body                            the piece's bytes, at most 256 KiB; the header holds their SHA-256 and their place

A piece is taken where it goes on from what is held and changes nothing anywhere else, so sending or replaying one is
harmless; an empty body asks what is held. The answer is two lines like a receipt. The kind of the bytes is read off
the bytes, never believed: whoever shows them says that kind, and no kind here can carry a script.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from protocol import keys
from protocol.batch import EvidenceKind
from protocol.documents import Sha256Hex, Uuid
from protocol.errors import BadSignature, MalformedBatch
from protocol.times import Timestamp

EVIDENCE_VERSION = 1
PIECE_BYTES = 256 * 1024
MAX_HEADER = 2 * 1024
MAX_REQUEST = PIECE_BYTES + MAX_HEADER + 128
CAPS = {
    EvidenceKind.PHOTO: 400_000,
    EvidenceKind.MINUTES_AUDIO: 3_000_000,
    EvidenceKind.SCREENSHOT: 400_000,
}
"""Bytes at most, by kind."""
PICTURES = ("image/jpeg", "image/png", "image/webp")
SOUNDS = ("audio/ogg", "audio/webm", "audio/mp4")
MEDIA_TYPES = {
    EvidenceKind.PHOTO: PICTURES,
    EvidenceKind.MINUTES_AUDIO: SOUNDS,
    EvidenceKind.SCREENSHOT: PICTURES,
}
HEAD_BYTES = 64
"""How much of the beginning :func:`media_type_of` looks at."""


def media_type_of(head: bytes) -> str | None:
    """The kind of bytes by how they begin; None for what is no picture or sound of ours."""
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head.startswith(b"OggS"):
        return "audio/ogg"
    if head.startswith(b"\x1a\x45\xdf\xa3") and b"webm" in head[:HEAD_BYTES]:
        return "audio/webm"
    return "audio/mp4" if head[4:8] == b"ftyp" else None


def unfit(kind: EvidenceKind, length: int, media_type: str | None) -> str:
    """Why bytes of this length and kind cannot be evidence of a sort: ``empty``, ``size``, ``type``; empty if they can."""
    if length < 1:
        return "empty"
    if length > CAPS[kind]:
        return "size"
    return "" if media_type in MEDIA_TYPES[kind] else "type"


class PieceHeader(Struct, frozen=True, kw_only=True):
    """``sha256`` and ``length`` are those of the whole; ``offset`` and ``piece`` (SHA-256) of what follows."""

    v: int = EVIDENCE_VERSION
    terminal: Uuid
    sha256: Sha256Hex
    length: Annotated[int, Meta(ge=1, le=max(CAPS.values()))]
    media_type: Annotated[str, Meta(max_length=40)]
    what: EvidenceKind
    session: Annotated[str, Meta(max_length=80)] = ""
    offset: Annotated[int, Meta(ge=0)]
    piece: Sha256Hex
    wall: Timestamp


@dataclass(frozen=True)
class SignedPiece:
    """A piece taken apart but not yet trusted."""

    header: PieceHeader
    header_bytes: bytes
    signature: str
    body: bytes


class EvidenceReceipt(Struct, frozen=True, kw_only=True):
    """``held``: so many bytes from the beginning are held; ``complete``: all are, and their hash is right."""

    v: int = EVIDENCE_VERSION
    request: Sha256Hex
    sha256: Sha256Hex
    held: Annotated[int, Meta(ge=0)]
    complete: bool
    time: Timestamp


def write_piece(header: PieceHeader, body: bytes, private: bytes) -> bytes:
    """The bytes on the wire."""
    line = msgspec.json.encode(header)
    return line + b"\n" + keys.sign(private, line).encode() + b"\n" + body


def read_piece(data: bytes) -> SignedPiece:
    """Take transmitted bytes apart; checks sizes, form and the piece's hash, not yet the signature.

    Raises MalformedBatch.
    """
    if len(data) > MAX_REQUEST:
        raise MalformedBatch("too large")
    line, _, rest = data.partition(b"\n")
    signature, found, body = rest.partition(b"\n")
    if not found or len(line) > MAX_HEADER or len(signature) > 128 or len(body) > PIECE_BYTES:
        raise MalformedBatch("not header, signature and piece")
    try:
        header = msgspec.json.decode(line, type=PieceHeader)
    except (msgspec.DecodeError, RecursionError) as error:
        raise MalformedBatch(f"header: {error}") from error
    if header.v != EVIDENCE_VERSION:
        raise MalformedBatch(f"version {header.v}")
    if header.offset + len(body) > header.length:
        raise MalformedBatch("a piece past the end")
    if "\x00" in header.session:
        raise MalformedBatch("session: a NUL character")
    if reason := unfit(header.what, header.length, header.media_type):
        raise MalformedBatch(f"no evidence of this kind: {reason}")
    if hashlib.sha256(body).hexdigest() != header.piece:
        raise MalformedBatch("the piece is not the one the header names")
    return SignedPiece(header, line, signature.decode("ascii", "replace"), body)


def write_receipt(receipt: EvidenceReceipt, private: bytes) -> bytes:
    """Two lines: JSON and signature."""
    line = msgspec.json.encode(receipt)
    return line + b"\n" + keys.sign(private, line).encode() + b"\n"


def read_receipt(data: bytes, *, request: bytes, trusted: Sequence[str]) -> EvidenceReceipt:
    """A receipt that one of the trusted keys signed over this very request. Raises BadSignature, MalformedBatch."""
    line, _, signature = data.strip(b"\n").partition(b"\n")
    if not any(_signed_by(public, line, signature.decode("ascii", "replace")) for public in trusted):
        raise BadSignature("no receipt key of ours signed this")
    try:
        receipt = msgspec.json.decode(line, type=EvidenceReceipt)
    except msgspec.DecodeError as error:
        raise MalformedBatch(str(error)) from error
    if receipt.request != hashlib.sha256(request).hexdigest():
        raise BadSignature("a receipt for another request")
    return receipt


def _signed_by(public: str, line: bytes, signature: str) -> bool:
    try:
        keys.verify(public, line, signature)
    except BadSignature:
        return False
    return True
