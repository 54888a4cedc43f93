"""Real processes for journeys: `up`, the command line, an agent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 120


def environment(**more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("YUANBO_")}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **more}


def wait_until(condition: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """The first true answer; the test fails with what it waited for."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"waited {patience_s:.0f} s in vain for {what}")


@dataclass
class Command:
    """What a command of the command line answered."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.status == 0, f"exit {self.status}: {self.err}"
        return json.loads(self.out)


@dataclass
class Province:
    """An installation brought up by `up` in a folder of its own."""

    data: Path
    port: int
    arguments: tuple[str, ...] = ("--no-demo",)
    process: subprocess.Popen[bytes] | None = None
    ready: dict[str, Any] = field(default_factory=dict)

    def start(self, patience_s: float = PATIENCE_S) -> None:
        """Bring it up and wait until it is ready."""
        self.launch()
        self.ready = json.loads(wait_until(self._is_ready, "ready.json", patience_s))

    def launch(self) -> None:
        """Start `up` without waiting for anything."""
        (self.data / "ready.json").unlink(missing_ok=True)  # one left by a kill says nothing about this run
        log = (self.data.parent / "up.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "server.cli", "up", "--data", str(self.data), "--port", str(self.port), *self.arguments],
            env=environment(),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )  # fmt: skip

    def _is_ready(self) -> str | None:
        assert self.process is not None
        assert self.process.poll() is None, (self.data.parent / "up.log").read_text("utf-8")
        path = self.data / "ready.json"
        return path.read_text("utf-8") if path.exists() else None

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it and return the exit status; everything is gone within ten seconds."""
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(timeout=10)

    def token(self, role: str) -> str:
        return next(a["token"] for a in self.ready["accounts"] if a["role"] == role)

    def command(self, role: str, *words: str) -> Command:
        """A `yuanbo` command against this server with a role's token."""
        env = environment(YUANBO_SERVER=self.ready["console"], YUANBO_TOKEN=self.token(role))
        return run_command("server.cli", *words, env=env)

    def get(self, role: str, path: str, **fields: str) -> Any:
        response = urllib3.request(
            "GET",
            self.ready["api"] + path,
            fields=fields,
            headers={"Authorization": f"Bearer {self.token(role)}"},
        )
        assert response.status == 200, response.data
        return response.json()


def run_command(module: str, *words: str, env: dict[str, str] | None = None) -> Command:
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        env=env or environment(),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return Command(done.returncode, done.stdout.decode(), done.stderr.decode())
