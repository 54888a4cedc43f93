"""节目到村 over HTTP: the caller's own region, nobody else's, and plain refusals."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask

from server import web
from server.config import load
from server.console.arrival_pages import blueprint
from server.identity.rules import Caller, Role
from server.publish.models import Publication, PublicationState
from server.regions.models import Region
from server.stations.models import Station
from tests.console.test_arrival import NOW

PEOPLE = {
    "admin": Caller("1", "admin", "管理员", ((Role.PROVINCE_ADMIN, "13"),)),
    "county": Caller("2", "county", "县编", ((Role.COUNTY_EDITOR, "130123"),)),
    "partner": Caller("3", "partner", "资源单位", ((Role.PARTNER, "13"),)),
}


class ByName:
    """Everybody's token is his name."""

    def by_token(self, token: str) -> Caller | None:
        return PEOPLE.get(token)

    def by_session(self) -> Caller | None:
        return None


@pytest.fixture
def client(database, tmp_path):
    with database.write() as session:
        for code, parent in (
            ("13", None),
            ("1301", "13"),
            ("130123", "1301"),
            ("1302", "13"),
            ("130227", "1302"),
        ):
            session.add(Region(code=code, parent=parent, level="x", name=code))
            session.flush()
        for region in ("130123", "130123", "130227"):
            session.add(Station(region=region, name="站", kind="village", created_at=NOW))
        session.add(Publication(number=1, at=NOW, by="测试", state=PublicationState.DONE))
    app = Flask("server.app")
    app.config.update(SECRET_KEY="test", WTF_CSRF_CHECK_DEFAULT=False)
    app.extensions["yuanbo.config"] = replace(load(tmp_path / "data", environ={}), database_url=database.url)
    app.extensions["yuanbo.database"] = database
    app.extensions["yuanbo.authenticator"] = ByName()
    web.init_app(app)
    app.register_blueprint(blueprint)
    return app.test_client()


def look(client, person: str, **query: str):
    headers = {"Authorization": f"Bearer {person}"}
    return client.get("/api/v1/publications/1/arrival", query_string=query, headers=headers)


def test_everybody_sees_his_own_region_first(client):
    province, county = look(client, "admin").get_json(), look(client, "county").get_json()

    assert (province["region"], province["stations"], province["cannot"]) == ("13", 3, 3)
    assert (county["region"], county["stations"]) == ("130123", 2)
    assert county["causes"] == {"no_terminal": 2}
    assert look(client, "admin", region="1302").get_json()["stations"] == 1


@pytest.mark.parametrize(
    ("person", "region", "status"),
    [
        ("county", "13", 403),
        ("county", "130227", 403),
        ("partner", "13", 403),
        ("admin", "131", 422),
        ("admin", "'; --", 422),
    ],
)
def test_other_regions_and_no_regions_are_refused_in_words(client, person, region, status):
    answer = look(client, person, region=region)

    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
