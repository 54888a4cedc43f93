"""重要保障期: who declares them, when they hold, and how they end."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from server.catalog import protection
from server.cli import main
from server.db import Database
from server.errors import Conflict, Forbidden, Invalid
from server.identity import audit
from server.identity.rules import Caller
from tests.catalog.conftest import NOW

People = dict[str, Caller]
DAY = timedelta(days=1)


def declare(database: Database, who: Caller, starts: Any = DAY, ends: Any = 3 * DAY, reason: str = "党代会"):
    with database.write() as session:
        return protection.declare(
            session, who, starts_at=NOW + starts, ends_at=NOW + ends, reason=reason, now=NOW
        )


def test_a_period_holds_from_its_first_instant_until_before_its_last(
    database: Database, people: People
) -> None:
    made = declare(database, people["admin"])
    with database.read() as session:
        assert protection.period_at(session, NOW) is None
        assert protection.period_at(session, NOW + DAY) == made
        assert protection.period_at(session, NOW + 3 * DAY - timedelta(milliseconds=1)) == made
        assert protection.period_at(session, NOW + 3 * DAY) is None
        assert protection.periods_between(session, NOW, NOW + DAY) == []
        assert protection.periods_between(session, NOW, NOW + 2 * DAY) == [made]


def test_of_two_that_overlap_the_longer_lasting_one_is_named(database: Database, people: People) -> None:
    declare(database, people["admin"])
    longer = declare(database, people["admin"], 2 * DAY, 5 * DAY, "国庆")
    with database.read() as session:
        assert protection.period_at(session, NOW + 2 * DAY) == longer


def test_only_the_provincial_administrator_declares_and_ends(database: Database, people: People) -> None:
    made = declare(database, people["admin"])
    for username in ("editor", "county", "final", "leader"):
        with pytest.raises(Forbidden):
            declare(database, people[username])
        with database.write() as session, pytest.raises(Forbidden):
            protection.end(session, people[username], made.id, now=NOW)


@pytest.mark.parametrize(
    ("starts", "ends", "reason"),
    [
        (3 * DAY, DAY, "颠倒"),
        (DAY, DAY, "空"),
        (-3 * DAY, -DAY, "已过"),
        (DAY, 200 * DAY, "太长"),
        (DAY, 2 * DAY, "  "),
    ],
)
def test_a_period_that_makes_no_sense_is_refused(
    database: Database, people: People, starts: timedelta, ends: timedelta, reason: str
) -> None:
    with pytest.raises(Invalid):
        declare(database, people["admin"], starts, ends, reason)


def test_ending_a_period_ends_it_now_and_once_and_is_audited(database: Database, people: People) -> None:
    running = declare(database, people["admin"], -DAY, DAY)
    coming = declare(database, people["admin"], 5 * DAY, 6 * DAY)
    with database.write() as session:
        protection.end(session, people["admin"], running.id, now=NOW)
        protection.end(session, people["admin"], coming.id, now=NOW)
        with pytest.raises(Conflict):
            protection.end(session, people["admin"], running.id, now=NOW)
    with database.read() as session:
        assert protection.period_at(session, NOW) is None
        assert protection.period_at(session, NOW - timedelta(hours=1)) is not None
        assert protection.period_at(session, NOW + 5 * DAY) is None
        actions = [link.action for link in audit.entries_of(session, f"protection:{running.id}")]
    assert actions == ["protection.declare", "protection.end"]


def test_a_script_declares_lists_and_ends_periods(
    server: Any, bearer: Callable[[str], dict[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    token = bearer("admin")["Authorization"].removeprefix("Bearer ")

    def run(*words: str) -> Any:
        assert main(["protection", *words, "--server", server.url, "--token", token, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    made = run("declare", "--from", "2099-10-01T00:00", "--until", "2099-10-08T00:00", "--reason", "国庆")
    assert made["starts_at"] == "2099-09-30T16:00:00.000Z"
    assert [period["id"] for period in run("list")["items"]] == [made["id"]]
    assert run("end", made["id"])["ends_at"] < made["starts_at"]
    assert main(["protection", "end", made["id"], "--server", server.url, "--token", token]) == 1
