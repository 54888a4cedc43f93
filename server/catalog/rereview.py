"""重播重审: when a released edition must be looked at again before it may be scheduled again, and by whom. Pure.

Two things age an approval: a year without being shown, and a term list that has since learnt a word the programme uses.
The re-review is light, one round without stages: a final reviewer suffices for age; a hit of the term list, and any
re-review in a protected period, needs a second reviewer besides, another person. The contributor gives neither.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from server.catalog.review import Stage
from server.i18n import N_


class Reason(StrEnum):
    """Why; the sentence is REASON_NAMES'."""

    NOT_AIRED = "not_aired"
    TERMS = "terms"


REASON_NAMES: dict[Reason, str] = {
    Reason.NOT_AIRED: N_("一年没有播出"),
    Reason.TERMS: N_("词表更新后有新的命中"),
}


@dataclass(frozen=True)
class Standing:
    """What is known of a released edition. ``checked_terms`` is the term list's version when it was last approved."""

    released_at: datetime
    last_aired_at: datetime | None
    re_reviewed_at: datetime | None
    checked_terms: int
    newest_hit: int | None
    """The newest version of the term list that brought a word found in it; None: no word is."""


def why_rereview(standing: Standing, *, days: int, now: datetime) -> list[Reason]:
    """Why the edition needs a re-review now; empty when it may be scheduled as it is."""
    moments = (standing.released_at, standing.last_aired_at, standing.re_reviewed_at)
    last = max(moment for moment in moments if moment is not None)
    reasons = []
    if now - last >= timedelta(days=days):
        reasons.append(Reason.NOT_AIRED)
    if standing.newest_hit is not None and standing.newest_hit > standing.checked_terms:
        reasons.append(Reason.TERMS)
    return reasons


def stages_needed(reasons: Collection[Reason], *, protected: bool) -> tuple[Stage, ...]:
    """Whose approvals a re-review needs; none for no reason."""
    if not reasons:
        return ()
    return (Stage.SECOND, Stage.FINAL) if protected or Reason.TERMS in reasons else (Stage.FINAL,)


@dataclass(frozen=True)
class Signature:
    """An approval given in this re-review."""

    stage: Stage
    person: str


def missing_stages(needed: Iterable[Stage], given: Collection[Signature]) -> list[Stage]:
    """Which approvals are still to come."""
    held = {signature.stage for signature in given}
    return [stage for stage in needed if stage not in held]


def may_sign(person: str, *, authors: Collection[str], given: Collection[Signature]) -> bool:
    """Whether this person may give one: no author, and nobody twice."""
    return person not in authors and all(signature.person != person for signature in given)
