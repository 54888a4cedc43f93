"""Taking in what phones tell of a study session on the province's page.

Who tells is known by the ticket alone (protocol/ticket.py): a terminal of ours signed it, it is not revoked, its time
has not passed. Names of people are never asked for. A note is named by its phone, so that telling it twice tells it once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from protocol.batch import EvidenceKind
from protocol.errors import BadSignature, MalformedBatch
from protocol.ticket import Ticket, check_ticket, read_ticket
from protocol.times import to_ms
from server.errors import Conflict, Forbidden, Gone, NotFound, TooMany
from server.i18n import N_
from server.stations.models import Station, Terminal
from server.stats import evidence
from server.stats.session_models import NoteKind, SessionNote
from server.storage import Store

NOTES_AN_HOUR = 120
"""Of one session. Two phones correcting each other all evening stay far below."""
FILES_A_SESSION = 40


@dataclass(frozen=True)
class Admitted:
    """A ticket that holds, and whose it is."""

    ticket: Ticket
    terminal: Terminal
    station: Station


def admit(session: Session, text: str, *, now: datetime) -> Admitted:
    """Who shows a ticket. Raises NotFound (no ticket, or nobody we know signed it), Gone (its time has passed),
    Forbidden (the terminal was revoked)."""
    try:
        found = read_ticket(text)
        terminal = session.get(Terminal, found.ticket.terminal)
        if terminal is None:
            raise BadSignature
        holds = check_ticket(found, terminal.public, to_ms(now))
    except (MalformedBatch, BadSignature) as error:
        raise NotFound(N_("这个二维码不对，请重新扫电视上的二维码"), code="ticket") from error
    if terminal.revoked_at is not None:
        raise Forbidden(N_("该终端已停用"), code="revoked")
    if not holds:
        raise Gone(N_("这个二维码已过期，请重新扫电视上的二维码"), code="ticket_expired")
    return Admitted(found.ticket, terminal, session.get_one(Station, terminal.station_id))


def take(
    session: Session, admitted: Admitted, note_id: str, kind: NoteKind, said: dict[str, Any], *, now: datetime
) -> bool:
    """Keep one note; False where it is here already. Raises Conflict (another session's note has this name), TooMany."""
    known = session.get(SessionNote, note_id)
    if known is not None:
        if (known.station_id, known.session, known.kind) != (
            admitted.station.id,
            admitted.ticket.session,
            str(kind),
        ):
            raise Conflict(N_("这条记录已属于另一次学习"), code="note_taken")
        return False
    _check_rate(session, admitted, now)
    session.add(
        SessionNote(
            id=note_id,
            session=admitted.ticket.session,
            title=admitted.ticket.title,
            terminal_id=admitted.terminal.id,
            station_id=admitted.station.id,
            region=admitted.station.region,
            kind=str(kind),
            said=said,
            received_at=now,
        )
    )
    session.flush()
    return True


def take_file(
    session: Session,
    store: Store,
    admitted: Admitted,
    note_id: str,
    kind: EvidenceKind,
    data: bytes,
    *,
    now: datetime,
) -> bool:
    """Keep a photo or spoken minutes; False where they are here already. Raises Invalid, TooLarge, TooMany, Conflict."""
    if session.get(SessionNote, note_id) is not None:
        return False
    files = session.scalar(
        select(func.count()).where(
            SessionNote.station_id == admitted.station.id,
            SessionNote.session == admitted.ticket.session,
            SessionNote.kind == NoteKind.FILE,
        )
    )
    if int(files or 0) >= FILES_A_SESSION:
        raise TooMany(N_("这次学习的照片和录音已经够多了"), retry_after_s=3_600)
    file = evidence.keep_whole(
        session, store, admitted.terminal, admitted.station, kind, data, of_session=admitted.ticket.session, now=now
    )  # fmt: skip
    said = {"what": str(kind), "sha256": file.sha256, "file": file.id}
    return take(session, admitted, note_id, NoteKind.FILE, said, now=now)


def _check_rate(session: Session, admitted: Admitted, now: datetime) -> None:
    """Raises TooMany."""
    recent = session.scalar(
        select(func.count()).where(
            SessionNote.station_id == admitted.station.id,
            SessionNote.session == admitted.ticket.session,
            SessionNote.received_at > now - timedelta(hours=1),
        )
    )
    if int(recent or 0) >= NOTES_AN_HOUR:
        raise TooMany(N_("这次学习收到的记录太多，请过一会儿再试"), retry_after_s=600)
