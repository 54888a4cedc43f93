"""The worker process: runs durable jobs (transcoding), harvests feeds and checks uploads until it is told to stop."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import signal
import sys
import threading

from server.config import load
from server.logs import set_up

_M_ARENA_MAX = -8


def _keep_memory_small() -> None:
    """Few heaps for many threads (glibc's mallopt): what one thread gave back another may use."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def main() -> int:
    set_up("worker")
    _keep_memory_small()
    config = load()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    from server.catalog import jobs as catalog
    from server.transcode import jobs

    jobs.start(config)
    harvesting = catalog.start_harvesting(config, stop)
    checking = catalog.start_checking(config, stop)
    logging.getLogger(__name__).info("worker ready")
    stop.wait()
    jobs.stop()
    harvesting.join(timeout=5)
    checking.join(timeout=5)
    return 0


if __name__ == "__main__":
    sys.exit(main())
