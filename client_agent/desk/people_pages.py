"""What the TV page may ask and do about the station's two administrators."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from client_agent.desk.log_lines import LogKind
from client_agent.desk.people import NAME_LENGTH, NotAllowed, PinRefused
from client_agent.routes import Refused, TvParts

Post = Annotated[str, Meta(pattern=r"^[AB]$")]
Pin = Annotated[str, Meta(max_length=6)]


class SignIn(msgspec.Struct, frozen=True):
    post: Post
    pin: Pin


class KeepPerson(msgspec.Struct, frozen=True):
    """Empty: as it was."""

    post: Post
    name: Annotated[str, Meta(max_length=NAME_LENGTH)] = ""
    pin: Pin = ""


class Nothing(msgspec.Struct, frozen=True):
    """A deed that needs no words."""


def signed_in(parts: TvParts) -> str:
    """A or B. Raises Refused where nobody is signed in: the page asks for a PIN and tries again."""
    who = parts.desk.people.who()
    if not who:
        raise Refused(HTTPStatus.FORBIDDEN, "sign-in")
    parts.desk.people.key()
    return who


def people(parts: TvParts, _: dict[str, str]) -> dict[str, Any]:
    return parts.desk.people.told()


def sign_in(parts: TvParts, asked: SignIn) -> dict[str, Any]:
    """Raises Refused: "no-person", "pin-wrong", "pin-locked"; the page reads the wait where the people stand."""
    try:
        parts.desk.people.sign_in(asked.post, asked.pin)
    except NotAllowed as error:
        raise Refused(HTTPStatus.NOT_FOUND, "no-person") from error
    except PinRefused as error:
        raise Refused(HTTPStatus.FORBIDDEN, f"pin-{error.word}") from error
    return parts.desk.people.told()


def sign_out(parts: TvParts, _: Nothing) -> dict[str, Any]:
    parts.desk.people.sign_out()
    return parts.desk.people.told()


def key_pressed(parts: TvParts, _: Nothing) -> dict[str, Any]:
    """Somebody is still there."""
    parts.desk.people.key()
    return {"who": parts.desk.people.who()}


def keep_person(parts: TvParts, asked: KeepPerson) -> dict[str, Any]:
    """Raises Refused: "sign-in", "pin-easy", "pin-form"."""
    desk = parts.desk
    by = desk.people.who() or asked.post

    def said(handed_over: bool) -> None:
        what = "handed-over" if handed_over else "pin" if asked.pin and not asked.name else "person"
        desk.log.write(LogKind.EVENT, by=by, reason=what, title=desk.people.label(asked.post))

    try:
        desk.people.keep(asked.post, asked.name, asked.pin, said)
    except NotAllowed as error:
        raise Refused(HTTPStatus.FORBIDDEN, "sign-in") from error
    except PinRefused as error:
        raise Refused(HTTPStatus.BAD_REQUEST, f"pin-{error.word}") from error
    return desk.people.told()


ANSWERS = {"/api/desk/people": people}
DEEDS: dict[str, tuple[type[Any], Any, HTTPStatus]] = {
    "/api/desk/sign-in": (SignIn, sign_in, HTTPStatus.OK),
    "/api/desk/sign-out": (Nothing, sign_out, HTTPStatus.OK),
    "/api/desk/key": (Nothing, key_pressed, HTTPStatus.OK),
    "/api/desk/people": (KeepPerson, keep_person, HTTPStatus.CREATED),
}
