"""How the terminal is, as it tells the province: a health record at start, hourly and with every single pass."""

from __future__ import annotations

from typing import Any

from client_agent import VERSION
from client_agent.agent import Agent
from client_agent.config import READY_HORIZON_MS, WANTED_HORIZON_MS
from client_agent.demand import demand
from client_agent.machine import screen_on, temperature_c
from client_agent.planner import lacking

MAX_ERRORS = 10
MAX_MISSING = 100


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
