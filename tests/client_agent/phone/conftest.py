"""An evening at a station, and phones in its local network."""

from __future__ import annotations

import http.client
import json
import uuid
from datetime import datetime
from urllib.parse import urlsplit

import pytest

from client_agent import reporting
from client_agent.evening import Deed, StudyDeed
from protocol.batch import read_record
from protocol.documents import Ref, StudyDay, Why
from protocol.times import SHANGHAI, ms_to_text, to_ms
from tests.client_agent.station import Machine, Station

NOW = to_ms(datetime(2026, 12, 5, 18, 45, tzinfo=SHANGHAI))
MINUTE = 60_000


class Phone:
    """A phone that scanned the code: ``url`` as it stood there."""

    def __init__(self, url):
        parts = urlsplit(url)
        self.host, self.port, self.secret = parts.hostname, parts.port, parts.path.split("/")[2]
        self.headers = {"Yuanbo-Secret": self.secret, "Origin": f"http://{self.host}:{self.port}"}

    def ask(self, path, method="GET", body=None, headers=None, *, root=None):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        root = f"/s/{self.secret}/" if root is None else root
        connection.request(method, root + path, body=body, headers=headers or {})
        answer = connection.getresponse()
        answer.data = answer.read()
        connection.close()
        return answer

    def post(self, path, body, **more):
        """(status, answer)."""
        headers = {**self.headers, "Content-Type": "application/json", **more}
        answer = self.ask("api/" + path, "POST", json.dumps(body).encode(), headers)
        return answer.status, json.loads(answer.data)

    def state(self):
        return json.loads(self.ask("api/state").data)

    def add(self, text, **more):
        return self.post("names", {"deed": str(uuid.uuid4()), "text": text, **more})

    def file(self, path, data, content_type="image/jpeg", session=None, **more):
        """(status, answer) of a photo or recording."""
        session = self.state()["session"]["id"] if session is None else session
        headers = {**self.headers, "Content-Type": content_type, "Yuanbo-Session": session, **more}
        answer = self.ask("api/" + path, "POST", data, headers)
        return answer.status, json.loads(answer.data)

    def tap(self, *people, present=True, roll=None, done=False, others=None, ago_ms=0, session=None):
        state = self.state()["session"]
        taps = [{"person": person, "present": present, "ago_ms": ago_ms} for person in people]
        body = {"session": session or state["id"], "roll": roll or state["roll"], "taps": taps, "done": done}
        return self.post("taps", body | ({"others": others} if others is not None else {}))


class Village:
    """A station with a study session at 19:00; the power can be cut, the clock moved."""

    def __init__(self, folder):
        self.machine = Machine(NOW)
        self.station = Station(folder, NOW)
        self.programmes = [
            self.station.add(title, "dangjian", 20 * MINUTE, title.encode()) for title in ("党史", "补贴")
        ]
        self.plan("d", starts_ms=NOW + 15 * MINUTE)
        self.on()

    def plan(self, day, *, starts_ms):
        """One study day is published, of two hours."""
        self.station.more["study"] = [
            StudyDay(
                id=day, channel="main", starts_at=ms_to_text(starts_ms), ends_at=ms_to_text(starts_ms + 120 * MINUTE),
                title="第一次集中学习", discussion_ms=600_000, why=Why(rule="r", level="county", region="130123"),
                programmes=[Ref(edition=p.manifest.edition, release=p.release, duration_ms=p.duration_ms) for p in self.programmes],
            )
        ]  # fmt: skip
        self.station.publish()

    def on(self):
        self.agent = self.station.open(self.machine)
        self.outbox = reporting.open_outbox(self.agent)
        self.player, self.server = reporting.open_tv(self.agent, self.outbox, 0)
        self.evening, self.helper = self.server.parts.evening, self.server.parts.phone

    def off(self):
        self.helper.stop()
        self.server.server_close()
        self.server.parts.book.close()
        self.outbox.close()
        self.agent.close()

    def scan(self):
        """A phone with the code that the set shows now."""
        return Phone(self.helper.told()["lan"]["url"])

    def do(self, deed, number=0):
        self.evening.act(StudyDeed(do=Deed(deed), number=number))

    def records(self, kind):
        rows = self.outbox._db.execute("SELECT data FROM records ORDER BY seq").fetchall()
        return [one for (data,) in rows if isinstance(one := read_record(data), kind)]


@pytest.fixture
def village(tmp_path, monkeypatch):
    monkeypatch.setenv("YUANBO_LAN_ADDRESS", "127.0.0.1")
    made = Village(tmp_path / "station")
    yield made
    made.off()


@pytest.fixture
def deed():
    """A fresh name of something sent."""
    return lambda: str(uuid.uuid4())
