"""What changed, side by side."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.catalog.differences import Line, Piece, changed_fields, changed_lines, letters


def test_only_changed_fields_are_shown_and_only_changed_letters_marked() -> None:
    (change,) = changed_fields(
        {"title": "冬小麦返青管理", "section": "nongye"}, {"title": "冬小麦春季管理", "section": "nongye"}
    )
    assert change.field == "title"
    assert [p.text for p in change.before if p.changed] == ["返青"]
    assert [p.text for p in change.after if p.changed] == ["春季"]


def test_a_field_that_came_or_went_is_a_change() -> None:
    changes = changed_fields({"tags": ["小麦"]}, {"rights": {"source": "农业厅"}})
    assert {change.field for change in changes} == {"tags", "rights"}
    assert changed_fields({"summary": ""}, {"summary": None}) == []


def test_subtitles_are_compared_line_by_line_and_a_shift_alone_is_no_change() -> None:
    before = [Line(at_ms=1_000, text="大家好"), Line(at_ms=2_000, text="今天讲小麦")]
    assert (
        changed_lines(before, [Line(at_ms=9_000, text="大家好"), Line(at_ms=9_900, text="今天讲小麦")]) == []
    )
    (change,) = changed_lines(
        before,
        [
            before[0],
            Line(at_ms=2_000, text="今天讲玉米"),
        ],
    )
    assert (change.before, change.after) == (before[1], Line(at_ms=2_000, text="今天讲玉米"))
    (gone,) = changed_lines(before, before[:1])
    assert (gone.before, gone.after) == (before[1], None)


def test_very_long_texts_are_shown_whole() -> None:
    left, right = letters("长" * 5_000, "短" * 5_000)
    assert (left, right) == (
        [Piece(text="长" * 5_000, changed=True)],
        [Piece(text="短" * 5_000, changed=True)],
    )


@given(st.text(max_size=60), st.text(max_size=60))
def test_the_pieces_are_the_texts(before: str, after: str) -> None:
    left, right = letters(before, after)
    assert "".join(piece.text for piece in left) == before
    assert "".join(piece.text for piece in right) == after
