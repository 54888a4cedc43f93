"""What publishing does by itself: the hourly timestamp, a look each minute at what is served, and the
publisher that carries out orders and lets clean changes out."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from server import clock
from server.config import Config
from server.db import Database
from server.lease import LeaseTaken
from server.publish import service
from server.publish.background import Publishing
from server.publish.keys import key_path
from server.publish.rules import POLICY
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


STEP_EVERY_S = 1.0
FAULT_PAUSE_S = 15.0


class BackgroundPublisher:
    """A thread that takes step after step until it is stopped; what fails is logged and tried again."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, within_s: float = 2.0) -> None:
        """A publication under way that does not end in time is left as a killed one would be: whole, old or new."""
        self._stop.set()
        self._thread.join(within_s)

    def _run(self) -> None:
        with _database(self._config) as database:
            publishing = Publishing(database, self._config, open_store(self._config), clock.now)
            while not self._stop.is_set():
                if not key_path(self._config.keys, POLICY).exists():
                    self._stop.wait(FAULT_PAUSE_S)  # the keys are elsewhere, or are made yet
                    continue
                pause = STEP_EVERY_S
                try:
                    if publishing.step():
                        continue
                except Exception:
                    log.exception("the publisher stumbled")
                    pause = FAULT_PAUSE_S
                self._stop.wait(pause)
