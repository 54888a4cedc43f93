"""What holds for every route: a rule, problem details, a content policy."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from server.app import create_app
from server.config import load
from server.web import PUBLIC, rule_of

OPEN_TO_ALL = {
    "/", "/healthz", "/readyz", "/sign-in", "/sign-out", "/language/<locale>", "/api/docs", "/api/openapi.json",
    "/api/v1/enrolments", "/api/v1/batches", "/api/v1/batches/marks",
    # What viewers and partners read without an account: listings, the released catalogue, its previews.
    "/listings", "/listings/<region>", "/listings/<region>/<name>", "/oai", "/feeds/released.xml",
    "/shared/<programme_id>.mp4",
    # signed by a terminal: pieces of its photos, and the page of an evening that it opened by a ticket
    "/api/v1/evidence/<string:sha256>", "/s/<string:ticket>", "/api/v1/tickets/<string:ticket>/notes",
    "/api/v1/tickets/<string:ticket>/files/<string:kind>",
}  # fmt: skip


@pytest.fixture
def app(tmp_path: Path, sqlite_url: str) -> Flask:
    config = load(tmp_path / "data", {"YUANBO_DATABASE_URL": sqlite_url})
    config.make_folders()
    return create_app(config)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def views(app: Flask) -> list[tuple[str, str]]:
    return [
        (rule.rule, rule.endpoint)
        for rule in app.url_map.iter_rules()
        if not rule.endpoint.endswith("static")
    ]


def test_every_route_has_a_rule(app: Flask) -> None:
    without = [path for path, endpoint in views(app) if rule_of(app.view_functions[endpoint]) is None]
    assert without == []


def test_only_the_known_few_routes_are_open_to_everybody(app: Flask) -> None:
    public = {path for path, endpoint in views(app) if rule_of(app.view_functions[endpoint]) == PUBLIC}
    assert public <= OPEN_TO_ALL


def test_the_api_answers_strangers_with_problem_details(client: FlaskClient) -> None:
    answer = client.get("/api/v1/programmes")
    assert answer.status_code == 401
    assert answer.content_type == "application/problem+json"
    assert answer.get_json()["code"] == "unauthenticated"


def test_pages_send_strangers_to_the_sign_in(client: FlaskClient) -> None:
    answer = client.get("/schedule?day=2026-12-05")
    assert answer.status_code == 302
    assert "/sign-in" in answer.headers["Location"]


def test_an_unknown_address_is_said_in_both_languages(client: FlaskClient) -> None:
    assert client.get("/api/v1/nothing", headers={"Accept-Language": "zh"}).get_json()["title"] == "没有找到"
    assert client.get("/api/v1/nothing", headers={"Accept-Language": "en"}).get_json()["title"] == "Not found"
    assert client.get("/nothing").status_code == 404


def test_every_answer_carries_a_content_policy_without_inline_scripts(client: FlaskClient) -> None:
    policy = client.get("/sign-in").headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "unsafe-eval" not in policy


def test_the_api_describes_itself(client: FlaskClient) -> None:
    document = client.get("/api/openapi.json").get_json()
    assert document["openapi"].startswith("3.1")
    for path in ("/api/v1/slots", "/api/v1/programmes", "/api/v1/uploads", "/api/v1/enrolments"):
        assert path in document["paths"]
    assert client.get("/api/docs").status_code == 200
