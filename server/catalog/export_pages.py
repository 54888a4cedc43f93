"""The button of the library that gives what it found as a spreadsheet."""

from __future__ import annotations

from flask import flash, make_response, redirect, request, url_for
from werkzeug.wrappers import Response

from server import clock
from server.catalog import lom_export, many
from server.errors import YuanboError
from server.identity.rules import Action
from server.web import caller, config, page_blueprint, permit, reading, say

blueprint = page_blueprint("catalog_export", __name__)
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@blueprint.get("/programmes/export.xlsx")
@permit(Action.CATALOG_VIEW)
def export() -> Response:
    """What the library shows with these filters, all of it, with the field names of CELTS-42/LOM."""
    now = clock.now()
    try:
        filters = many.filters_of(request.args.to_dict())
        pages = f"{config().console_url.rstrip('/')}/programmes"
        with reading() as session:
            data = lom_export.workbook(session, caller(), filters, pages=pages, now=now)
    except YuanboError as error:
        flash(say(error), "error")
        return redirect(url_for("catalog.programmes"))
    response = make_response(data)
    response.content_type = _XLSX
    response.headers["Content-Disposition"] = f'attachment; filename="catalogue-celts42-{now:%Y%m%d}.xlsx"'
    return response
