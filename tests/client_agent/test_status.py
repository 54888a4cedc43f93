"""What a person at the station is told."""

from __future__ import annotations

import pytest

from client_agent.cli import main
from client_agent.health import health_fields
from client_agent.refresh import refresh
from client_agent.status import findings, status, status_text
from protocol.batch import Health
from tests.client_agent.conftest import take
from tests.client_agent.repository import HOUR_MS, NOON_MS

EVENING_MS = NOON_MS + 7 * HOUR_MS


def test_a_terminal_that_has_everything_has_nothing_to_complain_about(province, source, terminal):
    film = province.release("冬小麦返青管理")
    province.frame([film.item(EVENING_MS)])
    province.network([source.url])
    province.publish(hours=0)
    take(terminal)
    found = status(terminal)
    assert findings(found) == []
    assert found["ready"] is True
    assert found["stored"]["bytes"] == len(film.data)
    assert "是 / yes" in status_text(found)


def test_what_is_missing_is_named_with_its_reason(province, source, terminal):
    film = province.release("冬小麦返青管理")
    foreign = province.release("从未审过", admit=False)
    province.frame([film.item(EVENING_MS), foreign.item(EVENING_MS + HOUR_MS)])
    province.network([source.url])
    province.publish(hours=0)
    refresh(terminal)
    found = status(terminal)
    assert found["ready"] is False
    assert [item["reason"] for item in found["ready_items"]] == ["not-stored", "not-admitted"]
    said = "\n".join(findings(found))
    assert "1 个节目尚未下载完" in said
    assert "已拒绝播出" in said


def test_a_fresh_terminal_is_told_to_check_its_cable(terminal):
    assert any("网线" in line for line in findings(status(terminal)))


def test_a_dead_clock_and_a_full_disk_are_told_in_plain_words(province, source, terminal, machine):
    machine.reboot("boot-2", rtc_ms=0)
    terminal.store._disk_usage = lambda _: (10**12, 0, 10**10)
    said = "\n".join(findings(status(terminal)))
    assert "时间不可信" in said
    assert "磁盘将满" in said


def test_health_fits_its_record(province, source, terminal):
    film = province.release("冬小麦返青管理")
    province.frame([film.item(EVENING_MS)])
    province.network([source.url])
    province.publish(hours=0)
    take(terminal)
    fields = health_fields(terminal, 3)
    record = Health(seq=1, at="2026-12-05T11:00:00.000Z", boot="b", mono_ms=1, **fields)
    assert (record.ready, record.wanted, record.stored_items, record.outbox) == (1, 1, 1, 3)
    assert record.publication == 1


def test_every_command_explains_itself(capsys):
    for words in ([], ["enrol"], ["sync"], ["run"], ["status"], ["doctor"]):
        with pytest.raises(SystemExit) as ended:
            main([*words, "--help"])
        assert ended.value.code == 0
        assert "usage: yuanbo agent" in capsys.readouterr().out


def test_a_wrong_call_ends_with_two(capsys, tmp_path):
    for words in ([], ["nonsense"], ["enrol"], ["run", "--poll", "0"]):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 2
    assert main(["status", "--data", str(tmp_path)]) == 2
    assert "agent enrol" in capsys.readouterr().err
