"""`yuanbo publish` and `yuanbo keys`, as a script would use them."""

from __future__ import annotations

import argparse
import json

import pytest

from server import client
from server.publish import commands, keys
from server.publish.rules import KEY_NAMES


@pytest.fixture
def run(capsys):
    """Runs a command; its status and what it printed."""

    def command(*words: str) -> tuple[int, str]:
        parser = argparse.ArgumentParser()
        commands.register(parser.add_subparsers())
        args = parser.parse_args(words)
        status = args.run(args)
        return status, capsys.readouterr().out

    return command


ANSWER = {
    "number": 7,
    "changed": True,
    "bytes": 1234,
    "held_back": [{"title": "没审过", "reasons": [{"code": "not_reviewed", "text": "没有三审"}]}],
}


class Server:
    """Answers as the API does."""

    def __init__(self, answer):
        self.answer = answer
        self.asked: list[str] = []
        self.looks = 0

    def post(self, path, json=None):
        self.asked.append(path)
        return {"id": "7", "state": "queued"}

    def get(self, path, **fields):
        assert path == "/api/v1/publications/orders/7"
        self.looks += 1
        return {"id": "7", "state": ["queued", "running", "done"][self.looks - 1], "answer": self.answer}


@pytest.fixture
def server(monkeypatch):
    made = Server(ANSWER)
    monkeypatch.setattr(client, "from_args", lambda _args: made)
    monkeypatch.setattr(commands, "LOOK_EVERY_S", 0)
    return made


def test_publish_prints_the_servers_answer_as_json(run, server):
    status, out = run("publish", "--json")

    assert (status, json.loads(out)) == (0, ANSWER)
    assert server.asked == ["/api/v1/publications"]


def test_publish_tells_a_person_what_was_held_back_and_why(run, server):
    _, out = run("publish")

    assert "第 7 次发布" in out
    assert "没审过: 没有三审" in out


def test_keys_are_made_once_and_shown_without_their_private_half(run, tmp_path):
    status, out = run("keys", "init", "--data", str(tmp_path), "--json")
    _, again = run("keys", "init", "--data", str(tmp_path), "--json")

    shown = json.loads(out)
    assert status == 0
    assert again == out
    assert [key["name"] for key in shown] == list(KEY_NAMES)
    assert {key["label"] for key in shown} == {"demo"}
    private = keys.read_key(tmp_path / "keys", "policy").private
    assert private.hex() not in out
    assert set(shown[0]) == {"name", "public", "label"}


def test_keys_that_are_not_there_are_said_to_be_missing(run, tmp_path):
    with pytest.raises(keys.KeysMissing):
        run("keys", "show", "--data", str(tmp_path))


def test_a_rollback_waits_for_its_order(run, server):
    status, out = run("publish", "rollback", "5", "--json")

    assert (status, json.loads(out)) == (0, ANSWER)
    assert server.asked == ["/api/v1/publications/5/rollback"]
    assert server.looks == 3


def test_an_order_that_failed_says_why(run, server, monkeypatch):
    problem = {"title": "读面已损坏", "status": 503, "code": "read_plane_damaged", "detail": "读面已损坏"}
    monkeypatch.setattr(server, "get", lambda _path: {"id": "7", "state": "failed", "problem": problem})

    with pytest.raises(client.ApiError, match="读面已损坏"):
        run("publish")
