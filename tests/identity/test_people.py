"""Accounts as administrators work on them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from server.db import Database
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.identity import audit, messages, people, service
from server.identity.people import Filters
from server.identity.rules import Action, Caller, Role

NOW = datetime(2026, 12, 5, 11, 0, tzinfo=UTC)
Person = Callable[..., Caller]


@pytest.fixture
def admin(person: Person) -> Caller:
    return person("admin", Role.PROVINCE_ADMIN, "13")


@pytest.fixture
def wang(person: Person) -> Caller:
    return person("wang", Role.COUNTY_EDITOR, "130123")


def test_accounts_are_found_by_name_role_region_and_state(
    database: Database, admin: Caller, wang: Caller, person: Person
) -> None:
    person("li", Role.FIRST_REVIEWER, "13")
    with database.write() as session:
        people.set_active(session, admin, wang.id, active=False, now=NOW)

        def names(**filters: object) -> list[str]:
            return [a.username for a in people.find(session, admin, Filters(**filters))[0]]  # type: ignore[arg-type]

        assert names() == ["admin", "li", "wang"]
        assert names(q="wan") == ["wang"]
        assert names(q="100%") == []
        assert names(role=Role.FIRST_REVIEWER) == ["li"]
        assert names(region="1301") == ["wang"]
        assert names(state="locked") == ["wang"]
        first, following = people.find(session, admin, limit=2)
        second, end = people.find(session, admin, after=following, limit=2)
    assert [a.username for a in [*first, *second]] == ["admin", "li", "wang"]
    assert end is None


def test_nobody_but_an_administrator_touches_accounts(
    database: Database, admin: Caller, wang: Caller
) -> None:
    with database.write() as session:
        for attempt in (
            lambda: people.find(session, wang),
            lambda: people.create(session, wang, username="x1", name="x", grants=[], now=NOW),
            lambda: people.set_grants(session, wang, wang.id, [(Role.PROVINCE_ADMIN, "13")], now=NOW),
            lambda: people.set_active(session, wang, admin.id, active=False, now=NOW),
            lambda: people.reset_password(session, wang, admin.id, now=NOW),
            lambda: people.hand_over(session, wang, admin.id, username="y1", name="y", reason="z", now=NOW),
        ):
            with pytest.raises(Forbidden):
                attempt()


def test_new_grants_hold_at_the_next_request_and_stand_in_the_audit_chain(
    database: Database, admin: Caller, wang: Caller
) -> None:
    with database.write() as session:
        people.set_grants(
            session, admin, wang.id, [(Role.CITY_EDITOR, "1301"), (Role.CITY_EDITOR, "1301")], now=NOW
        )
    with database.read() as session:
        changed = service.caller_of(service.get_account(session, "wang"))
        (link,) = audit.entries_of(session, f"account:{wang.id}")
    assert changed.grants == ((Role.CITY_EDITOR, "1301"),)
    assert changed.can(Action.SCHEDULE_EDIT, "130131")
    assert link.detail == {"before": [["county_editor", "130123"]], "after": [["city_editor", "1301"]]}


@pytest.mark.parametrize("grants", [[], [(Role.CITY_EDITOR, "9999")], [(Role.PARTNER, "13")]])
def test_grants_that_make_no_sense_are_refused(
    database: Database, admin: Caller, wang: Caller, grants: list[tuple[Role, str]]
) -> None:
    with database.write() as session, pytest.raises(Invalid):
        people.set_grants(session, admin, wang.id, grants, now=NOW)


def test_the_last_administrator_cannot_be_lost(database: Database, admin: Caller, person: Person) -> None:
    with pytest.raises(Conflict), database.write() as session:
        people.set_grants(session, admin, admin.id, [(Role.LEADER, "13")], now=NOW)
    with database.write() as session, pytest.raises(Forbidden):
        people.set_active(session, admin, admin.id, active=False, now=NOW)
    second = person("second", Role.PROVINCE_ADMIN, "13")
    with database.write() as session:
        people.set_grants(session, second, admin.id, [(Role.LEADER, "13")], now=NOW)
    with pytest.raises(Conflict), database.write() as session:
        people.set_grants(session, second, second.id, [(Role.LEADER, "13")], now=NOW)


def test_a_locked_account_has_neither_session_nor_token(
    database: Database, admin: Caller, wang: Caller
) -> None:
    with database.write() as session:
        account = service.get_account(session, "wang")
        key = service.session_key(account)
        _, token = service.issue_token(session, account, "脚本", now=NOW)
        people.set_active(session, admin, wang.id, active=False, now=NOW)
        assert service.caller_by_session_key(session, key) is None
        assert service.caller_by_token(session, token, now=NOW) is None
        people.set_active(session, admin, wang.id, active=True, now=NOW)
        assert service.caller_by_token(session, token, now=NOW) is None  # a token stays revoked
        assert service.caller_by_session_key(session, key) is not None


def test_a_reset_password_ends_everything_and_its_owner_is_told(
    database: Database, admin: Caller, wang: Caller
) -> None:
    with database.write() as session:
        account = service.get_account(session, "wang")
        key = service.session_key(account)
        _account, password = people.reset_password(session, admin, wang.id, now=NOW)
        assert service.password_fits(account.password_hash, password)
        assert service.caller_by_session_key(session, key) is None
        ((told,), _) = messages.inbox(session, wang)
    assert told.title == "管理员重置了您的密码"


def test_a_post_is_handed_over_and_the_past_keeps_its_name(
    database: Database, admin: Caller, wang: Caller
) -> None:
    with database.write() as session:
        after, _password = people.hand_over(
            session, admin, wang.id, username="zhao", name="赵同志", reason="调任", now=NOW
        )
        before = service.get_account(session, "wang")
        assert (before.is_active, before.name) == (False, "wang 同志")
        assert service.caller_of(after).grants == wang.grants
        with pytest.raises(Conflict):
            people.hand_over(session, admin, wang.id, username="qian", name="钱", reason="再交", now=NOW)
        with pytest.raises(Forbidden):
            people.hand_over(session, admin, admin.id, username="qian", name="钱", reason="交", now=NOW)


def test_ones_own_password_needs_the_old_one(database: Database, wang: Caller) -> None:
    with database.write() as session:
        with pytest.raises(Forbidden):
            people.change_own_password(session, wang, old="not it", new="a new password", now=NOW)
        with pytest.raises(Invalid):
            people.change_own_password(session, wang, old="correct horse 电池", new="short", now=NOW)
        account = people.change_own_password(
            session, wang, old="correct horse 电池", new="a new password", now=NOW
        )
        assert service.password_fits(account.password_hash, "a new password")


def test_an_account_that_is_none_is_not_found(database: Database, admin: Caller) -> None:
    with database.write() as session, pytest.raises(NotFound):
        people.get(session, admin, "01935d5e-7c00-7000-8000-000000000001")
