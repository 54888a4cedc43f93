"""A ticket: a terminal's signed word that a study session of its own takes place, short enough for a QR code.

A phone without the station's Wi-Fi opens the province's page with it; the province knows the terminal's key and needs
to have heard nothing else of the session. The ticket gives no right but to add to this one session, until it expires.

    version 1 · terminal 16 · session 16 · begins 4 (s since 1970) · minutes 2 · title (UTF-8, ≤ 60) · signature 64

as one run of bytes in base64url without padding. The signature is over a word of its own and all bytes before it.
"""

from __future__ import annotations

import base64
import binascii
import struct
import uuid
from dataclasses import dataclass

from protocol import keys
from protocol.errors import BadSignature, MalformedBatch

TICKET_VERSION = 1
LONGEST_S = 12 * 60 * 60
EARLY_S = 60 * 60
"""A phone's ticket may be so much younger than the province's clock: terminals' clocks differ."""
MOST_CHARACTERS = 230
_HEAD = struct.Struct(">B16s16sIH")
_TITLE_BYTES = 60
_SIGNATURE = 64
_WORD = b"yuanbo-session-ticket\x00"


@dataclass(frozen=True)
class Ticket:
    """Times in ms since 1970; ``title`` is cut to 60 bytes."""

    terminal: str
    session: str
    begins_ms: int
    expires_ms: int
    title: str


@dataclass(frozen=True)
class SignedTicket:
    """A ticket taken apart but not yet trusted."""

    ticket: Ticket
    signed: bytes
    signature: str


def write_ticket(ticket: Ticket, private: bytes) -> str:
    """The text for an address. Raises ValueError for times that no ticket has."""
    minutes, rest = divmod(ticket.expires_ms - ticket.begins_ms, 60_000)
    if rest or not 0 < minutes * 60 <= LONGEST_S:
        raise ValueError("a ticket holds for whole minutes, at most twelve hours")
    title = ticket.title.encode()[:_TITLE_BYTES].decode(errors="ignore").encode()
    head = _HEAD.pack(
        TICKET_VERSION,
        uuid.UUID(ticket.terminal).bytes,
        uuid.UUID(ticket.session).bytes,
        ticket.begins_ms // 1000,
        minutes,
    )
    signature = base64.b64decode(keys.sign(private, _WORD + head + title))
    return base64.urlsafe_b64encode(head + title + signature).decode().rstrip("=")


def read_ticket(text: str) -> SignedTicket:
    """Take a ticket apart; neither signature nor time are checked yet. Raises MalformedBatch."""
    if len(text) > MOST_CHARACTERS:
        raise MalformedBatch("no ticket: too long")
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        version, terminal, session, begins_s, minutes = _HEAD.unpack_from(data)
        title = data[_HEAD.size : -_SIGNATURE].decode()
    except (binascii.Error, ValueError, struct.error) as error:
        raise MalformedBatch("no ticket") from error
    if version != TICKET_VERSION or len(data) < _HEAD.size + _SIGNATURE or len(title.encode()) > _TITLE_BYTES:
        raise MalformedBatch("no ticket of ours")
    if not 0 < minutes * 60 <= LONGEST_S or any(ord(letter) < 32 for letter in title):
        raise MalformedBatch("a ticket that holds too long")
    begins_ms = begins_s * 1000
    ticket = Ticket(
        str(uuid.UUID(bytes=terminal)),
        str(uuid.UUID(bytes=session)),
        begins_ms,
        begins_ms + minutes * 60_000,
        title,
    )
    signature = base64.b64encode(data[-_SIGNATURE:]).decode()
    return SignedTicket(ticket, _WORD + data[:-_SIGNATURE], signature)


def check_ticket(found: SignedTicket, public: str, now_ms: int) -> bool:
    """Whether it holds now; False where its time is over or far off. Raises BadSignature unless the key signed it."""
    keys.verify(public, found.signed, found.signature)
    return found.ticket.begins_ms - EARLY_S * 1000 <= now_ms < found.ticket.expires_ms


__all__ = ["BadSignature", "SignedTicket", "Ticket", "check_ticket", "read_ticket", "write_ticket"]
