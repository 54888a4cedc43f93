"""The console's frame and its home page."""

from __future__ import annotations

from typing import Any

from flask import current_app, render_template, request, url_for

from server import web
from server.console.apidocs import operations_by_tag
from server.console.navigation import MENU
from server.identity.rules import ROLE_NAMES, Action
from server.regions import service as regions
from server.web import caller, caller_or_none, page_blueprint, permit, public, reading

blueprint = page_blueprint("console", __name__)


@blueprint.app_context_processor
def frame() -> dict[str, Any]:
    """What layout.html needs on every page."""
    who = caller_or_none()
    english = web.is_english()
    read_url = web.config().read_urls[0]
    if who is None:
        return {"who": None, "english": english, "navigation": [], "who_grants": [], "read_url": read_url}
    with reading() as session:
        names = regions.names(session, {region for _, region in who.grants})
    return {
        "who": who,
        "read_url": read_url,
        "english": english,
        "navigation": [
            {
                "url": url_for(entry.endpoint),
                "title": entry.title,
                "icon": entry.icon,
                "is_here": request.endpoint == entry.endpoint,
            }
            for entry in MENU
            if entry.endpoint in current_app.view_functions and who.can(entry.action)
        ],
        "who_grants": [(ROLE_NAMES[role], names.get(region, region)) for role, region in who.grants],
    }


@blueprint.get("/")
@permit(Action.HOME_VIEW)
def home() -> str:
    """What waits for me."""
    caller()
    return render_template("console/home.html")


@blueprint.get("/api/docs")
@public
def api_docs() -> str:
    """The API's description, readable."""
    return render_template("console/apidocs.html", groups=operations_by_tag(web.spec.spec))
