"""Who is alive: worker processes and their heartbeats, by the database's clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, cast, func, literal_column, select, update
from sqlalchemy.orm import Session

from server.transcode.models import Executor
from server.transcode.states import ExecutorState


@dataclass(frozen=True)
class ExecutorView:
    """A worker process. ``silent_s`` is how long ago it was heard of."""

    id: str
    host: str
    pid: int
    process_started: int
    state: ExecutorState
    silent_s: float
    started_at: datetime


def _clock_ms(session: Session) -> ColumnElement[int]:
    """The database's own clock in milliseconds."""
    if session.get_bind().dialect.name == "postgresql":
        return cast(func.extract("epoch", func.clock_timestamp()) * 1000, BigInteger)
    return cast(literal_column("(julianday('now') - 2440587.5) * 86400000.0"), BigInteger)


def register_executor(session: Session, executor: Executor) -> None:
    """A worker has started."""
    executor.seen_ms = session.scalar(select(_clock_ms(session))) or 0
    session.add(executor)


def heartbeat(session: Session, executor_id: str) -> bool:
    """Say that we are alive. False when another worker has declared us dead meanwhile."""
    done = session.execute(
        update(Executor)
        .where(Executor.id == executor_id, Executor.state == ExecutorState.ALIVE)
        .values(seen_ms=_clock_ms(session))
    )
    return bool(done.rowcount == 1)  # type: ignore[attr-defined]


def leave(session: Session, executor_id: str, state: ExecutorState) -> bool:
    """A worker stops, or is declared dead by another. False when it was not alive any more."""
    done = session.execute(
        update(Executor)
        .where(Executor.id == executor_id, Executor.state == ExecutorState.ALIVE)
        .values(state=state)
    )
    return bool(done.rowcount == 1)  # type: ignore[attr-defined]


def revive(session: Session, executor_id: str) -> None:
    """A worker that was declared dead has noticed, dropped its work, and takes part again."""
    session.execute(
        update(Executor)
        .where(Executor.id == executor_id)
        .values(state=ExecutorState.ALIVE, seen_ms=_clock_ms(session))
    )


def executors(session: Session) -> list[ExecutorView]:
    """All workers ever seen, with how long each has been silent."""
    now_ms = session.scalar(select(_clock_ms(session))) or 0
    return [
        ExecutorView(
            row.id, row.host, row.pid, row.process_started, ExecutorState(row.state),
            max(now_ms - row.seen_ms, 0) / 1000, row.started_at,
        )
        for row in session.scalars(select(Executor).order_by(Executor.started_at.desc()).limit(200))
    ]  # fmt: skip


def count_alive(session: Session) -> int:
    """How many workers take part now."""
    return session.scalar(select(func.count()).where(Executor.state == ExecutorState.ALIVE)) or 0
