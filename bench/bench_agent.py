"""What a station's agent costs a small machine: memory, start, and processor time while nothing happens.

A real province is brought up, a station enrolled and synchronised; then the agent runs as in a village, its TV page
is loaded once, and nothing is asked of it while it is measured. Its polls of the province go on.
"""

from __future__ import annotations

import json
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from bench import processes, tv_page
from protocol.pieces import piece_layer_of

BASELINE = "a bare Python process that serves one page with the standard library's ThreadingHTTPServer; for the TV, an empty page"
LIMITS = {
    "rss_mb": 45.0,
    "start_s": 1.5,
    "idle_cpu_percent": 1.0,
    "rss_mb_after_1h": 60.0,
    "download_rss_mb": 60.0,
    "tv_key_to_focus_ms": 100.0,
}

VILLAGE = "130123105201"
STARTS = 5
SETTLE_S = 5.0
IDLE_S = 30.0
SOAK_POLLS = 60
SOAK_POLL_S = 0.5
"""An hour's polls of the province and questions of the page, in half a minute: memory follows what is done, not time."""
SOAK_STATES = 1_800
DOWNLOAD_MB = 128


def run() -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="yuanbo-bench-") as name, province(Path(name)) as ready:
        folder = Path(name)
        enrol(folder, ready)
        tv = free_ports(1)
        command = [sys.executable, str(processes.ROOT / "yuanbo"), "agent", "run"]
        command += ["--data", str(folder / "agent"), "--port", str(tv)]
        ours = measure(command, f"http://127.0.0.1:{tv}/", folder / "agent.log")
        soaked = soak([*command, "--poll", str(SOAK_POLL_S)], f"http://127.0.0.1:{tv}/", folder / "soak.log")
        downloaded = download(folder)
        bare_port = free_ports(1)
        bare = measure(
            processes.bare_server(bare_port), f"http://127.0.0.1:{bare_port}/", folder / "bare.log"
        )
    ours |= {"rss_mb_after_1h": soaked, "download_rss_mb": downloaded}
    screen = tv_page.run(free_ports(1))
    return {**ours, **{f"baseline_{name}": number for name, number in bare.items()}, **screen}


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


def soak(command: list[str], page: str, log: Path) -> float:
    """Resident memory after an hour's work done in a row: polls of the province and questions of the TV page."""
    process = processes.start(command, processes.environment(), log)
    try:
        processes.wait_for(lambda: processes.answers(page), page)
        until = time.monotonic() + SOAK_POLLS * SOAK_POLL_S
        for _ in range(SOAK_STATES):
            processes.answers(page + "api/state")
        while time.monotonic() < until:
            time.sleep(SOAK_POLL_S)
        return round(processes.rss_mb(process.pid), 1)
    finally:
        processes.stop(process)


DOWNLOAD = """
import sys, threading, json
from pathlib import Path
import client_agent.run
from client_agent.config import AgentPaths
from client_agent.database import Database
from client_agent.downloader import Downloader
from client_agent.fetch import Http
from client_agent.line import Line
from client_agent.planner import Wanted
from client_agent.sources import Sources
from client_agent.store import Store
folder, sha256, length, root, url = sys.argv[1:]
paths = AgentPaths(Path(folder)); paths.prepare()
database = Database(paths.database)
store = Store(paths, database, lambda: 0)
wanted = Wanted(sha256, int(length), root, "r", "t", "video", 0, True)
done = Downloader(store, Http(), Sources(database, [url], lambda: 0), Line(database, "13", lambda: 0)).fetch([wanted], set())
assert done.files == 1, done
status = Path("/proc/self/status").read_text()
print(next(int(line.split()[1]) * 1024 / 1e6 for line in status.splitlines() if line.startswith("VmHWM:")))
"""


def download(folder: Path) -> float:
    """The most memory that an agent's process takes while a long programme is fetched and verified."""
    data = random.Random(1).randbytes(DOWNLOAD_MB * 2**20)
    layer = piece_layer_of(data)
    for name, content in ((f"m/{layer.sha256}", data), (f"p/{layer.root}", layer.layer)):
        path = folder / "made" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    handler = partial(_Ranges, folder / "made")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as source:
        threading.Thread(target=source.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{source.server_address[1]}"
        place = [str(folder / "fetching"), layer.sha256, str(len(data)), layer.root, url]
        try:
            return round(float(said(["-c", DOWNLOAD, *place], processes.environment())), 1)
        finally:
            source.shutdown()


class _Ranges(BaseHTTPRequestHandler):
    """Files of one folder, whole or by one range."""

    protocol_version = "HTTP/1.1"

    def __init__(self, folder: Path, *rest: Any) -> None:
        self._folder = folder
        super().__init__(*rest)

    def do_GET(self) -> None:
        path = self._folder / self.path.lstrip("/")
        length = path.stat().st_size
        asked = self.headers.get("Range", f"bytes=0-{length - 1}").removeprefix("bytes=").split("-")
        start, end = int(asked[0]), int(asked[1]) + 1
        with path.open("rb") as file:
            file.seek(start)
            body = file.read(end - start)
        self.send_response(206 if "Range" in self.headers else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Range", f"bytes {start}-{end - 1}/{length}")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Quiet."""


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
