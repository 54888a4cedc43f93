"""The page where a folder and its list come in."""

from __future__ import annotations

from flask import render_template

from server.catalog import sheets
from server.identity.rules import Action
from server.web import page_blueprint, permit

blueprint = page_blueprint("catalog_imports", __name__)


@blueprint.get("/import")
@permit(Action.CATALOG_UPLOAD)
def import_page() -> str:
    """Choose the list and the files, see a dry run row by row, then import."""
    return render_template("catalog/import.html", columns=sheets.COLUMNS)
