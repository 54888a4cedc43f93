"""A database that cannot be read any more: the terminal mends itself, and no old repository gets in."""

from __future__ import annotations

import random
import shutil
import sqlite3

import pytest

from client_agent import vault
from client_agent.agent import open_agent
from client_agent.errors import NotEnrolled, RefreshFailed
from client_agent.floors import Floors
from client_agent.recovery import REBUILT
from client_agent.refresh import refresh
from client_agent.sync import sync_once
from tests.client_agent.conftest import make_terminal
from tests.client_agent.repository import HOUR_MS, NOON_MS


def overwrite(path, machine):
    path.write_bytes(b"not a database" * 400)


def tear(path, machine):
    """Some pages in the middle are noise, as a dying card leaves them."""
    draw = random.Random(7)
    with path.open("r+b") as file:
        for _ in range(6):
            file.seek(4096 * draw.randrange(1, path.stat().st_size // 4096))
            file.write(draw.randbytes(4096))


def vanish(path, machine):
    path.unlink()


@pytest.fixture
def synced(tmp_path, province, source, machine):
    film = province.release("冬小麦返青管理", poster=True)
    bad = province.release("错播")
    province.frame([film.item(NOON_MS + 5 * HOUR_MS)], library=[bad.entry()])
    province.network([source.url])
    province.recall(bad)
    province.publish()
    with make_terminal(tmp_path / "terminal", province, [source.url], machine) as agent:
        assert sync_once(agent).ok
        agent.database._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return tmp_path / "terminal", film, bad


def close_cleanly(data):
    for part in ("-wal", "-shm"):
        (data / f"agent.sqlite{part}").unlink(missing_ok=True)


@pytest.mark.parametrize("damage", [overwrite, tear, vanish])
def test_after_the_database_broke_the_same_terminal_goes_on_and_fetches_no_medium_again(
    synced, source, machine, damage
):
    data, film, bad = synced
    with open_agent(data, machine) as before:
        terminal, floor = before.identity.terminal, Floors(before.database).floor("timestamp")
    close_cleanly(data)
    damage(data / "agent.sqlite", machine)
    source.asked.clear()
    with open_agent(data, machine, whole=True) as agent:
        assert agent.identity.terminal == terminal
        assert Floors(agent.database).floor("timestamp") == floor
        assert agent.database.row("SELECT 1 FROM recalls WHERE release = ?", (bad.sha256,))
        summary = sync_once(agent)
        assert summary.ok, summary
        name = film.manifest.renditions[0].sha256
        assert agent.store.open(name).read(0, len(film.data)) == film.data
        assert not source.paths("/m/")
        assert agent.database.setting(REBUILT) == ""
    if damage is not vanish:
        assert list(data.glob("agent.sqlite.corrupt-1"))


def test_after_the_database_broke_an_old_repository_is_still_refused(
    tmp_path, synced, province, source, machine
):
    data, _, _ = synced
    old = province.copy_to(tmp_path / "old")
    province.publish()
    with open_agent(data, machine) as agent:
        assert sync_once(agent).ok
    close_cleanly(data)
    overwrite(data / "agent.sqlite", machine)
    shutil.rmtree(data / "metadata")
    source.folder = old
    with open_agent(data, machine, whole=True) as agent, pytest.raises(RefreshFailed):
        refresh(agent)


def test_a_flipped_byte_in_media_is_not_taken_up_after_a_repair(synced, source, machine):
    data, film, _ = synced
    name = film.manifest.renditions[0].sha256
    with (data / "media" / "m" / name).open("r+b") as file:
        file.seek(1_200_000)
        file.write(b"forged")
    close_cleanly(data)
    overwrite(data / "agent.sqlite", machine)
    source.asked.clear()
    with open_agent(data, machine, whole=True) as agent:
        assert sync_once(agent).ok
        assert agent.store.open(name).read(0, len(film.data)) == film.data
    assert len(source.paths(f"/m/{name}")) == 1, "only the piece that was wrong"


def test_without_a_network_the_schedule_of_before_still_plays_if_it_can_be_read(synced, source, machine):
    data, film, _ = synced
    with sqlite3.connect(data / "agent.sqlite") as damaged:
        damaged.execute("PRAGMA writable_schema=ON")
        damaged.execute("UPDATE sqlite_master SET rootpage = 2 WHERE name = 'refusals'")
    damaged.close()
    source.spoil = lambda *_: (503, {}, b"")
    with open_agent(data, machine, whole=True) as agent:
        sync_once(agent)
        assert agent.guide.playable(film.sha256) is not None


def test_with_neither_database_nor_copy_it_says_that_it_must_be_enrolled(synced, machine):
    data, _, _ = synced
    close_cleanly(data)
    overwrite(data / "agent.sqlite", machine)
    (data / "agent.keep").write_bytes(b"1 00\n{}")
    with pytest.raises(NotEnrolled, match="重新注册"):
        open_agent(data, machine, whole=True)


def test_the_second_copy_is_written_only_when_something_in_it_changed(synced, machine):
    data, _, _ = synced
    with open_agent(data, machine) as agent:
        vault.keep(agent.database, agent.paths.vault)
        assert not vault.keep(agent.database, agent.paths.vault)
        agent.clock.hear_server_time(NOON_MS + 9 * HOUR_MS)
        assert vault.keep(agent.database, agent.paths.vault)
