"""The audit chain: every decision is a link whose hash covers its content and the link before.

Signers believe this chain, not the rows that states are kept in. It shows any change to a link in the middle; whoever
needs to know that its end was not cut off keeps the last :class:`Head` he saw and verifies from there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from protocol.times import to_text
from server.db import take_turn
from server.errors import YuanboError
from server.i18n import N_
from server.identity.models import AuditEntry
from server.identity.rules import Caller

GENESIS_HASH = "0" * 64
"""``prev_hash`` of the first link."""
_TURN = "audit"
_PAGE = 1_000
SYSTEM_NAME = "系统"


class ChainBroken(YuanboError):
    """A link does not fit its content or the link before it."""

    code = "audit_broken"
    title = N_("审计链已损坏")


@dataclass(frozen=True)
class Head:
    """The end of the chain: the number and hash of the last link; (0, zeros) for an empty one."""

    seq: int = 0
    hash: str = GENESIS_HASH


def append(
    session: Session,
    *,
    actor: Caller | None,
    action: str,
    subject: str,
    detail: dict[str, Any] | None = None,
    now: datetime,
) -> AuditEntry:
    """Add a link; ``actor`` None is the system itself, ``detail`` must be plain JSON.

    Writers take turns until they commit, so it comes last: after it a transaction waits for no row and no other turn.
    """
    take_turn(session, _TURN)
    head = head_of(session)
    entry = AuditEntry(
        seq=head.seq + 1,
        at=now.replace(microsecond=now.microsecond // 1000 * 1000),
        actor_id=actor.id if actor else None,
        actor_name=actor.name if actor else SYSTEM_NAME,
        action=action,
        subject=subject,
        detail=json.loads(_canonical(detail or {})),
        prev_hash=head.hash,
        hash="",
    )
    entry.hash = link_hash(entry)
    session.add(entry)
    session.flush()
    return entry


def head_of(session: Session) -> Head:
    """The end of the chain as this transaction sees it."""
    last = session.execute(
        select(AuditEntry.seq, AuditEntry.hash).order_by(AuditEntry.seq.desc()).limit(1)
    ).one_or_none()
    return Head(last.seq, last.hash) if last else Head()


def link_hash(entry: AuditEntry) -> str:
    """SHA-256 over the canonical JSON of everything in the link but its own hash."""
    content = {
        "seq": entry.seq,
        "at": to_text(entry.at),
        "actor_id": entry.actor_id,
        "actor_name": entry.actor_name,
        "action": entry.action,
        "subject": entry.subject,
        "detail": entry.detail,
        "prev_hash": entry.prev_hash,
    }
    return hashlib.sha256(_canonical(content).encode()).hexdigest()


def verify_chain(session: Session, from_seq: int = 0, from_hash: str = GENESIS_HASH) -> Head:
    """Check every link after ``from_seq``, whose hash must be ``from_hash``; the new head.

    Raises ChainBroken when the link we started from changed or is gone, a number is missing, or content does not
    fit its hash.
    """
    head = Head(from_seq, from_hash)
    if from_seq:
        start = session.get(AuditEntry, from_seq)
        if start is None or start.hash != from_hash:
            raise ChainBroken(N_("审计记录 %(seq)s 与此前所见不符"), seq=from_seq)
    for entry in _links(session, from_seq):
        if entry.seq != head.seq + 1:
            raise ChainBroken(N_("审计记录 %(seq)s 缺失"), seq=head.seq + 1)
        if entry.prev_hash != head.hash or entry.hash != link_hash(entry):
            raise ChainBroken(N_("审计记录 %(seq)s 被改动"), seq=entry.seq)
        head = Head(entry.seq, entry.hash)
    return head


def entries_of(session: Session, subject: str) -> Sequence[AuditEntry]:
    """The links about one subject (``edition:<id>``), oldest first."""
    return session.scalars(
        select(AuditEntry).where(AuditEntry.subject == subject).order_by(AuditEntry.seq)
    ).all()


def _links(session: Session, after: int) -> Iterator[AuditEntry]:
    while page := session.scalars(
        select(AuditEntry)
        .where(AuditEntry.seq > after)
        .order_by(AuditEntry.seq)
        .limit(_PAGE)
        .execution_options(populate_existing=True)
    ).all():
        yield from page
        after = page[-1].seq


def _canonical(content: Any) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def newest(session: Session, *, before: int | None = None, limit: int = 100) -> Sequence[AuditEntry]:
    """Links for a page, the newest first; with ``before`` those under that number."""
    query = select(AuditEntry).order_by(AuditEntry.seq.desc()).limit(limit)
    return session.scalars(query.where(AuditEntry.seq < before) if before else query).all()
