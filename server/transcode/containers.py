"""What a container's header says of the file's own size: where ffprobe believes the end it finds, we do not."""

from __future__ import annotations

from pathlib import Path

_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_UNKNOWN_RIFF_SIZES = (0, 0xFFFFFFFF, 0x7FFFFFFF)


def declared_size(head: bytes) -> int | None:
    """The size in bytes that the first 64 KiB of a RIFF (AVI, WAV) or ASF (WMV, WMA) file declare; else None."""
    if head[:4] == b"RIFF":
        size = int.from_bytes(head[4:8], "little")
        return None if size in _UNKNOWN_RIFF_SIZES or size >= 0xFFFFFF00 else size + 8
    if head[:16] == _ASF_HEADER:
        start = head.find(_ASF_FILE_PROPERTIES)
        if start > 0 and len(head) >= start + 48:
            return int.from_bytes(head[start + 40 : start + 48], "little") or None
    return None


def is_cut_off(path: Path) -> bool:
    """Whether the file is clearly shorter than its header declares (a last byte of padding may be missing)."""
    with path.open("rb") as file:
        size = declared_size(file.read(64 * 1024))
    return size is not None and path.stat().st_size + 16 < size
