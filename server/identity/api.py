"""JSON about oneself: who am I, my tokens."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint
from msgspec import Meta, Struct
from spectree import Response

from protocol.times import Timestamp, to_text
from server import clock
from server.errors import Invalid
from server.i18n import N_
from server.identity import service, succession
from server.identity.models import ApiToken
from server.identity.rules import TABLE, Action
from server.web import Problem, caller, moment, permit, reading, spec, writing

blueprint = Blueprint("identity_api", __name__)


class GrantView(Struct, kw_only=True):
    role: str
    region: str


class Me(Struct, kw_only=True):
    """``may`` are the actions some grant allows somewhere."""

    id: str
    username: str
    name: str
    department: str | None
    locale: str
    grants: list[GrantView]
    may: list[str]


class TokenView(Struct, kw_only=True):
    id: str
    label: str
    created_at: Timestamp
    expires_at: Timestamp | None


class NewToken(TokenView, kw_only=True):
    """``token`` is shown this once."""

    token: str


class TokenList(Struct, kw_only=True):
    items: list[TokenView]
    next: str | None = None


class Merger(Struct, kw_only=True):
    """``into`` is the region that takes the other over."""

    into: Annotated[str, Meta(pattern=r"^[0-9]{2,12}$")]


class MergedRegion(Struct, kw_only=True):
    code: str
    name: str
    successor: str | None


class TokenRequest(Struct, kw_only=True):
    label: Annotated[str, Meta(min_length=1, max_length=60)]
    expires_at: Timestamp | None = None


@blueprint.get("/api/v1/me")
@permit(Action.HOME_VIEW)
@spec.validate(resp=Response(HTTP_200=Me, HTTP_401=Problem), tags=["identity"])
def me() -> Any:
    """Who calls, with which roles where."""
    who = caller()
    return Me(
        id=who.id,
        username=who.username,
        name=who.name,
        department=who.department,
        locale=who.locale,
        grants=[GrantView(role=role, region=region) for role, region in who.grants],
        may=[action for action in TABLE if who.can(action)],
    )


@blueprint.get("/api/v1/tokens")
@permit(Action.HOME_VIEW)
@spec.validate(resp=Response(HTTP_200=TokenList), tags=["identity"])
def list_tokens() -> Any:
    """One's own tokens, without the tokens themselves."""
    with reading() as session:
        return TokenList(items=[TokenView(**_token(row)) for row in service.tokens_of(session, caller())])


@blueprint.post("/api/v1/tokens")
@permit(Action.HOME_VIEW)
@spec.validate(resp=Response(HTTP_201=NewToken, HTTP_422=Problem), tags=["identity"])
def issue_token(json: TokenRequest) -> Any:
    """A new token for a program that acts as the caller; it is shown this once."""
    now = clock.now()
    expires_at = moment(json.expires_at) if json.expires_at else None
    if expires_at is not None and expires_at <= now:
        raise Invalid(N_("有效期须在现在之后"))
    who = caller()
    with writing() as session:
        account = service.get_account(session, who.username)
        row, token = service.issue_token(
            session, account, json.label, now=now, expires_at=expires_at, actor=who
        )
        return NewToken(**_token(row), token=token), 201


@blueprint.delete("/api/v1/tokens/<token_id>")
@permit(Action.HOME_VIEW)
@spec.validate(resp=Response("HTTP_204", HTTP_404=Problem), tags=["identity"])
def revoke_token(token_id: str) -> Any:
    """End one of one's own tokens."""
    with writing() as session:
        service.revoke_token(session, caller(), token_id, now=clock.now())
    return "", 204


def _token(row: ApiToken) -> dict[str, Any]:
    return {
        "id": row.id,
        "label": row.label,
        "created_at": to_text(row.created_at),
        "expires_at": to_text(row.expires_at) if row.expires_at else None,
    }


@blueprint.post("/api/v1/regions/<code>/successor")
@permit(Action.REGIONS_MANAGE)
@spec.validate(json=Merger, resp=Response(HTTP_200=MergedRegion, HTTP_409=Problem), tags=["regions"])
def merge_region(code: str, json: Merger) -> MergedRegion:
    """A region was merged into another: its stations follow that one from the next publication on."""
    with writing() as session:
        region = succession.merge(session, caller(), code, json.into, now=clock.now())
        return MergedRegion(code=region.code, name=region.name, successor=region.successor)
