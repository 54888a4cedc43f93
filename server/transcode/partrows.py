"""Rows of a job's parts: who does which, how far it is. Effects are conditional on the part's attempt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from server.transcode.models import TranscodeJob, TranscodePart
from server.transcode.states import JobState


@dataclass(frozen=True)
class PartTurn:
    """One execution of a part of a job."""

    job_id: str
    round: int
    name: str
    attempt: int


@dataclass(frozen=True)
class PartsView:
    """How far the parts of a round are: those that ended, frames encoded, frames a second of all together."""

    ended: frozenset[str]
    frames_done: int
    fps: float
    count: int


def begin_part(session: Session, job_id: str, round_: int, name: str, executor_id: str) -> PartTurn | None:
    """Begin an execution of a part; earlier ones lose every right. None when the job's round is over."""
    job = session.get(TranscodeJob, job_id, populate_existing=True)
    if job is None or job.state != JobState.RUNNING or job.round != round_:
        return None
    part = session.get(TranscodePart, (job_id, round_, name), populate_existing=True, with_for_update=True)
    if part is None:
        part = TranscodePart(job_id=job_id, round=round_, name=name, attempt=0)
        session.add(part)
    part.attempt += 1
    part.ended, part.frames_done, part.fps, part.executor_id = False, 0, 0.0, executor_id
    session.flush()
    return PartTurn(job_id, round_, name, part.attempt)


def holds_part(session: Session, turn: PartTurn) -> bool:
    """Whether this execution of a part still counts."""
    row = session.execute(
        select(TranscodePart.attempt, TranscodeJob.state, TranscodeJob.round)
        .join(TranscodeJob, TranscodeJob.id == TranscodePart.job_id)
        .where(*_this_part(turn))
    ).one_or_none()
    return row is not None and (row.attempt, row.state, row.round) == (
        turn.attempt,
        JobState.RUNNING,
        turn.round,
    )


def record_part(session: Session, turn: PartTurn, **values: Any) -> None:
    """Progress of a part, or that it ``ended``."""
    session.execute(
        update(TranscodePart).where(*_this_part(turn), TranscodePart.attempt == turn.attempt).values(**values)
    )


def parts_of(session: Session, job_id: str, round_: int) -> PartsView:
    """All parts of a round together."""
    rows = session.scalars(
        select(TranscodePart).where(TranscodePart.job_id == job_id, TranscodePart.round == round_)
    ).all()
    return PartsView(
        frozenset(row.name for row in rows if row.ended),
        sum(row.frames_done for row in rows),
        sum(row.fps for row in rows if not row.ended),
        len(rows),
    )


def _this_part(turn: PartTurn) -> tuple[ColumnElement[bool], ...]:
    return (
        TranscodePart.job_id == turn.job_id,
        TranscodePart.round == turn.round,
        TranscodePart.name == turn.name,
    )
