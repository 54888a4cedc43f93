"""A stick with a station's things on it: one file, encrypted under a recovery phrase, whole or not at all.

    magic line, header (one line of JSON), then boxes: 4 bytes of length and ChaCha20-Poly1305 of at most 1 MiB

The key comes from the phrase by scrypt (n = 2^15, r = 8, p = 1) and a fresh salt; the boxes are numbered, the last one
says that it is the last, and every box is bound to the header's bytes. So a box that is missing, moved, altered or of
another stick is noticed, and so is a file that was cut off. Inside stand parts: a line of JSON (kind, name, length) and
so many bytes.

The phrase is 24 digits in six groups of four that a remote's number keys can type: three random digits and one that
checks them and their place, so that a wrong group is named at once. 18 random digits are 60 bits, each guess of which
costs a scrypt.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from client_agent.durable import sync_folder
from client_agent.errors import AgentError

MAGIC = b"YUANBO-HANDOVER\n"
FILE = "yuanbo-handover.bin"
VERSION = 1
BOX_BYTES = 1024 * 1024
TAG_BYTES = 16
MAX_HEADER = 4096
MAX_PART = 128 * 1024 * 1024
GROUPS, GROUP_DIGITS = 6, 4
_SCRYPT = {"n": 2**15, "r": 8, "p": 1, "maxmem": 64 * 1024 * 1024}
_WEIGHTS = (3, 7, 9)


class StickFailed(AgentError):
    """U盘操作没有完成 / the stick could not be used"""

    def __init__(self, word: str, detail: str = "") -> None:
        super().__init__(f"{self.__doc__}: {word}{': ' if detail else ''}{detail}")
        self.word = word
        """``gone``, ``full``, ``readonly``, ``none`` (no file there), ``damaged``, ``phrase``, ``newer``, ``station``,
        ``same``, ``older``, ``already``."""


class GroupWrong(StickFailed):
    """恢复码有一组不对 / one group of the recovery phrase is wrong"""

    def __init__(self, group: int) -> None:
        super().__init__("group", str(group))
        self.group = group
        """From 1; 0 where the number of digits is not 24."""


def failed(error: OSError) -> StickFailed:
    """What the system says, in our words."""
    import errno

    words = {errno.ENOSPC: "full", errno.EDQUOT: "full", errno.EROFS: "readonly", errno.EACCES: "readonly"}
    return StickFailed(words.get(error.errno or 0, "gone"), error.strerror or str(error))


# --- the phrase ---------------------------------------------------------------------------------------------------------
def new_phrase() -> str:
    """Six groups, with a space between."""
    found = []
    for group in range(GROUPS):
        digits = f"{secrets.randbelow(1000):03d}"
        found.append(digits + _check_digit(digits, group))
    return " ".join(found)


def read_phrase(text: str) -> str:
    """The 24 digits of a phrase as somebody typed it. Raises GroupWrong."""
    digits = re.sub(r"[\s-]", "", text)
    if not re.fullmatch(rf"[0-9]{{{GROUPS * GROUP_DIGITS}}}", digits):
        raise GroupWrong(0)
    for group in range(GROUPS):
        part = digits[group * GROUP_DIGITS : (group + 1) * GROUP_DIGITS]
        if _check_digit(part[:3], group) != part[3]:
            raise GroupWrong(group + 1)
    return digits


def _check_digit(digits: str, group: int) -> str:
    """Each weight has an inverse modulo 10, so one wrong digit is always noticed, and so is a group in another's place."""
    return str((sum(w * int(d) for w, d in zip(_WEIGHTS, digits, strict=True)) + group + 1) % 10)


def _derive(digits: str, salt: bytes) -> tuple[bytes, str]:
    """(key, what the header shows of it so that a wrong phrase is told from a damaged file)."""
    made = hashlib.scrypt(digits.encode(), salt=salt, dklen=40, **_SCRYPT)
    return made[:32], made[32:].hex()


# --- what stands on it ----------------------------------------------------------------------------------------------------
class Header(msgspec.Struct, frozen=True, kw_only=True):
    """In the clear: whose things these are, and how the key is made. ``boxes``: nothing says how many; the last does."""

    v: int = VERSION
    station: str
    station_name: str
    terminal: str
    made_ms: int
    salt: str
    check: str


@dataclass(frozen=True)
class Part:
    """``kind``: book, settings, batch, evidence, end."""

    kind: str
    name: str
    data: bytes


class Writer:
    """Writes a stick's file beside its place; :meth:`finish` puts it there. Raises StickFailed; :meth:`give_up` leaves
    what stood there before."""

    def __init__(
        self, folder: Path, phrase: str, *, station: str, station_name: str, terminal: str, made_ms: int
    ) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        salt = os.urandom(16)
        key, check = _derive(read_phrase(phrase), salt)
        header = Header(
            station=station, station_name=station_name, terminal=terminal, made_ms=made_ms, salt=salt.hex(), check=check
        )  # fmt: skip
        line = msgspec.json.encode(header) + b"\n"
        self._cipher = ChaCha20Poly1305(key)
        self._bound = hashlib.sha256(line).digest()
        self._waiting = bytearray()
        self._boxes = 0
        self.path = folder / FILE
        self._beside = folder / f".{FILE}.new"
        self.written = 0
        try:
            self._file: BinaryIO = self._beside.open("wb")
            self._file.write(MAGIC + line)
        except OSError as error:
            raise failed(error) from error

    def add(self, part: Part) -> None:
        head = json.dumps({"kind": part.kind, "name": part.name, "length": len(part.data)}).encode() + b"\n"
        self._waiting += head
        self._waiting += part.data
        while len(self._waiting) > BOX_BYTES:
            self._box(bytes(self._waiting[:BOX_BYTES]), last=False)
            del self._waiting[:BOX_BYTES]

    def _box(self, data: bytes, *, last: bool) -> None:
        sealed = self._cipher.encrypt(_nonce(self._boxes), data, self._bound + bytes([last]))
        self._boxes += 1
        try:
            self._file.write(len(sealed).to_bytes(4) + sealed)
        except OSError as error:
            raise failed(error) from error
        self.written += len(sealed)

    def finish(self) -> None:
        """Everything on the stick, then in its place, in the place of an older one."""
        self.add(Part("end", "", b""))
        self._box(bytes(self._waiting), last=True)
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            if hasattr(os, "posix_fadvise"):  # so that reading it again really reads the stick
                os.posix_fadvise(self._file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            self._file.close()
            os.replace(self._beside, self.path)
            with suppress(PermissionError):
                sync_folder(self.path.parent)
        except OSError as error:
            raise failed(error) from error

    def give_up(self) -> None:
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._beside.unlink()


def _nonce(box: int) -> bytes:
    return box.to_bytes(12)


def read_header(folder: Path) -> Header:
    """Whose things lie there. Raises StickFailed: "none", "damaged", "newer", "gone"."""
    try:
        with (folder / FILE).open("rb") as file:
            return _header(file)[0]
    except FileNotFoundError as error:
        raise StickFailed("none") from error
    except OSError as error:
        raise failed(error) from error


def _header(file: BinaryIO) -> tuple[Header, bytes]:
    if file.read(len(MAGIC)) != MAGIC:
        raise StickFailed("damaged", "not a file of ours")
    line = file.readline(MAX_HEADER)
    try:
        header = msgspec.json.decode(line, type=Header)
        bytes.fromhex(header.salt)
    except (msgspec.DecodeError, ValueError) as error:
        raise StickFailed("damaged", "header") from error
    if header.v > VERSION:
        raise StickFailed("newer")
    return header, line


def read_parts(folder: Path, phrase: str) -> Iterator[Part]:
    """Every part up to the end, each one genuine when it comes; only after the last one is the file known to be whole.
    Raises GroupWrong, StickFailed."""
    digits = read_phrase(phrase)
    try:
        with (folder / FILE).open("rb") as file:
            header, line = _header(file)
            key, check = _derive(digits, bytes.fromhex(header.salt))
            if not secrets.compare_digest(check, header.check):
                raise StickFailed("phrase")
            yield from _parts(_boxes(file, key, hashlib.sha256(line).digest()))
    except FileNotFoundError as error:
        raise StickFailed("none") from error
    except OSError as error:
        raise failed(error) from error


def _boxes(file: BinaryIO, key: bytes, bound: bytes) -> Iterator[bytes]:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    cipher, number, last = ChaCha20Poly1305(key), 0, False
    while not last:
        length = int.from_bytes(file.read(4))
        if not TAG_BYTES <= length <= BOX_BYTES + TAG_BYTES:
            raise StickFailed("damaged", f"box {number}")
        sealed = file.read(length)
        for last in (False, True):
            try:
                data = cipher.decrypt(_nonce(number), sealed, bound + bytes([last]))
                break
            except InvalidTag:
                continue
        else:
            raise StickFailed("damaged", f"box {number}")
        number += 1
        yield data
    if file.read(1):
        raise StickFailed("damaged", "something follows the end")


def _parts(boxes: Iterator[bytes]) -> Iterator[Part]:
    waiting = bytearray()
    ended = False
    for box in boxes:
        waiting += box
        while not ended:
            line, found, _ = waiting.partition(b"\n")
            if not found:
                if len(waiting) > MAX_HEADER:
                    raise StickFailed("damaged", "part")
                break
            kind, name, length = _described(bytes(line))
            if len(waiting) < len(line) + 1 + length:
                break
            data = bytes(waiting[len(line) + 1 : len(line) + 1 + length])
            del waiting[: len(line) + 1 + length]
            ended = kind == "end"
            yield Part(kind, name, data)
    if not ended or waiting:
        raise StickFailed("damaged", "no end")


def _described(line: bytes) -> tuple[str, str, int]:
    try:
        said = json.loads(line)
        kind, name, length = str(said["kind"]), str(said["name"]), int(said["length"])
    except (ValueError, KeyError, TypeError) as error:
        raise StickFailed("damaged", "part") from error
    if not 0 <= length <= MAX_PART:
        raise StickFailed("damaged", "part")
    return kind, name, length


# --- where sticks are -----------------------------------------------------------------------------------------------------
PLACES = ("/media/*", "/media/*/*", "/run/media/*/*", "/mnt", "/mnt/*")


def find_sticks() -> list[Path]:
    """Mounted sticks; ``YUANBO_STICKS`` names folders instead, with the system's path separator between."""
    named = os.environ.get("YUANBO_STICKS")
    if named is not None:
        return [Path(place) for place in named.split(os.pathsep) if place and Path(place).is_dir()]
    if os.name == "nt":
        drives = (Path(f"{letter}:\\") for letter in "DEFGHIJKLMNOPQRSTUVWXYZ")
        return [drive for drive in drives if drive.exists()]
    found = (path for place in PLACES for path in sorted(Path("/").glob(place.lstrip("/"))))
    return [path for path in found if path.is_mount()]
