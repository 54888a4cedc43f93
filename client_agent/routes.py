"""What the TV page may ask of the agent and do there, as data: path → function. The web server is httpd.py's.

Requests are typed; whatever does not fit is refused before anything is done.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from client_agent import watching
from client_agent.book import Book
from client_agent.desk.desk import Desk
from client_agent.desk.swapping import Swap
from client_agent.evening import Evening, HeadCount, NoSession, StudyDeed
from client_agent.evidence import Evidence
from client_agent.guide import Guide
from client_agent.outbox import Outbox
from client_agent.phone.helper import Phone
from client_agent.player import Player, Superseded, UnknownPlay
from client_agent.screenshot import Eye
from client_agent.sessions import PlayState, Subject
from client_agent.store import Store
from client_agent.tvdata import CannotPlay, TvData
from client_agent.watching import WatchingChange
from protocol.batch import Face, Mode, Voice, VoiceKind
from protocol.documents import ReleaseManifest, Sha256Hex

MAX_LISTING_STEP = 7
PLACE_EVERY_MS = 10_000
WISH_AGAIN_MS = 24 * 60 * 60 * 1000


class PlayRequest(msgspec.Struct, frozen=True):
    """The page begins to play a release."""

    mode: Mode
    release: Sha256Hex


class PositionReport(msgspec.Struct, frozen=True):
    """Where the page is in a play. ``jump``: the position was chosen, not reached. ``touched``: a key was pressed since
    the report before."""

    play: Annotated[str, Meta(max_length=64)]
    position_ms: Annotated[int, Meta(ge=0, le=2**40)]
    state: PlayState
    jump: bool = False
    touched: bool = False


class Liking(msgspec.Struct, frozen=True):
    """What somebody thought of a programme he just saw."""

    release: Sha256Hex
    face: Face


class Wishing(msgspec.Struct, frozen=True):
    """想看: a programme that cannot be seen yet, or what was searched for and not found."""

    release: Sha256Hex | None = None
    text: Annotated[str, Meta(max_length=40)] = ""


@dataclass(frozen=True)
class TvParts:
    """What the server works with."""

    data: TvData
    guide: Guide
    store: Store
    player: Player
    outbox: Outbox
    book: Book
    evening: Evening
    evidence: Evidence
    eye: Eye
    swap: Swap
    desk: Desk
    phone: Phone
    now_ms: Callable[[], int]
    fonts: Path | None = None


class Refused(Exception):
    """An answer that is no success: status and a word the page knows."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


# --- what the routes call ---------------------------------------------------------------------------------------------
def begin_play(parts: TvParts, request: PlayRequest) -> dict[str, Any]:
    """A play begins: its id, where its medium is, and what it is. Raises Refused."""
    if request.mode is Mode.STUDY and not parts.evening.plays(request.release):
        raise Refused(HTTPStatus.CONFLICT, "no-session")
    try:
        start = parts.data.start(request.mode, request.release)
    except CannotPlay as error:
        raise Refused(HTTPStatus.CONFLICT, error.reason) from error
    play = parts.player.begin(start.subject)
    parts.store.watched(start.sha256, parts.now_ms())
    return {"play": play, **start.answer}


def note_position(parts: TvParts, report: PositionReport) -> dict[str, Any]:
    """The page says where it is; how much was counted so far, and for how long it is to ask whether anybody still
    watches (0: it is not). Raises Refused."""
    session = parts.player.session
    before = session.played_ms if session is not None else 0
    try:
        counted = parts.player.report(
            report.play, report.state, report.position_ms, jump=report.jump, touched=report.touched
        )
    except UnknownPlay as error:
        raise Refused(HTTPStatus.NOT_FOUND, "play") from error
    except Superseded as error:
        raise Refused(HTTPStatus.CONFLICT, "superseded") from error
    if session is not None and session.id == report.play:
        _keep_place(parts, session.subject, report)
        if session.subject.mode is Mode.STUDY:
            parts.evening.heard(session.subject.release, report.position_ms, counted - before)
    return {"counted_ms": counted, "ask_ms": parts.player.asking_ms()}


def _keep_place(parts: TvParts, subject: Subject, report: PositionReport) -> None:
    """Where a chosen programme was left, so that it can be gone on with; written when it matters, not every 2 s."""
    if subject.mode is not Mode.LIBRARY:
        return
    if report.state is PlayState.ENDED:
        parts.book.forget_position(subject.release)
        return
    before = parts.book.positions().get(subject.release)
    moved = before is None or abs(report.position_ms - before) >= PLACE_EVERY_MS
    if moved or report.state is not PlayState.PLAYING:
        parts.book.keep_position(
            subject.release, report.position_ms, subject.duration_ms, now_ms=parts.now_ms()
        )


def study(parts: TvParts, asked: StudyDeed) -> dict[str, Any]:
    """A step of the evening's study. Raises Refused."""
    try:
        parts.evening.act(asked)
    except NoSession as error:
        raise Refused(HTTPStatus.CONFLICT, "no-session") from error
    return {"study": parts.data.study()}


def count_heads(parts: TvParts, heads: HeadCount) -> dict[str, Any]:
    """A roll was called. Raises Refused."""
    try:
        parts.evening.count_heads(heads)
    except NoSession as error:
        raise Refused(HTTPStatus.CONFLICT, "no-session") from error
    return {"study": parts.data.study()}


def like(parts: TvParts, said: Liking) -> dict[str, Any]:
    """Somebody pressed one of three faces. Raises Refused."""
    manifest = _known(parts, said.release)
    parts.outbox.append(Voice, says=VoiceKind.LIKING, face=said.face, **_named(manifest))
    return {"noted": True}


def wish(parts: TvParts, said: Wishing) -> dict[str, Any]:
    """Somebody wants to see something; the same wish counts once a day. Raises Refused."""
    text = " ".join(said.text.split())
    if said.release is None and not text:
        raise Refused(HTTPStatus.BAD_REQUEST, "nothing")
    fields = _named(_known(parts, said.release)) if said.release else {"text": text}
    what = said.release or text.lower()
    if parts.book.wish(what, now_ms=parts.now_ms(), again_after_ms=WISH_AGAIN_MS):
        parts.outbox.append(Voice, says=VoiceKind.WISH, **fields)
    return {"noted": True}


def _known(parts: TvParts, release: str) -> ReleaseManifest:
    manifest = parts.guide.manifest(release)
    if manifest is None:
        raise Refused(HTTPStatus.NOT_FOUND, "release")
    return manifest


def _named(manifest: ReleaseManifest) -> dict[str, Any]:
    return {
        "programme": manifest.programme,
        "edition": manifest.edition,
        "title": manifest.title,
        "section": manifest.section,
    }


def set_watching(parts: TvParts, said: WatchingChange) -> object:
    """Volume or captions were set."""
    return watching.change(parts.desk.agent.database, said)


DEEDS: dict[str, tuple[type[Any], Callable[[TvParts, Any], object], HTTPStatus]] = {
    "/api/plays": (PlayRequest, begin_play, HTTPStatus.CREATED),
    "/api/positions": (PositionReport, note_position, HTTPStatus.OK),
    "/api/study": (StudyDeed, study, HTTPStatus.OK),
    "/api/heads": (HeadCount, count_heads, HTTPStatus.CREATED),
    "/api/likings": (Liking, like, HTTPStatus.CREATED),
    "/api/wishes": (Wishing, wish, HTTPStatus.CREATED),
    "/api/watching": (WatchingChange, set_watching, HTTPStatus.OK),
}
"""What the page may do: the form of the request, what is done, and the status of success."""


def _listing(parts: TvParts, query: dict[str, str]) -> object:
    step = query.get("day", "0")
    if not re.fullmatch(r"-?\d", step) or abs(int(step)) > MAX_LISTING_STEP:
        raise Refused(HTTPStatus.BAD_REQUEST, "day")
    return parts.data.listing(int(step))


def _programme(parts: TvParts, query: dict[str, str]) -> object:
    found = parts.data.programme(query.get("release", ""))
    if found is None:
        raise Refused(HTTPStatus.NOT_FOUND, "release")
    return found


def _numbered(parts: TvParts, query: dict[str, str]) -> object:
    number = query.get("n", "")
    if not re.fullmatch(r"[0-9]{1,4}", number):
        raise Refused(HTTPStatus.BAD_REQUEST, "number")
    found = parts.data.numbered(int(number))
    if found is None:
        raise Refused(HTTPStatus.NOT_FOUND, "number")
    return found


ANSWERS: dict[str, Callable[[TvParts, dict[str, str]], object]] = {
    "/api/state": lambda parts, _: parts.data.state(),
    "/api/alive": lambda parts, _: parts.data.alive() | {"picture": parts.eye.wanted},
    "/api/listing": _listing,
    "/api/library": lambda parts, _: parts.data.library(),
    "/api/programme": _programme,
    "/api/replay": lambda parts, _: parts.data.replay(),
    "/api/number": _numbered,
    "/api/watching": lambda parts, _: watching.read(parts.desk.agent.database),
}
