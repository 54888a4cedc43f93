"""Reports over HTTP, and the figures made from them.

Batches are bytes that their terminal signed: they are read as they are, never through a JSON model. The answers and
what a terminal does with each are described in ingest.py.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

import msgspec
from flask import Blueprint, Response, jsonify, request
from msgspec import Meta, Struct
from spectree import Response as Answers
from sqlalchemy.exc import OperationalError

from protocol.batch import MAX_HEADER, MAX_PACKED
from protocol.times import SHANGHAI
from server import clock
from server.errors import TooLarge
from server.i18n import N_
from server.identity.rules import Action
from server.receiptkey import receipt_private
from server.stats import charts, ingest, service
from server.web import Problem, caller, config, database, permit, public, reading, spec

blueprint = Blueprint("stats_api", __name__)

MAX_BATCH = MAX_PACKED + MAX_HEADER + 128
MAX_MARKS = 64 * 1024
BUSY_RETRY_S = 30
OCTETS = "application/octet-stream"


# --- from terminals ---------------------------------------------------------------------------------------------------
@blueprint.post("/api/v1/batches")
@public
@spec.validate(
    resp=Answers(
        HTTP_200=(None, "A signed receipt: two lines, JSON and base64 signature (application/octet-stream)"),
        HTTP_401=(Problem, "unknown_terminal: no such terminal, or not its signature"),
        HTTP_403=(Problem, "revoked: the terminal keeps its records"),
        HTTP_409=(None, "Fork: a signed receipt, as with 200, for the history that both copies share"),
        HTTP_413=Problem,
        HTTP_422=(Problem, "malformed: damaged on the way; send it again"),
        HTTP_503=(Problem, "Come again after Retry-After seconds"),
    ),
    tags=["reports"],
)
def receive_batch() -> Response:
    """Deliver a batch of records.

    The body is the batch's bytes, the same by HTTP and on a stick: one line of JSON (the header), one line of base64
    (the terminal's Ed25519 signature over that line), then gzip of NDJSON with one record a line. At most 256 KiB
    packed, 1 MiB unpacked, 2,000 records. Delivering a batch again is harmless.
    """
    data = read_body(MAX_BATCH)
    try:
        answer = ingest.receive(database(), receipt_private(config()), data, now=clock.now())
    except OperationalError:
        return busy()
    return Response(answer.receipt, status=409 if answer.fork else 200, mimetype=OCTETS)


@blueprint.post("/api/v1/batches/marks")
@public
@spec.validate(
    resp=Answers(
        HTTP_200=(None, "A signed receipt (application/octet-stream)"),
        HTTP_401=Problem,
        HTTP_403=Problem,
        HTTP_413=Problem,
        HTTP_422=Problem,
        HTTP_503=Problem,
    ),
    tags=["reports"],
)
def answer_marks() -> Response:
    """Ask what is held of some epochs.

    The body is two lines: JSON (v, terminal, epochs, nonce, incarnation_seen) and the terminal's base64 signature
    over it. A terminal asks daily and whenever the incarnation changed, and sends again what is not held.
    """
    data = read_body(MAX_MARKS)
    try:
        receipt = ingest.marks(database(), receipt_private(config()), data, now=clock.now())
    except OperationalError:
        return busy()
    return Response(receipt, mimetype=OCTETS)


def read_body(cap: int) -> bytes:
    """The request's bytes; more than the cap is refused before it is read."""
    too_large = TooLarge(N_("上报数据超过 %(kib)s KiB"), kib=cap // 1024)
    if (request.content_length or 0) > cap:
        raise too_large
    data = request.stream.read(cap + 1)
    if len(data) > cap:
        raise too_large
    return data


def busy() -> Response:
    """The database is locked, away or restarting: nothing was taken in."""
    response = jsonify(
        {"type": "about:blank", "title": "busy", "status": 503, "detail": "come again", "code": "busy"}
    )
    response.status_code = 503
    response.content_type = "application/problem+json"
    response.headers["Retry-After"] = str(BUSY_RETRY_S)
    return response


# --- figures ----------------------------------------------------------------------------------------------------------
Day = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$", examples=["2026-12-05"])]


class ViewingQuery(Struct, kw_only=True):
    """``from`` and ``to`` are days in Asia/Shanghai, both included; the last 30 days where they are left out."""

    region: str | None = None
    first: Day | None = msgspec.field(name="from", default=None)
    last: Day | None = msgspec.field(name="to", default=None)
    top: Annotated[int, Meta(ge=1, le=200)] = 20


@blueprint.get("/api/v1/stats/viewing")
@permit(Action.STATS_VIEW)
@spec.validate(
    resp=Answers(HTTP_200=charts.ViewingReport, HTTP_403=Problem, HTTP_422=Problem), tags=["stats"]
)
def viewing(query: ViewingQuery) -> charts.ViewingReport:
    """Minutes played, sessions and stations by day and by programme, in the caller's region or one inside it."""
    last = _day(query.last) or clock.now().astimezone(SHANGHAI).date()
    first = _day(query.first) or last - timedelta(days=29)
    with reading() as session:
        return service.viewing(session, caller(), region=query.region, first=first, last=last, top=query.top)


def _day(text: str | None) -> date | None:
    return service.read_day(text) if text else None
