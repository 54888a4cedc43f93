"""The publisher process: carries out orders to publish and lets clean changes out, until it is told to stop.

Apart from the workers, which read hostile media and feeds: this one holds the keys.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading

from server.config import load
from server.logs import set_up


def main() -> int:
    set_up("publisher")
    config = load()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    from server.publish.jobs import BackgroundPublisher

    publisher = BackgroundPublisher(config)
    publisher.start()
    logging.getLogger(__name__).info("publisher ready")
    stop.wait()
    publisher.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
