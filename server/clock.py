"""The server's clock: the one place that reads it. Pure modules take ``now`` as an argument instead."""

from __future__ import annotations

from datetime import UTC, datetime

from protocol.times import to_ms


def now() -> datetime:
    """The present, aware, UTC, cut to milliseconds (what the database keeps)."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def now_ms() -> int:
    """The present in milliseconds since 1970."""
    return to_ms(now())
