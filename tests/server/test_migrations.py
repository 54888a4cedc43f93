"""The migrations make exactly the tables that the rooms declare, on both databases."""

from __future__ import annotations

from alembic import command
from sqlalchemy import Engine

from server.migrate import alembic_config, upgrade_engine


def test_migrations_and_models_say_the_same(engine: Engine) -> None:
    config = alembic_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.check(config)  # raises where a model has something that no migration made


def test_applying_them_again_changes_nothing(engine: Engine) -> None:
    upgrade_engine(engine)
