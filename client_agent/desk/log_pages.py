"""What the TV page may ask and do about the log 收看记录."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from client_agent.desk.desk import Desk
from client_agent.desk.log_lines import Entry, Heads, LogDay, LogKind, LogLine, LogProgramme
from client_agent.desk.logbook import NoSuchLine
from client_agent.desk.people_pages import Nothing, signed_in
from client_agent.desk.telling import tell
from client_agent.routes import Refused, TvParts
from protocol.batch import ClockState
from protocol.documents import Sha256Hex
from protocol.times import day_bounds_ms, day_of_ms

Json = dict[str, Any]
MOST_PEOPLE = 9_999
OLDEST_LATE = timedelta(days=62)
"""A session may be entered late this long: the month that is asked about, and the one before."""
MINUTE_MS = 60_000
Count = Annotated[int, Meta(ge=0, le=MOST_PEOPLE)]
Reason = Annotated[str, Meta(pattern=r"^[a-z_]{1,20}$")]
"""A word the page knows."""


class HeadsSaid(msgspec.Struct, frozen=True):
    expected: Count
    present: Count
    members: Count = 0


class Amendment(msgspec.Struct, frozen=True):
    """``void``: it does not count (a trial, a wrong key); ``remark``: a word the page knows."""

    about: Annotated[int, Meta(ge=1)]
    reason: Reason
    heads: HeadsSaid | None = None
    void: bool = False
    remark: Annotated[str, Meta(pattern=r"^[a-z_]{0,20}$")] = ""


class LateSession(msgspec.Struct, frozen=True):
    """补记: a session without a record. Hours of the day in minutes."""

    day: Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    from_minute: Annotated[int, Meta(ge=0, le=1439)]
    minutes: Annotated[int, Meta(ge=1, le=600)]
    reason: Reason
    heads: HeadsSaid
    release: Sha256Hex | None = None


# --- asking -------------------------------------------------------------------------------------------------------------
def month(parts: TvParts, query: Mapping[str, str]) -> Json:
    """A month, day by day, newest first; without one the present month, or the newest there is."""
    desk = parts.desk
    asked = query.get("month", "")
    if asked and not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", asked):
        raise Refused(HTTPStatus.BAD_REQUEST, "month")
    now_ms, clock = desk.agent.clock.for_programmes()
    months = desk.log.months()
    present = day_of_ms(now_ms).isoformat()[:7]
    if clock is not ClockState.UNCERTAIN and present not in months:
        months = sorted([*months, present], reverse=True)
    chosen = asked or (present if clock is not ClockState.UNCERTAIN else (months or [present])[0])
    days = desk.log.month(chosen)
    return {
        "month": chosen,
        "months": months,
        "days": told_days(desk, chosen, days),
        "sum": month_sum(days),
        "unchecked": sum(not entry.checked for day in days for entry in day.entries),
    }


def told_days(desk: Desk, month: str, days: list[LogDay]) -> list[Json]:
    """The days that have an entry, or on which the set was on, newest first, with plan and hours of opening."""
    names, opened, plan = section_names(desk), desk.opening.month(month), desk.opening.plan()
    known = {day.day: day for day in days}
    found = []
    for name in sorted(known.keys() | opened.keys(), reverse=True):
        open_ms, between_ms = opened.get(name, (0, 0))
        span = plan[date.fromisoformat(name).weekday()]
        told = told_day(known.get(name, LogDay(name)), names)
        found.append(told | {"open_ms": open_ms, "between_ms": between_ms, "plan": span})
    return found


def month_sum(days: list[LogDay]) -> Json:
    """What a month comes to: sessions that count, their minutes and heads, and all that was played."""
    studies = [entry for day in days for entry in day.studies]
    return {
        "studies": len(studies),
        "study_ms": sum(study_ms(entry) for entry in studies),
        "present": sum(entry.heads.present for entry in studies if entry.heads),
        "played_ms": sum(day.played_ms for day in days),
        "late": sum(bool(entry.lates) or entry.manual for day in days for entry in day.entries),
    }


def study_ms(entry: Entry) -> int:
    """Minutes of a session: what was played, and what was talked; of one entered late, what was said."""
    line = entry.line
    return line.to_ms - line.from_ms if entry.manual else entry.played_ms + line.discussion_ms


def told_day(day: LogDay, names: Mapping[str, Json]) -> Json:
    return {
        "day": day.day,
        "start_ms": day_bounds_ms(date.fromisoformat(day.day))[0],
        "studies": len(day.studies),
        "played_ms": day.played_ms,
        "glances": day.glances,
        "glanced_ms": day.glanced_ms,
        "entries": [told_entry(entry, names) for entry in day.entries],
        "others": [told_other(line) for line in reversed(day.others)],
    }


def told_entry(entry: Entry, names: Mapping[str, Json]) -> Json:
    line = entry.line
    return {
        "n": line.n,
        "kind": "study" if line.kind is not LogKind.VIEWING else "viewing",
        "mode": line.mode,
        "from_ms": line.from_ms,
        "to_ms": line.to_ms,
        "clock": line.clock,
        "title": line.title,
        "programmes": [
            {
                "number": one.number, "title": one.title, "section_names": names.get(one.section),
                "played_ms": one.played_ms, "duration_ms": one.duration_ms,
            }
            for one in line.programmes
        ],
        "heads": _heads(entry.heads),
        "start": _heads(entry.start),
        "end": _heads(entry.end),
        "by": line.by,
        "discussion_ms": line.discussion_ms,
        "minutes": entry.minutes,
        "broken": line.broken,
        "completed": line.completed,
        "manual": entry.manual,
        "reason": line.reason,
        "void": entry.void,
        "checked": entry.checked,
        "lates": [
            {"at_ms": one.at_ms, "by": one.by, "reason": one.reason, "heads": _heads(one.heads), "void": one.void, "text": one.text}
            for one in entry.lates
        ],
    }  # fmt: skip


def told_other(line: LogLine) -> Json:
    return {
        "kind": line.kind, "at_ms": line.from_ms or line.at_ms, "by": line.by, "reason": line.reason,
        "mode": line.mode, "title": line.title, "text": line.text, "completed": line.completed,
    }  # fmt: skip


def _heads(heads: Heads | None) -> Json | None:
    names = ("expected", "present", "members", "public")
    return {name: getattr(heads, name) for name in names} if heads else None


def section_names(desk: Desk) -> dict[str, Json]:
    """Slug → {zh, en}."""
    return {one.slug: {"zh": one.name, "en": one.name_en or one.name} for one in desk.agent.guide.sections()}


# --- doing --------------------------------------------------------------------------------------------------------------
def amend(parts: TvParts, asked: Amendment) -> Json:
    """迟录 about an entry. Raises Refused: "sign-in", "line", "nothing"."""
    by = signed_in(parts)
    if asked.heads is None and not asked.void and not asked.remark:
        raise Refused(HTTPStatus.BAD_REQUEST, "nothing")
    heads = _said(asked.heads) if asked.heads else None
    try:
        line = parts.desk.log.amend(
            asked.about, by, asked.reason, heads=heads, void=asked.void, text=asked.remark
        )
    except NoSuchLine as error:
        raise Refused(HTTPStatus.NOT_FOUND, "line") from error
    tell(parts.desk.log, parts.desk.outbox)
    return {"n": line.n}


def add_late(parts: TvParts, asked: LateSession) -> Json:
    """补记 a session. Raises Refused: "sign-in", "day" (to come, or too long ago), "release", "clock"."""
    by = signed_in(parts)
    now_ms, clock = parts.desk.agent.clock.for_programmes()
    if clock is ClockState.UNCERTAIN:
        raise Refused(HTTPStatus.CONFLICT, "clock")
    try:
        day = date.fromisoformat(asked.day)
    except ValueError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, "day") from error
    from_ms = day_bounds_ms(day)[0] + asked.from_minute * MINUTE_MS
    to_ms = from_ms + asked.minutes * MINUTE_MS
    if to_ms > now_ms or day < day_of_ms(now_ms) - OLDEST_LATE:
        raise Refused(HTTPStatus.CONFLICT, "day")
    programmes = [_programme(parts, asked.release)] if asked.release else []
    line = parts.desk.log.add_late(day, by, asked.reason, _said(asked.heads), programmes, from_ms, to_ms)
    tell(parts.desk.log, parts.desk.outbox)
    return {"n": line.n}


def _programme(parts: TvParts, release: str) -> LogProgramme:
    manifest = parts.guide.manifest(release)
    if manifest is None:
        raise Refused(HTTPStatus.NOT_FOUND, "release")
    return LogProgramme(manifest.title, manifest.section, manifest.number, manifest.duration_ms)


def _said(heads: HeadsSaid) -> Heads:
    if heads.members > heads.present:
        raise Refused(HTTPStatus.BAD_REQUEST, "heads")
    return Heads(
        heads.expected, heads.present, heads.members, heads.present - heads.members if heads.members else 0
    )


def check(parts: TvParts, _: Nothing) -> Json:
    """核对 everything there is. Raises Refused: "sign-in"."""
    line = parts.desk.log.check(signed_in(parts))
    return {"n": line.n if line else 0}


class OpeningPlan(msgspec.Struct, frozen=True):
    """Monday first; minutes of the day, None: closed."""

    days: Annotated[list[tuple[int, int] | None], Meta(min_length=7, max_length=7)]


def opening_plan(parts: TvParts, _: Mapping[str, str]) -> Json:
    """When the station means to be open."""
    return {"days": parts.desk.opening.plan()}


def set_opening_plan(parts: TvParts, asked: OpeningPlan) -> Json:
    """Raises Refused: "sign-in", "span"."""
    by = signed_in(parts)
    try:
        parts.desk.opening.set_plan(asked.days)
    except ValueError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, "span") from error
    parts.desk.log.write(LogKind.EVENT, by=by, reason="opening")
    return opening_plan(parts, {})


ANSWERS = {"/api/desk/log": month, "/api/desk/opening": opening_plan}
DEEDS: dict[str, tuple[type[Any], Any, HTTPStatus]] = {
    "/api/desk/log/late": (Amendment, amend, HTTPStatus.CREATED),
    "/api/desk/log/sessions": (LateSession, add_late, HTTPStatus.CREATED),
    "/api/desk/log/check": (Nothing, check, HTTPStatus.CREATED),
    "/api/desk/opening": (OpeningPlan, set_opening_plan, HTTPStatus.CREATED),
}
