"""Publications: what is served, what was held back and why, and the button that publishes."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from server import clock
from server.errors import YuanboError
from server.identity.rules import Action
from server.publish import service
from server.web import caller, config, database, page_blueprint, permit, reading, say, store

blueprint = page_blueprint("publish", __name__)


@blueprint.get("/publications")
@permit(Action.PUBLISH_VIEW)
def publications() -> str:
    """Publications, the newest first."""
    before = request.args.get("before", type=int)
    with reading() as session:
        rows = service.list_publications(session, caller(), before=before)
    return render_template(
        "publish/publications.html",
        rows=rows,
        before=before,
        following=rows[-1].number if len(rows) == service.PAGE else None,
        can_publish=caller().can(Action.PUBLISH_RUN, service.PROVINCE),
    )


@blueprint.get("/publications/<int:number>")
@permit(Action.PUBLISH_VIEW)
def publication(number: int) -> str:
    """One publication."""
    with reading() as session:
        row = service.get_publication(session, caller(), number)
    return render_template("publish/publication.html", row=row)


@blueprint.post("/publications")
@permit(Action.PUBLISH_RUN)
def publish() -> Response:
    """Sign and serve what is released and scheduled now."""
    who = caller()
    try:
        who.require(Action.PUBLISH_RUN, service.PROVINCE)
        result = service.publish(database(), config(), store(), now=clock.now(), by=who.name)
    except YuanboError as error:
        flash(say(error), "error")
        return redirect(url_for("publish.publications"))
    if result.changed:
        flash(_("第 %(number)s 次发布已签名，站点下次轮询即可收到", number=result.number), "success")
    else:
        flash(_("没有变化，站点看到的仍是第 %(number)s 次发布", number=result.number), "success")
    if result.held_back:
        flash(_("有 %(count)s 项被签名方拒绝，原因见下", count=len(result.held_back)), "error")
    return redirect(url_for("publish.publication", number=result.number))
