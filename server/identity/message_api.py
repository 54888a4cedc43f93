"""JSON of the inbox: one's own messages."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from flask_babel import gettext
from msgspec import Struct
from spectree import Response

from protocol.times import Timestamp, to_text
from server import clock
from server.identity import messages
from server.identity.messages import MessageKind
from server.identity.models import Message
from server.identity.rules import Action
from server.web import Problem, caller, permit, reading, spec, writing

blueprint = Blueprint("messages_api", __name__)


class MessageView(Struct, kw_only=True):
    """``link`` is a path of the console; title and text are in the caller's language."""

    id: str
    kind: str
    title: str
    text: str
    link: str | None
    created_at: Timestamp
    read_at: Timestamp | None


class MessageList(Struct, kw_only=True):
    items: list[MessageView]
    next: str | None
    unread: int


class MessageQuery(Struct, kw_only=True):
    kind: MessageKind | None = None
    unread: bool = False
    after: str | None = None
    limit: int = messages.PAGE


def filled(text: str, message: Message) -> str:
    """A source text of a message in the reader's language, its places filled."""
    return messages.fill(gettext(text), message.params) if text else ""


def message_view(message: Message) -> MessageView:
    return MessageView(
        id=message.id,
        kind=message.kind,
        title=filled(message.title, message),
        text=filled(message.text, message),
        link=message.link,
        created_at=to_text(message.created_at),
        read_at=to_text(message.read_at) if message.read_at else None,
    )


@blueprint.get("/api/v1/messages")
@permit(Action.HOME_VIEW)
@spec.validate(resp=Response(HTTP_200=MessageList), tags=["identity"])
def list_messages(query: MessageQuery) -> Any:
    """One's own messages, newest first."""
    with reading() as session:
        found, following = messages.inbox(
            session, caller(), kind=query.kind, unread=query.unread, after=query.after, limit=query.limit
        )
        unread = messages.unread_count(session, caller())
    return MessageList(items=[message_view(row) for row in found], next=following, unread=unread)


@blueprint.post("/api/v1/messages/<message_id>/read")
@permit(Action.HOME_VIEW)
@spec.validate(resp=Response(HTTP_200=MessageView, HTTP_404=Problem), tags=["identity"])
def read_message(message_id: str) -> Any:
    """Mark one of one's own messages as read."""
    with writing() as session:
        return message_view(messages.mark_read(session, caller(), message_id, now=clock.now()))


@blueprint.post("/api/v1/messages/read")
@permit(Action.HOME_VIEW)
@spec.validate(resp=Response("HTTP_204"), tags=["identity"])
def read_all() -> Any:
    """Mark all of one's own messages as read."""
    with writing() as session:
        messages.mark_all_read(session, caller(), now=clock.now())
    return "", 204
