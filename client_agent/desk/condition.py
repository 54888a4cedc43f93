"""存储与线路: what is stored, what is missing for the coming day, and how disk and line are, for somebody who is no
technician: what holds, and one sentence for each thing that does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from client_agent.agent import Agent
from client_agent.guide import Refusal
from client_agent.status import status
from protocol.batch import ClockState
from protocol.times import text_to_ms

Json = dict[str, Any]
LEAST_HEARD_MS = 24 * 60 * 60 * 1000
"""Whoever heard nothing of the province for longer is told so."""


def condition(agent: Agent) -> Json:
    """As the page is told. Bytes and bit/s; times in ms since 1970, None where unknown."""
    found = status(agent)
    now_ms, clock = agent.clock.now_ms()
    kept, line, heard = found["stored"], found["line"], found["publication"]["refreshed_at"]
    items = {item["release"]: item for item in reversed(found["ready_items"])}
    answer = {
        "clock": clock,
        "heard_ms": text_to_ms(heard) if heard else None,
        "publication": found["publication"]["snapshot"],
        "programmes": sum(entry.stored for entry in agent.guide.library()),
        "bytes": kept["bytes"],
        "disk": found["disk"],
        "missing": [
            {"title": item["title"], "starts_ms": text_to_ms(item["starts_at"]), "reason": item["reason"]}
            for item in sorted(items.values(), key=lambda item: str(item["starts_at"]))
            if not item["ready"]
        ],
        "wanted": len(items),
        "line": {
            "bps": found["line_bps"],
            "from_hour": line["download_from_hour"],
            "to_hour": line["download_to_hour"],
            "cap_bytes": line["monthly_cap_bytes"],
            "month_bytes": line["month_bytes"],
            "missing_bytes": line["missing_bytes"],
            "closed_until_ms": text_to_ms(line["closed_until"]) if line["closed_until"] else None,
        },
        "to_report": found["outbox"],
    }
    return answer | {"troubles": list(troubles(found, answer, now_ms))}


def troubles(found: Mapping[str, Any], answer: Mapping[str, Any], now_ms: int) -> Iterator[Json]:
    """What is wrong: a word the page knows and its number, the gravest first."""
    if found["refused"]:
        yield {"what": "refused", "n": len(found["refused"])}
    if found["line"]["short_bytes"]:
        yield {"what": "short", "n": found["line"]["short_bytes"]}
    elif found["disk"]["for_media"] == 0:
        yield {"what": "full", "n": 0}
    if answer["clock"] is ClockState.UNCERTAIN:
        yield {"what": "clock", "n": 0}
    if answer["heard_ms"] is None:
        yield {"what": "never_heard", "n": 0}
    elif answer["clock"] is not ClockState.UNCERTAIN and now_ms - answer["heard_ms"] > LEAST_HEARD_MS:
        yield {"what": "not_heard", "n": (now_ms - answer["heard_ms"]) // LEAST_HEARD_MS}
    lacking = [item for item in answer["missing"] if item["reason"] == Refusal.NOT_STORED]
    if lacking:
        yield {"what": "missing", "n": len(lacking)}
