"""The clock process: starts what happens at intervals. It only enqueues or calls short jobs, never does long work.

Its schedule lives in memory and is rebuilt at every start; what was missed while it was down is done at once.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from server import clock
from server.config import load
from server.logs import set_up

log = logging.getLogger(__name__)


def main() -> int:
    set_up("clock")
    config = load()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    from server.catalog import jobs as catalog
    from server.catalog import review_jobs as reviews
    from server.identity import message_jobs as messages
    from server.publish import jobs as publish
    from server.stats import jobs as stats

    scheduler = BackgroundScheduler(timezone="UTC", executors={"default": ThreadPoolExecutor(2)})
    scheduler.add_job(
        publish.resign_timestamp, "interval", [config], minutes=60, id="resign", coalesce=True, max_instances=1,
        next_run_time=clock.now(),
    )  # fmt: skip
    scheduler.add_job(
        publish.check_served_timestamp,
        "interval",
        [config],
        minutes=1,
        id="served",
        coalesce=True,
        max_instances=1,
    )
    scheduler.add_job(
        catalog.sweep_uploads, "interval", [config], hours=24, id="sweep", coalesce=True, max_instances=1,
        next_run_time=clock.now(),
    )  # fmt: skip
    scheduler.add_job(
        stats.sweep_evidence, "interval", [config], hours=24, id="evidence", coalesce=True, max_instances=1,
        next_run_time=clock.now(),
    )  # fmt: skip
    scheduler.add_job(
        reviews.tick, "interval", [config], minutes=1, id="reviews", coalesce=True, max_instances=1,
        next_run_time=clock.now(),
    )  # fmt: skip
    scheduler.add_job(
        messages.dispatch, "interval", [config], seconds=20, id="messages", coalesce=True, max_instances=1,
        next_run_time=clock.now(),
    )  # fmt: skip
    scheduler.start()
    log.info("clock ready")
    stop.wait()
    scheduler.shutdown(wait=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
