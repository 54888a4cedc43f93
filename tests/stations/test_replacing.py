"""换机: a new device takes over at the same station, and the old one is trusted no more from that moment."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from server.errors import Conflict, NotFound
from server.identity.models import AuditEntry
from server.identity.rules import Role
from server.stations import commanding, service
from server.stations.models import Revocation, StationCommand, Terminal
from tests.stations.office import NOW, OTHER_VILLAGE, VILLAGE, caller
from tests.stations.test_enrolment import Applicant, ask

ADMIN = caller()


def add_station(database, region=VILLAGE) -> str:
    with database.write() as session:
        return service.add_station(session, ADMIN, region=region, name="站点", now=NOW).id


def enrol(database, station, replaces=None, now=NOW) -> str:
    with database.write() as session:
        code = service.invite(session, ADMIN, station, replaces=replaces, now=now).code
    applicant = Applicant(code)
    ask(database, applicant.request(), now=now)
    with database.read() as session:
        return session.scalars(select(Terminal.id).where(Terminal.public == applicant.public)).one()


def terminal(database, terminal_id) -> Terminal:
    with database.read() as session:
        found = session.get_one(Terminal, terminal_id)
        session.expunge_all()
        return found


def test_the_old_terminal_is_revoked_when_the_new_one_is_there_and_not_before(places):
    station = add_station(places)
    old = enrol(places, station)
    with places.write() as session:
        code = service.invite(session, ADMIN, station, replaces=old, now=NOW).code
    assert terminal(places, old).revoked_at is None
    later = NOW + timedelta(hours=1)
    ask(places, Applicant(code).request(), now=later)
    gone = terminal(places, old)
    assert (gone.revoked_at, gone.revoked_why) == (later, Revocation.REPLACED)
    new = terminal(places, gone.replaced_by)
    assert (new.station_id, new.revoked_at) == (station, None)
    with places.read() as session:
        assert (
            session.scalars(select(AuditEntry.action).order_by(AuditEntry.seq.desc())).first()
            == "terminal.replace"
        )


def test_only_a_living_terminal_of_the_same_station_can_be_replaced(places):
    here, there = add_station(places), add_station(places, OTHER_VILLAGE)
    mine, other = enrol(places, here), enrol(places, there)
    with pytest.raises(NotFound), places.write() as session:
        service.invite(session, ADMIN, here, replaces=other, now=NOW)
    with places.write() as session:
        service.revoke_terminal(session, ADMIN, mine, now=NOW)
    with pytest.raises(Conflict), places.write() as session:
        service.invite(session, ADMIN, here, replaces=mine, now=NOW)


def test_one_given_up_before_the_code_is_used_stays_given_up(places):
    station = add_station(places)
    old = enrol(places, station)
    with places.write() as session:
        code = service.invite(session, ADMIN, station, replaces=old, now=NOW).code
    with places.write() as session:
        service.revoke_terminal(session, ADMIN, old, now=NOW)
    ask(places, Applicant(code).request())
    assert terminal(places, old).revoked_why == Revocation.GIVEN_UP


# --- a look at a screen -------------------------------------------------------------------------------------------------
def look(database, terminal_id, by=ADMIN, now=NOW) -> str:
    with database.write() as session:
        return commanding.ask_screenshot(session, by, terminal_id, now=now).id


def test_a_look_is_asked_once_in_ten_minutes_and_stands_in_the_audit_chain(places):
    old = enrol(places, add_station(places))
    first = look(places, old)
    assert look(places, old, now=NOW + timedelta(minutes=9)) == first
    assert look(places, old, now=NOW + timedelta(minutes=11)) != first
    with places.read() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.subject == f"command:{first}")).one()
        assert (entry.action, entry.detail["terminals"]) == ("command.ask", [old])


def test_who_may_not_look_there_asks_nothing(places):
    old = enrol(places, add_station(places))
    for by in (
        caller(Role.COUNTY_OFFICE, "130726"),
        caller(Role.TOWNSHIP_ADMIN, "130123105"),
        caller(Role.LEADER),
    ):
        with pytest.raises(Exception, match="权限"):
            look(places, old, by=by)
    assert look(places, old, by=caller(Role.COUNTY_OFFICE, "130123"))


def test_a_person_has_so_many_looks_a_day(places, monkeypatch):
    monkeypatch.setattr(commanding, "MOST_A_DAY", 2)
    terminals = [enrol(places, add_station(places)) for _ in range(3)]
    for one in terminals[:2]:
        look(places, one)
    with pytest.raises(Exception, match="2"):
        look(places, terminals[2])
    assert look(places, terminals[2], now=NOW + timedelta(hours=25))


def test_what_holds_is_told_until_a_day_is_over_or_the_terminal_is_gone(places):
    old = enrol(places, add_station(places))
    command = look(places, old)
    with places.read() as session:
        (told,) = commanding.open_commands(session, now=NOW + timedelta(hours=23))
        assert (told.id, told.terminals, told.do) == (command, [old], "screenshot")
        assert commanding.open_commands(session, now=NOW + timedelta(hours=24)) == []
    with places.write() as session:
        service.revoke_terminal(session, ADMIN, old, now=NOW)
        assert commanding.open_commands(session, now=NOW) == []
        assert session.query(StationCommand).count() == 1
