"""Withdrawn programmes, and what they leave empty."""

from __future__ import annotations

from typing import Any

from flask import jsonify, render_template

from protocol.times import to_text
from server import clock
from server.catalog import service as catalog
from server.console import withdrawn
from server.identity.rules import Action
from server.web import caller, page_blueprint, permit, reading

blueprint = page_blueprint("withdrawn", __name__)


@blueprint.get("/withdrawn")
@permit(Action.CATALOG_VIEW_UNRELEASED)
def listing() -> str:
    """Withdrawn editions that the schedule knew, with the number of starts they leave empty."""
    now = clock.now()
    with reading() as session:
        found = withdrawn.listing(session, caller())
        counts = {one.edition.id: len(withdrawn.gaps(session, one.edition, now=now)) for one in found}
    return render_template("console/withdrawn.html", found=found, counts=counts, one=None, gaps=[])


@blueprint.get("/withdrawn/<edition_id>")
@permit(Action.CATALOG_VIEW_UNRELEASED)
def one(edition_id: str) -> str:
    """One of them, start by start."""
    with reading() as session:
        edition = catalog.get_edition(session, caller(), edition_id)
        found = withdrawn.gaps(session, edition, now=clock.now())
        programme = edition.programme
    return render_template(
        "console/withdrawn.html", found=[], counts={}, one=edition, programme=programme, gaps=found
    )


@blueprint.get("/api/v1/editions/<edition_id>/gaps")
@permit(Action.CATALOG_VIEW_UNRELEASED)
def gaps(edition_id: str) -> Any:
    """The starts of the next 60 days that a withdrawn edition leaves empty."""
    with reading() as session:
        edition = catalog.get_edition(session, caller(), edition_id)
        found = withdrawn.gaps(session, edition, now=clock.now())
    items = [
        {
            "at": to_text(gap.at),
            "slot": gap.slot,
            "channel": gap.channel,
            "region": gap.region,
            "required": gap.required,
            "placed_by": gap.placed_by,
        }
        for gap in found
    ]
    return jsonify({"items": items, "next": None})
