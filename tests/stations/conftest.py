"""The small province of office.py, behind its web application."""

from __future__ import annotations

import pytest

from server.app import create_app
from server.identity.rules import Role
from tests.stations.office import add_person, add_regions, make_config


@pytest.fixture
def config(tmp_path, database_url):
    return make_config(tmp_path / "data", database_url)


@pytest.fixture
def places(database):
    add_regions(database)
    return database


@pytest.fixture
def web(places, config):
    return create_app(config).test_client()


@pytest.fixture
def admin(places):
    return add_person(places, Role.PROVINCE_ADMIN, "13")


@pytest.fixture
def zhengding(places):
    return add_person(places, Role.COUNTY_OFFICE, "130123")


@pytest.fixture
def yuxian(places):
    return add_person(places, Role.COUNTY_OFFICE, "130726")
