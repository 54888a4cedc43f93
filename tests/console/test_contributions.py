"""A contributor's desk: his and his department's programmes, why they came back, when they are shown, how they are watched."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from server.catalog.models import Airing, AssetState, Edition, EditionState, Review, Stage
from server.catalog.programmes import NewProgramme, create_programme
from server.console import contributions
from server.console.contributions import Desk
from server.db import Database
from server.errors import NotFound
from server.identity.rules import Caller
from server.identity.service import get_account, session_key
from server.schedule.models import Channel, Slot
from tests.catalog.conftest import *  # noqa: F403 the catalogue's small province
from tests.catalog.conftest import NOW

People = dict[str, Caller]


@pytest.fixture
def add(database: Database, people: People, asset: Callable[..., str]) -> Callable[..., str]:
    """``add(title, by, state)``: a programme whose only edition is in that state; its id."""

    def make(title: str, by: str = "nongye", state: EditionState = EditionState.DRAFT) -> str:
        new = NewProgramme(title=title, section="nongji", asset_id=asset(people[by], AssetState.READY))
        with database.write() as session:
            programme = create_programme(session, people[by], new, now=NOW)
            programme.editions[0].state = state
            return programme.id

    return make


Add = Callable[..., str]


def look(database: Database, caller: Caller, state: str | None = None, after: str | None = None) -> Desk:
    with database.read() as session:
        return contributions.desk(session, caller, state=state, after=after, now=NOW)


def titles(desk: Desk) -> list[str]:
    return [item.card.title for item in desk.items]


def test_a_department_sees_its_own_and_nobody_elses(database: Database, people: People, add: Add) -> None:
    add("农业厅的")
    add("科技厅的", "keji")
    add("省里的", "editor", EditionState.FIRST_REVIEW)
    assert titles(look(database, people["nongye"])) == ["农业厅的"]
    assert titles(look(database, people["editor"])) == ["省里的"]
    assert look(database, people["editor"]).counts == {
        "draft": 0,
        "returned": 0,
        "in_review": 1,
        "released": 0,
    }
    assert titles(look(database, people["editor"], "in_review")) == ["省里的"]
    assert titles(look(database, people["editor"], "released")) == []
    with pytest.raises(NotFound):
        look(database, people["editor"], after="x")


def test_what_came_back_says_why_and_may_be_handed_in_again(
    database: Database, people: People, add: Add
) -> None:
    one = add("退回的", state=EditionState.RETURNED)
    with database.write() as session:
        edition = session.scalars(select(Edition).where(Edition.programme_id == one)).one()
        session.add(
            Review(
                edition_id=edition.id, stage=Stage.SECOND, approved=False, reviewer_id=people["second"].id, at=NOW,
                comment="声音太小", audit_seq=1,
            )
        )  # fmt: skip
    (item,) = look(database, people["nongye"]).items
    assert (item.reason, item.by, item.can_submit) == ("声音太小", "second", True)


def test_air_times_and_places_in_the_schedule_are_shown(database: Database, people: People, add: Add) -> None:
    one = add("播出的", state=EditionState.RELEASED)
    later = NOW + timedelta(days=1)
    with database.write() as session:
        edition = session.scalars(select(Edition).where(Edition.programme_id == one)).one()
        session.add(Airing(edition_id=edition.id, last_at=NOW, next_at=later, regions=["13"]))
        if session.get(Channel, "one") is None:
            session.add(Channel(id="one", name="综合频道", name_en="General", position=9))
            session.flush()
        session.add(_slot(one, people["editor"], later))
    (item,) = look(database, people["nongye"]).items
    assert (item.last_at, item.next_at) == (NOW, later)
    with database.read() as session:
        (rule,) = contributions.placed(session, one)
    assert (rule.channel, rule.region, rule.starts_at, rule.repeats) == ("综合频道", "13", later, True)


def _slot(programme_id: str, by: Caller, at: datetime) -> Slot:
    return Slot(
        channel="one", region="13", level="province", programme_id=programme_id, starts_at=at, rrule="FREQ=DAILY",
        created_by=by.id, created_at=NOW,
    )  # fmt: skip


def test_the_pages(app: Flask, database: Database, people: People, add: Add) -> None:
    one = add("农业厅的")
    client = app.test_client()
    with database.read() as session, client.session_transaction() as cookie:
        cookie["_user_id"] = session_key(get_account(session, "nongye"))
    page = client.get("/desk")
    assert page.status_code == 200
    assert "农业厅的" in page.text
    assert client.get("/desk?state=released").status_code == 200
    around = client.get(f"/programmes/{one}/around")
    assert around.status_code == 200
    assert "还没有编排" in around.text
    assert client.get(f"/programmes/{one}").status_code == 200
