"""Messages leave by the channels people chose, once, later when a channel is away, and by digest where wished."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from sqlalchemy import select

from server.config import MessagingSettings
from server.db import Database
from server.errors import Invalid
from server.identity import contacts, message_jobs
from server.identity.delivery import (
    RETRIES,
    Channel,
    Letter,
    Mode,
    SendingFailed,
    digest,
    next_morning,
    retry_at,
    send,
)
from server.identity.messages import MessageKind, post
from server.identity.models import Delivery
from server.identity.rules import Caller, Role

NOW = datetime(2026, 12, 5, 11, 0, tzinfo=UTC)
CONSOLE = "https://yuanbo.example"


class Gateway:
    """A real SMS gateway and webhook, that can be told to fail."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, str], Any]] = []
        self.status = 200
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if gateway.status == 200:
                    gateway.got.append((self.path, dict(self.headers), body))
                self.send_response(gateway.status)
                self.send_header("Location", "http://127.0.0.1:1/")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    made = Gateway()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def wang(person: Callable[..., Caller]) -> Caller:
    return person("wang", Role.FIRST_REVIEWER, "13")


def choose(database: Database, who: Caller, mode: Mode) -> None:
    with database.write() as session:
        contacts.choose(session, who, Channel.SMS, address="13800000000", mode=mode)


def say(database: Database, who: Caller, title: str, kind: MessageKind = MessageKind.WAITING) -> None:
    with database.write() as session:
        post(session, [who.id], kind=kind, title=title, link="/review", now=NOW)


def states(database: Database) -> list[tuple[str, int]]:
    with database.read() as session:
        return [(row.state, row.attempts) for row in session.scalars(select(Delivery).order_by(Delivery.id))]


def test_nothing_configured_means_the_page_alone(database: Database, wang: Caller) -> None:
    choose(database, wang, Mode.EACH)
    say(database, wang, "等您审核")
    assert message_jobs.run(database, MessagingSettings(), CONSOLE, now=NOW) == 0
    assert states(database) == []


def test_a_message_leaves_once_with_its_link(database: Database, wang: Caller, gateway: Gateway) -> None:
    settings = MessagingSettings(sms_url=gateway.url + "/sms", sms_token="key")
    choose(database, wang, Mode.EACH)
    say(database, wang, "等您审核")
    assert message_jobs.run(database, settings, CONSOLE, now=NOW) == 1
    assert message_jobs.run(database, settings, CONSOLE, now=NOW + timedelta(hours=1)) == 0
    ((path, headers, body),) = gateway.got
    assert (path, headers["Authorization"]) == ("/sms", "Bearer key")
    assert json.loads(body) == {"to": "13800000000", "text": "等您审核"}
    assert states(database) == [("sent", 1)]


def test_a_gateway_that_is_away_is_tried_again_later_and_at_last_given_up(
    database: Database, wang: Caller, gateway: Gateway
) -> None:
    settings = MessagingSettings(sms_url=gateway.url)
    choose(database, wang, Mode.EACH)
    say(database, wang, "等您审核")
    gateway.status, at = 503, NOW
    for wait in RETRIES:
        assert message_jobs.run(database, settings, CONSOLE, now=at) == 0
        assert message_jobs.run(database, settings, CONSOLE, now=at + wait / 2) == 0  # not before its time
        at += wait
    assert states(database) == [("pending", len(RETRIES))]
    message_jobs.run(database, settings, CONSOLE, now=at)
    assert states(database) == [("failed", len(RETRIES) + 1)]
    assert gateway.got == []


def test_a_digest_waits_for_the_morning_and_holds_everything_but_what_is_urgent(
    database: Database, wang: Caller, gateway: Gateway
) -> None:
    settings = MessagingSettings(sms_url=gateway.url)
    choose(database, wang, Mode.DIGEST)
    for title in ("一", "二"):
        say(database, wang, title)
    say(database, wang, "加急", MessageKind.DUTY)
    assert message_jobs.run(database, settings, CONSOLE, now=NOW) == 1
    assert json.loads(gateway.got[0][2])["text"] == "加急"
    morning = datetime(2026, 12, 6, 0, 0, tzinfo=UTC)  # eight o'clock in Beijing
    assert message_jobs.run(database, settings, CONSOLE, now=morning - timedelta(seconds=1)) == 0
    assert message_jobs.run(database, settings, CONSOLE, now=morning) == 1
    text = json.loads(gateway.got[1][2])["text"]
    assert "远播：2 条消息" in text
    assert "一" in text
    assert "二" in text


def test_who_wants_urgent_ones_only_gets_no_other(database: Database, wang: Caller, gateway: Gateway) -> None:
    choose(database, wang, Mode.URGENT)
    say(database, wang, "等您审核")
    assert message_jobs.run(database, MessagingSettings(sms_url=gateway.url), CONSOLE, now=NOW) == 0
    assert states(database) == []


def test_old_news_is_not_sent_when_a_channel_comes_back(
    database: Database, wang: Caller, gateway: Gateway
) -> None:
    choose(database, wang, Mode.EACH)
    say(database, wang, "等您审核")
    later = NOW + timedelta(days=3)
    assert message_jobs.run(database, MessagingSettings(sms_url=gateway.url), CONSOLE, now=later) == 0
    assert gateway.got == []


def test_the_webhook_is_signed_and_follows_no_redirect(
    database: Database, wang: Caller, gateway: Gateway
) -> None:
    settings = MessagingSettings(webhook_url=gateway.url + "/hook", webhook_secret="s")
    say(database, wang, "等您审核")
    assert message_jobs.run(database, settings, CONSOLE, now=NOW) == 1
    ((_path, headers, body),) = gateway.got
    assert headers["X-Yuanbo-Signature"] == hmac.new(b"s", body, hashlib.sha256).hexdigest()
    assert json.loads(body)["link"] == CONSOLE + "/review"
    gateway.status = 302
    with pytest.raises(SendingFailed):
        send(settings, Channel.WEBHOOK, Letter("", "x", "y"))


def test_a_mail_server_that_is_away_is_no_crash() -> None:
    with pytest.raises(SendingFailed):
        send(MessagingSettings(smtp="127.0.0.1:1"), Channel.EMAIL, Letter("a@b.cn", "t", "x"))


@pytest.mark.parametrize("address", ["no address", "a@b", "a@b.cn\nBcc: x@y.cn", "a@b.cn, x@y.cn", "'; rm"])
def test_an_address_that_is_none_is_refused(database: Database, wang: Caller, address: str) -> None:
    for channel in (Channel.EMAIL, Channel.SMS):
        with database.write() as session, pytest.raises(Invalid):
            contacts.choose(session, wang, channel, address=address, mode=Mode.EACH)


def test_times_of_sending() -> None:
    assert next_morning(datetime(2026, 12, 5, 0, 0, tzinfo=UTC)) == datetime(2026, 12, 6, 0, 0, tzinfo=UTC)
    assert next_morning(datetime(2026, 12, 4, 23, 59, tzinfo=UTC)) == datetime(2026, 12, 5, 0, 0, tzinfo=UTC)
    assert retry_at(len(RETRIES) + 1, NOW) is None
    one = Letter("a", "题", "文", CONSOLE)
    assert digest([one], title="汇总") == one
