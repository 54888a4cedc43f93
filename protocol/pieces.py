"""Piece layers: how every source of a media file is checked piece by piece.

A file is cut into pieces of 1 MiB, the last one short and unpadded. A leaf is the SHA-256 of a whole piece; the
tree above has BEP 52's shape (leaves padded with zero hashes to a power of two) but not its 16 KiB leaves. The
layer is the leaves concatenated, 32 bytes a piece; it is published at ``/p/<root>``, the file at ``/m/<sha256>``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from protocol.errors import BadPieces

PIECE_LENGTH = 1024 * 1024
HASH_LENGTH = 32
_ZERO = bytes(HASH_LENGTH)


@dataclass(frozen=True)
class PieceLayer:
    """What is known of a file after one read: hex SHA-256, length in bytes, hex Merkle root, raw leaves."""

    sha256: str
    length: int
    root: str
    layer: bytes


class PieceHasher:
    """Computes a PieceLayer from a stream of chunks of any size, in one pass."""

    def __init__(self) -> None:
        self._whole = hashlib.sha256()
        self._piece = hashlib.sha256()
        self._in_piece = 0
        self._length = 0
        self._leaves: list[bytes] = []

    def update(self, chunk: bytes | memoryview) -> None:
        view = memoryview(chunk)
        self._whole.update(view)
        self._length += len(view)
        while view:
            part = view[: PIECE_LENGTH - self._in_piece]
            self._piece.update(part)
            self._in_piece += len(part)
            view = view[len(part) :]
            if self._in_piece == PIECE_LENGTH:
                self._close_piece()

    def _close_piece(self) -> None:
        self._leaves.append(self._piece.digest())
        self._piece = hashlib.sha256()
        self._in_piece = 0

    def finish(self) -> PieceLayer:
        if self._in_piece:
            self._close_piece()
        return PieceLayer(
            sha256=self._whole.hexdigest(),
            length=self._length,
            root=merkle_root(self._leaves).hex(),
            layer=b"".join(self._leaves),
        )


def piece_layer(path: Path) -> PieceLayer:
    """Read a file once and return its hashes."""
    hasher = PieceHasher()
    with path.open("rb") as source:
        while chunk := source.read(PIECE_LENGTH):
            hasher.update(chunk)
    return hasher.finish()


def piece_layer_of(data: bytes) -> PieceLayer:
    """The hashes of bytes in memory."""
    hasher = PieceHasher()
    hasher.update(data)
    return hasher.finish()


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The root over the leaves; of an empty file, the zero hash."""
    if not leaves:
        return _ZERO
    level = list(leaves)
    width = 1 << (len(level) - 1).bit_length()
    level += [_ZERO] * (width - len(level))
    while len(level) > 1:
        level = [hashlib.sha256(level[i] + level[i + 1]).digest() for i in range(0, len(level), 2)]
    return level[0]


def piece_count(length: int) -> int:
    """How many pieces a file of that many bytes has."""
    return -(-length // PIECE_LENGTH)


def piece_span(index: int, length: int) -> tuple[int, int]:
    """First byte (included) and last (excluded) of a piece."""
    start = index * PIECE_LENGTH
    return start, min(start + PIECE_LENGTH, length)


def read_layer(layer: bytes, *, root: str, length: int) -> list[bytes]:
    """The leaves of a layer fetched from anywhere.

    Raises BadPieces unless its size fits the file's length and its Merkle root is the one that was signed.
    """
    if len(layer) != piece_count(length) * HASH_LENGTH:
        raise BadPieces("the layer's size does not fit the file's length")
    leaves = [layer[i : i + HASH_LENGTH] for i in range(0, len(layer), HASH_LENGTH)]
    if merkle_root(leaves).hex() != root:
        raise BadPieces("the layer's root is not the signed one")
    return leaves


def is_piece(piece: bytes, leaf: bytes) -> bool:
    """Whether bytes are the piece that a leaf stands for."""
    return hashlib.sha256(piece).digest() == leaf


def missing_runs(have: Iterable[bool]) -> list[tuple[int, int]]:
    """Runs of missing pieces as (first, last + 1)."""
    runs: list[tuple[int, int]] = []
    for index, present in enumerate(have):
        if present:
            continue
        if runs and runs[-1][1] == index:
            runs[-1] = (runs[-1][0], index + 1)
        else:
            runs.append((index, index + 1))
    return runs
