"""Private keys as files of an installation.

``up`` makes every key by itself, which is fit for a demonstration only: such keys carry the label "demo", in their
file and in the signed metadata, so that ``doctor`` can refuse them in production.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

import msgspec

from protocol import keys as ed25519
from server.errors import Unavailable
from server.i18n import N_
from server.publish.rules import KEY_NAMES
from server.receiptkey import make_secret_file

DEMO = "demo"


class KeysMissing(Unavailable):
    """A key that is needed is not on this machine."""

    code = "keys_missing"
    title = N_("签名密钥不全")


@dataclass(frozen=True)
class PublicKey:
    """``public`` is base64 of the raw Ed25519 key; ``label`` says what the key is fit for."""

    name: str
    public: str
    label: str


class _KeyFile(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    label: str
    private: bytes


@dataclass(frozen=True)
class PrivateKey:
    """One key that can sign. Never leaves the process that reads it."""

    public: PublicKey
    private: bytes

    def __repr__(self) -> str:
        return f"PrivateKey({self.public.name})"

    def sign(self, message: bytes) -> str:
        """The signature over the message, hex as TUF writes it."""
        return base64.b64decode(ed25519.sign(self.private, message)).hex()


def key_path(folder: Path, name: str) -> Path:
    return folder / f"{name}.key"


def make_demo_keys(folder: Path) -> None:
    """Make what is missing of an installation's keys, each file 0600. Harmless when repeated."""
    for name in KEY_NAMES:
        path = key_path(folder, name)
        if not path.exists():
            made = _KeyFile(name=name, label=DEMO, private=ed25519.new_private_key())
            make_secret_file(path, msgspec.json.encode(made) + b"\n")


def read_key(folder: Path, name: str) -> PrivateKey:
    """Raises KeysMissing when the file is not there or holds something else."""
    path = key_path(folder, name)
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_KeyFile)
    except FileNotFoundError as error:
        raise KeysMissing(N_("缺少签名密钥 %(path)s"), path=path) from error
    except msgspec.DecodeError as error:
        raise KeysMissing(N_("%(path)s 不是密钥文件"), path=path) from error
    if found.name != name:
        raise KeysMissing(N_("%(path)s 里是另一把密钥：%(name)s"), path=path, name=found.name)
    public = PublicKey(name, ed25519.public_text(found.private), found.label)
    return PrivateKey(public, found.private)


def public_keys(folder: Path) -> dict[str, PublicKey]:
    """The public half of every key of an installation. Raises KeysMissing."""
    return {name: read_key(folder, name).public for name in KEY_NAMES}
