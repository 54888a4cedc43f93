"""The agent alone: a wheel, one file that runs as it is, and no call that another system lacks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from client_agent.package import NEEDS, build_wheel, build_zipapp, closure, font_files, own_files
from tests.client_agent.conftest import make_terminal
from tests.client_agent.repository import Source
from tests.client_agent.test_refresh import publish_something

ROOT = Path(__file__).resolve().parents[2]
BASE_PYTHON = getattr(sys, "_base_executable", sys.executable)
"""The Python under the virtual environment: it has none of our packages."""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    return build_wheel(folder, with_font=False), build_zipapp(folder, with_font=False)


def test_equal_sources_make_equal_bytes(built, tmp_path):
    again = build_wheel(tmp_path, with_font=False), build_zipapp(tmp_path, with_font=False)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in built]


def test_nothing_of_the_server_is_in_it(built):
    for path in built:
        names = zipfile.ZipFile(path).namelist()
        assert not [name for name in names if "server/" in name or name.startswith(("tests", "flask"))]
    needed = {package.metadata["Name"].lower() for package in closure(NEEDS)}
    assert needed <= {
        "msgspec",
        "tuf",
        "securesystemslib",
        "urllib3",
        "cryptography",
        "cffi",
        "pycparser",
        "tzdata",
        "segno",
    }
    assert "client_agent/tv/index.html" in own_files()
    assert "client_agent/tv/fonts/noto-sans-sc.css" in font_files()


def test_pip_takes_the_wheel_and_makes_the_command(built, tmp_path):
    words = ["install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    subprocess.run(
        [sys.executable, "-m", "pip", *words, "--target", str(tmp_path / "site"), str(built[0])], check=True
    )
    command = tmp_path / "site" / "bin" / "yuanbo-agent"
    done = subprocess.run(
        [sys.executable, str(command), "--help"], env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "enrol" in done.stdout


def test_the_one_file_runs_a_whole_pass_on_a_bare_python(built, tmp_path, province, machine):
    with Source(province.folder) as source:
        publish_something(province, source)
        make_terminal(tmp_path / "terminal", province, [source.url], machine).close()
        environment = {
            "PATH": os.environ["PATH"], "YUANBO_AGENT_CACHE": str(tmp_path / "cache"), "PYTHONNOUSERSITE": "1",
        }  # fmt: skip
        for _ in range(2):
            done = subprocess.run(
                [BASE_PYTHON, str(built[1]), "sync", "--json", "--data", str(tmp_path / "terminal")],
                env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
            )  # fmt: skip
            assert json.loads(done.stdout)["wanted_files"] >= 0, done.stderr
            assert "Traceback" not in done.stderr
    assert len(list((tmp_path / "cache").iterdir())) == 1, "unpacked once, nothing left beside it"


OTHER_SYSTEM = """
import os, socket, subprocess, sys, time, signal

class Lacking:
    def find_spec(self, name, path=None, target=None):
        if name in ("fcntl", "termios", "pwd", "grp", "resource", "syslog"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Lacking())
for name in ("fcntl", "pwd", "grp", "resource"):
    sys.modules.pop(name, None)
for name in ("pread", "pwrite", "preadv", "pwritev", "posix_fallocate", "fdatasync", "O_DIRECTORY", "O_CLOEXEC",
             "geteuid", "getuid", "fork", "killpg", "setsid", "sync", "statvfs_"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("AF_UNIX", "TCP_QUICKACK"):
    if hasattr(socket, name):
        delattr(socket, name)
for name in ("CLOCK_BOOTTIME", "clock_gettime_ns", "clock_gettime"):
    if hasattr(time, name):
        delattr(time, name)
for name in ("SIGKILL", "SIGSTOP", "SIGHUP", "SIGQUIT", "SIGUSR1"):
    if hasattr(signal, name):
        delattr(signal, name)
import types
sys.modules["msvcrt"] = types.SimpleNamespace(locking=lambda *a: None, LK_NBLCK=2)
"""


def test_a_pass_makes_no_call_that_only_unix_has(tmp_path, province, machine):
    """Windows as far as it can be played here: what it lacks is taken away before the agent is imported."""
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "sitecustomize.py").write_text(OTHER_SYSTEM)
    modules = sorted(path.stem for path in (ROOT / "client_agent").glob("*.py") if path.stem != "__main__")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path / 'path'}{os.pathsep}{ROOT}"}
    imports = "; ".join(f"import client_agent.{name}" for name in modules if name != "__init__")
    subprocess.run([sys.executable, "-c", imports], env=environment, check=True, cwd=tmp_path)
    with Source(province.folder) as source:
        film, _ = publish_something(province, source)
        make_terminal(tmp_path / "terminal", province, [source.url], machine).close()
        done = subprocess.run(
            [sys.executable, "-m", "client_agent", "sync", "--json", "--data", str(tmp_path / "terminal")],
            env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    said = json.loads(done.stdout)
    assert said["refreshed"] in ("new", "partly"), (said, done.stderr)
    assert film
