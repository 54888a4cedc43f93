"""Figures of a running process, read from /proc, and small programs to compare with."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import urllib3

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 120.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")

BARE_SERVER = """
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "2"); self.end_headers(); self.wfile.write(b"ok")
    def log_message(self, *a): pass
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
"""


class Unmeasurable(Exception):
    """What was to be measured did not come up; the message says what was waited for."""


def environment(**more: str) -> dict[str, str]:
    """A clean environment: no settings of another installation, and compiled modules may be kept, as in the field."""
    dropped = ("PYTHONDONTWRITEBYTECODE",)
    kept = {k: v for k, v in os.environ.items() if not k.startswith("YUANBO_") and k not in dropped}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def start(arguments: Sequence[str], env: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            arguments, env=dict(env), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )


def stop(process: subprocess.Popen[bytes], patience_s: float = 20) -> None:
    process.terminate()
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for(condition: Callable[[], bool], what: str, pause_s: float = 0.1) -> None:
    """Until CONDITION holds. Raises Unmeasurable."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise Unmeasurable(f"waited in vain for {what}")
        time.sleep(pause_s)


def answers(url: str) -> bool:
    """Whether URL answers 200 now."""
    try:
        return urllib3.request("GET", url, timeout=2, retries=False).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def seconds_to_answer(arguments: Sequence[str], url: str, env: Mapping[str, str], log: Path) -> float:
    """Start a program, take the time until URL answers, and stop it."""
    started = time.perf_counter()
    process = start(arguments, env, log)
    try:
        wait_for(lambda: answers(url), url, pause_s=0.01)
        return time.perf_counter() - started
    finally:
        stop(process)


def rss_mb(pid: int) -> float:
    """Resident memory of one process, in units of a million bytes."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    kib = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
    return kib * 1024 / 1e6


def cpu_s(pid: int) -> float:
    """Processor time that a process and its ended children have used."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / TICKS_PER_S


def bare_server(port: int) -> list[str]:
    """The command line of the smallest Python process that serves a page."""
    return [sys.executable, "-c", BARE_SERVER, str(port)]
