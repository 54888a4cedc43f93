from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from server.transcode.errors import Cancelled, ToolFailed, ToolTimedOut
from server.transcode.runner import Limits, describe_protections, protections, run

LIMITS = Limits(deadline_s=20, cpu_s=20)
SH = "/bin/sh"


def children_named(word: str) -> list[str]:
    found = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in found.splitlines() if word in line and "jail.py" not in line]


def test_a_tool_that_ends_well_gives_its_output(tmp_path: Path) -> None:
    assert run([SH, "-c", "echo 你好"], limits=LIMITS, cwd=tmp_path).stdout == "你好\n"


def test_a_tool_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(ToolFailed) as failed:
        run([SH, "-c", "echo broken >&2; exit 3"], limits=LIMITS, cwd=tmp_path)
    assert failed.value.returncode == 3
    assert "broken" in failed.value.log


def test_a_flood_of_output_neither_blocks_nor_fills_memory(tmp_path: Path) -> None:
    lines = 0

    def count(_line: str) -> None:
        nonlocal lines
        lines += 1

    done = run([SH, "-c", "yes 0123456789 | head -n 300000; yes e | head -c 3000000 >&2"], limits=LIMITS,
               cwd=tmp_path, on_line=count)  # fmt: skip
    assert lines == 300_000
    assert len(done.log) <= 64 * 1024


def test_the_deadline_kills_the_whole_group_even_when_it_ignores_signals(tmp_path: Path) -> None:
    with pytest.raises(ToolTimedOut):
        run([SH, "-c", "trap '' TERM INT HUP; sleep 4241 & sleep 4241"], limits=Limits(deadline_s=0.5, cpu_s=5),
            cwd=tmp_path)  # fmt: skip
    assert children_named("sleep 4241") == []


def test_cancelling_kills_within_two_seconds(tmp_path: Path) -> None:
    cancelled = threading.Event()
    threading.Timer(0.3, cancelled.set).start()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        run([SH, "-c", "sleep 4242"], limits=LIMITS, cwd=tmp_path, is_cancelled=cancelled.is_set)
    assert time.monotonic() - started < 2.3
    assert children_named("sleep 4242") == []


def test_a_tool_dies_with_its_worker(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path; from server.transcode.runner import Limits, run; "
        f"run(['/bin/sh', '-c', 'echo up > {tmp_path}/up; exec sleep 4243'], limits=Limits(60, 60), "
        f"cwd=Path('{tmp_path}'), writes=[Path('{tmp_path}')])"
    )
    root = Path(__file__).resolve().parents[2]
    worker = subprocess.Popen(
        [sys.executable, "-c", program], cwd=root, env={**os.environ, "PYTHONPATH": str(root)}
    )
    until = time.monotonic() + 20
    while not (tmp_path / "up").exists() and time.monotonic() < until:
        time.sleep(0.05)
    worker.kill()
    worker.wait()
    until = time.monotonic() + 5
    while children_named("sleep 4243") and time.monotonic() < until:
        time.sleep(0.05)
    assert children_named("sleep 4243") == []


def test_protections_are_named_for_the_log() -> None:
    assert set(protections()) == {"landlock", "landlock_abi", "no_network"}
    assert "resource limits" in describe_protections()


def test_a_tool_reads_only_what_it_was_given(tmp_path: Path) -> None:
    assert protections()["landlock"], "this machine's kernel has no Landlock"
    (tmp_path / "given").mkdir()
    (tmp_path / "other").write_text("secret")
    (tmp_path / "given" / "mine").write_text("mine")
    done = run([SH, "-c", f"cat mine; cat {tmp_path}/other 2>/dev/null; true"], limits=LIMITS,
               cwd=tmp_path / "given", reads=[tmp_path / "given"])  # fmt: skip
    assert done.stdout == "mine"


def test_a_tool_has_no_network(tmp_path: Path) -> None:
    assert protections()["no_network"], "this machine's kernel gives no network namespace"
    program = "import socket; socket.create_connection(('127.0.0.1', 9), 1)"
    with pytest.raises(ToolFailed, match=r"Network is unreachable|Permission denied"):
        run([os.path.realpath("/usr/bin/python3"), "-c", program], limits=LIMITS, cwd=tmp_path)


def test_a_file_cannot_grow_past_its_limit(tmp_path: Path) -> None:
    with pytest.raises(ToolFailed):
        run([SH, "-c", "head -c 5000000 /dev/zero > big"], limits=Limits(20, 20, file_size=1_000_000), cwd=tmp_path,
            reads=[Path("/dev/zero")], writes=[tmp_path])  # fmt: skip
    assert (tmp_path / "big").stat().st_size <= 1_000_000


def test_a_process_that_ended_but_was_not_waited_for_is_no_more() -> None:
    from server.transcode.jobs import process_start

    assert process_start(os.getpid()) is not None
    ended = subprocess.Popen(["/bin/true"])
    until = time.monotonic() + 10
    while process_start(ended.pid) is not None and time.monotonic() < until:
        time.sleep(0.02)
    assert process_start(ended.pid) is None
    ended.wait()
