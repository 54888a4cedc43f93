"""The weeks of a region on their way to approval, and what was changed afterwards."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from protocol.regions import Level, level_of, lineage
from server import clock
from server.errors import NotFound, YuanboError
from server.i18n import N_
from server.identity.rules import Action, Caller
from server.regions import service as regions
from server.schedule import approval
from server.schedule.approval_rules import Move
from server.schedule.times import read_day
from server.web import caller, page_blueprint, permit, reading, say, writing

blueprint = page_blueprint("weeks", __name__)

OWN = (Level.PROVINCE, Level.CITY, Level.COUNTY)
DEEDS = {
    "put": N_("新增"),
    "add": N_("新增"),
    "change": N_("修改"),
    "move": N_("移动"),
    "remove": N_("移除"),
    "restore": N_("恢复"),
    "undo": N_("撤销"),
}
KINDS = {
    "slot": N_("时段"),
    "window": N_("地方窗口"),
    "study": N_("学习日"),
    "evening": N_("学习日"),
    "notice": N_("滚动字幕"),
    "push": N_("推送"),
    "emergency": N_("应急插播"),
}


@blueprint.get("/schedule/weeks")
@permit(Action.SCHEDULE_VIEW)
def weeks() -> str:
    """This week and the next five."""
    who = caller()
    region = request.args.get("region", "").strip() or own_region(who)
    with reading() as session:
        found = approval.weeks(session, who, region, now=clock.now())
        path = regions.path_of(session, region)
    return render_template(
        "schedule/weeks.html",
        weeks=found,
        region=region,
        path=path,
        scopes=[scope for scope in who.scopes(Action.SCHEDULE_EDIT) if level_of(scope) in OWN],
        may_submit=who.can(Action.SCHEDULE_EDIT, region),
        may_approve=who.can(Action.SCHEDULE_APPROVE, region),
        me=who.id,
        deeds=DEEDS,
        kinds=KINDS,
    )


def own_region(who: Caller) -> str:
    """The caller's own province, city or county."""
    scope = next(iter(who.scopes(Action.SCHEDULE_VIEW)), "13")
    return next(code for code in lineage(scope) if level_of(code) in OWN)


@blueprint.post("/schedule/weeks/<region>/<week>/<move>")
@permit(Action.SCHEDULE_VIEW)
def move(region: str, week: str, move: str) -> Response:
    """submit, take_back, approve, return, reopen."""
    done = {
        Move.SUBMIT: _("已提交，等待另一人批准"),
        Move.TAKE_BACK: _("已取回，可以继续编排"),
        Move.APPROVE: _("这一周已批准"),
        Move.RETURN: _("已退回"),
        Move.REOPEN: _("这一周重新开放编排"),
    }
    try:
        with writing() as session:
            approval.move(
                session,
                caller(),
                region,
                read_day(week, clock.now()),
                _known(move),
                comment=request.form.get("comment", ""),
                now=clock.now(),
            )
        flash(done[Move(move)], "success")
    except YuanboError as error:
        flash(say(error), "error")
    return redirect(url_for("weeks.weeks", region=region))


def _known(text: str) -> Move:
    try:
        return Move(text)
    except ValueError as error:
        raise NotFound(N_("没有这个动作：%(move)s"), move=text[:20]) from error


@blueprint.post("/schedule/weeks/late/<int:change>")
@permit(Action.SCHEDULE_VIEW)
def explain_late(change: int) -> Response:
    """Say why a late change was made."""
    try:
        with writing() as session:
            approval.explain_late(session, caller(), change, request.form.get("reason", ""), now=clock.now())
        flash(_("理由已记录"), "success")
    except YuanboError as error:
        flash(say(error), "error")
    return redirect(url_for("weeks.weeks", region=request.form.get("region") or None))
