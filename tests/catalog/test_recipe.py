"""The recipe: what is kept of a source, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.catalog import recipe
from server.catalog.models import EMPTY_RECIPE_SHA256
from server.errors import Invalid


def test_an_empty_recipe_keeps_the_whole_source_and_has_the_hash_every_uncut_edition_carries() -> None:
    empty = recipe.parse({})
    assert empty.empty
    assert empty.kept(5_000) == [(0, 5_000)]
    assert empty.sha256 == EMPTY_RECIPE_SHA256


def test_removed_stretches_and_points_leave_the_spans_between_them() -> None:
    cut = recipe.parse({"in_ms": 1_000, "out_ms": 9_000, "removed": [[1_000, 2_000], [4_000, 5_500]]})
    recipe.check(cut, 10_000)
    assert cut.kept(10_000) == [(2_000, 4_000), (5_500, 9_000)]


def test_a_recipe_survives_being_stored() -> None:
    cut = recipe.parse({"in_ms": 1_000, "removed": [[4_000, 5_500]], "intro": "ab" * 32})
    assert recipe.parse(cut.plain()) == cut
    assert recipe.parse(cut.plain()).sha256 == cut.sha256


@pytest.mark.parametrize(
    "plain",
    [
        {"in_ms": -1},
        {"in_ms": "1"},
        {"out_ms": 1.5},
        {"removed": [[1]]},
        {"intro": "../../etc/passwd"},
        {"speed": 2},
        [],
        None,
    ],
)
def test_what_is_no_recipe_is_refused(plain: object) -> None:
    with pytest.raises(Invalid):
        recipe.parse(plain)


@pytest.mark.parametrize(
    "plain",
    [
        {"out_ms": 10_001},
        {"in_ms": 9_500},
        {"in_ms": 5_000, "out_ms": 4_000},
        {"removed": [[5_000, 4_000]]},
        {"removed": [[4_000, 5_000], [4_500, 6_000]]},
        {"removed": [[4_000, 5_000], [5_000, 6_000]]},
        {"in_ms": 2_000, "removed": [[1_000, 3_000]]},
        {"removed": [[0, 9_500]]},
        {"removed": [[2 * n, 2 * n + 1] for n in range(101)]},
    ],
)
def test_a_recipe_that_makes_no_sense_for_the_source_is_refused(plain: object) -> None:
    with pytest.raises(Invalid):
        recipe.check(recipe.parse(plain), 10_000)


@given(
    st.lists(st.integers(0, 10_000), unique=True, min_size=2, max_size=12).map(sorted),
)
def test_what_is_kept_and_what_is_removed_make_the_whole_between_in_and_out(points: list[int]) -> None:
    inside = points[1:-1]
    removed = [[inside[i], inside[i + 1]] for i in range(0, len(inside) - 1, 2)]
    cut = recipe.parse({"in_ms": points[0], "out_ms": points[-1], "removed": removed})
    kept = cut.kept(10_000)
    assert sum(b - a for a, b in kept) + sum(b - a for a, b in removed) == points[-1] - points[0]
    assert all(a < b for a, b in kept)
