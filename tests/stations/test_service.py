"""Stations stand where people are, and everybody sees and touches his own regions only."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from protocol.enrolment import derive_key
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.identity.models import AuditEntry
from server.identity.rules import Role
from server.stations import service
from server.stations.models import Invitation, Terminal
from tests.stations.office import NOW, OTHER_VILLAGE, VILLAGE, caller

ADMIN = caller()
ZHENGDING = caller(Role.COUNTY_OFFICE, "130123")
YUXIAN = caller(Role.COUNTY_OFFICE, "130726")
TUTOR = caller(Role.TUTOR, "130123")


def add(database, region=VILLAGE, name="曲阳桥村站点", by=ADMIN, kind=None) -> str:
    with database.write() as session:
        return service.add_station(session, by, region=region, name=name, kind=kind, now=NOW).id


def test_a_station_stands_in_a_village_or_township_and_an_enterprise_in_a_county_too(places):
    for region, kind, stored in (
        (VILLAGE, None, "village"),
        ("130123105", None, "township"),
        (VILLAGE, "enterprise", "enterprise"),
        ("130123", "enterprise", "enterprise"),
    ):
        station = add(places, region=region, kind=kind)
        with places.read() as session:
            assert service.get_station(session, ADMIN, station).kind == stored


def test_a_station_cannot_stand_elsewhere(places):
    for region, kind in (
        *(("13", None), ("1301", "enterprise"), ("130123", None)),
        *(("130123105", "village"), (VILLAGE, "palace")),
    ):
        with pytest.raises(Invalid):
            add(places, region=region, kind=kind)


def test_a_place_that_is_not_there_is_refused(places):
    for region in ("130123105999", "", "13012", "１３", "13; drop table"):
        with pytest.raises(Invalid):
            add(places, region=region)


def test_a_station_needs_a_readable_name(places):
    for name in ("", "   ", "字" * 81, "换\x00行", "a\x1b[31mb"):
        with pytest.raises(Invalid):
            add(places, name=name)


def test_a_name_keeps_no_stray_blanks(places):
    station = add(places, name="  曲阳桥村\n 站点 ")
    with places.read() as session:
        assert service.get_station(session, ADMIN, station).name == "曲阳桥村 站点"


def test_another_county_neither_adds_nor_sees_nor_invites(places):
    station = add(places)
    with pytest.raises(Forbidden):
        add(places, by=YUXIAN)
    with places.write() as session:
        with pytest.raises(NotFound):
            service.get_station(session, YUXIAN, station)
        with pytest.raises(NotFound):
            service.invite(session, YUXIAN, station, now=NOW)
        with pytest.raises(Forbidden):
            service.list_stations(session, YUXIAN, region="130123")
        assert service.list_stations(session, YUXIAN) == []
        assert service.list_terminals(session, YUXIAN) == []


def test_who_may_only_look_cannot_invite(places):
    station = add(places)
    with places.write() as session:
        assert service.get_station(session, TUTOR, station).id == station
        with pytest.raises(Forbidden):
            service.invite(session, TUTOR, station, now=NOW)


def test_stations_are_listed_page_by_page_within_the_callers_regions(places):
    mine = [add(places, name=f"站点 {n}") for n in range(5)]
    other = add(places, region=OTHER_VILLAGE, name="前堡村站点")
    with places.read() as session:
        first = service.list_stations(session, ZHENGDING, limit=3)
        rest = service.list_stations(session, ZHENGDING, after=first[-1].id, limit=3)
        assert [station.id for station in [*first, *rest]] == mine
        assert [s.id for s in service.list_stations(session, ADMIN, region="1307")] == [other]
        assert [s.id for s in service.list_stations(session, ADMIN, name="前堡")] == [other]
        assert service.list_stations(session, ADMIN, name="%") == []


def test_of_an_invitation_only_the_derived_key_is_kept(places):
    station = add(places)
    with places.write() as session:
        issued = service.invite(session, ZHENGDING, station, now=NOW)
    with places.read() as session:
        (kept,) = session.scalars(select(Invitation))
        assert kept.key == derive_key(issued.code)
        assert kept.expires_at == issued.expires_at == NOW + timedelta(hours=72)
        stored = " ".join(str(value) for value in vars(kept).values())
        trail = " ".join(str(entry.detail) for entry in session.scalars(select(AuditEntry)))
    assert issued.code.secret not in stored + trail
    assert str(issued.code)[5:] not in stored + trail


def test_adding_inviting_and_revoking_stand_in_the_audit_chain(places):
    station = add(places)
    with places.write() as session:
        service.invite(session, ADMIN, station, now=NOW)
        session.add(Terminal(id=station, station_id=station, public="k" * 44, enrolled_at=NOW))
    with places.write() as session:
        service.revoke_terminal(session, ADMIN, station, now=NOW)
    with places.read() as session:
        actions = list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.seq)))
    assert actions == ["station.add", "station.invite", "terminal.revoke"]


def test_a_terminal_is_revoked_once_and_only_by_its_own_offices(places):
    station = add(places)
    with places.write() as session:
        session.add(Terminal(id=station, station_id=station, public="k" * 44, enrolled_at=NOW))
    with places.write() as session:
        with pytest.raises(NotFound):
            service.revoke_terminal(session, YUXIAN, station, now=NOW)
        with pytest.raises(Forbidden):
            service.revoke_terminal(session, TUTOR, station, now=NOW)
        assert service.revoke_terminal(session, ZHENGDING, station, now=NOW).revoked_at == NOW
        with pytest.raises(Conflict):
            service.revoke_terminal(session, ZHENGDING, station, now=NOW)
