"""The page of a terminal that is not enrolled yet: the code is entered on the television, with a remote or a keyboard.

Served on the TV page's own address until the enrolment is done; then the agent itself takes the port over and the page
finds the television there. It answers only on this machine, only to its own name, and takes JSON only from itself.
"""

from __future__ import annotations

import json
import logging
import pkgutil
import re
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from client_agent.config import AgentPaths
from client_agent.enrol import enrol
from client_agent.errors import AgentError, PortTaken
from client_agent.reporting import find_fonts
from protocol.enrolment import read_code
from protocol.errors import BadCode

log = logging.getLogger(__name__)
MAX_BODY = 2 * 1024
ENDS_AFTER_S = 1.5
"""The page hears that it is done before the server goes."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_FONTS = {".css": "text/css; charset=utf-8", ".woff2": "font/woff2", ".woff": "font/woff"}
_FONT_NAME = re.compile(r"(?:[A-Za-z0-9_-]+/)?[A-Za-z0-9_-][A-Za-z0-9_.\[\]-]*")
_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/setup.css": ("setup.css", "text/css; charset=utf-8"),
    "/setup.js": ("setup.js", "text/javascript; charset=utf-8"),
}


def serve_until_enrolled(
    paths: AgentPaths, server_url: str, host: str, port: int, stop: threading.Event
) -> bool:
    """Whether the terminal is enrolled now; False when it was asked to stop. Raises PortTaken."""
    try:
        server = _Server((host, port), paths, server_url, stop)
    except OSError as error:
        raise PortTaken(f"{PortTaken.__doc__}: {host}:{port} ({error.strerror})") from error
    thread = threading.Thread(target=server.serve_forever, args=(0.2,), name="setup", daemon=True)
    thread.start()
    log.info("not enrolled yet: enter the code at http://%s:%d/", host, server.server_address[1])
    stop_or_done = server.done
    while not stop.wait(0.1) and not stop_or_done.is_set():
        pass
    if stop_or_done.is_set():
        stop.wait(ENDS_AFTER_S)
    server.shutdown()
    server.server_close()
    return stop_or_done.is_set() and not stop.is_set()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(
        self, address: tuple[str, int], paths: AgentPaths, server_url: str, stop: threading.Event
    ) -> None:
        self.paths = paths
        self.server_url = server_url
        self.stop = stop
        self.done = threading.Event()
        self.at_work = threading.Lock()
        self.fonts = find_fonts()
        super().__init__(address, _Handler)
        port = self.server_address[1]
        self.names = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}

    def enrol(self, server_url: str, code: str) -> dict[str, Any]:
        """What became of it, for the page. One at a time."""
        if not self.at_work.acquire(blocking=False):
            return {"ok": False, "message": "正在注册，请稍候 / one moment"}
        try:
            body = enrol(server_url, code, self.paths)
        except AgentError as error:
            return {"ok": False, "message": str(error)}
        finally:
            self.at_work.release()
        self.done.set()
        return {"ok": True, "station": body.station_name, "region": body.region}


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "yuanbo"
    sys_version = ""
    timeout = 20

    def do_GET(self) -> None:
        if self.headers.get("Host", "") not in self.server.names:
            self._send(HTTPStatus.MISDIRECTED_REQUEST, b"", "text/plain")
        elif self.path in _FILES:
            name, kind = _FILES[self.path]
            data = pkgutil.get_data("client_agent", f"setup/{name}") or b""
            self._send(HTTPStatus.OK, data, kind)
        elif self.path.startswith("/fonts/"):
            self._send_font(self.path.removeprefix("/fonts/"))
        elif self.path == "/api/setup":
            said = {"server": self.server.server_url, "enrolled": self.server.done.is_set()}
            self._send(HTTPStatus.OK, json.dumps(said).encode(), "application/json")
        else:
            self._send(HTTPStatus.NOT_FOUND, b"", "text/plain")

    def _send_font(self, name: str) -> None:
        kind = _FONTS.get(Path(name).suffix)
        folder = self.server.fonts
        if folder is None or kind is None or not _FONT_NAME.fullmatch(name):
            self._send(HTTPStatus.NOT_FOUND, b"", "text/plain")
            return
        try:
            self._send(HTTPStatus.OK, (folder / name).read_bytes(), kind)
        except OSError:
            self._send(HTTPStatus.NOT_FOUND, b"", "text/plain")

    def do_POST(self) -> None:
        asked = self._body()
        if asked is None or self.path != "/api/enrol":
            self.close_connection = True
            self._send(HTTPStatus.BAD_REQUEST, b"{}", "application/json")
            return
        server_url, code = str(asked.get("server", "")).strip(), str(asked.get("code", ""))
        try:
            read_code(code)
            said = self.server.enrol(server_url, code)
        except BadCode:
            said = {
                "ok": False,
                "message": "注册码不对，请对照纸条再看一遍 / not an enrolment code: look again",
            }
        self._send(HTTPStatus.OK, json.dumps(said, ensure_ascii=False).encode(), "application/json")

    def _body(self) -> dict[str, Any] | None:
        """The JSON of a request by our own page, or None."""
        origin, length = self.headers.get("Origin"), self.headers.get("Content-Length", "")
        ours = {f"http://{name}" for name in self.server.names}
        if self.headers.get("Host", "") not in self.server.names or (
            origin is not None and origin not in ours
        ):
            return None
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip()
        if kind != "application/json" or not length.isdigit() or int(length) > MAX_BODY:
            return None
        try:
            found = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def _send(self, status: HTTPStatus, data: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        log.debug(format, *args)
