"""Study days, tickers, pushes and emergencies."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from protocol.documents import ItemKind
from protocol.times import to_text
from server.catalog.models import Edition
from server.errors import Conflict, Forbidden, Invalid
from server.identity.rules import Caller, Role
from server.schedule import further, notices, service
from server.schedule.history import Stale
from server.schedule.models import StudyRule
from server.schedule.releases import ReleaseRef
from tests.schedule.conftest import COUNTY, DEPUTY, EVENING, NOW, PROVINCE, add_programme

OFFICE = Caller("00000000-0000-7000-8000-00000000000f", "office", "县办", ((Role.COUNTY_OFFICE, "130123"),))
STUDY_DAY = date(2026, 12, 15)
STUDY_EVENING = EVENING + timedelta(days=10)


def compiled(session: Session) -> service.CompiledSchedule:
    refs = {e: ReleaseRef("a" * 64, 600_000) for e in session.scalars(select(Edition.id))}
    return service.compile_documents(session, releases=refs, now=NOW)


def default_rule(session: Session) -> StudyRule:
    return session.scalars(select(StudyRule)).one()


def test_the_province_studies_on_the_5th_15th_and_25th_unless_somebody_says_otherwise(
    province: Session,
) -> None:
    days = further.study_days(province, "130123105201", NOW, NOW + timedelta(days=31))
    assert [day.starts_at.day for day in days] == [5, 15, 25]
    assert [day.document([]).title for day in days] == ["集中学习"] * 3


def test_a_county_studies_on_its_own_days_and_its_local_document_says_so(province: Session) -> None:
    further.put_study(province, COUNTY, region="130123", starts_at=EVENING, rrule="逢六", now=NOW)
    days = further.study_days(province, "130123105201", NOW, NOW + timedelta(days=31))
    assert [day.starts_at.day for day in days] == [6, 16, 26]
    made = compiled(province)
    study = made.locals["130123"].study
    assert study is not None
    assert [day.starts_at[8:10] for day in study] == ["06", "16"]
    assert [day.starts_at[8:10] for day in made.frames["13"].study] == ["05", "15"]


def test_what_is_studied_stands_in_the_timetable_with_room_to_talk(province: Session) -> None:
    first, second = add_programme(province, "党史"), add_programme(province, "农技", minutes=20)
    service.put_slot(
        province, PROVINCE, region="13", starts_at=EVENING, rrule="FREQ=DAILY",
        programme_id=add_programme(province, "每晚七点"), now=NOW,
    )  # fmt: skip
    further.set_evening(
        province, PROVINCE, default_rule(province).id, STUDY_DAY,
        programmes=[first, second], discussion_min=15, title="第十五次学习", now=NOW,
    )  # fmt: skip
    frame = compiled(province).frames["13"]
    day = next(d for d in frame.study if d.title == "第十五次学习")
    studied = [item for item in frame.channels[0].items if item.kind is ItemKind.STUDY]
    assert [item.starts_at for item in studied] == [
        to_text(STUDY_EVENING), to_text(STUDY_EVENING + timedelta(minutes=25)),
    ]  # fmt: skip
    assert (len(day.programmes), day.discussion_ms) == (2, 15 * 60_000)
    assert all(item.required and item.why.rule.startswith("study:") for item in studied)


def test_a_study_day_is_moved_only_with_a_reason(province: Session) -> None:
    rule = default_rule(province).id
    later = STUDY_EVENING + timedelta(days=2)
    with pytest.raises(Invalid) as refused:
        further.set_evening(province, PROVINCE, rule, STUDY_DAY, moved_to=later, now=NOW)
    assert refused.value.code == "reason"
    further.set_evening(province, PROVINCE, rule, STUDY_DAY, moved_to=later, reason="春耕大忙", now=NOW)
    day = next(d for d in compiled(province).frames["13"].study if d.moved_from)
    assert (day.starts_at, day.moved_from, day.reason) == (to_text(later), to_text(STUDY_EVENING), "春耕大忙")
    evening = further.set_evening(
        province, PROVINCE, rule, STUDY_DAY, cancelled=True, reason="停电检修", version=1, now=NOW
    )
    with pytest.raises(Stale):
        further.set_evening(province, DEPUTY, rule, STUDY_DAY, reason="x", version=1, now=NOW)
    assert evening.version == 2
    assert [d.starts_at.day for d in further.study_days(province, "13", NOW, NOW + timedelta(days=31))] == [
        5, 25,
    ]  # fmt: skip
    with pytest.raises(Invalid, match="不是学习日"):
        further.set_evening(province, PROVINCE, rule, date(2026, 12, 16), now=NOW)


def test_a_ticker_goes_out_only_on_a_second_persons_word(province: Session) -> None:
    notice = notices.put_notice(
        province, COUNTY, region="130123", text="  明天\n停水\u202e ", until=EVENING, now=NOW
    )
    assert notice.text == "明天 停水"
    assert "130123" not in compiled(province).locals
    with pytest.raises(Forbidden) as refused:
        notices.approve_notice(province, COUNTY, notice.id, now=NOW)
    assert refused.value.code == "same_person"
    notices.approve_notice(province, OFFICE, notice.id, now=NOW)
    assert [n.text for n in compiled(province).locals["130123"].notices] == ["明天 停水"]
    notices.change_notice(province, COUNTY, notice.id, text="后天停水", version=2, now=NOW)
    assert compiled(province).locals["130123"].notices == []


@pytest.mark.parametrize("text", ["", " \n", "长" * 61])
def test_a_ticker_without_text_or_too_long_is_refused(province: Session, text: str) -> None:
    with pytest.raises(Invalid):
        notices.put_notice(province, PROVINCE, region="13", text=text, until=EVENING, now=NOW)


def test_the_provinces_ticker_for_one_county_stands_in_its_frame(province: Session) -> None:
    notice = notices.put_notice(province, PROVINCE, region="130123", text="大风预警", until=EVENING, now=NOW)
    notices.approve_notice(province, DEPUTY, notice.id, now=NOW)
    frames = compiled(province).frames
    assert list(frames) == ["13"], "a ticker names its region itself: no frame of its own is needed"
    assert [(n.region, n.text) for n in frames["13"].notices] == [("130123", "大风预警")]


def test_a_section_is_pushed_in_its_season(province: Session) -> None:
    apples = add_programme(province, "苹果冬剪", section="nongye")
    further.put_push(province, PROVINCE, region="130123", section="nongye", months=[11, 12], now=NOW)
    further.put_push(province, COUNTY, region="130123", programme_id=apples, until=EVENING, now=NOW)
    made = compiled(province)
    assert [entry.pushed for entry in made.frames["130123"].library] == [True]
    assert [entry.pushed for entry in made.frames["13"].library] == [False]
    assert [(e.pushed, e.until) for e in made.locals["130123"].library] == [(True, to_text(EVENING))]
    with pytest.raises(Invalid):
        further.put_push(province, PROVINCE, region="13", section="nongye", tag="苹果", now=NOW)


def test_an_emergency_needs_two_people_and_one_to_stop_it(province: Session) -> None:
    rule = notices.propose_emergency(
        province, PROVINCE, regions=["1301"], text="山洪预警，请转移", ends_at=EVENING, drill=True, now=NOW
    )

    def said() -> list[str | None]:
        return [item.text for item in notices.emergency_document(province, releases={}, now=NOW).items]

    assert said() == []
    with pytest.raises(Forbidden):
        notices.approve_emergency(province, PROVINCE, rule.id, now=NOW)
    with pytest.raises(Forbidden):
        notices.approve_emergency(province, COUNTY, rule.id, now=NOW)
    notices.approve_emergency(province, DEPUTY, rule.id, now=NOW)
    assert said() == ["【演练】山洪预警，请转移"]
    with pytest.raises(Conflict):
        notices.approve_emergency(province, DEPUTY, rule.id, now=NOW)
    notices.end_emergency(province, PROVINCE, rule.id, now=NOW)
    assert said() == []


def test_an_emergency_shows_only_what_the_catalogue_admitted(province: Session) -> None:
    programme = add_programme(province, "防汛避险")
    rule = notices.propose_emergency(
        province, PROVINCE, regions=["13"], programme_id=programme, ends_at=EVENING, now=NOW
    )
    notices.approve_emergency(province, DEPUTY, rule.id, now=NOW)
    assert notices.emergency_document(province, releases={}, now=NOW).items == []
    edition = province.scalars(select(Edition.id)).one()
    document = notices.emergency_document(province, releases={edition: ReleaseRef("b" * 64, 60_000)}, now=NOW)
    assert [item.ref.release for item in document.items if item.ref] == ["b" * 64]


def test_an_emergency_over_already_or_too_long_is_refused(province: Session) -> None:
    for ends_at in (NOW, NOW + timedelta(days=2)):
        with pytest.raises(Invalid):
            notices.propose_emergency(province, PROVINCE, regions=["13"], text="x", ends_at=ends_at, now=NOW)
