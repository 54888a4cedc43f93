"""What the run itself promises: nothing is skipped under CI, and long tests run when they are asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(tmp_path):
    (tmp_path / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path / "tests")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)

    def start(test: str, *arguments: str, **environment: str) -> tuple[int, str]:
        (tmp_path / "tests" / "test_one.py").write_text(f"import pytest\n{test}")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *arguments],
            cwd=tmp_path,
            env={
                **{k: v for k, v in os.environ.items() if k != "CI"},
                "PYTHONPATH": str(ROOT),
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.returncode, done.stdout

    return start


SKIPPING = "def test_a(): pass\ndef test_b(): pytest.skip('no reason')\n"
LONG = "def test_a(): pass\n@pytest.mark.full\ndef test_b(): pass\n"


def test_a_skipped_test_fails_a_ci_run_and_no_other(run):
    assert run(SKIPPING)[0] == 0
    status, said = run(SKIPPING, CI="true")
    assert status == 1
    assert "1 passed, 1 skipped" in said.splitlines()[-1]


def test_long_tests_run_only_when_asked_for_and_do_not_count_as_skipped(run):
    status, said = run(LONG, CI="true")
    assert (status, "1 passed, 1 deselected" in said.splitlines()[-1]) == (0, True)
    assert "2 passed" in run(LONG, "--full")[1].splitlines()[-1]


def test_a_wrong_marker_is_an_error(run):
    assert run("@pytest.mark.brwoser\ndef test_a(): pass\n")[0] != 0
