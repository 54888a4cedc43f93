"""The read plane through real nginx: province and relay, ranges, caching, and a province that is away."""

from __future__ import annotations

import hashlib
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

MIB = 1024 * 1024
MEDIA = os.urandom(2 * MIB + 123)
MEDIA_NAME = hashlib.sha256(MEDIA).hexdigest()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with one publication's files and one rendition."""
    data = tmp_path / "data"
    for folder in ("read/r/metadata", "read/r/targets/frame", "media/m", "media/p"):
        (data / folder).mkdir(parents=True)
    (data / "read/r/metadata/timestamp.json").write_text('{"version": 1}')
    (data / "read/r/metadata/1.root.json").write_text('{"root": 1}')
    (data / "read/r/targets/frame/ab.13.json").write_text('{"frame": 1}')
    (data / "media/m" / MEDIA_NAME).write_bytes(MEDIA)
    (data / "media/p" / ("a" * 64)).write_bytes(b"\0" * 96)
    (data / "secret").write_text("not for the world")
    return data


class ConsoleStandIn(BaseHTTPRequestHandler):
    """Stands where gunicorn stands; says what reached it."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = f"{self.path} {len(body)} {self.headers['X-Forwarded-For']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def console_port():
    server = ThreadingHTTPServer(("127.0.0.1", 0), ConsoleStandIn)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def ports(free_ports) -> tuple[int, int, int]:
    """Read plane, console's front, relay."""
    return free_ports, free_ports + 1, free_ports + 2


@pytest.fixture
def province(start_nginx, data, ports, console_port):
    read, front, _ = ports
    changes = {
        "listen 8081;": f"listen 127.0.0.1:{read};",
        "listen 80;": f"listen 127.0.0.1:{front};",
        "127.0.0.1:8080": f"127.0.0.1:{console_port}",
        "/var/lib/yuanbo": str(data),
    }
    return start_nginx("province.conf", read, changes)


@pytest.fixture
def relay(start_nginx, tmp_path, ports, province):
    read, front, relay = ports
    changes = {
        "listen 8081;": f"listen 127.0.0.1:{relay};",
        "192.0.2.1:8081": f"127.0.0.1:{read}",
        "192.0.2.1:80;": f"127.0.0.1:{front};",
        "/var/cache/yuanbo": str(tmp_path / "cache"),
    }
    return start_nginx("relay.conf", relay, changes)


def test_province_serves_whole_files_and_ranges(province, ports, ask):
    read = ports[0]
    assert ask(read, f"/m/{MEDIA_NAME}").body == MEDIA
    part = ask(read, f"/m/{MEDIA_NAME}", Range="bytes=1048570-1048589")
    assert (part.status, part.body) == (206, MEDIA[1048570:1048590])
    assert part.headers["content-range"] == f"bytes 1048570-1048589/{len(MEDIA)}"
    assert ask(read, f"/p/{'a' * 64}").body == b"\0" * 96


def test_only_the_timestamp_is_asked_for_each_time_and_nothing_missing_is_kept(province, ports, ask):
    read = ports[0]
    assert ask(read, "/r/metadata/timestamp.json").headers["cache-control"] == "no-cache"
    for path in ("/r/metadata/1.root.json", "/r/targets/frame/ab.13.json", f"/m/{MEDIA_NAME}"):
        assert "immutable" in ask(read, path).headers["cache-control"]
    missing = ask(read, "/r/metadata/2.root.json")
    assert missing.status == 404
    assert "cache-control" not in missing.headers


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/secret",
        "/r/../../secret",
        "/m/../../secret",
        "/m/",
        "/r/metadata/",
        f"/m/{'b' * 63}",
        "/keys/web-secret",
        "/m/%2e%2e/secret",
    ],
)
def test_nothing_else_can_be_read(province, ports, ask, path):
    assert ask(ports[0], path).status in (400, 403, 404)


def test_the_read_plane_takes_nothing(province, ports, ask):
    assert ask(ports[0], f"/m/{MEDIA_NAME}", "PUT", b"x").status == 405
    assert ask(ports[0], "/r/metadata/timestamp.json", "POST", b"x").status == 405


def test_the_console_knows_who_asked(province, ports, ask):
    answer = ask(ports[1], "/api/v1/uploads", "POST", b"12345", X_Forwarded_For="8.8.8.8")
    assert answer.body == b"/api/v1/uploads 5 127.0.0.1"


def test_relay_gives_the_same_bytes_and_fetches_each_piece_once(relay, ports, ask):
    port = ports[2]
    first = ask(port, f"/m/{MEDIA_NAME}")
    assert first.body == MEDIA
    part = ask(port, f"/m/{MEDIA_NAME}", Range="bytes=1048570-1048589")
    assert (part.status, part.body, part.headers["x-cache"]) == (206, MEDIA[1048570:1048590], "HIT")


def test_relay_serves_what_it_has_while_the_province_is_away(relay, province, ports, ask):
    port = ports[2]
    paths = ["/r/metadata/timestamp.json", "/r/metadata/1.root.json", f"/m/{MEDIA_NAME}", f"/p/{'a' * 64}"]
    before = [ask(port, path).body for path in paths]
    province.stop()
    assert [ask(port, path).body for path in paths] == before
    assert ask(port, "/r/targets/frame/ab.13.json").status in (502, 504)


def test_a_root_that_did_not_exist_is_found_through_the_relay_as_soon_as_it_does(relay, data, ports, ask):
    port = ports[2]
    assert ask(port, "/r/metadata/2.root.json").status == 404
    (data / "read/r/metadata/2.root.json").write_text('{"root": 2}')
    assert ask(port, "/r/metadata/2.root.json").body == b'{"root": 2}'


def test_relay_lets_reports_and_enrolments_through_and_nothing_else(relay, ports, ask):
    port = ports[2]
    assert ask(port, "/api/v1/batches", "POST", b"123").body.startswith(b"/api/v1/batches 3")
    assert ask(port, "/api/v1/enrolments", "POST", b"123").status == 200
    assert ask(port, "/api/v1/batches", "POST", b"x" * 600_000).status == 413
    assert ask(port, "/api/v1/accounts", "POST", b"123").status == 404
    assert ask(port, f"/m/{MEDIA_NAME}", "PUT", b"123").status == 405
