"""`./yuanbo test [pytest arguments] [--full]`: installs what the tests need, then becomes pytest.

As root the Debian packages are installed when their programs are missing; otherwise one line names the command.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tools import postgres

ROOT = Path(__file__).resolve().parent.parent
MEMORY = "/dev/shm"  # noqa: S108  -- asked for its room before it is used
MEMORY_NEEDED_BYTES = 6 * 1024**3
POLICY = Path("/usr/sbin/policy-rc.d")

USAGE = """\
./yuanbo test [--full] [pytest arguments]

Runs the tests: unit, contract, flow (server and agent as real processes) and browser (a real Chromium). What touches
SQL runs on SQLite and on a PostgreSQL that the run starts itself.

  ./yuanbo test                      everything but what is too long for every run
  ./yuanbo test --full               that too
  ./yuanbo test tests/schedule -x    one room, up to the first failure
  ./yuanbo test -m "not browser"     by marker: browser, flow, full
  ./yuanbo test -n 0                 one after another, in this process

Without a path the tests run side by side, one process for each core (at most four).
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
    "mpv": lambda: shutil.which("mpv") is not None,
    "strace": lambda: shutil.which("strace") is not None,
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


@contextmanager
def fast_folder() -> Iterator[str | None]:
    """A folder in memory for what tests write, gone afterwards; None where memory is short.

    Every transaction is synced to disk by design; 1,600 tests wait for that twice as long as they compute.
    """
    try:
        room = shutil.disk_usage(MEMORY).free
    except OSError:
        room = 0
    if room < MEMORY_NEEDED_BYTES or not os.access(MEMORY, os.W_OK):
        yield None
        return
    folder = tempfile.mkdtemp(prefix="yuanbo-test-", dir=MEMORY)
    os.chmod(folder, 0o755)  # noqa: PTH101, S103  -- PostgreSQL runs under an account of its own inside
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


MOST_PROCESSES = 4


def side_by_side(arguments: list[str], cores: int) -> list[str]:
    """The options that share the tests among processes: only for a run of everything, and if nobody chose himself."""
    chosen = any(argument.startswith(("-n", "--numprocesses", "--dist", "--pdb")) for argument in arguments)
    paths = any((ROOT / argument.split("::")[0]).exists() for argument in arguments if argument[:1] != "-")
    if chosen or paths or cores < 2:
        return []
    return ["-n", str(min(cores, MOST_PROCESSES)), "--dist", "loadgroup", "--no-loadscope-reorder"]


def run_pytest(arguments: list[str]) -> int:
    """Run pytest to its end, whatever signal comes; its closing line stays the last one."""
    with fast_folder() as folder:
        environment = {**os.environ, **({"TMPDIR": folder} if folder else {})}
        shared = side_by_side(arguments, len(os.sched_getaffinity(0)))
        command = [sys.executable, "-m", "pytest", *shared, *arguments]
        process = subprocess.Popen(command, cwd=ROOT, env=environment)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches pytest too, which ends in its own way
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        return process.wait()


def main(arguments: list[str]) -> int:
    if arguments in (["--help"], ["-h"]):
        sys.stdout.write(USAGE)
        return 0
    try:
        install_missing()
    except CannotTest as reason:
        sys.stderr.write(f"yuanbo test: {reason}\n")
        return 2
    sys.stdout.flush()
    return run_pytest(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
