"""The import rules catch what they are for. Tried on a small tree of the same shape, with the project's own rules."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = [
    "regions",
    "identity",
    "stations",
    "catalog",
    "transcode",
    "schedule",
    "publish",
    "stats",
    "helpdesk",
    "supervision",
    "console",
]


@pytest.fixture
def check(tmp_path):
    """Writes files into the small tree and returns the broken contracts' report, empty when all are kept."""
    for folder in ("protocol", "client_agent", "server", *(f"server/{room}" for room in ROOMS), "tools"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").touch()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copy(ROOT / "tools" / "contracts.py", tmp_path / "tools")

    def run(**files: str) -> str:
        for name, text in files.items():
            path = tmp_path / (name.replace("__", "/") + ".py")
            path.write_text(text)
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_logo=True))",
            ],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert "Contracts:" in done.stdout, done.stdout + done.stderr
        return done.stdout.partition("Broken contracts")[2] if done.returncode else ""

    return run


def test_a_tree_that_keeps_the_rules_passes(check):
    assert (
        check(
            server__catalog__models="import sqlalchemy\nfrom server import db\n",
            server__catalog__service="from server.catalog import models\nfrom server.identity import models as people\n",
            server__catalog__pages="import flask\nfrom server.catalog import service\n",
            server__identity__models="",
            server__db="import sqlalchemy\nimport protocol\n",
            server__app="import flask\nfrom server.catalog import pages\n",
            server__publish__trust_keys="import tuf\n",
            client_agent__trust="import tuf\nimport protocol\n",
        )
        == ""
    )


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        (
            {"server__catalog__service": "import server.schedule"},
            "server.catalog is not allowed to import server.schedule",
        ),
        ({"server__db": "import server.catalog"}, "server.db imports server.catalog"),
        (
            {"server__catalog__models": "import server.catalog.service", "server__catalog__service": ""},
            "server.catalog.models is not allowed to import server.catalog.service",
        ),
        (
            {"client_agent__store": "import server.db", "server__db": ""},
            "client_agent is not allowed to import server",
        ),
        ({"server__db": "import client_agent"}, "server is not allowed to import client_agent"),
        ({"protocol__merge": "import client_agent"}, "protocol is not allowed to import client_agent"),
        ({"server__catalog__service": "from flask import g"}, "server.catalog.service imports flask"),
        ({"server__catalog__service": "import minio"}, "server.catalog.service imports minio"),
        ({"server__transcode__ladder": "import ffmpeg"}, "server.transcode.ladder imports ffmpeg"),
        ({"server__worker": "import apscheduler"}, "server.worker imports apscheduler"),
        ({"server__publish__service": "from tuf.api import metadata"}, "server.publish.service imports tuf"),
        (
            {
                "server__schedule__resolve": "from server.schedule import helper",
                "server__schedule__helper": "import sqlalchemy",
            },
            "server.schedule.resolve -> server.schedule.helper -> sqlalchemy",
        ),
        ({"protocol__merge": "import sqlite3"}, "protocol.merge -> sqlite3"),
    ],
)
def test_each_rule_names_what_breaks_it(check, files, complaint):
    report = " ".join(check(**files).split())
    assert complaint in report


def test_the_real_tree_keeps_the_rules():
    from tools.check import imports

    assert imports() == []
