"""HTTP as a hostile network needs it."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from client_agent.errors import AnswerTooLong, BadAnswer, TooSlow, Unreachable
from client_agent.fetch import Http, join


@contextmanager
def raw_server(speak: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server that says whatever it likes, once a connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection, suppress(OSError):
                    speaking = tls.wrap_socket(connection, server_side=True) if tls else connection
                    speaking.recv(65536)
                    speak(speaking)
                    speaking.close()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/x"
        listening.shutdown(socket.SHUT_RDWR)


def said(text: bytes) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(text)


def dripping(head: bytes) -> Callable[[socket.socket], None]:
    def speak(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(b"a")
            time.sleep(0.02)

    return speak


@pytest.mark.parametrize(
    "head", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"]
)
def test_a_source_that_drips_is_left_at_the_deadline_wherever_it_drips(head):
    with raw_server(dripping(head)) as url:
        before = time.monotonic()
        with pytest.raises(TooSlow):
            Http().get(url, max_bytes=10**6, deadline_s=0.5)
        assert time.monotonic() - before < 5


def test_an_answer_longer_than_allowed_is_not_read():
    with raw_server(said(b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world")) as url:
        with pytest.raises(AnswerTooLong):
            Http().get(url, max_bytes=10)
        assert Http().get(url, max_bytes=11).body == b"hello world"


def test_an_answer_without_a_length_is_capped_too():
    endless = said(b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 100_000)
    with raw_server(endless) as url, pytest.raises(AnswerTooLong):
        Http().get(url, max_bytes=1_000)


def test_a_chunked_answer_is_capped_too():
    chunks = b"2000\r\n" + b"a" * 0x2000 + b"\r\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with raw_server(said(head + chunks * 4 + b"0\r\n\r\n")) as url:
        assert len(Http().get(url, max_bytes=0x8000).body) == 0x8000
        with pytest.raises(AnswerTooLong):
            Http().get(url, max_bytes=0x7FFF)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\ncut off",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
)
def test_a_broken_answer_is_no_answer(text):
    with raw_server(said(text)) as url, pytest.raises(Unreachable):
        Http().get(url, max_bytes=1_000, deadline_s=5)


def test_a_redirect_is_an_answer_and_nothing_is_followed():
    with raw_server(
        said(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n")
    ) as url:
        assert Http().get(url, max_bytes=1_000).status == 302


def test_other_schemes_are_refused():
    for url in ("file:///etc/passwd", "ftp://127.0.0.1/x", "http:///nohost", "nonsense"):
        with pytest.raises(BadAnswer):
            Http().get(url, max_bytes=10)


def test_an_answer_after_which_the_line_is_closed_is_read_to_its_end():
    body = b"x" * 300_000
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 300000\r\n\r\n"
    with raw_server(said(head + body)) as url:
        assert Http().get(url, max_bytes=400_000).body == body


def test_an_idle_connection_that_was_closed_meanwhile_is_opened_again():
    answer = said(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    with raw_server(answer) as url:
        http = Http()
        for _ in range(3):
            assert http.get(url, max_bytes=10).body == b"ok"
        http.close()


@pytest.fixture
def expired_tls(tmp_path) -> Iterator[tuple[str, str]]:
    """(URL, CA) of a server whose certificate ran out in 1971: what a clock of 2026 makes of one, or 1970 of any."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(1970, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(1971, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "tls.pem").write_bytes(pem + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls.pem")
    answer = said(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    with raw_server(answer, context) as url:
        yield url.replace("http://", "https://"), pem.decode()


def test_tls_holds_to_the_network_s_ca_but_not_to_validity_times(expired_tls):
    url, ca_pem = expired_tls
    assert Http(ca_pem).get(url, max_bytes=10).body == b"ok"
    with pytest.raises(Unreachable, match="certificate"):
        Http().get(url, max_bytes=10)


def test_addresses_join_however_their_base_is_written():
    assert join("http://a/", "m/x") == join("http://a", "m/x") == "http://a/m/x"
