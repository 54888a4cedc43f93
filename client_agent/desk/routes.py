"""What the TV page may ask of the administrator's part and do there: path → function, as in client_agent/routes.py."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from client_agent.desk import log_pages, people_pages, plan_pages, selftest, summary, swap_pages, voice
from client_agent.desk.condition import condition
from client_agent.routes import TvParts


def state(parts: TvParts, _: dict[str, str]) -> object:
    """What is on, and the line under the header. The page that asks is there: the station is open."""
    told, reading = parts.data.state(), parts.desk.agent.clock.reading()
    parts.desk.opening.seen(reading.mono_ms, told["now_ms"])
    return told | {"desk": parts.desk.line.told(), "looks": parts.eye.looks}


ANSWERS: dict[str, Callable[[TvParts, dict[str, str]], object]] = {
    "/api/desk/condition": lambda parts, _: condition(parts.desk.agent),
    "/api/phone": lambda parts, query: parts.phone.told(tile="tile" in query),
    "/api/desk/voice": lambda parts, _: voice.told(parts),
    "/api/desk/selftest": lambda parts, _: selftest.told(parts),
    "/api/state": state,
    "/api/desk": summary.summary,
    "/api/desk/todo": summary.todo_page,
    **people_pages.ANSWERS,
    **plan_pages.ANSWERS,
    **log_pages.ANSWERS,
    **swap_pages.ANSWERS,
}
DEEDS: dict[str, tuple[type[Any], Callable[[TvParts, Any], object], HTTPStatus]] = {
    "/api/desk/fault": (voice.FaultReport, voice.report_fault, HTTPStatus.CREATED),
    "/api/desk/opinion": (voice.OpinionSaid, voice.say_opinion, HTTPStatus.CREATED),
    "/api/desk/month": (voice.MonthForm, voice.fill_month, HTTPStatus.CREATED),
    "/api/desk/selftest": (selftest.Findings, selftest.record, HTTPStatus.CREATED),
    **people_pages.DEEDS,
    **plan_pages.DEEDS,
    **log_pages.DEEDS,
    **swap_pages.DEEDS,
}
