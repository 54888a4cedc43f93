"""The listener for phones, on the machine's address in its local network, and only while it is wanted (helper.py).

It answers devices of the local network that know the secret, under its own name, and nobody else: to all others every
path is unknown. What changes something must come from its own page (Origin) and say the secret in a header as well,
which no foreign page can. At most ``MOST_CONNECTIONS`` at once, ``MOST_OF_ONE`` of them of one phone, each answering
one request, over by a deadline however slowly it speaks.
"""

from __future__ import annotations

import logging
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from client_agent.errors import AgentError, NoSpace, StorageFailed
from client_agent.outbox import OutboxFull
from client_agent.phone import routes
from client_agent.phone.address import is_local
from client_agent.phone.helper import Phone
from client_agent.phone.routes import Refused
from protocol.batch import EvidenceKind
from protocol.evidence import CAPS

log = logging.getLogger(__name__)
MOST_CONNECTIONS = 16
MOST_OF_ONE = 6
A_MINUTE = 240
"""Requests of one phone in a minute; the page asks twenty times, and taps are sent together."""
REQUEST_S = 10.0
"""A request's head must be here by then, and what is small altogether."""
MAX_JSON = 128 * 1024
UPLOAD_S = 120.0
"""A photo or a recording must be here by then: 3 MB at 200 kbit/s."""
UPLOADS = 2
"""Files taken in at once: each stands in memory."""
SESSION_HEADER = "Yuanbo-Session"
SECRET_HEADER = "Yuanbo-Secret"  # noqa: S105 - the name of a header
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Connection": "close",
}
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}


class PhoneServer(ThreadingHTTPServer):
    """Serves one station's phones. Raises OSError where the address or port cannot be had."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 16
    allow_reuse_address = True

    def __init__(self, phone: Phone, address: str, port: int) -> None:
        self.phone = phone
        self.address = address
        self.gate = Gate()
        self.uploads = threading.BoundedSemaphore(UPLOADS)
        self._deadlines: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        self._page = _read_page()
        super().__init__((address, port), _Handler)
        self.port = int(self.server_address[1])
        self.names = {f"{address}:{self.port}"} | ({address} if self.port == 80 else set())

    def start(self) -> None:
        """Serve in a thread of its own until :meth:`stop`."""
        threading.Thread(target=self.serve_forever, args=(0.2,), name="phones", daemon=True).start()

    def stop(self) -> None:
        """Answer nothing more."""
        self.shutdown()
        self.server_close()

    def page_file(self, name: str) -> tuple[bytes, str] | None:
        return self._page.get(name)

    # --- who may connect, and for how long ------------------------------------------------------------------------------
    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Only devices of the local network, and not too many connections."""
        return is_local(str(client_address[0])) and self.gate.enter(str(client_address[0]))

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        self.extend(request, REQUEST_S)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._deadlines.pop(request, None)
            self.gate.leave(str(client_address[0]))

    def extend(self, connection: socket.socket, seconds: float) -> None:
        """A connection has so much longer."""
        with self._lock:
            self._deadlines[connection] = time.monotonic() + seconds

    def service_actions(self) -> None:
        """A few times a second: connections past their time are cut; nobody wanting us any more, we end."""
        now = time.monotonic()
        with self._lock:
            late = [connection for connection, until in self._deadlines.items() if now > until]
        for connection in late:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                log.debug("a slow phone had gone already")
        if self.gate.due(now) and not self.phone.wanted():
            threading.Thread(target=self.phone.settle, name="phones-end", daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A phone that goes away in the middle is everyday; anything else is logged with its cause."""
        error = sys.exception()
        if isinstance(error, OSError):
            log.debug("phone %s ended early: %s", client_address, error)
        else:
            log.error("request of phone %s failed", client_address, exc_info=error)


class Gate:
    """How many connections there are, and how many requests each phone has made in this minute."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._here: dict[str, int] = {}
        self._asked: dict[str, int] = {}
        self._minute = time.monotonic()
        self._looked = time.monotonic()

    def enter(self, peer: str) -> bool:
        with self._lock:
            if sum(self._here.values()) >= MOST_CONNECTIONS or self._here.get(peer, 0) >= MOST_OF_ONE:
                return False
            self._here[peer] = self._here.get(peer, 0) + 1
            return True

    def leave(self, peer: str) -> None:
        with self._lock:
            left = self._here.get(peer, 1) - 1
            if left:
                self._here[peer] = left
            else:
                self._here.pop(peer, None)

    def may_ask(self, peer: str) -> bool:
        """Count a request; False where that phone asks too much."""
        with self._lock:
            now = time.monotonic()
            if now - self._minute > 60:
                self._minute, self._asked = now, {}
            self._asked[peer] = self._asked.get(peer, 0) + 1
            return self._asked[peer] <= A_MINUTE

    def due(self, now: float) -> bool:
        """True every few seconds."""
        if now - self._looked < 5:
            return False
        self._looked = now
        return True


class _Handler(BaseHTTPRequestHandler):
    server: PhoneServer
    protocol_version = "HTTP/1.1"
    server_version = "yuanbo"
    sys_version = ""
    timeout = REQUEST_S
    wbufsize = 16 * 1024

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def _answer(self, route: Callable[[str], None]) -> None:
        self.close_connection = True
        try:
            route(self._inside())
        except Refused as refused:
            self._send_json({"error": refused.reason}, refused.status)
        except (BrokenPipeError, ConnectionError, TimeoutError):
            log.debug("a phone went away")
        except (OutboxFull, NoSpace, StorageFailed) as error:
            log.warning("%s", error)
            self._send_json({"error": "disk"}, HTTPStatus.INSUFFICIENT_STORAGE)
        except AgentError as error:
            log.warning("%s", error)
            self._send_json({"error": "unavailable"}, HTTPStatus.SERVICE_UNAVAILABLE)

    def _inside(self) -> str:
        """The path under the secret. Raises Refused; who does not know the secret learns nothing."""
        if not self.server.gate.may_ask(str(self.client_address[0])):
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "too-many")
        if self.headers.get("Host", "") not in self.server.names:
            raise Refused(HTTPStatus.MISDIRECTED_REQUEST, "host")
        _, _, rest = urlsplit(self.path).path.partition("/s/")
        said, slash, inside = rest.partition("/")
        if not self._is_secret(said):
            raise Refused(HTTPStatus.NOT_FOUND, "path")
        self.server.phone.hold()
        return inside if slash else "index.html"

    def _is_secret(self, said: str) -> bool:
        known = self.server.phone.secret
        return bool(known) and secrets.compare_digest(said.encode(), known.encode())

    def _get(self, inside: str) -> None:
        page = self.server.page_file(inside or "index.html")
        if page is not None:
            self._send(*page)
        elif inside.startswith("api/") and (answer := routes.ANSWERS.get(inside[4:])):
            query = parse_qs(urlsplit(self.path).query)
            self._send_json(answer(self.server.phone, {name: found[-1] for name, found in query.items()}))
        elif (paper := self.server.phone.papers.get(inside)) is not None:
            query = parse_qs(urlsplit(self.path).query)
            kind, text = paper({name: found[-1] for name, found in query.items()})
            self._send(text.encode(), kind)
        else:
            raise Refused(HTTPStatus.NOT_FOUND, "path")

    def _post(self, inside: str) -> None:
        if not self._is_secret(self.headers.get(SECRET_HEADER, "")):
            raise Refused(HTTPStatus.FORBIDDEN, "secret")
        if self.headers.get("Origin", "") not in {f"http://{name}" for name in self.server.names}:
            raise Refused(HTTPStatus.FORBIDDEN, "origin")
        kind_of_file = routes.FILES.get(inside.removeprefix("api/")) if inside.startswith("api/") else None
        if kind_of_file is not None:
            self._send_json(self._take_file(kind_of_file))
            return
        found = routes.DEEDS.get(inside.removeprefix("api/")) if inside.startswith("api/") else None
        if found is None:
            raise Refused(HTTPStatus.NOT_FOUND, "path")
        kind, deed = found
        self._send_json(deed(self.server.phone, self._json(kind)))

    def _take_file(self, kind: EvidenceKind) -> object:
        """Bytes of a picture or sound. What they are is read off them; a form of an HTML page is refused as such."""
        said = self.headers.get("Content-Type", "").partition("/")[0].strip().lower()
        if said not in ("image", "audio", "video"):
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "type")
        if not self.server.uploads.acquire(blocking=False):
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "busy")
        try:
            self.server.extend(self.connection, UPLOAD_S)
            data = self._body(CAPS[kind])
            return routes.keep_file(self.server.phone, kind, self.headers.get(SESSION_HEADER, ""), data)
        finally:
            self.server.uploads.release()

    def _json(self, kind: type[Any]) -> Any:
        if self.headers.get("Content-Type", "").partition(";")[0].strip() != "application/json":
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "type")
        try:
            return msgspec.json.decode(self._body(MAX_JSON), type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Refused(HTTPStatus.BAD_REQUEST, "form") from error

    def _body(self, cap: int) -> bytes:
        """The request's bytes; what is too long is refused before it is read. Raises Refused."""
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > cap:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "length")
        data = self.rfile.read(int(length))
        if len(data) != int(length):
            raise Refused(HTTPStatus.BAD_REQUEST, "length")
        return data

    # --- answers ------------------------------------------------------------------------------------------------------
    def _send_json(self, value: object, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(msgspec.json.encode(value), "application/json", status)

    def _send(self, data: bytes, content_type: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def finish(self) -> None:
        """Close; a phone that is gone already is no error."""
        try:
            super().finish()
        except (OSError, ValueError):
            log.debug("connection closed by the phone")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Nothing: the path has the secret."""


def _read_page() -> dict[str, tuple[bytes, str]]:
    """The page's own files by name: (bytes, content type)."""
    found = {}
    for file in resources.files("client_agent.phone").joinpath("page").iterdir():
        kind = _KINDS.get(Path(file.name).suffix)
        if kind is not None:
            found[file.name] = (file.read_bytes(), kind)
    return found
