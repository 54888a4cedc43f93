"""A small province and people in it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask

from server.app import create_app
from server.config import Config
from server.db import Database
from server.identity.models import Account, RoleGrant
from server.identity.rules import Caller, Role
from server.identity.service import caller_of, hash_password
from server.regions.models import Region

NOW = datetime(2026, 12, 5, 11, 0, tzinfo=UTC)
PLACES = {
    "13": "河北省",
    "1301": "石家庄市",
    "130123": "正定县",
    "130131": "平山县",
    "130123105": "曲阳桥镇",
    "130123105201": "曲阳桥村民委员会",
}
LEVELS = {2: "province", 4: "city", 6: "county", 9: "township", 12: "village"}
PARENTS = {4: 2, 6: 4, 9: 6, 12: 9}
PASSWORD = "correct horse 电池"


@pytest.fixture(scope="session")
def password_hash() -> str:
    return hash_password(PASSWORD)


@pytest.fixture
def places(database: Database) -> None:
    with database.write() as session:
        for code, name in PLACES.items():
            parent = code[: PARENTS[len(code)]] if len(code) > 2 else None
            session.add(Region(code=code, parent=parent, level=LEVELS[len(code)], name=name))
            session.flush()


@pytest.fixture
def person(database: Database, places: None, password_hash: str) -> Callable[..., Caller]:
    """``person("wang", Role.COUNTY_EDITOR, "130123")``: an account, as the rules see it."""

    def make(username: str, role: Role, region: str, department: str | None = None) -> Caller:
        with database.write() as session:
            account = Account(
                username=username,
                name=f"{username} 同志",
                password_hash=password_hash,
                department=department,
                locale="zh_CN",
                is_active=True,
                created_at=NOW,
                grants=[RoleGrant(role=role, region=region)],
            )
            session.add(account)
            session.flush()
            return caller_of(account)

    return make


@pytest.fixture
def app(database: Database, tmp_path: Path) -> Flask:
    """The whole web application over this database."""
    config = Config(data=tmp_path / "data", database_url=database.url, jobs_database_url="sqlite://")
    config.make_folders()
    return create_app(config)
