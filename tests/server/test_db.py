"""server/db.py on both databases."""

from server.db import Database, next_number


def test_numbers_rise_from_one_and_are_never_reused_after_a_rollback_elsewhere(database: Database):
    with database.write() as session:
        assert [next_number(session, "publication"), next_number(session, "publication")] == [1, 2]
    with database.write() as session:
        assert next_number(session, "publication") == 3


def test_each_test_gets_an_empty_database_of_its_own(database: Database):
    with database.write() as session:
        assert next_number(session, "publication") == 1
