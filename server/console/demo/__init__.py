"""The demonstration: programmes, a week's schedule, a publication and a village station, built through the public API.

Every step first looks at what is there, so that a kill at any moment costs only the step it fell into::

    films and clip ─► upload ─► submit ─► three reviews ─► encoded and released
                                                               └─► week ─► county's window ─► publication ─► station

Once all of it stands, `demo/done` is written and the demonstration never touches this installation again: what people
change afterwards stays as they left it.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from server.client import ApiClient
from server.config import Config
from server.console.demo import programmes, schedule, station
from server.console.demo.errors import DemoFailed, Stopped
from server.readplane import write_whole

__all__ = ["DemoFailed", "build"]

log = logging.getLogger(__name__)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Desk:
    """Who is at work: a client of the API for each role, where to say what happens, when to stop."""

    config: Config
    clients: Mapping[str, ApiClient]
    say: Say
    is_stopping: Callable[[], bool]

    def __getitem__(self, role: str) -> ApiClient:
        return self.clients[role]

    def go_on(self) -> None:
        """Raises Stopped once somebody asked us to end."""
        if self.is_stopping():
            raise Stopped

    @property
    def folder(self) -> Path:
        return self.config.data / "demo"


def build(
    config: Config,
    accounts: Sequence[Mapping[str, str]],
    *,
    say: Say,
    is_stopping: Callable[[], bool] = lambda: False,
) -> str | None:
    """Build what is still missing; returns the id of the village station, None when stopped on the way.

    `accounts` have "role" and "token". `say` is called at least every few seconds.

    Raises DemoFailed (the reason in words), ApiError and ServerAway (of the API), FilmNotMade.
    """
    clients = {account["role"]: ApiClient(config.console_url, account["token"]) for account in accounts}
    desk = Desk(config, clients, say, is_stopping)
    done = desk.folder / "done"
    if done.exists():
        return done.read_text("utf-8").strip() or None
    desk.folder.mkdir(parents=True, exist_ok=True)
    try:
        found = _build(desk)
    except Stopped:
        return None
    write_whole(done, f"{found}\n".encode())
    shutil.rmtree(desk.folder / "films", ignore_errors=True)
    return found


def _build(desk: Desk) -> str:
    released = programmes.release_all(desk)
    schedule.fill_week(desk, released)
    schedule.use_window(desk, released)
    schedule.publish(desk)
    return station.enrol(desk)
