"""The long-running agent as a real process: starts, serves, follows the province, stops."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from client_agent.agent import open_agent
from client_agent.run import phase_s
from protocol.times import to_ms
from tests.client_agent.conftest import make_terminal
from tests.client_agent.repository import HOUR_MS

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        return listening.getsockname()[1]


@contextmanager
def running(data: Path, port: int, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(
        [sys.executable, "-m", "client_agent", "run", "--data", str(data), "--port", str(port), *more],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        yield child
    finally:
        if child.poll() is None:
            child.kill()
        child.communicate(timeout=10)


def eventually(true: Callable[[], object], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "never came true"
        time.sleep(0.05)


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


@pytest.fixture
def today(province):
    province.now_ms = to_ms(datetime.now(UTC)) - HOUR_MS
    return province


def test_a_running_agent_follows_the_province_and_ends_at_once(tmp_path, today, source):
    film = today.release("冬小麦返青管理")
    today.frame([film.item(today.now_ms + 3 * HOUR_MS)])
    today.network([source.url])
    today.publish(hours=0)
    data = tmp_path / "terminal"
    make_terminal(data, today, [source.url]).close()
    port = free_port()
    with open_agent(data) as seen, running(data, port, "--poll", "0.3") as child:
        eventually(lambda: answers(port))
        eventually(lambda: seen.guide.playable(film.sha256))
        new = today.release("新节目")
        today.frame([new.item(today.now_ms + 3 * HOUR_MS)])
        today.publish(hours=0.1)
        eventually(lambda: seen.guide.playable(new.sha256))
        assert "tuf" not in (Path("/proc") / str(child.pid) / "maps").read_text()
        before = time.monotonic()
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 0
        assert time.monotonic() - before < 3


def test_a_stored_byte_that_flips_while_running_is_fetched_again(tmp_path, today, source):
    film = today.release("冬小麦返青管理")
    today.frame([film.item(today.now_ms + 3 * HOUR_MS)], library=[film.entry()])
    today.network([source.url])
    today.publish(hours=0)
    data = tmp_path / "terminal"
    make_terminal(data, today, [source.url]).close()
    port = free_port()
    with open_agent(data) as seen, running(data, port, "--poll", "0.3"):
        eventually(lambda: answers(port))
        eventually(lambda: seen.guide.playable(film.sha256))
        path = seen.paths.media / film.manifest.renditions[0].sha256
        with path.open("r+b") as file:
            file.seek(1_500_000)
            file.write(b"forged")
        play = f"http://127.0.0.1:{port}/media/{film.sha256}/360p.mp4"
        got = b""
        with urllib.request.urlopen(play, timeout=10) as answer:
            try:
                got = answer.read()
            except OSError:
                pass
            except Exception as error:  # noqa: BLE001 - http.client's IncompleteRead: the connection ended early
                got = getattr(error, "partial", b"")
        assert film.data.startswith(got)
        assert len(got) < len(film.data)
        eventually(lambda: path.read_bytes() == film.data)


def test_a_taken_port_is_one_clear_line(tmp_path, today, source):
    data = tmp_path / "terminal"
    make_terminal(data, today, [source.url]).close()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with running(data, port) as child:
            _, errors = child.communicate(timeout=30)
    assert child.returncode == 2
    assert str(port) in errors.decode()
    assert len(errors.decode().splitlines()) == 1


def test_terminals_poll_at_their_own_phase():
    phases = [phase_s(f"terminal-{number}", 60) for number in range(1000)]
    assert all(0 <= phase < 60 for phase in phases)
    assert 20 < sum(phases) / len(phases) < 40
    assert phase_s("a", 60) == phase_s("a", 60)
