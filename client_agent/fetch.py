"""HTTP as a hostile network needs it: no redirects, one deadline for the whole exchange, a cap on the length.

``http.client`` with a deadline on every receive: a source that drips a byte a second cannot hold a pass up, not
even inside the headers. HTTPS trusts the network's own CA, without the check of its validity times, or a terminal
whose clock says 1970 would never recover.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from client_agent import VERSION
from client_agent.errors import AnswerTooLong, BadAnswer, TooSlow, Unreachable

CONNECT_TIMEOUT_S = 10.0
IDLE_TIMEOUT_S = 20.0
METADATA_DEADLINE_S = 60.0
_NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME."""
_READ_SIZE = 64 * 1024


@dataclass(frozen=True)
class Answer:
    """A whole answer. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Pace = Callable[[int], None]
"""Told how many bytes have just come in; may wait, so that a limit holds."""


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None


class _DeadlineReader(io.RawIOBase):
    """The receiving half of a socket; every receive is bounded by the exchange's deadline.

    It holds the line itself: where the other side says ``Connection: close``, http.client closes its end before the body
    is read.
    """

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._held = sock.makefile("rb", buffering=0)
        self._deadline = deadline

    def close(self) -> None:
        self._held.close()
        super().close()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("deadline")
        self._sock.settimeout(min(left, IDLE_TIMEOUT_S))
        # Servers that send head and body apart wait for our acknowledgement in between, 40 ms a file.
        if hasattr(socket, "TCP_QUICKACK"):
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return self._sock.recv_into(buffer)


class _DeadlineSocket:
    """What http.client needs of a socket, with ``deadline`` set anew for each exchange."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self.deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(max(0.001, min(self.deadline - time.monotonic(), IDLE_TIMEOUT_S)))
        self._sock.sendall(data)

    def makefile(self, *_: object, **__: object) -> io.BufferedReader:
        return io.BufferedReader(_DeadlineReader(self._sock, self.deadline), _READ_SIZE)

    def close(self) -> None:
        self._sock.close()


class Http:
    """A few kept-alive connections, one a host and thread at a time. Raises only errors of this package."""

    def __init__(self, ca_pem: str | None = None) -> None:
        self._ca_pem = ca_pem
        self._context: ssl.SSLContext | None = None
        self._idle: dict[tuple[str, str, int], http.client.HTTPConnection] = {}
        self._lock = threading.Lock()

    def get(
        self,
        url: str,
        *,
        max_bytes: int,
        deadline_s: float = METADATA_DEADLINE_S,
        headers: Mapping[str, str] | None = None,
        pace: Pace | None = None,
    ) -> Answer:
        """GET. Any status is an answer, redirects included; ``pace`` is told of the body's bytes as they come.

        Raises Unreachable, TooSlow, AnswerTooLong, BadAnswer.
        """
        return self.request(
            "GET", url, max_bytes=max_bytes, deadline_s=deadline_s, headers=headers, pace=pace
        )

    def post(
        self,
        url: str,
        body: bytes,
        *,
        content_type: str,
        max_bytes: int = 64 * 1024,
        deadline_s: float = METADATA_DEADLINE_S,
    ) -> Answer:
        """POST. Any status is an answer. Raises Unreachable, TooSlow, AnswerTooLong, BadAnswer."""
        headers = {"Content-Type": content_type}
        return self.request(
            "POST", url, max_bytes=max_bytes, deadline_s=deadline_s, headers=headers, body=body
        )

    def request(
        self,
        method: str,
        url: str,
        *,
        max_bytes: int,
        deadline_s: float,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        pace: Pace | None = None,
    ) -> Answer:
        """One exchange within ``deadline_s`` seconds in all, of at most ``max_bytes`` of body."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadAnswer(f"地址无效 / not an HTTP address: {url}")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        key = (parts.scheme, parts.hostname, port)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        deadline = time.monotonic() + deadline_s
        sent = {"User-Agent": f"yuanbo-agent/{VERSION}", **(headers or {})}
        try:
            return self._exchange(key, _Request(method, path, sent, body), max_bytes, deadline, pace)
        except TimeoutError as error:
            raise TooSlow(f"{TooSlow.__doc__}: {url}") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unreachable(f"{Unreachable.__doc__}: {url}: {error or type(error).__name__}") from error

    def _exchange(
        self,
        key: tuple[str, str, int],
        request: _Request,
        max_bytes: int,
        deadline: float,
        pace: Pace | None,
    ) -> Answer:
        kept = self._take(key)
        if kept is not None:
            try:
                return self._send(key, kept, request, max_bytes, deadline, pace)
            except (
                BrokenPipeError,
                ConnectionResetError,
                http.client.RemoteDisconnected,
                http.client.CannotSendRequest,
            ):
                kept.close()  # the other side dropped an idle connection: once more on a fresh one
        return self._send(key, self._connect(key, deadline), request, max_bytes, deadline, pace)

    def _send(
        self,
        key: tuple[str, str, int],
        connection: http.client.HTTPConnection,
        request: _Request,
        max_bytes: int,
        deadline: float,
        pace: Pace | None,
    ) -> Answer:
        try:
            connection.sock.deadline = deadline  # type: ignore[union-attr]
            connection.request(request.method, request.path, body=request.body, headers=dict(request.headers))
            response = connection.getresponse()
            data = _read_body(response, max_bytes, pace)
            response.close()  # read1 leaves it open at the end of a counted body
        except BaseException:
            connection.close()
            raise
        if response.will_close:
            connection.close()
        else:
            self._keep(key, connection)
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, data)

    def _connect(self, key: tuple[str, str, int], deadline: float) -> http.client.HTTPConnection:
        scheme, host, port = key
        left = max(0.001, min(CONNECT_TIMEOUT_S, deadline - time.monotonic()))
        sock = socket.create_connection((host, port), timeout=left)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if scheme == "https":
                sock = self._tls().wrap_socket(sock, server_hostname=host)
        except BaseException:
            sock.close()
            raise
        connection = http.client.HTTPConnection(host, port)
        connection.sock = _DeadlineSocket(sock, deadline)
        return connection

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            context = (
                ssl.create_default_context(cadata=self._ca_pem)
                if self._ca_pem
                else ssl.create_default_context()
            )
            context.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
            self._context = context
        return self._context

    def _take(self, key: tuple[str, str, int]) -> http.client.HTTPConnection | None:
        with self._lock:
            return self._idle.pop(key, None)

    def _keep(self, key: tuple[str, str, int], connection: http.client.HTTPConnection) -> None:
        with self._lock:
            other = self._idle.pop(key, None)
            self._idle[key] = connection
        if other is not None:
            other.close()

    def close(self) -> None:
        with self._lock:
            connections, self._idle = list(self._idle.values()), {}
        for connection in connections:
            connection.close()


def _read_body(response: http.client.HTTPResponse, max_bytes: int, pace: Pace | None) -> bytes:
    if response.length is not None and response.length > max_bytes:
        raise AnswerTooLong(f"{AnswerTooLong.__doc__}: {response.length} > {max_bytes}")
    chunks: list[bytes] = []
    total = 0
    while chunk := response.read1(_READ_SIZE):
        total += len(chunk)
        if total > max_bytes:
            raise AnswerTooLong(f"{AnswerTooLong.__doc__}: > {max_bytes}")
        chunks.append(chunk)
        if pace is not None:
            pace(len(chunk))
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
    return b"".join(chunks)


def join(base: str, path: str) -> str:
    """The address of a path under a source, however its base is written."""
    return f"{base.rstrip('/')}/{path}"
