"""The clock's part of messages: hand new ones to people's channels, send what is due, try again what failed."""

from __future__ import annotations

import gettext
import logging
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import groupby
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from server import clock
from server.config import Config, MessagingSettings
from server.db import Database
from server.i18n import N_
from server.identity import delivery
from server.identity.delivery import Channel, Letter, Mode, SendingFailed
from server.identity.messages import URGENT, MessageKind, fill
from server.identity.models import Account, AccountChannel, Delivery, Message

log = logging.getLogger(__name__)

AT_ONCE = 200
CLAIMED_FOR = timedelta(minutes=10)
"""A delivery that a sender took is nobody else's for so long; a sender that died lost it no longer than that."""
PENDING, SENT, FAILED = "pending", "sent", "failed"
_TRANSLATIONS = Path(__file__).resolve().parent.parent / "translations"
DIGEST_TITLE = N_("远播：%(count)s 条消息")


def dispatch(config: Config) -> None:
    """Every few seconds."""
    with closing(Database(config.database_url)) as database:
        run(database, config.messaging, config.console_url, now=clock.now())


def run(database: Database, settings: MessagingSettings, console_url: str, *, now: datetime) -> int:
    """One pass; how many letters left. Nothing is held in a transaction while a channel is spoken to."""
    with database.write() as session:
        spread(session, settings, now=now)
        batches = claim(session, console_url, now=now)
    sent = 0
    for batch in batches:
        error = _try(settings, batch)
        sent += error is None
        with database.write() as session:
            record(session, batch.ids, error, now=now)
    return sent


# --- from the outbox to deliveries ------------------------------------------------------------------------------------
def spread(session: Session, settings: MessagingSettings, *, now: datetime) -> None:
    """Make the deliveries of new messages, by what each person chose and what is configured."""
    new = session.scalars(
        select(Message).where(Message.dispatched_at.is_(None)).order_by(Message.id).limit(AT_ONCE * 5)
    ).all()
    chosen: dict[str, list[AccountChannel]] = {}
    for row in session.scalars(
        select(AccountChannel).where(AccountChannel.account_id.in_({message.account_id for message in new}))
    ):
        chosen.setdefault(row.account_id, []).append(row)
    for message in new:
        message.dispatched_at = now
        if now - message.created_at > delivery.STALE_AFTER:
            continue
        for channel in chosen.get(message.account_id, ()):
            if channel.channel in settings.channels:
                _deliver(session, message, Channel(channel.channel), channel.address, Mode(channel.mode), now)
        if settings.webhook_url:
            _deliver(session, message, Channel.WEBHOOK, "", Mode.EACH, now)
    session.flush()


def _deliver(
    session: Session, message: Message, channel: Channel, address: str, mode: Mode, now: datetime
) -> None:
    when = delivery.due(mode, urgent=MessageKind(message.kind) in URGENT, now=now)
    if when is None:
        return
    session.add(
        Delivery(
            message_id=message.id,
            account_id=message.account_id,
            channel=channel,
            address=address,
            is_digest=when[1],
            state=PENDING,
            attempts=0,
            due_at=when[0],
            sent_at=None,
            error=None,
        )
    )


# --- sending ----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Batch:
    """Deliveries that leave as one letter."""

    ids: tuple[str, ...]
    channel: Channel
    letter: Letter


def claim(session: Session, console_url: str, *, now: datetime) -> list[Batch]:
    """Take what is due, so that nobody else sends it meanwhile."""
    rows = session.scalars(
        select(Delivery)
        .where(Delivery.state == PENDING, Delivery.due_at <= now)
        .order_by(Delivery.due_at, Delivery.id)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    ).all()
    if not rows:
        return []
    messages = _by_id(session, [row.message_id for row in rows])
    accounts = {
        account.id: account
        for account in session.scalars(
            select(Account).where(Account.id.in_({row.account_id for row in rows}))
        )
    }
    batches = []
    for row in rows:
        row.attempts += 1
        row.due_at = now + CLAIMED_FOR
    ordered = sorted(rows, key=lambda r: (r.channel, r.account_id, not r.is_digest, r.address, r.id))
    for (_, _, digest, _), several in groupby(
        ordered, key=lambda r: (r.channel, r.account_id, r.is_digest, r.address)
    ):
        group = list(several)
        parts = [group] if digest else [[one] for one in group]
        batches += [_batch(part, messages, accounts[part[0].account_id], console_url) for part in parts]
    session.flush()
    return batches


def _by_id(session: Session, ids: Sequence[str]) -> dict[str, Message]:
    return {row.id: row for row in session.scalars(select(Message).where(Message.id.in_(ids)))}


def _batch(
    rows: Sequence[Delivery], messages: dict[str, Message], account: Account, console_url: str
) -> Batch:
    letters = [_letter(row, messages[row.message_id], account, console_url) for row in rows]
    title = fill(_said(DIGEST_TITLE, account.locale), {"count": len(letters)})
    return Batch(
        tuple(row.id for row in rows), Channel(rows[0].channel), delivery.digest(letters, title=title)
    )


def _letter(row: Delivery, message: Message, account: Account, console_url: str) -> Letter:
    return Letter(
        address=row.address,
        title=fill(_said(message.title, account.locale), message.params),
        text=fill(_said(message.text, account.locale), message.params) if message.text else "",
        link=console_url + message.link if message.link else None,
        kind=message.kind,
        username=account.username,
    )


def _try(settings: MessagingSettings, batch: Batch) -> str | None:
    try:
        delivery.send(settings, batch.channel, batch.letter)
    except SendingFailed as error:
        log.warning("%s: %s", batch.channel, error)
        return error.text()
    return None


def record(session: Session, ids: Sequence[str], error: str | None, *, now: datetime) -> None:
    """What became of deliveries that were taken."""
    for row in session.scalars(select(Delivery).where(Delivery.id.in_(ids), Delivery.state == PENDING)):
        if error is None:
            row.state, row.sent_at, row.error = SENT, now, None
            continue
        again = delivery.retry_at(row.attempts, now)
        row.error = error[:300]
        row.state, row.due_at = (PENDING, again) if again else (FAILED, now)


def switch_off(session: Session, account_id: str, channel: Channel) -> None:
    """What waits for a channel that somebody gave up is not sent."""
    session.execute(
        update(Delivery)
        .where(Delivery.account_id == account_id, Delivery.channel == channel, Delivery.state == PENDING)
        .values(state=FAILED, error="off")
    )


# --- languages --------------------------------------------------------------------------------------------------------
@cache
def _catalogue(locale: str) -> gettext.NullTranslations:
    return gettext.translation("messages", _TRANSLATIONS, [locale], fallback=True)


def _said(text: str, locale: str) -> str:
    return _catalogue(locale).gettext(text) if text else ""
