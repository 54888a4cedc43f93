"""Tables of transcoding: one job for each cut to encode, and the workers that are alive.

``workflow_id`` names the durable workflow that runs the job; a retry begins a new ``round`` and so a new workflow.
``attempt`` counts the executions begun: every effect of an execution holds only ``WHERE attempt = :mine``, so the
late results of a worker that lost its lease change nothing. States: `states.py`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from server.catalog.models import EMPTY_RECIPE_SHA256
from server.db import Base, Id
from server.transcode.states import ExecutorState, JobState, Phase

MAX_ATTEMPTS = 3


class TranscodeJob(Base):
    """One encoding of (asset, recipe). ``prepared`` is what was found out of the source, for all its cuts."""

    __tablename__ = "transcode_jobs"
    __table_args__ = (
        UniqueConstraint("asset_id", "recipe_sha256"),
        Index("ix_transcode_jobs_state_priority", "state", "priority"),
    )

    id: Mapped[Id]
    asset_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("assets.id"))
    recipe_sha256: Mapped[str] = mapped_column(String(64), default=EMPTY_RECIPE_SHA256)
    recipe: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    phase: Mapped[str] = mapped_column(String(8), default=Phase.REVIEW, server_default=Phase.LADDER)
    prepared: Mapped[str | None] = mapped_column(Text)
    filename: Mapped[str] = mapped_column(String(255))
    size: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(10), default=JobState.QUEUED)
    round: Mapped[int] = mapped_column(default=1)
    workflow_id: Mapped[str | None] = mapped_column(String(80), unique=True)
    lane: Mapped[str] = mapped_column(String(20))
    priority: Mapped[int]
    attempt: Mapped[int] = mapped_column(default=0)
    max_attempts: Mapped[int] = mapped_column(default=MAX_ATTEMPTS)
    interruptions: Mapped[int] = mapped_column(default=0)
    step: Mapped[str | None] = mapped_column(String(20))
    percent: Mapped[float] = mapped_column(default=0.0)
    fps: Mapped[float | None]
    eta_s: Mapped[int | None]
    error_code: Mapped[str | None] = mapped_column(String(40))
    error_text: Mapped[str | None] = mapped_column(Text)
    error_text_en: Mapped[str | None] = mapped_column(Text)
    executor_id: Mapped[str | None] = mapped_column(String(80), index=True)
    steps: Mapped[list[Any]] = mapped_column(default=list)
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    progress_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class TranscodePart(Base):
    """One piece of a job's work that any worker may do: a span to encode, a rendition to check, a span to compare.

    ``attempt`` fences its executions as the job's does.
    """

    __tablename__ = "transcode_parts"

    job_id: Mapped[str] = mapped_column(
        Uuid(as_uuid=False), ForeignKey("transcode_jobs.id"), primary_key=True
    )
    round: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    attempt: Mapped[int] = mapped_column(default=0)
    ended: Mapped[bool] = mapped_column(default=False)
    frames_done: Mapped[int] = mapped_column(default=0)
    fps: Mapped[float] = mapped_column(default=0.0)
    executor_id: Mapped[str | None] = mapped_column(String(80))
    seconds: Mapped[float] = mapped_column(default=0.0, server_default="0")


class Executor(Base):
    """A worker process. ``seen_ms`` is the database's clock, so that workers' clocks do not matter."""

    __tablename__ = "executors"

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    host: Mapped[str] = mapped_column(String(120))
    pid: Mapped[int]
    process_started: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(10), default=ExecutorState.ALIVE)
    started_at: Mapped[datetime]
    seen_ms: Mapped[int] = mapped_column(BigInteger)
