"""Signing in and out as a browser does it, with cookies and CSRF tokens."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from server.db import Database
from server.identity import service
from server.identity.rules import Caller, Role

PASSWORD = "correct horse 电池"  # everybody's, in conftest.py


@pytest.fixture
def wang(person: Callable[..., Caller]) -> Caller:
    return person("wang", Role.COUNTY_EDITOR, "130123")


@pytest.fixture
def browser(app: Flask, wang: Caller) -> FlaskClient:
    return app.test_client()


def csrf_of(browser: FlaskClient) -> str:
    page = browser.get("/sign-in").get_data(as_text=True)
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found
    return found[1]


def sign_in(browser: FlaskClient, password: str = PASSWORD, **fields: str):
    form = {"username": "wang", "password": password, "csrf_token": csrf_of(browser), **fields}
    return browser.post("/sign-in", data=form)


def test_somebody_signs_in_and_goes_on_where_he_wanted(browser: FlaskClient) -> None:
    answer = sign_in(browser, next="/programmes?state=draft")
    assert (answer.status_code, answer.location) == (302, "/programmes?state=draft")
    assert browser.get("/api/v1/me").get_json()["username"] == "wang"


def test_the_session_cookie_is_kept_from_scripts_and_other_sites(browser: FlaskClient) -> None:
    cookie = sign_in(browser).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_a_wrong_password_is_said_so_and_opens_nothing(browser: FlaskClient) -> None:
    answer = sign_in(browser, "not it at all")
    assert answer.status_code == 401
    page = answer.get_data(as_text=True)
    assert "用户名或密码不对" in page
    assert 'value="wang"' in page
    assert "not it at all" not in page
    assert browser.get("/api/v1/me").status_code == 401


def test_a_locked_name_is_told_for_how_long(browser: FlaskClient, database: Database) -> None:
    for _ in range(10):
        with database.write() as session:
            service.record_attempt(session, "wang", fits=False, now=service.clock.now())
    answer = sign_in(browser)
    assert answer.status_code == 429
    assert "15 分钟" in answer.get_data(as_text=True)


def test_signing_in_needs_the_pages_own_token(browser: FlaskClient) -> None:
    answer = browser.post("/sign-in", data={"username": "wang", "password": PASSWORD})
    assert answer.status_code == 400
    assert browser.get("/api/v1/me").status_code == 401


def test_signing_out_ends_the_session_and_needs_the_token(browser: FlaskClient) -> None:
    sign_in(browser)
    assert browser.post("/sign-out").status_code == 400
    assert browser.get("/api/v1/me").status_code == 200
    token = re.search(r'name="csrf-token" content="([^"]+)"', browser.get("/").get_data(as_text=True))
    assert token
    assert browser.post("/sign-out", data={"csrf_token": token[1]}).status_code == 302
    assert browser.get("/api/v1/me").status_code == 401


def test_a_write_by_session_needs_the_token_in_a_header(browser: FlaskClient) -> None:
    sign_in(browser)
    assert browser.post("/api/v1/tokens", json={"label": "x"}).status_code == 400
    token = re.search(r'name="csrf-token" content="([^"]+)"', browser.get("/").get_data(as_text=True))
    assert token
    answer = browser.post("/api/v1/tokens", json={"label": "x"}, headers={"X-CSRFToken": token[1]})
    assert answer.status_code == 201


ELSEWHERE = (
    "https://example.org/",
    "//example.org/",
    "/\\example.org",
    "\\\\example.org",
    "javascript:alert(1)",
    "/\t/example.org",
    "",
)


def test_nobody_is_sent_to_another_site_after_signing_in(app: Flask, wang: Caller) -> None:
    for elsewhere in ELSEWHERE:
        assert sign_in(app.test_client(), next=elsewhere).location == "/", elsewhere


def test_a_session_ends_with_a_new_password(browser: FlaskClient, database: Database) -> None:
    sign_in(browser)
    with database.write() as session:
        account = service.get_account(session, "wang")
        service.set_password(session, account, "another one 2", actor=None, now=service.clock.now())
    assert browser.get("/api/v1/me").status_code == 401


def test_a_forged_cookie_names_nobody(browser: FlaskClient) -> None:
    browser.set_cookie("yuanbo", "eyJfdXNlcl9pZCI6ImFkbWluIn0.aaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbb")
    assert browser.get("/api/v1/me").status_code == 401


def test_a_page_asks_to_sign_in_first_and_remembers_where_to_go(browser: FlaskClient) -> None:
    answer = browser.get("/")
    assert answer.status_code == 302
    assert answer.location.startswith("/sign-in?next=")


def test_the_language_is_chosen_and_kept(browser: FlaskClient, database: Database) -> None:
    answer = browser.get("/language/en?next=/sign-in")
    assert answer.location == "/sign-in"
    assert 'lang="en"' in browser.get("/sign-in").get_data(as_text=True)
    assert browser.get("/language/xx").status_code == 404
    sign_in(browser)
    browser.get("/language/en")
    with database.read() as session:
        assert service.get_account(session, "wang").locale == "en"
