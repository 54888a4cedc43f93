"""Keeps a handful of child processes running, and ends them all together.

A child that dies is started again, with a growing pause. Every child dies with us, even when we are killed outright
(Linux: PR_SET_PDEATHSIG), so that no port stays taken.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

log = logging.getLogger(__name__)

STOP_PATIENCE_S = 6.0
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """``preexec_fn`` of a child that must not outlive us; for processes without threads."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Child:
    """A process we keep alive; its output goes to ``log``."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path
    started: subprocess.Popen[bytes] | None = None
    pause_s: float = FIRST_PAUSE_S
    not_before: float = 0.0
    restarts: int = field(default=0)

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.started = subprocess.Popen(
                self.argv,
                env=dict(self.env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 -- we have no threads when children start
            )

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process last started."""
        assert self.started is not None, f"{self.name} was never started"
        return self.started

    @property
    def alive(self) -> bool:
        return self.started is not None and self.started.poll() is None


class Supervisor:
    """Starts children in order and watches them."""

    def __init__(self) -> None:
        self.children: list[Child] = []

    def add(self, child: Child) -> Child:
        child.start()
        self.children.append(child)
        return child

    def check(self) -> None:
        """Start again what has died; call it often."""
        now = time.monotonic()
        for child in self.children:
            if child.alive or now < child.not_before:
                continue
            if child.not_before == 0.0:
                log.warning(
                    "%s ended with status %s; starting it again", child.name, child.process.returncode
                )
                child.not_before = now + child.pause_s
                child.pause_s = min(child.pause_s * 2, LONGEST_PAUSE_S)
                continue
            child.not_before = 0.0
            child.restarts += 1
            child.start()

    def watch(self, is_stopping: Callable[[], bool], every_s: float = 0.2) -> None:
        """Keep everything running until it is time to stop."""
        while not is_stopping():
            self.check()
            time.sleep(every_s)

    def stop(self) -> None:
        """End all children: ask, wait, then kill whole groups."""
        running = [child for child in reversed(self.children) if child.alive]
        for child in running:
            child.process.terminate()
        deadline = time.monotonic() + STOP_PATIENCE_S
        while time.monotonic() < deadline and any(child.alive for child in running):
            time.sleep(0.05)
        for child in running:
            try:
                os.killpg(child.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for child in running:
            child.process.wait()
