"""三审三校 as pure rules: legal moves, who may decide, what the audit chain proves."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.catalog import review
from server.catalog.review import Bar, Decision, EditionState, Link, Move, Stage

S, M = EditionState, Move

#                          submit            approve           return      withdraw
EXPECTED: dict[EditionState, tuple[EditionState | None, ...]] = {
    S.DRAFT: (S.FIRST_REVIEW, None, None, S.WITHDRAWN),
    S.RETURNED: (S.FIRST_REVIEW, None, None, S.WITHDRAWN),
    S.FIRST_REVIEW: (None, S.SECOND_REVIEW, S.RETURNED, S.WITHDRAWN),
    S.SECOND_REVIEW: (None, S.FINAL_REVIEW, S.RETURNED, S.WITHDRAWN),
    S.FINAL_REVIEW: (None, S.RELEASED, S.RETURNED, S.WITHDRAWN),
    S.RELEASED: (None, None, None, S.WITHDRAWN),
    S.WITHDRAWN: (None, None, None, None),
}


def test_the_table_of_moves_is_this_one() -> None:
    assert set(EXPECTED) == set(EditionState)
    for state, targets in EXPECTED.items():
        for move, target in zip((M.SUBMIT, M.APPROVE, M.RETURN, M.WITHDRAW), targets, strict=True):
            assert review.next_state(state, move) == target, (state, move)


def bar(
    stage: Stage = Stage.FIRST,
    state: EditionState | None = None,
    person: str = "li",
    earlier: tuple[Decision, ...] = (),
) -> Bar | None:
    return review.why_not_decide(
        state=state or review.STATE_OF_STAGE[stage],
        stage=stage,
        person=person,
        authors={"wang", "zhang"},
        earlier=earlier,
    )


def test_a_stage_is_decided_only_while_the_edition_awaits_it() -> None:
    for stage, state in itertools.product(Stage, EditionState):
        expected = None if review.STATE_OF_STAGE[stage] == state else Bar.NOT_AT_STAGE
        assert bar(stage, state) == expected, (stage, state)


def test_who_contributed_or_submitted_holds_no_stage() -> None:
    for stage, person in itertools.product(Stage, ("wang", "zhang")):
        assert bar(stage, person=person) is Bar.CONTRIBUTOR


def test_nobody_holds_two_stages_whatever_he_decided_and_when() -> None:
    for held, stage, approved in itertools.product(Stage, Stage, (True, False)):
        earlier = (Decision(held, "li", approved), Decision(Stage.FIRST, "zhao", approved=True))
        expected = None if held == stage else Bar.HELD_ANOTHER_STAGE
        assert bar(stage, earlier=earlier) is expected, (held, stage)


# ---------------------------------------------------------------- what the chain proves

BOUND = {"contributor": "wang", "source_sha256": "a" * 64, "recipe_sha256": "b" * 64, "title": "农村安全用电"}


def submit(**detail: Any) -> Link:
    return Link(0, "wang", review.SUBMITTED, {**BOUND, **detail})


def decision(stage: str, actor: str, *, approved: Any = True, **detail: Any) -> Link:
    return Link(0, actor, f"review.{stage}", {**BOUND, "approved": approved, **detail})


GOOD = [submit(), decision("first", "li"), decision("second", "zhao"), decision("final", "qian")]


def proof(links: list[Link]) -> review.ProvenRelease | None:
    return review.proven_release(
        [Link(seq, link.actor, link.action, link.detail) for seq, link in enumerate(links, start=1)]
    )


def test_three_people_one_after_another_prove_a_release() -> None:
    assert proof(GOOD) == review.ProvenRelease(
        reviewers=("li", "zhao", "qian"),
        contributor="wang",
        source_sha256="a" * 64,
        recipe_sha256="b" * 64,
        title="农村安全用电",
        seq=4,
    )


def test_a_second_round_counts_alone() -> None:
    returned = [submit(), decision("first", "li"), decision("second", "zhao", approved=False)]
    assert proof(returned) is None
    assert proof([*returned, *GOOD]) is not None
    assert proof([*GOOD[:3], submit(), decision("final", "qian")]) is None


@pytest.mark.parametrize(
    "links",
    [
        [],
        GOOD[:3],
        GOOD[1:],
        [GOOD[0], *GOOD[2:]],
        [GOOD[0], GOOD[2], GOOD[1], GOOD[3]],
        [*GOOD, Link(0, "wang", review.WITHDRAWN, {})],
        [*GOOD, decision("final", "qian", approved=False)],
        [*GOOD, decision("final", "sun")],
        [submit(), decision("first", "li"), decision("second", "li"), decision("final", "qian")],
        [submit(), decision("first", "li"), decision("second", "zhao"), decision("final", "li")],
        [submit(), decision("first", "wang"), decision("second", "zhao"), decision("final", "qian")],
        [submit(contributor="qian"), *(decision(s, p, contributor="qian") for s, p in
         (("first", "li"), ("second", "zhao"), ("final", "qian")))],
        [submit(), decision("first", "li", approved="true"), *GOOD[2:]],
        [submit(), decision("first", "li", approved=1), *GOOD[2:]],
        [submit(), decision("first", "li", approved=None), *GOOD[2:]],
        [*GOOD[:3], decision("final", "qian", source_sha256="c" * 64)],
        [*GOOD[:3], decision("final", "qian", recipe_sha256="c" * 64)],
        [*GOOD[:3], decision("final", "qian", title="别的")],
        [*GOOD[:3], decision("final", "qian", contributor="sun")],
        [submit(source_sha256="c" * 64), *GOOD[1:]],
        [Link(0, None, review.SUBMITTED, {}), *GOOD[1:]],
        [*GOOD[:3], Link(0, None, "review.final", {**BOUND, "approved": True})],
        [Link(0, "li", review.SUBMITTED, BOUND), *GOOD[1:]],
    ],
)  # fmt: skip
def test_anything_less_proves_nothing(links: list[Link]) -> None:
    assert proof(links) is None


def test_links_about_other_things_do_not_matter() -> None:
    other = Link(0, "li", "edition.create", {"approved": True})
    assert proof([other, GOOD[0], other, *GOOD[1:], other]) is not None


people = st.sampled_from(["wang", "li", "zhao", "qian"])
links = st.one_of(
    st.builds(submit),
    st.builds(lambda stage, actor, ok: decision(stage, actor, approved=ok),
              st.sampled_from(["first", "second", "final"]), people, st.booleans()),
    st.just(Link(0, "wang", review.WITHDRAWN, {})),
)  # fmt: skip


@given(st.lists(links, max_size=12))
def test_no_history_proves_a_release_without_three_others_in_order(history: list[Link]) -> None:
    found = proof(history)
    if found is None:
        return
    tail = [link.action for link in history[-4:]]
    assert tail == [review.SUBMITTED, "review.first", "review.second", "review.final"]
    assert len({*found.reviewers, found.contributor}) == 4
