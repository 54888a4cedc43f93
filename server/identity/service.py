"""People: accounts and their grants, signing in, tokens for programs."""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from server import clock
from server.db import Database, take_turn
from server.errors import Conflict, Invalid, NotFound, TooMany, Unauthenticated, YuanboError
from server.i18n import N_
from server.identity import audit
from server.identity.models import Account, ApiToken, RoleGrant, SignInGuard
from server.identity.rules import Caller, Role
from server.regions.models import Region

FAILURES_ALLOWED = 10
"""Wrong passwords in a row before a username is locked."""
LOCKED_FOR = timedelta(minutes=15)
_GUARD_KEPT_FOR = timedelta(days=1)
MIN_PASSWORD = 10
_USERNAME = re.compile(r"[a-z][a-z0-9_.-]{1,39}")
_TOKEN_PREFIX = "yb_"  # noqa: S105 (no secret: by it a leaked token is recognised for what it is)

Grants = Sequence[tuple[Role, str]]


class WrongPassword(Unauthenticated):
    """No such account, or not its password: nobody is told which."""

    code = "wrong_password"
    title = N_("用户名或密码不对")


class LockedOut(TooMany):
    """Too many wrong passwords for this username."""

    code = "locked_out"
    title = N_("登录已锁定")


# --- accounts ---------------------------------------------------------------------------------------------------------
def create_account(
    session: Session,
    *,
    username: str,
    name: str,
    password: str,
    grants: Grants,
    now: datetime,
    department: str | None = None,
    actor: Caller | None = None,
) -> Account:
    """A new account. Raises Invalid (username, name, password, region) or Conflict (username taken)."""
    _check_account(session, username, name, password, grants, department)
    account = Account(
        username=username,
        name=name,
        password_hash=hash_password(password),
        department=department,
        locale="zh_CN",
        is_active=True,
        created_at=now,
        grants=[RoleGrant(role=role, region=region) for role, region in grants],
    )
    session.add(account)
    session.flush()
    audit.append(
        session,
        actor=actor,
        action="account.create",
        subject=f"account:{account.id}",
        detail={"username": username, "grants": [[role, region] for role, region in grants]},
        now=now,
    )
    return account


def _check_account(
    session: Session, username: str, name: str, password: str, grants: Grants, department: str | None
) -> None:
    if not _USERNAME.fullmatch(username):
        raise Invalid(N_("用户名须为 2–40 个小写字母、数字或 . _ -，以字母开头"))
    if not 1 <= len(name.strip()) <= 60:
        raise Invalid(N_("姓名须为 1–60 个字"))
    if not MIN_PASSWORD <= len(password) <= 200:
        raise Invalid(N_("密码须为 %(least)s–200 个字符"), least=MIN_PASSWORD)
    if not grants:
        raise Invalid(N_("至少要有一个岗位"))
    for role, region in grants:
        if session.get(Region, region) is None:
            raise Invalid(N_("没有行政区划 %(region)s"), region=region)
        if role == Role.PARTNER and not department:
            raise Invalid(N_("资源单位账号须注明单位"))
    if find_account(session, username) is not None:
        raise Conflict(N_("用户名 %(username)s 已被使用"), username=username)


def find_account(session: Session, username: str) -> Account | None:
    return session.scalars(select(Account).where(Account.username == username)).one_or_none()


def get_account(session: Session, username: str) -> Account:
    """Raises NotFound."""
    account = find_account(session, username)
    if account is None:
        raise NotFound(N_("没有账号 %(username)s"), username=username)
    return account


def caller_with_id(session: Session, account_id: str) -> Caller | None:
    """Whoever has this id, for work that goes on after his request."""
    account = session.get(Account, account_id)
    return caller_of(account) if account else None


def list_accounts(session: Session) -> Sequence[Account]:
    return session.scalars(select(Account).order_by(Account.id)).all()


def names_of(session: Session, ids: set[str]) -> dict[str, str]:
    """Names of people by account id."""
    if not ids:
        return {}
    rows = session.execute(select(Account.id, Account.name).where(Account.id.in_(ids)))
    return {row.id: row.name for row in rows}


def usernames_of(session: Session, ids: set[str]) -> dict[str, str]:
    """User names of people by account id."""
    if not ids:
        return {}
    rows = session.execute(select(Account.id, Account.username).where(Account.id.in_(ids)))
    return {row.id: row.username for row in rows}


def set_password(
    session: Session, account: Account, password: str, *, actor: Caller | None, now: datetime
) -> None:
    """Give a new password; every session signed in with the old one ends. Raises Invalid."""
    if not MIN_PASSWORD <= len(password) <= 200:
        raise Invalid(N_("密码须为 %(least)s–200 个字符"), least=MIN_PASSWORD)
    account.password_hash = hash_password(password)
    session.execute(delete(SignInGuard).where(SignInGuard.username == account.username))
    audit.append(session, actor=actor, action="account.password", subject=f"account:{account.id}", now=now)


def set_locale(session: Session, caller: Caller, locale: str) -> None:
    """Keep the language somebody chose."""
    account = session.get(Account, caller.id)
    if account is not None:
        account.locale = locale


def caller_of(account: Account) -> Caller:
    """The account as the rules see it."""
    return Caller(
        id=account.id,
        username=account.username,
        name=account.name,
        grants=tuple((Role(grant.role), grant.region) for grant in account.grants),
        department=account.department,
        locale=account.locale,
    )


# --- passwords --------------------------------------------------------------------------------------------------------
_HASHING = threading.BoundedSemaphore(2)
"""One password takes 64 MiB to check: a crowd of guesses waits its turn instead of taking the machine's memory."""


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@cache
def _nobody_hash() -> str:
    """What the password of an unknown user is compared with, so that the answer takes as long."""
    return _hasher().hash(secrets.token_urlsafe(16))


def hash_password(password: str) -> str:
    return _hasher().hash(password)


def password_fits(password_hash: str | None, password: str) -> bool:
    """Whether the password is the hash's; None (nobody) takes as long and never fits."""
    try:
        with _HASHING:
            _hasher().verify(password_hash or _nobody_hash(), password)
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


# --- signing in -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class SignIn:
    """How an attempt ended: an account, or the refusal to tell the person (raise it after the commit)."""

    account: Account | None
    refusal: YuanboError | None

    def account_or_raise(self) -> Account:
        if self.refusal is not None or self.account is None:
            raise self.refusal or WrongPassword()
        return self.account


def sign_in(database: Database, username: str, password: str, *, now: datetime) -> SignIn:
    """Check a password and keep count, without holding a transaction while hashing.

    Counting is by username, known or not, never by address: a whole county may sit behind one.
    """
    username = username.strip().lower()[:40]
    with database.read() as session:
        account = find_account(session, username)
        known = account.password_hash if account and account.is_active else None
    fits = password_fits(known, password[:200])
    with database.write() as session:
        refusal = record_attempt(session, username, fits=fits, now=now)
        account = find_account(session, username) if refusal is None else None
    return SignIn(account, refusal)


def record_attempt(session: Session, username: str, *, fits: bool, now: datetime) -> YuanboError | None:
    """Count an attempt; the refusal to say, or None when it may pass. While locked even the right one is refused."""
    guard = _locked_guard(session, username, now)
    if guard.locked_until is not None:
        if now < guard.locked_until:
            return _locked(guard.locked_until - now)
        guard.locked_until, guard.failures = None, 0
    guard.last_at = now
    if fits:
        guard.failures = 0
        return None
    guard.failures += 1
    if guard.failures < FAILURES_ALLOWED:
        return WrongPassword()
    guard.locked_until = now + LOCKED_FOR
    audit.append(session, actor=None, action="sign_in.locked", subject=f"username:{username}", now=now)
    return _locked(LOCKED_FOR)


def _locked_guard(session: Session, username: str, now: datetime) -> SignInGuard:
    """The row of this username, ours until the commit; forgotten ones of others go."""
    take_turn(session, f"sign_in:{username}")  # two first attempts at once must not both insert
    guard = session.get(SignInGuard, username)
    if guard is None:
        session.execute(delete(SignInGuard).where(SignInGuard.last_at < now - _GUARD_KEPT_FOR))
        guard = SignInGuard(username=username, failures=0, last_at=now, locked_until=None)
        session.add(guard)
    return guard


def _locked(left: timedelta) -> LockedOut:
    seconds = max(1, int(left.total_seconds()))
    minutes = -(-seconds // 60)
    return LockedOut(
        N_("密码连续错误次数过多，已锁定，请 %(minutes)s 分钟后再试"), retry_after_s=seconds, minutes=minutes
    )


# --- tokens -----------------------------------------------------------------------------------------------------------
def issue_token(
    session: Session,
    account: Account,
    label: str,
    *,
    now: datetime,
    expires_at: datetime | None = None,
    actor: Caller | None = None,
) -> tuple[ApiToken, str]:
    """A new bearer token: its row, and the token itself, which is shown this once and never stored."""
    if not 1 <= len(label.strip()) <= 60:
        raise Invalid(N_("令牌名称须为 1–60 个字"))
    token = _TOKEN_PREFIX + secrets.token_urlsafe(32)
    row = ApiToken(
        account_id=account.id,
        token_sha256=_token_hash(token),
        label=label.strip(),
        created_at=now,
        expires_at=expires_at,
        revoked_at=None,
    )
    session.add(row)
    session.flush()
    audit.append(
        session,
        actor=actor,
        action="token.issue",
        subject=f"account:{account.id}",
        detail={"token": row.id, "label": row.label},
        now=now,
    )
    return row, token


def revoke_token(session: Session, caller: Caller, token_id: str, *, now: datetime) -> None:
    """End one of the caller's own tokens; ending it again changes nothing. Raises NotFound."""
    row = session.get(ApiToken, token_id)
    if row is None or row.account_id != caller.id:
        raise NotFound
    if row.revoked_at is None:
        row.revoked_at = now
        audit.append(
            session,
            actor=caller,
            action="token.revoke",
            subject=f"account:{caller.id}",
            detail={"token": row.id},
            now=now,
        )


def tokens_of(session: Session, caller: Caller) -> Sequence[ApiToken]:
    """The caller's tokens that still stand, newest first."""
    return session.scalars(
        select(ApiToken)
        .where(ApiToken.account_id == caller.id, ApiToken.revoked_at.is_(None))
        .order_by(ApiToken.id.desc())
    ).all()


def caller_by_token(session: Session, token: str, *, now: datetime) -> Caller | None:
    """Who holds a token that is known, neither expired nor revoked, of an active account."""
    row = session.scalars(select(ApiToken).where(ApiToken.token_sha256 == _token_hash(token))).one_or_none()
    if row is None or row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now):
        return None
    account = session.get(Account, row.account_id)
    return caller_of(account) if account and account.is_active else None


def _token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


# --- who calls --------------------------------------------------------------------------------------------------------
def session_key(account: Account) -> str:
    """What a signed session cookie holds: the account and a mark of its password, so a new password ends it."""
    return f"{account.id}.{hashlib.sha256(account.password_hash.encode()).hexdigest()[:16]}"


def caller_by_session_key(session: Session, key: str) -> Caller | None:
    """Who a session cookie names, unless he is barred or has a new password since."""
    account_id, _, mark = key.partition(".")
    account = session.get(Account, account_id) if mark else None
    if account is None or not account.is_active:
        return None
    is_current = secrets.compare_digest(session_key(account).encode(), key.encode())
    return caller_of(account) if is_current else None


class SqlAuthenticator:
    """Finds callers in the database (server.web.Authenticator). ``signed_in_key`` reads the session cookie and is
    set by pages.py, the only place that knows cookies."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.signed_in_key: Callable[[], str | None] = lambda: None

    def by_token(self, token: str) -> Caller | None:
        with self._database.read() as session:
            return caller_by_token(session, token, now=clock.now())

    def by_session(self) -> Caller | None:
        key = self.signed_in_key()
        if not key:
            return None
        with self._database.read() as session:
            return caller_by_session_key(session, key)


# --- the first accounts -----------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class AccountSpec:
    """An account that an installation starts with."""

    role: Role
    username: str
    name: str
    region: str
    department: str | None = None


FIRST_ACCOUNTS: tuple[AccountSpec, ...] = (
    AccountSpec(Role.PROVINCE_ADMIN, "admin", "省远程办管理员", "13"),
    AccountSpec(Role.PROVINCE_EDITOR, "editor", "省平台编辑", "13"),
    AccountSpec(Role.CITY_EDITOR, "sjz-editor", "石家庄市编辑", "1301"),
    AccountSpec(Role.COUNTY_EDITOR, "zhengding-editor", "正定县编辑", "130123"),
    AccountSpec(Role.PARTNER, "nongye", "省农业厅通联员", "13", "nongye"),
    AccountSpec(Role.FIRST_REVIEWER, "first-reviewer", "省平台初审员", "13"),
    AccountSpec(Role.SECOND_REVIEWER, "second-reviewer", "省平台复审员", "13"),
    AccountSpec(Role.FINAL_REVIEWER, "final-reviewer", "省平台终审员", "13"),
    AccountSpec(Role.COUNTY_OFFICE, "zhengding-office", "正定县远程办", "130123"),
    AccountSpec(Role.TOWNSHIP_ADMIN, "quyangqiao-admin", "曲阳桥镇管理员", "130123105"),
    AccountSpec(Role.STATION_ADMIN, "quyangqiao-station", "曲阳桥村站点管理员", "130123105201"),
    AccountSpec(Role.TUTOR, "zhengding-tutor", "正定县教学辅导员", "130123"),
    AccountSpec(Role.TECHNICIAN, "zhengding-technician", "正定县技术服务员", "130123"),
    AccountSpec(Role.LEADER, "leader", "省委组织部领导", "13"),
)
"""One account for each role; the provincial administrator first."""


def ensure_accounts(
    session: Session, specs: Sequence[AccountSpec] = FIRST_ACCOUNTS, *, now: datetime
) -> list[tuple[Role, str, str, str]]:
    """Make those accounts that are missing; (role, username, password, token) of the ones made now, in order.

    Passwords and tokens are generated, cannot be read again, and an account that exists is left as it is.
    """
    made = []
    for spec in specs:
        if find_account(session, spec.username) is not None:
            continue
        password = secrets.token_urlsafe(12)
        account = create_account(
            session,
            username=spec.username,
            name=spec.name,
            password=password,
            grants=[(spec.role, spec.region)],
            department=spec.department,
            now=now,
        )
        _, token = issue_token(session, account, "初始令牌", now=now)
        made.append((spec.role, spec.username, password, token))
    return made
