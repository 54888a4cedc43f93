"""The power goes: what was committed is there afterwards, what was not is fetched again, nothing unverified is read."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections import Counter
from datetime import UTC, datetime

import pytest

from client_agent.agent import open_agent
from client_agent.floors import Floors
from client_agent.sync import sync_once
from protocol.pieces import PIECE_LENGTH
from protocol.times import to_ms
from tests.client_agent import faults
from tests.client_agent.conftest import make_terminal
from tests.client_agent.repository import HOUR_MS, Source
from tests.client_agent.test_kill import assert_only_verified

SPACE_MB = 48
PIECES = 16


@pytest.fixture
def film(province):
    province.now_ms = to_ms(datetime.now(UTC)) - HOUR_MS
    made = province.release("长片", length=PIECES * PIECE_LENGTH - 5, duration_ms=3_600_000)
    province.frame([made.item(province.now_ms + 3 * HOUR_MS)])
    province.publish(hours=0.5)
    return made


def crash_copies(tmp_path, source, film, province, times):
    """A station fetches on an ext4 of its own; the disk as a power cut would leave it, at each of some moments."""
    image, place = tmp_path / "disk.ext4", tmp_path / "disk"
    faults.make_ext4(image, SPACE_MB)
    with faults.ext4(image, place):
        make_terminal(place / "terminal", province, [source.url], machine=None).close()
        os.sync()
        process = faults.agent_process("sync", data=place / "terminal")
        copies = []
        for number, after_s in enumerate(times):
            time.sleep(after_s)
            copy = tmp_path / f"cut-{number}.ext4"
            shutil.copyfile(image, copy)
            copies.append(copy)
        process.kill()
        process.communicate()
    return copies


def power_is_back(copy, tmp_path, film, source, draw):
    """Mount the copy and go on from it: everything claimed is true, and little is asked for again."""
    with (
        faults.ext4(copy, tmp_path / "again"),
        open_agent(tmp_path / "again" / "terminal", whole=True) as agent,
    ):
        assert_only_verified(agent, film)
        name = film.manifest.renditions[0].sha256
        row = agent.store.row(name)
        claimed = sum(row.bits) if row else 0
        floor = Floors(agent.database).floor("timestamp")
        source.asked.clear()
        assert sync_once(agent).ok
        assert agent.store.open(name).read(0, len(film.data)) == film.data
        assert len(source.paths("/m/")) == PIECES - claimed, (
            "claimed pieces are whole, all others are fetched once"
        )
        return floor, claimed


def test_after_a_power_cut_what_the_disk_claims_is_true(tmp_path, province, film, request):
    draw = faults.drawn("power cut")
    cuts = 24 if request.config.getoption("--full") else 3
    with Source(province.folder) as source:
        source.piece_delay_s = 0.05
        if not faults.can_loop():
            killed_without_a_disk_of_its_own(tmp_path, province, film, source, draw)
            return
        for turn in range(0, cuts, 3):
            folder = tmp_path / str(turn)
            folder.mkdir()
            copies = crash_copies(
                folder, source, film, province, [0.5, *(draw.uniform(0.02, 0.3) for _ in range(2))]
            )
            seen = [power_is_back(copy, folder, film, source, draw) for copy in copies]
            claimed = [count for _, count in seen]
            assert claimed == sorted(claimed), "a later cut has lost nothing that an earlier one had"


def killed_without_a_disk_of_its_own(tmp_path, province, film, source, draw):
    data = tmp_path / "terminal"
    make_terminal(data, province, [source.url], machine=None).close()
    process = faults.agent_process("sync", data=data)
    time.sleep(draw.uniform(0.5, 1.0))
    process.kill()
    process.communicate()
    with open_agent(data, whole=True) as agent:
        assert_only_verified(agent, film)
        assert sync_once(agent).ok


# --- killed at the nth system call ----------------------------------------------------------------------------------------
CALLS = ("fdatasync", "pwrite64", "/^rename", "fsync", "ftruncate,fallocate", "unlink")


@pytest.mark.parametrize("call", CALLS)
def test_killed_at_any_system_call_of_a_pass_the_next_one_mends_it(tmp_path, province, film, call, request):
    draw = faults.drawn(call)
    full = request.config.getoption("--full")
    highest = 60
    moments = range(1, highest) if full else sorted(draw.sample(range(1, highest), 2))
    with Source(province.folder) as source:
        make_terminal(tmp_path / "begun", province, [source.url], machine=None).close()
        for nth in moments:
            data = tmp_path / f"terminal-{nth}"
            shutil.copytree(tmp_path / "begun", data)
            if faults.can_trace():
                process = faults.agent_process(
                    "sync", data=data, under=faults.injected(call, "signal=SIGKILL", nth)
                )
            else:
                process = faults.agent_process("sync", data=data)
                time.sleep(draw.uniform(0.3, 1.2))
                process.kill()
            process.communicate(timeout=60)
            source.asked.clear()
            with open_agent(data, whole=True) as agent:
                assert_only_verified(agent, film)
                row = agent.store.row(film.manifest.renditions[0].sha256)
                claimed = sum(row.bits) if row and not row.complete else PIECES if row else 0
                assert sync_once(agent).ok, f"{call} {nth}"
                assert_only_verified(agent, film)
            asked = Counter(r.range for r in source.asked if r.path.startswith("/m/"))
            assert sum(asked.values()) <= PIECES - claimed, f"{call} {nth}"
            shutil.rmtree(data)


def test_a_disk_that_fails_to_sync_gives_no_bit_and_no_receipt(tmp_path, province, film):
    """EIO from fdatasync: nobody knows what the disk holds, so the file is begun anew, and the command says so."""
    with Source(province.folder) as source:
        data = tmp_path / "terminal"
        make_terminal(data, province, [source.url], machine=None).close()
        if faults.can_trace():
            under = faults.injected("fdatasync", "error=EIO", "8+")
            process = faults.agent_process("sync", data=data, under=under)
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 1, errors
            assert len(errors.decode().strip().splitlines()) <= 2
        with open_agent(data, whole=True) as agent:
            assert_only_verified(agent, film)
            assert sync_once(agent).ok
            assert_only_verified(agent, film)


def test_sigterm_in_the_middle_of_a_pass_leaves_a_station_that_goes_on(tmp_path, province, film):
    with Source(province.folder) as source:
        source.piece_delay_s = 0.05
        data = tmp_path / "terminal"
        make_terminal(data, province, [source.url], machine=None).close()
        process = faults.agent_process("sync", data=data)
        time.sleep(0.8)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        with open_agent(data, whole=True) as agent:
            assert_only_verified(agent, film)
            assert sync_once(agent).ok
