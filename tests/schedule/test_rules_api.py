"""Rules, the report and explanations over HTTP, as programs and the board use them."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from server import clock
from server.app import create_app
from server.config import Config
from server.db import Database
from server.identity.models import Account, RoleGrant
from server.identity.rules import Role
from server.identity.service import issue_token
from tests.schedule.conftest import NOW, add_programme, prepare


class Api:
    def __init__(self, client: FlaskClient, token: str) -> None:
        self._client, self._headers = client, {"Authorization": f"Bearer {token}"}

    def __call__(self, method: str, path: str, json: object = None) -> tuple[int, dict]:
        answer = self._client.open(f"/api/v1{path}", method=method, json=json, headers=self._headers)
        return answer.status_code, answer.get_json(silent=True) or {}


@pytest.fixture
def api(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Api:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    config = Config(
        data=tmp_path / "data",
        database_url=database.url,
        jobs_database_url="sqlite://",
        console_url="http://yuanbo.example",
    )
    config.make_folders()
    with database.write() as session:
        prepare(session)
        add_programme(session, "垫片", minutes=1)
        account = Account(
            username="sheng", name="省编", password_hash="!", locale="zh_CN", is_active=True, created_at=NOW,
            grants=[RoleGrant(role=Role.PROVINCE_EDITOR, region="13")],
        )  # fmt: skip
        session.add(account)
        session.flush()
        _, token = issue_token(session, account, "test", now=NOW)
    return Api(create_app(config).test_client(), token)


@pytest.fixture
def programme(api: Api, database: Database) -> str:
    with database.write() as session:
        return add_programme(session, "三会一课怎么开")


def test_a_stale_version_is_answered_with_both_sides(api: Api, programme: str) -> None:
    _, slot = api("POST", "/slots", {"region": "13", "at": "2026-12-05T19:00", "programme": programme})
    path = f"/slots/{slot['id']}"
    assert api("PATCH", path, {"version": 1, "at": "2026-12-05T20:00"})[1]["version"] == 2
    status, problem = api("PATCH", path, {"version": 1, "required": True})
    assert (status, problem["code"], problem["mine"]) == (409, "stale", {"required": True})
    assert problem["theirs"]["starts_at"] == "2026-12-05T12:00:00.000Z"
    assert api("DELETE", f"{path}?version=1")[0] == 409
    assert api("DELETE", f"{path}?version=2")[0] == 204
    assert api("POST", f"{path}/restore", {"version": 3})[1]["removed"] is False
    _, history = api("GET", f"/schedule/changes?rule={slot['id']}")
    assert [change["deed"] for change in history["items"]] == ["restored", "removed", "changed", "put"]
    assert history["number"] == api("GET", "/schedule/number")[1]["number"]


def test_one_evening_is_moved_and_explained(api: Api, programme: str) -> None:
    series = {"region": "13", "at": "2026-12-05T19:00", "programme": programme, "rrule": "FREQ=DAILY"}
    _, slot = api("POST", "/slots", series)
    moved = {"version": 1, "deed": "move", "at": "2026-12-06T19:00", "to": "2026-12-06T20:00"}
    _, answer = api("POST", f"/slots/{slot['id']}/occurrences", moved)
    assert answer["series"]["exdates"] == ["2026-12-06T11:00:00.000Z"]
    _, found = api("GET", "/listings/explain?region=130123105201&at=2026-12-06T20:01")
    assert (found["title"], found["winner"]["by"]) == ("三会一课怎么开", "省编")
    _, empty = api("GET", "/listings/explain?region=130123105201&at=2026-12-06T19:01")
    assert (empty["source"], [other["verdict"] for other in empty["others"]]) == ("filler", ["skipped"])


def test_the_report_says_whether_it_is_clean(api: Api) -> None:
    status, report = api("GET", "/schedule/check?days=3")
    assert (status, report["clean"], report["errors"]) == (200, True, 0)
    assert api("GET", "/schedule/check?region=99")[0] == 404
    assert api("PATCH", "/schedule/limits", {"most_a_day": 5})[1]["most_a_day"] == 5


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/slots", {"region": "13", "at": "rubbish", "programme": "00000000-0000-7000-8000-000000000001"}),
        ("/slots", {"region": "13x", "at": "2026-12-05T19:00", "programme": "x"}),
        ("/study", {"region": "13", "at": "2026-12-05T19:00", "rrule": "FREQ=SECONDLY"}),
        ("/notices", {"region": "13", "text": "长" * 61, "until": "2026-12-06T19:00"}),
        ("/pushes", {"region": "13", "section": "dangjian", "months": [13]}),
        ("/airtime", {"region": "13", "role": "nobody"}),
        ("/emergencies", {"regions": [], "text": "x", "until": "2026-12-05T20:00"}),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(api: Api, path: str, body: dict) -> None:
    status, problem = api("POST", path, body)
    assert status == 422
    assert problem["detail"]
