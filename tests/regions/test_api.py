"""The administrative tree over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from server.app import create_app
from server.config import Config
from server.db import Database
from server.identity.models import Account, RoleGrant
from server.identity.rules import Role
from server.identity.service import issue_token
from server.regions.models import Region

NOW = datetime(2026, 12, 5, 11, 0, tzinfo=UTC)


class Program:
    def __init__(self, client: Any, token: str) -> None:
        self._client, self._headers = client, {"Authorization": f"Bearer {token}"}

    def get(self, path: str, expect: int = 200) -> Any:
        answer = self._client.get(f"/api/v1/regions{path}", headers=self._headers)
        assert answer.status_code == expect, answer.get_data(as_text=True)
        return answer.get_json()


@pytest.fixture
def program(sqlite_url: str, tmp_path: Path) -> Program:
    config = Config(data=tmp_path / "data", database_url=sqlite_url, jobs_database_url="sqlite://")
    config.make_folders()
    with Database(sqlite_url).write() as session:
        for code, parent, level, name in (
            ("13", None, "province", "河北省"),
            ("1301", "13", "city", "石家庄市"),
            ("130123", "1301", "county", "正定县"),
            ("130131", "1301", "county", "平山县"),
        ):
            session.add(Region(code=code, parent=parent, level=level, name=name))
            session.flush()
        account = Account(
            username="station",
            name="站点",
            password_hash="none",
            locale="zh_CN",
            created_at=NOW,
            grants=[RoleGrant(role=Role.STATION_ADMIN, region="130123")],
        )
        session.add(account)
        session.flush()
        _, token = issue_token(session, account, "测试", now=NOW)
    return Program(create_app(config).test_client(), token)


def codes(answer: Any) -> list[str]:
    return [region["code"] for region in answer["items"]]


def test_children_are_listed_and_paged(program: Program) -> None:
    assert codes(program.get("")) == ["13"]
    page = program.get("?parent=1301&limit=1")
    assert (codes(page), page["next"]) == (["130123"], "130123")
    rest = program.get(f"?parent=1301&limit=1&after={page['next']}")
    assert (codes(rest), rest["next"]) == (["130131"], None)


def test_places_are_searched(program: Program) -> None:
    assert codes(program.get("?q=正定")) == ["130123"]
    assert codes(program.get("?q=石家庄市平山县")) == ["130131"]
    assert codes(program.get("?q=平山&within=130123")) == []


def test_a_place_is_told_with_its_path(program: Program) -> None:
    region = program.get("/130123")
    assert region["full_name"] == "河北省石家庄市正定县"
    assert codes({"items": region["path"]}) == ["13", "1301", "130123"]
    assert program.get("/99", expect=404)["detail"] == "没有行政区划 99"
