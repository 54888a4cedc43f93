"""Frames and music into one MP4, as an editor's camera or cutting program would hand it over.

The frames go through a named pipe: nothing large touches the disk, and ffmpeg's own input stays closed.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from io import RawIOBase
from pathlib import Path

from PIL import Image

from server.console.films.art import HEIGHT, WIDTH
from server.console.films.motion import FPS
from server.transcode.errors import TranscodeError
from server.transcode.ffmpeg import find_binaries
from server.transcode.runner import Limits, run

LIMITS = Limits(deadline_s=300, cpu_s=240)
OPEN_WITHIN_S = 30
_RETRY_S = 0.02


class FilmNotMade(Exception):
    """ffmpeg could not write a demonstration film; the message is what it said."""


def write_film(frames: Iterator[Image.Image], music: Path, folder: Path) -> Path:
    """An MP4 in `folder` from frames of WIDTH × HEIGHT and a WAV.

    Raises FilmNotMade with ffmpeg's own words.
    """
    pipe, target = folder / "frames", folder / "film.mp4"
    os.mkfifo(pipe, 0o600)
    tool = _Tool(_argv(pipe, music, target), folder)
    try:
        tool.start()
        _feed(pipe, frames, tool)
        tool.finish()
    finally:
        tool.stop()
    return target


def _argv(pipe: Path, music: Path, target: Path) -> list[str]:
    return [
        "-hide_banner", "-nostdin", "-v", "error", "-y",
        "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS), "-i", str(pipe),
        "-i", str(music),
        "-vf", "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p",
        "-c:v", "libx264", "-preset", "superfast", "-crf", "20", "-threads", "2", "-g", str(2 * FPS),
        "-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709", "-color_range", "tv",
        "-c:a", "aac", "-b:a", "128k", "-ar", "48000", "-ac", "2",
        "-map_metadata", "-1", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact",
        "-shortest", "-movflags", "+faststart", str(target),
    ]  # fmt: skip


class _Tool:
    """ffmpeg at work on a thread of its own, confined to one folder."""

    def __init__(self, arguments: list[str], folder: Path) -> None:
        self._arguments = arguments
        self._folder = folder
        self._stopped = threading.Event()
        self._failure: TranscodeError | None = None
        self._thread = threading.Thread(target=self._run, name="film-encoder")

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        try:
            run(
                [str(find_binaries().ffmpeg), *self._arguments],
                limits=LIMITS,
                cwd=self._folder,
                reads=[self._folder],
                writes=[self._folder],
                is_cancelled=self._stopped.is_set,
            )
        except TranscodeError as error:
            self._failure = error

    def running(self) -> bool:
        return self._thread.is_alive()

    def finish(self) -> None:
        """Wait for the end. Raises FilmNotMade when it ended badly."""
        self._thread.join()
        if self._failure is not None:
            raise FilmNotMade(str(self._failure)) from self._failure

    def stop(self) -> None:
        self._stopped.set()
        if self.running():
            self._thread.join()


def _feed(pipe: Path, frames: Iterator[Image.Image], tool: _Tool) -> None:
    """Hand every frame to the tool; stop quietly when it is gone, `finish` says why."""
    try:
        with open(_opened(pipe, tool), "wb", buffering=0) as sink:
            last: Image.Image | None = None
            pixels = b""
            for frame in frames:
                if frame is not last:
                    last, pixels = frame, frame.tobytes()
                _write_all(sink, pixels)
    except BrokenPipeError:
        return


def _write_all(sink: RawIOBase, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[sink.write(rest) or 0 :]


def _opened(pipe: Path, tool: _Tool) -> int:
    """The pipe's writing end, once the tool reads. Raises BrokenPipeError when it never will."""
    deadline = time.monotonic() + OPEN_WITHIN_S
    while tool.running() and time.monotonic() < deadline:
        try:
            handle = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            time.sleep(_RETRY_S)
            continue
        os.set_blocking(handle, True)
        return handle
    raise BrokenPipeError
