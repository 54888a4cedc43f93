"""The table of role × action, tried on every route of the whole application as every role."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import pytest
from flask import Flask

from server.db import Database
from server.identity import service
from server.identity.rules import TABLE, Action, Caller, Role
from server.web import PUBLIC, rule_of

NOW = datetime(2026, 12, 5, 11, 0, tzinfo=UTC)
SAMPLES = {
    "UnicodeConverter": "01935d5e-7c00-7000-8000-000000000001",
    "PathConverter": "x",
    "IntegerConverter": 1,
    "UUIDConverter": UUID("01935d5e-7c00-7000-8000-000000000001"),
}
GUARD = "您的岗位没有这项权限"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What is looked at is the guard before each route, not SQL."""
    return sqlite_url


def test_each_role_passes_the_guard_of_exactly_the_routes_that_the_table_gives_it(
    app: Flask, database: Database, person: Callable[..., Caller]
) -> None:
    client, urls = app.test_client(), app.url_map.bind("localhost")
    tokens = {}
    for role in Role:
        person(role.value.replace("_", "-"), role, "13", "nongye" if role is Role.PARTNER else None)
        with database.write() as session:
            account = service.get_account(session, role.value.replace("_", "-"))
            tokens[role] = service.issue_token(session, account, "测试", now=NOW)[1]
    tried = 0
    for rule in app.url_map.iter_rules():
        action = None if rule.endpoint.endswith("static") else rule_of(app.view_functions[rule.endpoint])
        if action is None or action == PUBLIC:
            continue
        samples = {name: SAMPLES[type(rule._converters[name]).__name__] for name in rule.arguments}
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            path = urls.build(rule.endpoint, samples, method=method)
            for role in Role:
                if role in TABLE[Action(action)] and method != "GET":
                    continue  # what a deed does is its own tests' matter: here nobody shall do it who may not
                headers = {"Authorization": f"Bearer {tokens[role]}", "Accept-Language": "zh"}
                answer = client.open(path, method=method, headers=headers)
                refused = answer.status_code == 403 and GUARD in answer.get_data(as_text=True)
                assert refused is (role not in TABLE[Action(action)]), (
                    role,
                    method,
                    path,
                    answer.status_code,
                )
                tried += 1
    assert tried > 1_000
