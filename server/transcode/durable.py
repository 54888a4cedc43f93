"""What an execution of a job works with, and how results outlive it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec
from sqlalchemy.exc import DBAPIError

from server.db import Database
from server.storage import Store
from server.transcode.errors import TranscodeError
from server.transcode.exchange import Exchange
from server.transcode.profiles import DEFAULT_PROFILES, Profile
from server.transcode.work import Turn

log = logging.getLogger(__name__)

T = TypeVar("T")
PROGRESS_EVERY_S = 1.0
DATABASE_PATIENCE_S = 120.0

Result = Callable[[], str]


class Durable(Protocol):
    """What keeps an execution's results, so that the next one goes on where this one ended."""

    def step(self, name: str, action: Callable[[], str]) -> str:
        """Run a named step: its text is kept, and given back instead of running the step again."""

    def begin_part(self, turn: Turn, name: str, order: str) -> Result:
        """Let any worker do a part; the answer waits for its text (once it is known to have ended)."""


class PartFailed(TranscodeError):
    """A part of the job failed on its worker."""


class Kept(msgspec.Struct):
    """What a durable step keeps: its result, or why it refused the file."""

    value: str = ""
    refused: str = ""
    detail: str = ""
    failed: str = ""


@dataclass(frozen=True)
class Bench:
    """What an execution works with."""

    database: Database
    store: Store
    data: Path
    work: Path
    is_stopping: Callable[[], None]
    """Raises when the worker is stopping."""
    exchange: Exchange
    profiles: tuple[Profile, ...] = DEFAULT_PROFILES

    def folder(self, job_id: str) -> Path:
        return self.work / job_id


def patiently(action: Callable[[], T], *, patience_s: float = DATABASE_PATIENCE_S) -> T:
    """Do it again while the database is away (a restart), up to ``patience_s``."""
    until = time.monotonic() + patience_s
    while True:
        try:
            return action()
        except DBAPIError as error:
            if time.monotonic() >= until:
                raise
            log.warning("the database is away, trying again: %s", str(error.orig).strip())
            time.sleep(0.5)


def keep(kept: Kept) -> str:
    """What a step or part kept, as text."""
    return msgspec.json.encode(kept).decode()
