"""`yuanbo schedule export` against a real server: whole files, clear refusals, exit codes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from server import cli, clock
from server.identity.service import get_account, issue_token
from tests.browser.board_world import World
from tests.conftest import find_free_ports


@pytest.fixture
def world(tmp_path: Path, migrated_sqlite: Path) -> Iterator[World]:
    made = World(tmp_path / "data", find_free_ports(1)[0], migrated_sqlite)
    made.put("三会一课怎么开", made.at(0, 19))
    yield made
    made.close()


@pytest.fixture
def run(world: World, monkeypatch: pytest.MonkeyPatch):
    """``run("--format", "json", …)``: the exit status of ``schedule export`` for next week's 正定县, as an editor."""
    with world.database.write() as session:
        _, token = issue_token(session, get_account(session, "xian"), "测试", now=clock.now())
    monkeypatch.setenv("YUANBO_SERVER", world.url)
    monkeypatch.setenv("YUANBO_TOKEN", token)

    def command(*words: str, region: str = "130123") -> int:
        day = f"{world.monday:%Y-%m-%d}"
        return cli.main(["schedule", "export", "--region", region, "--day", day, *words])

    return command


def test_every_format_is_written_whole(run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    starts = {
        "xmltv": b"<?xml", "ics": b"BEGIN:VCALENDAR", "m3u": b"#EXTM3U", "rss": b"<?xml", "json": b"{", "pdf": b"%PDF",
        "png": b"\x89PNG", "txt": "正定县".encode(),
    }  # fmt: skip
    for form, start in starts.items():
        target = tmp_path / f"listing.{form}"
        assert run("--draft", "--days", "7", "--format", form, "-o", str(target), "--json") == 0
        assert target.read_bytes().startswith(start)
        answer = json.loads(capsys.readouterr().out)
        assert answer == {"file": str(target), "bytes": target.stat().st_size, "format": form}
    assert list(tmp_path.glob(".listing*")) == []


def test_without_a_file_the_listing_goes_to_standard_output(
    run, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run("--draft", "--format", "json") == 0
    document = json.loads(capsysbinary.readouterr().out)
    (line,) = document["channels"]
    assert [item["title"] for item in line["items"]] == ["三会一课怎么开"]


def test_what_was_never_published_is_not_exported(run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--format", "ics") == 1
    assert capsys.readouterr().err == "yuanbo: 节目单还没有发布过\n"


def test_refusals_are_one_line_and_leave_no_file(
    run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "no" / "such" / "folder.ics"
    assert run("--draft", "--format", "ics", "-o", str(target)) == 1
    assert run("--draft", "--format", "ics", "--days", "99") == 1
    assert run("--draft", "--format", "ics", region="999999") == 1
    assert len(capsys.readouterr().err.splitlines()) == 3
    with pytest.raises(SystemExit) as usage:
        run("--format", "docx")
    assert usage.value.code == 2
