"""A PostgreSQL cluster for the length of a test run or a benchmark: real, fast, and gone afterwards.

It listens on a Unix socket in its own folder only, keeps nothing through a crash (`fsync=off`), and never runs as
root: as root it is started under the account `postgres`, or `nobody`. When the process that started it dies, however
it dies, the kernel stops it.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 20
PR_SET_PDEATHSIG = 1
ACCOUNTS_INSTEAD_OF_ROOT = ("postgres", "nobody")
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "max_wal_size": "1GB",
    "timezone": "UTC",
}


class CannotStart(Exception):
    """PostgreSQL is not here or does not start; the message is one line."""


def find_programs() -> Path:
    """The folder with initdb and postgres: from PATH, else the newest of Debian's. Raises CannotStart."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if not folders:
        raise CannotStart("PostgreSQL is not here: apt install postgresql")
    return max(folders, key=lambda folder: int(folder.parent.name))


class Cluster:
    """A running server. Databases are made, copied and dropped by name; `close` stops it and removes its folder."""

    def __init__(self) -> None:
        self._programs = find_programs()
        self._account = _unprivileged_account()
        self._folder = Path(tempfile.mkdtemp(prefix="yuanbo-pg-"))
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        try:
            if self._account:
                os.chown(self._folder, self._account.pw_uid, self._account.pw_gid)
            self._initialise()
            self._start()
        except BaseException:
            self.close()
            raise

    def url(self, database: str) -> str:
        """The database's URL as `server.config` takes it."""
        return f"postgresql://postgres@/{database}?host={self._folder}"

    def create(self, name: str) -> str:
        """Make an empty database; return its name."""
        return self._execute(f'CREATE DATABASE "{name}"', name)

    def create_copy(self, template: str) -> str:
        """Make a copy of a database that nobody is connected to; return its name."""
        name = f"copy_{next(self._numbers)}"
        return self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"', name)

    def drop(self, name: str) -> None:
        """Drop a database, whoever is still connected."""
        self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', name)

    def close(self) -> None:
        """Stop the server and remove its folder."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGQUIT)
                self._process.wait(STOP_TIMEOUT_S)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _execute(self, statement: str, name: str) -> str:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())
        return name

    def _initialise(self) -> None:
        arguments = [
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]
        done = self._spawn("initdb", *arguments, f"--pgdata={self._folder / 'data'}", log="initdb.log").wait(
            START_TIMEOUT_S
        )
        if done:
            raise CannotStart(f"initdb failed: {self._last_line('initdb.log')}")

    def _start(self) -> None:
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        place = f"--unix_socket_directories={self._folder}"
        self._process = self._spawn(
            "postgres", "-D", str(self._folder / "data"), place, *settings, log="server.log"
        )
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
                return
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise CannotStart(f"PostgreSQL did not start: {self._last_line('server.log')}") from error
                time.sleep(0.05)

    def _spawn(self, program: str, *arguments: str, log: str) -> subprocess.Popen[bytes]:
        with (self._folder / log).open("wb") as output:
            return subprocess.Popen(
                [str(self._programs / program), *arguments],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=self._account.pw_uid if self._account else None,
                group=self._account.pw_gid if self._account else None,
                extra_groups=[] if self._account else None,
                preexec_fn=_stop_with_parent,  # noqa: PLW1509  -- one prctl call, no thread is started before it
                start_new_session=True,
            )

    def _last_line(self, log: str) -> str:
        lines = (self._folder / log).read_text("utf-8", "replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "it said nothing")


def _unprivileged_account() -> pwd.struct_passwd | None:
    """Whom the server runs as when we are root; None when we are not."""
    if os.geteuid() != 0:
        return None
    for name in ACCOUNTS_INSTEAD_OF_ROOT:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise CannotStart("PostgreSQL never runs as root, and there is no account postgres or nobody")


_libc = ctypes.CDLL(None)


def _stop_with_parent() -> None:
    """In the child: be told to shut down at once when the parent dies."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
