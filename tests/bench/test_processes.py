"""Figures are read from a real process."""

from __future__ import annotations

import sys

from bench import processes


def test_memory_and_processor_time_of_a_process_that_uses_both(tmp_path):
    work = "import time; block = bytearray(50_000_000); end = time.process_time() + 0.5\nwhile time.process_time() < end: pass\ninput_never = time.sleep(60)"
    process = processes.start([sys.executable, "-c", work], processes.environment(), tmp_path / "log")
    try:
        processes.wait_for(lambda: processes.cpu_s(process.pid) >= 0.5, "half a second of work")
        assert 50 < processes.rss_mb(process.pid) < 120
    finally:
        processes.stop(process)
    assert process.poll() is not None


def test_a_bare_server_answers_and_the_time_is_taken(free_port, tmp_path):
    command = processes.bare_server(free_port)
    taken = processes.seconds_to_answer(
        command, f"http://127.0.0.1:{free_port}/", processes.environment(), tmp_path / "log"
    )
    assert taken > 0
    assert not processes.answers(f"http://127.0.0.1:{free_port}/")
