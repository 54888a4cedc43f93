"""What publishing does by itself: the hourly timestamp, and a look each minute at what is served."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from server import clock
from server.config import Config
from server.db import Database
from server.lease import LeaseTaken
from server.publish import service
from server.storage import open_store

log = logging.getLogger(__name__)


def resign_timestamp(config: Config) -> None:
    """Sign a new timestamp, and with it whatever runs out soon. A publication under way does the same, so it may."""
    with _database(config) as database:
        try:
            service.keep_fresh(database, config, open_store(config), now=clock.now())
        except LeaseTaken:
            log.info("a publication is under way and brings a new timestamp")


def check_served_timestamp(config: Config) -> service.Verdict:
    """Compare what is served with the database, and say so in the log when they differ."""
    with _database(config) as database:
        verdict = service.compare_served(database, config, now=clock.now())
    if verdict in (service.Verdict.SAME, service.Verdict.NOTHING):
        return verdict
    level = logging.WARNING if verdict is service.Verdict.AHEAD else logging.ERROR
    log.log(level, "read plane: %s", verdict)
    return verdict


@contextmanager
def _database(config: Config) -> Iterator[Database]:
    database = Database(config.database_url)
    try:
        yield database
    finally:
        database.close()
