"""Three reviews 三审: which moves an edition may make, who may decide, and what the audit chain proves. Pure.

::

    draft ─submit─► first_review ─► second_review ─► final_review ─► released
      ▲                  │                │                │             │
      └──submit── returned ◄──────────────┴────────────────┘             │
    (every state) ──────────────────── withdraw ────────────────► withdrawn

The rule 三审三校: no person holds two stages of one edition, and its contributor holds none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from server.i18n import N_


class EditionState(StrEnum):
    """Named by what the edition awaits."""

    DRAFT = "draft"
    FIRST_REVIEW = "first_review"
    SECOND_REVIEW = "second_review"
    FINAL_REVIEW = "final_review"
    RELEASED = "released"
    RETURNED = "returned"
    WITHDRAWN = "withdrawn"


class Stage(StrEnum):
    FIRST = "first"
    SECOND = "second"
    FINAL = "final"


class Move(StrEnum):
    SUBMIT = "submit"
    APPROVE = "approve"
    RETURN = "return"
    WITHDRAW = "withdraw"


STAGES = (Stage.FIRST, Stage.SECOND, Stage.FINAL)
STATE_OF_STAGE: dict[Stage, EditionState] = {
    Stage.FIRST: EditionState.FIRST_REVIEW,
    Stage.SECOND: EditionState.SECOND_REVIEW,
    Stage.FINAL: EditionState.FINAL_REVIEW,
}
STAGE_OF_STATE: dict[EditionState, Stage] = {state: stage for stage, state in STATE_OF_STAGE.items()}

MOVES: dict[tuple[EditionState, Move], EditionState] = {
    (EditionState.DRAFT, Move.SUBMIT): EditionState.FIRST_REVIEW,
    (EditionState.RETURNED, Move.SUBMIT): EditionState.FIRST_REVIEW,
    (EditionState.FIRST_REVIEW, Move.APPROVE): EditionState.SECOND_REVIEW,
    (EditionState.SECOND_REVIEW, Move.APPROVE): EditionState.FINAL_REVIEW,
    (EditionState.FINAL_REVIEW, Move.APPROVE): EditionState.RELEASED,
    (EditionState.FIRST_REVIEW, Move.RETURN): EditionState.RETURNED,
    (EditionState.SECOND_REVIEW, Move.RETURN): EditionState.RETURNED,
    (EditionState.FINAL_REVIEW, Move.RETURN): EditionState.RETURNED,
    **{(state, Move.WITHDRAW): EditionState.WITHDRAWN for state in EditionState if state != "withdrawn"},
}
"""Every legal move; what is not here is refused."""

EDITABLE = frozenset({EditionState.DRAFT, EditionState.RETURNED})
"""States in which the contributor may still change what is said about the programme."""

STATE_NAMES: dict[EditionState, str] = {
    EditionState.DRAFT: N_("草稿"),
    EditionState.FIRST_REVIEW: N_("待初审"),
    EditionState.SECOND_REVIEW: N_("待复审"),
    EditionState.FINAL_REVIEW: N_("待终审"),
    EditionState.RELEASED: N_("已通过"),
    EditionState.RETURNED: N_("退回修改"),
    EditionState.WITHDRAWN: N_("已撤回"),
}
STAGE_NAMES: dict[Stage, str] = {Stage.FIRST: N_("初审"), Stage.SECOND: N_("复审"), Stage.FINAL: N_("终审")}


class Bar(StrEnum):
    """Why somebody may not decide; the value is the sentence for him."""

    NOT_AT_STAGE = N_("这个版本现在不在这一审")
    CONTRIBUTOR = N_("提交人不能审核自己的节目")
    HELD_ANOTHER_STAGE = N_("您已审过这个版本的另一审，同一人不能担任两审")
    NO_COMMENT = N_("退回时请写明原因")
    NOT_READY = N_("转码尚未完成，不能终审通过")


def needs_countersignature(*, protected: bool, urgent: bool, airs_in_period: bool) -> bool:
    """Whether a final approval is a late change in a 重要保障期, which takes a second person's yes."""
    return protected and (urgent or airs_in_period)


@dataclass(frozen=True)
class Decision:
    """An earlier decision on the edition."""

    stage: Stage
    reviewer: str
    approved: bool


def next_state(state: EditionState, move: Move) -> EditionState | None:
    """Where the move leads, or None when it is not legal."""
    return MOVES.get((state, move))


def why_not_decide(
    *,
    state: EditionState,
    stage: Stage,
    person: str,
    authors: Collection[str],
    earlier: Iterable[Decision],
) -> Bar | None:
    """Why this person may not decide at this stage, or None when he may.

    ``authors`` are the contributor and whoever submitted it. Decisions of earlier rounds count: whoever once held
    another stage of this edition holds no second one.
    """
    if STATE_OF_STAGE[stage] != state:
        return Bar.NOT_AT_STAGE
    if person in authors:
        return Bar.CONTRIBUTOR
    if any(decision.reviewer == person and decision.stage != stage for decision in earlier):
        return Bar.HELD_ANOTHER_STAGE
    return None


# --- what the audit chain proves --------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Link:
    """What matters here of one audit entry about the edition."""

    seq: int
    actor: str | None
    action: str
    detail: Mapping[str, Any]


@dataclass(frozen=True)
class ProvenRelease:
    """Three different people, none the contributor, approved this very source under this very recipe, this round."""

    reviewers: tuple[str, str, str]
    contributor: str
    source_sha256: str
    recipe_sha256: str
    title: str
    seq: int
    """The final approval's link."""
    description_sha256: str | None = None
    """Of everything that was said about it (see description.words_sha256); None in approvals from before it was bound."""


SUBMITTED = "edition.submit"
WITHDRAWN = "edition.withdraw"


def review_action(stage: Stage) -> str:
    """The audit action of a decision: ``review.first``."""
    return f"review.{stage.value}"


def proven_release(links: Sequence[Link]) -> ProvenRelease | None:
    """What the links about one edition, oldest first, prove; None unless it is released and was not withdrawn.

    Whoever signs asks this and not the edition's row: a row set to released by SQL has no links.
    """
    submitted: Link | None = None
    approvals: list[Link] = []
    for link in links:
        if link.action == SUBMITTED:
            submitted, approvals = link, []
        elif link.action == WITHDRAWN or (
            link.action in _DECISIONS and link.detail.get("approved") is not True
        ):
            submitted, approvals = None, []
        elif link.action in _DECISIONS:
            in_turn = len(approvals) < len(STAGES) and link.action == review_action(STAGES[len(approvals)])
            submitted, approvals = (submitted, [*approvals, link]) if in_turn else (None, [])
    if submitted is None or len(approvals) != len(STAGES):
        return None
    return _proof(submitted, approvals)


_DECISIONS = frozenset(review_action(stage) for stage in STAGES)


def _proof(submitted: Link, approvals: Sequence[Link]) -> ProvenRelease | None:
    contributor = submitted.detail.get("contributor")
    reviewers = [link.actor for link in approvals]
    if None in (contributor, *reviewers) or len(set(reviewers)) != len(STAGES):
        return None
    if {contributor, submitted.actor} & set(reviewers):
        return None
    bound = {tuple(link.detail.get(field) for field in _BOUND) for link in (submitted, *approvals)}
    named = [value for value in bound.pop() if isinstance(value, str)]
    if bound or len(named) != len(_BOUND):
        return None
    _, source, recipe, title = named
    words = {link.detail.get("description_sha256") for link in (submitted, *approvals)}
    if len(words) != 1:
        return None
    said = words.pop()
    first, second, final = (str(person) for person in reviewers)
    return ProvenRelease(
        reviewers=(first, second, final),
        contributor=str(contributor),
        source_sha256=source,
        recipe_sha256=recipe,
        title=title,
        description_sha256=said if isinstance(said, str) else None,
        seq=approvals[-1].seq,
    )


_BOUND = ("contributor", "source_sha256", "recipe_sha256", "title")
"""What submission and all three approvals must name alike."""
