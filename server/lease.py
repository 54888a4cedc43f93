"""Leases in the database: at most one process at a time does a thing, by the database's clock, not its own.

A lease can run out under a process that was stopped or cut off; the holder after it has a higher ``fence``. So
whoever changes something outside the database shows its fence again at the last moment, see :meth:`Lease.check`.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import BigInteger, Integer, String, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from server.db import Base, Database
from server.errors import Conflict
from server.i18n import N_

_NOW_MS = {
    "sqlite": "SELECT CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)",
    "postgresql": "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
}


class LeaseRow(Base):
    """Who holds what until when (milliseconds since 1970 of the database's clock); ``fence`` rises with each holder."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    holder: Mapped[str | None] = mapped_column(String(120))
    fence: Mapped[int] = mapped_column(Integer, default=0)
    expires_ms: Mapped[int] = mapped_column(BigInteger, default=0)


class LeaseTaken(Conflict):
    """Somebody else is at it."""

    code = "busy"
    title = N_("另一个进程正在做同一件事，请稍后再试")


class LeaseLost(Conflict):
    """We were away for too long, and somebody else took over."""

    code = "lease_lost"
    title = N_("操作时间过长，已由另一个进程接手")


def database_now_ms(session: Session) -> int:
    """The database's clock, in milliseconds since 1970."""
    return int(session.execute(text(_NOW_MS[session.get_bind().dialect.name])).scalar_one())


@dataclass(frozen=True)
class Lease:
    """A lease that this process took."""

    name: str
    holder: str
    fence: int
    lasts_ms: int

    def check(self, session: Session) -> None:
        """Raises LeaseLost unless it is still ours; until the transaction ends nobody else can take it."""
        row = session.get(LeaseRow, self.name, with_for_update=True, populate_existing=True)
        if row is None or row.fence != self.fence or row.holder != self.holder:
            raise LeaseLost

    def renew(self, database: Database) -> None:
        """Hold it for the full time again. Raises LeaseLost."""
        with database.write() as session:
            self.check(session)
            row = session.get_one(LeaseRow, self.name)
            row.expires_ms = database_now_ms(session) + self.lasts_ms

    def release(self, database: Database) -> None:
        """Give it back; harmless when it was lost."""
        with database.write() as session:
            row = session.get(LeaseRow, self.name, with_for_update=True)
            if row is not None and row.fence == self.fence and row.holder == self.holder:
                row.holder, row.expires_ms = None, 0


def take(database: Database, name: str, *, lasts_ms: int) -> Lease:
    """Take a lease that is free, has run out, or belongs to a process of this machine that is gone.

    Raises LeaseTaken.
    """
    holder = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"
    with database.write() as session:
        _ensure_row(session, name)
        row = session.get(LeaseRow, name, with_for_update=True, populate_existing=True)
        assert row is not None
        now_ms = database_now_ms(session)
        if row.holder is not None and row.expires_ms > now_ms and not _is_gone(row.holder):
            raise LeaseTaken
        row.holder = holder
        row.fence += 1
        row.expires_ms = now_ms + lasts_ms
        return Lease(name, holder, row.fence, lasts_ms)


@contextmanager
def held(database: Database, name: str, *, lasts_ms: int) -> Iterator[Lease]:
    """A lease for the length of a block. Raises LeaseTaken."""
    lease = take(database, name, lasts_ms=lasts_ms)
    try:
        yield lease
    finally:
        lease.release(database)


def _ensure_row(session: Session, name: str) -> None:
    session.execute(
        text(
            "INSERT INTO leases (name, fence, expires_ms) VALUES (:name, 0, 0) ON CONFLICT (name) DO NOTHING"
        ),
        {"name": name},
    )


def _is_gone(holder: str) -> bool:
    host, _, rest = holder.partition("/")
    pid = rest.partition("/")[0]
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
