"""A line that cuts, drips, lies and repeats: what gets through is right, and a pass always ends."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

import pytest

from client_agent.errors import AgentError
from client_agent.sync import sync_once
from tests.client_agent import faults
from tests.client_agent.conftest import make_terminal
from tests.client_agent.repository import Source
from tests.client_agent.test_kill import assert_only_verified
from tests.client_agent.test_refresh import publish_something

HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 21\r\n\r\n<html>welcome</html>\n"


class Proxy:
    """Between terminal and source, byte by byte: each answer may be cut at byte k, drip, be doubled, have one byte
    flipped, be a captive portal's page, or never come."""

    def __init__(self, upstream: int, draw, share: float) -> None:
        self._upstream = upstream
        self._draw = draw
        self._share = share
        self._lock = threading.Lock()
        self.faults = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                taken, _ = self._listening.accept()
                threading.Thread(target=self._carry, args=(taken,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        """One request, one answer, then the connection ends."""
        with near, suppress(OSError):
            near.settimeout(10)
            request = b""
            while b"\r\n\r\n" not in request:
                if not (got := near.recv(65_536)):
                    return
                request += got
            with socket.create_connection(("127.0.0.1", self._upstream), timeout=10) as far:
                far.sendall(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
                answer = b""
                while got := far.recv(1 << 20):
                    answer += got
                    head, _, body = answer.partition(b"\r\n\r\n")
                    length = next(
                        (
                            int(line[15:])
                            for line in head.split(b"\r\n")
                            if line.lower().startswith(b"content-length:")
                        ),
                        0,
                    )
                    if len(body) >= length and b"\r\n\r\n" in answer:
                        break
            self._give(near, answer)

    def _give(self, near: socket.socket, answer: bytes) -> None:
        with self._lock:
            kind = (
                self._draw.choice(["cut", "drip", "double", "flip", "html", "lost"])
                if self._draw.random() < self._share
                else ""
            )
            place = self._draw.randrange(len(answer))
            self.faults += bool(kind)
        if kind == "cut":
            answer = answer[:place]
        elif kind == "double":
            answer += answer
        elif kind == "flip":
            answer = answer[:place] + bytes([answer[place] ^ 0x20]) + answer[place + 1 :]
        elif kind == "html":
            answer = HTML
        elif kind == "lost":
            return
        elif kind == "drip":
            for byte in answer[:20]:
                near.sendall(bytes([byte]))
                time.sleep(0.005)
            answer = answer[20:]
        near.sendall(answer)

    def close(self) -> None:
        self._listening.close()


@pytest.mark.parametrize("share", [0.1, 0.25])
def test_behind_a_hostile_proxy_nothing_wrong_is_stored_and_in_the_end_everything_is_there(
    tmp_path, province, machine, share
):
    draw = faults.drawn(f"proxy {share}")
    with Source(province.folder) as source:
        film, _ = publish_something(province, source)
        province.network([source.url])
        proxy = Proxy(int(source.url.rpartition(":")[2]), draw, share)
        with make_terminal(tmp_path / "terminal", province, [proxy.url], machine) as agent:
            for _ in range(40):
                # The signed network document names the source itself: only the proxy is to be asked here.
                agent.database.execute("UPDATE identity SET read = ?", (f'["{proxy.url}"]',))
                with suppress(AgentError):
                    sync_once(agent)
                assert_only_verified(agent, film)
                machine.pass_time(20 * 60_000)
                if agent.store.is_complete(film.manifest.renditions[0].sha256):
                    break
            name = film.manifest.renditions[0].sha256
            assert agent.store.open(name).read(0, len(film.data)) == film.data
        proxy.close()
    assert proxy.faults
