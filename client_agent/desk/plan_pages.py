"""What the TV page may ask and do about the month's plan."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from client_agent.desk.desk import Desk
from client_agent.desk.log_lines import LogDay
from client_agent.desk.people_pages import signed_in
from client_agent.desk.plan import NotPlanned
from client_agent.desk.plan_rules import OWN, DayState, Reason, local_date, state_of
from client_agent.desk.telling import tell
from client_agent.routes import Refused, TvParts
from protocol.batch import ClockState
from protocol.documents import Ref, Sha256Hex, StudyDay
from protocol.times import day_of_ms, text_to_ms

Json = dict[str, Any]
MOST_PROGRAMMES = 6
Ms = Annotated[int, Meta(ge=0, le=2**53)]


class Move(msgspec.Struct, frozen=True):
    day: Annotated[str, Meta(max_length=80)]
    starts_ms: Ms
    reason: Reason


class Add(msgspec.Struct, frozen=True):
    starts_ms: Ms
    releases: Annotated[list[Sha256Hex], Meta(min_length=1, max_length=MOST_PROGRAMMES)]
    reason: Reason = Reason.OTHER


class Restore(msgspec.Struct, frozen=True):
    day: Annotated[str, Meta(max_length=80)]


def month(parts: TvParts, query: Mapping[str, str]) -> Json:
    """A month's study days and how each went; without one the present month."""
    desk, asked = parts.desk, query.get("month", "")
    if asked and not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", asked):
        raise Refused(HTTPStatus.BAD_REQUEST, "month")
    now_ms, clock = desk.agent.clock.for_programmes()
    present = day_of_ms(now_ms).isoformat()[:7]
    chosen = asked or present
    states = day_states(desk, chosen, now_ms)
    return {
        "month": chosen,
        "before": step(chosen, -1),
        "after": step(chosen, 1),
        "present": present,
        "known": clock is not ClockState.UNCERTAIN,
        "now_ms": now_ms,
        "days": [_told(parts, day, state) for day, state in states],
        "sum": {str(state): sum(one is state for _, one in states) for state in DayState},
    }


def day_states(desk: Desk, month: str, now_ms: int) -> list[tuple[StudyDay, DayState]]:
    """The days of a month and how each went."""
    days = desk.plan.month(month)
    if not days:
        return []
    sessions, late = sessions_of(desk.log.month(month))
    today = day_of_ms(now_ms).isoformat()
    return [(day, state_of(day, sessions, late, today, now_ms)) for day in days]


def sessions_of(days: list[LogDay]) -> tuple[dict[str, bool], set[str]]:
    """Study day → whether one of its sessions was completed; and the dates with a session entered late."""
    sessions: dict[str, bool] = {}
    late: set[str] = set()
    for day in days:
        for entry in day.studies:
            if entry.manual:
                late.add(day.day)
            elif entry.line.study_day:
                whole = entry.line.completed and all(one.played_ms for one in entry.line.programmes)
                sessions[entry.line.study_day] = sessions.get(entry.line.study_day, False) or whole
    return sessions, late


def step(month: str, by: int) -> str:
    """The month so many before or after."""
    count = int(month[:4]) * 12 + int(month[5:]) - 1 + by
    return date(count // 12, count % 12 + 1, 1).isoformat()[:7]


def _told(parts: TvParts, day: StudyDay, state: DayState) -> Json:
    titles, stored, change = [], True, parts.desk.plan.changed(day.id)
    for ref in day.programmes:
        manifest = parts.guide.manifest(ref.release)
        if manifest is not None:
            titles.append(manifest.title)
            stored = stored and parts.guide.playable(ref.release) is not None
    return {
        "id": day.id,
        "title": day.title,
        "starts_ms": text_to_ms(day.starts_at),
        "ends_ms": text_to_ms(day.ends_at),
        "moved_from_ms": text_to_ms(day.moved_from) if day.moved_from else None,
        "reason": day.reason,
        "why": change.reason if change is not None else "",
        "programmes": titles,
        "stored": stored and bool(titles),
        "own": day.id.startswith(OWN),
        "changed": change is not None,
        "state": state,
        "date": local_date(day),
    }


# --- doing --------------------------------------------------------------------------------------------------------------
def move(parts: TvParts, asked: Move) -> Json:
    """Raises Refused: "sign-in", "clock", and NotPlanned's words."""
    by = _able(parts)
    try:
        parts.desk.plan.move(asked.day, asked.starts_ms, asked.reason, by)
    except NotPlanned as error:
        raise Refused(HTTPStatus.CONFLICT, error.word) from error
    tell(parts.desk.log, parts.desk.outbox)
    return {"day": asked.day}


def add(parts: TvParts, asked: Add) -> Json:
    """Raises Refused: "sign-in", "clock", "release", "past", "far"."""
    by = _able(parts)
    try:
        day = parts.desk.plan.add(asked.starts_ms, _refs(parts, asked.releases), asked.reason, by)
    except NotPlanned as error:
        raise Refused(HTTPStatus.CONFLICT, error.word) from error
    tell(parts.desk.log, parts.desk.outbox)
    return {"day": day}


def restore(parts: TvParts, asked: Restore) -> Json:
    """Raises Refused: "sign-in", "clock", "day", "held"."""
    by = _able(parts)
    try:
        parts.desk.plan.restore(asked.day, by)
    except NotPlanned as error:
        raise Refused(HTTPStatus.CONFLICT, error.word) from error
    tell(parts.desk.log, parts.desk.outbox)
    return {"day": asked.day}


def _able(parts: TvParts) -> str:
    by = signed_in(parts)
    if parts.desk.agent.clock.for_programmes()[1] is ClockState.UNCERTAIN:
        raise Refused(HTTPStatus.CONFLICT, "clock")
    return by


def _refs(parts: TvParts, releases: list[str]) -> list[Ref]:
    """Programmes of the library, each once. Raises Refused."""
    allowed = {item.release: item.manifest for item in parts.guide.library()}
    found = []
    for release in dict.fromkeys(releases):
        if release not in allowed:
            raise Refused(HTTPStatus.NOT_FOUND, "release")
        known = allowed[release]
        found.append(Ref(edition=known.edition, release=release, duration_ms=known.duration_ms))
    return found


ANSWERS = {"/api/desk/plan": month}
DEEDS: dict[str, tuple[type[Any], Any, HTTPStatus]] = {
    "/api/desk/plan/move": (Move, move, HTTPStatus.CREATED),
    "/api/desk/plan/add": (Add, add, HTTPStatus.CREATED),
    "/api/desk/plan/restore": (Restore, restore, HTTPStatus.CREATED),
}
