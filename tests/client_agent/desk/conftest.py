"""A village station with its server's parts, as the administrator's routes get them."""

from __future__ import annotations

from datetime import datetime

import pytest

from client_agent import reporting
from protocol import batch as wire
from protocol.times import SHANGHAI, to_ms
from tests.client_agent.station import Machine, Station

NOW = to_ms(datetime(2026, 11, 22, 18, 43, 10, tzinfo=SHANGHAI))


class Village:
    """A station, the clock the test may move, and what its page may ask (``parts``)."""

    def __init__(self, folder):
        self.machine = Machine(NOW)
        self.station = Station(folder / "station", NOW)
        self.film = self.station.add("防电信诈骗", "fazhi", 30_000, b"film")
        self.station.publish()
        self.agent = self.station.open(self.machine)
        self.outbox = reporting.open_outbox(self.agent)
        self.player, self.server = reporting.open_tv(self.agent, self.outbox, 0)
        self.parts = self.server.parts

    def records(self, kind):
        rows = self.outbox._db.execute("SELECT data FROM records ORDER BY seq").fetchall()
        return [record for (data,) in rows if isinstance(record := wire.read_record(data), kind)]

    def close(self):
        self.server.server_close()
        self.parts.book.close()
        self.player.stop()
        self.outbox.close()
        self.agent.close()


@pytest.fixture
def village(tmp_path):
    made = Village(tmp_path)
    yield made
    made.close()
