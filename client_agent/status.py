"""What is stored, what is verified, what is ready: for `agent status`, `agent doctor` and the TV's service page."""

from __future__ import annotations

from typing import Any

from client_agent import VERSION, outbox
from client_agent.agent import Agent
from client_agent.config import READY_HORIZON_MS
from client_agent.guide import Refusal
from client_agent.health import line_fields
from protocol.batch import ClockState
from protocol.times import SHANGHAI, from_text, ms_to_text

STALE_AFTER_MS = 24 * 60 * 60 * 1000
_MB = 1024 * 1024
_GB = 1024 * _MB


def status(agent: Agent) -> dict[str, Any]:
    """Everything worth knowing about a terminal, as plain JSON values. ``ready``: whether every placed item of the
    next 24 hours could be played from the store; ``ready_items`` says it of each, with the reason if not."""
    identity, database, guide = agent.identity, agent.database, agent.guide
    now_ms, clock_state = agent.clock.now_ms()
    ready = guide.readiness(now_ms, READY_HORIZON_MS)
    free, total = agent.store.disk()
    refreshed = int(database.setting("refreshed_ms", "0"))
    return {
        "agent_version": VERSION,
        "terminal": identity.terminal,
        "station": identity.station,
        "station_name": identity.station_name,
        "region": identity.region,
        "programme_region": guide.region,
        "clock": {"now": ms_to_text(now_ms), "state": str(clock_state), "offset_ms": agent.clock.offset_ms()},
        "publication": {
            "snapshot": int(database.setting("snapshot_version", "0")),
            "timestamp": int(database.setting("timestamp_version", "0")),
            "refreshed_at": ms_to_text(refreshed) if refreshed else None,
        },
        "documents": [
            {"target": target, "sha256": sha256, "bytes": length}
            for target, sha256, length in database.rows(
                "SELECT target, sha256, length(bytes) FROM documents WHERE target NOT LIKE 'release/%' ORDER BY target"
            )
        ],
        "manifests": _count(agent, "documents WHERE target LIKE 'release/%'"),
        "refused": dict(database.rows("SELECT subject, reason FROM refusals ORDER BY subject")),
        "recalled": _count(agent, "recalls"),
        "stored": stored(agent),
        "disk": {"free": free, "total": total, "for_media": max(0, agent.store.free_space())},
        "ready": all(item.ready for item in ready),
        "ready_items": [
            {
                "id": item.id,
                "channel": item.channel,
                "starts_at": item.starts_at,
                "title": item.title,
                "release": item.release,
                "ready": item.ready,
                "reason": str(item.reason) if item.reason else None,
            }
            for item in ready
        ],
        "sources": _sources(agent),
        "line_bps": int(database.setting("line_bps", "0")),
        "line": line(agent, now_ms),
        "outbox": outbox_length(agent),
    }


def line(agent: Agent, now_ms: int) -> dict[str, Any]:
    """What is missing for the next seven days, and what the line may do."""
    closed_ms = agent.line.closed_until_ms()
    return {
        **line_fields(agent, now_ms),
        "closed_until": ms_to_text(closed_ms) if closed_ms is not None else None,
        "short_bytes": int(agent.database.setting("short_bytes", "0")),
    }


def stored(agent: Agent) -> dict[str, Any]:
    """Files in the store: how many, complete ones, bytes of complete ones, and each file's state."""
    rows = agent.database.rows("SELECT sha256, length, complete, bits, bad FROM files ORDER BY sha256")
    return {
        "files": len(rows),
        "complete": sum(1 for row in rows if row[2]),
        "bytes": sum(row[1] for row in rows if row[2]),
        "items": [
            {
                "sha256": sha256,
                "bytes": length,
                "complete": bool(complete),
                "pieces": len(bits),
                "verified_pieces": sum(bits),
                "problem": bad or None,
            }
            for sha256, length, complete, bits, bad in rows
        ],
    }


def outbox_length(agent: Agent) -> int:
    """Records that are not yet acknowledged."""
    return outbox.outbox_length(agent.paths.outbox) if agent.paths.outbox.exists() else 0


def status_text(found: dict[str, Any]) -> str:
    """A few lines for a person."""
    ready, kept = found["ready_items"], found["stored"]
    number_ready = sum(item["ready"] for item in ready)
    lines = [
        f"{found['station_name']}（{found['region']}）",
        f"时间 / clock: {found['clock']['now']} ({found['clock']['state']}, {found['clock']['offset_ms']} ms)",
        f"发布 / publication: {found['publication']['snapshot']}, {found['publication']['refreshed_at'] or '—'}",
        f"已存 / stored: {kept['complete']}/{kept['files']} 个文件 / files, {kept['bytes'] / _MB:.0f} MB",
        f"24 小时内可播 / ready for the next 24 h: {number_ready}/{len(ready)}",
        f"待上报 / to report: {found['outbox']}",
    ]
    lines += [
        f"  {'是 / yes' if item['ready'] else '否 / no'}  {item['starts_at']}  {item['title'] or item['release'][:12]}"
        + (f"  {item['reason']}" if item["reason"] else "")
        for item in ready
    ]
    return "\n".join(lines + findings(found))


def findings(found: dict[str, Any]) -> list[str]:
    """What is wrong and what to do about it, one plain sentence each; empty when all is well."""
    said: list[str] = []
    if not found["publication"]["refreshed_at"]:
        said.append("尚未收到任何发布，请检查网线和网络 / nothing was received yet: check cable and network")
    if found["clock"]["state"] == ClockState.UNCERTAIN:
        said.append(
            "时间不可信，联网后会自动校准 / the clock is not to be trusted; it heals once the network is back"
        )
    if found["line"]["short_bytes"]:
        short = found["line"]["short_bytes"] / _GB
        said.append(
            f"磁盘放不下要播的节目，还差 {short:.1f} GB，请换大容量硬盘 / what is to air does not fit: "
            f"{short:.1f} GB short, a larger disk is needed"
        )
    elif found["disk"]["for_media"] == 0:
        said.append(
            "磁盘将满，新节目放不下，请换大容量硬盘 / the disk is nearly full: new programmes do not fit"
        )
    not_ready = [item for item in found["ready_items"] if not item["ready"]]
    missing = [item for item in not_ready if item["reason"] == Refusal.NOT_STORED]
    if missing:
        said.append(
            f"{len(missing)} 个节目尚未下载完 / {len(missing)} items are not downloaded yet{_when(found)}"
        )
    if found["refused"]:
        said.append(
            f"{len(found['refused'])} 个内容未通过核对，已拒绝播出，请通知上级 / {len(found['refused'])} documents "
            f"contradict each other and are refused: tell the province ({'; '.join(found['refused'].values())})"
        )
    said += [
        f"来源有问题 / a source fails: {url} ({blame})" for url, blame in found["sources"].items() if blame
    ]
    return said


def _when(found: dict[str, Any]) -> str:
    """When the line is allowed again, if it is not now."""
    until = found["line"]["closed_until"]
    if until is None:
        return ""
    local = from_text(until).astimezone(SHANGHAI)
    return f"；{local:%m-%d %H:%M} 起可下载 / downloads are allowed from {local:%m-%d %H:%M}"


def _sources(agent: Agent) -> dict[str, str | None]:
    blamed = agent.sources.blamed()
    return {url: blamed.get(url) for url in (*agent.identity.read, *agent.extra_sources)}


def _count(agent: Agent, what: str) -> int:
    row = agent.database.row(f"SELECT count(*) FROM {what}")  # noqa: S608 - two fixed texts of this file
    return int(row[0]) if row else 0
