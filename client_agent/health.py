"""How the terminal is, as it tells the province: a health record at start, hourly and with every single pass."""

from __future__ import annotations

from typing import Any

from client_agent import VERSION
from client_agent.agent import Agent
from client_agent.config import READY_HORIZON_MS

MAX_ERRORS = 10


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
    }


def errors(agent: Agent) -> list[str]:
    """What is refused, and which sources fail, in short."""
    refused = [
        f"{subject}: {reason}"
        for subject, reason in agent.database.rows("SELECT subject, reason FROM refusals")
    ]
    failing = [f"{url}: {blame}" for url, blame in agent.database.rows("SELECT url, blame FROM sources")]
    return [text[:200] for text in [*refused, *failing][:MAX_ERRORS]]
