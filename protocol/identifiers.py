"""Identifiers: UUIDv7 for rows (RFC 9562), Crockford base32 for codes people type."""

from __future__ import annotations

import secrets
import uuid

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1"})


def uuid7(now_ms: int) -> str:
    """A UUIDv7 as lower-case text: 48 bits of milliseconds, then randomness, so rows sort by age."""
    value = (now_ms & (2**48 - 1)) << 80 | 0x7 << 76 | secrets.randbits(12) << 64
    value |= 0b10 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=value))


def crockford(bits: int, length: int) -> str:
    """``bits`` as ``length`` characters of Crockford base32, most significant first."""
    return "".join(CROCKFORD[bits >> 5 * (length - 1 - place) & 31] for place in range(length))


def read_crockford(text: str) -> str:
    """What a person typed, in canonical form: upper case, look-alikes resolved, dashes and spaces gone.

    Raises ValueError when a character is not of the alphabet.
    """
    plain = text.upper().replace("-", "").replace(" ", "").translate(_READ_AS)
    if any(letter not in CROCKFORD for letter in plain):
        raise ValueError("a character that no code contains")
    return plain
