"""Puts together what a running agent reports and shows: outbox, reporter, player, TV server."""

from __future__ import annotations

import os
import sqlite3
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

from client_agent.agent import Agent
from client_agent.book import Book
from client_agent.desk.desk import open_desk
from client_agent.desk.print_pages import papers
from client_agent.desk.swapping import Swap
from client_agent.desk.telling import late_heads
from client_agent.evening import Evening
from client_agent.evidence import Evidence, EvidencePost
from client_agent.handover import Carrier, settle
from client_agent.httpd import TvServer
from client_agent.outbox import Outbox, Stamp
from client_agent.phone.helper import Phone
from client_agent.player import Player
from client_agent.reporter import HttpLine, Reporter
from client_agent.routes import TvParts
from client_agent.screenshot import Eye
from client_agent.tvdata import TvData

FAULTS_AN_HOUR = 20


def stamp_of(agent: Agent) -> Callable[[], Stamp]:
    """Readings of the agent's clock for records."""

    def stamp() -> Stamp:
        reading = agent.clock.reading()
        now_ms, state = agent.clock.now_ms()
        return Stamp(now_ms, reading.boot, reading.mono_ms, state, now_ms - reading.rtc_ms)

    return stamp


def open_outbox(agent: Agent) -> Outbox:
    """This terminal's outbox. Raises OutboxBusy when another process reports for it."""
    try:
        outbox = Outbox(agent.paths.outbox, stamp=stamp_of(agent))
    except sqlite3.OperationalError:
        if not agent.ballast.release():  # opening takes a few pages too
            raise
        outbox = Outbox(agent.paths.outbox, stamp=stamp_of(agent))
    outbox.on_full = agent.ballast.release
    return outbox


def open_reporter(agent: Agent, outbox: Outbox) -> Reporter:
    """Its way to the province, over the API that the signed network document names at the time."""
    return Reporter(
        outbox=outbox,
        who=lambda: agent.identity,
        line=HttpLine(agent.http, lambda: agent.identity.api),
        mono_ms=lambda: agent.clock.reading().mono_ms,
        wall_ms=lambda: agent.clock.now_ms()[0],
        hear_time=agent.clock.hear_server_time,
    )


def open_evidence(agent: Agent, book: Book, outbox: Outbox) -> Evidence:
    """The photos and recordings of this station. Raises StorageFailed."""
    return Evidence(agent.paths.evidence, book, outbox, lambda: agent.clock.now_ms()[0])


def open_carrier(agent: Agent, book: Book, outbox: Outbox) -> Carrier:
    """The way home of what a former terminal of this station had signed."""
    settle(agent, book)
    return Carrier(
        book=book,
        outbox=outbox,
        who=lambda: agent.identity,
        line=HttpLine(agent.http, lambda: agent.identity.api),
        mono_ms=lambda: agent.clock.reading().mono_ms,
        wall_ms=lambda: agent.clock.now_ms()[0],
    )


def open_post(agent: Agent, evidence: Evidence, outbox: Outbox) -> EvidencePost:
    """Their way to the province; it keeps to the line's hours and cap."""
    return EvidencePost(
        evidence=evidence,
        who=lambda: agent.identity,
        line=HttpLine(agent.http, lambda: agent.identity.api),
        mono_ms=lambda: agent.clock.reading().mono_ms,
        wall_ms=lambda: agent.clock.now_ms()[0],
        allowed=lambda: agent.line.closed_until_ms() is None,
        incarnation=lambda: outbox.incarnation,
    )


def open_tv(agent: Agent, outbox: Outbox, port: int, host: str = "127.0.0.1") -> tuple[Player, TvServer]:
    """The player's account and the TV page's server, not yet started. Raises OSError when the port is taken."""
    player = Player(outbox, stamp_of(agent))
    book = Book(agent.paths.book)
    desk = open_desk(agent, book, outbox)
    evening = Evening(
        book, agent.guide, outbox, agent.clock.for_programmes, who=desk.people.who, days=desk.plan.days
    )
    desk.people.studying = lambda: evening.running
    evidence = open_evidence(agent, book, outbox)
    phone = Phone(
        book,
        evening,
        outbox,
        evidence,
        agent.clock,
        who=lambda: agent.identity,
        enter_late=partial(late_heads, desk),
        port=port + 1 if port else 0,
    )
    data = TvData(agent.guide, agent.store, agent.clock, book, evening, lambda: agent.identity.station_name)
    parts = TvParts(
        data=data,
        guide=agent.guide,
        store=agent.store,
        player=player,
        outbox=outbox,
        book=book,
        evening=evening,
        evidence=evidence,
        eye=Eye(),
        swap=Swap(),
        desk=desk,
        phone=phone,
        now_ms=lambda: agent.clock.for_programmes()[0],
        fonts=find_fonts(),
    )
    phone.papers = papers(parts)
    agent.store.on_corrupt = CorruptPieces(outbox, stamp_of(agent))
    return player, TvServer(parts, port, host)


class CorruptPieces:
    """Records stored pieces that proved wrong; a dying disk must not fill the outbox, so at most twenty an hour."""

    def __init__(self, outbox: Outbox, stamp: Callable[[], Stamp]) -> None:
        self._outbox = outbox
        self._stamp = stamp
        self._recent: deque[int] = deque(maxlen=FAULTS_AN_HOUR)

    def __call__(self, sha256: str, piece: int) -> None:
        now_ms = self._stamp().mono_ms
        if len(self._recent) == FAULTS_AN_HOUR and now_ms - self._recent[0] < 3_600_000:
            return
        self._recent.append(now_ms)
        self._outbox.fault("piece_corrupt", f"{sha256}/{piece}")


def find_fonts() -> Path | None:
    """The folder of the Chinese web font: YUANBO_FONTS, the package's own, or what set-up put beside the sources."""
    here = Path(__file__).resolve().parent
    places = [os.environ.get("YUANBO_FONTS"), here / "tv" / "fonts", here.parent / "web_dist" / "fonts"]
    return next(
        (Path(place) for place in places if place and (Path(place) / "noto-sans-sc.css").is_file()), None
    )
