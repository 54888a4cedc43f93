"""Logging of every process: one line a record on stderr; ``up`` collects them in ``DIR/logs``."""

from __future__ import annotations

import logging
import time


def set_up(process: str, level: int = logging.INFO) -> None:
    """Log to stderr with UTC times and the process's name."""
    formatter = logging.Formatter(
        f"%(asctime)s.%(msecs)03dZ {process} %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
