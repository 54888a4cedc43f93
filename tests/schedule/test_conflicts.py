"""The conflict report and explanations, from real rows on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from server.catalog.models import Edition, EditionState, Programme
from server.db import new_id
from server.errors import Conflict, Invalid, NotFound
from server.regions.models import Region
from server.schedule import check as checks
from server.schedule import service
from server.schedule.explaining import explain_at
from server.stations.models import Station, Terminal
from tests.schedule.conftest import COUNTY, EVENING, NOW, PROVINCE, add_programme

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def put(
    session: Session, title: str, *, by=PROVINCE, region: str = "13", at=EVENING, minutes: float = 10, **more
):
    section = more.pop("section", "dangjian")
    programme = more.pop("programme", None) or add_programme(session, title, minutes=minutes, section=section)
    return service.put_slot(session, by, region=region, starts_at=at, programme_id=programme, now=NOW, **more)


def report(session: Session, **more) -> checks.Report:
    return checks.check(session, now=NOW, **more)


def codes(found: checks.Report) -> set[str]:
    return {f.code for f in found.findings}


@pytest.fixture
def quiet(province: Session) -> Session:
    """Fillers there, and no party share to fall short of: only what a test does is reported."""
    add_programme(province, "垫片", minutes=1)
    checks.set_limits(province, PROVINCE, {"party_sections": [], "gap_minutes": 1_440})
    return province


def test_a_week_with_nothing_is_no_error(quiet: Session) -> None:
    found = report(quiet)
    assert found.is_clean
    assert codes(found) == {"window_open"}


def test_without_fillers_an_empty_screen_is_reported(province: Session) -> None:
    found = report(province)
    assert not found.is_clean
    assert "blank" in codes(found)


def test_what_is_meant_as_an_exception_is_no_error_and_a_clash_is(quiet: Session) -> None:
    put(quiet, "每天", rrule="FREQ=DAILY")
    put(quiet, "只这一晚", at=EVENING + DAY)
    put(quiet, "本县的", region="130123", at=EVENING + 2 * DAY)
    found = report(quiet)
    assert found.is_clean
    assert {f.params["other"] for f in found.findings if f.code == "exception"} == {"只这一晚", "本县的"}
    put(quiet, "另一个系列", at=EVENING + timedelta(minutes=5), rrule="FREQ=WEEKLY;BYDAY=TU", region="1301")
    quiet.flush()
    assert report(quiet).is_clean, "a narrower region's series is meant as one too"


def test_a_programme_withdrawn_after_it_was_placed_is_named_and_filler_plays(quiet: Session) -> None:
    slot = put(quiet, "撤下的")
    quiet.execute(
        update(Edition).where(Edition.programme_id == slot.programme_id).values(state=EditionState.WITHDRAWN)
    )
    found = report(quiet)
    one = next(f for f in found.findings if f.code == "not_released")
    assert (one.params["title"], one.params["state"], found.is_clean) == ("撤下的", "已撤下", False)
    view = service.preview_listings(quiet, region="13", days=[EVENING.date()])[0]
    shown = view.listing.at(int(EVENING.timestamp() * 1000))
    assert shown is not None
    assert shown.source == "filler"


def test_rights_that_end_before_air_time_and_places_without_rights_are_reported(quiet: Session) -> None:
    ending = put(quiet, "快到期", rrule="FREQ=DAILY")
    local = put(quiet, "只给唐山", at=EVENING + HOUR / 2)
    quiet.execute(
        update(Programme).where(Programme.id == ending.programme_id).values(rights_until=EVENING + 2 * DAY)
    )
    quiet.execute(update(Programme).where(Programme.id == local.programme_id).values(rights_regions=["1302"]))
    found = report(quiet)
    ended = [f for f in found.findings if f.code == "rights_time"]
    assert len(ended) == 5
    assert "rights_region" in codes(found)


def test_party_education_below_its_minimum_is_a_warning(quiet: Session) -> None:
    checks.set_limits(quiet, PROVINCE, {"party_sections": ["dangjian"], "party_minimum": 50})
    put(quiet, "农技", section="nongye", minutes=30)
    put(quiet, "党建", at=EVENING + HOUR, minutes=10)
    found = next(f for f in report(quiet).findings if f.code == "party_share")
    assert (found.params["share"], found.params["minimum"]) == (25, 50)
    put(quiet, "党课", at=EVENING + 2 * HOUR, minutes=25)
    assert "party_share" not in codes(report(quiet))


def test_the_same_programme_too_often_is_a_warning(quiet: Session) -> None:
    programme = add_programme(quiet, "又是它")
    for hour in range(4):
        put(quiet, "", programme=programme, at=EVENING + hour * HOUR)
    found = next(f for f in report(quiet).findings if f.code == "too_often_day")
    assert (found.params["title"], found.params["count"]) == ("又是它", 4)


def test_a_window_whose_deadline_passed_names_who_did_not_fill_it(quiet: Session) -> None:
    window = service.list_windows(quiet)[0]
    service.change_window(quiet, PROVINCE, window.id, {"deadline_hours": 12}, version=1, now=NOW)
    found = report(quiet, days=1)
    missed = next(f for f in found.findings if f.code == "window_missed")
    assert missed.regions == ("130123", "130124", "130227")
    put(quiet, "县里的", by=COUNTY, region="130123", at=EVENING + HOUR + DAY)
    tomorrow = [f for f in report(quiet, days=2).findings if f.code == "window_open"]
    assert tomorrow[0].regions == ("130124", "130227")


def test_what_no_longer_stands_in_its_window_is_reported(quiet: Session) -> None:
    put(quiet, "县里的", by=COUNTY, region="130123", at=EVENING + HOUR)
    window = service.list_windows(quiet)[0]
    service.change_window(
        quiet, PROVINCE, window.id, {"starts_at": window.starts_at + HOUR}, version=1, now=NOW
    )
    found = report(quiet, region="130123")
    assert [f.code for f in found.findings if f.severity == "error"] == ["outside_window"]
    assert report(quiet, region="1302").is_clean, "another city's report does not speak of it"


def add_station(session: Session, region: str, health: dict[str, object] | None) -> str:
    station = Station(id=new_id(), region=region, name=f"{region}站", created_at=NOW)
    session.add(station)
    session.flush()
    session.add(
        Terminal(
            id=new_id(),
            station_id=station.id,
            public=new_id(),
            enrolled_at=NOW,
            last_seen_at=NOW if health else None,
            health=health,
        )
    )
    session.flush()
    return station.id


def test_stations_that_cannot_have_it_in_time_are_counted_and_named(quiet: Session) -> None:
    from server.catalog.models import Rendition

    slot = put(quiet, "大片", minutes=60)
    edition = quiet.query(Edition).where(Edition.programme_id == slot.programme_id).one()
    quiet.add(
        Rendition(
            asset_id=edition.asset_id,
            profile="360p",
            profile_version=1,
            sha256="1" * 64,
            length=300_000_000,
            pieces_root="2" * 64,
            width=640,
            height=360,
            bitrate=400_000,
            duration_ms=3_600_000,
            created_at=NOW,
        )
    )
    add_station(quiet, "130123105201", {"speed_by_hour": [2_000_000] * 24})
    slow = add_station(quiet, "130123105201", {"speed_by_hour": [50_000] * 24})
    night = add_station(
        quiet, "130227", {"speed_by_hour": [2_000_000] * 24, "download_from_hour": 1, "download_to_hour": 5}
    )
    never = add_station(quiet, "130227", None)
    found = report(quiet)
    prospect = found.feasibility.prospects[slot.id]
    assert (prospect.stations, prospect.have, prospect.can) == (4, 0, 1)
    assert prospect.cannot == {slow: "slow", night: "no_hours", never: "silent"}
    one = next(f for f in found.findings if f.code == "cannot_have")
    assert (one.params["count"], set(one.stations)) == (3, {slow, night, never})
    assert report(quiet, region="1302").feasibility.prospects[slot.id].stations == 2


def test_impossible_spans_and_places_are_refused(quiet: Session) -> None:
    with pytest.raises(Invalid):
        report(quiet, days=0)
    with pytest.raises(NotFound):
        report(quiet, region="99")
    with pytest.raises(Invalid):
        checks.set_limits(quiet, PROVINCE, {"party_minimum": 101})


# --- explain -----------------------------------------------------------------------------------------------------------
def test_the_winner_is_named_with_what_it_beat_and_why(quiet: Session) -> None:
    put(quiet, "每晚", rrule="FREQ=DAILY")
    put(quiet, "全省特别节目")
    own = put(quiet, "本县的", region="130123")
    put(quiet, "除外的", at=EVENING - timedelta(minutes=5), excluded=["130123"], rrule="FREQ=WEEKLY;BYDAY=SA")
    found = explain_at(quiet, "130123105201", EVENING + timedelta(minutes=1))
    assert (found.title, found.frame_region, found.candidates[0].rule) == (
        "本县的",
        "130123",
        f"slot:{own.id}",
    )
    assert {c.title: c.verdict for c in found.candidates[1:]} == {
        "每晚": "narrower", "全省特别节目": "narrower", "除外的": "excluded",
    }  # fmt: skip
    assert found.candidates[0].by == "省编"
    elsewhere = explain_at(quiet, "1302", EVENING + timedelta(minutes=1))
    assert {c.title: c.verdict for c in elsewhere.candidates} == {
        "全省特别节目": "on_air", "每晚": "once", "除外的": "once",
    }  # fmt: skip


def test_a_window_nobody_filled_and_a_skipped_evening_are_explained(quiet: Session) -> None:
    series = put(quiet, "县里的", by=COUNTY, region="130123", at=EVENING + HOUR, rrule="FREQ=DAILY")
    service.except_occurrence(quiet, COUNTY, series.id, EVENING + HOUR + DAY, version=1, now=NOW)
    found = explain_at(quiet, "130123105201", EVENING + HOUR + DAY)
    assert (found.shown.source, [c.verdict for c in found.candidates]) == ("filler", ["skipped"])
    assert len(found.windows) == 1
    on = explain_at(quiet, "130123105201", EVENING + HOUR)
    assert (on.shown.source, on.candidates[0].verdict) == ("local", "on_air")


def test_where_nothing_was_placed_the_answer_says_filler_or_slate(province: Session) -> None:
    found = explain_at(province, "1302", EVENING)
    assert (found.shown.source, found.candidates, found.source_message) == (
        "slate", [], "没有可播的节目，显示待机画面",
    )  # fmt: skip


def test_what_is_placed_at_a_merged_region_is_named_and_nothing_new_is_placed_there(quiet: Session) -> None:
    put(quiet, "本县的", region="130123")
    quiet.get_one(Region, "130123").successor = "130124"
    quiet.flush()
    [found] = [f for f in report(quiet).findings if f.code == "successor"]
    assert found.params["title"] == "本县的"
    with pytest.raises(Conflict, match="130124"):
        put(quiet, "再排一个", region="130123", at=EVENING + DAY)
