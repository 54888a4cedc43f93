"""The measurement harness says the same to people and programs."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from bench import __main__ as harness

STARTING = SimpleNamespace(
    BASELINE="a bare Python process",
    LIMITS={"start_s": 1.5},
    run=lambda: {"start_s": 0.25, "baseline_start_s": 0.05},
)


@pytest.fixture
def one_measurement(monkeypatch):
    def put(module):
        monkeypatch.setattr(harness, "names", lambda: ["starting"])
        monkeypatch.setattr(harness, "import_module", lambda _name: module)

    return put


def test_a_program_reads_one_object_a_line_with_exactly_three_members(one_measurement, capsys):
    one_measurement(STARTING)
    assert harness.main(["starting", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "bench": "starting",
        "figures": {"start_s": 0.25, "baseline_start_s": 0.05},
        "baseline": "a bare Python process",
    }


@pytest.mark.parametrize("bound", [{"LIMITS": {"start_s": 0.1}}, {"FLOORS": {"start_s": 0.3}}])
def test_a_figure_beyond_its_limit_or_floor_is_marked_and_fails(one_measurement, capsys, bound):
    one_measurement(SimpleNamespace(BASELINE="nothing", run=lambda: {"start_s": 0.25}, **bound))
    assert harness.main([]) == 1
    assert "← beyond" in capsys.readouterr().out


def test_an_unknown_measurement_is_wrong_usage():
    done = subprocess.run(
        [sys.executable, "-m", "bench", "no-such"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert "no-such" in done.stderr
