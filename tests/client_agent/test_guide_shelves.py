"""Shelves, topics, pushes and study days, as frame and local documents say them together."""

from __future__ import annotations

from datetime import datetime

import pytest

from protocol.documents import LibraryEntry, Ref, SectionName, StudyDay, Topic, Why
from protocol.identifiers import uuid7
from protocol.times import SHANGHAI, ms_to_text, to_ms
from tests.client_agent.station import Programme, Station

NOW = to_ms(datetime(2026, 12, 5, 18, 40, tzinfo=SHANGHAI))
HOUR_MS = 3_600_000


@pytest.fixture
def station(tmp_path):
    return Station(tmp_path / "station", NOW)


def ref(programme: Programme) -> Ref:
    return Ref(
        edition=programme.manifest.edition, release=programme.release, duration_ms=programme.duration_ms
    )


def topic(
    title: str, programmes: list[Programme], *, starts_ms: int = NOW - 1, until_ms: int = NOW + 1
) -> Topic:
    return Topic(
        id=uuid7(NOW), title=title, starts_at=ms_to_text(starts_ms), until=ms_to_text(until_ms),
        programmes=[ref(p) for p in programmes],
    )  # fmt: skip


def study_day(name: str, region: str, hours: int = 0) -> StudyDay:
    return StudyDay(
        id=name, channel="main", starts_at=ms_to_text(NOW + hours * HOUR_MS),
        ends_at=ms_to_text(NOW + (hours + 2) * HOUR_MS), why=Why(rule=name, level="county", region=region),
    )  # fmt: skip


def opened(station):
    station.publish()
    return station.open().guide


def test_the_shelves_come_in_the_frames_order(station):
    station.more["sections"] = [
        SectionName(slug="xiqu", name="戏曲"),
        SectionName(slug="nongji", name="农技"),
    ]
    assert [s.name for s in opened(station).sections()] == ["戏曲", "农技"]


def test_a_frame_that_names_no_shelves_is_an_older_one_and_no_fault(station):
    assert opened(station).sections() == []


def test_topics_run_in_their_period_the_provinces_first(station):
    wheat = station.add("冬小麦返青管理", "nongji", 60_000, None)
    station.more["topics"] = [
        topic("全省专题", [wheat]),
        topic("上月专题", [wheat], starts_ms=NOW - 10, until_ms=NOW),
        topic("下月专题", [wheat], starts_ms=NOW + 1),
    ]
    station.local("130123", topics=[topic("县专题", [wheat])])
    station.local("1301", topics=[topic("市专题", [wheat])])
    assert [t.title for t in opened(station).topics(NOW)] == ["全省专题", "市专题", "县专题"]


def test_a_programme_only_a_topic_or_a_study_day_names_may_be_played(station):
    wheat = station.add("冬小麦返青管理", "nongji", 60_000, b"film")
    fraud = station.add("防电信诈骗", "fazhi", 60_000, b"another")
    station.programmes.clear()
    station.more["topics"] = [topic("全省专题", [wheat])]
    day = study_day("d", "130123")
    station.local(
        "130123",
        study=[
            StudyDay(**{f: getattr(day, f) for f in day.__struct_fields__} | {"programmes": [ref(fraud)]})
        ],
    )
    guide = opened(station)
    assert guide.play_allowed(wheat.release, NOW) is None
    assert guide.play_allowed(fraud.release, NOW) is None


def test_a_countys_push_is_in_the_library_and_a_push_of_what_is_there_marks_it(station):
    wheat = station.add("冬小麦返青管理", "nongji", 60_000, None)
    local = station.add("井陉拉花", "wenyu", 60_000, None)
    station.programmes.remove(local)
    pushed = [
        LibraryEntry(edition=p.manifest.edition, release=p.release, section=p.section, pushed=True)
        for p in (local, wheat)
    ]
    station.local("130123", library=pushed)
    guide = opened(station)
    assert [(e.release, e.pushed) for e in guide.entries()] == [(wheat.release, True), (local.release, True)]
    assert [i.manifest.title for i in guide.library()] == ["冬小麦返青管理", "井陉拉花"]


def test_study_days_are_the_nearest_ancestors_in_order(station):
    station.more["study"] = [study_day("province", "13")]
    station.local("1301", study=[study_day("city", "1301")])
    station.local("130123", study=[study_day("later", "130123", 48), study_day("sooner", "130123")])
    assert [d.id for d in opened(station).study_days()] == ["sooner", "later"]


def test_a_county_that_says_nothing_about_study_days_takes_those_above(station):
    station.more["study"] = [study_day("province", "13")]
    station.local("130123")
    assert [d.id for d in opened(station).study_days()] == ["province"]


def test_a_county_that_sets_none_has_none(station):
    station.more["study"] = [study_day("province", "13")]
    station.local("130123", study=[])
    assert opened(station).study_days() == []
