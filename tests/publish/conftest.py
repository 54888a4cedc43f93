"""An installation with reviewed programmes, and a real python-tuf client that reads its read plane."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import Updater, UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface

from protocol.pieces import piece_layer_of
from protocol.times import SHANGHAI
from server import config as settings
from server.catalog import models as catalog
from server.catalog import service as programmes
from server.catalog.models import Stage
from server.catalog.programmes import NewProgramme, create_programme
from server.config import Config
from server.db import Database, new_id
from server.identity.rules import Caller, Role
from server.publish import queue, service
from server.publish.background import Publishing
from server.publish.models import ChangeState, WaitingChange
from server.readplane import newest_root
from server.regions.models import Region
from server.schedule import service as schedule
from server.storage import FolderStore, media_key, pieces_key

NOW = datetime(2026, 12, 5, 4, 0, tzinfo=UTC)
EVENING = datetime(2026, 12, 5, 19, 0, tzinfo=SHANGHAI)
REGIONS = (
    ("13", None, "province", "河北省"),
    ("1301", "13", "city", "石家庄市"),
    ("130123", "1301", "county", "正定县"),
    ("1307", "13", "city", "张家口市"),
    ("130726", "1307", "county", "蔚县"),
)


def somebody(role: Role, region: str = "13") -> Caller:
    return Caller(new_id(), f"{role}-{region}", f"{role.value} {region}", ((role, region),))


ADMIN = somebody(Role.PROVINCE_ADMIN)
EDITOR = somebody(Role.PROVINCE_EDITOR)
COUNTY = somebody(Role.COUNTY_EDITOR, "130123")
REVIEWERS = {
    Stage.FIRST: somebody(Role.FIRST_REVIEWER),
    Stage.SECOND: somebody(Role.SECOND_REVIEWER),
    Stage.FINAL: somebody(Role.FINAL_REVIEWER),
}


@dataclass
class Installation:
    """One province with its database, folders and people; time moves only when told to."""

    database: Database
    config: Config
    store: FolderStore
    now: datetime = NOW

    def upload(self, title: str, *, seconds: int = 60, by: Caller = EDITOR) -> str:
        """A programme with an encoded first edition, not yet reviewed; the edition's id."""
        content = hashlib.sha256(title.encode()).digest() * 40_000  # 1.25 MB: two pieces
        layer = piece_layer_of(content)
        self.store.put_bytes(media_key(layer.sha256), content)
        self.store.put_bytes(pieces_key(layer.root), layer.layer)
        with self.database.write() as session:
            asset = catalog.Asset(
                filename=f"{title}.mp4",
                path=f"uploads/{title}",
                size=len(content),
                sha256=hashlib.sha256(b"source of " + content).hexdigest(),
                state=catalog.AssetState.READY,
                duration_ms=seconds * 1000,
                uploaded_by=by.id,
                created_at=self.now,
            )
            session.add(asset)
            session.flush()
            session.add(
                catalog.Rendition(
                    asset_id=asset.id,
                    profile="360p",
                    profile_version=1,
                    sha256=layer.sha256,
                    length=layer.length,
                    pieces_root=layer.root,
                    width=640,
                    height=360,
                    bitrate=400_000,
                    duration_ms=seconds * 1000,
                    created_at=self.now,
                )
            )
            new = NewProgramme(title=title, section="dangjian", asset_id=asset.id)
            return create_programme(session, by, new, now=self.now).editions[0].id

    def review(self, edition: str) -> None:
        with self.database.write() as session:
            programmes.submit(session, EDITOR, edition, now=self.now)
            for stage, reviewer in REVIEWERS.items():
                programmes.decide(session, reviewer, edition, stage, approve=True, now=self.now)

    def release(self, title: str, *, seconds: int = 60) -> str:
        """A programme through all three reviews; the edition's id."""
        edition = self.upload(title, seconds=seconds)
        self.review(edition)
        return edition

    def place(self, edition: str, *, at: datetime = EVENING, region: str = "13", by: Caller = EDITOR) -> str:
        with self.database.write() as session:
            slot = schedule.put_slot(
                session, by, region=region, starts_at=at, programme_id=edition, now=self.now
            )
            return slot.id

    def initialise(self) -> None:
        service.initialise(self.config, self.database, now=self.now)

    def publish(self, **more) -> service.PublicationResult:
        return service.publish(self.database, self.config, self.store, now=self.now, by="测试", **more)

    def worker(self) -> Publishing:
        """The background publisher of a worker that has just begun."""
        return Publishing(self.database, self.config, self.store, lambda: self.now)

    def changes(self) -> service.PublicationResult:
        """What goes out by itself now."""
        return service.publish_changes(self.database, self.config, self.store, now=self.now)

    def waiting(self, *states: ChangeState) -> list[WaitingChange]:
        with self.database.read() as session:
            return list(queue.waiting(session, ADMIN, states=states or (ChangeState.WAITING,)))

    def later(self, **span) -> None:
        self.now += timedelta(**span)


class FolderFetcher(FetcherInterface):
    """Serves ``r/…`` from the folder a web server would serve."""

    def __init__(self, read: Path) -> None:
        self.read = read

    def _fetch(self, url: str):
        path = self.read / url.removeprefix("http://read/")
        if not path.is_file():
            raise DownloadHTTPError("not found", 404)
        yield path.read_bytes()


@dataclass
class Terminal:
    """A python-tuf client as strict as a village's agent; keeps what it trusts between polls."""

    read: Path
    home: Path
    now: datetime
    root: bytes
    fetcher: FolderFetcher = field(init=False)

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.fetcher = FolderFetcher(self.read)

    def poll(self) -> Updater:
        """Refresh to what is served now. Raises whatever python-tuf raises."""
        updater = Updater(
            str(self.home),
            "http://read/r/metadata/",
            str(self.home),
            "http://read/r/targets/",
            fetcher=self.fetcher,
            config=UpdaterConfig(prefix_targets_with_hash=True),
            bootstrap=self.root,
        )
        updater._trusted_set.reference_time = self.now
        updater.refresh()
        return updater

    def fetch(self, target: str) -> bytes | None:
        """A target's verified bytes, or None where the metadata lacks it."""
        updater = self.poll()
        info = updater.get_targetinfo(target)
        if info is None:
            return None
        return Path(updater.download_target(info, str(self.home / "target"))).read_bytes()

    def versions(self) -> tuple[int, int]:
        """Timestamp's and snapshot's version after a poll."""
        trusted = self.poll()._trusted_set
        return trusted.timestamp.version, trusted.snapshot.version


def installation(database_url: str, data: Path) -> Installation:
    config = replace(settings.load(data, environ={}), database_url=database_url)
    return Installation(Database(database_url), config, FolderStore(config.media))


def make_initialised(database_url: str, data: Path) -> None:
    """Some regions, sections, the default channel, keys and the first, empty publication."""
    made = installation(database_url, data)
    made.config.make_folders()
    with made.database.write() as session:
        for code, parent, level, name in REGIONS:
            session.add(Region(code=code, parent=parent, level=level, name=name))
            session.flush()
        programmes.seed(session)
        schedule.seed(session)
    made.initialise()
    made.database.close()


@pytest.fixture(scope="session")
def initialised_sqlite(migrated_sqlite, tmp_path_factory) -> Path:
    """A folder with an initialised installation, ``test.sqlite`` and ``data``; copied, never used itself."""
    folder = tmp_path_factory.mktemp("installation")
    shutil.copyfile(migrated_sqlite, folder / "test.sqlite")
    make_initialised(f"sqlite:///{folder / 'test.sqlite'}", folder / "data")
    return folder


@pytest.fixture(scope="session")
def initialised_postgresql(postgresql, tmp_path_factory) -> tuple[str, Path]:
    """The same on PostgreSQL: the name of a database to copy, and the folder."""
    folder = tmp_path_factory.mktemp("installation")
    name = postgresql.create_copy("yuanbo_template")
    make_initialised(postgresql.url(name), folder / "data")
    return name, folder


@pytest.fixture
def sqlite_province(initialised_sqlite, tmp_path) -> Iterator[Installation]:
    """An installation with its root and first publication, before any programme."""
    shutil.copyfile(initialised_sqlite / "test.sqlite", tmp_path / "test.sqlite")
    shutil.copytree(initialised_sqlite / "data", tmp_path / "data")
    made = installation(f"sqlite:///{tmp_path / 'test.sqlite'}", tmp_path / "data")
    yield made
    made.database.close()


@pytest.fixture
def postgresql_province(postgresql, initialised_postgresql, tmp_path) -> Iterator[Installation]:
    """The same on PostgreSQL."""
    template, folder = initialised_postgresql
    name = postgresql.create_copy(template)
    shutil.copytree(folder / "data", tmp_path / "data")
    made = installation(postgresql.url(name), tmp_path / "data")
    yield made
    made.database.close()
    postgresql.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def province(request) -> Installation:
    """The same on both databases."""
    return request.getfixturevalue(f"{request.param}_province")


@pytest.fixture
def terminal(request, tmp_path) -> Terminal:
    """A terminal of the test's installation that has just been enrolled."""
    name = "province" if "province" in request.fixturenames else "sqlite_province"
    made = request.getfixturevalue(name)
    return Terminal(made.config.read, tmp_path / "terminal", made.now, newest_root(made.config.read))
