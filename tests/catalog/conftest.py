"""A small province, its people and shelves, and files that were uploaded."""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.serving import make_server

from server.app import create_app
from server.catalog import service
from server.catalog.models import Asset, AssetState
from server.config import Config
from server.db import Database
from server.identity.models import Account, RoleGrant
from server.identity.rules import Caller, Role
from server.identity.service import caller_of, get_account, issue_token
from server.regions.models import Region

NOW = datetime(2026, 12, 5, 11, 0, tzinfo=UTC)
PLACES = {
    "13": ("province", None, "河北省"),
    "1301": ("city", "13", "石家庄市"),
    "1302": ("city", "13", "唐山市"),
    "130123": ("county", "1301", "正定县"),
    "130131": ("county", "1301", "平山县"),
    "130227": ("county", "1302", "迁西县"),
    "130123105": ("township", "130123", "曲阳桥镇"),
    "130123105201": ("village", "130123105", "曲阳桥村民委员会"),
}
PEOPLE: dict[str, tuple[Role, str, str | None]] = {
    "admin": (Role.PROVINCE_ADMIN, "13", None),
    "editor": (Role.PROVINCE_EDITOR, "13", None),
    "city": (Role.CITY_EDITOR, "1301", None),
    "county": (Role.COUNTY_EDITOR, "130123", None),
    "neighbour": (Role.COUNTY_EDITOR, "130131", None),
    "nongye": (Role.PARTNER, "13", "nongye"),
    "keji": (Role.PARTNER, "13", "keji"),
    "first": (Role.FIRST_REVIEWER, "13", None),
    "second": (Role.SECOND_REVIEWER, "13", None),
    "final": (Role.FINAL_REVIEWER, "13", None),
    "first-of-1302": (Role.FIRST_REVIEWER, "1302", None),
    "station": (Role.STATION_ADMIN, "130123105201", None),
    "leader": (Role.LEADER, "13", None),
}


@pytest.fixture
def people(database: Database) -> dict[str, Caller]:
    """Everybody by username; places, sections and departments are there too."""
    with database.write() as session:
        for code, (level, parent, name) in PLACES.items():
            session.add(Region(code=code, parent=parent, level=level, name=name))
            session.flush()
        service.seed(session)
        found = {}
        for username, (role, region, department) in PEOPLE.items():
            account = Account(
                username=username,
                name=f"{username} 同志",
                password_hash="nobody signs in with a password here",
                department=department,
                locale="zh_CN",
                is_active=True,
                created_at=NOW,
                grants=[RoleGrant(role=role, region=region)],
            )
            session.add(account)
            session.flush()
            found[username] = caller_of(account)
    return found


@pytest.fixture
def asset(database: Database) -> Callable[..., str]:
    """``asset(caller, state)``: a file somebody uploaded; its id."""
    numbers = itertools.count(1)

    def make(caller: Caller, state: AssetState = AssetState.UPLOADED) -> str:
        number = next(numbers)
        with database.write() as session:
            row = Asset(
                filename=f"film-{number}.mp4",
                path=f"uploads/film-{number}",
                size=number,
                sha256=hashlib.sha256(str(number).encode()).hexdigest(),
                state=state,
                uploaded_by=caller.id,
                created_at=NOW,
            )
            if state == AssetState.REFUSED:
                row.error_code, row.error_text, row.error_text_en = "not_media", "不是视频", "not media"
            session.add(row)
            session.flush()
            return row.id

    return make


@pytest.fixture
def config(database: Database, tmp_path: Path) -> Config:
    made = Config(data=tmp_path / "data", database_url=database.url, jobs_database_url="sqlite://")
    made.make_folders()
    return made


@pytest.fixture
def app(config: Config) -> Flask:
    """The whole web application over this database."""
    return create_app(config)


@pytest.fixture
def bearer(database: Database, people: dict[str, Caller]) -> Callable[[str], dict[str, str]]:
    """``bearer("county")``: the header with which a program acts for somebody."""

    def make(username: str) -> dict[str, str]:
        with database.write() as session:
            _, token = issue_token(session, get_account(session, username), "测试", now=NOW)
        return {"Authorization": f"Bearer {token}"}

    return make


class Server:
    """The web application behind a real socket; it can be stopped and started again on the same port."""

    def __init__(self, config: Config, port: int) -> None:
        self.config, self.port = config, port
        self.url = f"http://127.0.0.1:{port}"
        self.start()

    def start(self) -> None:
        self._running = make_server("127.0.0.1", self.port, create_app(self.config), threaded=True)
        self._thread = threading.Thread(target=self._running.serve_forever)
        self._thread.start()

    def stop(self) -> None:
        self._running.shutdown()
        self._thread.join()
        self._running.server_close()


@pytest.fixture
def server(config: Config, free_port: int) -> Iterator[Server]:
    running = Server(config, free_port)
    yield running
    running.stop()
