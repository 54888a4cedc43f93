"""A contributor's own desk, and what stands around a programme: its places in the schedule, how it was watched."""

from __future__ import annotations

from flask import render_template, request

from server import clock
from server.catalog import service as catalog
from server.console import contributions
from server.identity.rules import Action
from server.regions import service as regions
from server.web import caller, page_blueprint, permit, reading

blueprint = page_blueprint("contributions", __name__)


@blueprint.get("/desk")
@permit(Action.CATALOG_SUBMIT)
def desk() -> str:
    """My programmes: where they are in review, why they came back, when they are shown, how they are watched."""
    state = request.args.get("state") or None
    with reading() as session:
        found = contributions.desk(
            session, caller(), state=state, after=request.args.get("after"), now=clock.now()
        )
    return render_template("console/desk.html", desk=found, state=state)


@blueprint.get("/programmes/<programme_id>/around")
@permit(Action.CATALOG_VIEW)
def around(programme_id: str) -> str:
    """A piece of the programme's page."""
    with reading() as session:
        programme = catalog.get_programme(session, caller(), programme_id)
        rules = contributions.placed(session, programme.id) if caller().can(Action.SCHEDULE_VIEW) else []
        viewed = contributions.viewing_of(session, caller(), [programme.id], now=clock.now())
        places = regions.names(session, {rule.region for rule in rules})
    viewing = viewed.get(programme.id, contributions.Viewing())
    return render_template("console/_around.html", rules=rules, places=places, viewing=viewing)
