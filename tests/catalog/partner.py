"""A partner's web server on this machine: feeds, media with ranges, and every bad habit a feed can have."""

from __future__ import annotations

import contextlib
import gzip
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Reply = Callable[["Handler"], None]


class Partner:
    """Answers GET with what was put at a path; counts what was asked."""

    def __init__(self) -> None:
        self.replies: dict[str, Reply] = {}
        self.asked: list[str] = []
        self.ranges: list[str] = []
        partner = self

        class Bound(Handler):
            here = partner

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def allowed(self) -> tuple[str, ...]:
        return (f"127.0.0.1:{self.port}",)

    def close(self) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()

    def put(self, path: str, content: bytes, kind: str = "application/xml", **headers: str) -> None:
        """Plain content."""
        self.replies[path] = lambda handler: handler.plain(content, kind, headers)

    def put_file(
        self, path: str, content: bytes, *, etag: str = '"1"', breaks_after: int | None = None
    ) -> None:
        """A media file with ranges; the line may break after so many bytes of each answer."""
        self.replies[path] = lambda handler: handler.file(content, etag, breaks_after)

    def put_reply(self, path: str, reply: Reply) -> None:
        self.replies[path] = reply


class Handler(BaseHTTPRequestHandler):
    here: Partner

    def do_GET(self) -> None:
        self.here.asked.append(self.path)
        reply = self.here.replies.get(urlsplit(self.path).path)
        if reply is None:
            self.send_error(404)
            return
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            reply(self)

    def log_message(self, *_args: Any) -> None: ...

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}

    def plain(self, content: bytes, kind: str, headers: dict[str, str]) -> None:
        etag = headers.get("ETag")
        if etag and self.headers.get("If-None-Match") == etag:
            self.send_response(304)
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def file(self, content: bytes, etag: str, breaks_after: int | None) -> None:
        asked = self.headers.get("Range", "")
        self.here.ranges.append(asked)
        is_same = self.headers.get("If-Range") == etag
        start = int(asked[6:].rstrip("-")) if asked and is_same else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", "video/mp4")
        self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        end = len(content) if breaks_after is None else start + breaks_after
        self.wfile.write(content[start:end])
        self.wfile.flush()
        self.close_connection = True

    def redirect(self, to: str) -> None:
        self.send_response(302)
        self.send_header("Location", to)
        self.end_headers()

    def endless(self, chunk: bytes, pause_s: float = 0.0) -> None:
        """Bytes without end, and without saying how many."""
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.end_headers()
        while not self.here.stopping.wait(pause_s):
            self.wfile.write(chunk)
            self.wfile.flush()

    def bomb(self) -> None:
        """64 MiB of blanks, packed into 64 KiB."""
        content = gzip.compress(b" " * (64 * 1024 * 1024))
        self.plain(content, "application/xml", {"Content-Encoding": "gzip"})


def rss(*items: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="utf-8"?><rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/">'
        f"<channel><title>邻省</title><link>http://x/</link>{''.join(items)}</channel></rss>"
    ).encode()


def item(title: str, media: str | None, guid: str | None = None, more: str = "") -> str:
    enclosure = f'<enclosure url="{media}" type="video/mp4" length="9"/>' if media else ""
    return f"<item><title>{title}</title><guid>{guid or title}</guid>{enclosure}{more}</item>"


OAI_DC = (
    '<oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/">{}</oai_dc:dc>'
)


def record(identifier: str, title: str = "", media: str = "", *, deleted: bool = False) -> str:
    status = ' status="deleted"' if deleted else ""
    header = (
        f"<header{status}><identifier>{identifier}</identifier><datestamp>2026-12-01</datestamp></header>"
    )
    content = OAI_DC.format(
        f"<dc:title>{title}</dc:title><dc:identifier>{media}</dc:identifier><dc:subject>小麦</dc:subject>"
    )
    return f"<record>{header}{'' if deleted else f'<metadata>{content}</metadata>'}</record>"


def oai(*records: str, token: str | None = None, verb: str = "ListRecords", inner: str = "") -> bytes:
    said = f"<resumptionToken>{token}</resumptionToken>" if token is not None else ""
    content = f"<{verb}>{inner}{''.join(records)}{said}</{verb}>"
    return (
        '<?xml version="1.0" encoding="UTF-8"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
        f"<responseDate>2026-12-05T11:00:00Z</responseDate><request>http://x/oai</request>{content}</OAI-PMH>"
    ).encode()
