"""The long-running agent: one tick thread for passes, the TV page in the others; SIGTERM ends it within 3 s.

A terminal polls at its own phase of the interval, with some jitter, so that 54,000 of them do not ask at once after a
power cut. One that holds nothing yet asks at once.
"""

from __future__ import annotations

import hashlib
import logging
import random
import signal
import threading
import time
from importlib import import_module, util
from typing import Any

from client_agent.agent import Agent
from client_agent.errors import AgentError
from client_agent.sync import Refreshed, Syncer

log = logging.getLogger(__name__)
JITTER_SHARE = 0.1
REPLAN_EVERY_S = 600.0
STOP_WITHIN_S = 3.0


def phase_s(terminal: str, poll_s: float) -> float:
    """This terminal's place in the polling interval, the same at every start."""
    share = int.from_bytes(hashlib.sha256(terminal.encode()).digest()[:4], "big") / 2**32
    return share * poll_s


class Ticker:
    """Passes, one after another, until stopped. A long download yields to the next look for something new."""

    def __init__(self, agent: Agent, poll_s: float, stop: threading.Event) -> None:
        self._agent = agent
        self._poll_s = poll_s
        self._stop = stop
        self._wake = threading.Event()
        self._next_look = 0.0
        self._planned_for = ("", 0.0)
        self._unfinished = True

    def wake(self) -> None:
        """Plan and fetch now: a stored piece proved wrong, or somebody asked for something."""
        self._planned_for = ("", 0.0)
        self._wake.set()

    def run(self) -> None:
        """The tick thread's body."""
        has_programme = self._agent.guide.version != "0"
        self._next_look = time.monotonic()
        if has_programme:
            self._next_look += phase_s(self._agent.identity.terminal, self._poll_s)
        syncer = Syncer(self._agent)
        try:
            self._agent.store.recheck_partial()
            while not self._stop.is_set():
                self._tick(syncer)
                self._pause()
        finally:
            syncer.close()

    def _tick(self, syncer: Syncer) -> None:
        try:
            if time.monotonic() >= self._next_look:
                self._look(syncer)
            self._fetch(syncer)
        except AgentError as error:
            log.warning("tick: %s", error)
        except Exception:
            log.exception("tick failed")

    def _look(self, syncer: Syncer) -> None:
        jitter = random.uniform(1 - JITTER_SHARE, 1 + JITTER_SHARE)  # noqa: S311 - not a secret
        self._next_look = time.monotonic() + self._poll_s * jitter
        outcome, _ = syncer.refresh(self._stop.is_set)
        if outcome not in (Refreshed.UNCHANGED, Refreshed.WAITING):
            log.info("refresh: %s", outcome)

    def _fetch(self, syncer: Syncer) -> None:
        """Plan anew when documents changed, something is unfinished, or the hours have moved on."""
        version, planned_at = self._planned_for
        same = version == self._agent.guide.version and time.monotonic() - planned_at < REPLAN_EVERY_S
        if same and not self._unfinished:
            return
        self._planned_for = (self._agent.guide.version, time.monotonic())
        wanted, keep = syncer.plan()
        done = syncer.download(wanted, keep, self._should_yield)
        self._unfinished = done.stopped or bool(done.failed)
        if done.files:
            log.info("fetched %d of %d files, %d bytes", done.files, len(wanted), done.bytes)

    def _should_yield(self) -> bool:
        return self._stop.is_set() or time.monotonic() >= self._next_look

    def _pause(self) -> None:
        self._wake.wait(max(0.05, min(self._next_look - time.monotonic(), self._poll_s)))
        self._wake.clear()


def run(agent: Agent, *, host: str, port: int, poll_s: float) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code."""
    stop = threading.Event()
    ticker = Ticker(agent, poll_s, stop)
    agent.store.on_corrupt = lambda *_: ticker.wake()

    def end(*_: Any) -> None:
        stop.set()
        ticker.wake()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    thread = threading.Thread(target=ticker.run, name="tick", daemon=True)
    thread.start()
    try:
        _serve(agent, host, port, stop)
    finally:
        end()
        thread.join(STOP_WITHIN_S)
    return 0


def _serve(agent: Agent, host: str, port: int, stop: threading.Event) -> None:
    if util.find_spec("client_agent.httpd") is None:
        stop.wait()
        return
    import_module("client_agent.httpd").serve(agent, host=host, port=port, stop=stop)
