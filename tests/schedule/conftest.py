"""A province with a few regions and programmes, for tests of the schedule on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy.orm import Session

from protocol.times import SHANGHAI
from server.catalog.models import Asset, AssetState, Edition, EditionState, Programme, Section
from server.db import Database, new_id
from server.identity.rules import Caller, Role
from server.regions.models import Region
from server.schedule import service

NOW = datetime(2026, 12, 5, 4, 0, tzinfo=UTC)
EVENING = datetime(2026, 12, 5, 19, 0, tzinfo=SHANGHAI)
PROVINCE = Caller(new_id(), "province", "省编", ((Role.PROVINCE_EDITOR, "13"),))
DEPUTY = Caller(new_id(), "deputy", "省编乙", ((Role.PROVINCE_EDITOR, "13"),))
COUNTY = Caller(new_id(), "county", "县编", ((Role.COUNTY_EDITOR, "130123"),))
REGIONS = {
    "13": None, "1301": "13", "130123": "1301", "130124": "1301", "130123105": "130123",
    "130123105201": "130123105", "1302": "13", "130227": "1302",
}  # fmt: skip
SECTIONS = ("dangjian", "nongye")


def add_programme(
    session: Session,
    title: str,
    state: str = EditionState.RELEASED,
    minutes: float = 10,
    section: str = "dangjian",
    **more: object,
) -> str:
    """A programme with one edition; its id."""
    someone = new_id()
    programme = Programme(
        id=new_id(), title=title, section=section, region="13", created_by=someone, created_at=NOW, **more
    )
    asset = Asset(
        id=new_id(),
        filename="a.mp4",
        path="uploads/a",
        size=1,
        sha256="0" * 64,
        state=AssetState.READY,
        duration_ms=round(minutes * 60_000),
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


def prepare(session: Session) -> None:
    for code, parent in REGIONS.items():
        session.add(Region(code=code, parent=parent, level="x", name=code))
        session.flush()
    for position, slug in enumerate(SECTIONS):
        session.add(Section(slug=slug, name=slug, name_en=slug, position=position))
    session.flush()
    service.seed(session)


@pytest.fixture
def province(database: Database) -> Iterator[Session]:
    """A session in one open transaction."""
    with database.write() as opened:
        prepare(opened)
        yield opened
