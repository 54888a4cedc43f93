"""The agent's parts, put together once: what commands, the tick, the reporter and the TV page work with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from client_agent.ballast import Ballast
from client_agent.clock import Clock, Reading, read_machine
from client_agent.config import AgentPaths
from client_agent.database import Database
from client_agent.errors import NotEnrolled, StorageFailed
from client_agent.fetch import Http
from client_agent.guide import Guide
from client_agent.line import Line
from client_agent.recovery import open_database
from client_agent.sources import Sources
from client_agent.store import Store

OPENING_BYTES = 2 * 1024 * 1024
"""SQLite writes beside its files when they are opened; with less room than this the ballast goes first."""


@dataclass(frozen=True)
class Identity:
    """Who this terminal is. ``private`` is the raw Ed25519 key; ``region`` the station's code as enrolled."""

    private: bytes
    public: str
    terminal: str
    station: str
    station_name: str
    region: str
    api: str
    read: tuple[str, ...]
    ca_pem: str | None
    receipt_keys: tuple[str, ...]
    incarnation: str


@dataclass(frozen=True)
class Agent:
    """Everything opened for one data folder. ``identity`` is read anew by :func:`read_identity` after a refresh,
    because the signed network document may have changed endpoints and receipt keys."""

    paths: AgentPaths
    database: Database
    clock: Clock
    store: Store
    guide: Guide
    line: Line
    ballast: Ballast
    extra_sources: tuple[str, ...] = ()
    """Read-plane addresses a person named, asked after the signed ones. No source is trusted, so none can harm."""

    @property
    def sources(self) -> Sources:
        """Where the read plane may be had, as the signed network document says it now."""
        return Sources(
            self.database, (*self.identity.read, *self.extra_sources), lambda: self.clock.now_ms()[0]
        )

    @property
    def identity(self) -> Identity:
        return read_identity(self.database)

    def http(self) -> Http:
        """A fresh HTTP client that trusts the network's CA."""
        return Http(self.identity.ca_pem)

    def close(self) -> None:
        with suppress(StorageFailed):
            self.line.flush()
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_agent(
    data: Path,
    read_clock: Callable[[], Reading] = read_machine,
    extra_sources: Sequence[str] = (),
    *,
    whole: bool = False,
) -> Agent:
    """Open a data folder that is enrolled. ``whole``: read the database through first, and begin anew from the second
    copy where it is damaged; only for who holds the folder's lock. Raises NotEnrolled, UnusableData."""
    paths = AgentPaths(data)
    if not paths.database.exists() and not paths.vault.exists():
        raise NotEnrolled(f"{NotEnrolled.__doc__} ({data})")
    paths.prepare()
    ballast = Ballast(paths.ballast)
    if shutil.disk_usage(paths.data).free < OPENING_BYTES:
        ballast.release()
    database = open_database(paths) if whole else Database(paths.database)
    identity = read_identity(database)
    clock = Clock(database, read_clock)
    store = Store(paths, database, lambda: clock.now_ms()[0])
    guide = Guide(database, store, identity.region, clock.for_programmes)
    database.on_full = ballast.release
    line = Line(database, identity.region, lambda: clock.now_ms()[0])
    return Agent(paths, database, clock, store, guide, line, ballast, tuple(extra_sources))


def read_identity(database: Database) -> Identity:
    """The enrolled identity. Raises NotEnrolled."""
    row = database.row(
        "SELECT private, public, terminal, station, station_name, region, api, read, ca_pem, receipt_keys, incarnation"
        " FROM identity"
    )
    if row is None:
        raise NotEnrolled
    private, public, terminal, station, name, region, api, read, ca_pem, receipt_keys, incarnation = row
    return Identity(
        private=private,
        public=public,
        terminal=terminal,
        station=station,
        station_name=name,
        region=region,
        api=api,
        read=tuple(json.loads(read)),
        ca_pem=ca_pem,
        receipt_keys=tuple(json.loads(receipt_keys)),
        incarnation=incarnation,
    )
