"""The disk is full: every writer says so, nothing is half done, and the ballast lets reports go on."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, suppress

import pytest

from client_agent import vault
from client_agent.agent import open_agent
from client_agent.ballast import BALLAST_BYTES, Ballast
from client_agent.database import is_sound
from client_agent.errors import AgentError, StorageFailed
from client_agent.outbox import OutboxFull
from client_agent.refresh import refresh
from client_agent.reporting import open_outbox
from client_agent.sync import Syncer, sync_once
from protocol.batch import Fault
from tests.client_agent import faults
from tests.client_agent.conftest import make_terminal
from tests.client_agent.repository import NOON_MS

DISK_MB = 96


@contextmanager
def disk_for(folder):
    """A disk of its own where root may mount one; else the folder as it is, and only what needs no full disk is shown."""
    if faults.can_mount():
        with faults.small_disk(folder, DISK_MB):
            yield True
    else:
        folder.mkdir(parents=True, exist_ok=True)
        yield False


def fill(folder) -> None:
    """Take every byte that is left, the last ones too."""
    handle = os.open(folder / "someone-else", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with suppress(OSError):
        for size in (1 << 20, 1 << 12, 1):
            with suppress(OSError):
                while True:
                    os.write(handle, bytes(size))
    os.close(handle)


def until_refused(write) -> None:
    for _ in range(20_000):
        write()


@pytest.fixture
def station(tmp_path, province, source, machine):
    province.network([source.url])
    film = province.release("冬小麦返青管理")
    province.frame([film.item(NOON_MS + 5 * 3_600_000)])
    province.publish()
    with (
        disk_for(tmp_path / "disk") as small,
        make_terminal(tmp_path / "disk" / "terminal", province, [source.url], machine) as agent,
    ):
        yield agent, small, film, tmp_path / "disk"


def test_the_ballast_is_real_and_gives_its_room_back(tmp_path):
    ballast = Ballast(tmp_path / "ballast", spare_bytes=0)
    assert ballast.lay()
    assert ballast.lay()
    assert (tmp_path / "ballast").stat().st_blocks * 512 >= BALLAST_BYTES
    assert ballast.release()
    assert not ballast.release()
    crowded = Ballast(tmp_path / "ballast", spare_bytes=10**18)
    assert not crowded.lay()


def test_on_a_full_disk_reports_and_floors_go_on_out_of_the_ballast(station, province):
    agent, small, _, disk = station
    assert sync_once(agent).ok
    assert agent.ballast.is_down or not small
    if not small:
        return
    outbox = open_outbox(agent)
    try:
        fill(disk)
        for number in range(300):
            outbox.append(Fault, code=f"f{number}", text="x" * 400)
        assert not agent.ballast.is_down, "the ballast was given for them"
        assert outbox.length() >= 300
        agent.database.set_setting("after", "y" * 100_000)
        assert agent.database.setting("after")
    finally:
        outbox.close()
    (disk / "someone-else").unlink()
    syncer = Syncer(agent)
    syncer.look_after()
    syncer.close()
    assert agent.ballast.is_down, "laid down again once there is room"


def test_every_writer_meets_a_full_disk_with_a_clear_error_and_leaves_the_old_state(
    station, province, source
):
    agent, small, film, disk = station
    if not small:
        return
    assert sync_once(agent).ok
    new = province.release("新片", length=3_000_000)
    province.frame([new.item(NOON_MS + 6 * 3_600_000)])
    province.publish()
    agent.ballast.release()
    outbox = open_outbox(agent)
    copy = agent.paths.vault.read_bytes()
    fill(disk)
    with pytest.raises(AgentError):
        until_refused(lambda: agent.database.set_setting("filling", "z" * 500_000))
    with pytest.raises(OutboxFull):
        until_refused(lambda: outbox.append(Fault, code="x", text="y" * 500))
    kept = outbox.length()
    outbox.close()
    with suppress(AgentError, OSError):
        refresh(agent)
    with suppress(OSError, StorageFailed):
        vault.keep(agent.database, agent.paths.vault)
    assert vault.read(agent.paths.vault) is not None, "the old copy or the new one, never a half"
    assert len(copy) <= len(agent.paths.vault.read_bytes()) + 10_000
    syncer = Syncer(agent)
    with suppress(AgentError):
        done = syncer.download(*syncer.plan())
        assert done.files == 0
    syncer.close()
    data = agent.paths.data
    agent.close()
    assert is_sound(data / "agent.sqlite")
    (disk / "someone-else").unlink()
    with open_agent(data, agent.clock._read, whole=True) as again:
        assert again.store.open(film.manifest.renditions[0].sha256).read(0, 10) == film.data[:10]
        outbox = open_outbox(again)
        assert outbox.length() == kept
        outbox.close()
        assert sync_once(again).ok
        assert again.store.open(new.manifest.renditions[0].sha256).length == 3_000_000


def test_what_airs_does_not_fit_and_that_is_said_before_a_byte_is_fetched(station, province, source):
    agent, *_ = station
    big = province.release("大片", length=4_000_000)
    province.frame([big.item(NOON_MS + 5 * 3_600_000)])
    province.publish()
    agent.store._disk_usage = lambda _: (10**9, 9 * 10**8, 10**8 + 1_000_000)
    refresh(agent)
    syncer = Syncer(agent)
    source.asked.clear()
    done = syncer.download(*syncer.plan())
    syncer.close()
    assert any("磁盘空间不足" in reason for reason in done.failed.values())
    assert not source.paths("/m/")
    assert int(agent.database.setting("short_bytes")) == 4_000_000


def test_a_station_that_starts_on_a_full_disk_starts(station):
    agent, small, _, disk = station
    assert sync_once(agent).ok
    if not small:
        return
    data, read = agent.paths.data, agent.clock._read
    agent.close()
    fill(disk)
    with open_agent(data, read, whole=True) as again:
        outbox = open_outbox(again)
        outbox.append(Fault, code="started")
        outbox.close()
        assert not again.ballast.is_down


def test_where_others_fill_the_disk_the_shelf_gives_way_and_what_airs_stays(station, province):
    agent, _, film, _ = station
    shelf = province.release("书架", length=3_000_000)
    province.frame([film.item(NOON_MS + 5 * 3_600_000)], library=[shelf.entry()])
    province.publish()
    assert sync_once(agent).ok
    on_shelf = shelf.manifest.renditions[0].sha256
    assert agent.store.is_complete(on_shelf)
    agent.store._disk_usage = lambda _: (10**9, 10**9, 0)
    syncer = Syncer(agent)
    syncer.plan()
    syncer.close()
    assert not agent.store.has(on_shelf)
    assert agent.store.is_complete(film.manifest.renditions[0].sha256)


def test_media_leave_a_tenth_of_the_disk_free(station, province):
    agent, small, _, disk = station
    if not small:
        return
    films = [province.release(f"片{n}", length=7_000_000) for n in range(14)]
    province.frame(library=[f.entry() for f in films])
    province.publish()
    assert sync_once(agent).refreshed
    total, _, free = shutil.disk_usage(disk)
    assert free >= total // 10
    assert len(agent.store.complete_files()) >= 5
