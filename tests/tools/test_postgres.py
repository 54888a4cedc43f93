"""Databases of the test run are lent again: empty, and of the template's shape, or not at all."""

from __future__ import annotations

import psycopg
import pytest


def run(postgresql, name, *statements):
    with psycopg.connect(postgresql.url(name), autocommit=True) as connection:
        return [connection.execute(statement) for statement in statements][-1].fetchall()


@pytest.fixture
def template(postgresql):
    name = postgresql.create("lent_template")
    run(
        postgresql, name,
        "CREATE TABLE county (code int PRIMARY KEY)",
        "CREATE TABLE village (id serial PRIMARY KEY, county int NOT NULL REFERENCES county)",
        "CREATE TABLE alembic_version (number int)",
        "INSERT INTO alembic_version VALUES (7) RETURNING number",
    )  # fmt: skip
    yield name
    postgresql.drop(name)


def test_a_used_database_is_lent_again_without_rows_and_counts_from_one(postgresql, template):
    name = postgresql.borrow(template)
    with psycopg.connect(postgresql.url(name)) as forgotten:
        forgotten.execute("INSERT INTO county VALUES (3)")  # a transaction that somebody left open
        run(
            postgresql,
            name,
            "INSERT INTO county VALUES (1)",
            "INSERT INTO village (county) VALUES (1) RETURNING id",
        )
        postgresql.give_back(name)
        with pytest.raises(psycopg.OperationalError):
            forgotten.execute("SELECT 1")
        forgotten.close()
    assert postgresql.borrow(template) == name
    assert (
        run(postgresql, name, "SELECT * FROM village") == run(postgresql, name, "SELECT * FROM county") == []
    )
    run(postgresql, name, "INSERT INTO county VALUES (1) RETURNING code")
    assert run(postgresql, name, "INSERT INTO village (county) VALUES (1) RETURNING id") == [(1,)]
    assert run(postgresql, name, "SELECT number FROM alembic_version") == [(7,)]
    postgresql.give_back(name)


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE county ADD COLUMN name text",
        "DROP TABLE village",
        "CREATE INDEX ON village (county)",
        "ALTER TABLE village DROP CONSTRAINT village_county_fkey",
        "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ],
)
def test_a_database_whose_tables_were_changed_is_not_lent_again(postgresql, template, change):
    name = postgresql.borrow(template)
    run(postgresql, name, change, "SELECT 1")
    postgresql.give_back(name)
    with pytest.raises(psycopg.OperationalError):
        run(postgresql, name, "SELECT 1")
