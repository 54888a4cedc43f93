"""Others in the same Wi-Fi, and phones that misbehave."""

from __future__ import annotations

import http.client
import json
import socket
import time

import pytest

from client_agent.errors import StorageFailed
from client_agent.phone import server as listener
from client_agent.phone.address import is_local
from protocol.batch import Fault, Voice
from tests.client_agent.phone.conftest import Phone

PAGES = ("", "phone.js", "roll.js", "send.js", "words.js", "phone.css")


def raw(phone, request, *, wait_s=30):
    """All that comes back for bytes sent as they are."""
    with socket.create_connection((phone.host, phone.port), timeout=wait_s) as line:
        line.sendall(request)
        found = b""
        try:
            while more := line.recv(65536):
                found += more
        except ConnectionError:
            pass
        return found


def drips(line):
    """How many bytes, one after another, a connection takes before it is cut."""
    for taken in range(600):
        try:
            line.sendall(b"x")
        except OSError:
            return taken
        time.sleep(0.05)
    return 600


def test_who_does_not_know_the_secret_finds_nothing_at_all(village):
    phone = village.scan()
    for root in ("/", "/s/", "/s/aaaaaaaaaaaaaaaa/", f"/s/{phone.secret[:-1]}/", f"/{phone.secret}/"):
        for path in (*PAGES, "api/state"):
            assert phone.ask(path, root=root).status == 404, root + path
    assert all(phone.ask(path).status == 200 for path in PAGES)


def test_a_deed_needs_the_secret_in_a_header_and_the_pages_own_origin(village, deed):
    phone = village.scan()
    body = {"deed": deed(), "text": "?"}
    for more in (
        {"Yuanbo-Secret": ""},
        {"Yuanbo-Secret": "x" * 16},
        {"Origin": "http://evil.example"},
        {"Origin": ""},
    ):
        assert phone.post("question", body, **more)[0] == 403
    assert village.records(Voice) == []


def test_another_name_for_this_machine_is_not_answered(village):
    phone = village.scan()
    for host in ("evil.example", f"localhost:{phone.port}", "127.0.0.1"):
        assert phone.ask("", headers={"Host": host}).status == 421


def test_everything_forbids_what_is_foreign(village):
    answer = village.scan().ask("")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"


def test_only_devices_of_a_local_network_count():
    assert all(map(is_local, ("10.1.2.3", "172.31.0.1", "192.168.1.7", "169.254.9.9", "127.0.0.1")))
    assert not any(map(is_local, ("8.8.8.8", "172.32.0.1", "192.169.0.1", "100.64.0.1", "::1", "", "x")))


def test_a_device_from_elsewhere_is_not_answered(village, monkeypatch):
    phone = village.scan()
    monkeypatch.setattr(listener, "is_local", lambda _: False)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        phone.state()


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{}", "text/plain", 415),
        (b"{}", "application/x-www-form-urlencoded", 415),
        (b"", "application/json", 400),
        (b"{not json", "application/json", 400),
        (b'{"deed": 7, "text": "x"}', "application/json", 400),
        (b'{"deed": "../../etc", "text": "x"}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
    ],
)
def test_what_is_no_request_changes_nothing(village, body, content_type, status):
    phone = village.scan()
    answer = phone.ask("api/question", "POST", body, {**phone.headers, "Content-Type": content_type})
    assert answer.status == status
    assert village.records(Voice) == []


def test_fifty_megabytes_are_refused_before_they_are_read(village):
    phone = village.scan()
    head = (
        f"POST /s/{phone.secret}/api/names HTTP/1.1\r\nHost: {phone.host}:{phone.port}\r\n"
        f"Yuanbo-Secret: {phone.secret}\r\nOrigin: {phone.headers['Origin']}\r\n"
        "Content-Type: application/json\r\nContent-Length: 52428800\r\n\r\n"
    )
    assert raw(phone, head.encode()).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_drips_is_cut_off_by_a_deadline(village, monkeypatch):
    monkeypatch.setattr(listener, "REQUEST_S", 1.0)
    phone = village.scan()
    head = (
        f"POST /s/{phone.secret}/api/question HTTP/1.1\r\nHost: {phone.host}:{phone.port}\r\n"
        f"Yuanbo-Secret: {phone.secret}\r\nOrigin: {phone.headers['Origin']}\r\n"
        "Content-Type: application/json\r\nContent-Length: 90\r\n\r\n"
    )
    with socket.create_connection((phone.host, phone.port), timeout=30) as line:
        line.sendall(head.encode())
        assert drips(line) < 80
    assert village.records(Voice) == []
    assert phone.state()["station"]


def test_a_few_silent_connections_do_not_keep_a_phone_out(village, monkeypatch):
    monkeypatch.setattr(listener, "REQUEST_S", 1.0)
    phone = village.scan()
    idle = [socket.create_connection((phone.host, phone.port)) for _ in range(listener.MOST_OF_ONE + 3)]
    try:
        for _ in range(100):
            try:
                assert phone.state()["station"]
                break
            except (http.client.HTTPException, ConnectionError):
                time.sleep(0.1)
        else:
            pytest.fail("the page was kept out")
    finally:
        for line in idle:
            line.close()


def test_a_phone_that_asks_without_end_is_told_to_slow_down(village, monkeypatch):
    monkeypatch.setattr(listener, "A_MINUTE", 5)
    phone = village.scan()
    assert [phone.ask("api/state").status for _ in range(7)] == [200] * 5 + [429] * 2


def test_a_list_holds_a_thousand_names_and_not_one_more(village):
    phone = village.scan()
    status, answer = phone.add("\n".join(f"村民{n}" for n in range(1_000)))
    assert (status, answer["added"]) == (200, 1_000)
    assert phone.add("多一个")[:1] == (409,)
    assert len(phone.state()["people"]) == 1_000
    assert phone.tap(*range(1, 1_001), done=True)[0] == 200


def test_too_many_at_once_leave_the_list_as_it_was(village):
    phone = village.scan()
    phone.add("王建国")
    assert phone.add("\n".join(f"村民{n}" for n in range(1_000)))[0] == 409
    assert phone.state()["people"] == [[1, "王建国", 0]]


def test_taps_of_strangers_of_another_session_or_of_another_roll_change_nothing(village):
    village.do("begin")
    phone = village.scan()
    phone.add("王建国")
    phone.tap(77, 1)
    assert phone.state()["session"]["rolls"]["start"]["there"] == [1]
    assert phone.tap(1, session="01890000-0000-7000-8000-000000000009")[0] == 409
    assert phone.tap(1, roll="end")[0] == 409
    assert phone.tap(1, roll="late")[0] == 409


def test_a_full_disk_is_said_and_nothing_is_half_stored(village, deed, monkeypatch):
    phone = village.scan()
    phone.add("王建国")

    def full(*_args, **_more):
        raise StorageFailed

    monkeypatch.setattr(village.helper.people, "mark", full)
    monkeypatch.setattr(village.outbox, "append", full)
    status, answer = phone.tap(1)
    assert (status, answer) == (507, {"error": "disk"})
    fault = {"deed": deed(), "code": "remote"}
    assert phone.post("fault", fault)[0] == 507
    monkeypatch.undo()
    assert phone.state()["session"]["rolls"]["start"]["there"] == []
    assert phone.post("fault", fault)[0] == 200
    assert [one.code for one in village.records(Fault)] == ["remote"]


def test_a_book_that_can_grow_no_more_takes_no_half_of_a_list(village, deed):
    phone = village.scan()
    phone.add("王建国")
    [(pages,)] = village.helper.book.rows("PRAGMA page_count")
    village.helper.book.execute(f"PRAGMA max_page_count={pages}")
    assert phone.add("\n".join(f"第{n}生产队的村民" for n in range(900)))[0] == 507
    assert phone.state()["people"] == [[1, "王建国", 0]]
    village.helper.book.execute("PRAGMA max_page_count=1000000")
    assert phone.add("李秀英")[0] == 200
    assert len(phone.state()["people"]) == 2


def test_the_secret_is_in_no_log(village, caplog):
    with caplog.at_level(0):
        phone = village.scan()
        phone.state()
        Phone(f"http://{phone.host}:{phone.port}/s/wrongwrongwrongw/").ask("")
    assert phone.secret not in caplog.text
    assert json.loads(phone.ask("api/state").data)["station"]
