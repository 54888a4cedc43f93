"""Remote commands and rules of lines, signed: they go out by themselves, and only what a person asked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tuf.api.exceptions import ExpiredMetadataError, RepositoryError

from protocol.documents import Commands, Network, decode, encode
from protocol.names import COMMAND_TARGET, NETWORK_TARGET
from server.identity.rules import Role
from server.publish.scope import command_problems
from server.publish.service import keep_fresh
from server.stations import commanding, line_settings
from server.stations.models import Station, StationCommand, Terminal
from tests.publish.conftest import ADMIN, somebody

OFFICE = somebody(Role.COUNTY_OFFICE, "130123")


@pytest.fixture
def village(province) -> str:
    """A terminal of a station in the county."""
    with province.database.write() as session:
        station = Station(region="130123", name="站点", kind="enterprise", created_at=province.now)
        session.add(station)
        session.flush()
        terminal = Terminal(station_id=station.id, public="A" * 43 + "=", enrolled_at=province.now)
        session.add(terminal)
        session.flush()
        return terminal.id


def look(province, terminal_id) -> str:
    with province.database.write() as session:
        return commanding.ask_screenshot(session, OFFICE, terminal_id, now=province.now).id


def told(terminal) -> Commands | None:
    data = terminal.fetch(COMMAND_TARGET)
    return decode(data, Commands) if data else None


def test_a_look_goes_out_by_itself_and_a_terminal_verifies_it(province, terminal, village):
    worker = province.worker()
    while worker.step():
        pass
    command = look(province, village)
    assert worker.step()
    (item,) = told(terminal).items
    assert (item.id, item.terminals, item.do) == (command, [village], "screenshot")


def test_before_anybody_asked_there_is_no_such_role_and_nothing_is_renewed_for_it(
    province, terminal, village
):
    province.publish()
    with pytest.raises(RepositoryError):
        terminal.fetch(COMMAND_TARGET)
    look(province, village)
    province.publish()
    before = terminal.versions()[1]
    province.later(days=2)
    keep_fresh(province.database, province.config, province.store, now=province.now)
    terminal.now = province.now
    assert terminal.versions()[1] == before
    with pytest.raises(ExpiredMetadataError):
        terminal.fetch(COMMAND_TARGET)
    look(province, village)
    province.publish()
    assert len(told(terminal).items) == 1, "yesterday's is over"


def test_a_command_that_nobody_asked_is_not_signed(province, terminal, village):
    look(province, village)
    with province.database.write() as session:
        asked = session.query(StationCommand).one()
        session.add(
            StationCommand(
                terminal_id=village, station_id=asked.station_id, do="screenshot", asked_by=ADMIN.id,
                asked_by_name="x", asked_at=asked.asked_at, until=asked.until,
            )
        )  # fmt: skip
    result = province.publish()
    assert [held.problems[0].code for held in result.held_back if held.subject == COMMAND_TARGET] == [
        "not_asked"
    ]
    with pytest.raises(RepositoryError):
        terminal.fetch(COMMAND_TARGET)


def test_a_signer_refuses_another_deed_and_more_than_a_day(province, village):
    look(province, village)
    with province.database.read() as session:
        (item,) = commanding.open_commands(session, now=province.now)
    from msgspec.structs import replace

    longer = replace(item, until=item.until.replace(item.until[:4], "2099", 1))
    for bad in (replace(item, do="reboot"), longer, replace(item, until=item.at)):
        assert command_problems(Commands(serial=1, items=[bad]))
    assert command_problems(Commands(serial=1, items=[item])) == []
    assert decode(encode(Commands(serial=1, items=[item])), Commands).items == [item]


def test_rules_of_lines_and_the_interval_go_out_by_themselves(province, terminal):
    worker = province.worker()
    while worker.step():
        pass
    with province.database.write() as session:
        wanted = line_settings.Wanted(22, 6, line_settings.limited(2_000, 8, 22), 10**10)
        line_settings.set_rule(session, OFFICE, "130123", wanted, version=None, now=province.now)
        line_settings.set_poll(session, ADMIN, 300, now=province.now)
    assert worker.step()
    network = decode(terminal.fetch(NETWORK_TARGET), Network)
    assert network.poll_s == 300
    (rule,) = network.lines
    assert (rule.region, rule.from_hour, rule.to_hour, rule.bytes_a_second[9]) == ("130123", 22, 6, 250_000)
    with province.database.write() as session:
        line_settings.drop_rule(session, ADMIN, "130123", version=1, now=province.now + timedelta(minutes=1))
    assert worker.step()
    assert decode(terminal.fetch(NETWORK_TARGET), Network).lines == []
