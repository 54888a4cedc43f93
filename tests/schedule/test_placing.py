"""Changing what was placed: versions, both sides of a conflict, exceptions, undo, rights."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy.orm import Session

from protocol.times import SHANGHAI, to_text
from server.db import new_id
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.schedule import service
from server.schedule.history import Stale
from server.schedule.models import AirtimeRight, Slot
from tests.schedule.conftest import COUNTY, DEPUTY, EVENING, NOW, PROVINCE, add_programme

put = partial(service.put_slot, now=NOW)
HOUR = timedelta(hours=1)


def placed(session: Session, **more) -> Slot:
    programme = more.pop("programme_id", None) or add_programme(session, "三会一课怎么开")
    more = {"region": "13", "starts_at": EVENING, **more}
    return put(session, more.pop("by", PROVINCE), programme_id=programme, **more)


def on_air(session: Session, at: datetime, region: str = "13") -> str:
    day = at.astimezone(SHANGHAI).date()
    view = service.preview_listings(session, region=region, days=[day])[0]
    shown = view.listing.at(int(at.timestamp() * 1000))
    assert shown is not None
    return view.titles.get(shown.edition or "", "") if shown.source in ("frame", "local") else "nothing"


def test_a_change_raises_the_version_and_is_in_the_history(province: Session) -> None:
    slot = placed(province)
    service.change_slot(province, PROVINCE, slot.id, {"starts_at": EVENING + HOUR}, version=1, now=NOW)
    newest, first = service.changes(province, rule_id=slot.id)
    assert (slot.version, newest.deed, first.deed) == (2, "changed", "put")
    assert (newest.before or {})["starts_at"] == to_text(EVENING)
    assert (newest.after or {})["starts_at"] == to_text(EVENING + HOUR)
    assert service.change_number(province) == newest.seq


def test_of_two_editors_the_slower_one_sees_both_sides_and_nothing_is_lost(province: Session) -> None:
    slot = placed(province)
    service.change_slot(province, DEPUTY, slot.id, {"starts_at": EVENING + HOUR}, version=1, now=NOW)
    with pytest.raises(Stale) as refused:
        service.change_slot(province, PROVINCE, slot.id, {"starts_at": EVENING - HOUR}, version=1, now=NOW)
    assert refused.value.status == 409
    assert refused.value.extra["mine"] == {"starts_at": to_text(EVENING - HOUR)}
    theirs = refused.value.extra["theirs"]
    assert isinstance(theirs, dict)
    assert (theirs["version"], theirs["starts_at"], theirs["changed_by_name"]) == (
        2, to_text(EVENING + HOUR), "省编乙",
    )  # fmt: skip
    with pytest.raises(Stale):
        service.remove_slot(province, PROVINCE, slot.id, version=1, now=NOW)


def test_a_removed_slot_comes_back_as_it_was_unless_its_time_was_taken(province: Session) -> None:
    slot = placed(province)
    service.remove_slot(province, PROVINCE, slot.id, version=1, now=NOW)
    assert on_air(province, EVENING) == "nothing"
    service.restore_slot(province, PROVINCE, slot.id, version=2, now=NOW)
    assert on_air(province, EVENING) == "三会一课怎么开"
    service.remove_slot(province, PROVINCE, slot.id, now=NOW)
    placed(province, programme_id=add_programme(province, "别的"))
    with pytest.raises(Conflict, match="别的"):
        service.restore_slot(province, PROVINCE, slot.id, now=NOW)


def test_one_evening_of_a_series_is_left_out_and_put_back(province: Session) -> None:
    series = placed(province, rrule="FREQ=DAILY")
    tomorrow = EVENING + timedelta(days=1)
    service.except_occurrence(province, PROVINCE, series.id, tomorrow, version=1, now=NOW)
    assert on_air(province, tomorrow) == "nothing"
    assert on_air(province, tomorrow + timedelta(days=1)) == "三会一课怎么开"
    service.except_occurrence(province, PROVINCE, series.id, tomorrow, version=2, put_back=True, now=NOW)
    assert on_air(province, tomorrow) == "三会一课怎么开"
    with pytest.raises(Invalid, match="没有这个系列"):
        service.except_occurrence(province, PROVINCE, series.id, tomorrow + HOUR, version=3, now=NOW)


def test_a_series_comes_once_more_outside_its_rule(province: Session) -> None:
    series = placed(province, rrule="FREQ=WEEKLY;BYDAY=SA")
    monday = EVENING + timedelta(days=2)
    service.add_occurrence(province, PROVINCE, series.id, monday, version=1, now=NOW)
    assert on_air(province, monday) == "三会一课怎么开"
    service.except_occurrence(province, PROVINCE, series.id, monday, version=2, now=NOW)
    assert (on_air(province, monday), series.rdates) == ("nothing", [])


def test_this_time_only_moves_one_evening_and_leaves_the_series(province: Session) -> None:
    series = placed(province, rrule="FREQ=DAILY")
    tomorrow = EVENING + timedelta(days=1)
    other = add_programme(province, "转播")
    _, once = service.move_occurrence(
        province, PROVINCE, series.id, tomorrow, tomorrow + HOUR / 2, version=1, programme_id=other, now=NOW
    )
    assert [on_air(province, tomorrow), on_air(province, tomorrow + HOUR / 2)] == ["nothing", "转播"]
    assert once.rrule is None


def test_a_moved_series_takes_its_exceptions_along(province: Session) -> None:
    series = placed(province, rrule="FREQ=DAILY")
    tomorrow = EVENING + timedelta(days=1)
    service.except_occurrence(province, PROVINCE, series.id, tomorrow, version=1, now=NOW)
    service.change_slot(province, PROVINCE, series.id, {"starts_at": EVENING - HOUR}, version=2, now=NOW)
    assert on_air(province, tomorrow - HOUR) == "nothing"
    assert on_air(province, tomorrow - HOUR + timedelta(days=1)) == "三会一课怎么开"


def test_some_of_many_regions_are_left_out(province: Session) -> None:
    placed(province, excluded=["130123", "1302"])
    assert [on_air(province, EVENING, region) for region in ("13", "130124", "130123105201", "130227")] == [
        "三会一课怎么开", "三会一课怎么开", "nothing", "nothing",
    ]  # fmt: skip
    with pytest.raises(Invalid):
        placed(province, region="1301", excluded=["1302"], starts_at=EVENING + HOUR)


def test_a_programme_is_cut_only_where_that_is_allowed(province: Session) -> None:
    slot = placed(province)
    resize = partial(service.change_slot, province, PROVINCE, slot.id, now=NOW)
    with pytest.raises(Invalid) as refused:
        resize({"duration_ms": 300_000}, version=1)
    assert refused.value.code == "whole"
    resize({"duration_ms": 300_000, "may_cut": True}, version=1)
    assert on_air(province, EVENING + timedelta(minutes=6)) == "nothing"
    with pytest.raises(Invalid):
        resize({"duration_ms": 11 * 60_000}, version=2)


def test_a_tolerant_end_lets_the_next_one_start_later(province: Session) -> None:
    long = add_programme(province, "长片", minutes=12)
    placed(province, programme_id=long, starts_at=EVENING - timedelta(minutes=10), tolerance_min=5)
    placed(province)
    minute = timedelta(minutes=1)
    shown = [on_air(province, EVENING + n * minute) for n in (1, 2, 11, 12)]
    assert shown == ["长片", "三会一课怎么开", "三会一课怎么开", "nothing"]


def test_changes_are_taken_back_one_after_another(province: Session) -> None:
    slot = placed(province)
    service.change_slot(province, PROVINCE, slot.id, {"starts_at": EVENING + HOUR}, version=1, now=NOW)
    second, first = service.changes(province, rule_id=slot.id)
    service.undo(province, PROVINCE, second.seq, now=NOW)
    assert on_air(province, EVENING) == "三会一课怎么开"
    with pytest.raises(Conflict) as refused:
        service.undo(province, PROVINCE, second.seq, now=NOW)
    assert refused.value.code == "undone"
    with pytest.raises(Stale):
        service.undo(province, PROVINCE, first.seq, now=NOW)
    with pytest.raises(Forbidden):
        service.undo(province, DEPUTY, first.seq, now=NOW)


def test_what_was_put_by_mistake_is_undone(province: Session) -> None:
    slot = placed(province)
    made = service.undo(province, PROVINCE, service.changes(province, rule_id=slot.id)[0].seq, now=NOW)
    assert slot.removed_at == NOW
    service.undo(province, PROVINCE, made.seq, now=NOW)
    assert slot.removed_at is None


def test_a_county_may_not_change_the_provinces_slot(province: Session) -> None:
    slot = placed(province, region="130123")
    with pytest.raises(Forbidden):
        service.change_slot(province, COUNTY, slot.id, {"required": True}, version=1, now=NOW)


def test_a_window_closes_for_editing_before_it_opens(province: Session) -> None:
    window = service.list_windows(province)[0]
    service.change_window(province, PROVINCE, window.id, {"deadline_hours": 24}, version=1, now=NOW)
    with pytest.raises(Invalid) as refused:
        placed(province, by=COUNTY, region="130123", starts_at=EVENING + HOUR)
    assert refused.value.code == "deadline"
    placed(province, by=COUNTY, region="130123", starts_at=EVENING + HOUR + timedelta(days=2))
    with pytest.raises(Stale):
        service.change_window(province, DEPUTY, window.id, {"deadline_hours": 0}, version=1, now=NOW)


def test_a_window_plays_its_own_fill_where_nobody_filled_it(province: Session) -> None:
    window = service.list_windows(province)[0]
    fill = add_programme(province, "县里的备用节目")
    service.change_window(province, PROVINCE, window.id, {"fill": [fill]}, version=1, now=NOW)
    view = service.preview_listings(province, region="130123", days=[EVENING.date()])[0]
    shown = view.listing.at(int((EVENING + HOUR).timestamp() * 1000))
    assert shown is not None
    assert (shown.source, view.titles[shown.edition or ""]) == ("fill", "县里的备用节目")


def test_airtime_rights_limit_who_has_them_and_nobody_else(province: Session) -> None:
    province.add(
        AirtimeRight(
            id=new_id(),
            region="130123",
            channel="main",
            role="county_editor",
            weekdays=[6],
            from_minute=20 * 60,
            to_minute=21 * 60,
            sections=["dangjian"],
            daily_min=15,
        )
    )
    province.flush()
    saturday, sunday = EVENING + HOUR, EVENING + HOUR + timedelta(days=1)
    with pytest.raises(Forbidden) as refused:
        placed(province, by=COUNTY, region="130123", starts_at=saturday)
    assert refused.value.code == "airtime"
    placed(province, by=COUNTY, region="130123", starts_at=sunday)
    with pytest.raises(Forbidden) as refused:
        placed(province, by=COUNTY, region="130123", starts_at=sunday + timedelta(minutes=20))
    assert refused.value.code == "airtime_daily"
    placed(province, region="130123", starts_at=saturday)


def test_a_slot_that_is_none_is_not_found(province: Session) -> None:
    with pytest.raises(NotFound):
        service.change_slot(province, PROVINCE, new_id(), {}, version=1, now=NOW)


def test_a_time_in_another_zone_is_the_same_instant(province: Session) -> None:
    """Clock changes elsewhere move nothing: the rule keeps the wall time it has in Asia/Shanghai."""
    series = placed(province, starts_at=EVENING.astimezone(UTC), rrule="FREQ=DAILY")
    assert on_air(province, EVENING + timedelta(days=3)) == "三会一课怎么开"
    assert series.starts_at == EVENING
