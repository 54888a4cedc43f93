"""A browser whose page has gone silent is begun anew; one that speaks, or whose agent is away, is left alone."""

from __future__ import annotations

import sys
import threading
import time

import pytest

from client_agent.kiosk import Kiosk, is_silent
from client_agent.reporting import open_outbox, open_tv
from tests.client_agent.station import Station
from tests.client_agent.test_run import eventually

BROWSER = """
import subprocess, sys, time, urllib.request
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])  # a helper process, as browsers have
with open(sys.argv[2], "a") as log:
    log.write("started\\n")
for n in range(int(sys.argv[3])):
    urllib.request.urlopen(sys.argv[1] + "api/state").read()
    time.sleep(0.2)
time.sleep(600)
"""


@pytest.mark.parametrize(
    ("seen_ms_ago", "running_s", "silent"),
    [(None, 999, False), (1_000, 999, False), (61_000, 999, True), (10**9, 30, False), (60_000, 61, False)],
)
def test_only_a_page_that_the_agent_misses_is_silent(seen_ms_ago, running_s, silent):
    assert is_silent(seen_ms_ago, running_s) is silent


@pytest.fixture
def server(tmp_path):
    agent = Station(tmp_path / "station", time.time_ns() // 1_000_000).open()
    outbox = open_outbox(agent)
    _, server = open_tv(agent, outbox, 0)
    server.start()
    yield server
    server.stop()
    outbox.close()
    agent.close()


def kiosk_of(server, tmp_path, polls):
    words = [sys.executable, "-c", BROWSER, server.url, str(tmp_path / "log"), str(polls)]
    return Kiosk(words, server.url, patience_s=1.0, look_s=0.1)


def run(kiosk):
    stop = threading.Event()
    thread = threading.Thread(target=kiosk.run, args=(stop,), daemon=True)
    thread.start()
    return stop, thread


def test_a_browser_whose_page_hangs_is_ended_and_begun_anew(server, tmp_path):
    kiosk = kiosk_of(server, tmp_path, polls=3)
    stop, thread = run(kiosk)
    eventually(lambda: kiosk.starts >= 2, 20)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def test_a_browser_that_speaks_is_left_alone(server, tmp_path):
    kiosk = kiosk_of(server, tmp_path, polls=15)
    stop, thread = run(kiosk)
    time.sleep(2.5)
    assert kiosk.starts == 1
    stop.set()
    thread.join(10)
