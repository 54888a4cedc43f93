"""A province that takes in reports, and a station with a terminal."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from protocol import batch as wire
from protocol import keys
from protocol.times import from_ms
from server.regions.models import Region
from server.stations import incarnation
from server.stations.models import Station, Terminal
from server.stats import ingest
from server.stats.models import (
    AttendanceFact,
    FaultFact,
    GapFact,
    HealthFact,
    ReportEpoch,
    SetAsideRecord,
    ViewingFact,
)
from tests.stats.simulator import Device, Line, World, new_key

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
REGIONS = [
    ("13", None, "province", "河北省"),
    ("1301", "13", "city", "石家庄市"),
    ("130123", "1301", "county", "正定县"),
    ("130123105", "130123", "township", "曲阳桥镇"),
    ("130123105201", "130123105", "village", "曲阳桥村民委员会"),
    ("1307", "13", "city", "张家口市"),
    ("130726", "1307", "county", "蔚县"),
    ("130726100", "130726", "township", "蔚州镇"),
    ("130726100201", "130726100", "village", "前堡村民委员会"),
]
REPORT_TABLES = (
    *(ReportEpoch, ViewingFact, AttendanceFact, FaultFact, HealthFact, GapFact),
    SetAsideRecord,
)


class Province:
    """Takes in reports of one database, as the web process does."""

    def __init__(self, database) -> None:
        self.database = database
        self.private, self.public = new_key()
        self.world = World(0)
        with database.write() as session:
            for code, parent, level, name in REGIONS:
                session.add(Region(code=code, parent=parent, level=level, name=name))
                session.flush()

    def add_terminal(self, region: str = "130123105201", name: str = "曲阳桥村站点") -> tuple[str, bytes]:
        """A station with one terminal: (terminal id, its private key)."""
        private = keys.new_private_key()
        with self.database.write() as session:
            station = Station(region=region, name=name, created_at=NOW)
            session.add(station)
            session.flush()
            terminal = Terminal(station_id=station.id, public=keys.public_text(private), enrolled_at=NOW)
            session.add(terminal)
            session.flush()
            return terminal.id, private

    def send(self, data: bytes) -> tuple[bytes, bool]:
        answer = ingest.receive(self.database, self.private, data, now=from_ms(self.world.now_ms))
        return answer.receipt, answer.fork

    def ask(self, data: bytes) -> bytes:
        return ingest.marks(self.database, self.private, data, now=from_ms(self.world.now_ms))

    def receipt(self, data: bytes) -> wire.Receipt:
        """Deliver a batch and read the receipt."""
        answer, _ = self.send(data)
        return wire.read_receipt(answer, request=data, trusted=[self.public])

    def line(self, world: World, **troubles: float) -> Line:
        self.world = world
        return Line(world, self.send, self.ask, [self.public], **troubles)

    # --- what is held
    def rows(self, table) -> list:
        with self.database.read() as session:
            found = list(session.scalars(select(table)))
            session.expunge_all()
        return found

    def tokens(self) -> Counter:
        """How often each token stands in the facts."""
        return Counter(
            [fact.session for fact in self.rows(ViewingFact)]
            + [fact.session for fact in self.rows(AttendanceFact)]
            + [fact.text for fact in self.rows(FaultFact)]
            + [fact.health["agent_version"] for fact in self.rows(HealthFact)]
        )

    # --- a base backup and its restore
    def backup(self) -> dict:
        with self.database.engine.connect() as connection:
            return {
                table: [dict(row) for row in connection.execute(table.__table__.select()).mappings()]
                for table in REPORT_TABLES
            }

    def restore(self, copy: dict) -> None:
        """Bring the reports' tables back to a copy, and begin a new incarnation as a restore does."""
        with self.database.engine.begin() as connection:
            for table, rows in copy.items():
                connection.execute(table.__table__.delete())
                if rows:
                    connection.execute(table.__table__.insert(), rows)
        with self.database.write() as session:
            incarnation.renew(session)


@pytest.fixture
def province(database) -> Province:
    return Province(database)


@pytest.fixture
def device(province) -> Device:
    """A terminal on a world with seed 1, whose reports go to the province."""
    world = World(1)
    province.world = world
    return Device(world, *province.add_terminal())
