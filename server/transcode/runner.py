"""Runs a media tool to its end: confined, drained, timed, cancellable; afterwards nothing of it is left."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import selectors
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO

from server.transcode.errors import Cancelled, ToolFailed, ToolTimedOut

log = logging.getLogger(__name__)

POLL_S = 0.25
GIB = 1024**3
_JAIL = Path(__file__).with_name("jail.py")
_LOG_BYTES_KEPT = 64 * 1024
JOURNAL = "tools.log"
JOURNAL_COMPLAINTS = 2_000
_OUTPUT_BYTES_KEPT = 16 * 1024 * 1024
_LIBRARY_PLACES = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/opt")
"""Where a dynamically linked ffmpeg finds its libraries; nothing of ours lies there."""

IsCancelled = Callable[[], bool]
OnLine = Callable[[str], None]


def never() -> bool:
    """The ``is_cancelled`` of work that nobody cancels."""
    return False


@dataclass(frozen=True)
class Limits:
    """What one run may use. ``deadline_s`` is wall time, ``cpu_s`` is summed over its threads."""

    deadline_s: float
    cpu_s: int
    address_space: int = 2 * GIB
    file_size: int = 4 * GIB
    open_files: int = 64


@dataclass(frozen=True)
class Finished:
    """A run that ended well: what it printed, what it complained of, how long it took."""

    stdout: str
    log: str
    wall_s: float


@dataclass
class _Output:
    """One pipe being drained: keeps the end, hands on whole lines."""

    keep: int
    on_line: OnLine | None = None
    kept: bytearray = field(default_factory=bytearray)
    pending: bytearray = field(default_factory=bytearray)

    def feed(self, chunk: bytes) -> None:
        if self.on_line is None:
            self.kept += chunk
            if len(self.kept) > 2 * self.keep:
                del self.kept[: -self.keep]
            return
        self.pending += chunk
        *lines, rest = self.pending.split(b"\n")
        self.pending = bytearray(rest)
        for line in lines:
            self.on_line(line.decode("utf-8", "replace").strip())

    def text(self) -> str:
        return bytes(self.kept[-self.keep :]).decode("utf-8", "replace")


@cache
def protections() -> dict[str, bool | int]:
    """Which protections this machine offers, found out once by a process that tries them."""
    answer = subprocess.run(
        [sys.executable, "-I", "-S", str(_JAIL), "--probe"],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False,
    )  # fmt: skip
    found: dict[str, bool | int] = json.loads(answer.stdout) if answer.returncode == 0 else {}
    return {"landlock": False, "landlock_abi": 0, "no_network": False, **found}


def describe_protections() -> str:
    """One line for the log at start."""
    found = protections()
    landlock = f"Landlock (ABI {found['landlock_abi']})" if found["landlock"] else "NO Landlock"
    network = "no network" if found["no_network"] else "network NOT taken away"
    return f"media tools run with resource limits, {landlock}, {network}"


def _confined(
    argv: Sequence[str], limits: Limits, reads: Sequence[Path], writes: Sequence[Path]
) -> list[str]:
    spec = {
        "cpu_s": limits.cpu_s,
        "address_space": limits.address_space,
        "file_size": limits.file_size,
        "open_files": limits.open_files,
        "read": [argv[0], *_LIBRARY_PLACES, *(str(path.resolve()) for path in reads)],
        "write": [str(path.resolve()) for path in writes],
        "parent": os.getpid(),
    }
    return [sys.executable, "-I", "-S", str(_JAIL), json.dumps(spec), *argv]


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to the whole group: ffmpeg ignores SIGTERM for seconds."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def run(
    argv: Sequence[str],
    *,
    limits: Limits,
    cwd: Path,
    reads: Sequence[Path] = (),
    writes: Sequence[Path] = (),
    on_line: OnLine | None = None,
    is_cancelled: IsCancelled = never,
) -> Finished:
    """Run ``argv`` (an absolute path first) to its end in ``cwd``.

    ``on_line`` is given each line of its standard output, which is then not kept.

    Raises ToolFailed on a non-zero exit, ToolTimedOut after ``limits.deadline_s``, Cancelled within a quarter of a
    second of ``is_cancelled`` turning true (or whatever ``is_cancelled`` raises). In every case its whole process
    group is gone.
    """
    started = time.monotonic()
    told = "…"
    process = subprocess.Popen(
        _confined(argv, limits, reads, writes),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        cwd=cwd, start_new_session=True, env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    out, err = _Output(_OUTPUT_BYTES_KEPT, on_line), _Output(_LOG_BYTES_KEPT)
    try:
        _drain(process, out, err, started + limits.deadline_s, is_cancelled)
        returncode = process.wait(timeout=5)
        told = f"exit {returncode}"
    except subprocess.TimeoutExpired as error:
        raise ToolTimedOut from error
    except ToolTimedOut:
        told = f"killed after {limits.deadline_s:.0f} s"
        raise
    finally:
        kill_group(process)
        _write_journal(cwd, argv, f"{told}, {time.monotonic() - started:.1f} s", err.text())
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe:
                pipe.close()
    if returncode != 0:
        raise ToolFailed(argv, returncode, err.text())
    return Finished(out.text(), err.text(), time.monotonic() - started)


def _write_journal(folder: Path, argv: Sequence[str], told: str, complaints: str) -> None:
    """Add a run to the folder's journal, which a technician reads: the command, how it ended, what it complained of."""
    command = shlex.join([argv[0].rsplit("/", 1)[-1], *argv[1:]])
    text = f"$ {command}\n{complaints[-JOURNAL_COMPLAINTS:].strip()}\n[{told}]\n"
    with contextlib.suppress(OSError), (folder / JOURNAL).open("a") as journal:
        journal.write(text)


def _drain(
    process: subprocess.Popen[bytes], out: _Output, err: _Output, deadline: float, is_cancelled: IsCancelled
) -> None:
    """Read both pipes until both are closed, looking up every POLL_S."""
    with selectors.DefaultSelector() as selector:
        for pipe, output in ((process.stdout, out), (process.stderr, err)):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            selector.register(pipe, selectors.EVENT_READ, output)
        next_poll = time.monotonic() + POLL_S
        while selector.get_map():
            for key, _ in selector.select(POLL_S):
                _read_some(selector, key)
            now = time.monotonic()
            if now >= deadline:
                raise ToolTimedOut
            if now >= next_poll:
                next_poll = now + POLL_S
                if is_cancelled():
                    raise Cancelled


def _read_some(selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    pipe: IO[bytes] = key.fileobj  # type: ignore[assignment]
    chunk = os.read(pipe.fileno(), 1 << 16)
    if chunk:
        key.data.feed(chunk)
    else:
        selector.unregister(pipe)
