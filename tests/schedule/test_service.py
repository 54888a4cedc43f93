"""Use cases of the schedule, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from protocol.times import SHANGHAI
from server.catalog.models import (
    Airing,
    Asset,
    AssetState,
    Edition,
    EditionState,
    Programme,
    Section,
)
from server.db import Database, new_id
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.identity.rules import Caller, Role
from server.regions.models import Region
from server.schedule import service
from server.schedule.times import read_day, read_time

NOW = datetime(2026, 12, 5, 4, 0, tzinfo=UTC)
EVENING = datetime(2026, 12, 5, 19, 0, tzinfo=SHANGHAI)
PROVINCE = Caller(new_id(), "province", "省编", ((Role.PROVINCE_EDITOR, "13"),))
COUNTY = Caller(new_id(), "county", "县编", ((Role.COUNTY_EDITOR, "130123"),))


@dataclass
class Catalogue:
    released: str
    draft: str


def add_programme(session: Session, title: str, state: str, minutes: int = 10) -> str:
    someone = new_id()
    programme = Programme(
        id=new_id(), title=title, section="dangjian", region="13", created_by=someone, created_at=NOW
    )
    asset = Asset(
        id=new_id(),
        filename="a.mp4",
        path="uploads/a",
        size=1,
        sha256="0" * 64,
        state=AssetState.READY,
        duration_ms=minutes * 60_000,
        uploaded_by=someone,
        created_at=NOW,
    )
    session.add_all([programme, asset])
    session.flush()
    session.add(
        Edition(
            id=new_id(),
            programme_id=programme.id,
            number=1,
            asset_id=asset.id,
            state=state,
            contributor_id=someone,
            created_at=NOW,
        )
    )
    session.flush()
    return programme.id


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with database.write() as opened:
        parents = {"13": None, "1301": "13", "130123": "1301", "130124": "1301"}
        for code, parent in parents.items():
            opened.add(Region(code=code, parent=parent, level="x", name=code))
            opened.flush()
        opened.add(Section(slug="dangjian", name="党建时政", name_en="Party affairs", position=1))
        opened.flush()
        service.seed(opened)
        opened.info["catalogue"] = Catalogue(
            add_programme(opened, "三会一课怎么开", EditionState.RELEASED),
            add_programme(opened, "未审", EditionState.DRAFT),
        )
        yield opened


def put(
    session: Session, caller: Caller, region: str, at: datetime, programme: str | None = None, **more: object
):
    return service.put_slot(
        session,
        caller,
        region=region,
        starts_at=at,
        now=NOW,
        programme_id=programme or session.info["catalogue"].released,
        **more,
    )


def test_the_province_places_a_programme_and_the_catalogue_knows_when(session: Session) -> None:
    slot = put(session, PROVINCE, "13", EVENING)
    airing = session.query(Airing).one()
    assert (slot.level, airing.next_at, airing.regions) == ("province", EVENING.astimezone(UTC), ["13"])


def test_what_has_not_passed_review_cannot_be_placed(session: Session) -> None:
    with pytest.raises(Conflict) as refused:
        put(session, PROVINCE, "13", EVENING, session.info["catalogue"].draft)
    assert refused.value.code == "not_released"


def test_two_programmes_at_once_are_refused_and_the_other_one_is_named(session: Session) -> None:
    put(session, PROVINCE, "13", EVENING)
    with pytest.raises(Conflict, match="三会一课怎么开"):
        put(session, PROVINCE, "13", EVENING + timedelta(minutes=9))
    put(session, PROVINCE, "13", EVENING + timedelta(minutes=10))


def test_a_county_speaks_only_in_its_own_window(session: Session) -> None:
    with pytest.raises(Invalid, match="20:00–21:00"):
        put(session, COUNTY, "130123", EVENING)
    slot = put(session, COUNTY, "130123", EVENING + timedelta(hours=1))
    assert slot.level == "county"


def test_another_countys_editor_may_not(session: Session) -> None:
    with pytest.raises(Forbidden):
        put(session, COUNTY, "130124", EVENING + timedelta(hours=1))


def test_a_county_cannot_remove_what_the_province_placed(session: Session) -> None:
    slot = put(session, PROVINCE, "130123", EVENING)
    with pytest.raises(Forbidden):
        service.remove_slot(session, COUNTY, slot.id, now=NOW)


def test_a_removed_slot_is_gone_and_cannot_be_removed_twice(session: Session) -> None:
    slot = put(session, PROVINCE, "13", EVENING)
    service.remove_slot(session, PROVINCE, slot.id, now=NOW)
    assert session.query(Airing).one().next_at is None
    with pytest.raises(NotFound):
        service.remove_slot(session, PROVINCE, slot.id, now=NOW)


@pytest.mark.parametrize(
    ("at", "region"),
    [(NOW - timedelta(hours=1), "13"), (NOW + timedelta(days=400), "13"), (EVENING, "999999")],
)
def test_impossible_times_and_places_are_refused(session: Session, at: datetime, region: str) -> None:
    with pytest.raises((Invalid, NotFound)):
        put(session, PROVINCE, region, at)


def refs(session: Session) -> dict[str, service.ReleaseRef]:
    edition = session.query(Edition).where(Edition.programme_id == session.info["catalogue"].released).one()
    return {edition.id: service.ReleaseRef(release="a" * 64, duration_ms=600_000)}


def test_a_documents_serial_rises_only_when_its_content_changes(session: Session) -> None:
    def serials() -> dict[str, int]:
        compiled = service.compile_documents(session, releases=refs(session), now=NOW)
        return {k: d.serial for k, d in {**compiled.frames, **compiled.locals}.items()}

    assert serials() == {"13": 1}
    assert serials() == {"13": 1}
    slot = put(session, COUNTY, "130123", EVENING + timedelta(hours=1))
    assert serials() == {"13": 1, "130123": 1}
    service.remove_slot(session, COUNTY, slot.id, now=NOW)
    assert serials() == {"13": 1, "130123": 2}, "a document that was published once stays, empty"


def test_only_admitted_editions_get_into_documents(session: Session) -> None:
    put(session, PROVINCE, "13", EVENING)
    compiled = service.compile_documents(session, releases={}, now=NOW)
    assert compiled.frames["13"].channels[0].items == []
    assert [p.code for p in compiled.problems] == ["not_released"]


def test_a_preview_shows_what_publishing_now_would_show(session: Session) -> None:
    put(session, PROVINCE, "13", EVENING)
    view = service.preview_listings(session, region="130123", days=[EVENING.date()])[0]
    shown = view.listing.at(int(EVENING.timestamp() * 1000))
    assert shown is not None
    assert view.titles[shown.edition or ""] == "三会一课怎么开"
    assert len(view.windows) == 1


def test_windows_and_fillers_of_no_known_channel_or_region_are_refused(session: Session) -> None:
    with pytest.raises(NotFound):
        service.put_window(session, PROVINCE, starts_at=EVENING, duration_ms=60_000, channel="none")
    with pytest.raises(NotFound):
        service.put_window(session, PROVINCE, starts_at=EVENING, duration_ms=60_000, region="99")
    with pytest.raises(NotFound):
        service.set_fillers(session, PROVINCE, "none", [])


@pytest.mark.parametrize(
    "text", ["rubbish", "2026-02-30T20:00", "0001-01-01T00:00+08:00", "9999-12-31T23:59-08:00"]
)
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        read_time(text)


@pytest.mark.parametrize("text", ["rubbish", "2026-02-30", "9999-12-31", "0001-01-01"])
def test_a_day_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        read_day(text, NOW)
