"""今日要办: what the administrator should see to today, the most pressing first. Pure: from facts to a list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

FEEDBACK_FROM_DAY = 5
"""The month's feedback is asked for from this day on."""
UNSENT_DAYS = 7
DAY_MS = 86_400_000


class What(StrEnum):
    """A word the page knows."""

    CLOCK = "clock"
    STUDY_MISSING = "study_missing"
    STUDY_TONIGHT = "study_tonight"
    REFUSED = "refused"
    DISK_SHORT = "disk_short"
    DISK_FULL = "disk_full"
    NOT_HEARD = "not_heard"
    MISSING = "missing"
    HEADS = "heads"
    BEHIND = "behind"
    UNSENT = "unsent"
    FEEDBACK = "feedback"
    SELF_TEST = "selftest"
    CHECK = "check"
    NOBODY = "nobody"
    NO_B = "no_b"


PAGES: dict[What, str] = {
    What.CLOCK: "condition",
    What.STUDY_MISSING: "condition",
    What.STUDY_TONIGHT: "plan",
    What.REFUSED: "condition",
    What.DISK_SHORT: "condition",
    What.DISK_FULL: "condition",
    What.NOT_HEARD: "condition",
    What.MISSING: "condition",
    What.HEADS: "logbook",
    What.BEHIND: "plan",
    What.UNSENT: "condition",
    What.FEEDBACK: "voice",
    What.SELF_TEST: "selftest",
    What.CHECK: "logbook",
    What.NOBODY: "people",
    What.NO_B: "people",
}
"""Where each is seen to."""
GOOD = frozenset({What.STUDY_TONIGHT})
"""Said, but nothing is wrong."""


@dataclass(frozen=True)
class Facts:
    """How the station stands. ``study_ms``: when tonight's session begins, None for none; ``no_heads_ms``: when the last
    session began in which nobody was counted; ``unsent_ms``: since when something waits to be reported."""

    now_ms: int
    day: int
    clock_known: bool = True
    study_ms: int | None = None
    study_lacks: int = 0
    refused: int = 0
    short_bytes: int = 0
    disk_full: bool = False
    heard_ms: int | None = None
    missing: int = 0
    no_heads_ms: int | None = None
    missed_days: int = 0
    unsent_ms: int | None = None
    feedback_given: bool = True
    tested: bool = True
    unchecked: int = 0
    people: int = 2


@dataclass(frozen=True)
class Todo:
    """One thing: ``n`` is a number its words need, ``at_ms`` a time."""

    what: What
    n: int = 0
    at_ms: int | None = None

    @property
    def page(self) -> str:
        return PAGES[self.what]

    @property
    def good(self) -> bool:
        return self.what in GOOD


def todo(facts: Facts) -> list[Todo]:
    """What is to be done, the most pressing first."""
    return list(_found(facts))


def _found(facts: Facts) -> Iterator[Todo]:
    yield from _machine(facts)
    if facts.people == 0:
        yield Todo(What.NOBODY)
    if facts.no_heads_ms is not None:
        yield Todo(What.HEADS, at_ms=facts.no_heads_ms)
    if facts.missed_days:
        yield Todo(What.BEHIND, facts.missed_days)
    if (
        facts.clock_known
        and facts.unsent_ms is not None
        and facts.now_ms - facts.unsent_ms >= UNSENT_DAYS * DAY_MS
    ):
        yield Todo(What.UNSENT, (facts.now_ms - facts.unsent_ms) // DAY_MS)
    if facts.clock_known and not facts.feedback_given and facts.day >= FEEDBACK_FROM_DAY:
        yield Todo(What.FEEDBACK)
    if not facts.tested:
        yield Todo(What.SELF_TEST)
    if facts.unchecked:
        yield Todo(What.CHECK, facts.unchecked)
    if facts.people == 1:
        yield Todo(What.NO_B)


def _machine(facts: Facts) -> Iterator[Todo]:
    """Whether it can play tonight."""
    if not facts.clock_known:
        yield Todo(What.CLOCK)
    if facts.study_ms is not None:
        if facts.study_lacks:
            yield Todo(What.STUDY_MISSING, facts.study_lacks, facts.study_ms)
        else:
            yield Todo(What.STUDY_TONIGHT, at_ms=facts.study_ms)
    if facts.refused:
        yield Todo(What.REFUSED, facts.refused)
    if facts.short_bytes:
        yield Todo(What.DISK_SHORT, facts.short_bytes)
    elif facts.disk_full:
        yield Todo(What.DISK_FULL)
    if facts.clock_known and (facts.heard_ms is None or facts.now_ms - facts.heard_ms > DAY_MS):
        days = 0 if facts.heard_ms is None else (facts.now_ms - facts.heard_ms) // DAY_MS
        yield Todo(What.NOT_HEARD, days)
    if facts.missing:
        yield Todo(What.MISSING, facts.missing)
