"""第二因子: one-time codes of a phone (TOTP, RFC 6238) and recovery codes, asked for at decisions that matter.

A code counts once: its time step is kept, so that whoever looked over a shoulder cannot use it again. Five wrong ones in
a row lock the factor for a quarter of an hour; the count is kept in a transaction of its own, so that a refused decision
does not forget it.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyotp
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from protocol.identifiers import crockford, read_crockford
from server.db import Database, take_turn
from server.errors import Conflict, Forbidden, NotFound, TooMany, YuanboError
from server.i18n import N_
from server.identity import audit
from server.identity.models import RecoveryCode, SecondFactor
from server.identity.rules import Caller

ISSUER = "远播 Yuanbo"
STEP_S = 30
DRIFT = 1
"""Steps a phone's clock may be off to either side."""
FAILURES_ALLOWED = 5
LOCKED_FOR = timedelta(minutes=15)
RECOVERY_CODES = 8
_RECOVERY_BITS = 50
_RECOVERY_LENGTH = 10


class WrongCode(Forbidden):
    """The code does not fit, was used before, or is too old."""

    code = "second_factor_wrong"
    title = N_("动态口令不对")


@dataclass(frozen=True)
class Enrolment:
    """What a phone needs: the secret to type, or the URI to scan."""

    secret: str
    uri: str


def state(session: Session, account_id: str) -> str:
    """``off``, ``begun`` (a phone has yet to prove it) or ``on``."""
    row = session.get(SecondFactor, account_id)
    if row is None:
        return "off"
    return "on" if row.confirmed_at else "begun"


def codes_left(session: Session, account_id: str) -> int:
    """How many recovery codes were not used."""
    query = select(func.count()).where(RecoveryCode.account_id == account_id, RecoveryCode.used_at.is_(None))
    return session.scalar(query) or 0


def begin(session: Session, caller: Caller, *, now: datetime) -> Enrolment:
    """A fresh secret, in force once :func:`confirm` saw a code of it. Raises Conflict when one is in force."""
    row = session.get(SecondFactor, caller.id)
    if row is not None and row.confirmed_at is not None:
        raise Conflict(N_("动态口令已经启用；换手机请先停用"))
    if row is None:
        row = SecondFactor(
            account_id=caller.id, confirmed_at=None, last_step=0, failures=0, locked_until=None
        )
        session.add(row)
    row.secret, row.begun_at = pyotp.random_base32(), now
    session.flush()
    return enrolment(row, caller)


def enrolment(row: SecondFactor, caller: Caller) -> Enrolment:
    """How a phone takes up this secret."""
    uri = pyotp.TOTP(row.secret, interval=STEP_S).provisioning_uri(name=caller.username, issuer_name=ISSUER)
    return Enrolment(row.secret, uri)


def confirm(session: Session, caller: Caller, code: str, *, now: datetime) -> list[str]:
    """The phone shows the right code: the factor is in force. The recovery codes, shown this once.

    Raises Conflict (nothing begun), WrongCode.
    """
    row = session.get(SecondFactor, caller.id, with_for_update=True)
    if row is None or row.confirmed_at is not None:
        raise Conflict(N_("请先开始绑定"))
    step = _fitting_step(row, code, now)
    if step is None:
        raise WrongCode(N_("动态口令不对；请核对手机时间后再试"))
    row.confirmed_at, row.last_step = now, step
    codes = _new_codes(session, caller.id)
    audit.append(session, actor=caller, action="second_factor.on", subject=f"account:{caller.id}", now=now)
    return codes


def _new_codes(session: Session, account_id: str) -> list[str]:
    session.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account_id))
    codes = [crockford(secrets.randbits(_RECOVERY_BITS), _RECOVERY_LENGTH) for _ in range(RECOVERY_CODES)]
    session.add_all(
        RecoveryCode(account_id=account_id, code_sha256=_hash(account_id, code), used_at=None)
        for code in codes
    )
    session.flush()
    return [f"{code[:5]}-{code[5:]}" for code in codes]


def check(database: Database, caller: Caller, code: str, *, now: datetime) -> None:
    """Whether the caller holds his phone now, in a transaction of its own; the code is used up.

    Raises Conflict (no factor in force), TooMany (locked), WrongCode.
    """
    with database.write() as session:
        refusal = attempt(session, caller, code, now=now)
    if refusal is not None:
        raise refusal


def attempt(session: Session, caller: Caller, code: str, *, now: datetime) -> YuanboError | None:
    """Count an attempt; the refusal to raise after the commit, or None when the code fits."""
    take_turn(session, f"second_factor:{caller.id}")
    row = session.get(SecondFactor, caller.id, populate_existing=True)
    if row is None or row.confirmed_at is None:
        return Conflict(N_("请先在“我的账号”里启用动态口令"), code="second_factor_missing")
    if row.locked_until is not None and now < row.locked_until:
        return _locked(row.locked_until - now)
    step = _fitting_step(row, code, now)
    if step is not None or _use_recovery(session, caller.id, code, now):
        row.last_step = step or row.last_step
        row.failures, row.locked_until = 0, None
        return None
    row.failures += 1
    if row.failures < FAILURES_ALLOWED:
        return WrongCode(N_("动态口令不对，或已经用过；请等下一个"))
    row.failures, row.locked_until = 0, now + LOCKED_FOR
    audit.append(
        session, actor=caller, action="second_factor.locked", subject=f"account:{caller.id}", now=now
    )
    return _locked(LOCKED_FOR)


def _fitting_step(row: SecondFactor, code: str, now: datetime) -> int | None:
    """The time step whose code this is, if it is near now and later than the last one used."""
    typed = "".join(letter for letter in code if letter.isascii() and letter.isdigit())
    if len(typed) != 6 or len(code) > 12:
        return None
    totp, current = pyotp.TOTP(row.secret, interval=STEP_S), int(now.timestamp()) // STEP_S
    for step in range(current - DRIFT, current + DRIFT + 1):
        if step > row.last_step and secrets.compare_digest(totp.at(step * STEP_S), typed):
            return step
    return None


def _use_recovery(session: Session, account_id: str, code: str, now: datetime) -> bool:
    try:
        typed = read_crockford(code[:20])
    except ValueError:
        return False
    row = session.scalars(
        select(RecoveryCode).where(
            RecoveryCode.account_id == account_id,
            RecoveryCode.code_sha256 == _hash(account_id, typed),
            RecoveryCode.used_at.is_(None),
        )
    ).one_or_none()
    if row is None:
        return False
    row.used_at = now
    return True


def remove(session: Session, account_id: str, *, actor: Caller, now: datetime) -> None:
    """End the factor, by its owner (who proved it) or an administrator. Raises NotFound."""
    row = session.get(SecondFactor, account_id)
    if row is None:
        raise NotFound(N_("没有启用动态口令"))
    session.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account_id))
    session.delete(row)
    session.flush()
    audit.append(session, actor=actor, action="second_factor.off", subject=f"account:{account_id}", now=now)


def _hash(account_id: str, code: str) -> str:
    return hashlib.sha256(f"{account_id}:{code}".encode()).hexdigest()


def _locked(left: timedelta) -> TooMany:
    seconds = max(1, int(left.total_seconds()))
    return TooMany(
        N_("动态口令连续错误，请 %(minutes)s 分钟后再试"), retry_after_s=seconds, minutes=-(-seconds // 60)
    )
