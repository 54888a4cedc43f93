"""One pass as a real process, and what the commands say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from client_agent.agent import open_agent
from client_agent.refresh import refresh
from client_agent.sync import Refreshed, Syncer, sync_once
from protocol.times import to_ms
from tests.client_agent.conftest import make_terminal
from tests.client_agent.repository import HOUR_MS, NOON_MS, Source
from tests.client_agent.test_refresh import publish_something

ROOT = Path(__file__).resolve().parents[2]


def agent_command(*arguments: str, data: Path, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "client_agent", *arguments, "--data", str(data)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def test_a_pass_verifies_fetches_and_is_then_ready(province, source, terminal):
    film, filler = publish_something(province, source)
    summary = sync_once(terminal)
    assert summary.ok, summary
    assert summary.refreshed is Refreshed.NEW
    for release in (film, filler):
        name = release.manifest.renditions[0].sha256
        assert terminal.store.open(name).read(0, len(release.data)) == release.data
    (item,) = terminal.guide.readiness(NOON_MS, 24 * HOUR_MS)
    assert item.ready
    assert item.title == "冬小麦返青管理"


def test_a_second_pass_asks_for_one_small_file(province, source, terminal):
    publish_something(province, source)
    sync_once(terminal)
    source.asked.clear()
    summary = sync_once(terminal)
    assert summary.refreshed is Refreshed.UNCHANGED
    assert source.paths() == ["/r/metadata/timestamp.json"]


def test_a_terminal_without_a_line_says_so_and_keeps_what_it_has(province, source, terminal):
    film, _ = publish_something(province, source)
    sync_once(terminal)
    source.spoil = lambda *_: (503, {}, b"")
    summary = sync_once(terminal)
    assert not summary.ok
    assert terminal.guide.playable(film.sha256) is not None


def test_the_commands_speak_json_and_end_with_plain_codes(tmp_path, province, source):
    province.now_ms = now_ms()
    publish_something(province, source)
    data = tmp_path / "terminal"
    make_terminal(data, province, [source.url]).close()
    synced = agent_command("sync", "--json", data=data)
    assert synced.returncode == 0, synced.stderr
    assert json.loads(synced.stdout)["fetched_files"] == 2
    shown = json.loads(agent_command("status", "--json", data=data).stdout)
    assert shown["stored"]["complete"] == 2
    assert shown["ready"] is True


def test_a_station_whose_province_moved_is_brought_back_by_naming_another_source(tmp_path, province, source):
    province.now_ms = now_ms()
    film, _ = publish_something(province, source)
    data = tmp_path / "terminal"
    make_terminal(data, province, ["http://127.0.0.1:9/"]).close()
    lost = agent_command("sync", data=data)
    assert lost.returncode == 1
    assert len(lost.stderr.splitlines()) == 1
    assert agent_command("sync", "--source", source.url, data=data).returncode == 0
    with open_agent(data) as agent:
        assert agent.guide.playable(film.sha256) is not None
        assert agent.identity.read == (source.url,)


def now_ms() -> int:
    from datetime import UTC, datetime

    return to_ms(datetime.now(UTC)) - HOUR_MS


def test_an_unenrolled_folder_is_refused_in_one_line(tmp_path):
    done = agent_command("sync", data=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "agent enrol" in done.stderr


def test_a_pass_that_fails_says_why_in_one_line(tmp_path, province, source):
    province.now_ms = now_ms()
    publish_something(province, source)
    data = tmp_path / "terminal"
    make_terminal(data, province, [source.url]).close()
    source.spoil = lambda request, status, headers, body: (
        (status, headers, body.replace(b"snapshot", b"snapshut"))
        if "timestamp" in request.path
        else (status, headers, body)
    )
    done = agent_command("sync", data=data)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "签名或哈希不符" in done.stderr


def test_two_agents_on_one_folder_refuse(tmp_path, province, source, terminal):
    with terminal.paths.lock():
        done = agent_command("sync", data=terminal.paths.data)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_no_command_imports_the_server_and_the_long_running_parts_do_not_import_tuf():
    code = (
        "import sys, client_agent.cli, client_agent.run, client_agent.status;"
        "print([m for m in sys.modules if m.split('.')[0] in ('server', 'tuf', 'flask', 'sqlalchemy')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_a_relay_that_lags_a_quarter_of_an_hour_is_flagged(tmp_path, province, source, terminal, machine):
    publish_something(province, source)
    mirror = province.copy_to(tmp_path / "mirror")
    with Source(mirror) as relay:
        province.network([source.url, relay.url])
        province.publish()
        assert refresh(terminal).complete
        assert look_twice(terminal) == [Refreshed.UNCHANGED] * 2
        assert terminal.database.rows("SELECT url FROM sources") == []
        machine.pass_time(16 * 60 * 1000)
        assert look_twice(terminal) == [Refreshed.UNCHANGED] * 2
        assert terminal.database.rows("SELECT url FROM sources") == [(relay.url,)]


def look_twice(terminal) -> list[Refreshed]:
    syncer = Syncer(terminal)
    try:
        return [syncer.refresh()[0] for _ in range(2)]
    finally:
        syncer.close()


def test_a_source_frozen_at_an_expired_state_is_flagged(province, source, terminal, machine):
    publish_something(province, source)
    refresh(terminal)
    assert look_twice(terminal) == [Refreshed.UNCHANGED] * 2
    machine.pass_time(4 * 24 * HOUR_MS)
    assert look_twice(terminal) == [Refreshed.FROZEN] * 2
    province.sign_timestamp(hours=4 * 24)
    assert refresh(terminal).complete
    assert look_twice(terminal) == [Refreshed.UNCHANGED] * 2
