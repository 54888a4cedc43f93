"""Enrolment of a terminal, the province's side of protocol/enrolment.py.

What a caller can learn: with a wrong proof always the same words, whether the code's number exists, is used up or
not; with the right proof why it is refused. States of an invitation::

    open ─── right proof ──► used      the same key again: the same answer; another key: refused and alarmed
     ├────── 5 wrong proofs ► exhausted
     └────── 72 hours ──────► expired
"""

from __future__ import annotations

import base64
import logging
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from protocol import keys
from protocol.documents import Endpoints
from protocol.enrolment import (
    CODE_TRIES,
    EnrolmentAnswer,
    EnrolmentBody,
    EnrolmentRequest,
    agent_proof,
    same,
    server_proof,
)
from protocol.errors import BadSignature
from protocol.times import to_text
from server.errors import Conflict, Forbidden, Gone, Invalid, TooMany, YuanboError
from server.i18n import N_
from server.identity import audit
from server.stations import incarnation
from server.stations.models import Invitation, Revocation, Station, Terminal

log = logging.getLogger(__name__)

_NO_KEY = bytes(32)
"""Proofs for codes that do not exist are checked against this, to take the same time."""


@dataclass(frozen=True)
class Province:
    """What the answer tells a terminal about us: the newest root.json, where we are found, who signs receipts."""

    root: bytes
    endpoints: Endpoints
    receipt_keys: tuple[str, ...]
    ca_pem: str | None = None


@dataclass
class WrongTries:
    """How many wrong proofs this process still counts: 60 in any minute.

    Codes have few numbers (a million) and five tries each: whoever sent wrong proofs for all of them at full speed would
    use up every open invitation within hours. Beyond the budget wrong proofs are turned away uncounted; who knows
    a code is served all the same.
    """

    most: int = 60
    window: timedelta = timedelta(minutes=1)
    spent: deque[datetime] = field(default_factory=deque)

    def has_room(self, now: datetime) -> bool:
        while self.spent and self.spent[0] <= now - self.window:
            self.spent.popleft()
        return len(self.spent) < self.most

    def spend(self, now: datetime) -> None:
        self.spent.append(now)


def enrol(
    session: Session,
    request: EnrolmentRequest,
    province: Province,
    *,
    wrong_tries: WrongTries | None = None,
    now: datetime,
) -> EnrolmentAnswer | YuanboError:
    """The answer to a terminal, or the refusal to raise *after* the transaction: a wrong try must stay counted."""
    invitation = session.scalars(
        select(Invitation).where(Invitation.code_id == request.id).with_for_update()
    ).one_or_none()
    key = invitation.key if invitation else _NO_KEY
    proven = same(agent_proof(key, request.id, request.public, request.nonce), request.proof)
    if invitation is None or not proven:
        return _wrong(invitation, wrong_tries or WrongTries(), now)
    if invitation.used_by is not None:
        return _again(session, invitation, request, now)
    return _open(session, invitation, request, province, now)


def _wrong(invitation: Invitation | None, budget: WrongTries, now: datetime) -> Forbidden | TooMany:
    if not budget.has_room(now):
        return TooMany(N_("注册请求太多，请稍后再试"), retry_after_s=60)
    budget.spend(now)
    if invitation is not None and invitation.used_by is None and invitation.expires_at > now:
        invitation.tries = min(invitation.tries + 1, CODE_TRIES)
    return Forbidden(
        N_("注册码不对：请核对后再输入；输错 %(tries)s 次后注册码作废"),
        code="enrolment_wrong",
        tries=CODE_TRIES,
    )


def _again(
    session: Session, invitation: Invitation, request: EnrolmentRequest, now: datetime
) -> EnrolmentAnswer | Gone:
    if not same(invitation.used_by or "", request.public):
        _alarm(session, invitation, request, now)
        return Gone(N_("注册码已被另一台终端使用；如非本人操作，请报告县远程办"), code="enrolment_used")
    terminal = session.get(Terminal, invitation.terminal_id) if invitation.terminal_id else None
    if terminal is None or terminal.revoked_at is not None or invitation.answer is None:
        return Gone(N_("该终端已停用，请用新的注册码"), code="enrolment_revoked")
    return _answer(invitation, request, invitation.answer)


def _alarm(session: Session, invitation: Invitation, request: EnrolmentRequest, now: datetime) -> None:
    """Somebody else knows the secret, and was late, or was first."""
    fingerprint = _fingerprint(request.public)
    log.warning("invitation %s: used by one key, asked for by another, %s", invitation.code_id, fingerprint)
    alarm = f"another key asked: {fingerprint}"
    if invitation.alarm != alarm:
        invitation.alarm = alarm
        audit.append(
            session,
            actor=None,
            action="enrolment.second_key",
            subject=f"invitation {invitation.code_id}",
            detail={"station": invitation.station_id, "terminal": invitation.terminal_id, "key": fingerprint},
            now=now,
        )


def _open(
    session: Session, invitation: Invitation, request: EnrolmentRequest, province: Province, now: datetime
) -> EnrolmentAnswer | YuanboError:
    if invitation.tries >= CODE_TRIES:
        return Gone(N_("注册码输错次数过多，已作废；请用新的注册码"), code="enrolment_exhausted")
    if invitation.expires_at <= now:
        return Gone(N_("注册码已过期；请用新的注册码"), code="enrolment_expired")
    if not _is_key(request.public):
        return Invalid(N_("终端公钥不对"), code="enrolment_key")
    if session.scalar(select(Terminal.id).where(Terminal.public == request.public)) is not None:
        return Conflict(N_("这台终端已经注册过"), code="enrolment_key_known")
    station = session.get_one(Station, invitation.station_id)
    terminal = Terminal(station_id=station.id, public=request.public, enrolled_at=now)
    session.add(terminal)
    session.flush()
    invitation.used_at = now
    invitation.used_by = request.public
    invitation.terminal_id = terminal.id
    invitation.answer = _body(session, station, terminal, province, now)
    if invitation.replaces is not None:
        _replace(session, invitation.replaces, terminal, now)
    return _answer(invitation, request, invitation.answer)


def _replace(session: Session, old_id: str, new: Terminal, now: datetime) -> None:
    """换机: the new terminal is there, so the old one is trusted no more; what it had not reported yet may still come
    (ingest.py). Revoked otherwise meanwhile, it stays as it is."""
    old = session.scalars(select(Terminal).where(Terminal.id == old_id).with_for_update()).one_or_none()
    if old is None or old.revoked_at is not None or old.station_id != new.station_id:
        return
    old.revoked_at, old.revoked_why, old.replaced_by = now, Revocation.REPLACED, new.id
    audit.append(
        session,
        actor=None,
        action="terminal.replace",
        subject=f"terminal {old.id}",
        detail={"by": new.id, "station": new.station_id},
        now=now,
    )


def _body(session: Session, station: Station, terminal: Terminal, province: Province, now: datetime) -> str:
    body = EnrolmentBody(
        terminal=terminal.id,
        station=station.id,
        station_name=station.name,
        region=station.region,
        root=base64.b64encode(province.root).decode(),
        endpoints=province.endpoints,
        ca_pem=province.ca_pem,
        receipt_keys=list(province.receipt_keys),
        time=to_text(now),
        incarnation=incarnation.current(session),
    )
    return msgspec.json.encode(body).decode()


def _answer(invitation: Invitation, request: EnrolmentRequest, body: str) -> EnrolmentAnswer:
    return EnrolmentAnswer(body=body, proof=server_proof(invitation.key, body, request.public, request.nonce))


def _fingerprint(public: str) -> str:
    """A short name of a key for people; of something that is no key, its beginning."""
    try:
        return keys.key_id(public)
    except BadSignature:
        return repr(public[:16])


def _is_key(public: str) -> bool:
    try:
        keys.key_id(public)
    except BadSignature:
        return False
    return True
