"""The power goes at any moment: at most one piece is fetched twice, and no unverified byte can be read."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from client_agent.agent import Agent, open_agent
from client_agent.errors import NotStored
from client_agent.refresh import refresh
from client_agent.sync import sync_once
from protocol.pieces import PIECE_LENGTH, is_piece, piece_layer_of
from protocol.times import to_ms
from tests.client_agent.conftest import make_terminal
from tests.client_agent.repository import HOUR_MS, Source

ROOT = Path(__file__).resolve().parents[2]
KILLS = 40
"""At most; each life gets one or two pieces further."""
PIECES = 20
MOST_PIECES_A_LIFE = 2


def test_killed_at_any_moment_a_download_repeats_at_most_one_piece_a_kill(tmp_path, province):
    seed = random.randrange(10**6)
    draw = random.Random(seed)
    province.now_ms = to_ms(datetime.now(UTC)) - HOUR_MS
    film = province.release("长片", length=PIECES * PIECE_LENGTH - 5, duration_ms=3_600_000)
    province.frame([film.item(province.now_ms + 3 * HOUR_MS)])
    province.publish(hours=0.5)
    with Source(province.folder) as source:
        make_terminal(tmp_path / "terminal", province, [source.url], machine=None).close()
        with open_agent(tmp_path / "terminal") as agent:
            refresh(agent)
            kills = 0
            while not agent.store.is_complete(film.manifest.renditions[0].sha256) and kills < KILLS:
                kills += sync_and_kill(agent.paths.data, source, draw)
                assert_only_verified(agent, film)
            source.spoil = None
            assert kills >= PIECES // MOST_PIECES_A_LIFE - 1
            assert sync_once(agent).ok, f"seed {seed}"
            stored = agent.store.open(film.manifest.renditions[0].sha256)
            assert stored.read(0, stored.length) == film.data
    asked = Counter(request.range for request in source.asked if request.path.startswith("/m/"))
    assert len(asked) == PIECES
    assert sum(asked.values()) - PIECES <= kills, f"seed {seed}: {asked}"


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
