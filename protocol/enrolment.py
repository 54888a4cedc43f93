"""Enrolment of a terminal: a code typed once, a secret that never crosses the line, no trust on first use.

A code is ``ID4-SSSS-SSSS-SSSS`` (Crockford base32): four characters that name the invitation and 60 secret bits.
Both sides derive K = scrypt(secret, "yuanbo-enrol-v1|ID", 2**14, 8, 1) and prove it:

    agent  → {id, public, nonce, hmac(K, "A"|id|public|nonce)}
    server → body, hmac(K, "S"|sha256(body)|public|nonce)

so a relay in between can neither read the secret nor put its own root or key in. The body carries the terminal's
identity and the first root; see :class:`EnrolmentBody`.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta, Struct

from protocol.documents import Endpoints, RegionCode, Uuid
from protocol.errors import BadCode
from protocol.identifiers import crockford, read_crockford
from protocol.times import Timestamp

ID_LENGTH = 4
SECRET_LENGTH = 12
CODE_VALID_HOURS = 72
CODE_TRIES = 5

Hex32 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
Base64Key = Annotated[str, Meta(min_length=44, max_length=44)]


@dataclass(frozen=True)
class Code:
    """An enrolment code, taken apart. ``secret`` never leaves the side that knows it."""

    id: str
    secret: str

    def __str__(self) -> str:
        s = self.secret
        return f"{self.id}-{s[:4]}-{s[4:8]}-{s[8:]}"


class EnrolmentRequest(Struct, frozen=True, kw_only=True):
    """What a terminal sends: the code's id, its fresh public key, a 32-byte nonce (hex) and the proof (hex)."""

    id: Annotated[str, Meta(min_length=ID_LENGTH, max_length=ID_LENGTH)]
    public: Base64Key
    nonce: Hex32
    proof: Hex32


class EnrolmentBody(Struct, frozen=True, kw_only=True):
    """What the province answers. ``root`` is root.json itself, base64; ``incarnation`` names the database's life."""

    terminal: Uuid
    station: Uuid
    station_name: str
    region: RegionCode
    root: str
    endpoints: Endpoints
    ca_pem: str | None
    receipt_keys: list[str]
    time: Timestamp
    incarnation: str


class EnrolmentAnswer(Struct, frozen=True, kw_only=True):
    """``body`` is the JSON text of an EnrolmentBody exactly as hashed; ``proof`` is hex."""

    body: str
    proof: Hex32


def new_code() -> Code:
    """A fresh code from the system's randomness."""
    return Code(
        id=crockford(secrets.randbits(5 * ID_LENGTH), ID_LENGTH),
        secret=crockford(secrets.randbits(5 * SECRET_LENGTH), SECRET_LENGTH),
    )


def read_code(text: str) -> Code:
    """A code as a person typed it. Raises BadCode."""
    try:
        plain = read_crockford(text)
    except ValueError as error:
        raise BadCode(str(error)) from error
    if len(plain) != ID_LENGTH + SECRET_LENGTH:
        raise BadCode(f"{len(plain)} characters where {ID_LENGTH + SECRET_LENGTH} belong")
    return Code(id=plain[:ID_LENGTH], secret=plain[ID_LENGTH:])


def derive_key(code: Code) -> bytes:
    """K, 32 bytes; 16 MiB and some 50 ms of work, so that guessing 60 bits offline stays out of reach."""
    salt = f"yuanbo-enrol-v1|{code.id}".encode()
    return hashlib.scrypt(code.secret.encode(), salt=salt, n=2**14, r=8, p=1, dklen=32)


def agent_proof(key: bytes, code_id: str, public: str, nonce: str) -> str:
    """The terminal's proof that it knows the secret, hex."""
    return _mac(key, "A", code_id, public, nonce)


def server_proof(key: bytes, body: str, public: str, nonce: str) -> str:
    """The province's proof over the body it answers with, hex."""
    return _mac(key, "S", hashlib.sha256(body.encode()).hexdigest(), public, nonce)


def same(left: str, right: str) -> bool:
    """Compare proofs without telling by time where they differ."""
    return hmac.compare_digest(left, right)


def _mac(key: bytes, *parts: str) -> str:
    return hmac.new(key, "|".join(parts).encode(), hashlib.sha256).hexdigest()
