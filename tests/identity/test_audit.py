"""The audit chain on both databases."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, update

from server.db import Database
from server.identity import audit
from server.identity.audit import ChainBroken, Head
from server.identity.models import AuditEntry
from server.identity.rules import Caller, Role

NOW = datetime(2026, 12, 5, 11, 0, 0, 123_000, tzinfo=UTC)
EDITOR = Caller(
    id="01935d5e-7c00-7000-8000-000000000001",
    username="wang",
    name="王编辑",
    grants=((Role.COUNTY_EDITOR, "130123"),),
)


def add(database: Database, count: int, /, **detail: Any) -> None:
    with database.write() as session:
        for _ in range(count):
            audit.append(session, actor=EDITOR, action="test.deed", subject="test:1", detail=detail, now=NOW)


def test_an_empty_chain_ends_where_it_begins(database: Database) -> None:
    with database.read() as session:
        assert audit.verify_chain(session) == Head() == audit.head_of(session)


def test_each_link_holds_the_hash_of_the_one_before(database: Database) -> None:
    add(database, 3, 备注="第一次", count=3, nested={"b": [1, None, True], "a": "é"})
    with database.read() as session:
        first, second, third = audit.entries_of(session, "test:1")
        assert [first.seq, second.seq, third.seq] == [1, 2, 3]
        assert first.prev_hash == audit.GENESIS_HASH
        assert (second.prev_hash, third.prev_hash) == (first.hash, second.hash)
        assert audit.verify_chain(session) == Head(3, third.hash) == audit.head_of(session)


def test_the_system_acts_without_a_person(database: Database) -> None:
    with database.write() as session:
        entry = audit.append(session, actor=None, action="test.deed", subject="test:1", now=NOW)
        assert (entry.actor_id, entry.actor_name) == (None, "系统")


def test_verification_goes_on_from_a_remembered_head(database: Database) -> None:
    add(database, 2)
    with database.read() as session:
        remembered = audit.verify_chain(session)
    add(database, 2)
    with database.read() as session:
        assert audit.verify_chain(session, remembered.seq, remembered.hash).seq == 4


CHANGES: list[dict[str, Any]] = [
    {"detail": {"approved": True}},
    {"actor_id": "01935d5e-7c00-7000-8000-000000000002"},
    {"actor_name": "别人"},
    {"action": "review.final"},
    {"subject": "test:2"},
    {"at": NOW + timedelta(seconds=1)},
    {"hash": "f" * 64},
    {"prev_hash": "f" * 64},
]


def test_any_change_to_a_link_breaks_the_chain(database: Database) -> None:
    add(database, 3)
    for change in CHANGES:
        with database.write() as session:
            session.execute(update(AuditEntry).where(AuditEntry.seq == 2).values(**change))
            with pytest.raises(ChainBroken, match="2"):
                audit.verify_chain(session)
            session.rollback()
    with database.read() as session:
        assert audit.verify_chain(session).seq == 3


def test_a_link_taken_out_of_the_middle_is_missed(database: Database) -> None:
    add(database, 3)
    with database.write() as session:
        session.execute(delete(AuditEntry).where(AuditEntry.seq == 2))
    with pytest.raises(ChainBroken, match="2"), database.read() as session:
        audit.verify_chain(session)


def test_a_chain_cut_off_behind_the_remembered_head_is_missed(database: Database) -> None:
    add(database, 3)
    with database.read() as session:
        remembered = audit.verify_chain(session)
    with database.write() as session:
        session.execute(delete(AuditEntry).where(AuditEntry.seq >= 2))
    add(database, 2, other="history")
    with pytest.raises(ChainBroken), database.read() as session:
        audit.verify_chain(session, remembered.seq, remembered.hash)


def test_writers_at_once_make_one_chain_without_gaps(database: Database) -> None:
    together = threading.Barrier(4)

    def write(_number: int) -> None:
        together.wait()
        for _ in range(5):
            add(database, 2)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    with database.read() as session:
        assert audit.verify_chain(session).seq == 40


def test_a_deed_that_fails_leaves_no_link(database: Database) -> None:
    def fail() -> None:
        with database.write() as session:
            audit.append(session, actor=EDITOR, action="test.deed", subject="test:1", now=NOW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with database.read() as session:
        assert audit.head_of(session) == Head()


def test_a_number_that_json_cannot_say_is_refused(database: Database) -> None:
    with pytest.raises(ValueError, match="JSON"):
        add(database, 1, share=float("nan"))
