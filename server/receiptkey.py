"""The key that signs receipts of reports: one file, made at first use.

Two rooms need it: reports sign with it, publication names its public half in network.json.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from protocol import keys
from server.config import Config
from server.readplane import sync_folder

_LENGTH = 32


def receipt_private(config: Config) -> bytes:
    """The raw 32-byte Ed25519 private key; made (0600) at first use, whichever process comes first.

    Raises ValueError for a file that holds no key.
    """
    path = config.keys / "receipt.key"
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        make_secret_file(path, keys.new_private_key())
        found = path.read_bytes()
    if len(found) != _LENGTH:
        raise ValueError(f"{path} holds no receipt key")
    return found


def receipt_public(config: Config) -> str:
    """The public half in base64, as it stands in network.json."""
    return keys.public_text(receipt_private(config))


def make_secret_file(path: Path, data: bytes) -> None:
    """Write a file (0600) unless it is there: the first maker wins, and nobody reads a file half written."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    with os.fdopen(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(beside)
    except FileExistsError:
        pass
    finally:
        beside.unlink()
    sync_folder(path.parent)
