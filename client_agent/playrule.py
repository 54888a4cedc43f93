"""The play rule (pure): may this terminal play this release at this instant?

A release may be played when its manifest and the schedule name the same SHA-256, nobody recalled it, the region is its
own (or its signed successor), and the time lies inside the schedule's and the rights' validity.
"""

from __future__ import annotations

from enum import StrEnum

from protocol.documents import Emergency, Frame, Rights
from protocol.regions import within
from protocol.times import text_to_ms


class Refusal(StrEnum):
    """Why something may not be played now; the TV page has words for each."""

    NO_SCHEDULE = "no-schedule"
    """Nothing verified names this release (any more)."""
    NOT_ADMITTED = "not-admitted"
    """The catalogue does not admit what the schedule names, or its manifest is not here."""
    RECALLED = "recalled"
    REGION = "region"
    RIGHTS = "rights"
    EXPIRED = "expired"
    """The schedule's own validity is over."""
    CLOCK = "clock"
    """Linear play needs a known clock."""
    NOT_STORED = "not-stored"


def rights_refusal(rights: Rights, region: str, now_ms: int) -> Refusal | None:
    """Whether rights allow a region to show something now."""
    if rights.regions and not any(within(region, allowed) for allowed in rights.regions):
        return Refusal.REGION
    if rights.valid_from is not None and now_ms < text_to_ms(rights.valid_from):
        return Refusal.RIGHTS
    if rights.valid_until is not None and now_ms >= text_to_ms(rights.valid_until):
        return Refusal.RIGHTS
    return None


def is_in_force(frame: Frame | None, now_ms: int) -> bool:
    """Whether a schedule is valid now."""
    return frame is not None and text_to_ms(frame.valid_from) <= now_ms < text_to_ms(frame.valid_until)


def is_emergency(emergency: Emergency | None, release: str, now_ms: int) -> bool:
    """Whether an emergency puts this release on air now, whatever the schedule's validity."""
    return any(
        item.ref is not None
        and item.ref.release == release
        and text_to_ms(item.starts_at) <= now_ms < text_to_ms(item.ends_at)
        for item in (emergency.items if emergency else [])
    )
