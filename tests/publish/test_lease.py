"""Leases: one holder at a time, by the database's clock; a late one finds itself fenced off."""

from __future__ import annotations

import pytest

from server import lease as leases
from server.lease import LeaseLost, LeaseRow, LeaseTaken, database_now_ms

NAME = "work"


def held_by_another_machine(database, *, for_ms: int) -> None:
    with database.write() as session:
        leases._ensure_row(session, NAME)
        row = session.get_one(LeaseRow, NAME)
        row.holder, row.fence = "elsewhere/1/abcd", 7
        row.expires_ms = database_now_ms(session) + for_ms


def test_a_lease_that_is_held_cannot_be_taken(database):
    leases.take(database, NAME, lasts_ms=60_000)

    with pytest.raises(LeaseTaken):
        leases.take(database, NAME, lasts_ms=60_000)


def test_a_lease_given_back_can_be_taken_and_its_fence_rises(database):
    with leases.held(database, NAME, lasts_ms=60_000) as first:
        pass
    with leases.held(database, NAME, lasts_ms=60_000) as second:
        assert second.fence == first.fence + 1


def test_a_lease_that_ran_out_is_taken_over_and_its_late_holder_is_fenced_off(database):
    late = leases.take(database, NAME, lasts_ms=0)
    new = leases.take(database, NAME, lasts_ms=60_000)

    with database.write() as session, pytest.raises(LeaseLost):
        late.check(session)
    with pytest.raises(LeaseLost):
        late.renew(database)
    late.release(database)
    with database.write() as session:
        new.check(session)


def test_a_lease_of_another_machine_holds_until_it_runs_out(database):
    held_by_another_machine(database, for_ms=60_000)
    with pytest.raises(LeaseTaken):
        leases.take(database, NAME, lasts_ms=60_000)

    held_by_another_machine(database, for_ms=-1)
    assert leases.take(database, NAME, lasts_ms=60_000).fence == 8


def test_a_process_of_this_machine_that_is_gone_holds_nothing(database, monkeypatch):
    leases.take(database, NAME, lasts_ms=60_000)
    monkeypatch.setattr(leases.os, "kill", _no_such_process)

    assert leases.take(database, NAME, lasts_ms=60_000).fence == 2


def _no_such_process(_pid, _signal):
    raise ProcessLookupError


def test_renewing_holds_it_for_the_full_time_again(database):
    lease = leases.take(database, NAME, lasts_ms=60_000)
    with database.write() as session:
        session.get_one(LeaseRow, NAME).expires_ms = 0

    lease.renew(database)

    with database.read() as session:
        left = session.get_one(LeaseRow, NAME).expires_ms - database_now_ms(session)
    assert 0 < left <= 60_000


def test_the_databases_clock_is_in_milliseconds_since_1970(database):
    with database.read() as session:
        assert 1_700_000_000_000 < database_now_ms(session) < 4_000_000_000_000
