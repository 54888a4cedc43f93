"""What every test may ask for: databases, a free port, a browser.

A test that touches SQL asks for `database` (or `database_url`, `engine`, `session_factory`) and so runs twice: on
SQLite and on a real PostgreSQL that this run starts itself. Each test gets an empty database of its own with the
tables in place, copied from one that was migrated once. Test doubles that a room needs stand in its own conftest.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tools import translations
from tools.postgres import CannotStart, Cluster
from tools.test import MOST_PROCESSES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session, sessionmaker

    from server.config import S3Settings
    from server.db import Database
    from server.storage import Store
    from tools.s3 import ObjectServer

ROOT = Path(__file__).resolve().parent.parent

# ---------------------------------------------------------------- what runs, and what counts as a failure


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--full", action="store_true", help="also run what is too long for every run (marker: full)"
    )


def pytest_sessionstart() -> None:
    """The catalogues that gettext reads are those of the source, also when pytest is started without ./yuanbo."""
    translations.compile_stale()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the long ones unless they were asked for: deselected, so that a skip always means something.

    Where tests run side by side, a file stays in one process, and so do all files that share one running province;
    what takes longest begins first, or one process would end long after the others.
    """
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group_of(item)))
    items.sort(key=lambda item: LONGEST_FIRST.get(room_of(item), len(LONGEST_FIRST)))
    if config.getoption("--full"):
        return
    long_ones = [item for item in items if item.get_closest_marker("full")]
    if long_ones:
        config.hook.pytest_deselected(items=long_ones)
        items[:] = [item for item in items if not item.get_closest_marker("full")]


LONGEST_FIRST = {
    room: place for place, room in enumerate(("flow", "browser", "console", "transcode", "deploy"))
}
ONE_PROVINCE = frozenset({"browser"})


def room_of(item: pytest.Item) -> str:
    """The folder below tests/ a test stands in."""
    return item.path.relative_to(ROOT / "tests").parts[0]


def group_of(item: pytest.Item) -> str:
    """Tests of one group run in one process."""
    room = room_of(item)
    return room if room in ONE_PROVINCE else str(item.path.relative_to(ROOT))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Under CI a skipped test is a test that did not run: the run fails."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if (
        os.environ.get("CI")
        and reporter
        and reporter.stats.get("skipped")
        and exitstatus == pytest.ExitCode.OK
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if os.environ.get("CI") and terminalreporter.stats.get("skipped"):
        terminalreporter.write_line("CI: a skipped test fails the run", red=True)


# ---------------------------------------------------------------- databases


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with every table and no row; copied, never used itself."""
    path = tmp_path_factory.mktemp("sqlite") / "migrated.sqlite"
    make_tables(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """A real PostgreSQL of this run's own, with a template database that has every table and no row."""
    try:
        cluster = Cluster()
    except CannotStart as reason:
        pytest.fail(str(reason))
    with closing(cluster):
        cluster.create("yuanbo_template")
        make_tables(cluster.url("yuanbo_template"))
        yield cluster


def make_tables(url: str) -> None:
    """Bring an empty database to the newest schema, by the migrations that a real installation runs."""
    from server.migrate import upgrade

    upgrade(url)


@pytest.fixture
def sqlite_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """An empty SQLite database with its tables."""
    path = tmp_path / "test.sqlite"
    shutil.copyfile(migrated_sqlite, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgresql_url(postgresql: Cluster) -> Iterator[str]:
    """An empty PostgreSQL database with its tables."""
    name = postgresql.borrow("yuanbo_template")
    yield postgresql.url(name)
    postgresql.give_back(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The test runs on SQLite and on PostgreSQL."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The application's own way to its database: `with database.write() as session`."""
    from server.db import Database

    with closing(Database(database_url)) as opened:
        yield opened


@pytest.fixture
def engine(database: Database) -> Engine:
    return database.engine


@pytest.fixture
def session_factory(engine: Engine) -> sessionmaker[Session]:
    """Sessions for a test that looks at rows itself."""
    from sqlalchemy.orm import sessionmaker

    return sessionmaker(engine, expire_on_commit=False)


# ---------------------------------------------------------------- objects


@pytest.fixture(scope="session")
def object_server() -> Iterator[ObjectServer]:
    """A real S3 service of this run's own."""
    from tools.s3 import ObjectServer

    with closing(ObjectServer()) as server:
        yield server


@pytest.fixture
def s3_settings(object_server: ObjectServer) -> S3Settings:
    """An empty bucket, and how to reach it."""
    return object_server.bucket()


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """The test runs on the media folder and on S3."""
    from server.config import load
    from server.storage import FolderStore, S3Store

    if request.param == "folder":
        return FolderStore(tmp_path / "media")
    config = load(tmp_path / "data", environ={})
    return S3Store(replace(config, s3=request.getfixturevalue("s3_settings")))


# ---------------------------------------------------------------- places


@pytest.fixture
def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listened on a moment ago."""
    return find_free_ports(1)[0]


@pytest.fixture
def free_ports() -> int:
    """The first of three TCP ports in a row that nobody listened on: `up` takes N, N+1 and N+2."""
    return find_three_free_ports()


PORTS_EACH = 4_000
FIRST_PORT = 12_000
"""Below the range that the kernel gives out by itself (32768 and up), so that nothing takes one meanwhile."""
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % MOST_PROCESSES
_first_ports = iter(
    range(
        FIRST_PORT + WORKER * PORTS_EACH + os.getpid() % 50 * 60,
        FIRST_PORT + (WORKER + 1) * PORTS_EACH - 3,
        3,
    )
)


def find_three_free_ports() -> int:
    """Each process that runs tests looks in a range of its own, and never gives a port twice."""
    for first in _first_ports:
        if all(nobody_listens(first + step) for step in range(3)):
            return first
    raise AssertionError("no three free ports in a row")


def find_free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for opened in sockets:
            opened.bind(("127.0.0.1", 0))
        return [opened.getsockname()[1] for opened in sockets]
    finally:
        for opened in sockets:
            opened.close()


def nobody_listens(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


# ---------------------------------------------------------------- a browser

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER_ARGUMENTS = [
    "--no-sandbox",  # the tests may run as root, where Chromium has none
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One real Chromium for the whole run."""
    from playwright.sync_api import sync_playwright

    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.fail("Chromium is not on PATH: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=BROWSER_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A fresh window, 1280 wide, Chinese. A script error or a breach of the content policy fails the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="zh-CN")
    context.set_default_timeout(15_000)
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(f"{opened.url}: {error}"))
    opened.on("console", lambda said: _note_breach(complaints, said.text))
    yield opened
    context.close()
    assert not complaints, "the page complained: " + "; ".join(complaints)


def _note_breach(complaints: list[str], text: str) -> None:
    if "Content Security Policy" in text:
        complaints.append(text)
