"""Who am I, my tokens, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from server.db import Database
from server.identity import service
from server.identity.rules import Caller, Role

NOW = datetime(2026, 12, 5, 11, 0, tzinfo=UTC)


@pytest.fixture
def wang(person: Callable[..., Caller]) -> Caller:
    return person("wang", Role.COUNTY_EDITOR, "130123")


@pytest.fixture
def bearer(database: Database, wang: Caller) -> dict[str, str]:
    with database.write() as session:
        _, token = service.issue_token(session, service.get_account(session, "wang"), "测试", now=NOW)
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def test_a_token_says_who_calls_and_what_he_may(client: FlaskClient, bearer: dict[str, str]) -> None:
    me = client.get("/api/v1/me", headers=bearer).get_json()
    assert (me["username"], me["grants"]) == ("wang", [{"role": "county_editor", "region": "130123"}])
    assert "schedule.edit" in me["may"]
    assert "publish.run" not in me["may"]


UNKNOWN = ("Bearer nonsense", "Bearer ", "Bearer", "Basic d2FuZzp4", "nonsense", "Bearer 钥匙")


def test_a_token_nobody_issued_is_refused_as_a_problem(client: FlaskClient, wang: Caller) -> None:
    for header in UNKNOWN:
        answer = client.get("/api/v1/me", headers={"Authorization": header.encode().decode("latin-1")})
        assert answer.status_code == 401, header
        assert answer.content_type == "application/problem+json"
        assert answer.get_json()["code"] == "unauthenticated"


def test_tokens_are_issued_shown_once_listed_and_revoked(client: FlaskClient, bearer: dict[str, str]) -> None:
    made = client.post("/api/v1/tokens", json={"label": "上传脚本"}, headers=bearer)
    assert made.status_code == 201
    new = made.get_json()
    assert client.get("/api/v1/me", headers={"Authorization": f"Bearer {new['token']}"}).status_code == 200
    listed = client.get("/api/v1/tokens", headers=bearer).get_json()["items"]
    assert [token["label"] for token in listed] == ["上传脚本", "测试"]
    assert all("token" not in token for token in listed)
    assert client.delete(f"/api/v1/tokens/{new['id']}", headers=bearer).status_code == 204
    assert client.get("/api/v1/me", headers={"Authorization": f"Bearer {new['token']}"}).status_code == 401


SENSELESS: tuple[dict[str, Any], ...] = (
    {},
    {"label": ""},
    {"label": "x" * 61},
    {"label": 1},
    {"label": "x", "expires_at": "tomorrow"},
    {"label": "x", "expires_at": "2020-01-01T00:00:00.000Z"},
    {"label": "x", "expires_at": "2099-99-99T00:00:00.000Z"},
)


def test_a_token_request_that_makes_no_sense_is_refused(client: FlaskClient, bearer: dict[str, str]) -> None:
    for body in SENSELESS:
        answer = client.post("/api/v1/tokens", json=body, headers=bearer)
        assert answer.status_code == 422, body
        assert answer.content_type == "application/problem+json"


def test_a_token_that_is_no_uuid_is_not_found(client: FlaskClient, bearer: dict[str, str]) -> None:
    assert client.delete("/api/v1/tokens/nonsense", headers=bearer).status_code == 404
