"""What the administrator's pages work with, put together once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from client_agent.agent import Agent
from client_agent.book import Book
from client_agent.desk.logbook import Logbook
from client_agent.desk.opening import Opening
from client_agent.desk.people import People
from client_agent.desk.plan import Plan
from client_agent.desk.telling import tell
from client_agent.errors import StorageFailed
from client_agent.machine import screen_on
from client_agent.outbox import Outbox
from protocol.batch import Record

if TYPE_CHECKING:
    from client_agent.desk.summary import Line

logger = logging.getLogger(__name__)


@dataclass
class Desk:
    """One station's administration. ``agent``: the station as it is."""

    agent: Agent
    book: Book
    outbox: Outbox
    people: People
    log: Logbook
    plan: Plan
    opening: Opening

    @cached_property
    def line(self) -> Line:
        """The line under the header."""
        from client_agent.desk.summary import Line

        return Line(self)


def open_desk(agent: Agent, book: Book, outbox: Outbox) -> Desk:
    """The desk, with everything that came about while it was not looking written into the log."""
    people = People(book, agent.clock.reading)
    log = Logbook(book, agent.clock.now_ms, number_of(agent))
    plan = Plan(book, agent.guide, log, lambda: agent.clock.for_programmes()[0])
    opening = Opening(book, screen_on)

    def finished(record: Record) -> None:
        log.take(record)
        opening.take(record)

    outbox.on_finished = finished
    desk = Desk(agent, book, outbox, people, log, plan, opening)
    try:
        log.catch_up(outbox.records())
    except StorageFailed as error:  # a full disk must not keep the set dark
        logger.error("the log could not be brought up to date: %s", error)
    tell(log, outbox)
    return desk


def number_of(agent: Agent) -> Callable[[str], int]:
    """A release's programme number, 0 where no current document names it."""

    def look(release: str) -> int:
        manifest = agent.guide.manifest(release)
        return manifest.number if manifest is not None else 0

    return look
