"""What happens to the catalogue at intervals."""

from __future__ import annotations

import logging
from contextlib import closing

from server import clock
from server.catalog import uploads
from server.config import Config
from server.db import Database

log = logging.getLogger(__name__)


def sweep_uploads(config: Config) -> None:
    """Give up uploads that were left alone for a week, delete files that belong to nothing."""
    with closing(Database(config.database_url)) as database, database.write() as session:
        removed = uploads.sweep(session, config.uploads, now=clock.now())
    if removed:
        log.info("removed %s abandoned upload files", removed)
