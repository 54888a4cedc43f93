"""`./yuanbo test [pytest arguments] [--full]`: installs what the tests need, then becomes pytest.

As root the Debian packages are installed when their programs are missing; otherwise one line names the command.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tools import postgres

ROOT = Path(__file__).resolve().parent.parent
POLICY = Path("/usr/sbin/policy-rc.d")

USAGE = """\
./yuanbo test [--full] [pytest arguments]

Runs the tests: unit, contract, flow (server and agent as real processes) and browser (a real Chromium). What touches
SQL runs on SQLite and on a PostgreSQL that the run starts itself.

  ./yuanbo test                      everything but what is too long for every run
  ./yuanbo test --full               that too
  ./yuanbo test tests/schedule -x    one room, up to the first failure
  ./yuanbo test -m "not browser"     by marker: browser, flow, full
"""


def has_postgresql() -> bool:
    try:
        postgres.find_programs()
    except postgres.CannotStart:
        return False
    return True


def has_library(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


# Debian package: whether the machine already has what the tests want of it. No fonts: the pages must do without.
NEEDED: dict[str, Callable[[], bool]] = {
    "chromium": lambda: any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")),
    "libatomic1": lambda: has_library("libatomic.so.1"),  # Playwright's own Node wants it
    "postgresql": has_postgresql,
    "systemd": lambda: shutil.which("systemd-analyze") is not None,
    "nginx-light": lambda: shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is not None,
}


class CannotTest(Exception):
    """The machine lacks something that tests need; the message is one line."""


def install_missing() -> None:
    """Install the Debian packages that are missing. Raises CannotTest."""
    missing = [package for package, is_there in NEEDED.items() if not is_there()]
    if not missing:
        return
    command = f"apt-get install --no-install-recommends {' '.join(missing)}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise CannotTest(f"测试需要先安装 / the tests need, as root: {command}")
    sys.stderr.write(f"yuanbo test: {command}\n")
    apt("update")
    with no_service_starts():
        apt("install", "--yes", "--no-install-recommends", *missing)


@contextmanager
def no_service_starts() -> Iterator[None]:
    """While packages are installed, none of their services starts: the tests start their own, on their own ports.

    Debian asks this file before it starts anything; an administrator's own file is left alone and obeyed.
    """
    try:
        with POLICY.open("x") as file:
            file.write("#!/bin/sh\nexit 101\n")
    except FileExistsError:
        yield
        return
    try:
        POLICY.chmod(0o755)
        yield
    finally:
        POLICY.unlink()


def apt(*arguments: str) -> None:
    """Run apt-get without questions; raise CannotTest with its last complaint."""
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    done = subprocess.run(
        ["apt-get", "-q", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise CannotTest(f"apt-get {arguments[0]}: {said[-1] if said else done.returncode}")


def main(arguments: list[str]) -> int:
    if arguments in (["--help"], ["-h"]):
        sys.stdout.write(USAGE)
        return 0
    try:
        install_missing()
    except CannotTest as reason:
        sys.stderr.write(f"yuanbo test: {reason}\n")
        return 2
    os.chdir(ROOT)
    sys.stdout.flush()
    return os.execv(sys.executable, [sys.executable, "-m", "pytest", *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
