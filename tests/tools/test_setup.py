"""`./yuanbo` on machines that can and cannot serve: tried on a copy of it in an empty folder with stand-in steps.

The real set-up (pip, npm, fonts) is what this test run itself was started by; here the rules around it are held.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FAKE_STEP = """
import os, sys, time
from pathlib import Path
with open(os.environ["STEPS"], "a") as log:
    log.write(Path(__file__).stem + "\\n")
if os.environ.get("HANG_IN") == Path(__file__).stem:
    print("hanging", flush=True)
    time.sleep(60)
"""
FAKE_WEB_PARTS = (
    FAKE_STEP
    + """
web = Path("web_dist")
(web / "fonts").mkdir(parents=True, exist_ok=True)
(web / ".stamp").write_text(Path("package-lock.json").read_text() + Path(__file__).read_text())
"""
)
FAKE_FONTS = FAKE_STEP + 'Path("web_dist/fonts/.stamp").write_text(Path(__file__).read_text())\n'
FAKE_MODULE = "import json, sys; print(json.dumps([sys.argv[1:], sys.path[:2], sorted(sys.modules)]))"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path)


def make_folder(tmp_path: Path) -> Path:
    """A small copy of the project whose requirement files ask for nothing and whose steps only write that they ran."""
    project = tmp_path / "项目 with spaces"
    for name in ("tools", "server", "client_agent"):
        (project / name).mkdir(parents=True)
        (project / name / "__init__.py").touch()
    shutil.copy(ROOT / "yuanbo", project / "yuanbo")
    for name in ("requirements.txt", "requirements-test.txt", "package-lock.json"):
        (project / name).write_text("# nothing\n")
    (project / "tools" / "webparts.py").write_text(FAKE_WEB_PARTS)
    (project / "tools" / "fontfaces.py").write_text(FAKE_FONTS)
    for module in ("server/cli.py", "client_agent/__main__.py", "tools/test.py"):
        (project / module).write_text(FAKE_MODULE)
    return project


@pytest.fixture(scope="module")
def set_up_once(tmp_path_factory) -> Path:
    """A folder after its first start; making an environment takes three seconds."""
    folder = make_folder(tmp_path_factory.mktemp("template"))
    assert run(folder, "up")[0] == 0
    return folder


@pytest.fixture
def ready(set_up_once: Path, tmp_path: Path) -> Path:
    """A folder of the test's own in which everything is there."""
    target = tmp_path / set_up_once.name
    shutil.copytree(set_up_once, target, symlinks=True)
    return target


def environment(folder: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "STEPS": str(folder.parent / "steps"), "PYTHONPATH": "", **more}


def start(
    folder: Path, *arguments: str, python: list[str] | None = None, **more: str
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*(python or [sys.executable]), str(folder / "yuanbo"), *arguments],
        env=environment(folder, **more),
        cwd=folder.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(folder: Path, *arguments: str, **more: str) -> tuple[int, str, str]:
    process = start(folder, *arguments, **more)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def steps(folder: Path) -> list[str]:
    log = folder.parent / "steps"
    return sorted(log.read_text().split()) if log.exists() else []


def test_first_start_makes_everything_and_the_second_makes_nothing(folder):
    status, out, err = run(folder, "station", "list")
    assert (status, steps(folder)) == (0, ["fontfaces", "webparts"])
    assert '[["station", "list"]' in out
    assert "准备" in err
    status, _, err = run(folder, "station", "list")
    assert (status, err, steps(folder)) == (0, "", ["fontfaces", "webparts"])


def test_a_changed_lock_file_is_installed_again(ready):
    (ready / "package-lock.json").write_text("# other\n")
    run(ready)
    assert steps(ready) == ["webparts"]


def test_agent_commands_never_import_the_server(ready):
    status, out, _ = run(ready, "agent", "sync")
    assert status == 0
    assert '[["sync"]' in out
    assert '"server' not in out


def test_the_folder_a_user_stands_in_is_no_place_for_imports(ready):
    (ready.parent / "server").mkdir()
    (ready.parent / "server" / "__init__.py").write_text("raise SystemExit('imported from the wrong place')")
    assert run(ready, "doctor")[0] == 0


def test_test_requirements_are_installed_only_for_developers(ready):
    assert not (ready / ".venv" / ".installed-requirements-test.txt").exists()
    run(ready, "test")
    assert (ready / ".venv" / ".installed-requirements-test.txt").exists()


def test_two_first_starts_at_once_make_everything_once(folder):
    both = [start(folder, "up"), start(folder, "up")]
    said = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert steps(folder) == ["fontfaces", "webparts"]
    assert sum("waiting for it" in text for text in said) == 1


def test_a_killed_set_up_is_made_again_from_nothing(folder):
    first = start(folder, "up", HANG_IN="fontfaces")
    wait_until(lambda: "fontfaces" in steps(folder))
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    (folder / ".venv" / ".setup-unfinished").touch()  # as if it had been killed while pip was writing
    (folder / ".venv" / "half-written").touch()
    status, _, _ = run(folder, "up")
    assert status == 0
    assert not (folder / ".venv" / "half-written").exists()
    assert not (folder / ".venv" / ".setup-unfinished").exists()


def test_packages_that_cannot_be_installed_are_named_in_one_line(ready):
    (ready / "requirements.txt").write_text("yuanbo-no-such-package @ file:///nowhere/at-all.whl\n")
    status, _, err = run(ready, "up")
    assert status == 2
    last = err.strip().splitlines()[-1]
    assert last.startswith("yuanbo: ")
    assert "at-all.whl" in last


def test_a_python_without_venv_is_named_in_one_line(folder, tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "ensurepip.py").write_text("raise ImportError('Debian ships Python without it')")
    status, _, err = run(folder, "up", PYTHONPATH=str(tmp_path / "broken"))
    assert (status, len(err.strip().splitlines())) == (2, 1)
    assert "apt install python3-venv" in err


def test_an_old_python_is_named_in_one_line(folder):
    pretend = "import sys, runpy; sys.version_info = (3, 9, 2); sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    process = start(folder, "up", python=[sys.executable, "-c", pretend])
    _, err = process.communicate(timeout=60)
    assert (process.returncode, len(err.strip().splitlines())) == (2, 1)
    assert "3.11" in err
    assert "3.9" in err


def test_a_linked_environment_is_left_to_its_owner(ready, tmp_path):
    (ready / ".venv").rename(tmp_path / "elsewhere")
    (ready / ".venv").symlink_to(tmp_path / "elsewhere")
    (ready / "requirements.txt").write_text("yuanbo-no-such-package @ file:///nowhere/at-all.whl\n")
    assert run(ready, "up")[0] == 0


def wait_until(condition, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
