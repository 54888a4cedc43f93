"""``yuanbo account …`` on a local installation."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from server import clock
from server.cli import main
from server.db import Database
from server.identity import service
from server.identity.rules import Caller, Role


@pytest.fixture
def data(database: Database, tmp_path: Path, person: Callable[..., Caller], monkeypatch: Any) -> Path:
    """A data folder whose database is this test's."""
    monkeypatch.setenv("YUANBO_DATABASE_URL", database.url)
    folder = tmp_path / "installation"
    folder.mkdir()
    (folder / "yuanbo.sqlite").touch()
    person("wang", Role.COUNTY_EDITOR, "130123")
    return folder


@pytest.fixture
def account(data: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*words: str) -> tuple[int, str, str]:
        status = main(["account", *words, "--data", str(data)])
        out, err = capsys.readouterr()
        return status, out, err

    return run


def test_an_account_is_added_with_a_generated_password_that_works(account: Any, database: Database) -> None:
    words = ("add", "li", "--name", "李编辑", "--role", "city_editor", "--region", "1301")
    status, out, _ = account(*words, "--json")
    made = json.loads(out)
    assert status == 0
    assert made["grants"] == [{"role": "city_editor", "region": "1301"}]
    assert service.sign_in(database, "li", made["password"], now=clock.now()).account is not None
    status, _, err = account(*words)
    assert (status, err) == (1, "yuanbo: 用户名 li 已被使用\n")


def test_a_password_comes_from_standard_input_and_is_not_made_up(
    account: Any, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("a long password 1\n"))
    account("add", "li", "--name", "李", "--role", "tutor", "--region", "13", "--password-stdin")
    assert service.sign_in(database, "li", "a long password 1", now=clock.now()).account is not None


def test_a_token_for_a_program_is_shown_once(account: Any, database: Database) -> None:
    status, out, _ = account("token", "wang")
    assert status == 0
    caller = service.SqlAuthenticator(database).by_token(out.strip())
    assert caller is not None
    assert caller.username == "wang"


def test_a_new_password_unlocks(account: Any, database: Database) -> None:
    for _ in range(10):
        with database.write() as session:
            service.record_attempt(session, "wang", fits=False, now=clock.now())
    _, out, _ = account("password", "wang")
    assert service.sign_in(database, "wang", out.strip(), now=clock.now()).account is not None


def test_everybody_is_listed_without_secrets(account: Any) -> None:
    _, out, _ = account("list", "--json")
    (wang,) = json.loads(out)["items"]
    assert wang["username"] == "wang"
    assert not {"password", "password_hash", "token"} & wang.keys()
    assert "county_editor@130123" in account("list")[1]


def test_an_unknown_account_or_folder_is_said_in_one_line(
    account: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert account("token", "nobody") == (1, "", "yuanbo: 没有账号 nobody\n")
    monkeypatch.delenv("YUANBO_DATABASE_URL")
    assert main(["account", "list", "--data", str(tmp_path / "nowhere")]) == 2
    assert not (tmp_path / "nowhere").exists()
    assert capsys.readouterr().err.count("\n") == 1
