"""A village's screen is looked at, and its box replaced: enrolment, publication, reports and the stick, all of them real.

Time moves only when told to; the console answers on a socket, the read plane too, and both boxes are agents on disk.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from werkzeug.serving import make_server

from client_agent.agent import Agent, open_agent
from client_agent.book import Book
from client_agent.clock import Reading
from client_agent.config import AgentPaths
from client_agent.enrol import enrol
from client_agent.handover import export, restore
from client_agent.phone.people import People
from client_agent.reporting import open_carrier, open_evidence, open_outbox, open_post, open_reporter
from client_agent.screenshot import Eye, Looks
from protocol.batch import EvidenceKind, Fault
from protocol.times import to_ms
from server import clock
from server.app import create_app
from server.identity.rules import Role
from server.readplane_process import create_app as create_read_plane
from server.stations import commanding, service
from server.stations.models import Revocation, Terminal
from server.stats import evidence
from server.stats.models import FaultFact, ReportEpoch
from tests.client_agent.conftest import Machine, take
from tests.flow.test_urgent import KeepsLinesOpen
from tests.publish.conftest import (  # noqa: F401 (fixtures)
    ADMIN,
    Installation,
    initialised_sqlite,
    somebody,
    sqlite_province,
)

OFFICE = somebody(Role.COUNTY_OFFICE, "130123")
JPEG = b"\xff\xd8\xff\xe0" + bytes(300_000)


@pytest.fixture
def province(sqlite_province: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:  # noqa: F811
    """A province whose console and read plane answer on sockets, at the time that the test says."""
    made = sqlite_province
    monkeypatch.setattr(clock, "now", lambda: made.now)
    read = serve(create_read_plane(made.config))
    made.config = replace(made.config, read_urls=(f"http://127.0.0.1:{read.server_port}",))
    console = make_server("127.0.0.1", 0, None, threaded=True, request_handler=KeepsLinesOpen)
    made.config = replace(made.config, console_url=f"http://127.0.0.1:{console.server_port}")
    console.app = create_app(made.config)
    threading.Thread(target=console.serve_forever, daemon=True).start()
    made.publish()
    yield made
    for server in (read, console):
        server.shutdown()
        server.server_close()


def serve(app):
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=KeepsLinesOpen)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class Box:
    """One device: enrolled with a code, with a clock of the test's."""

    def __init__(self, province: Installation, folder, code: str) -> None:
        self.province, self.machine = province, Machine()
        self.machine.reading = Reading("boot-1", 1_000_000, to_ms(province.now))
        enrol(province.config.console_url, code, AgentPaths(folder))
        self.agent: Agent = open_agent(folder, self.machine)
        self.outbox = open_outbox(self.agent)
        self.book = Book(self.agent.paths.book)
        self.evidence = open_evidence(self.agent, self.book, self.outbox)
        self.people = People(self.book)

    def pass_time(self, span: timedelta) -> None:
        self.machine.pass_time(int(span.total_seconds() * 1000))

    def report(self):
        done = open_reporter(self.agent, self.outbox).send_all()
        return done.trouble, open_post(self.agent, self.evidence, self.outbox).send_all()

    def close(self) -> None:
        self.outbox.close()
        self.book.close()
        self.agent.close()


def invite(province: Installation, station: str, replaces: str | None = None) -> str:
    with province.database.write() as session:
        return str(service.invite(session, OFFICE, station, replaces=replaces, now=province.now).code)


@pytest.fixture
def station(province: Installation) -> str:
    with province.database.write() as session:
        return service.add_station(
            session, ADMIN, region="130123", name="正定站", kind="enterprise", now=province.now
        ).id


@pytest.fixture
def old(province, station, tmp_path) -> Iterator[Box]:
    made = Box(province, tmp_path / "old", invite(province, station))
    yield made
    made.close()


def go_on(province: Installation, *boxes: Box, minutes: int) -> None:
    province.later(minutes=minutes)
    for box in boxes:
        box.pass_time(timedelta(minutes=minutes))


def test_the_office_sees_the_villages_screen_minutes_after_it_asked(province, old, station):
    worker = province.worker()
    while worker.step():
        pass
    take(old.agent)
    with province.database.write() as session:
        asked = commanding.ask_screenshot(session, OFFICE, old.agent.identity.terminal, now=province.now).id
    assert worker.step()
    go_on(province, old, minutes=1)
    take(old.agent)
    eye = Eye()
    eye.take = lambda: JPEG
    Looks(old.agent, old.book, old.evidence, old.outbox, eye).tick()
    assert eye.looks == 1
    assert old.report() == (None, 0)
    with province.database.read() as session:
        (shown,) = evidence.list_evidence(
            session, OFFICE, station_id=station, of_session=asked, what=EvidenceKind.SCREENSHOT
        )
        assert evidence.open_file(session, OFFICE, province.store, shown.file.id)[1] == JPEG


def test_a_box_is_replaced_and_nothing_it_had_signed_is_lost(province, old, station, tmp_path):
    take(old.agent)
    old.people.add([("赵一", True)])
    for n in range(3):
        old.outbox.append(Fault, code="no_signal", text=f"offline {n}")
    old.evidence.keep(EvidenceKind.PHOTO, JPEG, session="s")
    stick = tmp_path / "stick"
    stick.mkdir()
    phrase = export(old.agent, old.book, old.outbox, old.evidence, stick).phrase
    go_on(province, old, minutes=30)

    code = invite(province, station, replaces=old.agent.identity.terminal)
    new = Box(province, tmp_path / "new", code)
    try:
        with province.database.read() as session:
            gone = session.get_one(Terminal, old.agent.identity.terminal)
            assert (gone.revoked_why, gone.replaced_by) == (Revocation.REPLACED, new.agent.identity.terminal)
        take(new.agent)
        restore(new.agent, new.book, new.evidence, stick, phrase)
        carrier = open_carrier(new.agent, new.book, new.outbox)
        while carrier.tick() == 0:
            pass
        assert carrier.count(new.book) == 0
        assert new.report() == (None, 0)
        assert [person.name for person in new.people.everybody()] == ["赵一"]
        with province.database.read() as session:
            told = {fact.text: fact.terminal_id for fact in session.query(FaultFact)}
            assert told == {f"offline {n}": old.agent.identity.terminal for n in range(3)}
            assert [
                e.carried_at is not None for e in session.query(ReportEpoch) if e.terminal_id == gone.id
            ] == [True]
            (photo,) = evidence.list_evidence(session, OFFICE, station_id=station)
            assert evidence.open_file(session, OFFICE, province.store, photo.file.id)[1] == JPEG
        old.outbox.append(Fault, code="no_signal", text="after it was replaced")
        assert old.report()[0] == "HTTP 403"
        with province.database.read() as session:
            assert session.query(FaultFact).count() == 3
    finally:
        new.close()
