"""The board: what it shows to whom, and what it does with many rules at once."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from protocol.times import to_text
from server.catalog import search_index
from server.catalog.models import Edition
from server.errors import Conflict, Forbidden, Invalid, NotFound, YuanboError
from server.schedule import board, board_edits, service
from server.schedule.board_views import BoardView
from server.schedule.models import AirtimeRight, Slot
from tests.schedule.conftest import COUNTY, DEPUTY, EVENING, NOW, PROVINCE, add_programme

SATURDAY = date(2026, 12, 5)
LATER = NOW + timedelta(minutes=1)


def say(text: str, params: object) -> str:
    return text % params


def refusal(error: YuanboError) -> str:
    return error.text()


def shown(
    session: Session, caller=PROVINCE, region: str = "13", day: date = SATURDAY, days: int = 7
) -> BoardView:
    return board.view(session, caller, region=region, day=day, days=days, say=say)


def put(
    session: Session, programme: str, at: datetime = EVENING, caller=PROVINCE, region: str = "13", **more
) -> Slot:
    more.setdefault("now", NOW)
    return service.put_slot(session, caller, region=region, starts_at=at, programme_id=programme, **more)


def copy(session: Session, to: date, caller=PROVINCE, region: str = "13", days: int = 1, now: datetime = NOW):
    return board_edits.copy_days(
        session, caller, region=region, day=SATURDAY, to=to, days=days, say=refusal, now=now
    )


def starts(view: BoardView) -> list[str]:
    return sorted(item.starts_at for item in view.items)


# --- what is shown ------------------------------------------------------------------------------------------------------
def test_a_county_sees_the_provinces_frame_as_fixed_and_its_own_window_as_its_own(province: Session) -> None:
    theirs, mine = add_programme(province, "省里的"), add_programme(province, "县里的")
    put(province, theirs)
    put(province, mine, EVENING + timedelta(hours=1), COUNTY, "130123")
    view = shown(province, COUNTY, "130123", days=1)
    assert {item.title: item.editable for item in view.items} == {"省里的": False, "县里的": True}
    assert [(w.level, w.mine) for w in view.windows] == [("county", True)]
    assert (view.level, view.may_edit) == ("county", True)


def test_another_countys_editor_may_look_but_not_touch(province: Session) -> None:
    view = shown(province, COUNTY, "130124", days=1)
    assert (view.level, view.may_edit) == ("", False)
    assert [w.mine for w in view.windows] == [False]


def test_an_occurrence_of_a_series_names_its_rule_version_and_start(province: Session) -> None:
    slot = put(province, add_programme(province, "天天"), rrule="FREQ=DAILY")
    view = shown(province)
    assert len(view.items) == 7
    third = sorted(view.items, key=lambda i: i.starts_at)[2]
    assert (third.slot, third.version) == (slot.id, 1)
    assert third.occurs_at == to_text(EVENING + timedelta(days=2))
    assert third.series_starts_at == to_text(EVENING)


def test_a_programme_that_crosses_midnight_stands_once(province: Session) -> None:
    put(province, add_programme(province, "跨夜", minutes=90), EVENING.replace(hour=23, minute=30))
    assert [item.title for item in shown(province).items] == ["跨夜"]


def test_what_will_not_air_is_warned_of_and_a_meant_exception_is_not(province: Session) -> None:
    lost, film, other = (add_programme(province, t) for t in ("要下架", "系列", "特别"))
    slot = put(province, lost, EVENING.replace(hour=13) + timedelta(days=1))
    put(province, film, rrule="FREQ=DAILY")
    put(province, other)
    province.scalars(select(Edition).where(Edition.programme_id == lost)).one().state = "withdrawn"
    province.flush()
    (warning,) = shown(province).warnings
    assert (warning.code, warning.slot) == ("not_released", slot.id)
    assert "要下架" in warning.text


def test_a_change_by_anybody_changes_the_number(province: Session) -> None:
    before = shown(province).number
    put(province, add_programme(province, "新"), caller=DEPUTY)
    assert shown(province).number > before


def test_the_board_shows_where_ones_airtime_rights_reach(province: Session) -> None:
    assert shown(province, COUNTY, "130123").limits == []
    province.add(
        AirtimeRight(region="1301", channel="main", role="county_editor", weekdays=[5], from_minute=1200, to_minute=1260, sections=["nongye"])
    )  # fmt: skip
    province.flush()
    (limit,) = shown(province, COUNTY, "130123").limits
    assert [(s.weekdays, s.from_minute, s.to_minute, s.sections) for s in limit.spans] == [
        ([5], 1200, 1260, ["nongye"])
    ]
    assert shown(province).limits == []


def test_a_span_longer_than_a_week_is_refused(province: Session) -> None:
    with pytest.raises(Invalid):
        shown(province, days=8)


def test_the_library_finds_what_may_be_placed_and_says_when_it_airs(province: Session) -> None:
    found = add_programme(province, "冬小麦返青管理")
    add_programme(province, "冬小麦草稿", "draft")
    put(province, found)
    search_index.rebuild(province)
    items = board.library(province, PROVINCE, q="小麦", section=None, english=False, now=NOW)
    assert [(i.programme, i.next_at) for i in items] == [(found, to_text(EVENING))]


# --- copying --------------------------------------------------------------------------------------------------------------
def test_a_day_is_copied_as_it_was_seen(province: Session) -> None:
    series, special = add_programme(province, "系列"), add_programme(province, "特别")
    put(province, series, rrule="FREQ=WEEKLY;BYDAY=SA")
    put(province, special, EVENING.replace(hour=13), required=True)
    placed = copy(province, SATURDAY + timedelta(days=3))
    assert (placed.placed, placed.already, placed.refused) == (2, 0, [])
    tuesday = shown(province, day=SATURDAY + timedelta(days=3), days=1)
    assert sorted((i.title, i.required) for i in tuesday.items) == [("特别", True), ("系列", False)]


def test_copying_twice_doubles_nothing(province: Session) -> None:
    put(province, add_programme(province, "一"))
    copy(province, SATURDAY + timedelta(days=1))
    again = copy(province, SATURDAY + timedelta(days=1))
    assert (again.placed, again.already) == (0, 1)


def test_a_weekly_series_is_there_already_in_the_next_week(province: Session) -> None:
    put(province, add_programme(province, "每周"), rrule="FREQ=WEEKLY;BYDAY=SA")
    placed = copy(province, SATURDAY + timedelta(days=7), days=7)
    assert (placed.placed, placed.already) == (0, 1)


def test_what_cannot_be_copied_is_named_with_its_reason_and_the_rest_stands(province: Session) -> None:
    first, second, blocker = (add_programme(province, t) for t in ("早上的", "晚上的", "先占了"))
    put(province, first, EVENING.replace(hour=13))
    put(province, second)
    target = SATURDAY + timedelta(days=2)
    put(province, blocker, EVENING + timedelta(days=2, minutes=5))
    placed = copy(province, target)
    assert placed.placed == 1
    (refused,) = placed.refused
    assert (refused.title, refused.at) == ("晚上的", to_text(EVENING + timedelta(days=2)))
    assert "先占了" in refused.reason
    assert sorted(i.title for i in shown(province, day=target, days=1).items) == ["先占了", "早上的"]


def test_a_county_copies_only_its_own_and_only_into_its_window(province: Session) -> None:
    put(province, add_programme(province, "省里的"))
    put(province, add_programme(province, "县里的"), EVENING + timedelta(hours=1), COUNTY, "130123")
    placed = copy(province, SATURDAY + timedelta(days=1), COUNTY, "130123")
    assert (placed.placed, placed.refused) == (1, [])
    with pytest.raises(Forbidden):
        copy(province, SATURDAY + timedelta(days=1), COUNTY, "130124")


def test_days_are_not_copied_onto_themselves(province: Session) -> None:
    put(province, add_programme(province, "一"))
    with pytest.raises(Invalid):
        copy(province, SATURDAY + timedelta(days=2), days=3)


# --- templates ------------------------------------------------------------------------------------------------------------
def test_a_day_kept_as_a_template_can_be_placed_anywhere(province: Session) -> None:
    put(province, add_programme(province, "一"))
    template = board_edits.keep_template(
        province, PROVINCE, region="13", name=" 周六 ", day=SATURDAY, days=1, now=NOW
    )
    assert (template.name, len(template.items)) == ("周六", 1)
    placed = board_edits.apply_template(
        province, PROVINCE, template.id, region="13", day=date(2026, 12, 9), say=refusal, now=NOW
    )
    assert placed.placed == 1
    assert starts(shown(province, day=date(2026, 12, 9), days=1)) == [to_text(EVENING + timedelta(days=4))]


def test_a_template_is_seen_below_its_region_and_removed_only_by_its_own(province: Session) -> None:
    put(province, add_programme(province, "一"))
    template = board_edits.keep_template(
        province, PROVINCE, region="13", name="省", day=SATURDAY, days=1, now=NOW
    )
    assert [t.id for t in board_edits.templates(province, COUNTY, "130123")] == [template.id]
    with pytest.raises(Forbidden):
        board_edits.remove_template(province, COUNTY, template.id, now=NOW)
    board_edits.remove_template(province, PROVINCE, template.id, now=NOW)
    assert list(board_edits.templates(province, PROVINCE, "13")) == []


@pytest.mark.parametrize("name", ["", "   "])
def test_a_template_needs_a_name(province: Session, name: str) -> None:
    put(province, add_programme(province, "一"))
    with pytest.raises(Invalid):
        board_edits.keep_template(province, PROVINCE, region="13", name=name, day=SATURDAY, days=1, now=NOW)


def test_nothing_is_not_kept(province: Session) -> None:
    with pytest.raises(Invalid):
        board_edits.keep_template(province, PROVINCE, region="13", name="空", day=SATURDAY, days=1, now=NOW)


# --- undo -----------------------------------------------------------------------------------------------------------------
def undo(session: Session, caller=PROVINCE, region: str = "13", now: datetime = NOW + timedelta(minutes=30)):
    return board_edits.undo_last(session, caller, region=region, now=now)


def test_several_steps_are_taken_back_one_after_the_other(province: Session) -> None:
    slot = put(province, add_programme(province, "一"))
    for step in (1, 2, 3):
        service.change_slot(
            province,
            PROVINCE,
            slot.id,
            {"starts_at": EVENING + timedelta(hours=step)},
            version=step,
            now=NOW + timedelta(minutes=step),
        )
    for hours in (2, 1, 0):
        assert undo(province).undone == 1
        assert slot.starts_at == EVENING + timedelta(hours=hours)
    undo(province)
    assert slot.removed_at is not None
    with pytest.raises(NotFound):
        undo(province)


def test_a_copied_day_is_one_step(province: Session) -> None:
    for hour in (13, 15, 19):
        put(province, add_programme(province, str(hour)), EVENING.replace(hour=hour))
    copy(province, SATURDAY + timedelta(days=1), now=LATER)
    assert len(shown(province).items) == 6
    assert undo(province).undone == 3
    assert len(shown(province).items) == 3


def test_an_occurrence_that_was_moved_is_one_step(province: Session) -> None:
    slot = put(province, add_programme(province, "天天"), rrule="FREQ=DAILY")
    before = starts(shown(province))
    service.move_occurrence(
        province, PROVINCE, slot.id, EVENING, EVENING - timedelta(hours=3), version=1, now=LATER
    )
    assert starts(shown(province)) != before
    assert undo(province).undone == 2
    assert starts(shown(province)) == before


def test_nobody_takes_back_what_somebody_else_did_or_built_on(province: Session) -> None:
    mine = put(province, add_programme(province, "我的"), EVENING.replace(hour=13))
    shared = put(province, add_programme(province, "都改"), now=LATER)
    service.change_slot(
        province, DEPUTY, shared.id, {"required": True}, version=1, now=LATER + timedelta(minutes=1)
    )
    result = undo(province)
    assert (result.undone, result.skipped) == (1, 1)
    assert mine.removed_at is not None
    assert shared.removed_at is None
    assert shared.required


def test_what_cannot_be_put_back_is_refused_and_nothing_is_half_done(province: Session) -> None:
    slot = put(province, add_programme(province, "一"))
    service.remove_slot(province, PROVINCE, slot.id, version=1, now=LATER)
    put(province, add_programme(province, "占位"), caller=DEPUTY, now=LATER)
    with pytest.raises(Conflict):
        undo(province)
    assert slot.removed_at is not None


def test_undo_reaches_back_a_day_and_only_into_the_region(province: Session) -> None:
    put(province, add_programme(province, "一"), region="1302")
    with pytest.raises(NotFound):
        undo(province, region="130123")
    with pytest.raises(NotFound):
        undo(province, now=NOW + timedelta(days=2))
