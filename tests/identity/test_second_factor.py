"""One-time codes of a phone: enrolment, one use each, drift, lock-out, recovery."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pyotp
import pytest

from server.db import Database
from server.errors import Conflict, NotFound, TooMany
from server.identity import audit, second_factor
from server.identity.models import SecondFactor
from server.identity.rules import Caller, Role
from server.identity.second_factor import WrongCode, check

NOW = datetime(2026, 12, 5, 11, 0, tzinfo=UTC)
STEP = timedelta(seconds=30)


@pytest.fixture
def wang(person: Callable[..., Caller]) -> Caller:
    return person("wang", Role.FINAL_REVIEWER, "13")


def code(database: Database, who: Caller, at: datetime) -> str:
    with database.read() as session:
        return pyotp.TOTP(session.get_one(SecondFactor, who.id).secret).at(at)


@pytest.fixture
def recovery(database: Database, wang: Caller) -> list[str]:
    """The phone is enrolled, with a code of ten steps ago; the recovery codes."""
    with database.write() as session:
        second_factor.begin(session, wang, now=NOW - 10 * STEP)
    typed = code(database, wang, NOW - 10 * STEP)
    with database.write() as session:
        return second_factor.confirm(session, wang, typed, now=NOW - 10 * STEP)


def test_a_phone_is_enrolled_only_when_it_shows_the_right_code(database: Database, wang: Caller) -> None:
    with database.write() as session:
        begun = second_factor.begin(session, wang, now=NOW)
        assert begun.uri.startswith("otpauth://totp/")
        with pytest.raises(WrongCode):
            second_factor.confirm(session, wang, "000000x", now=NOW)
        assert second_factor.state(session, wang.id) == "begun"
    with pytest.raises(Conflict):
        check(database, wang, code(database, wang, NOW), now=NOW)


def test_a_code_counts_once(database: Database, wang: Caller, recovery: list[str]) -> None:
    check(database, wang, code(database, wang, NOW), now=NOW)
    with pytest.raises(WrongCode):
        check(database, wang, code(database, wang, NOW), now=NOW)
    with pytest.raises(WrongCode):
        check(database, wang, code(database, wang, NOW - STEP), now=NOW)  # older than the one just used
    check(database, wang, f" {code(database, wang, NOW + STEP)} ", now=NOW + STEP)


def test_a_clock_half_a_minute_off_is_forgiven_and_no_more(
    database: Database, wang: Caller, recovery: list[str]
) -> None:
    with pytest.raises(WrongCode):
        check(database, wang, code(database, wang, NOW - 2 * STEP), now=NOW)
    with pytest.raises(WrongCode):
        check(database, wang, code(database, wang, NOW + 2 * STEP), now=NOW)
    check(database, wang, code(database, wang, NOW - STEP), now=NOW)


def test_five_wrong_codes_lock_even_the_right_one_for_a_quarter_of_an_hour(
    database: Database, wang: Caller, recovery: list[str]
) -> None:
    for _ in range(4):
        with pytest.raises(WrongCode):
            check(database, wang, "12", now=NOW)
    with pytest.raises(TooMany):
        check(database, wang, "12", now=NOW)
    with pytest.raises(TooMany):
        check(database, wang, code(database, wang, NOW), now=NOW)
    later = NOW + timedelta(minutes=15)
    check(database, wang, code(database, wang, later), now=later)
    with database.read() as session:
        actions = [link.action for link in audit.entries_of(session, f"account:{wang.id}")]
    assert actions[-1] == "second_factor.locked"


def test_a_recovery_code_counts_once_however_it_is_typed(
    database: Database, wang: Caller, recovery: list[str]
) -> None:
    assert len(set(recovery)) == second_factor.RECOVERY_CODES
    check(database, wang, recovery[0].lower().replace("-", " "), now=NOW)
    with pytest.raises(WrongCode):
        check(database, wang, recovery[0], now=NOW)
    with database.read() as session:
        assert second_factor.codes_left(session, wang.id) == second_factor.RECOVERY_CODES - 1


@pytest.mark.parametrize("nonsense", ["", "１２３４５６", "a" * 5_000, "-1", "\0\0\0\0\0\0", "' OR 1=1"])
def test_what_is_no_code_is_refused_in_words(
    database: Database, wang: Caller, recovery: list[str], nonsense: str
) -> None:
    with pytest.raises(WrongCode):
        check(database, wang, nonsense, now=NOW)


def test_a_factor_in_force_is_not_replaced_in_silence(
    database: Database, wang: Caller, recovery: list[str], person: Callable[..., Caller]
) -> None:
    admin = person("admin", Role.PROVINCE_ADMIN, "13")
    with database.write() as session:
        with pytest.raises(Conflict):
            second_factor.begin(session, wang, now=NOW)
        second_factor.remove(session, wang.id, actor=admin, now=NOW)
        with pytest.raises(NotFound):
            second_factor.remove(session, wang.id, actor=admin, now=NOW)
        assert second_factor.state(session, wang.id) == "off"
