"""Making clips with the ffmpeg that the platform uses."""

from __future__ import annotations

import subprocess
from pathlib import Path

from server.transcode.ffmpeg import find_binaries


def ffmpeg(*words: str | Path) -> None:
    """Run ffmpeg for a fixture; its complaint is the test's."""
    argv = [str(find_binaries().ffmpeg), "-nostdin", "-v", "error", "-y", *map(str, words)]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
