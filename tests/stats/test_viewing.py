"""The viewing chart: by day and by programme, within the caller's regions."""

from __future__ import annotations

from datetime import date

import pytest

from protocol.times import text_to_ms
from server.errors import Forbidden, Invalid
from server.identity.rules import Role
from server.stats import service
from server.stats.models import ReportEpoch
from tests.stations.office import OTHER_VILLAGE, caller
from tests.stats.simulator import Device, World, make_viewing

WHEAT = "01930000-0000-7000-8000-0000000000a1"
APPLES = "01930000-0000-7000-8000-0000000000a2"
FIRST, LAST = date(2026, 11, 18), date(2026, 11, 20)


@pytest.fixture
def watch(province):
    """Report a session: watch(device, start, minutes, programme, title)."""
    world = World(7)
    province.world = world

    def report(device, start: str, minutes: float, programme: str = WHEAT, **more) -> None:
        epoch = device.disk.epochs[device.epoch]
        seq = epoch.last + 1
        ms = text_to_ms(start)
        epoch.records[seq] = make_viewing(
            ms, f"s{seq}", minutes=minutes, programme=programme, seq=seq, **more
        )
        province.receipt(device.cut(device.epoch, [seq]))

    return report


@pytest.fixture
def villages(province):
    world = World(8)
    return (
        Device(world, *province.add_terminal()),
        Device(world, *province.add_terminal()),
        Device(world, *province.add_terminal(OTHER_VILLAGE, "前堡村站点")),
    )


def chart(province, who=None, region=None, first=FIRST, last=LAST, top=20):
    with province.database.read() as session:
        return service.viewing(session, who or caller(), region=region, first=first, last=last, top=top)


def test_days_are_those_of_shanghai_and_every_day_has_a_place(province, villages, watch):
    watch(villages[0], "2026-11-18T15:59:59.000Z", 10)
    watch(villages[0], "2026-11-18T16:00:00.000Z", 20)
    watch(villages[0], "2026-11-21T00:00:00.000Z", 40)
    report = chart(province)
    assert [(d.day, d.played_minutes, d.sessions) for d in report.days] == [
        ("2026-11-18", 10, 1), ("2026-11-19", 20, 1), ("2026-11-20", 0, 0),
    ]  # fmt: skip
    assert (report.total.played_minutes, report.total.sessions, report.total.stations) == (30, 2, 1)


def test_stations_count_once_however_often_they_watch(province, villages, watch):
    for device in villages:
        watch(device, "2026-11-19T03:00:00.000Z", 5)
        watch(device, "2026-11-19T04:00:00.000Z", 5)
    (_, day, _) = chart(province).days
    assert (day.stations, day.sessions, day.played_minutes) == (3, 6, 30)


def test_programmes_stand_most_watched_first_under_their_latest_title(province, villages, watch):
    watch(villages[0], "2026-11-18T03:00:00.000Z", 5, WHEAT, title="冬小麦")
    watch(villages[1], "2026-11-19T03:00:00.000Z", 5, WHEAT, title="冬小麦返青管理")
    watch(villages[0], "2026-11-19T04:00:00.000Z", 25, APPLES, title="苹果冬剪", section="keji")
    report = chart(province)
    assert [(p.programme, p.title, p.played_minutes, p.stations) for p in report.programmes] == [
        (APPLES, "苹果冬剪", 25, 1), (WHEAT, "冬小麦返青管理", 10, 2),
    ]  # fmt: skip
    assert report.programmes[0].section == "keji"
    assert [p.title for p in chart(province, top=1).programmes] == ["苹果冬剪"]


def test_a_paused_session_is_longer_on_than_played(province, villages, watch):
    watch(villages[0], "2026-11-19T03:00:00.000Z", 5, ended_at="2026-11-19T03:20:00.000Z")
    total = chart(province).total
    assert (total.on_minutes, total.played_minutes) == (20, 5)


def test_each_caller_counts_his_own_regions(province, villages, watch):
    watch(villages[0], "2026-11-19T03:00:00.000Z", 5)
    watch(villages[2], "2026-11-19T03:00:00.000Z", 7)
    county = caller(Role.COUNTY_OFFICE, "130123")
    assert chart(province, county).total.played_minutes == 5
    assert chart(province, county, "130123105").total.played_minutes == 5
    assert chart(province, region="1307").total.played_minutes == 7
    for elsewhere in ("130726", "1301", "13"):
        with pytest.raises(Forbidden):
            chart(province, county, elsewhere)


def test_what_two_devices_played_under_one_key_is_shown_apart(province, villages, watch):
    watch(villages[0], "2026-11-19T03:00:00.000Z", 5)
    watch(villages[0], "2026-11-19T04:00:00.000Z", 7)
    with province.database.write() as session:
        session.get_one(ReportEpoch, (villages[0].terminal, villages[0].epoch)).disputed_after = 1
    total = chart(province).total
    assert (total.played_minutes, total.disputed_minutes, total.sessions) == (5, 7, 1)


def test_nothing_watched_is_zeros_not_an_error(province):
    report = chart(province)
    assert (report.total.played_minutes, report.total.stations, report.programmes) == (0, 0, [])
    assert len(report.days) == 3


def test_a_period_that_is_none_is_refused(province):
    for first, last in ((LAST, FIRST), (date(2020, 1, 1), LAST)):
        with pytest.raises(Invalid):
            chart(province, first=first, last=last)
    for region in ("x", "13012", ""):
        with pytest.raises(Invalid):
            chart(province, region=region)
