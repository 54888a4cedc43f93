"""Fetching from addresses that somebody typed in: never from this machine or its neighbours, never without end.

Every name is looked up here, every address it has must be a public one, and the connection goes to the very address
that was checked, so that a name which changes its answer in between gains nothing. A redirect is a new request and is
checked like the first. Bytes, time and redirects are bounded; a deadline cuts a server that drips. No proxy of the
environment is used.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse
from urllib3.util import create_urllib3_context

from server.errors import YuanboError
from server.i18n import N_

MIB = 1024 * 1024
CHUNK = 64 * 1024
STALL_S = 20.0
"""How long one read may bring nothing."""
MAX_REDIRECTS = 5
USER_AGENT = "Yuanbo-harvester/1"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class FetchRefused(YuanboError):
    """The address, or what came from it, is not accepted; trying again will not help."""

    status = 422
    code = "fetch_refused"
    title = N_("来源地址不能使用")


class FetchFailed(YuanboError):
    """The line, the server or the time: it may be tried again."""

    status = 502
    code = "fetch_failed"
    title = N_("来源暂时取不到")


@dataclass(frozen=True)
class Limits:
    """Bounds of one request with its redirects."""

    bytes: int
    seconds: float


FEED_LIMITS = Limits(bytes=20 * MIB, seconds=60)


@dataclass(frozen=True)
class Answer:
    """Status 200, 206 or 304 and headers in lower case; ``url`` is where it came from after redirects."""

    url: str
    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]
    """Raises FetchRefused beyond the limit, FetchFailed when the line breaks."""

    def whole(self) -> bytes:
        return b"".join(self.chunks)


class Fetcher:
    """``private_allowed`` names ``host:port`` pairs that are reached although they are not public: for tests, which
    serve feeds on this machine. No setting of an installation leads here."""

    def __init__(self, private_allowed: Collection[str] = ()) -> None:
        self._allowed = frozenset(private_allowed)

    @contextmanager
    def get(self, url: str, limits: Limits, headers: Mapping[str, str] | None = None) -> Iterator[Answer]:
        """The answer to a GET. Raises FetchRefused, FetchFailed."""
        ends = time.monotonic() + limits.seconds
        for _hop in range(MAX_REDIRECTS + 1):
            with self._request(url, headers or {}, ends) as response:
                if response.status not in _REDIRECTS:
                    _check_status(response, url)
                    yield _answer(response, url, limits, ends)
                    return
                url = _next_url(url, response)
        raise FetchRefused(N_("重定向次数过多"), code="redirects")

    def get_whole(
        self, url: str, limits: Limits, headers: Mapping[str, str] | None = None
    ) -> tuple[Answer, bytes]:
        """The same, read to its end."""
        with self.get(url, limits, headers) as answer:
            return answer, answer.whole()

    @contextmanager
    def _request(self, url: str, headers: Mapping[str, str], ends: float) -> Iterator[BaseHTTPResponse]:
        parts = check_url(url)
        connection = _connection(parts, self._public_address(parts))
        left = ends - time.monotonic()
        watchdog = threading.Timer(max(left, 0), _cut, [connection])
        watchdog.daemon = True
        watchdog.start()
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            said = {"Host": parts.netloc, "User-Agent": USER_AGENT, "Accept-Encoding": "gzip", **headers}
            connection.request("GET", target, headers=said, preload_content=False, decode_content=False)
            yield connection.getresponse()
        except (OSError, HTTPError, http.client.HTTPException) as error:
            if time.monotonic() >= ends:
                raise _too_slow() from error
            raise FetchFailed(N_("取不到 %(host)s：连接中断或没有响应"), host=parts.hostname) from error
        finally:
            watchdog.cancel()
            connection.close()

    def _public_address(self, parts: SplitResult) -> str:
        """The first address of the name, once all of them are known to be public."""
        host, port = str(parts.hostname), _port(parts)
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise FetchFailed(N_("找不到主机 %(host)s"), code="host", host=host) from error
        addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
        if f"{host}:{port}" not in self._allowed:
            for address in addresses:
                if not is_public(address):
                    raise FetchRefused(
                        N_("%(host)s 指向本机或内部网络的地址，不能作为来源"),
                        code="private_address",
                        host=host,
                    )
        return addresses[0]


def is_public(address: str) -> bool:
    """Whether an address is one of the open Internet; those that wrap another address are not."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        wraps = ip.ipv4_mapped or ip.sixtofour or ip.teredo or ip in ipaddress.ip_network("64:ff9b::/96")
        if wraps or ip.is_site_local:
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not ip.is_unspecified


def check_url(url: str) -> SplitResult:
    """An http or https address with a host and nothing odd. Raises FetchRefused."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise FetchRefused(N_("“%(url)s”不是网址"), code="url", url=url[:200]) from error
    odd = parts.username is not None or parts.password is not None or port == 0
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or odd
        or not url.isprintable()
        or " " in url
    ):
        raise FetchRefused(N_("“%(url)s”不是 http 或 https 网址"), code="url", url=url[:200])
    return parts


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _connection(parts: SplitResult, address: str) -> HTTPConnection:
    """To the checked address, under the name that was asked for."""
    if parts.scheme == "http":
        return HTTPConnection(address, _port(parts), timeout=STALL_S)
    return HTTPSConnection(
        address,
        _port(parts),
        timeout=STALL_S,
        server_hostname=parts.hostname,
        assert_hostname=parts.hostname,
        cert_reqs=ssl.CERT_REQUIRED,
        ssl_context=_tls(),
    )


def _tls() -> ssl.SSLContext:
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    context.load_default_certs()
    return context


def _cut(connection: HTTPConnection) -> None:
    """End a request whose time is over: a read that waits in another thread returns at once."""
    sock = connection.sock
    if sock is not None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def _check_status(response: BaseHTTPResponse, url: str) -> None:
    if response.status in (200, 206, 304):
        return
    kind = FetchFailed if response.status >= 500 or response.status in (408, 429) else FetchRefused
    raise kind(
        N_("%(url)s 回答 %(status)s"), code=f"http_{response.status}", url=url[:200], status=response.status
    )


def _next_url(url: str, response: BaseHTTPResponse) -> str:
    target = response.headers.get("Location")
    if not target:
        raise FetchRefused(N_("重定向没有给出地址"), code="redirects")
    return urljoin(url, target)


def _answer(response: BaseHTTPResponse, url: str, limits: Limits, ends: float) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > limits.bytes:
        raise _too_large(limits)
    return Answer(url, response.status, headers, _bounded(_plain(response, headers), limits, ends))


def _plain(response: BaseHTTPResponse, headers: Mapping[str, str]) -> Iterator[bytes]:
    """The body without its gzip; never more than a chunk of it unpacked at once."""
    encoding = headers.get("content-encoding", "identity").lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise FetchRefused(N_("不支持的压缩方式 %(encoding)s"), code="encoding", encoding=encoding[:40])
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS) if "gzip" in encoding else None
    while chunk := response.read1(CHUNK):
        if unpacker is None:
            yield chunk
            continue
        while chunk:
            try:
                yield unpacker.decompress(chunk, CHUNK)
            except zlib.error as error:
                raise FetchRefused(N_("压缩内容已损坏"), code="encoding") from error
            chunk = unpacker.unconsumed_tail


def _bounded(chunks: Iterator[bytes], limits: Limits, ends: float) -> Iterator[bytes]:
    came = 0
    for chunk in chunks:
        came += len(chunk)
        if came > limits.bytes:
            raise _too_large(limits)
        if time.monotonic() > ends:
            raise _too_slow()
        yield chunk


def _too_large(limits: Limits) -> FetchRefused:
    return FetchRefused(N_("内容超过 %(most)s MB，没有接收"), code="too_large", most=limits.bytes // MIB)


def _too_slow() -> FetchFailed:
    return FetchFailed(N_("对方太慢，已中断"), code="too_slow")
