"""Evidence: taking the bytes in, and showing them to who may see them.

States of a file::

    begun ── a piece that goes on ──► begun ── the last one, hash and kind right ──► complete
      ▲                                                    └── wrong: begun, nothing held (422)
      └── left alone for a week: gone

Bytes may come before the record that speaks of them. They are kept two years.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, delete, func, select
from sqlalchemy.orm import Session

from protocol import evidence as wire
from protocol.batch import EvidenceKind
from protocol.errors import MalformedBatch
from protocol.evidence import EvidenceReceipt, PieceHeader, SignedPiece
from protocol.times import to_text
from server.db import Database
from server.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge, TooMany
from server.i18n import N_
from server.identity.rules import Action, Caller
from server.stations.models import Station, StationCommand, Terminal
from server.stations.queries import inside
from server.stats.authentication import authenticate
from server.stats.models import EvidenceFact, EvidenceFile, EvidencePiece, FaultFact
from server.storage import Store, evidence_key

log = logging.getLogger(__name__)

BYTES_A_DAY = 64 * 1024 * 1024
"""What one terminal may begin to send in a day."""
FILES_A_DAY = 1_000
DAY_RETRY_S = 3_600
KEEP = timedelta(days=2 * 365)
ABANDONED = timedelta(days=7)
MOST_SHOWN = 200
NO_PICTURE = "screenshot_unavailable"
"""What a terminal records when a command finds nothing to show; its text begins with the command's id."""


# --- from terminals ---------------------------------------------------------------------------------------------------
def receive(
    database: Database, store: Store, private: bytes, sha256: str, data: bytes, *, now: datetime
) -> bytes:
    """Take in a transmitted piece and sign what is held then; ``private`` is the receipt key.

    Raises Invalid (damaged, or the whole is not what was announced), Unauthenticated, Forbidden (revoked), Conflict
    (announced differently before), TooMany (the day's bytes are used up).
    """
    try:
        piece = wire.read_piece(data)
        if piece.header.sha256 != sha256:
            raise MalformedBatch("the address names another file")
    except MalformedBatch as error:
        raise Invalid(N_("上报数据无法读取：%(reason)s"), code="malformed", reason=str(error)) from error
    with database.read() as session:
        authenticate(session, piece.header.terminal, piece.header_bytes, piece.signature)
    with database.write() as session:
        held = _take_in(session, piece, now)
    complete = held.complete or (held.whole is not None and _finish(database, store, held, held.whole, now))
    receipt = EvidenceReceipt(
        request=hashlib.sha256(data).hexdigest(),
        sha256=sha256,
        held=held.count,
        complete=complete,
        time=to_text(now),
    )
    return wire.write_receipt(receipt, private)


@dataclass(frozen=True)
class _Held:
    """What is held of a file after a piece; ``whole`` where every byte has come and has to be looked at."""

    file_id: str
    sha256: str
    what: EvidenceKind
    count: int
    complete: bool
    whole: bytes | None = None


def _take_in(session: Session, piece: SignedPiece, now: datetime) -> _Held:
    header = piece.header
    file = _file(session, header, now)
    if file.complete_at is None and piece.body and header.offset == file.held:
        session.add(EvidencePiece(file_id=file.id, position=header.offset, data=piece.body))
        file.held += len(piece.body)
        session.flush()
    complete = file.complete_at is not None
    ready = not complete and file.held == file.length
    whole = b"".join(_pieces(session, file.id)) if ready else None
    return _Held(file.id, file.sha256, EvidenceKind(file.what), file.held, complete, whole)


def _file(session: Session, header: PieceHeader, now: datetime) -> EvidenceFile:
    """The file's row; the terminal's row is locked, so its pieces take turns."""
    terminal = session.scalars(select(Terminal).where(Terminal.id == header.terminal).with_for_update()).one()
    if terminal.revoked_at is not None:
        raise Forbidden(N_("该终端已停用"), code="revoked")
    found = session.scalars(
        select(EvidenceFile)
        .where(EvidenceFile.station_id == terminal.station_id, EvidenceFile.sha256 == header.sha256)
        .with_for_update()
    ).one_or_none()
    if found is not None:
        if (found.length, found.media_type) != (header.length, header.media_type):
            raise Conflict(N_("同一文件前后两次所报的大小或类型不同"), code="evidence_differs")
        return found
    _check_day(session, terminal.id, header.length, now)
    made = EvidenceFile(
        station_id=terminal.station_id,
        terminal_id=terminal.id,
        region=session.get_one(Station, terminal.station_id).region,
        sha256=header.sha256,
        length=header.length,
        media_type=header.media_type,
        what=str(header.what),
        session=header.session,
        held=0,
        begun_at=now,
    )
    session.add(made)
    session.flush()
    return made


def _check_day(session: Session, terminal_id: str, wanted: int, now: datetime) -> None:
    """A broken or hostile terminal must not fill our disk. Raises TooMany."""
    begun, files = session.execute(
        select(func.coalesce(func.sum(EvidenceFile.length), 0), func.count()).where(
            EvidenceFile.terminal_id == terminal_id, EvidenceFile.begun_at > now - timedelta(days=1)
        )
    ).one()
    if int(begun) + wanted > BYTES_A_DAY or int(files) >= FILES_A_DAY:
        log.warning("terminal %s: the day's bytes of evidence are used up", terminal_id)
        raise TooMany(N_("该终端今天上传的照片和录音太多，请明天再传"), retry_after_s=DAY_RETRY_S)


def _pieces(session: Session, file_id: str) -> Sequence[bytes]:
    return session.scalars(
        select(EvidencePiece.data).where(EvidencePiece.file_id == file_id).order_by(EvidencePiece.position)
    ).all()


def _finish(database: Database, store: Store, held: _Held, whole: bytes, now: datetime) -> bool:
    """Object first, row after verification. A whole that is not what was announced is forgotten: Invalid."""
    right = hashlib.sha256(whole).hexdigest() == held.sha256
    fit = not wire.unfit(held.what, len(whole), wire.media_type_of(whole[: wire.HEAD_BYTES]))
    if right and fit:
        store.put_bytes(evidence_key(held.sha256), whole)
    with database.write() as session:
        file = session.scalars(
            select(EvidenceFile).where(EvidenceFile.id == held.file_id).with_for_update()
        ).one_or_none()
        if file is None:
            return False
        session.execute(delete(EvidencePiece).where(EvidencePiece.file_id == file.id))
        if right and fit:
            file.media_type = wire.media_type_of(whole[: wire.HEAD_BYTES]) or file.media_type
            file.complete_at = file.complete_at or now
            return True
        file.held = 0
    log.warning(
        "evidence %s: %s", held.sha256, "not a picture or sound" if right else "not the bytes announced"
    )
    raise Invalid(N_("照片或录音与所报的不一致，未予收存"), code="evidence_wrong")


# --- from people's own pages --------------------------------------------------------------------------------------------
def keep_whole(
    session: Session,
    store: Store,
    terminal: Terminal,
    station: Station,
    kind: EvidenceKind,
    data: bytes,
    *,
    of_session: str = "",
    now: datetime,
) -> EvidenceFile:
    """Keep bytes that reached us in one request, on a page of ours instead of over a terminal's line.

    The caller of this function has checked who sends them. Raises Invalid, TooLarge, TooMany.
    """
    media_type = wire.media_type_of(data[: wire.HEAD_BYTES])
    reason = wire.unfit(kind, len(data), media_type)
    if reason == "size":
        raise TooLarge(N_("文件太大，最多 %(most)s KB"), most=wire.CAPS[kind] // 1000)
    if reason or media_type is None:
        raise Invalid(N_("只能是照片（JPEG、PNG、WebP）或录音（Ogg、WebM、MP4）"), code="evidence_type")
    sha256 = hashlib.sha256(data).hexdigest()
    store.put_bytes(evidence_key(sha256), data)
    found = session.scalars(
        select(EvidenceFile).where(EvidenceFile.station_id == station.id, EvidenceFile.sha256 == sha256)
    ).one_or_none()
    if found is None:
        _check_day(session, terminal.id, len(data), now)
        found = EvidenceFile(
            station_id=station.id, terminal_id=terminal.id, region=station.region, sha256=sha256, length=len(data),
            media_type=media_type, what=str(kind), session=of_session, held=0, begun_at=now,
        )  # fmt: skip
        session.add(found)
        session.flush()
    session.execute(delete(EvidencePiece).where(EvidencePiece.file_id == found.id))
    found.held, found.complete_at = found.length, found.complete_at or now
    session.flush()
    return found


# --- for people -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Shown:
    """One piece of evidence. ``at``: when the station says it was made; ``file`` None while the bytes are on the way."""

    sha256: str
    station_id: str
    region: str
    what: str
    session: str
    media_type: str
    length: int
    at: datetime
    file: EvidenceFile | None


def list_evidence(
    session: Session,
    caller: Caller,
    *,
    station_id: str | None = None,
    of_session: str | None = None,
    what: EvidenceKind | None = None,
    limit: int = 50,
) -> list[Shown]:
    """What stations in the caller's regions recorded, the newest first; each file once."""
    chosen = [inside(EvidenceFact.region, caller.scopes(Action.EVIDENCE_VIEW))]
    if station_id is not None:
        chosen.append(EvidenceFact.station_id == station_id)
    if of_session is not None:
        chosen.append(EvidenceFact.session == of_session)
    if what is not None:
        chosen.append(EvidenceFact.what == str(what))
    rows = session.execute(
        select(EvidenceFact, EvidenceFile)
        .outerjoin(
            EvidenceFile,
            and_(
                EvidenceFile.station_id == EvidenceFact.station_id,
                EvidenceFile.sha256 == EvidenceFact.sha256,
                EvidenceFile.complete_at.is_not(None),
            ),
        )
        .where(*chosen)
        .order_by(EvidenceFact.at.desc(), EvidenceFact.seq.desc())
        .limit(min(limit, MOST_SHOWN))
    )
    found: dict[tuple[str, str, str], Shown] = {}
    for fact, file in rows:
        shown = Shown(
            sha256=fact.sha256, station_id=fact.station_id, region=fact.region, what=fact.what, session=fact.session,
            media_type=file.media_type if file else fact.media_type, length=fact.length, at=fact.at, file=file,
        )  # fmt: skip
        found.setdefault((fact.station_id, fact.sha256, fact.session), shown)
    return list(found.values())


def no_picture(session: Session, asked: StationCommand) -> datetime | None:
    """When a terminal said that it had nothing to show for a command; None where it did not say so."""
    return session.scalars(
        select(FaultFact.at)
        .where(
            FaultFact.terminal_id == asked.terminal_id,
            FaultFact.code == NO_PICTURE,
            FaultFact.text.startswith(asked.id),
        )
        .limit(1)
    ).first()


def open_file(session: Session, caller: Caller, store: Store, file_id: str) -> tuple[EvidenceFile, bytes]:
    """A file and its bytes. Raises NotFound (also outside the caller's regions: who may not see it does not learn
    that it exists)."""
    file = session.get(EvidenceFile, file_id)
    if file is None or file.complete_at is None or not caller.can(Action.EVIDENCE_VIEW, file.region):
        raise NotFound(N_("没有这份照片或录音"))
    try:
        return file, b"".join(store.chunks(evidence_key(file.sha256)))
    except FileNotFoundError as error:
        log.error("evidence %s: the object is gone", file.sha256)
        raise NotFound(N_("没有这份照片或录音")) from error


# --- keeping house ----------------------------------------------------------------------------------------------------
def sweep(session: Session, store: Store, *, now: datetime) -> int:
    """Forget files older than two years and those that stopped coming a week ago; how many went.

    The records stay. An object that another station's file also names stays.
    """
    old = session.scalars(
        select(EvidenceFile).where(
            (EvidenceFile.complete_at < now - KEEP)
            | (EvidenceFile.complete_at.is_(None) & (EvidenceFile.begun_at < now - ABANDONED))
        )
    ).all()
    for file in old:
        session.execute(delete(EvidencePiece).where(EvidencePiece.file_id == file.id))
        session.delete(file)
        session.flush()
        if session.scalar(select(EvidenceFile.id).where(EvidenceFile.sha256 == file.sha256).limit(1)) is None:
            store.delete(evidence_key(file.sha256))
    return len(old)
