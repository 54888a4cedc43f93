"""Study sessions over HTTP: what phones tell with a ticket, and the whole record for people with rights."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from flask import Blueprint, request
from msgspec import Meta, Struct
from spectree import Response as Answers

from protocol.batch import EvidenceKind, Roll
from protocol.documents import Uuid
from protocol.evidence import CAPS
from protocol.faults import SeenFault
from protocol.times import Timestamp, to_text
from server import clock
from server.errors import Invalid, NotFound
from server.i18n import N_
from server.identity.rules import Action
from server.stats import session_notes, session_views
from server.stats.api import read_body
from server.stats.models import LateEntryFact
from server.stats.session_models import NoteKind
from server.stats.session_views import SessionView, Told
from server.stats.sessions import HeadCount, MergedRoll
from server.web import Problem, caller, permit, public, reading, spec, store, writing

blueprint = Blueprint("session_api", __name__)

MOST_PEOPLE = 9_999
FILES = {"photo": EvidenceKind.PHOTO, "voice": EvidenceKind.MINUTES_AUDIO}
MAX_BODY = 16 * 1024
NOTE_HEADER = "Yuanbo-Note"


@blueprint.before_request
def bound() -> None:
    """No note is longer than this, so nothing longer is read. Files have caps of their own (read_body)."""
    if request.endpoint == "session_api.tell":
        request.max_content_length = MAX_BODY


Heads = Annotated[int, Meta(ge=0, le=MOST_PEOPLE)]


class HeadsTold(Struct, kw_only=True, tag="heads", tag_field="kind"):
    """Heads counted. ``members`` and ``public`` are parts of ``present``, 0 where they were not told apart."""

    id: Uuid
    roll: Roll
    present: Heads
    expected: Heads = 0
    members: Heads = 0
    public: Heads = 0


class MinutesTold(Struct, kw_only=True, tag="minutes", tag_field="kind"):
    id: Uuid
    text: Annotated[str, Meta(min_length=1, max_length=2_000)]


class QuestionTold(Struct, kw_only=True, tag="question", tag_field="kind"):
    id: Uuid
    text: Annotated[str, Meta(min_length=1, max_length=500)]


class FaultTold(Struct, kw_only=True, tag="fault", tag_field="kind"):
    id: Uuid
    code: SeenFault
    text: Annotated[str, Meta(max_length=200)] = ""


Note = HeadsTold | MinutesTold | QuestionTold | FaultTold


class NoteRequest(Struct, kw_only=True):
    note: Note


class Noted(Struct, kw_only=True):
    """``again``: it was here already, under this id."""

    id: str
    again: bool


@blueprint.post("/api/v1/tickets/<string:ticket>/notes")
@public
@spec.validate(
    resp=Answers(
        HTTP_201=Noted, HTTP_404=Problem, HTTP_410=Problem, HTTP_403=Problem, HTTP_409=Problem,
        HTTP_413=Problem, HTTP_422=Problem, HTTP_429=Problem,
    ),
    tags=["sessions"],
)  # fmt: skip
def tell(ticket: str, json: NoteRequest) -> tuple[Noted, int]:
    """Add to a study session what its terminal's ticket allows: heads (no names), minutes, a question, a fault.

    The ticket stands in the QR code of the station's TV. The id is drawn by whoever tells: told again, it is told once.
    """
    note = json.note
    said = {name: _plain(value) for name, value in _fields(note).items()}
    now = clock.now()
    with writing() as session:
        admitted = session_notes.admit(session, ticket, now=now)
        fresh = session_notes.take(session, admitted, note.id, NoteKind(_kind(note)), said, now=now)
    return Noted(id=note.id, again=not fresh), 201


def _kind(note: Note) -> str:
    return str(type(note).__struct_config__.tag)


def _fields(note: Note) -> dict[str, Any]:
    return {name: getattr(note, name) for name in note.__struct_fields__ if name != "id"}


def _plain(value: Any) -> Any:
    """Words without NUL characters, which PostgreSQL cannot keep, and without room around them. Raises Invalid."""
    if isinstance(value, int):
        return value
    text = str(value).replace("\x00", "").strip()
    if value and not text:
        raise Invalid(N_("没有内容"))
    return text


@blueprint.post("/api/v1/tickets/<string:ticket>/files/<string:kind>")
@public
@spec.validate(
    resp=Answers(
        HTTP_201=Noted, HTTP_404=Problem, HTTP_410=Problem, HTTP_403=Problem, HTTP_409=Problem,
        HTTP_413=Problem, HTTP_422=Problem, HTTP_429=Problem,
    ),
    tags=["sessions"],
)  # fmt: skip
def tell_file(ticket: str, kind: str) -> tuple[Noted, int]:
    """Add a photo (``photo``) or spoken minutes (``voice``) to a study session.

    The body is the bytes; what they are is read off them. The header Yuanbo-Note holds the id drawn for it (a UUID).
    """
    if kind not in FILES:
        raise NotFound(N_("没有找到"))
    try:
        note_id = str(UUID(request.headers.get(NOTE_HEADER, "")))
    except ValueError as error:
        raise Invalid(N_("请求格式不对"), code="note_id") from error
    now = clock.now()
    with reading() as session:
        session_notes.admit(session, ticket, now=now)  # before a byte of the body is read
    data = read_body(CAPS[FILES[kind]])
    with writing() as session:
        admitted = session_notes.admit(session, ticket, now=now)
        fresh = session_notes.take_file(session, store(), admitted, note_id, FILES[kind], data, now=now)
    return Noted(id=note_id, again=not fresh), 201


# --- for people -------------------------------------------------------------------------------------------------------
class CountOut(Struct, kw_only=True):
    """``source``: ``station`` (its own record) or ``phone`` (told on the province's page)."""

    source: str
    present: int
    expected: int
    members: int
    public: int
    at: Timestamp
    by: str = ""


class RollOut(Struct, kw_only=True):
    """``holds`` is the count that counts; ``counts`` all that were made; ``difference`` between the two sources."""

    roll: str
    holds: CountOut
    counts: list[CountOut]
    difference: int


class ToldOut(Struct, kw_only=True):
    source: str
    at: Timestamp
    text: str = ""
    what: str = ""
    file: str | None = None


class LateOut(Struct, kw_only=True):
    """迟录: said by the station's administrators afterwards. ``manual``: of a session that left no record."""

    at: Timestamp
    manual: bool
    void: bool
    reason: str
    remark: str
    by: str


class SessionOut(Struct, kw_only=True):
    """One study session. Times are None until the station's own record is here; ``programmes`` are its title, length
    and what was really played, in ms."""

    id: str
    station: str
    station_name: str
    region: str
    title: str
    planned_at: Timestamp | None = None
    started_at: Timestamp | None = None
    ended_at: Timestamp | None = None
    completed: bool | None = None
    programmes: list[Any] = []
    rolls: list[RollOut] = []
    minutes: list[ToldOut] = []
    late: list[LateOut] = []
    void: bool = False
    questions: list[ToldOut] = []
    faults: list[ToldOut] = []
    files: list[ToldOut] = []


class SessionQuery(Struct, kw_only=True):
    station: Uuid | None = None


@blueprint.get("/api/v1/sessions/<uuid:session_id>")
@permit(Action.STATS_VIEW)
@spec.validate(resp=Answers(HTTP_200=SessionOut, HTTP_404=Problem), tags=["sessions"])
def get_session(session_id: UUID, query: SessionQuery) -> SessionOut:
    """One study session: planned and played, heads by source, minutes, photos (where the caller may see them)."""
    with reading() as session:
        view = session_views.get_session(session, caller(), str(session_id), station_id=query.station)
        return _out(view)


def _out(view: SessionView) -> SessionOut:
    study = view.study
    return SessionOut(
        id=view.id, station=view.station.id, station_name=view.station.name, region=view.station.region, title=view.title,
        planned_at=to_text(study.planned_at) if study and study.planned_at else None,
        started_at=to_text(study.started_at) if study else None, ended_at=to_text(study.ended_at) if study else None,
        completed=study.completed if study else None, programmes=study.programmes if study else [],
        late=[_late(one) for one in view.late], void=view.is_void, rolls=[_roll(roll) for roll in view.rolls], minutes=[_told(one) for one in view.minutes],
        questions=[_told(one) for one in view.questions], faults=[_told(one) for one in view.faults],
        files=[_told(one) for one in view.files],
    )  # fmt: skip


def _late(fact: LateEntryFact) -> LateOut:
    return LateOut(
        at=to_text(fact.at),
        manual=fact.manual,
        void=fact.void,
        reason=fact.reason,
        remark=fact.remark,
        by=fact.by,
    )


def _roll(roll: MergedRoll) -> RollOut:
    counts = [_count(one) for one in roll.counts]
    return RollOut(roll=roll.roll, holds=_count(roll.holds), counts=counts, difference=roll.difference)


def _count(count: HeadCount) -> CountOut:
    return CountOut(
        source=count.source, present=count.present, expected=count.expected, members=count.members,
        public=count.public, at=to_text(count.at), by=count.by,
    )  # fmt: skip


def _told(told: Told) -> ToldOut:
    file = f"/api/v1/evidence/{told.file_id}/file" if told.file_id else None
    return ToldOut(source=told.source, at=to_text(told.at), text=told.text, what=told.what, file=file)
