"""What the tiles of 站务, the line under the header and 今日要办 say: gathered from the station as it is."""

from __future__ import annotations

from typing import Any

from client_agent.agent import Agent
from client_agent.config import READY_HORIZON_MS
from client_agent.desk import selftest, voice
from client_agent.desk.desk import Desk
from client_agent.desk.log_lines import LogKind
from client_agent.desk.plan_pages import day_states, step
from client_agent.desk.plan_rules import DayState
from client_agent.desk.todo import Facts, Todo, todo
from client_agent.guide import Refusal
from client_agent.routes import TvParts
from protocol.batch import ClockState
from protocol.documents import StudyDay
from protocol.times import day_bounds_ms, day_of_ms, text_to_ms

Json = dict[str, Any]
FOR_MS = 60_000
"""So long the line under the header may be old; the pages themselves ask anew."""
CHECK_FROM_DAY = 3
"""A month that is over is to be looked through from this day on."""


def facts_of(desk: Desk) -> Facts:
    """How the station stands."""
    agent = desk.agent
    now_ms, clock = agent.clock.for_programmes()
    day, database = day_of_ms(now_ms), agent.database
    tonight = _tonight(desk, now_ms) if clock is not ClockState.UNCERTAIN else None
    month = day.isoformat()[:7]
    heard = int(database.setting("refreshed_ms", "0"))
    return Facts(
        now_ms=now_ms,
        day=day.day,
        clock_known=agent.clock.now_ms()[1] is not ClockState.UNCERTAIN,
        study_ms=text_to_ms(tonight.starts_at) if tonight else None,
        study_lacks=_lacks(agent, tonight) if tonight else 0,
        refused=len(database.rows("SELECT subject FROM refusals")),
        short_bytes=int(database.setting("short_bytes", "0")),
        disk_full=agent.store.free_space() <= 0,
        heard_ms=heard or None,
        missing=_missing(agent, now_ms),
        no_heads_ms=_no_heads(desk, now_ms),
        missed_days=sum(state is DayState.MISSED for _, state in day_states(desk, month, now_ms)),
        unsent_ms=desk.outbox.waiting_since_ms(),
        feedback_given=voice.month_given_ms(desk.book, now_ms) is not None,
        tested=not selftest.is_due(desk.book, now_ms),
        unchecked=_unchecked(desk, step(month, -1)) if day.day >= CHECK_FROM_DAY else 0,
        people=len(desk.people.all()),
    )


def _tonight(desk: Desk, now_ms: int) -> StudyDay | None:
    """Today's session that was not held yet."""
    start, end = day_bounds_ms(day_of_ms(now_ms))
    for day in desk.plan.days():
        if start <= text_to_ms(day.starts_at) < end and not desk.book.note(f"study-done:{day.id}"):
            return day
    return None


def _lacks(agent: Agent, day: StudyDay) -> int:
    return sum(agent.guide.playable(ref.release) is None for ref in day.programmes)


def _missing(agent: Agent, now_ms: int) -> int:
    found = agent.guide.readiness(now_ms, READY_HORIZON_MS)
    return len({one.release for one in found if one.reason is Refusal.NOT_STORED})


def _no_heads(desk: Desk, now_ms: int) -> int | None:
    """When the last session of the past three days began, if nobody was counted in it."""
    first = day_of_ms(now_ms - 3 * 86_400_000).isoformat()
    lines = desk.log.lines(first, day_of_ms(now_ms).isoformat())
    sessions = [line for line in lines if line.kind is LogKind.STUDY]
    if not sessions:
        return None
    last = sessions[-1]
    counted = any(line.heads is not None and line.session == last.session for line in lines)
    spoken = any(line.kind is LogKind.LATE and line.about == last.n for line in lines)
    return None if counted or spoken else last.from_ms


def _unchecked(desk: Desk, month: str) -> int:
    return sum(not entry.checked for day in desk.log.month(month) for entry in day.entries)


def told_todo(found: list[Todo]) -> list[Json]:
    return [
        {"what": one.what, "n": one.n, "at_ms": one.at_ms, "page": one.page, "good": one.good}
        for one in found
    ]


class Line:
    """The line under the header: who is signed in, and the first thing to do. Worked out once a minute."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._known: tuple[int, str, list[Todo]] | None = None

    def found(self, *, fresh: bool = False) -> list[Todo]:
        """What is to be done."""
        mono_ms, version = self._desk.agent.clock.reading().mono_ms, self._desk.agent.guide.version
        known = self._known
        if fresh or known is None or known[1] != version or not 0 <= mono_ms - known[0] < FOR_MS:
            known = self._known = (mono_ms, version, todo(facts_of(self._desk)))
        return known[2]

    def told(self) -> Json:
        found, who = self.found(), self._desk.people.who()
        items = told_todo(found)
        return {
            "who": who,
            "name": self._desk.people.label(who) if who else "",
            "todo": sum(not one.good for one in found),
            "first": next((one for one in items if not one["good"]), items[0] if items else None),
        }


def todo_page(parts: TvParts, _: dict[str, str]) -> Json:
    """今日要办, as it is now."""
    return {"todo": told_todo(parts.desk.line.found(fresh=True))}


def summary(parts: TvParts, _: dict[str, str]) -> Json:
    """Numbers for the tiles, by the page's name."""
    desk = parts.desk
    now_ms, _clock = desk.agent.clock.for_programmes()
    month = day_of_ms(now_ms).isoformat()[:7]
    states = [state for _, state in day_states(desk, month, now_ms)]
    days = desk.log.month(month)
    return {
        **desk.line.told(),
        "people": desk.people.told(),
        "selftest": selftest.told(parts),
        "plan": {"days": len(states), "done": sum(one in (DayState.DONE, DayState.LATE) for one in states)},
        "logbook": {
            "studies": sum(len(day.studies) for day in days),
            "played_ms": sum(day.played_ms for day in days),
        },
    }
