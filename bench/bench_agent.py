"""What a station's agent costs a small machine: memory, start, and processor time while nothing happens.

A real province is brought up, a station enrolled and synchronised; then the agent runs as in a village, its TV page
is loaded once, and nothing is asked of it while it is measured. Its polls of the province go on.
"""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import processes

BASELINE = "a bare Python process that serves one page with the standard library's ThreadingHTTPServer"
LIMITS = {"rss_mb": 45.0, "start_s": 1.5, "idle_cpu_percent": 1.0}

VILLAGE = "130123105201"
STARTS = 5
SETTLE_S = 5.0
IDLE_S = 30.0


def run() -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="yuanbo-bench-") as name, province(Path(name)) as ready:
        folder = Path(name)
        enrol(folder, ready)
        tv = free_ports(1)
        command = [sys.executable, str(processes.ROOT / "yuanbo"), "agent", "run"]
        command += ["--data", str(folder / "agent"), "--port", str(tv)]
        ours = measure(command, f"http://127.0.0.1:{tv}/", folder / "agent.log")
        bare_port = free_ports(1)
        bare = measure(
            processes.bare_server(bare_port), f"http://127.0.0.1:{bare_port}/", folder / "bare.log"
        )
    return {**ours, **{f"baseline_{name}": number for name, number in bare.items()}}


def measure(command: list[str], page: str, log: Path) -> dict[str, float]:
    """Median start, then memory and processor time of one quiet run."""
    env = processes.environment()
    starts = [processes.seconds_to_answer(command, page, env, log) for _ in range(STARTS)]
    process = processes.start(command, env, log)
    try:
        processes.wait_for(lambda: processes.answers(page), page)
        time.sleep(SETTLE_S)
        before = processes.cpu_s(process.pid)
        time.sleep(IDLE_S)
        used = processes.cpu_s(process.pid) - before
        memory = processes.rss_mb(process.pid)
    finally:
        processes.stop(process)
    return {
        "rss_mb": round(memory, 1),
        "start_s": round(statistics.median(starts), 3),
        "idle_cpu_percent": round(100 * used / IDLE_S, 2),
    }


@contextmanager
def province(folder: Path) -> Iterator[dict[str, str]]:
    """A running province without a demo; what its ready.json says, with the administrator's token."""
    data = folder / "data"
    arguments = ["up", "--no-demo", "--data", str(data), "--port", str(free_ports(3))]
    process = processes.start(
        [sys.executable, "-m", "server.cli", *arguments], processes.environment(), folder / "up.log"
    )
    ready = data / "ready.json"
    try:
        processes.wait_for(lambda: ready.exists() or process.poll() is not None, "the province")
        if not ready.exists():
            raise processes.Unmeasurable((folder / "up.log").read_text("utf-8", "replace"))
        said = json.loads(ready.read_text("utf-8"))
        yield {"server": said["console"], "token": said["accounts"][0]["token"]}
    finally:
        processes.stop(process)


def enrol(folder: Path, ready: dict[str, str]) -> None:
    """Make a station, enrol an agent for it and let it synchronise once."""
    env = processes.environment(YUANBO_SERVER=ready["server"], YUANBO_TOKEN=ready["token"])
    words = ["-m", "server.cli", "station", "add", "--region", VILLAGE, "--name", "测量站点", "--json"]
    code = json.loads(said(words, env))["code"]
    agent = ["-m", "client_agent"]
    said([*agent, "enrol", "--server", ready["server"], "--code", code, "--data", str(folder / "agent")], env)
    said([*agent, "sync", "--data", str(folder / "agent"), "--json"], env)


def said(words: list[str], env: dict[str, str]) -> str:
    """The output of a Python command. Raises Unmeasurable with its complaint when it fails."""
    done = subprocess.run(
        [sys.executable, *words],
        env=env,
        cwd=processes.ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=processes.PATIENCE_S,
    )
    if done.returncode:
        raise processes.Unmeasurable(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def free_ports(count: int) -> int:
    """The first of COUNT ports in a row that nobody listens on."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            first: int = probe.getsockname()[1]
        if first + count < 65_536 and all(_is_free(first + step) for step in range(1, count)):
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
