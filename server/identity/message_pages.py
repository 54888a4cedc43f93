"""The inbox and the bell."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from server import clock
from server.identity import messages
from server.identity.message_api import message_view
from server.identity.messages import KIND_NAMES, MessageKind
from server.identity.rules import Action
from server.web import caller, page_blueprint, permit, reading, writing

blueprint = page_blueprint("messages", __name__)
_ICONS: dict[str, str] = {
    MessageKind.RETURNED: "arrow-back-up",
    MessageKind.WAITING: "eye-check",
    MessageKind.DEADLINE: "clock-exclamation",
    MessageKind.DUTY: "urgent",
    MessageKind.RELEASED: "circle-check",
    MessageKind.WITHDRAWN: "circle-minus",
    MessageKind.SCHEDULE: "calendar-week",
    MessageKind.PUBLICATION: "broadcast",
    MessageKind.STATION: "device-tv",
    MessageKind.SECURITY: "lock",
    MessageKind.NOTICE: "bell",
}


@blueprint.get("/messages")
@permit(Action.HOME_VIEW)
def inbox() -> str:
    """My messages, newest first."""
    chosen = request.args.get("kind", "")
    kind = MessageKind(chosen) if chosen in {*MessageKind} else None
    unread = "unread" in request.args
    with reading() as session:
        found, following = messages.inbox(
            session, caller(), kind=kind, unread=unread, after=request.args.get("after") or None
        )
        count = messages.unread_count(session, caller())
    return render_template(
        "identity/messages.html",
        items=[message_view(row) for row in found],
        following=following,
        count=count,
        kind=kind,
        unread=unread,
        kinds=KIND_NAMES,
        icons=_ICONS,
    )


@blueprint.get("/messages/bell")
@permit(Action.HOME_VIEW)
def bell() -> str:
    """The bell with the number of unread messages, polled by every page."""
    with reading() as session:
        return render_template("identity/_bell.html", unread=messages.unread_count(session, caller()))


@blueprint.post("/messages/<message_id>")
@permit(Action.HOME_VIEW)
def open_message(message_id: str) -> Response:
    """Open a message: it is read, and one lands where it points."""
    with writing() as session:
        link = messages.mark_read(session, caller(), message_id, now=clock.now()).link
    is_own_path = bool(link) and str(link).startswith("/") and not str(link).startswith("//")
    return redirect(str(link) if is_own_path else url_for("messages.inbox"))


@blueprint.post("/messages/read")
@permit(Action.HOME_VIEW)
def read_all() -> Response:
    with writing() as session:
        messages.mark_all_read(session, caller(), now=clock.now())
    return redirect(url_for("messages.inbox"))
