"""The station's own web server, on 127.0.0.1: the TV page, what it is told, and verified media by ranges.

No media byte leaves here that the store has not just checked. A piece that proves wrong in the middle of an answer
ends the connection: the page shows a filler or the slate, and the piece is fetched again.

It answers only to its own name (against DNS rebinding), takes JSON only from its own page, and holds at most
``MOST_CONNECTIONS`` at once, each with one piece in memory.
"""

from __future__ import annotations

import hashlib
import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from client_agent import routes
from client_agent.desk import routes as desk_routes
from client_agent.desk.print_pages import PAGES
from client_agent.errors import AgentError
from client_agent.outbox import OutboxFull
from client_agent.ranges import Unsatisfiable, read_range
from client_agent.routes import Refused, TvParts
from client_agent.store import VerifiedFile
from protocol.batch import EvidenceKind
from protocol.documents import FileKind, ReleaseManifest
from protocol.evidence import CAPS

log = logging.getLogger(__name__)

MOST_CONNECTIONS = 24
IDLE_S = 20
SENDING_S = 300
"""A paused player stops reading; after this long its connection goes, and it asks again when it plays on."""
TRIM_AFTER_S = 60
MAX_BODY = 4 * 1024
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
ANSWERS = {**routes.ANSWERS, **desk_routes.ANSWERS}
DEEDS = {**routes.DEEDS, **desk_routes.DEEDS}
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}
_FONTS = {".css": "text/css; charset=utf-8", ".woff2": "font/woff2", ".woff": "font/woff"}
_MEDIA = re.compile(r"^/media/([0-9a-f]{64})/([A-Za-z0-9_-]{1,32})\.mp4$")
_SCREEN = re.compile(r"^/api/screen/([0-9a-f]{32})$")
_FILE = re.compile(r"^/files/([0-9a-f]{64})/(poster|subtitles|sprite|page)(?:/([0-9]{1,4}))?$")
_PICTURE = re.compile(r"^/pictures/([0-9a-f]{64})$")
_FONT = re.compile(r"^/fonts/((?:[A-Za-z0-9_-]+/)?[A-Za-z0-9_.\[\]-]+)$")


class TvServer(ThreadingHTTPServer):
    """Serves one agent's TV page. Raises OSError when the port is taken."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 32
    allow_reuse_address = True

    def __init__(self, parts: TvParts, port: int, host: str = "127.0.0.1") -> None:
        self.parts = parts
        self._places = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._page = _read_page()
        self.stopping = False
        self.media_read_at: float | None = None
        super().__init__((host, port), _Handler)
        port = self.server_address[1]
        self.names = {f"{name}:{port}" for name in ("127.0.0.1", "localhost", host)}
        if port == 80:
            self.names |= {"127.0.0.1", "localhost", host}

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}/"

    def start(self) -> None:
        """Serve in a thread of its own until :meth:`stop`."""
        threading.Thread(target=self.serve_forever, args=(0.2,), name="tv", daemon=True).start()

    def stop(self) -> None:
        """Answer nothing more; answers under way may be cut off."""
        self.stopping = True
        self.shutdown()
        self.server_close()
        self.parts.phone.stop()
        self.parts.player.stop()  # its last play goes into the book
        self.parts.book.close()

    def page_file(self, path: str) -> tuple[bytes, str, str] | None:
        """(bytes, content type, tag) of a part of the page."""
        return self._page.get(path)

    def service_actions(self) -> None:
        """Between connections: once nobody has watched for a minute, give the memory of media back."""
        if self.media_read_at is not None and time.monotonic() - self.media_read_at > TRIM_AFTER_S:
            self.media_read_at = None
            self.parts.store.trim()

    def process_request(self, request: Any, client_address: Any) -> None:
        """One thread a connection, up to the bound; beyond it a connection is closed at once."""
        if not self._places.acquire(blocking=False):
            log.warning("more than %d connections: one refused", MOST_CONNECTIONS)
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A page that goes away in the middle is everyday; anything else is logged with its cause."""
        error = sys.exception()
        if isinstance(error, OSError) or self.stopping:
            log.debug("connection from %s ended early: %s", client_address, error)
        else:
            log.error("request of %s failed", client_address, exc_info=error)


class _Handler(BaseHTTPRequestHandler):
    server: TvServer
    protocol_version = "HTTP/1.1"
    server_version = "yuanbo"
    sys_version = ""
    timeout = IDLE_S
    disable_nagle_algorithm = True
    wbufsize = 16 * 1024

    # --- routing ------------------------------------------------------------------------------------------------------
    def do_GET(self) -> None:
        self._answer(self._get)

    def do_HEAD(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def do_PUT(self) -> None:
        self._answer(self._put)

    def _answer(self, route: Callable[[str], None]) -> None:
        try:
            if self.headers.get("Host", "") not in self.server.names:
                raise Refused(HTTPStatus.MISDIRECTED_REQUEST, "host")
            route(urlsplit(self.path).path)
        except Refused as refused:
            self.close_connection = self.close_connection or self.command in ("POST", "PUT")
            self._send_json({"error": refused.reason}, refused.status)
        except (BrokenPipeError, ConnectionError, TimeoutError):
            self.close_connection = True
        except (AgentError, OutboxFull) as error:
            log.warning("%s: %s", self.path, error)
            self._send_json({"error": "unavailable"}, HTTPStatus.SERVICE_UNAVAILABLE)

    def _get(self, path: str) -> None:
        page = self.server.page_file(path)
        if page is not None:
            self._send_page(*page)
        elif path in ANSWERS:
            query = parse_qs(urlsplit(self.path).query)
            self._send_json(
                ANSWERS[path](self.server.parts, {name: found[-1] for name, found in query.items()})
            )
        elif path in PAGES:
            query = parse_qs(urlsplit(self.path).query)
            kind, text = PAGES[path](self.server.parts, {name: found[-1] for name, found in query.items()})
            self._send(text.encode(), kind, HTTPStatus.OK, {"Cache-Control": "no-store"})
        elif found := _MEDIA.match(path):
            self._send_media(found[1], found[2])
        elif found := _FILE.match(path):
            self._send_companion(found[1], FileKind(found[2]), None if found[3] is None else int(found[3]))
        elif found := _PICTURE.match(path):
            self._send_picture(found[1])
        elif found := _FONT.match(path):
            self._send_font(found[1])
        elif path == "/favicon.ico":
            self._send(b"", "image/x-icon", HTTPStatus.NO_CONTENT)
        else:
            raise Refused(HTTPStatus.NOT_FOUND, "path")

    def _put(self, path: str) -> None:
        """The kiosk brings the picture that was asked of it, under the name it was told."""
        found, length = _SCREEN.match(path), self.headers.get("Content-Length", "")
        if found is None or self.client_address[0] not in ("127.0.0.1", "::1"):
            raise Refused(HTTPStatus.NOT_FOUND, "path")
        if not length.isdigit() or int(length) > CAPS[EvidenceKind.SCREENSHOT]:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "length")
        if not self.server.parts.eye.bring(found[1], self.rfile.read(int(length))):
            raise Refused(HTTPStatus.FORBIDDEN, "nobody-asked")
        self._send_json({"taken": True}, HTTPStatus.CREATED)

    def _post(self, path: str) -> None:
        if path not in DEEDS:
            raise Refused(HTTPStatus.NOT_FOUND, "path")
        kind, deed, status = DEEDS[path]
        self._send_json(deed(self.server.parts, self._body(kind)), status)

    def _body(self, kind: type[Any]) -> Any:
        """The JSON of a request by our own page. Raises Refused."""
        origin = self.headers.get("Origin")
        if origin is not None and origin not in {f"http://{name}" for name in self.server.names}:
            raise Refused(HTTPStatus.FORBIDDEN, "origin")
        if self.headers.get("Content-Type", "").partition(";")[0].strip() != "application/json":
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "type")
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MAX_BODY:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "length")
        try:
            return msgspec.json.decode(self.rfile.read(int(length)), type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Refused(HTTPStatus.BAD_REQUEST, str(error)) from error

    # --- answers ------------------------------------------------------------------------------------------------------
    def _send_json(self, value: object, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(msgspec.json.encode(value), "application/json", status, {"Cache-Control": "no-store"})

    def _send_page(self, data: bytes, content_type: str, tag: str) -> None:
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if self.headers.get("If-None-Match") == tag:
            self._send(b"", content_type, HTTPStatus.NOT_MODIFIED, headers)
        else:
            self._send(data, content_type, HTTPStatus.OK, headers)

    def _send_font(self, name: str) -> None:
        folder, kind = self.server.parts.fonts, _FONTS.get(Path(name).suffix)
        if folder is None or kind is None or ".." in name:
            raise Refused(HTTPStatus.NOT_FOUND, "font")
        try:
            data = (folder / name).read_bytes()
        except OSError as error:
            raise Refused(HTTPStatus.NOT_FOUND, "font") from error
        self._send(data, kind, HTTPStatus.OK, {"Cache-Control": "public, max-age=86400"})

    def _send_media(self, release: str, profile: str) -> None:
        manifest = self._allowed(release)
        rendition = next((r for r in manifest.renditions if r.profile == profile), None)
        if rendition is None:
            raise Refused(HTTPStatus.NOT_FOUND, "profile")
        self._send_file(rendition.sha256, "video/mp4")

    def _send_picture(self, sha256: str) -> None:
        """A logo or a topic's poster, as long as a document names it."""
        if self.server.parts.guide.stored_picture(self.server.parts.guide.picture(sha256)) is None:
            raise Refused(HTTPStatus.NOT_FOUND, "picture")
        self._send_file(sha256, None)

    def _send_companion(self, release: str, kind: FileKind, order: int | None) -> None:
        """The first of its kind that is stored, or the one of that order."""
        manifest = self._allowed(release)
        complete = self.server.parts.store.is_complete
        found = (
            f for f in manifest.files if f.kind is kind and order in (None, f.order) and complete(f.sha256)
        )
        file = min(found, key=lambda f: f.order, default=None)
        if file is None:
            raise Refused(HTTPStatus.NOT_FOUND, "file")
        self._send_file(file.sha256, None)

    def _allowed(self, release: str) -> ReleaseManifest:
        """The manifest of a release that may be played at this moment. Raises Refused."""
        parts = self.server.parts
        refusal = parts.guide.play_allowed(release, parts.now_ms())
        manifest = parts.guide.manifest(release)
        if refusal is not None or manifest is None:
            raise Refused(HTTPStatus.FORBIDDEN, refusal or "not-admitted")
        return manifest

    def _send_file(self, sha256: str, content_type: str | None) -> None:
        """A stored file or the range asked for. The first piece is checked before any header goes out."""
        try:
            file = self.server.parts.store.open(sha256)
            span = read_range(self.headers.get("Range"), file.length)
            start, end = span or (0, file.length)
            pieces = file.stream(start, end)
            first = next(pieces, b"")
        except Unsatisfiable as error:
            headers = {"Content-Range": f"bytes */{error.length}"}
            self._send(b"", "video/mp4", HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers)
            return
        except AgentError as error:
            log.warning("%s cannot be shown: %s", sha256[:12], error)
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "not-stored") from error
        headers = {"Accept-Ranges": "bytes", "Cache-Control": "no-store", "ETag": f'"{sha256}"'}
        if span is not None:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.length}"
        status = HTTPStatus.OK if span is None else HTTPStatus.PARTIAL_CONTENT
        self._start(content_type or _sniffed(first, file), status, end - start, headers)
        if self.command != "HEAD":
            self._stream(first, pieces, sha256)

    def _stream(self, first: bytes, pieces: Iterator[bytes], sha256: str) -> None:
        self.server.media_read_at = time.monotonic()
        self.connection.settimeout(SENDING_S)
        try:
            self.wfile.write(first)
            for piece in pieces:
                self.wfile.write(piece)
            self.wfile.flush()
        except AgentError as error:
            log.error("%s: the answer ends here: %s", sha256[:12], error)
            self.close_connection = True
        finally:
            self.connection.settimeout(self.timeout)

    def _send(
        self, data: bytes, content_type: str, status: HTTPStatus, headers: dict[str, str] | None = None
    ) -> None:
        self._start(content_type, status, len(data), headers or {})
        if self.command != "HEAD":
            self.wfile.write(data)

    def _start(self, content_type: str, status: HTTPStatus, length: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        if status is not HTTPStatus.NO_CONTENT and status is not HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Length", str(length))
        for name, value in {**_HEADERS, **headers}.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def finish(self) -> None:
        """Close; a player that is gone already is no error."""
        try:
            super().finish()
        except (OSError, ValueError):
            log.debug("connection closed by the page")

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (TimeoutError, ConnectionError):
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        log.debug(format, *args)


def _sniffed(first: bytes, file: VerifiedFile) -> str:
    """The content type of a companion, by its first bytes; nothing else is ever guessed by the browser."""
    for magic, kind in ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG", "image/png"), (b"WEBVTT", "text/vtt")):
        if first.startswith(magic):
            return kind
    head = first[:16] or file.read(0, 16)
    return "image/webp" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else "application/octet-stream"


def _read_page() -> dict[str, tuple[bytes, str, str]]:
    """The page's own files, whatever stands in its folder: path → (bytes, content type, tag)."""
    found = {}
    for file in resources.files("client_agent").joinpath("tv").iterdir():
        kind = _KINDS.get(Path(file.name).suffix)
        if kind is not None:
            data = file.read_bytes()
            path = "/" if file.name == "index.html" else f"/{file.name}"
            found[path] = (data, kind, f'"{hashlib.sha256(data).hexdigest()[:32]}"')
    return found
