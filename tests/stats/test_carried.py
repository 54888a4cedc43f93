"""换机: what a replaced terminal had signed before still counts, for 90 days, and nothing else of it."""

from __future__ import annotations

import pytest

from protocol.batch import ClockState
from protocol.times import DAY_MS, from_ms
from server.errors import Forbidden
from server.stations.models import Revocation, Terminal
from server.stats.models import ReportEpoch


def revoke(province, device, why=Revocation.REPLACED, at_ms=None) -> None:
    with province.database.write() as session:
        terminal = session.get_one(Terminal, device.terminal)
        terminal.revoked_at, terminal.revoked_why = from_ms(at_ms or device.world.now_ms), why


@pytest.fixture
def batch(province, device) -> bytes:
    device.write(3)
    return device.cut(device.epoch, [1, 2, 3])


def test_a_batch_made_before_counts_once_and_is_marked(province, device, batch):
    device.world.pass_time()
    revoke(province, device)
    device.world.pass_time(89 * DAY_MS)
    assert province.receipt(batch).epochs[device.epoch].hwm == 3
    assert province.receipt(batch).epochs[device.epoch].hwm == 3
    assert len(province.tokens()) == 3
    (epoch,) = province.rows(ReportEpoch)
    assert epoch.carried_at == from_ms(device.world.now_ms)
    (terminal,) = province.rows(Terminal)
    assert terminal.last_seen_at is None


def test_after_90_days_nothing_comes_any_more(province, device, batch):
    revoke(province, device)
    device.world.pass_time(91 * DAY_MS)
    with pytest.raises(Forbidden):
        province.send(batch)


def test_what_it_makes_after_it_was_replaced_is_refused(province, device):
    revoke(province, device, at_ms=device.world.now_ms - 1)
    device.write(1)
    with pytest.raises(Forbidden):
        province.send(device.cut(device.epoch, [1]))
    assert province.rows(ReportEpoch) == []


def test_one_whose_clock_was_a_guess_is_believed(province, device):
    revoke(province, device, at_ms=device.world.now_ms - 1)
    device.write(1)
    device.clock = ClockState.UNCERTAIN
    assert province.receipt(device.cut(device.epoch, [1])).epochs[device.epoch].hwm == 1


@pytest.mark.parametrize("why", [Revocation.GIVEN_UP, None])
def test_a_stolen_terminal_is_refused_whatever_the_date(province, device, batch, why):
    device.world.pass_time()
    revoke(province, device, why)
    with pytest.raises(Forbidden):
        province.send(batch)


def test_a_replaced_terminal_is_not_told_what_is_held(province, device, batch):
    province.send(batch)
    revoke(province, device)
    with pytest.raises(Forbidden):
        province.ask(device.marks_request())
