"""The power goes at any moment: at most one piece is fetched twice, and no unverified byte can be read."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from client_agent.agent import Agent, open_agent
from client_agent.errors import NotStored
from client_agent.refresh import refresh
from client_agent.sync import sync_once
from protocol.pieces import PIECE_LENGTH, is_piece, piece_layer_of
from protocol.times import day_of_ms, to_ms
from tests.client_agent.conftest import make_terminal
from tests.client_agent.faults import drawn
from tests.client_agent.repository import HOUR_MS, Source

ROOT = Path(__file__).resolve().parents[2]
MOST_PIECES_A_LIFE = 2


PIECES = 20


@pytest.mark.parametrize(
    "kills_wanted", [8, pytest.param(200, marks=[pytest.mark.full, pytest.mark.timeout(900)])]
)
def test_killed_at_any_moment_a_download_repeats_at_most_one_piece_a_kill(tmp_path, province, kills_wanted):
    draw = drawn("kills")
    province.now_ms = to_ms(datetime.now(UTC)) - HOUR_MS
    film = province.release("长片", length=PIECES * PIECE_LENGTH - 5, duration_ms=3_600_000)
    province.frame([film.item(province.now_ms + 3 * HOUR_MS)])
    province.publish(hours=0.5)
    kills = lives = 0
    with Source(province.folder) as source:
        while kills < kills_wanted and lives < kills_wanted:
            lives += 1
            data = tmp_path / f"terminal-{lives}"
            make_terminal(data, province, [source.url], machine=None).close()
            kills += fetched_under_kills(data, film, source, draw, kills_wanted - kills)
            shutil.rmtree(data)
    assert kills >= kills_wanted // 2, "too few kills: a quick machine fetches more in a life"


def fetched_under_kills(data: Path, film, source: Source, draw: random.Random, most: int) -> int:
    """One film, fetched by processes that are killed; how many were."""
    kills = 0
    source.asked.clear()
    with open_agent(data) as agent:
        refresh(agent)
        while kills < most and not agent.store.is_complete(film.manifest.renditions[0].sha256):
            kills += sync_and_kill(agent.paths.data, source, draw)
            assert_only_verified(agent, film)
        source.spoil = None
        assert sync_once(agent).ok
        stored = agent.store.open(film.manifest.renditions[0].sha256)
        assert stored.read(0, stored.length) == film.data
    asked = Counter(request.range for request in source.asked if request.path.startswith("/m/"))
    assert len(asked) == PIECES
    assert sum(asked.values()) - PIECES <= kills, asked
    return kills


def sync_and_kill(data: Path, source: Source, draw: random.Random) -> int:
    """One pass that is killed within milliseconds of one of its next pieces; 0 when it was done before."""
    left = draw.randint(1, MOST_PIECES_A_LIFE)
    after_s = draw.uniform(0, 0.02)
    child = subprocess.Popen(
        [sys.executable, "-m", "client_agent", "sync", "--data", str(data)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def count(request, status, headers, body):
        nonlocal left
        left -= request.path.startswith("/m/")
        if left == 0:
            threading.Timer(after_s, child.kill).start()
        return status, headers, body

    source.spoil = count
    return int(child.wait(30) == -signal.SIGKILL)


def assert_only_verified(agent: Agent, film) -> None:
    """Every bit that is set stands for bytes on disk that are the signed ones; what can be read is right."""
    name = film.manifest.renditions[0].sha256
    row = agent.store.row(name)
    if row is None:
        return
    leaves = piece_layer_of(film.data).layer
    with (agent.paths.media / name).open("rb") as file:
        for index, bit in enumerate(row.bits):
            piece = file.read(PIECE_LENGTH)
            assert not bit or is_piece(piece, leaves[index * 32 : index * 32 + 32])
    with suppress(NotStored):
        assert agent.store.open(name).read(0, len(film.data)) == film.data


def test_killed_at_any_request_a_refresh_leaves_the_old_state_or_the_new_one(tmp_path, province):
    """Between any two files: recalls may come before their frame, but never half a schedule."""
    province.now_ms = to_ms(datetime.now(UTC)) - HOUR_MS
    airs_ms = province.now_ms + 3 * HOUR_MS
    old, new = province.release("旧"), province.release("新")
    province.frame([old.item(airs_ms)])
    province.publish(hours=0.1)
    with Source(province.folder) as source:
        make_terminal(tmp_path / "terminal", province, [source.url]).close()
        with open_agent(tmp_path / "terminal") as agent:
            refresh(agent)
            province.frame([new.item(airs_ms)])
            province.recall(old)
            province.publish(hours=0.1)
            killed = 0
            for request in range(1, 40):
                if not refresh_and_kill(agent.paths.data, source, request):
                    break
                killed += 1
                assert on_air(agent, airs_ms) in ({old.sha256}, {new.sha256}, {None})
                if agent.database.rows("SELECT 1 FROM recalls"):
                    assert on_air(agent, airs_ms) != {old.sha256}
            assert killed >= 3
            assert on_air(agent, airs_ms) == {new.sha256}
            assert agent.guide.manifest(new.sha256) == new.manifest


def on_air(agent: Agent, at_ms: int) -> set[str | None]:
    item = agent.guide.listing(day_of_ms(at_ms)).at(at_ms)
    return {item.release if item else None}


def refresh_and_kill(data: Path, source: Source, at_request: int) -> bool:
    """A refresh that is killed while its nth request is answered; False when it ended before."""
    child = subprocess.Popen(
        [sys.executable, "-m", "client_agent", "_refresh", "--data", str(data)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    left = at_request

    def count(_, status, headers, body):
        nonlocal left
        left -= 1
        if left == 0:
            child.kill()
        return status, headers, body

    source.spoil = count
    ended = child.wait(30)
    source.spoil = None
    return ended == -signal.SIGKILL
