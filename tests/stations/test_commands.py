"""``yuanbo station …`` over real HTTP: what a script reads, and what a person is told."""

from __future__ import annotations

import argparse
import json
from threading import Thread

import pytest
from werkzeug.serving import make_server

from protocol.enrolment import read_code
from server.app import create_app
from server.client import ApiError
from server.errors import UsageError
from server.identity.rules import Role
from server.stations import commands, incarnation, line_commands
from tests.stations.office import VILLAGE, add_person, add_regions, make_config


@pytest.fixture
def station(database, tmp_path, database_url, monkeypatch, capsys):
    """Run ``yuanbo station`` words as the county office of 正定; its output."""
    add_regions(database)
    token = add_person(database, Role.COUNTY_OFFICE, "130123")["Authorization"].removeprefix("Bearer ")
    app = create_app(make_config(tmp_path / "data", database_url))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("YUANBO_SERVER", f"http://127.0.0.1:{server.port}")
    monkeypatch.setenv("YUANBO_TOKEN", token)
    monkeypatch.setenv("YUANBO_DATABASE_URL", database_url)
    (tmp_path / "data" / "yuanbo.sqlite").touch()
    parser = argparse.ArgumentParser()
    nouns = parser.add_subparsers()
    commands.register(nouns)
    line_commands.register(nouns)

    def run(*words: str, noun: str = "station") -> str:
        args = parser.parse_args([noun, *words])
        assert args.run(args) == 0
        return capsys.readouterr().out

    yield run
    server.shutdown()
    thread.join()
    server.server_close()


def test_adding_a_station_prints_its_code_once(station):
    added = json.loads(station("add", "--region", VILLAGE, "--name", "曲阳桥村站点", "--json"))
    assert read_code(added["code"])
    assert (added["region"], added["name"], added["kind"]) == (VILLAGE, "曲阳桥村站点", "village")
    assert added["expires_at"].endswith("Z")

    listed = station("list", "--json")
    assert [row["id"] for row in json.loads(listed)["items"]] == [added["id"]]
    assert added["code"] not in listed
    assert "曲阳桥村站点" in station("list")

    another = json.loads(station("invite", added["id"], "--json"))
    assert another["code"] != added["code"]
    assert "注册码" in station("invite", added["id"])


def test_another_regions_village_is_refused_in_words(station):
    with pytest.raises(ApiError) as refusal:
        station("add", "--region", "130726100201", "--name", "前堡村站点")
    assert refusal.value.status == 403
    assert station("list", "--json") == json.dumps({"items": []}, indent=2) + "\n"


def test_after_a_restore_a_new_incarnation_begins(station, database, tmp_path):
    with database.write() as session:
        before = incarnation.current(session)
    answer = json.loads(station("refill", "--data", str(tmp_path / "data"), "--json"))
    with database.write() as session:
        assert incarnation.current(session) == answer["incarnation"] != before


def test_where_nothing_is_installed_nothing_is_made(tmp_path, monkeypatch):
    monkeypatch.delenv("YUANBO_DATABASE_URL", raising=False)
    parser = argparse.ArgumentParser()
    commands.register(parser.add_subparsers())
    args = parser.parse_args(["station", "refill", "--data", str(tmp_path / "none")])
    with pytest.raises(UsageError):
        args.run(args)
    assert not (tmp_path / "none").exists()


def test_rules_of_lines_are_set_listed_and_dropped_by_a_script(station):
    made = station("set", "130123", "--hours", "22-6", "--rate", "2000", "--cap", "20", "--json", noun="line")
    assert json.loads(made)["bytes_a_second"] == [250_000] * 24
    assert "限速 2000" in station("list", noun="line")
    assert "每月 5 GB" in station("set", "130123", "--cap", "5", noun="line")
    assert "已取消" in station("drop", "130123", noun="line")
    with pytest.raises(ApiError):
        station("poll", "300", noun="line")
    for words in (["set", "130123", "--hours", "6"], ["set", "130123", "--hours", "25-3"]):
        with pytest.raises(SystemExit):
            station(*words, noun="line")
