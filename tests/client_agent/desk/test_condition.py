"""What the administrator is told about storage and line."""

from __future__ import annotations

from client_agent.desk.condition import condition
from client_agent.refresh import refresh
from tests.client_agent.conftest import take
from tests.client_agent.repository import HOUR_MS, NOON_MS

EVENING_MS = NOON_MS + 7 * HOUR_MS


def whats(found):
    return [one["what"] for one in found["troubles"]]


def test_a_station_that_has_everything_has_no_trouble(province, source, terminal):
    film = province.release("冬小麦返青管理")
    province.frame([film.item(EVENING_MS)])
    province.network([source.url])
    province.publish(hours=0)
    take(terminal)
    found = condition(terminal)
    assert whats(found) == []
    assert (found["wanted"], found["missing"], found["bytes"]) == (1, [], len(film.data))
    assert found["line"]["closed_until_ms"] is None


def test_what_is_missing_is_named_once_with_its_first_hour_and_what_is_refused_comes_first(
    province, source, terminal
):
    film = province.release("冬小麦返青管理")
    foreign = province.release("从未审过", admit=False)
    late = film.item(EVENING_MS + 2 * HOUR_MS)
    province.frame([film.item(EVENING_MS), foreign.item(EVENING_MS + HOUR_MS), late])
    province.network([source.url])
    province.publish(hours=0)
    refresh(terminal)
    found = condition(terminal)
    assert whats(found) == ["refused", "missing"]
    assert [(one["title"], one["starts_ms"]) for one in found["missing"]] == [
        ("冬小麦返青管理", EVENING_MS),
        ("", EVENING_MS + HOUR_MS),
    ]
    assert found["troubles"][1]["n"] == 1


def test_a_fresh_station_is_told_that_nothing_ever_came(terminal):
    assert "never_heard" in whats(condition(terminal))


def test_a_full_disk_and_a_dead_clock_are_said(terminal, machine):
    machine.reboot("boot-2", rtc_ms=0)
    terminal.store._disk_usage = lambda _: (10**12, 0, 10**10)
    assert {"full", "clock"} <= set(whats(condition(terminal)))
