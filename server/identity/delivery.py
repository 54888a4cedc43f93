"""How messages leave the page: which deliveries a message makes, when they are due, and the three ways out.

Nothing here is in a hurry: what cannot be sent now is tried again, later each time, and after the last try it says why.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from enum import StrEnum

import urllib3

from protocol.times import SHANGHAI
from server.config import MessagingSettings
from server.errors import YuanboError
from server.i18n import N_

TIMEOUT_S = 15
RETRIES = (
    timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=12),
)  # fmt: skip
"""After how long each failed try is repeated; the one after the last is the end."""
DIGEST_HOUR = 8
STALE_AFTER = timedelta(days=2)
"""What could not leave for so long, for instance while a channel was switched off, is no news any more."""


class Channel(StrEnum):
    EMAIL = "email"
    SMS = "sms"
    WEBHOOK = "webhook"


class Mode(StrEnum):
    """What somebody wants to hear by a channel: each message, one digest a morning, or only urgent ones."""

    EACH = "each"
    DIGEST = "digest"
    URGENT = "urgent"


class SendingFailed(YuanboError):
    """A channel did not take a message."""

    status = 502
    code = "sending_failed"
    title = N_("消息没有送出")


@dataclass(frozen=True)
class Letter:
    """One message, or several in a digest, in the reader's language."""

    address: str
    title: str
    text: str
    link: str | None = None
    kind: str = ""
    username: str = ""


def due(mode: Mode, *, urgent: bool, now: datetime) -> tuple[datetime, bool] | None:
    """When a message leaves by a channel in this mode, and whether in a digest; None: not at all."""
    if urgent or mode is Mode.EACH:
        return now, False
    if mode is Mode.DIGEST:
        return next_morning(now), True
    return None


def next_morning(now: datetime) -> datetime:
    """The next eight o'clock in Beijing."""
    local = now.astimezone(SHANGHAI)
    morning = local.replace(hour=DIGEST_HOUR, minute=0, second=0, microsecond=0)
    return morning if morning > local else morning + timedelta(days=1)


def retry_at(attempts: int, now: datetime) -> datetime | None:
    """When to try again after so many failed tries; None: never."""
    return now + RETRIES[attempts - 1] if 1 <= attempts <= len(RETRIES) else None


def digest(letters: Sequence[Letter], *, title: str) -> Letter:
    """Several letters to one address as one."""
    first = letters[0]
    if len(letters) == 1:
        return first
    parts = ["\n".join(part for part in (f"· {one.title}", one.text, one.link) if part) for one in letters]
    return Letter(first.address, title, "\n\n".join(parts), None, "digest", first.username)


# --- the ways out -----------------------------------------------------------------------------------------------------
def send(settings: MessagingSettings, channel: Channel, letter: Letter) -> None:
    """Hand a letter to its channel. Raises SendingFailed."""
    ways = {Channel.EMAIL: _email, Channel.SMS: _sms, Channel.WEBHOOK: _webhook}
    try:
        ways[channel](settings, letter)
    except (OSError, smtplib.SMTPException, urllib3.exceptions.HTTPError, ValueError) as error:
        raise SendingFailed("%(reason)s", reason=f"{type(error).__name__}: {error}"[:300]) from error


def _email(settings: MessagingSettings, letter: Letter) -> None:
    message = EmailMessage()
    message["From"], message["To"] = settings.smtp_from, one_line(letter.address)
    message["Subject"] = one_line(letter.title)
    message.set_content("\n\n".join(part for part in (letter.text, letter.link) if part) or letter.title)
    host, _, port = str(settings.smtp).partition(":")
    secure = ssl.create_default_context()
    if settings.smtp_tls == "tls":
        line: smtplib.SMTP = smtplib.SMTP_SSL(host, int(port or 465), timeout=TIMEOUT_S, context=secure)
    else:
        line = smtplib.SMTP(host, int(port or 25), timeout=TIMEOUT_S)
    with line:
        if settings.smtp_tls == "starttls":
            line.starttls(context=secure)
        if settings.smtp_user:
            line.login(settings.smtp_user, settings.smtp_password or "")
        line.send_message(message)


def _sms(settings: MessagingSettings, letter: Letter) -> None:
    body = {
        "to": letter.address,
        "text": " ".join(part for part in (letter.title, letter.text) if part)[:300],
    }
    headers = {"Authorization": f"Bearer {settings.sms_token}"} if settings.sms_token else {}
    _post(str(settings.sms_url), body, headers)


def _webhook(settings: MessagingSettings, letter: Letter) -> None:
    body = {
        "username": letter.username,
        "kind": letter.kind,
        "title": letter.title,
        "text": letter.text,
        "link": letter.link,
    }
    data = json.dumps(body, ensure_ascii=False).encode()
    secret = (settings.webhook_secret or "").encode()
    headers = {"X-Yuanbo-Signature": hmac.new(secret, data, hashlib.sha256).hexdigest()} if secret else {}
    _post(str(settings.webhook_url), data, headers)


def _post(url: str, body: dict[str, str] | bytes, headers: dict[str, str]) -> None:
    data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    response = urllib3.request(
        "POST",
        url,
        body=data,
        headers={"Content-Type": "application/json", **headers},
        timeout=TIMEOUT_S,
        redirect=False,
        retries=False,
    )
    if not 200 <= response.status < 300:
        raise ValueError(f"HTTP {response.status}")


def one_line(text: str) -> str:
    """A header's text: no line ends, by which another header could begin."""
    return " ".join(text.split())
