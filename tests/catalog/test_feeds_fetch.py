"""The guarded fetcher: never inside, never without end."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from server.catalog.feeds_fetch import (
    FEED_LIMITS,
    MIB,
    Fetcher,
    FetchFailed,
    FetchRefused,
    Limits,
    check_url,
    is_public,
)
from server.errors import YuanboError
from tests.catalog.partner import Handler, Partner


@pytest.fixture
def partner() -> Iterator[Partner]:
    running = Partner()
    yield running
    running.close()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.5.4", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "224.0.0.1", "255.255.255.255", "198.18.0.1", "192.0.2.1", "::1", "::", "fe80::1", "fc00::1", "fec0::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1",
    ],
)  # fmt: skip
def test_addresses_of_this_machine_and_of_inner_networks_are_not_public(address: str) -> None:
    assert not is_public(address)


def test_addresses_of_the_open_internet_are_public() -> None:
    assert is_public("93.184.216.34")
    assert is_public("2606:2800:220:1:248:1893:25c8:1946")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/a", "file:///etc/passwd", "gopher://x", "http://", "//x", "http://a:b@example.org/",
        "http://example.org:99999/", "http://exa mple.org/", "http://example.org/\n", "javascript:1", "", "http://[::1",
        "http://x:0/",
    ],
)  # fmt: skip
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(FetchRefused):
        check_url(url)


def code_of(fetcher: Fetcher, url: str, limits: Limits = FEED_LIMITS) -> str:
    with pytest.raises(YuanboError) as refused:
        fetcher.get_whole(url, limits)
    return refused.value.code


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433", "0x7f.1", "127.1"]
)
def test_this_machine_is_not_reached_however_it_is_written(partner: Partner, host: str) -> None:
    partner.put("/feed", b"<rss/>")
    assert code_of(Fetcher(), f"http://{host}:{partner.port}/feed") in ("private_address", "host")
    assert partner.asked == []


def test_a_redirect_to_this_machine_or_an_inner_network_is_not_followed(partner: Partner) -> None:
    """The partner itself is allowed here; where it sends us is not."""
    other = Partner()
    other.put("/secret", b"secret")
    fetcher = Fetcher(partner.allowed)
    try:
        for target in (f"{other.url}/secret", "http://169.254.169.254/latest/meta-data", "http://10.0.0.1/"):
            partner.put_reply("/feed", lambda handler, target=target: handler.redirect(target))  # type: ignore[misc]
            assert code_of(fetcher, f"{partner.url}/feed") == "private_address"
        partner.put_reply("/feed", lambda handler: handler.redirect("file:///etc/passwd"))
        assert code_of(fetcher, f"{partner.url}/feed") == "url"
        assert other.asked == []
    finally:
        other.close()


def test_a_name_that_leads_inside_is_refused_whatever_else_it_leads_to(
    partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two addresses one is inside: the name is not trusted at all."""
    entries = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 80)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", partner.port)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: entries)
    assert code_of(Fetcher(), f"http://partner.example:{partner.port}/feed") == "private_address"
    assert partner.asked == []


def test_redirects_are_followed_but_not_for_ever(partner: Partner) -> None:
    partner.put("/feed", b"<rss/>")
    partner.put_reply("/old", lambda handler: handler.redirect("/feed"))
    partner.put_reply("/loop", lambda handler: handler.redirect("/loop"))
    fetcher = Fetcher(partner.allowed)
    answer, content = fetcher.get_whole(f"{partner.url}/old", FEED_LIMITS)
    assert (answer.url, content) == (f"{partner.url}/feed", b"<rss/>")
    assert code_of(fetcher, f"{partner.url}/loop") == "redirects"


def test_a_feed_of_100_mb_is_refused_whether_it_says_so_or_not(partner: Partner) -> None:
    def says_so(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(100 * MIB))
        handler.end_headers()
        handler.wfile.write(b" " * MIB)

    partner.put_reply("/honest", says_so)
    partner.put_reply("/endless", lambda handler: handler.endless(b" " * MIB))
    partner.put_reply("/bomb", lambda handler: handler.bomb())
    fetcher = Fetcher(partner.allowed)
    for path in ("/honest", "/endless", "/bomb"):
        assert code_of(fetcher, partner.url + path) == "too_large"


def test_a_server_that_drips_is_cut_off(partner: Partner) -> None:
    def drips_headers(handler: Handler) -> None:
        while not handler.here.stopping.wait(0.05):
            handler.wfile.write(b"X")
            handler.wfile.flush()

    partner.put_reply("/body", lambda handler: handler.endless(b" ", 0.05))
    partner.put_reply("/headers", drips_headers)
    partner.put_reply("/silence", lambda handler: handler.here.stopping.wait(30) and None)
    fetcher = Fetcher(partner.allowed)
    for path in ("/body", "/headers", "/silence"):
        assert code_of(fetcher, partner.url + path, Limits(bytes=MIB, seconds=0.5)) == "too_slow"


def test_packed_content_is_unpacked_and_damaged_is_refused(partner: Partner) -> None:
    import gzip

    partner.put("/good", gzip.compress(b"<rss/>"), Content_Encoding="gzip")
    partner.put("/bad", b"not gzip", Content_Encoding="gzip")
    partner.put("/odd", b"x", Content_Encoding="br")
    fetcher = Fetcher(partner.allowed)
    assert fetcher.get_whole(f"{partner.url}/good", FEED_LIMITS)[1] == b"<rss/>"
    assert code_of(fetcher, f"{partner.url}/bad") == code_of(fetcher, f"{partner.url}/odd") == "encoding"


def test_what_may_be_better_later_is_told_from_what_will_not(partner: Partner) -> None:
    for path, status in (("/gone", 410), ("/busy", 503)):
        partner.put_reply(path, lambda handler, status=status: handler.send_error(status))  # type: ignore[misc]
    fetcher = Fetcher(partner.allowed)
    with pytest.raises(FetchRefused):
        fetcher.get_whole(f"{partner.url}/gone", FEED_LIMITS)
    with pytest.raises(FetchFailed):
        fetcher.get_whole(f"{partner.url}/busy", FEED_LIMITS)
    port = partner.port
    partner.close()
    with pytest.raises(FetchFailed):
        Fetcher((f"127.0.0.1:{port}",)).get_whole(f"http://127.0.0.1:{port}/", FEED_LIMITS)


def test_a_proxy_of_the_environment_is_not_used(partner: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:1")
    partner.put("/feed", b"<rss/>")
    assert Fetcher(partner.allowed).get_whole(f"{partner.url}/feed", FEED_LIMITS)[1] == b"<rss/>"
