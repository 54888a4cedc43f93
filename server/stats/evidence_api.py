"""Evidence over HTTP: pieces from terminals, and files for people who may see them."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from flask import Blueprint, Response, request
from msgspec import Meta, Struct
from spectree import Response as Answers
from sqlalchemy.exc import OperationalError

from protocol.batch import EvidenceKind
from protocol.documents import Uuid
from protocol.evidence import MAX_REQUEST
from protocol.times import Timestamp, to_text
from server import clock
from server.errors import NotFound
from server.i18n import N_
from server.identity.rules import Action
from server.receiptkey import receipt_private
from server.stats import evidence
from server.stats.api import OCTETS, busy, read_body
from server.web import Problem, caller, config, database, permit, public, reading, spec, store

blueprint = Blueprint("evidence_api", __name__)

ENDINGS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "audio/ogg": "ogg",
    "audio/webm": "webm",
    "audio/mp4": "m4a",
}
"""The only kinds ever served, whatever a row says, with the ending of a saved file."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, max-age=300",
}


@blueprint.put("/api/v1/evidence/<string:sha256>")
@public
@spec.validate(
    resp=Answers(
        HTTP_200=(None, "A signed receipt: two lines, JSON and base64 signature (application/octet-stream)"),
        HTTP_401=(Problem, "unknown_terminal: no such terminal, or not its signature"),
        HTTP_403=(Problem, "revoked: the terminal keeps its files"),
        HTTP_409=(Problem, "evidence_differs: announced with another length or kind before"),
        HTTP_413=Problem,
        HTTP_422=(Problem, "malformed: damaged on the way; evidence_wrong: not the bytes or kind announced"),
        HTTP_429=(Problem, "The terminal's day is used up"),
        HTTP_503=(Problem, "Come again after Retry-After seconds"),
    ),
    tags=["reports"],
)
def put_piece(sha256: str) -> Response:
    """Deliver a piece of a photo, spoken minutes or a picture of the screen.

    The body has a batch's form: one line of JSON (the header: terminal, the whole's SHA-256, length and kind, the piece's
    offset and SHA-256), one line of base64 (the terminal's Ed25519 signature over that line), then the piece, at most
    256 KiB. The receipt says how many bytes are held from the beginning; the next piece goes on there. An empty piece
    asks what is held. Delivering a piece again is harmless.
    """
    data = read_body(MAX_REQUEST)
    try:
        receipt = evidence.receive(
            database(), store(), receipt_private(config()), sha256, data, now=clock.now()
        )
    except OperationalError:
        return busy()
    return Response(receipt, mimetype=OCTETS)


class EvidenceOut(Struct, kw_only=True):
    """``file`` is the address of the bytes; none while they are on the way."""

    sha256: str
    station: str
    region: str
    what: str
    session: str
    media_type: str
    length: int
    at: Timestamp
    file: str | None = None


class EvidenceList(Struct, kw_only=True):
    items: list[EvidenceOut]


class EvidenceQuery(Struct, kw_only=True):
    station: Uuid | None = None
    session: Annotated[str, Meta(max_length=80)] | None = None
    what: EvidenceKind | None = None
    limit: Annotated[int, Meta(ge=1, le=evidence.MOST_SHOWN)] = 50


@blueprint.get("/api/v1/evidence")
@permit(Action.EVIDENCE_VIEW)
@spec.validate(resp=Answers(HTTP_200=EvidenceList, HTTP_403=Problem), tags=["stats"])
def list_evidence(query: EvidenceQuery) -> EvidenceList:
    """Photos, spoken minutes and pictures of screens that stations in the caller's regions recorded, newest first."""
    with reading() as session:
        found = evidence.list_evidence(
            session,
            caller(),
            station_id=query.station,
            of_session=query.session,
            what=query.what,
            limit=query.limit,
        )
        return EvidenceList(items=[_out(shown) for shown in found])


@blueprint.get("/api/v1/evidence/<uuid:file_id>/file")
@permit(Action.EVIDENCE_VIEW)
@spec.validate(
    resp=Answers(HTTP_200=(None, "The bytes, as a picture or sound"), HTTP_404=Problem), tags=["stats"]
)
def get_file(file_id: UUID) -> Response:
    """One file. Its kind was read off its bytes when it came; it is shown in a sandbox all the same."""
    with reading() as session:
        file, data = evidence.open_file(session, caller(), store(), str(file_id))
        kind, name = file.media_type, file.sha256[:16]
    if kind not in ENDINGS:
        raise NotFound(N_("没有这份照片或录音"))
    place = "attachment" if request.args.get("download") else "inline"
    headers = HEADERS | {"Content-Disposition": f'{place}; filename="{name}.{ENDINGS[kind]}"'}
    return Response(data, content_type=kind, headers=headers)


def _out(shown: evidence.Shown) -> EvidenceOut:
    return EvidenceOut(
        sha256=shown.sha256,
        station=shown.station_id,
        region=shown.region,
        what=shown.what,
        session=shown.session,
        media_type=shown.media_type,
        length=shown.length,
        at=to_text(shown.at),
        file=f"/api/v1/evidence/{shown.file.id}/file" if shown.file else None,
    )
