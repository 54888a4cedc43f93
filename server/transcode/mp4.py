"""One MP4 that serves HLS byte ranges and plain playback alike.

ffmpeg's hybrid mode leaves a file whose first half-sentence is a long ``mdat``: inside it lies a fragmented movie
(``ftyp moov (moof mdat)…``), behind it a complete ``moov`` that indexes the same samples. We move that tail behind
the first ``ftyp`` (adding its size to every chunk offset), so that a plain player starts at once, and write a
playlist whose map and segments are byte ranges of the inner movie. ISO/IEC 14496-12; RFC 8216.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from protocol.pieces import PieceHasher, PieceLayer
from server.transcode.errors import OutputBroken

SEGMENT_S = 6.0
"""Fragments (2 s each) are grouped into segments of about this length."""
_CHUNK = 1024 * 1024
_CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
_MAX_32 = 2**32 - 1


@dataclass(frozen=True)
class Box:
    """A box at ``start`` with its header of ``header`` bytes; it ends before ``end``."""

    kind: bytes
    start: int
    header: int
    end: int

    @property
    def body(self) -> int:
        return self.start + self.header

    @property
    def size(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class Span:
    """Bytes ``start`` to ``start + length`` of the finished file."""

    start: int
    length: int


@dataclass(frozen=True)
class Fragment:
    """One ``moof`` with its ``mdat``, and the time of its first picture in seconds."""

    span: Span
    time_s: float


@dataclass(frozen=True)
class Finished:
    """The finished file and what its playlist needs. Offsets are those of the finished file."""

    path: Path
    hashes: PieceLayer
    header: Span
    fragments: tuple[Fragment, ...]
    duration_s: float


def boxes(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    """The boxes between two offsets. Raises OutputBroken where they do not fit."""
    while start < end:
        file.seek(start)
        head = file.read(16)
        if len(head) < 8:
            raise OutputBroken("an MP4 box is cut off")
        size, kind, header = int.from_bytes(head[:4], "big"), head[4:8], 8
        if size == 1:
            size, header = int.from_bytes(head[8:16], "big"), 16
        elif size == 0:
            size = end - start
        if size < header or start + size > end:
            raise OutputBroken(f"an MP4 box {kind!r} does not fit")
        yield Box(kind, start, header, start + size)
        start += size


def _find(found: Sequence[Box], kind: bytes) -> Box:
    for box in found:
        if box.kind == kind:
            return box
    raise OutputBroken(f"an MP4 box {kind!r} is missing")


def finish(muxed: Path, finished: Path) -> Finished:
    """Write ``finished`` from ffmpeg's hybrid file, hashing while writing; its bytes are on disk on return.

    Raises OutputBroken when ``muxed`` is not of the expected shape.
    """
    with muxed.open("rb") as source:
        size = source.seek(0, os.SEEK_END)
        top = list(boxes(source, 0, size))
        if [box.kind for box in top if box.kind != b"free"] != [b"ftyp", b"mdat", b"moov"]:
            raise OutputBroken("the muxed file is not a hybrid MP4")
        first, movie, tail = _find(top, b"ftyp"), _find(top, b"mdat"), _find(top, b"moov")
        source.seek(tail.start)
        moved = shift_chunk_offsets(source.read(tail.size))
        hasher = PieceHasher()
        with finished.open("wb") as target:
            for part in (_span(source, 0, first.end), iter([moved]), _span(source, first.end, tail.start)):
                for chunk in part:
                    hasher.update(chunk)
                    target.write(chunk)
            target.flush()
            os.fsync(target.fileno())
        header, fragments, duration_s = _index(source, movie, len(moved))
    return Finished(finished, hasher.finish(), header, fragments, duration_s)


def _span(source: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    source.seek(start)
    while start < end:
        chunk = source.read(min(_CHUNK, end - start))
        if not chunk:
            raise OutputBroken("the muxed file ended early")
        start += len(chunk)
        yield chunk


def shift_chunk_offsets(moov: bytes) -> bytes:
    """The ``moov`` as it must read once it lies before the media: every chunk offset grows by its own new size.

    32-bit tables become 64-bit ones when an offset would not fit any more.
    """
    tables = list(_offset_tables(moov))
    largest = max((max(offsets, default=0) for _, _, offsets in tables), default=0)
    wide = {start: kind == b"co64" or largest + len(moov) * 2 > _MAX_32 for start, kind, _ in tables}
    grown = sum(4 * len(offsets) for start, kind, offsets in tables if wide[start] and kind == b"stco")
    shift = len(moov) + grown
    return _rebuild(moov, 0, len(moov), wide, shift)


def _offset_tables(moov: bytes) -> Iterator[tuple[int, bytes, list[int]]]:
    stack = [(0, len(moov))]
    while stack:
        start, end = stack.pop()
        while start < end:
            size, kind = struct.unpack_from(">I4s", moov, start)
            if kind in _CONTAINERS:
                stack.append((start + 8, start + size))
            elif kind in (b"stco", b"co64"):
                yield start, kind, _read_table(moov, start, kind)
            start += size


def _read_table(moov: bytes, start: int, kind: bytes) -> list[int]:
    count = struct.unpack_from(">I", moov, start + 12)[0]
    return list(struct.unpack_from(f">{count}{'I' if kind == b'stco' else 'Q'}", moov, start + 16))


def _rebuild(moov: bytes, start: int, end: int, wide: dict[int, bool], shift: int) -> bytes:
    out = bytearray()
    while start < end:
        size, kind = struct.unpack_from(">I4s", moov, start)
        if kind in _CONTAINERS:
            body = _rebuild(moov, start + 8, start + size, wide, shift)
            out += struct.pack(">I4s", len(body) + 8, kind) + body
        elif start in wide:
            offsets = [offset + shift for offset in _read_table(moov, start, kind)]
            letter, name = ("Q", b"co64") if wide[start] else ("I", b"stco")
            body = struct.pack(f">II{len(offsets)}{letter}", 0, len(offsets), *offsets)
            out += struct.pack(">I4s", len(body) + 8, name) + body
        else:
            out += moov[start : start + size]
        start += size
    return bytes(out)


def _index(source: BinaryIO, movie: Box, shift: int) -> tuple[Span, tuple[Fragment, ...], float]:
    """The inner movie's header and fragments, in offsets of the finished file, and its duration."""
    inner = list(boxes(source, movie.body, movie.end))
    header_end = _find(inner, b"moov").end
    track, timescale = _video_track(source, _find(inner, b"moov"))
    fragments: list[Fragment] = []
    end_time = 0
    for moof, mdat in zip(inner[2:-1:2], inner[3::2], strict=True):
        if (moof.kind, mdat.kind) != (b"moof", b"mdat"):
            raise OutputBroken("the inner movie's fragments are out of order")
        begins, lasts = _fragment_times(source, moof, track)
        end_time = begins + lasts
        fragments.append(Fragment(Span(moof.start + shift, mdat.end - moof.start), begins / timescale))
    header = Span(movie.body + shift, header_end - movie.body)
    return header, tuple(fragments), end_time / timescale


def _video_track(source: BinaryIO, moov: Box) -> tuple[int, int]:
    """Identifier and time scale of the picture's track."""
    for trak in (box for box in boxes(source, moov.body, moov.end) if box.kind == b"trak"):
        parts = list(boxes(source, trak.body, trak.end))
        media = list(boxes(source, _find(parts, b"mdia").body, _find(parts, b"mdia").end))
        if _bytes(source, _find(media, b"hdlr"))[8:12] == b"vide":
            tkhd, mdhd = _bytes(source, _find(parts, b"tkhd")), _bytes(source, _find(media, b"mdhd"))
            track = struct.unpack_from(">I", tkhd, 20 if tkhd[0] else 12)[0]
            return track, struct.unpack_from(">I", mdhd, 20 if mdhd[0] else 12)[0]
    raise OutputBroken("the muxed file has no picture")


def _bytes(source: BinaryIO, box: Box) -> bytes:
    source.seek(box.body)
    return source.read(box.end - box.body)


def _fragment_times(source: BinaryIO, moof: Box, track: int) -> tuple[int, int]:
    """First decoding time and total duration of a track in a fragment, in its time scale."""
    for traf in (box for box in boxes(source, moof.body, moof.end) if box.kind == b"traf"):
        parts = list(boxes(source, traf.body, traf.end))
        tfhd = _bytes(source, _find(parts, b"tfhd"))
        if struct.unpack_from(">I", tfhd, 4)[0] != track:
            continue
        tfdt = _bytes(source, _find(parts, b"tfdt"))
        begins = struct.unpack_from(">Q" if tfdt[0] else ">I", tfdt, 4)[0]
        default = _default_duration(tfhd)
        runs = [_bytes(source, box) for box in parts if box.kind == b"trun"]
        return begins, sum(_run_duration(run, default) for run in runs)
    raise OutputBroken("a fragment has no picture")


def _default_duration(tfhd: bytes) -> int:
    flags = int.from_bytes(tfhd[1:4], "big")
    if not flags & 0x8:
        return 0
    place = 8 + (8 if flags & 0x1 else 0) + (4 if flags & 0x2 else 0)
    return int(struct.unpack_from(">I", tfhd, place)[0])


def _run_duration(trun: bytes, default: int) -> int:
    flags = int.from_bytes(trun[1:4], "big")
    count = struct.unpack_from(">I", trun, 4)[0]
    if not flags & 0x100:
        return int(count * default)
    width = 4 * (flags & 0xF00).bit_count()
    place = 8 + (4 if flags & 0x1 else 0) + (4 if flags & 0x4 else 0)
    return sum(struct.unpack_from(">I", trun, place + width * sample)[0] for sample in range(count))


def playlist(finished: Finished, media: str) -> str:
    """The media playlist; ``media`` is how the file is called from where the playlist lies."""
    segments = _segments(finished)
    longest = max(length_s for _, length_s in segments)
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{int(longest + 0.5) or 1}",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f'#EXT-X-MAP:URI="{media}",BYTERANGE="{finished.header.length}@{finished.header.start}"',
    ]
    for span, length_s in segments:
        lines += [f"#EXTINF:{length_s:.5f},", f"#EXT-X-BYTERANGE:{span.length}@{span.start}", media]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


def _segments(finished: Finished) -> list[tuple[Span, float]]:
    """Fragments grouped to about SEGMENT_S, each with its length in seconds."""
    ends = [fragment.time_s for fragment in finished.fragments[1:]] + [finished.duration_s]
    segments: list[tuple[Span, float]] = []
    for fragment, end in zip(finished.fragments, ends, strict=True):
        length_s = end - fragment.time_s
        if segments and segments[-1][1] + length_s <= SEGMENT_S + 0.001:
            span, before_s = segments[-1]
            segments[-1] = (Span(span.start, span.length + fragment.span.length), before_s + length_s)
        else:
            segments.append((fragment.span, length_s))
    return segments
