"""Courses, topics, new cuts, subtitles and attachments from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fpdf import FPDF

from server.catalog import programmes
from server.catalog.models import AssetState
from server.catalog.programmes import NewProgramme
from server.cli import main
from server.db import Database
from server.identity.rules import Caller
from tests.catalog.conftest import NOW, Server

Run = Callable[..., Any]


@pytest.fixture
def run(server: Server, bearer: Callable[[str], dict[str, str]], capsys: pytest.CaptureFixture[str]) -> Run:
    """``run("topic-put", "--title", "春耕")``: what the command printed as JSON."""
    token = bearer("county")["Authorization"].removeprefix("Bearer ")

    def call(*arguments: str, status: int = 0) -> Any:
        common = ["--json", "--server", server.url, "--token", token]
        assert main(["catalog", *arguments, *common]) == status
        out = capsys.readouterr().out
        return json.loads(out) if out else None

    return call


@pytest.fixture
def programme(database: Database, people: dict[str, Caller], asset: Callable[..., str]) -> str:
    new = NewProgramme(title="节目", section="kepu", asset_id=asset(people["county"], AssetState.READY))
    with database.write() as session:
        made = programmes.create_programme(session, people["county"], new, now=NOW)
        made.editions[0].asset.duration_ms = 60_000
        return made.id


def test_courses_and_topics_are_made_changed_and_listed(run: Run, programme: str) -> None:
    course = run("course-put", "--title", "果树", "--programmes", programme)
    assert run("course-put", "--id", course["id"], "--title", "果树四季")["title"] == "果树四季"
    assert [one["title"] for one in run("course-list")["items"]] == ["果树四季"]
    span = ("--starts-at", "2026-12-01T00:00:00.000Z", "--until", "2027-03-01T00:00:00.000Z")
    topic = run("topic-put", "--title", "春耕", *span, "--required", "--programmes", programme)
    assert topic["required"] is True
    assert run("topic-end", topic["id"])["ended_at"]
    assert len(run("topic-list")["items"]) == 1
    run("topic-put", "--title", "没有起止", status=1)


def test_subtitles_notes_and_a_new_cut(run: Run, programme: str, tmp_path: Path) -> None:
    cues = tmp_path / "a.srt"
    cues.write_text("1\n00:00:01,000 --> 00:00:02,000\n你好\n", "gbk")
    notes = FPDF()
    notes.add_page()
    notes.output(str(tmp_path / "讲义.pdf"))
    run("subtitles", programme, str(cues))
    changed = run("attach", programme, str(tmp_path / "讲义.pdf"), "--title", "讲义")
    assert sorted(one["kind"] for one in changed["files"]) == ["attachment", "subtitles"]
    run("subtitles", programme, str(tmp_path / "没有.srt"), status=2)
    run("edition", programme, "--recipe", '{"in_ms": 500}', status=1)  # the first is still under way
    run("edition", programme, "--recipe", "{", status=2)
