"""The systemd units are read by systemd itself, and what they start exists."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNITS = sorted((ROOT / "deploy").glob("*/*.service"))
PYTHON_UNITS = [unit for unit in UNITS if "/opt/yuanbo/.venv" in unit.read_text("utf-8")]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_no_fault_in_the_unit(unit, tmp_path):
    analyze = shutil.which("systemd-analyze")
    assert analyze, "systemd-analyze is not on PATH: apt install systemd"
    text = unit.read_text("utf-8").replace("/opt/yuanbo/.venv/bin/python", sys.executable)
    text = text.replace("/opt/yuanbo-agent/yuanbo-agent.pyz", sys.executable)
    text = re.sub(
        "/usr/bin/(cage|chromium)", shutil.which("true") or "/bin/true", text
    )  # the station's, not ours
    installed = tmp_path / unit.name.replace("@", "@1")
    installed.write_text(text.replace("/opt/yuanbo", str(ROOT)))
    done = subprocess.run(
        [analyze, "verify", "--man=no", "--recursive-errors=no", str(installed)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"},
        timeout=60,
    )
    complaints = [
        line for line in done.stderr.splitlines() if unit.name.split("@")[0].removesuffix(".service") in line
    ]
    assert (done.returncode, complaints) == (0, [])


@pytest.mark.parametrize("unit", PYTHON_UNITS, ids=lambda unit: unit.name)
def test_what_the_unit_starts_exists(unit):
    start = next(line for line in unit.read_text("utf-8").splitlines() if line.startswith("ExecStart="))
    words = start.removeprefix("ExecStart=").split()
    assert words[:2] == ["/opt/yuanbo/.venv/bin/python", "-m"]
    assert find_spec(words[2]) is not None
    for word in words[3:]:
        if word.startswith("/opt/yuanbo/"):
            assert (ROOT / word.removeprefix("/opt/yuanbo/")).exists()


def test_gunicorn_accepts_its_settings():
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "gunicorn",
            "--check-config",
            "-c",
            str(ROOT / "deploy" / "gunicorn.conf.py"),
            "wsgiref.simple_server:demo_app",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["yuanbo-agent.service", "yuanbo-agent-mpv.service"])
def test_the_stations_agent_understands_its_words(name):
    unit = (ROOT / "deploy" / "station" / name).read_text("utf-8")
    words = re.search(r"yuanbo-agent\.pyz (.*)", unit).group(1).split()
    from client_agent.cli import _parser

    options = _parser().parse_args(words)
    assert options.setup, "a new box asks for its code on the television"
    kiosk = (ROOT / "deploy" / "station" / "yuanbo-kiosk.service").read_text("utf-8")
    assert f"http://127.0.0.1:{options.port}/" in kiosk
    assert "--autoplay-policy=no-user-gesture-required" in kiosk


def test_the_stations_units_are_closed_up():
    """Own user, nothing of the system writable, bounded memory, no privileges; and they start again for ever."""
    for unit in (ROOT / "deploy" / "station").glob("yuanbo-agent*.service"):
        text = unit.read_text("utf-8")
        for line in ("User=yuanbo-agent", "ProtectSystem=strict", "NoNewPrivileges=yes", "CapabilityBoundingSet=",
                     "Restart=always", "StateDirectory=yuanbo-agent"):  # fmt: skip
            assert line in text, (unit.name, line)
        assert "MemoryMax=" in text
