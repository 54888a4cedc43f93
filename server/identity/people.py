"""Accounts as administrators work on them: finding, changing, locking, resetting, handing over.

Whatever is done to somebody's account takes effect at his next request, stands in the audit chain, and never leaves the
province without an administrator.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, exists, or_, select, update
from sqlalchemy.orm import Session

from server.db import take_turn
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.i18n import N_
from server.identity import audit, second_factor, service
from server.identity.messages import MessageKind, post
from server.identity.models import Account, ApiToken, RoleGrant, SignInGuard
from server.identity.rules import Action, Caller, Role
from server.regions.models import Region

PAGE = 50
PROVINCE = "13"
MOST_GRANTS = 30
Grants = Sequence[tuple[Role, str]]


@dataclass(frozen=True)
class Filters:
    """``q`` is a piece of the user name or the name; ``state`` active or locked."""

    q: str = ""
    role: Role | None = None
    region: str | None = None
    state: str | None = None


def find(
    session: Session,
    caller: Caller,
    filters: Filters = Filters(),
    *,
    after: str | None = None,
    limit: int = PAGE,
) -> tuple[list[Account], str | None]:
    """Accounts by user name, and where the next page begins. Raises Forbidden."""
    caller.require(Action.ACCOUNTS_MANAGE, PROVINCE)
    query = select(Account).where(*_conditions(filters))
    if after:
        query = query.where(Account.username > after)
    limit = max(1, min(limit, 200))
    found = session.scalars(query.order_by(Account.username).limit(limit + 1)).all()
    return list(found[:limit]), found[limit - 1].username if len(found) > limit else None


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if text := filters.q.strip():
        conditions.append(
            or_(
                Account.username.contains(text, autoescape=True), Account.name.contains(text, autoescape=True)
            )
        )
    if filters.role or filters.region:
        grant = exists().where(RoleGrant.account_id == Account.id)
        grant = grant.where(RoleGrant.role == filters.role) if filters.role else grant
        if filters.region:
            grant = grant.where(RoleGrant.region.startswith(filters.region, autoescape=True))
        conditions.append(grant)
    if filters.state in ("active", "locked"):
        conditions.append(Account.is_active.is_(filters.state == "active"))
    return conditions


def get(session: Session, caller: Caller, account_id: str) -> Account:
    """Raises Forbidden, NotFound."""
    caller.require(Action.ACCOUNTS_MANAGE, PROVINCE)
    account = session.get(Account, account_id)
    if account is None:
        raise NotFound(N_("没有这个账号"))
    return account


def create(
    session: Session,
    caller: Caller,
    *,
    username: str,
    name: str,
    grants: Grants,
    department: str | None = None,
    now: datetime,
) -> tuple[Account, str]:
    """A new account and its first password, shown this once. Raises Forbidden, Invalid, Conflict."""
    caller.require(Action.ACCOUNTS_MANAGE, PROVINCE)
    password = secrets.token_urlsafe(12)
    account = service.create_account(
        session,
        username=username.strip().lower(),
        name=name,
        password=password,
        grants=list(dict.fromkeys(grants)),
        department=department,
        now=now,
        actor=caller,
    )
    return account, password


def set_grants(
    session: Session, caller: Caller, account_id: str, grants: Grants, *, now: datetime
) -> Account:
    """Replace somebody's roles and regions. Raises Forbidden, Invalid, Conflict (the last administrator)."""
    account = get(session, caller, account_id)
    wanted = list(dict.fromkeys(grants))
    if not 1 <= len(wanted) <= MOST_GRANTS:
        raise Invalid(N_("岗位须有 1–%(most)s 个"), most=MOST_GRANTS)
    for role, region in wanted:
        if session.get(Region, region) is None:
            raise Invalid(N_("没有行政区划 %(region)s"), region=region)
        if role == Role.PARTNER and not account.department:
            raise Invalid(N_("资源单位账号须注明单位"))
    before = [(Role(grant.role), grant.region) for grant in account.grants]
    take_turn(session, "administrators")
    account.grants.clear()
    session.flush()
    account.grants.extend(RoleGrant(role=role, region=region) for role, region in wanted)
    session.flush()
    _require_administrator(session)
    _log(
        session,
        caller,
        account,
        "account.grants",
        now,
        before=[[role, region] for role, region in before],
        after=[[role, region] for role, region in wanted],
    )
    return account


def set_active(session: Session, caller: Caller, account_id: str, *, active: bool, now: datetime) -> Account:
    """Lock an account, with its tokens, or open it again. Raises Forbidden (one's own), Conflict."""
    account = get(session, caller, account_id)
    if account.id == caller.id:
        raise Forbidden(N_("不能停用自己的账号"))
    if account.is_active == active:
        return account
    take_turn(session, "administrators")
    account.is_active = active
    if active:
        session.execute(delete(SignInGuard).where(SignInGuard.username == account.username))
    else:
        _revoke_tokens(session, account, now)
    session.flush()
    _require_administrator(session)
    _log(session, caller, account, "account.unlock" if active else "account.lock", now)
    return account


def unlock_sign_in(session: Session, caller: Caller, account_id: str, *, now: datetime) -> Account:
    """Let somebody try again who mistyped his password too often."""
    account = get(session, caller, account_id)
    session.execute(delete(SignInGuard).where(SignInGuard.username == account.username))
    _log(session, caller, account, "account.unlock_sign_in", now)
    return account


def reset_password(
    session: Session, caller: Caller, account_id: str, *, now: datetime
) -> tuple[Account, str]:
    """A new password, shown this once; every session and token of the old one ends."""
    account = get(session, caller, account_id)
    password = secrets.token_urlsafe(12)
    _revoke_tokens(session, account, now)
    _tell(session, account, N_("管理员重置了您的密码"), now)
    service.set_password(session, account, password, actor=caller, now=now)
    return account, password


def reset_second_factor(session: Session, caller: Caller, account_id: str, *, now: datetime) -> Account:
    """Take a lost phone off an account; he enrols the next one himself. Raises NotFound where there is none."""
    account = get(session, caller, account_id)
    _tell(session, account, N_("管理员停用了您的动态口令"), now)
    second_factor.remove(session, account.id, actor=caller, now=now)
    return account


def hand_over(
    session: Session, caller: Caller, account_id: str, *, username: str, name: str, reason: str, now: datetime
) -> tuple[Account, str]:
    """Somebody else takes a post: a new account with the same roles and department, the old one locked.

    What the predecessor did stays under his name. Raises Invalid, Conflict, Forbidden (one's own).
    """
    before = get(session, caller, account_id)
    if before.id == caller.id:
        raise Forbidden(N_("不能移交自己的账号，请由另一位管理员办理"))
    if not before.is_active:
        raise Conflict(N_("这个账号已停用"))
    if not 1 <= len(reason.strip()) <= 200:
        raise Invalid(N_("请写明移交原因（200 字以内）"))
    grants = [(Role(grant.role), grant.region) for grant in before.grants]
    before.is_active = False
    _revoke_tokens(session, before, now)
    session.flush()
    account, password = create(
        session, caller, username=username, name=name, grants=grants, department=before.department, now=now
    )
    _log(session, caller, before, "account.hand_over", now, to=account.id, reason=reason.strip())
    return account, password


def change_own_password(session: Session, caller: Caller, *, old: str, new: str, now: datetime) -> Account:
    """One's own new password, proven by the old one. Raises Forbidden, Invalid."""
    account = session.get_one(Account, caller.id)
    if not service.password_fits(account.password_hash, old[:200]):
        raise Forbidden(N_("原密码不对"), code="wrong_password")
    if old == new:
        raise Invalid(N_("新密码不能和原密码一样"))
    service.set_password(session, account, new, actor=caller, now=now)
    return account


def _revoke_tokens(session: Session, account: Account, now: datetime) -> None:
    session.execute(
        update(ApiToken)
        .where(ApiToken.account_id == account.id, ApiToken.revoked_at.is_(None))
        .values(revoked_at=now)
    )


def _require_administrator(session: Session) -> None:
    """Somebody must be left who can undo it. Raises Conflict."""
    left = session.scalar(
        select(Account.id)
        .join(RoleGrant, RoleGrant.account_id == Account.id)
        .where(Account.is_active, RoleGrant.role == Role.PROVINCE_ADMIN, RoleGrant.region == PROVINCE)
        .limit(1)
    )
    if left is None:
        raise Conflict(N_("至少要留一位省级管理员"))


def _tell(session: Session, account: Account, title: str, now: datetime) -> None:
    post(session, [account.id], kind=MessageKind.SECURITY, title=title, link="/account", now=now)


def _log(
    session: Session, caller: Caller, account: Account, action: str, now: datetime, **detail: object
) -> None:
    audit.append(
        session, actor=caller, action=action, subject=f"account:{account.id}", detail=detail, now=now
    )
