"""What happens to the catalogue at intervals."""

from __future__ import annotations

import logging
import threading
from contextlib import closing

from server import clock
from server.catalog import feeds_harvest, uploads
from server.catalog.completing import Follower
from server.catalog.preparing import Preparer
from server.config import Config
from server.db import Database
from server.storage import S3Store, open_store

log = logging.getLogger(__name__)


def sweep_uploads(config: Config) -> None:
    """Give up uploads that were left alone for a week, delete files that belong to nothing."""
    store = open_store(config)
    cloud = store if isinstance(store, S3Store) else None
    with closing(Database(config.database_url)) as database, database.write() as session:
        removed = uploads.sweep(session, config.uploads, cloud=cloud, now=clock.now())
    if removed:
        log.info("removed %s abandoned upload files", removed)


def start_harvesting(config: Config, stop: threading.Event) -> threading.Thread:
    """Harvest the partner feeds whose time has come, until ``stop``. What is cut off goes on at the next start."""
    thread = threading.Thread(target=_harvest, args=(config, stop), name="harvest", daemon=True)
    thread.start()
    return thread


def _harvest(config: Config, stop: threading.Event) -> None:
    with closing(Database(config.database_url)) as database:
        harvester = feeds_harvest.Harvester(config, database)
        while not stop.wait(feeds_harvest.PAUSE_S):
            try:
                harvester.run_due(stop)
                harvester.tidy()
            except Exception:  # the database may be away for a moment: the next tick finds it
                log.exception("harvesting")


ROUND_S = 1.0
"""Pause between two rounds of checking uploads."""


def start_checking(config: Config, stop: threading.Event) -> threading.Thread:
    """Hash large uploads as they arrive and when they are complete, and make courseware into films, until ``stop``."""
    thread = threading.Thread(target=_check, args=(config, stop), name="checking", daemon=True)
    thread.start()
    return thread


def _check(config: Config, stop: threading.Event) -> None:
    with closing(Database(config.database_url)) as database:
        store = open_store(config)
        follower = Follower(database, config.uploads, store)
        preparer = Preparer(database, config.data, store)
        while not stop.wait(ROUND_S):
            try:
                follower.tick(now=clock.now())
                preparer.tick(now=clock.now())
            except Exception:  # the database or S3 may be away for a moment: the next round finds it
                log.exception("checking uploads")
