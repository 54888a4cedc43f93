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


MOST_USES = 100
"""Rows that were deleted still lie in the tables: nothing cleans up here (``autovacuum`` is off)."""
Shape = tuple[int, ...] | None
"""Numbers that change with every table, column, index, trigger, function or sequence that is made, changed or dropped."""
_SHAPE = """
SELECT (SELECT count(*) FROM pg_class), (SELECT max(oid::bigint) FROM pg_class), (SELECT count(*) FROM pg_attribute),
       (SELECT count(*) FROM pg_trigger), (SELECT max(oid::bigint) FROM pg_proc), (SELECT count(*) FROM pg_constraint)
"""
_END_OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_DELETES = """
SELECT format('DELETE FROM %I', tablename) FROM pg_tables
WHERE schemaname = 'public' AND tablename <> 'alembic_version'
  AND (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM (SELECT 1 FROM %I LIMIT 1) one', tablename),
       false, true, '')))[1]::text <> '0'
UNION ALL
SELECT format('SELECT setval(%L, 1, false)', quote_ident(sequencename)) FROM pg_sequences
WHERE schemaname = 'public' AND last_value IS NOT NULL
"""
"""The statements that bring a database of the template's shape back to no rows."""


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
        self._free: dict[str, list[str]] = {}
        self._borrowed: dict[str, tuple[str, Shape, int]] = {}
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

    def borrow(self, template: str) -> str:
        """A database as the template, perhaps one that was used before and emptied; return its name."""
        free = self._free.setdefault(template, [])
        if free:
            return free.pop()
        name = self.create_copy(template)
        self._borrowed[name] = (template, self._shape(name), MOST_USES)
        return name

    def give_back(self, name: str) -> None:
        """Empty a borrowed database for the next one, or drop it where its tables are no longer the template's."""
        template, shape, uses_left = self._borrowed.pop(name)
        if uses_left > 1 and self._empty(name, shape):
            self._borrowed[name] = (template, shape, uses_left - 1)
            self._free[template].append(name)
        else:
            self.drop(name)

    def _empty(self, name: str, shape: Shape) -> bool:
        """Whether all rows could be deleted. (Copying a template of some 100 tables takes 80 ms and more, this 15.)"""
        try:
            with psycopg.connect(self.url(name), autocommit=True) as connection:
                connection.execute(_END_OTHERS)
                if connection.execute(_SHAPE).fetchone() != shape:
                    return False
                connection.execute("SET session_replication_role = replica")  # no triggers, keys in any order
                for (statement,) in connection.execute(_DELETES).fetchall():
                    connection.execute(statement.encode())
        except psycopg.Error:
            return False
        return True

    def _shape(self, name: str) -> Shape:
        with psycopg.connect(self.url(name)) as connection:
            return connection.execute(_SHAPE).fetchone()

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
