"""The station's book looked at by commands, also while the agent runs: people and whether the log's chain is whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from client_agent.book import Book
from client_agent.clock import read_machine
from client_agent.config import AgentPaths
from client_agent.desk.logbook import Logbook
from client_agent.desk.people import POSTS, NotAllowed, People
from client_agent.errors import AgentError, NotEnrolled
from protocol.batch import ClockState


class NoSuchPerson(AgentError):
    """没有这位管理员：先在电视的“站务”里设 / there is no such administrator: set him up on the TV first"""


def log_findings(paths: AgentPaths) -> list[str]:
    """What is wrong with the log; empty when its chain is whole, or nothing was written yet."""
    if not paths.book.exists():
        return []
    book = Book(paths.book)
    try:
        broken = Logbook(book, lambda: (0, ClockState.UNCERTAIN)).broken_at()
    finally:
        book.close()
    if broken is None:
        return []
    return [
        f"收看记录第 {broken} 行被改动过，请告诉县里 / line {broken} of the log was altered: tell the county"
    ]


def people_command(data: Path, reset: str | None, name: Sequence[str] | None) -> dict[str, Any]:
    """Reset a PIN, change a name, and who there is then. Raises NotEnrolled, NoSuchPerson."""
    paths = AgentPaths(data)
    if not paths.database.exists():
        raise NotEnrolled(f"{NotEnrolled.__doc__} ({data})")
    book = Book(paths.book)
    try:
        people = People(book, read_machine)
        try:
            if reset:
                people.reset(reset)
            if name:
                if name[0] not in POSTS:
                    raise NotAllowed
                people.rename(name[0], name[1])
        except NotAllowed as error:
            raise NoSuchPerson from error
        return people.told()
    finally:
        book.close()
