"""线路规则: the rules of one's own regions, setting and dropping one; how often stations look, for the province."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from server import clock
from server.errors import Invalid, YuanboError
from server.i18n import N_
from server.identity.rules import Action
from server.regions import service as regions
from server.stations import line_settings
from server.web import caller, page_blueprint, permit, reading, say, writing

blueprint: Blueprint = page_blueprint("lines", __name__)
GIGABYTE = 1_000_000_000


@blueprint.get("/lines")
@permit(Action.LINES_MANAGE)
def rules() -> str:
    """Every rule in scope, and a form."""
    who = caller()
    with reading() as session:
        found = line_settings.in_scope(session, who)
        wanted = request.args.get("region", "")
        return render_template(
            "stations/lines.html",
            rules=found,
            places=regions.full_names(session, {row.region for row in found}),
            limits={row.region: limit_of(row.bytes_a_second) for row in found},
            chosen=next((row for row in found if row.region == wanted), None),
            region=wanted or next(iter(who.scopes(Action.LINES_MANAGE)), ""),
            poll_s=line_settings.poll_seconds(session),
            can_poll=who.can(Action.LINES_MANAGE, line_settings.PROVINCE),
        )


@blueprint.post("/lines")
@permit(Action.LINES_MANAGE)
def keep() -> Response:
    """Set a region's rule from the form."""
    region = request.form.get("region", "").strip()

    def set_it() -> None:
        seen = request.form.get("version", "")
        with writing() as session:
            line_settings.set_rule(
                session, caller(), region, _wanted(), version=int(seen) if seen.isdigit() else None, now=clock.now()
            )  # fmt: skip

    return _done(set_it, gettext("线路规则已保存，随下一次发布到各站"))


@blueprint.post("/lines/<region>/removal")
@permit(Action.LINES_MANAGE)
def drop(region: str) -> Response:
    """The level above decides again."""

    def drop_it() -> None:
        with writing() as session:
            line_settings.drop_rule(session, caller(), region, version=_number("version"), now=clock.now())

    return _done(drop_it, gettext("线路规则已取消，按上级的执行"))


@blueprint.post("/lines/poll")
@permit(Action.LINES_MANAGE)
def poll() -> Response:
    """How often every station looks."""

    def set_it() -> None:
        with writing() as session:
            line_settings.set_poll(session, caller(), _number("poll_s"), now=clock.now())

    return _done(set_it, gettext("检查间隔已保存，随下一次发布到各站"))


def _done(do: Callable[[], None], said: str) -> Response:
    try:
        do()
        flash(said, "success")
    except YuanboError as error:
        flash(say(error), "error")
    return redirect(url_for("lines.rules"))


def _wanted() -> line_settings.Wanted:
    rate = _number("kilobits")
    return line_settings.Wanted(
        from_hour=_number("from_hour"),
        to_hour=_number("to_hour"),
        bytes_a_second=line_settings.limited(rate, _number("limit_from"), _number("limit_to")),
        monthly_cap_bytes=_number("gigabytes") * GIGABYTE,
    )


def _number(name: str) -> int:
    text = request.form.get(name, "").strip() or "0"
    if not text.isdigit() or len(text) > 9:
        raise Invalid(N_("请填写整数"))
    return int(text)


def limit_of(rates: list[int]) -> tuple[int, int, int] | None:
    """(kbit/s, from hour, to hour) of a rule with one limit for one span of hours; None where there is none. A rule set
    over the API may be richer: then its strictest limit, over the whole day."""
    limited = [hour for hour, rate in enumerate(rates) if rate]
    if not limited:
        return None
    least = min(rates[hour] for hour in limited) // 125
    starts = [hour for hour in limited if hour - 1 not in limited and (hour or 23 not in limited)]
    if len(starts) != 1 or len({rates[hour] for hour in limited}) > 1:
        return least, 0, 24
    return least, starts[0], (starts[0] + len(limited)) % 24 or 24
