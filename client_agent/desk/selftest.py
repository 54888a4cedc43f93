"""自检: what somebody in front of the set saw and heard, kept as the latest result and told as a record."""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from client_agent.book import Book
from client_agent.routes import Refused, TvParts
from protocol.batch import SelfTest

AGAIN_MS = 30 * 86_400_000
"""After so long a set is to be looked at again."""
_NOTE = "self-test"
Json = dict[str, Any]


class Check(StrEnum):
    """The tests, in the order they are made."""

    BARS = "bars"
    SAFE_AREA = "safe_area"
    LEFT = "left"
    RIGHT = "right"
    LIP_SYNC = "lip_sync"
    KEYS = "keys"


class Findings(msgspec.Struct, frozen=True):
    """The answers of whoever stands in front of the set."""

    results: Annotated[dict[Check, bool], Meta(min_length=1, max_length=len(Check))]


class Kept(msgspec.Struct, frozen=True):
    """The latest result, as it stands in the book; ``by``: A or B, who was signed in."""

    at_ms: int
    results: dict[str, bool]
    by: str


def record(parts: TvParts, tested: Findings) -> Json:
    """Tell it and keep it. Raises Refused where not every test was made: half a self-test says nothing."""
    if set(tested.results) != set(Check):
        raise Refused(HTTPStatus.BAD_REQUEST, "unfinished")
    by = parts.desk.people.who()
    results = {str(check): right for check, right in tested.results.items()}
    parts.outbox.append(SelfTest, results=results, by=by)
    kept = Kept(parts.now_ms(), results, by)
    parts.book.keep_note(_NOTE, msgspec.json.encode(kept).decode())
    return told(parts)


def latest(book: Book) -> Kept | None:
    """The latest result, or None."""
    note = book.note(_NOTE)
    try:
        return msgspec.json.decode(note, type=Kept) if note else None
    except msgspec.DecodeError:
        return None


def is_due(book: Book, now_ms: int) -> bool:
    """Never tested, or not for a month."""
    known = latest(book)
    return known is None or now_ms - known.at_ms >= AGAIN_MS


def told(parts: TvParts) -> Json:
    """What the page shows."""
    return {"checks": list(Check), "last": latest(parts.book), "due": is_due(parts.book, parts.now_ms())}
