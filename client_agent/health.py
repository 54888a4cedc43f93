"""How the terminal is, as it tells the province: a health record at start, hourly and with every single pass."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from client_agent import VERSION
from client_agent.agent import Agent
from client_agent.config import READY_HORIZON_MS, WANTED_HORIZON_MS
from client_agent.demand import demand
from client_agent.machine import screen_on, temperature_c
from client_agent.planner import lacking

MAX_ERRORS = 10
MAX_MISSING = 100
FIRST_S = 20.0
EVERY_S = 3600.0
LOOK_S = 10.0
SOON_S = 15.0
LEAST_APART_S = 60.0

News = tuple[int, int, int]
"""What the province waits for: the publication taken, and of the next 24 hours' items how many are ready."""


class HealthPace:
    """When to tell how the terminal is: soon after it began, hourly, and soon after the news changed (a publication was
    taken, something got ready), a little jittered, at least a minute apart. Times are monotonic seconds."""

    def __init__(self, now_s: float, fraction: Callable[[], float] = random.random) -> None:
        self._fraction = fraction
        self._due = now_s + FIRST_S
        self._look_at = now_s
        self._told_at = now_s - LEAST_APART_S
        self._told: News | None = None

    def is_due(self, now_s: float, news: Callable[[], News]) -> bool:
        """Whether to tell now; then the next time is set."""
        if now_s >= self._look_at:
            self._look_at = now_s + LOOK_S
            if self._told is not None and news() != self._told:
                soon = max(now_s + SOON_S * self._fraction(), self._told_at + LEAST_APART_S)
                self._due = min(self._due, soon)
        if now_s < self._due:
            return False
        self._told, self._told_at, self._due = news(), now_s, now_s + EVERY_S
        return True


def news_of(agent: Agent) -> News:
    """What stands now, read anew."""
    ready = agent.guide.readiness(agent.clock.now_ms()[0], READY_HORIZON_MS)
    return int(agent.database.setting("snapshot_version", "0")), sum(item.ready for item in ready), len(ready)


def health_fields(agent: Agent, outbox_length: int) -> dict[str, Any]:
    """The fields of a ``protocol.batch.Health`` record, but for number and times."""
    now_ms, clock = agent.clock.now_ms()
    free, total = agent.store.disk()
    ready = agent.guide.readiness(now_ms, READY_HORIZON_MS)
    database = agent.database
    return {
        "agent_version": VERSION,
        "disk_free": free,
        "disk_total": total,
        "stored_items": len(agent.store.complete_files()),
        "ready": sum(item.ready for item in ready),
        "wanted": len(ready),
        "throughput_bps": int(database.setting("line_bps", "0")),
        "clock": clock,
        "clock_offset_ms": agent.clock.offset_ms(),
        "publication": int(database.setting("snapshot_version", "0")),
        "outbox": outbox_length,
        "errors": errors(agent),
        **line_fields(agent, now_ms),
        "temperature_c": temperature_c(),
        "screen_on": screen_on(),
    }


def missing(agent: Agent, now_ms: int) -> list[tuple[str, int]]:
    """(release, bytes it lacks) of what is scheduled or pushed for the next seven days and not stored whole."""
    asked = demand(agent.guide.programme(), now_ms, WANTED_HORIZON_MS)
    return lacking(asked.releases, agent.guide.manifest, agent.store.stored_bytes())


def line_fields(agent: Agent, now_ms: int) -> dict[str, Any]:
    """What is missing, and what the line may and can do about it."""
    lacks, rules = missing(agent, now_ms), agent.line.rules
    return {
        "missing": [release for release, _ in lacks[:MAX_MISSING]],
        "missing_bytes": sum(count for _, count in lacks),
        "speed_by_hour": agent.line.speeds(),
        "download_from_hour": rules.from_hour,
        "download_to_hour": rules.to_hour,
        "monthly_cap_bytes": rules.monthly_cap_bytes,
        "month_bytes": agent.line.month_bytes(),
    }


def errors(agent: Agent) -> list[str]:
    """What is refused, and which sources fail, in short."""
    refused = [
        f"{subject}: {reason}"
        for subject, reason in agent.database.rows("SELECT subject, reason FROM refusals")
    ]
    failing = [f"{url}: {blame}" for url, blame in agent.database.rows("SELECT url, blame FROM sources")]
    return [text[:200] for text in [*refused, *failing][:MAX_ERRORS]]
