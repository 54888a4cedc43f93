"""A film made of pages: Motion JPEG in AVI, every page a key frame that is repeated while it stands.

The pages are JPEG pictures already, so nothing is encoded here; the film then goes through the ordinary ladder.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

FRAME_MS = 5_000
"""A page is repeated every five seconds: a player that seeks finds a picture, and nobody suspects a gap."""
MAX_BYTES = 1_000_000_000
"""AVI of the first kind ends at 1 GB."""


def write(target: Path, pages: Sequence[Path], *, width: int, height: int, page_ms: int) -> int:
    """Write the film; its length in ms. Raises ValueError when it would be too large."""
    repeats = max(1, page_ms // FRAME_MS)
    frames = len(pages) * repeats
    if sum(page.stat().st_size + 9 for page in pages) * repeats > MAX_BYTES:
        raise ValueError("too many or too large pages")
    largest = max(page.stat().st_size for page in pages)
    with target.open("xb") as file:
        file.write(b"RIFF\0\0\0\0AVI ")
        file.write(_headers(frames, width, height, largest))
        movi_at = file.tell()
        file.write(b"LIST\0\0\0\0movi")
        index = [entry for page in pages for entry in _frames(file, page.read_bytes(), repeats, movi_at + 8)]
        movi_end = file.tell()
        file.write(b"idx1" + struct.pack("<I", 16 * len(index)))
        for offset, size in index:
            file.write(b"00dc" + struct.pack("<III", 0x10, offset, size))
        end = file.tell()
        file.seek(movi_at + 4)
        file.write(struct.pack("<I", movi_end - movi_at - 8))
        file.seek(4)
        file.write(struct.pack("<I", end - 8))
    return frames * FRAME_MS


def _frames(file: BinaryIO, data: bytes, repeats: int, movi: int) -> list[tuple[int, int]]:
    """The same picture several times; (offset from ``movi``, size) of each."""
    found = []
    for _ in range(repeats):
        found.append((file.tell() - movi, len(data)))
        file.write(b"00dc" + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2))
    return found


def _headers(frames: int, width: int, height: int, largest: int) -> bytes:
    main = struct.pack(
        "<14I", FRAME_MS * 1_000, largest, 0, 0x10, frames, 0, 1, largest, width, height, 0, 0, 0, 0
    )
    stream = b"vidsMJPG" + struct.pack(
        "<IHHIIIIIIiI4H", 0, 0, 0, 0, FRAME_MS, 1_000, 0, frames, largest, -1, 0, 0, 0, width, height
    )
    picture = struct.pack("<IiiHH4sIiiII", 40, width, height, 1, 24, b"MJPG", width * height * 3, 0, 0, 0, 0)
    streams = b"strl" + _chunk(b"strh", stream) + _chunk(b"strf", picture)
    return _chunk(b"LIST", b"hdrl" + _chunk(b"avih", main) + _chunk(b"LIST", streams))


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data
