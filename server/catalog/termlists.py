"""词表: the versioned list of words to look at, and what it finds in editions under review and released ones.

A hit is shown, with its time code where it stands in subtitles; alone it never blocks. A list that learns a word which a
released edition uses makes that edition due for a re-review (rereview.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, selectinload

from server.catalog import review, rounds, terms
from server.catalog.models import Edition, EditionState, RenditionFile, TermList, TermScan
from server.catalog.terms import Hit, Term, Text
from server.db import take_turn
from server.i18n import N_
from server.identity import audit
from server.identity.rules import Action, Caller

PROVINCE = "13"
MOST_TEXT = 2_000_000
"""Characters of one file's text that are looked through."""
ReadText = Callable[[str], str | None]
"""The text of a stored object by its SHA-256: WebVTT for subtitles, plain text for attachments; None where there is none."""

FIELD_NAMES: dict[str, str] = {
    "title": N_("标题"),
    "summary": N_("简介"),
    "tags": N_("标签"),
    "chapters": N_("章节"),
    "subtitles": N_("字幕"),
    "attachment": N_("附件"),
}
_TIMING = "-->"


def current(session: Session) -> tuple[int, list[Term]]:
    """The newest list and its version; version 0 is the built-in one."""
    row = session.scalars(select(TermList).order_by(TermList.version.desc()).limit(1)).one_or_none()
    if row is None:
        return 0, list(terms.BUILT_IN)
    return row.version, msgspec.convert(row.terms, list[Term])


def version(session: Session) -> int:
    return session.scalar(select(func.max(TermList.version))) or 0


def history(session: Session, limit: int = 50) -> Sequence[TermList]:
    """The versions, newest first."""
    return session.scalars(select(TermList).order_by(TermList.version.desc()).limit(limit)).all()


def replace(
    session: Session, caller: Caller, entries: Iterable[Term], *, note: str = "", now: datetime
) -> tuple[int, list[Term]]:
    """A new version of the list; words that were in it keep their age. Raises Forbidden, Invalid."""
    caller.require(Action.CATALOG_SETTINGS, PROVINCE)
    take_turn(session, "term lists")
    before_version, before = current(session)
    number = before_version + 1
    kept = terms.clean(entries, version=number, before=before)
    session.add(
        TermList(
            version=number,
            terms=msgspec.to_builtins(kept),
            note=" ".join(note.split())[:200],
            made_by=caller.id,
            made_at=now,
        )
    )
    session.flush()
    new = [term.text for term in kept if term.since == number]
    audit.append(
        session,
        actor=caller,
        action="terms.replace",
        subject=f"terms:{number}",
        detail={"count": len(kept), "new": new[:100]},
        now=now,
    )
    return number, kept


# --- looking through --------------------------------------------------------------------------------------------------
def texts_of(content: dict[str, Any], embedded: Iterable[str], read_text: ReadText) -> list[Text]:
    """Every text of a submission. ``embedded`` are subtitles that came inside the source."""
    words = content["words"]
    found = [Text(field=name, text=str(words[name])) for name in ("title", "summary") if words.get(name)]
    found += [Text(field="tags", text=str(tag)) for tag in words.get("tags") or ()]
    found += [
        Text(field="chapters", text=str(one.get("title", "")), at_ms=one.get("at_ms"))
        for one in words.get("chapters") or ()
    ]
    files = [(str(f.get("kind")), str(f.get("sha256"))) for f in content.get("files") or ()]
    files += [("subtitles", sha256) for sha256 in embedded]
    for kind, sha256 in dict.fromkeys(files):
        text = read_text(sha256)
        if not text:
            continue
        if kind == "subtitles":
            found += [Text(field="subtitles", text=line, at_ms=at) for at, line in cues(text[:MOST_TEXT])]
        else:
            found.append(Text(field="attachment", text=text[:MOST_TEXT]))
    return found


def cues(vtt: str) -> list[tuple[int, str]]:
    """The lines of a WebVTT text with the time they appear, in ms."""
    found: list[tuple[int, str]] = []
    for block in vtt.replace("\r\n", "\n").split("\n\n"):
        lines = block.strip().split("\n")
        timing = next((number for number, line in enumerate(lines) if _TIMING in line), None)
        if timing is None:
            continue
        at = _clock_ms(lines[timing].partition(_TIMING)[0].strip())
        text = "\n".join(lines[timing + 1 :]).strip()
        if at is not None and text:
            found.append((at, text))
    return found


def _clock_ms(text: str) -> int | None:
    try:
        clock, _, fraction = text.replace(",", ".").partition(".")
        seconds = 0
        for part in clock.split(":"):
            seconds = seconds * 60 + int(part)
        return seconds * 1000 + int((fraction or "0").ljust(3, "0")[:3])
    except ValueError:
        return None


def embedded_subtitles(session: Session, edition: Edition) -> list[str]:
    """SHA-256 of the subtitles that came inside the source."""
    return list(
        session.scalars(
            select(RenditionFile.sha256).where(
                RenditionFile.asset_id == edition.asset_id,
                RenditionFile.recipe_sha256 == edition.recipe_sha256,
                RenditionFile.kind == "subtitles",
            )
        )
    )


@dataclass(frozen=True)
class Seen:
    """What one look through an edition found, with which list, in which words (``mark``)."""

    list_version: int
    mark: str
    hits: list[Hit]


def look(session: Session, edition: Edition, read_text: ReadText) -> Seen | None:
    """Look an edition through with the current list; None while neither it nor the list changed since the last look.

    It may read files for seconds: in a transaction that only reads.
    """
    content, embedded = rounds.content_of(session, edition), embedded_subtitles(session, edition)
    number, listed = current(session)
    mark = hashlib.sha256(json.dumps([content, embedded], sort_keys=True, default=str).encode()).hexdigest()
    row = session.get(TermScan, edition.id)
    if row is not None and (row.list_version, row.content_sha256) == (number, mark):
        return None
    return Seen(number, mark, terms.find(listed, texts_of(content, embedded, read_text)))


def keep(session: Session, edition_id: str, seen: Seen, *, now: datetime) -> TermScan:
    """Keep what a look found."""
    take_turn(session, f"term scan:{edition_id}")
    row = session.get(TermScan, edition_id, populate_existing=True)
    if row is None:
        row = TermScan(edition_id=edition_id, checked_version=None)
        session.add(row)
    row.list_version, row.content_sha256, row.scanned_at = seen.list_version, seen.mark, now
    row.hits = msgspec.to_builtins(seen.hits)
    row.newest_hit = max((hit.since for hit in seen.hits), default=None)
    session.flush()
    return row


def hits_of(session: Session, edition_id: str) -> list[Hit]:
    """What the last look through found."""
    row = session.get(TermScan, edition_id)
    return msgspec.convert(row.hits, list[Hit]) if row else []


def stale(session: Session, *, limit: int) -> Sequence[Edition]:
    """Editions in review or released that the current list has not seen, those in review first."""
    in_review = tuple(review.STAGE_OF_STATE)
    return session.scalars(
        select(Edition)
        .outerjoin(TermScan, TermScan.edition_id == Edition.id)
        .where(
            Edition.state.in_((*in_review, EditionState.RELEASED)),
            or_(TermScan.edition_id.is_(None), TermScan.list_version < version(session)),
        )
        .order_by(Edition.state == EditionState.RELEASED, Edition.id)
        .limit(limit)
        .options(selectinload(Edition.programme), selectinload(Edition.asset))
    ).all()


def approved(session: Session, edition: Edition) -> None:
    """Reviewers approved the edition knowing the current list: what it finds now is no news any more."""
    row = session.get(TermScan, edition.id)
    number = version(session)
    if row is None:
        # The clock's job fills in the hits; until then there is nothing to compare.
        row = TermScan(
            edition_id=edition.id,
            list_version=-1,
            content_sha256="",
            hits=[],
            newest_hit=None,
            scanned_at=edition.released_at or edition.created_at,
        )
        session.add(row)
    row.checked_version = number
    session.flush()
