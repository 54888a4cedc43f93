"""nginx with the files of deploy/nginx, as real processes on free ports."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NGINX_MAIN = """\
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log notice;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {site};
}}
"""


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Nginx:
    """A running nginx with one site."""

    def __init__(self, folder: Path, site: str, changes: dict[str, str]) -> None:
        self._folder = folder
        text = (ROOT / "deploy" / "nginx" / site).read_text("utf-8")
        for ours, here in changes.items():
            assert ours in text, f"{site} no longer says {ours}"
            text = text.replace(ours, here)
        (folder / site).write_text(text)
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(NGINX_MAIN.format(user=user, folder=folder, site=folder / site))
        program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
        assert program, "nginx is not on PATH: apt install nginx-light"
        command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf")]
        said = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
        assert said.returncode == 0, said.stderr
        assert "[warn]" not in said.stderr, said.stderr
        self._process = subprocess.Popen([*command, "-g", "daemon off;"], stdin=subprocess.DEVNULL)

    def wait_for(self, port: int) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                assert ask(port, "/healthz").status == 200
                return
            except OSError:
                assert time.monotonic() < deadline, (self._folder / "error.log").read_text()
                time.sleep(0.05)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)


def ask(port: int, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(
            method, path, body=body, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


@pytest.fixture
def start_nginx(tmp_path: Path) -> Iterator[Callable[..., Nginx]]:
    """`start_nginx("relay.conf", port, changes)` returns when it answers; all are stopped at the end."""
    running: list[Nginx] = []

    def start(site: str, port: int, changes: dict[str, str]) -> Nginx:
        folder = tmp_path / f"nginx-{len(running)}"
        folder.mkdir()
        server = Nginx(folder, site, changes)
        running.append(server)
        server.wait_for(port)
        return server

    yield start
    for server in running:
        server.stop()


@pytest.fixture(name="ask")
def ask_fixture() -> Callable[..., Answer]:
    """`ask(port, path, method="GET", body=None, **headers)` over plain HTTP."""
    return ask
