"""Below these nothing is believed."""

from __future__ import annotations

import pytest

from client_agent.config import AgentPaths
from client_agent.database import Database
from client_agent.errors import RolledBack, UnusableData
from client_agent.floors import Floors, Seen, check

FLOOR = Seen("frame", 7, "aa", "keys")


@pytest.mark.parametrize(
    "seen", [Seen("frame", 6, "bb", "keys"), Seen("frame", 7, "bb", "keys"), Seen("frame", 1, "aa", "keys")]
)
def test_an_older_file_or_another_under_the_same_version_is_refused(seen):
    with pytest.raises(RolledBack):
        check(FLOOR, seen)


@pytest.mark.parametrize(
    "seen", [FLOOR, Seen("frame", 8, "bb", "keys"), Seen("frame", 1, "bb", "new keys after a theft")]
)
def test_the_same_file_a_newer_one_and_new_keys_pass(seen):
    check(FLOOR, seen)
    check(None, seen)


@pytest.fixture
def database(tmp_path):
    paths = AgentPaths(tmp_path / "agent")
    paths.prepare()
    opened = Database(paths.database)
    yield opened
    opened.close()


def test_new_keys_forget_the_serials_of_their_documents(database):
    floors = Floors(database)
    floors.raise_to(FLOOR)
    floors.raise_serial("frame/13.json", "frame", 9, b"x")
    floors.raise_serial("recall.json", "recall", 9, b"x")
    with pytest.raises(RolledBack):
        floors.check_serial("frame/13.json", "frame", 8, "keys")
    floors.check_serial("frame/13.json", "frame", 8, "new")
    floors.raise_to(Seen("frame", 1, "cc", "new"))
    floors.check_serial("frame/13.json", "frame", 1, "new")
    with pytest.raises(RolledBack):
        floors.check_serial("recall.json", "recall", 8, "keys")


def test_a_transaction_is_all_or_nothing(database):
    floors = Floors(database)

    def change_and_fail() -> None:
        with database.transaction():
            floors.raise_to(FLOOR)
            with database.transaction():
                floors.raise_serial("frame/13.json", "frame", 9, b"x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change_and_fail()
    assert floors.floor("frame") is None
    floors.check_serial("frame/13.json", "frame", 1, "keys")


def test_what_is_committed_is_on_disk(database):
    assert database.row("PRAGMA synchronous") == (2,)
    assert database.row("PRAGMA journal_mode") == ("wal",)


def test_a_database_of_a_newer_program_is_left_alone(tmp_path):
    paths = AgentPaths(tmp_path / "other")
    paths.prepare()
    opened = Database(paths.database)
    opened.execute("PRAGMA user_version=99")
    opened.close()
    with pytest.raises(UnusableData, match="newer"):
        Database(paths.database)


def test_a_file_that_is_no_database_is_refused_in_words(tmp_path):
    paths = AgentPaths(tmp_path / "other")
    paths.prepare()
    paths.database.write_bytes(b"this is not a database, it only lies where one should" * 10)
    with pytest.raises(UnusableData):
        Database(paths.database)
