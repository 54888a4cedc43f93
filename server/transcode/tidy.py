"""Rows that nobody asks for any more. Jobs stay: they say what became of a file."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from server.transcode.models import Executor, TranscodeJob, TranscodePart
from server.transcode.states import ACTIVE, ExecutorState


def forget(session: Session, before: datetime) -> None:
    """Delete the parts of jobs that ended before, and workers that were gone by then."""
    over = select(TranscodeJob.id).where(TranscodeJob.state.not_in(ACTIVE), TranscodeJob.finished_at < before)
    session.execute(delete(TranscodePart).where(TranscodePart.job_id.in_(over)))
    gone = (Executor.state != ExecutorState.ALIVE, Executor.started_at < before)
    session.execute(delete(Executor).where(*gone, Executor.seen_ms < before.timestamp() * 1000))
