"""The long-running agent: one tick thread for passes, the TV page in the others; SIGTERM ends it within 3 s.

A terminal polls at its own phase of the interval, with some jitter, so that 54,000 of them do not ask at once after a
power cut. One that holds nothing yet asks at once.
"""

from __future__ import annotations

import hashlib
import logging
import os
import random
import shlex
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from client_agent.agent import Agent
from client_agent.documents import DocumentTable
from client_agent.errors import AgentError, DatabaseBroken, DataInUse, PortTaken, StorageFailed
from client_agent.health import HealthPace, health_fields, news_of
from client_agent.httpd import TvServer
from client_agent.outbox import Outbox, OutboxBusy
from client_agent.player import Player
from client_agent.reporting import open_carrier, open_outbox, open_post, open_reporter, open_tv
from client_agent.routes import TvParts
from client_agent.screenshot import Looks
from client_agent.sync import Refreshed, Syncer
from protocol import names
from protocol.batch import Health
from protocol.documents import Network

log = logging.getLogger(__name__)
JITTER_SHARE = 0.1
REPLAN_EVERY_S = 600.0
STOP_WITHIN_S = 2.0
REPORT_PAUSE_S = 2.0


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
            self._next_look += phase_s(self._agent.identity.terminal, self._interval_s())
        syncer = Syncer(self._agent)
        try:
            self._begin(syncer)
            while not self._stop.is_set():
                self._tick(syncer)
                self._pause()
        finally:
            syncer.close()

    def _begin(self, syncer: Syncer) -> None:
        try:
            syncer.look_after()
            self._agent.store.recheck_partial()
        except DatabaseBroken:
            raise
        except AgentError as error:
            log.warning("at start: %s", error)

    def _tick(self, syncer: Syncer) -> None:
        try:
            if time.monotonic() >= self._next_look:
                self._look(syncer)
            self._fetch(syncer)
        except DatabaseBroken:
            raise
        except AgentError as error:
            log.warning("tick: %s", error)
        except Exception:
            log.exception("tick failed")

    def _look(self, syncer: Syncer) -> None:
        jitter = random.uniform(1 - JITTER_SHARE, 1 + JITTER_SHARE)  # noqa: S311 - not a secret
        self._next_look = time.monotonic() + self._interval_s() * jitter
        outcome, _ = syncer.refresh(self._stop.is_set)
        if outcome not in (Refreshed.UNCHANGED, Refreshed.WAITING):
            log.info("refresh: %s", outcome)

    def _interval_s(self) -> float:
        """How often to look: as the province says, else as this terminal was set up."""
        network = DocumentTable(self._agent.database).read(names.NETWORK_TARGET, Network)
        return float(network.poll_s) if network is not None and network.poll_s else self._poll_s

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
        if done.closed:
            self._unfinished = False  # nothing changes before the next hour; REPLAN_EVERY_S looks again
        if done.files:
            log.info("fetched %d of %d files, %d bytes", done.files, len(wanted), done.bytes)

    def _should_yield(self) -> bool:
        return self._stop.is_set() or time.monotonic() >= self._next_look

    def _pause(self) -> None:
        self._wake.wait(max(0.05, min(self._next_look - time.monotonic(), self._poll_s)))
        self._wake.clear()


def run(agent: Agent, *, host: str, port: int, poll_s: float, screen: str = "page") -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code. ``screen``: "page" (a browser shows the TV page) or "mpv"
    (this process drives mpv). Raises PortTaken before anything is started."""
    stop = threading.Event()
    ticker = Ticker(agent, poll_s, stop)

    def end(*_: Any) -> None:
        stop.set()
        ticker.wake()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    with _station(agent, host, port, stop, screen):
        told = agent.store.on_corrupt

        def fetch_again(sha256: str, piece: int) -> None:
            if told is not None:
                told(sha256, piece)
            ticker.wake()

        agent.store.on_corrupt = fetch_again
        broken = threading.Event()

        def tick() -> None:
            try:
                ticker.run()
            except DatabaseBroken as error:  # whoever starts us next finds it, and begins anew
                log.error("%s", error)
                broken.set()
                stop.set()

        thread = threading.Thread(target=tick, name="tick", daemon=True)
        thread.start()
        stop.wait()
        thread.join(STOP_WITHIN_S)
    return DatabaseBroken.exit_code if broken.is_set() else 0


@contextmanager
def _station(agent: Agent, host: str, port: int, stop: threading.Event, screen: str) -> Iterator[None]:
    """The TV page's server, the player's account and the reporter's thread, for as long as the agent runs."""
    try:
        outbox = open_outbox(agent)
    except OutboxBusy as error:
        raise DataInUse(f"{DataInUse.__doc__}: {agent.paths.outbox}") from error
    except (sqlite3.Error, OSError) as error:
        raise StorageFailed(f"{StorageFailed.__doc__}: {agent.paths.outbox}: {error}") from error
    try:
        try:
            player, server = open_tv(agent, outbox, port, host)
        except OSError as error:
            raise PortTaken(f"{PortTaken.__doc__}: {host}:{port} ({error.strerror})") from error
        server.start()
        reporter = threading.Thread(
            target=_report, args=(agent, outbox, server.parts, stop), name="report", daemon=True
        )
        reporter.start()
        projecting = _project(agent, server, player, stop) if screen == "mpv" else None
        yield
        if projecting is not None:
            projecting.join(STOP_WITHIN_S)
        server.stop()
        player.stop()
        reporter.join(1)
    finally:
        outbox.close()


def _project(agent: Agent, server: TvServer, player: Player, stop: threading.Event) -> threading.Thread:
    """The thread that keeps mpv on what should be seen."""
    from client_agent.mpv import Mpv
    from client_agent.projector import Projector, remembered

    volume, captions = remembered(agent.database)
    screen = Mpv(
        agent.paths.data,
        server.url,
        volume=volume,
        captions=captions,
        remember=lambda name, value: agent.database.set_setting(name, str(value)),
        more_options=shlex.split(os.environ.get("YUANBO_MPV_OPTIONS", "")),
    )
    parts = server.parts
    parts.eye.take, parts.eye.say = screen.picture, screen.say_looked
    projector = Projector(
        screen, agent.guide, parts.data, player, parts.now_ms, lambda: agent.identity.station_name
    )
    thread = threading.Thread(target=projector.run, args=(stop,), name="screen", daemon=True)
    thread.start()
    return thread


def _report(agent: Agent, outbox: Outbox, parts: TvParts, stop: threading.Event) -> None:
    """The reporter's thread: one small step at a time, and a health record an hour. Photos and recordings go when no
    batch is waiting."""
    player = parts.player
    reporter, post = open_reporter(agent, outbox), open_post(agent, parts.evidence, outbox)
    carrier = open_carrier(agent, parts.book, outbox)
    looks = Looks(agent, parts.book, parts.evidence, outbox, parts.eye)
    pace = HealthPace(time.monotonic())
    while not stop.is_set():
        pause_s = REPORT_PAUSE_S
        try:
            player.tick()
            looks.tick()
            if pace.is_due(time.monotonic(), lambda: news_of(agent)):
                outbox.append(
                    Health, **health_fields(agent, outbox.length()), between_ms=player.take_between_ms()
                )
            rest_ms = reporter.tick()
            if rest_ms and reporter.has_rest:
                rest_ms = min(rest_ms, carrier.tick() or 1, post.tick())
            pause_s = min(pause_s, rest_ms / 1000)
        except Exception:
            log.exception("reporting failed")
        stop.wait(max(0.02, pause_s))
