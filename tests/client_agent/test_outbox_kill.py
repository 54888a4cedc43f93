"""The outbox's process is killed at random moments: what it had announced is there, once, under its number."""

from __future__ import annotations

import json
import logging
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from client_agent.outbox import Outbox, Stamp
from protocol import batch as wire
from protocol.batch import ClockState

log = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parents[2]
KILLS = 8

WRITER = """
import random, sys
from pathlib import Path
from client_agent.outbox import Outbox, Stamp
from protocol import keys
from protocol.batch import ClockState, Fault

draw = random.Random(int(sys.argv[2]))
outbox = Outbox(Path(sys.argv[1]), stamp=lambda: Stamp(1_780_000_000_000, sys.argv[2], 1, ClockState.KNOWN))
private = keys.new_private_key()
print("[]", flush=True)
n = 0
place = None
while True:
    n += 1
    name = f"{sys.argv[2]}-{n}"
    luck = draw.random()
    if luck < 0.7:
        at = outbox.append(Fault, code=name)
    elif luck < 0.85:
        at = place = outbox.write_open(place, Fault, code=f"{sys.argv[2]}-open", text=str(n))
    else:
        outbox.cut_batch("01890000-0000-7000-8000-000000000001", private)
        continue
    print(f'["{at.epoch}", {at.seq}, "{name}", {n}]', flush=True)
"""


def run_until_killed(path: Path, seed: int, after_s: float) -> list[list[object]]:
    """What the writer announced before it was killed."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(seed)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "[]\n"
    time.sleep(after_s)
    writer.send_signal(signal.SIGKILL)
    said, _ = writer.communicate()
    lines = said.split("\n")[:-1]
    return [json.loads(line) for line in lines]


def everything(outbox: Outbox) -> dict[tuple[str, int], wire.Record]:
    """All records on disk, in batches or not; fails when a number stands twice."""
    found: dict[tuple[str, int], wire.Record] = {}
    rows = outbox._db.execute("SELECT epoch, seq, data FROM records").fetchall()
    loose = [(epoch, wire.read_record(data)) for epoch, _, data in rows]
    packed = [
        (batch.epoch, wire.read_record(line))
        for batch in outbox.waiting_batches(10_000)
        for line in wire.unpack_lines(wire.read_batch(outbox.batch_bytes(batch.id)).body)
    ]
    for epoch, record in loose + packed:
        assert (epoch, record.seq) not in found
        found[epoch, record.seq] = record
    return found


def test_nothing_announced_is_missing_and_nothing_stands_twice_after_kills_at_random_moments(tmp_path):
    seed = random.randrange(10**6)
    log.info("seed %d", seed)
    draw = random.Random(seed)
    path = tmp_path / "outbox.sqlite"
    announced: list[list[object]] = []
    for turn in range(KILLS):
        announced += run_until_killed(path, seed + turn, draw.random() * 0.4)
    outbox = Outbox(path, stamp=lambda: Stamp(1, "b", 1, ClockState.KNOWN))
    found = everything(outbox)
    outbox.close()
    log.info("%d announced, %d found", len(announced), len(found))
    for epoch, seq, name, n in announced:
        record = found[str(epoch), int(str(seq))]
        if record.code.endswith("-open"):
            assert int(record.text) >= int(str(n)), "an open record went back"
        else:
            assert record.code == name
    epochs = {epoch for epoch, _ in found}
    for epoch in epochs:
        numbers = sorted(seq for e, seq in found if e == epoch)
        assert numbers == list(range(1, len(numbers) + 1)), "a hole"
