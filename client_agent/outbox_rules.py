"""What a terminal decides about its reports, apart from the disk and the line: where a batch ends, what a signed
statement of the province means for what is kept, and what to do next.

States of a kept batch, and what moves it:

    waiting ──a receipt covers it──────────────► acknowledged ──90 days, or quota──► dropped
       ▲  │                                           │
       │  └──quota: dropped, a gap record says so     │
       └──────the province's marks went down──────────┘
    waiting ──409 fork: its records are written anew under a fresh epoch──► reissued ──90 days──► dropped
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from protocol.batch import EpochState

BATCH_RECORDS = 400
"""Records in one batch: far below the protocol's 2,000, so that a batch survives a bad line."""
BATCH_BYTES = 256 * 1024
"""Unpacked bytes in one batch; some 30 KiB packed."""
Spans = list[tuple[int, int]]
"""Runs of sequence numbers, both ends included, in order, not touching."""


class BatchState(StrEnum):
    WAITING = "waiting"
    ACKNOWLEDGED = "acknowledged"
    REISSUED = "reissued"


class KeptBatch(Protocol):
    """What the rules need to know of a batch on disk."""

    @property
    def id(self) -> int: ...
    @property
    def epoch(self) -> str: ...
    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...
    @property
    def state(self) -> BatchState: ...


@dataclass(frozen=True)
class Moves:
    """Batches that a statement of the province moves, by id."""

    acknowledged: list[int]
    waiting_again: list[int]


def cut_length(sizes: Sequence[tuple[int, int]]) -> int:
    """How many of the (seq, bytes) at the front make the next batch: one run of numbers, within both caps, and at
    least one record when there is any."""
    total = 0
    for count, (seq, size) in enumerate(sizes):
        total += size + 1
        broken = seq != sizes[0][0] + count
        if count and (broken or count >= BATCH_RECORDS or total > BATCH_BYTES):
            return count
    return len(sizes)


def covers(state: EpochState, first: int, last: int) -> bool:
    """Whether the province says it holds every number of a span."""
    return last <= state.hwm and all(last < low or high < first for low, high in state.missing)


def moves(
    batches: Iterable[KeptBatch],
    epochs: Mapping[str, EpochState],
    lowering: Collection[str] = (),
    answered: int | None = None,
) -> Moves:
    """What changes. A receipt only ever acknowledges, and only the batch it answers (``answered``; None: any); the
    answer to a question about ``lowering`` epochs (fresh, bound to its nonce) only takes acknowledgement back. An
    epoch asked about and not answered is unknown to the province: it holds nothing of it.

    A mark says that numbers are held, not that they are ours: where a machine's memory was copied, the other one's
    records stand under the same numbers. What has no receipt of its own is sent, and the province compares."""
    acknowledged, again = [], []
    for batch in batches:
        state = epochs.get(batch.epoch)
        held = state is not None and covers(state, batch.first, batch.last)
        ours = not lowering and answered in (None, batch.id)
        if batch.state is BatchState.WAITING and held and ours:
            acknowledged.append(batch.id)
        elif batch.state is BatchState.ACKNOWLEDGED and not held and batch.epoch in lowering:
            again.append(batch.id)
    return Moves(acknowledged, again)


def lost_spans(state: EpochState | None, kept: Iterable[tuple[int, int]], last: int) -> Spans:
    """The numbers 1…last that the province lacks and this terminal no longer keeps either."""
    hwm = state.hwm if state else 0
    lacking = list(state.missing) if state else []
    if last > hwm:
        lacking.append((hwm + 1, last))
    for first, end in kept:
        lacking = [part for span in lacking for part in _without(span, first, end)]
    return joined(lacking)


def joined(spans: Iterable[tuple[int, int]]) -> Spans:
    """The same numbers in the fewest spans."""
    result: Spans = []
    for first, last in sorted(spans):
        if result and first <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(last, result[-1][1]))
        else:
            result.append((first, last))
    return result


def _without(span: tuple[int, int], first: int, last: int) -> Spans:
    low, high = span
    parts = [(low, min(high, first - 1)), (max(low, last + 1), high)]
    return [(a, b) for a, b in parts if a <= b]
