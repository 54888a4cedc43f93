"""节目到村: who has it, who will in time, who cannot and why, from what terminals reported; quick for a whole province."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from protocol.times import SHANGHAI
from server.console.arrival import (
    Cause,
    Place,
    Reach,
    Report,
    judge,
    listed,
    next_evening,
    sum_up,
)
from server.console.arrival_reading import _places, station_id
from server.db import new_id
from server.regions.models import Region
from server.stations.models import Station, Terminal

NOW = datetime(2026, 12, 5, 8, 0, tzinfo=UTC)  # 16:00 in the province
EVENING = datetime(2026, 12, 5, 19, 0, tzinfo=SHANGHAI)
VILLAGE = "130123105201"
DISK = {"disk_free": 50_000_000_000, "disk_total": 100_000_000_000}
MB = 1_000_000


def place(
    *, seen_hours: float | None = 0.5, has_terminal: bool = True, region: str = VILLAGE, **report
) -> Place:
    seen = NOW - timedelta(hours=seen_hours) if seen_hours is not None else None
    told = Report(**{**DISK, "publication": 9, "throughput_bps": 2_000_000, **report})
    return Place("1", "曲阳桥村站", region, has_terminal, seen, told if seen is not None else None)


def verdict(one: Place, new_bytes: int = 0):
    return judge(one, number=9, new_bytes={"130123": new_bytes}, now=NOW, until=EVENING)


@pytest.mark.parametrize(
    ("one", "reach", "cause"),
    [
        (place(ready=3, wanted=3), Reach.ARRIVED, None),
        (place(seen_hours=60, ready=3, wanted=3), Reach.ARRIVED, None),
        (place(missing_bytes=300 * MB), Reach.COMING, None),
        (place(ready=2, wanted=3), Reach.COMING, None),
        (place(publication=8), Reach.COMING, None),
        (place(has_terminal=False), Reach.CANNOT, Cause.NO_TERMINAL),
        (place(seen_hours=None), Reach.CANNOT, Cause.NEVER),
        (place(publication=8, seen_hours=30), Reach.CANNOT, Cause.SILENT),
        (place(missing_bytes=10_000 * MB), Reach.CANNOT, Cause.SLOW),
        (place(missing_bytes=300 * MB, download_from_hour=22, download_to_hour=6), Reach.CANNOT, Cause.HOURS),
        (place(missing_bytes=300 * MB, disk_free=10_100 * MB), Reach.CANNOT, Cause.DISK),
        (place(missing_bytes=300 * MB, monthly_cap_bytes=900 * MB, month_bytes=700 * MB), Reach.CANNOT, Cause.CAP),
    ],
    ids=lambda value: getattr(value, "name", None),
)  # fmt: skip
def test_each_station_is_judged_by_what_it_reported(one, reach, cause):
    found = verdict(one)

    assert (found.reach, found.cause) == (reach, cause)


def test_a_station_that_does_not_know_the_publication_yet_lacks_what_it_newly_schedules():
    assert verdict(place(publication=8), 10_000 * MB).cause is Cause.SLOW
    assert verdict(place(publication=9), 10_000 * MB).reach is Reach.ARRIVED
    assert verdict(place(publication=8, region="130726101200"), 10_000 * MB).reach is Reach.COMING


def test_a_line_that_was_never_measured_is_assumed_and_said_to_be():
    assert verdict(place(missing_bytes=MB, throughput_bps=0)).is_assumed
    assert not verdict(place(missing_bytes=MB)).is_assumed


def test_the_evening_is_the_next_one():
    assert next_evening(NOW) == EVENING
    assert next_evening(EVENING) == EVENING + timedelta(days=1)


def test_the_sums_add_up_and_the_list_names_the_worst_first():
    places = [
        place(ready=1, wanted=1),
        place(missing_bytes=MB),
        place(publication=8, seen_hours=30),
        place(has_terminal=False, region="130123106200"),
    ]
    found = sum_up(places, number=9, new_bytes={}, width=9, now=NOW, until=EVENING)

    assert (found.stations, found.arrived, found.in_time, found.unable) == (4, 1, 2, 2)
    assert found.causes == {Cause.SILENT: 1, Cause.NO_TERMINAL: 1}
    assert found.below == {"130123105": [1, 3], "130123106": [0, 1]}
    assert [v.cause for _, v in listed(found)] == [Cause.NO_TERMINAL, Cause.SILENT]


def test_stations_are_read_once_each_by_the_terminal_that_has_come_furthest(database):
    with database.write() as session:
        for code, parent in (
            ("13", None),
            ("1301", "13"),
            ("130123", "1301"),
            ("1302", "13"),
            ("130227", "1302"),
        ):
            session.add(Region(code=code, parent=parent, level="x", name=code))
            session.flush()
        ids = [new_id() for _ in range(3)]
        for number, (id_, region) in enumerate(zip(ids, ("130123", "130123", "130227"), strict=True)):
            session.add(Station(id=id_, region=region, name=f"站{number}", kind="village", created_at=NOW))
        session.flush()
        for number, (station, revoked, health) in enumerate(
            [
                (ids[0], None, {"publication": 8, "agent_version": "1"}),
                (ids[0], None, {"publication": 9}),
                (ids[0], NOW, {"publication": 99}),
                (ids[1], None, {"publication": "破"}),
            ]
        ):
            session.add(
                Terminal(
                    station_id=station,
                    public=str(number),
                    enrolled_at=NOW,
                    revoked_at=revoked,
                    last_seen_at=NOW,
                    health=health,
                )
            )
    with database.read() as session:
        found = {station_id(one): one for one in _places(session, "13")}
        below = list(_places(session, "1302"))

    assert found.keys() == set(ids)
    assert found[ids[0]].report.publication == 9
    assert found[ids[1]].report is None
    assert found[ids[1]].has_terminal
    assert not found[ids[2]].has_terminal
    assert [station_id(one) for one in below] == [ids[2]]
