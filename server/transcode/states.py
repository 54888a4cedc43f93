"""States of a transcoding job and the moves between them. Pure.

::

      ┌── an attempt failed, others are left
      ▼       │
    queued ─► running ─► done       every rendition verified, stored and in the catalogue
      ▲  │       ├─────► refused    the file is at fault; final
      │  │       ├─────► failed     we are at fault, or too many attempts ──┐
      │  └───────┴─────► cancelled  somebody said so ───────────────────────┤
      └──────────────────────────────── retry ◄─────────────────────────────┘

    An uploaded file's job has two phases, each queued for itself: ``review`` (look at the file, make the copy for the
    review desk) and ``ladder``. A cut of it has the second only. done ─► queued: encoded anew by a newer profile; queued ─► queued: another place.

A running job whose worker died stays running: the next worker begins its next attempt.
"""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """What a job is waiting for or doing."""

    REVIEW = "review"
    LADDER = "ladder"


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"


MOVES: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.QUEUED, JobState.RUNNING, JobState.FAILED, JobState.CANCELLED}),
    JobState.RUNNING: frozenset(
        {
            JobState.QUEUED,
            JobState.RUNNING,
            JobState.DONE,
            JobState.REFUSED,
            JobState.FAILED,
            JobState.CANCELLED,
        }
    ),
    JobState.DONE: frozenset({JobState.QUEUED}),
    JobState.REFUSED: frozenset(),
    JobState.FAILED: frozenset({JobState.QUEUED}),
    JobState.CANCELLED: frozenset({JobState.QUEUED}),
}
ACTIVE = frozenset({JobState.QUEUED, JobState.RUNNING})


class ExecutorState(StrEnum):
    """A worker process: ``dead`` was declared so by another one after its lease ran out."""

    ALIVE = "alive"
    STOPPED = "stopped"
    DEAD = "dead"


def may_move(state: JobState, to: JobState) -> bool:
    """Whether the table allows the move."""
    return to in MOVES[state]


def sources(to: JobState) -> list[JobState]:
    """The states from which a move leads to ``to``: the condition of an UPDATE."""
    return [state for state, targets in MOVES.items() if to in targets]
