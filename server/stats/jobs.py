"""What happens to reports at intervals."""

from __future__ import annotations

import logging
from contextlib import closing

from server import clock
from server.config import Config
from server.db import Database
from server.stats import evidence
from server.storage import open_store

log = logging.getLogger(__name__)


def sweep_evidence(config: Config) -> None:
    """Forget photos and recordings past their time."""
    store = open_store(config)
    with closing(Database(config.database_url)) as database, database.write() as session:
        gone = evidence.sweep(session, store, now=clock.now())
    if gone:
        log.info("forgot %s files of evidence past their time", gone)
