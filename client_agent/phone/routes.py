"""What a phone may ask and do, as data: path → form of the request → function. The listener is server.py's.

A deed carries the name its phone gave it (a UUID): done once, it is done, however often it is sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from client_agent.evening import NoSession, Tonight
from client_agent.evidence import EvidenceRefused
from client_agent.phone.helper import Phone
from client_agent.phone.people import ListFull
from client_agent.phone.roll import MOST_OTHERS, MOST_PEOPLE, Mark, Person, clean_name, read_names
from protocol.batch import EvidenceKind, Fault, Minutes, Roll, Voice, VoiceKind
from protocol.faults import FAULT_NAMES, SeenFault

Json = dict[str, Any]
Deed = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
SessionId = Annotated[str, Meta(max_length=36)]
LONGEST_AGO_MS = 12 * 60 * 60 * 1000
QUESTION_LENGTH = 500
MINUTES_LENGTH = 2_000


class Refused(Exception):
    """An answer that is no success: status and a word the page knows."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


# --- what is asked -----------------------------------------------------------------------------------------------------
def state(phone: Phone, query: dict[str, str]) -> Json:
    """The session, the list and who was tapped; ``{"same": true}`` where the phone has it (``have``)."""
    tonight = phone.tonight()
    people = phone.people.everybody()
    told: Json = {
        "station": phone.station(),
        "session": _session(phone, tonight),
        "people": [[person.id, person.name, int(person.party)] for person in people],
        "faults": {code: list(name) for code, name in FAULT_NAMES.items()},
    }
    version = hashlib.sha256(msgspec.json.encode(told)).hexdigest()[:16]
    return {"same": True} if query.get("have") == version else {"version": version, **told}


def _session(phone: Phone, tonight: Tonight | None) -> Json | None:
    if tonight is not None:
        rolls = (Roll.START, Roll.END) if tonight.closing else (Roll.START,)
        head = {"id": tonight.id, "title": tonight.title, "state": _state_of(tonight)}
        rolled = _rolls(phone, tonight.id, rolls, tonight.rolls)
        return head | {"roll": rolls[-1], "rolls": rolled, "kept": _kept(phone, tonight.id)}
    last = phone.evening.last(phone.now_ms())
    if last is None:
        return None
    head = {"id": last["id"], "title": last["title"], "state": "over"}
    rolled = _rolls(phone, last["id"], (Roll.LATE,), {})
    return head | {"roll": Roll.LATE, "rolls": rolled, "kept": _kept(phone, last["id"])}


def _kept(phone: Phone, session: str) -> Json:
    """How many photos and recordings of a session are here."""
    kept = [one.what for one in phone.evidence.of_session(session)]
    return {name: kept.count(kind) for name, kind in FILES.items()}


def _state_of(tonight: Tonight) -> str:
    if not tonight.running:
        return "offered"
    return "closing" if tonight.closing else "running"


def _rolls(phone: Phone, session: str, rolls: tuple[Roll, ...], told: Json) -> Json:
    found: Json = {}
    for roll in rolls:
        marks, others = phone.people.marks(session, roll)
        there = [mark.person for mark in marks.values() if mark.present]
        found[roll] = {"there": there, "others": others, "told": told.get(roll)}
    return found


# --- what is done ------------------------------------------------------------------------------------------------------
class Tap(Struct, frozen=True):
    """One person tapped, so many ms before this was sent."""

    person: Annotated[int, Meta(ge=1, le=2**40)]
    present: bool
    ago_ms: Annotated[int, Meta(ge=0, le=2**40)] = 0


class Taps(Struct, frozen=True):
    """``others``: how many came who stand on no list, where that was changed. ``done``: this was all, tell it."""

    session: SessionId
    roll: Roll
    taps: Annotated[list[Tap], Meta(max_length=MOST_PEOPLE)] = []
    others: Annotated[int, Meta(ge=0, le=MOST_OTHERS)] | None = None
    done: bool = False


class Names(Struct, frozen=True):
    """People to add: a pasted list, or one name. ``again``: another person of the same name is meant."""

    deed: Deed
    text: Annotated[str, Meta(max_length=40_000)]
    party: bool = False
    again: bool = False


class Change(Struct, frozen=True):
    """A name written anew; without a name, off the list."""

    person: Annotated[int, Meta(ge=1, le=2**40)]
    name: Annotated[str, Meta(max_length=200)] = ""
    party: bool = False


class Question(Struct, frozen=True):
    deed: Deed
    text: Annotated[str, Meta(min_length=1, max_length=QUESTION_LENGTH)]


class FaultSeen(Struct, frozen=True):
    deed: Deed
    code: SeenFault
    text: Annotated[str, Meta(max_length=200)] = ""


class MinutesWritten(Struct, frozen=True):
    deed: Deed
    session: SessionId
    text: Annotated[str, Meta(min_length=1, max_length=MINUTES_LENGTH)]


def take_taps(phone: Phone, said: Taps) -> Json:
    """Taps are kept; said to be all, the roll is told. Raises Refused."""
    known = _session(phone, phone.tonight())
    if known is None or known["id"] != said.session or said.roll not in known["rolls"]:
        raise Refused(HTTPStatus.CONFLICT, "no-session")
    now_ms = phone.now_ms()
    marks = [Mark(tap.person, tap.present, now_ms - min(tap.ago_ms, LONGEST_AGO_MS)) for tap in said.taps]
    if marks or said.others is not None:
        phone.people.mark(said.session, said.roll, marks, said.others, now_ms=now_ms)
    if said.done:
        try:
            phone.call(said.session, said.roll)
        except NoSession as error:
            raise Refused(HTTPStatus.CONFLICT, "no-session") from error
    return state(phone, {})


def add_names(phone: Phone, said: Names) -> Json:
    """Names are put on the list. Raises Refused."""
    names = read_names(said.text, party=said.party)
    if not names:
        raise Refused(HTTPStatus.BAD_REQUEST, "no-name")
    if phone.people.is_done(said.deed):
        return {"added": 0, "left_out": [], **state(phone, {})}
    try:
        added, left_out = phone.people.add(names, namesakes=said.again)
    except ListFull as error:
        raise Refused(HTTPStatus.CONFLICT, "list-full") from error
    phone.people.note_done(said.deed, now_ms=phone.now_ms())
    return {"added": added, "left_out": left_out[:20], **state(phone, {})}


def change_name(phone: Phone, said: Change) -> Json:
    """A name is changed, or taken off the list."""
    name = clean_name(said.name)
    if not name:
        phone.people.remove(said.person)
    else:
        phone.people.change(Person(said.person, name, said.party))
    return state(phone, {})


def ask_question(phone: Phone, said: Question) -> Json:
    """A question goes to the province, without a name."""
    text = said.text.strip()
    if not text:
        raise Refused(HTTPStatus.BAD_REQUEST, "nothing")
    return once(phone, said.deed, lambda: phone.outbox.append(Voice, says=VoiceKind.QUESTION, text=text))


def write_minutes(phone: Phone, said: MinutesWritten) -> Json:
    """What was discussed goes to the province. Raises Refused."""
    _check_session(phone, said.session)
    text = said.text.strip()
    if not text:
        raise Refused(HTTPStatus.BAD_REQUEST, "nothing")
    return once(phone, said.deed, lambda: phone.outbox.append(Minutes, session=said.session, text=text))


def keep_file(phone: Phone, kind: EvidenceKind, session: str, data: bytes) -> Json:
    """A photo or spoken minutes of a session; the same bytes again are kept once. Raises Refused."""
    _check_session(phone, session)
    try:
        phone.evidence.keep(kind, data, session=session)
    except EvidenceRefused as error:
        full = error.reason == "full"
        raise Refused(
            HTTPStatus.INSUFFICIENT_STORAGE if full else HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "disk" if full else error.reason,
        ) from error
    return state(phone, {})


def _check_session(phone: Phone, session: str) -> None:
    """Raises Refused unless it is the session that runs, is offered, or ended last."""
    known = _session(phone, phone.tonight())
    last = phone.evening.last(phone.now_ms())
    if session not in {found["id"] for found in (known, last) if found}:
        raise Refused(HTTPStatus.CONFLICT, "no-session")


def report_fault(phone: Phone, said: FaultSeen) -> Json:
    """What is broken goes to the province."""
    return once(phone, said.deed, lambda: phone.outbox.append(Fault, code=said.code, text=said.text.strip()))


def once(phone: Phone, deed: str, do: Callable[[], object]) -> Json:
    """Do it unless it was done. A power cut between the two leaves it done twice, never lost."""
    if not phone.people.is_done(deed):
        do()
        phone.people.note_done(deed, now_ms=phone.now_ms())
    return {"noted": True}


ANSWERS: dict[str, Callable[[Phone, dict[str, str]], object]] = {"state": state}
FILES = {"photo": EvidenceKind.PHOTO, "voice": EvidenceKind.MINUTES_AUDIO}
"""What is sent as bytes; the session stands in a header."""
DEEDS: dict[str, tuple[type[Any], Callable[[Phone, Any], object]]] = {
    "taps": (Taps, take_taps),
    "names": (Names, add_names),
    "change": (Change, change_name),
    "minutes": (MinutesWritten, write_minutes),
    "question": (Question, ask_question),
    "fault": (FaultSeen, report_fault),
}
