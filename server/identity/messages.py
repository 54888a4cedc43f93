"""Messages to people: one outbox, from which the page's inbox, e-mail, SMS and the webhook are served.

Rooms call :func:`post` inside their own transaction, so a message exists exactly when the thing it speaks of does. The
page shows it at once; the clock's job hands it to the other channels (see delivery.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from protocol.regions import lineage
from server.errors import NotFound
from server.i18n import N_
from server.identity.models import Account, Message, RoleGrant
from server.identity.rules import TABLE, Action, Caller

PAGE = 50


class MessageKind(StrEnum):
    """What a message is about; people filter by it."""

    RETURNED = "returned"
    WAITING = "waiting"
    DEADLINE = "deadline"
    DUTY = "duty"
    RELEASED = "released"
    WITHDRAWN = "withdrawn"
    SCHEDULE = "schedule"
    PUBLICATION = "publication"
    STATION = "station"
    SECURITY = "security"
    NOTICE = "notice"


KIND_NAMES: dict[MessageKind, str] = {
    MessageKind.RETURNED: N_("退回修改"),
    MessageKind.WAITING: N_("等待审核"),
    MessageKind.DEADLINE: N_("到期提醒"),
    MessageKind.DUTY: N_("加急值班"),
    MessageKind.RELEASED: N_("审核通过"),
    MessageKind.WITHDRAWN: N_("撤下"),
    MessageKind.SCHEDULE: N_("节目编排"),
    MessageKind.PUBLICATION: N_("发布"),
    MessageKind.STATION: N_("站点"),
    MessageKind.SECURITY: N_("账号安全"),
    MessageKind.NOTICE: N_("通知"),
}

URGENT = frozenset({MessageKind.DUTY, MessageKind.SECURITY})
"""Kinds that wait for no digest and reach people who asked for urgent ones only."""


def post(
    session: Session,
    recipients: Iterable[str],
    *,
    kind: MessageKind,
    title: str,
    text: str = "",
    params: Mapping[str, Any] | None = None,
    link: str | None = None,
    key: str | None = None,
    now: datetime,
) -> int:
    """Put a message into the inbox of each of these accounts (by id; doubles count once); how many were new.

    ``title`` and ``text`` are Chinese source texts marked ``N_``, their ``%(name)s`` places filled from ``params``: each
    reader sees them in his language. ``link`` is a path of the console. With a ``key`` a person gets it once only:
    a reminder that runs every minute posts ``review-due:<edition>``. Who is no account (any more) gets none.
    """
    asked = sorted(set(recipients))
    wanted = set(session.scalars(select(Account.id).where(Account.id.in_(asked)))) if asked else set()
    if key is not None and wanted:
        had = session.scalars(
            select(Message.account_id).where(Message.key == key, Message.account_id.in_(wanted))
        )
        wanted -= set(had)
    for account_id in sorted(wanted):
        session.add(
            Message(
                account_id=account_id,
                kind=kind,
                title=title,
                text=text,
                params=dict(params or {}),
                link=link,
                key=key,
                created_at=now,
                read_at=None,
                dispatched_at=None,
            )
        )
    session.flush()
    return len(wanted)


def holders(session: Session, action: Action, region: str) -> list[str]:
    """Accounts that may do the action in this region, by their id: active ones with a fitting grant, in order."""
    return list(
        session.scalars(
            select(Account.id)
            .join(RoleGrant, RoleGrant.account_id == Account.id)
            .where(
                Account.is_active,
                RoleGrant.role.in_(TABLE[action]),
                RoleGrant.region.in_(lineage(region)),
            )
            .distinct()
            .order_by(Account.id)
        )
    )


_PLACE = re.compile(r"%\((\w+)\)s")


def fill(text: str, params: Mapping[str, Any]) -> str:
    """The text with its ``%(name)s`` places filled; any other per cent sign and unknown places stay."""
    return _PLACE.sub(lambda place: str(params.get(place[1], place[0])), text)


# --- the inbox --------------------------------------------------------------------------------------------------------
def inbox(
    session: Session,
    caller: Caller,
    *,
    kind: MessageKind | None = None,
    unread: bool = False,
    after: str | None = None,
    limit: int = PAGE,
) -> tuple[Sequence[Message], str | None]:
    """The caller's messages, newest first, and where the next page begins (None: no more)."""
    limit = max(1, min(limit, 200))
    query = select(Message).where(Message.account_id == caller.id)
    if kind is not None:
        query = query.where(Message.kind == kind)
    if unread:
        query = query.where(Message.read_at.is_(None))
    if after:
        query = query.where(Message.id < after)
    found = session.scalars(query.order_by(Message.id.desc()).limit(limit + 1)).all()
    return found[:limit], found[limit - 1].id if len(found) > limit else None


def unread_count(session: Session, caller: Caller) -> int:
    """How many messages the caller has not opened."""
    query = select(func.count()).where(Message.account_id == caller.id, Message.read_at.is_(None))
    return session.scalar(query) or 0


def mark_read(session: Session, caller: Caller, message_id: str, *, now: datetime) -> Message:
    """The caller opened one of his messages. Raises NotFound."""
    message = session.get(Message, message_id)
    if message is None or message.account_id != caller.id:
        raise NotFound(N_("没有这条消息"))
    if message.read_at is None:
        message.read_at = now
    return message


def mark_all_read(session: Session, caller: Caller, *, now: datetime) -> int:
    """The caller has seen them all; how many were new to him."""
    done = session.execute(
        update(Message)
        .where(Message.account_id == caller.id, Message.read_at.is_(None))
        .values(read_at=now)
        .execution_options(synchronize_session=False)
    )
    return int(done.rowcount)  # type: ignore[attr-defined]
