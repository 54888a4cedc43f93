"""Ed25519 in the protocol's dress: raw 32-byte keys and 64-byte signatures, written as base64."""

from __future__ import annotations

import base64
import binascii
import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from protocol.errors import BadSignature


def new_private_key() -> bytes:
    """32 raw bytes of a fresh private key."""
    return Ed25519PrivateKey.generate().private_bytes_raw()


def public_text(private: bytes) -> str:
    """The public key of a private one, in base64."""
    return base64.b64encode(
        Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
    ).decode()


def key_id(public: str) -> str:
    """A short name of a public key: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(_raw(public, 32)).hexdigest()[:16]


def sign(private: bytes, message: bytes) -> str:
    """The signature in base64."""
    return base64.b64encode(Ed25519PrivateKey.from_private_bytes(private).sign(message)).decode()


def verify(public: str, message: bytes, signature: str) -> None:
    """Raises BadSignature unless the signature is the key's over these very bytes."""
    try:
        Ed25519PublicKey.from_public_bytes(_raw(public, 32)).verify(_raw(signature, 64), message)
    except InvalidSignature as error:
        raise BadSignature from error


def _raw(text: str, length: int) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadSignature("not base64") from error
    if len(raw) != length:
        raise BadSignature(f"{len(raw)} bytes where {length} belong")
    return raw
