"""Accounts, signing in with its lock-out, tokens."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from server.db import Database
from server.errors import Conflict, Invalid, NotFound
from server.identity import audit, service
from server.identity.models import Account, ApiToken, AuditEntry, SignInGuard
from server.identity.rules import Caller, Role

NOW = datetime(2026, 12, 5, 11, 0, tzinfo=UTC)
PASSWORD = "correct horse 电池"  # everybody's, in conftest.py
MINUTE = timedelta(minutes=1)
WRONG = "not it at all"
Person = Callable[..., Caller]


def sign_in(database: Database, password: str, at: Any = NOW, username: str = "wang") -> service.SignIn:
    return service.sign_in(database, username, password, now=at)


@pytest.fixture
def wang(person: Person) -> Caller:
    return person("wang", Role.COUNTY_EDITOR, "130123")


# ---------------------------------------------------------------- accounts


def test_an_account_is_made_with_its_roles_and_leaves_a_link(database: Database, places: None) -> None:
    with database.write() as session:
        account = service.create_account(
            session,
            username="li",
            name="李编辑",
            password=PASSWORD,
            grants=[(Role.CITY_EDITOR, "1301"), (Role.TUTOR, "130123")],
            now=NOW,
        )
        assert PASSWORD not in account.password_hash
    with database.read() as session:
        who = service.caller_of(service.get_account(session, "li"))
        assert who.grants == ((Role.CITY_EDITOR, "1301"), (Role.TUTOR, "130123"))
        (link,) = audit.entries_of(session, f"account:{who.id}")
        assert PASSWORD not in str(link.detail)


@pytest.mark.parametrize(
    "wrong",
    [
        {"username": ""},
        {"username": "Wang"},
        {"username": "王"},
        {"username": "a" * 41},
        {"username": "a b"},
        {"name": "  "},
        {"name": "长" * 61},
        {"password": "short"},
        {"password": "x" * 201},
        {"grants": []},
        {"grants": [(Role.CITY_EDITOR, "99")]},
        {"grants": [(Role.PARTNER, "13")]},
    ],
)
def test_an_account_that_makes_no_sense_is_refused(sqlite_url: str, wrong: dict[str, Any]) -> None:
    good: dict[str, Any] = {
        "username": "li",
        "name": "李",
        "password": PASSWORD,
        "grants": [(Role.TUTOR, "13")],
    }
    with pytest.raises(Invalid), Database(sqlite_url).write() as session:
        service.create_account(session, **{**good, **wrong}, now=NOW)


def test_a_username_is_given_once(database: Database, wang: Caller) -> None:
    with pytest.raises(Conflict, match="wang"), database.write() as session:
        service.create_account(
            session, username="wang", name="王", password=PASSWORD, grants=[(Role.TUTOR, "13")], now=NOW
        )


def test_there_is_one_first_account_for_each_role_and_the_administrator_leads() -> None:
    assert [spec.role for spec in service.FIRST_ACCOUNTS] == list(Role)
    assert service.FIRST_ACCOUNTS[0].role is Role.PROVINCE_ADMIN


def test_first_accounts_are_made_once_and_work(database: Database, places: None) -> None:
    specs = (service.FIRST_ACCOUNTS[0], service.FIRST_ACCOUNTS[3])
    with database.write() as session:
        made = service.ensure_accounts(session, specs, now=NOW)
        assert service.ensure_accounts(session, specs, now=NOW) == []
    assert [role for role, *_ in made] == [Role.PROVINCE_ADMIN, Role.COUNTY_EDITOR]
    authenticator = service.SqlAuthenticator(database)
    for role, username, password, token in made:
        assert sign_in(database, password, username=username).account_or_raise().username == username
        who = authenticator.by_token(token)
        assert who is not None
        assert who.has_role(role)
        with database.read() as session:
            rows = session.scalars(select(ApiToken.token_sha256)).all()
            assert token not in rows


# ---------------------------------------------------------------- signing in


def test_the_right_password_signs_in(database: Database, wang: Caller) -> None:
    assert sign_in(database, PASSWORD).account_or_raise().id == wang.id
    assert sign_in(database, PASSWORD, username=" WANG ").account_or_raise().id == wang.id


def test_a_wrong_password_and_an_unknown_name_are_told_the_same(database: Database, wang: Caller) -> None:
    wrong = sign_in(database, WRONG).refusal
    unknown = sign_in(database, WRONG, username="nobody").refusal
    assert isinstance(wrong, service.WrongPassword)
    assert isinstance(unknown, service.WrongPassword)
    assert wrong.text() == unknown.text()


def test_an_unknown_name_costs_a_whole_hash_too() -> None:
    """The same work is done, so the time tells nothing: hashes have the same parameters."""
    known = service.hash_password(PASSWORD).split("$")[1:4]
    assert service._nobody_hash().split("$")[1:4] == known
    assert not service.password_fits(None, PASSWORD)


def fail(database: Database, times: int, at: Any = NOW) -> None:
    for _ in range(times):
        with database.write() as session:
            service.record_attempt(session, "wang", fits=False, now=at)


def test_ten_wrong_passwords_lock_the_name_for_a_quarter_of_an_hour(database: Database, wang: Caller) -> None:
    for username in ("wang", "nobody"):
        refusals = [sign_in(database, WRONG, username=username).refusal for _ in range(10)]
        assert [type(refusal) for refusal in refusals[:9]] == [service.WrongPassword] * 9
        locked = refusals[9]
        assert isinstance(locked, service.LockedOut)
        assert locked.retry_after_s == 15 * 60
        assert "15 分钟" in locked.text()


def test_while_locked_even_the_right_password_is_refused_and_afterwards_it_is_not(
    database: Database, wang: Caller
) -> None:
    fail(database, 10)
    refusal = sign_in(database, PASSWORD, NOW + 14 * MINUTE).refusal
    assert isinstance(refusal, service.LockedOut)
    assert refusal.retry_after_s == 60
    assert sign_in(database, PASSWORD, NOW + 15 * MINUTE).account_or_raise().id == wang.id


def test_trying_on_while_locked_does_not_prolong_the_lock(database: Database, wang: Caller) -> None:
    fail(database, 10)
    fail(database, 50, NOW + 10 * MINUTE)
    assert sign_in(database, PASSWORD, NOW + 15 * MINUTE).account is not None


def test_a_lock_is_over_with_a_clean_slate(database: Database, wang: Caller) -> None:
    fail(database, 10)
    fail(database, 9, NOW + 16 * MINUTE)
    assert sign_in(database, PASSWORD, NOW + 17 * MINUTE).account is not None


def test_the_right_password_in_between_starts_the_count_anew(database: Database, wang: Caller) -> None:
    fail(database, 9)
    assert sign_in(database, PASSWORD).account is not None
    fail(database, 9)
    assert sign_in(database, PASSWORD).account is not None


def test_guesses_sent_all_at_once_are_counted_every_one(database: Database, wang: Caller) -> None:
    together = threading.Barrier(4)

    def guess() -> None:
        together.wait()
        fail(database, 5)

    threads = [threading.Thread(target=guess) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        guard = session.get_one(SignInGuard, "wang")
        assert (guard.failures, guard.locked_until) == (10, NOW + service.LOCKED_FOR)


def test_a_lock_of_one_name_leaves_another_alone(database: Database, wang: Caller, person: Person) -> None:
    zhao = person("zhao", Role.TUTOR, "130123")
    fail(database, 10)
    assert sign_in(database, PASSWORD, username="zhao").account_or_raise().id == zhao.id


def test_a_lock_is_written_into_the_audit_chain_once(database: Database, wang: Caller) -> None:
    fail(database, 12)
    with database.read() as session:
        (link,) = audit.entries_of(session, "username:wang")
        assert link.action == "sign_in.locked"


def test_forgotten_failures_of_made_up_names_go_after_a_day(database: Database, wang: Caller) -> None:
    for number in range(5):
        sign_in(database, WRONG, username=f"made-up-{number}")
    sign_in(database, PASSWORD, NOW + timedelta(days=1, seconds=1))
    with database.read() as session:
        assert session.scalars(select(SignInGuard.username)).all() == ["wang"]


def test_a_barred_account_does_not_sign_in(database: Database, wang: Caller) -> None:
    with database.write() as session:
        session.execute(update(Account).values(is_active=False))
    assert isinstance(sign_in(database, PASSWORD).refusal, service.WrongPassword)


def test_a_new_password_unlocks_and_ends_old_sessions(database: Database, wang: Caller) -> None:
    fail(database, 10)
    with database.write() as session:
        account = service.get_account(session, "wang")
        old_key = service.session_key(account)
        assert service.caller_by_session_key(session, old_key) == wang
        service.set_password(session, account, "a new password 1", actor=None, now=NOW)
    assert sign_in(database, "a new password 1").account is not None
    with database.read() as session:
        assert service.caller_by_session_key(session, old_key) is None


@pytest.mark.parametrize("key", ["", "x", ".", "nobody.0123456789abcdef", "钥匙.钥匙"])
def test_a_session_key_of_another_shape_names_nobody(sqlite_url: str, key: str) -> None:
    with Database(sqlite_url).read() as session:
        assert service.caller_by_session_key(session, key) is None


# ---------------------------------------------------------------- tokens


def token_of(database: Database, **kwargs: Any) -> tuple[str, str]:
    with database.write() as session:
        account = service.get_account(session, "wang")
        row, token = service.issue_token(session, account, "上传脚本", now=NOW, **kwargs)
        return row.id, token


def who_holds(database: Database, token: str, at: Any = NOW) -> Caller | None:
    with database.read() as session:
        return service.caller_by_token(session, token, now=at)


def test_a_token_names_its_holder_and_is_kept_only_as_a_hash(database: Database, wang: Caller) -> None:
    _, token = token_of(database)
    assert who_holds(database, token) == wang
    assert who_holds(database, token[:-1]) is None
    assert who_holds(database, "") is None
    with database.read() as session:
        assert token not in str(session.scalars(select(ApiToken.token_sha256)).all())
        assert token not in str([entry.detail for entry in session.scalars(select(AuditEntry))])


def test_a_token_ends_when_it_expires_or_is_revoked_or_its_holder_is_barred(
    database: Database, wang: Caller
) -> None:
    _, short = token_of(database, expires_at=NOW + MINUTE)
    assert who_holds(database, short) == wang
    assert who_holds(database, short, NOW + MINUTE) is None
    row, token = token_of(database)
    with database.write() as session:
        service.revoke_token(session, wang, row, now=NOW)
        service.revoke_token(session, wang, row, now=NOW)
    assert who_holds(database, token) is None
    _, other = token_of(database)
    with database.write() as session:
        session.execute(update(Account).values(is_active=False))
    assert who_holds(database, other) is None


def test_nobody_revokes_the_token_of_another(database: Database, wang: Caller, person: Person) -> None:
    row, token = token_of(database)
    zhao = person("zhao", Role.PROVINCE_ADMIN, "13")
    with pytest.raises(NotFound), database.write() as session:
        service.revoke_token(session, zhao, row, now=NOW)
    assert who_holds(database, token) == wang
