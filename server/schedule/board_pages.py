"""The board (编排台): a time line that is edited by dragging, by keys or by dialogs; the work is done over its API."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from flask import render_template, request, url_for
from flask_babel import gettext as _

from protocol.times import SHANGHAI
from server import clock
from server.identity.rules import Action
from server.regions import service as regions
from server.schedule import board
from server.schedule.times import read_day
from server.web import caller, is_english, page_blueprint, permit, reading

blueprint = page_blueprint("board", __name__)


@blueprint.get("/schedule/board")
@permit(Action.SCHEDULE_VIEW)
def page() -> str:
    """The board of one region; a week from Monday, or the day asked for alone."""
    who = caller()
    days = 1 if request.args.get("days") == "1" else 7
    day = read_day(request.args.get("day"), clock.now())
    first = day if days == 1 else day - timedelta(days=day.weekday())
    own = who.scopes(Action.SCHEDULE_EDIT) or who.scopes(Action.SCHEDULE_VIEW) or ("13",)
    region = request.args.get("region", "").strip() or own[0]
    with reading() as session:
        full_name = regions.full_name(session, region)
        places = regions.names(session, {region, *own})
        sections = board.section_names(session, is_english())
    return render_template(
        "schedule/board.html",
        region=region,
        region_name=full_name,
        places=places,
        sections=sections,
        day=first,
        days=days,
        today=clock.now().astimezone(SHANGHAI).date(),
        can_edit=who.can(Action.SCHEDULE_EDIT, region),
        setup=_setup(region, first, days),
    )


def _setup(region: str, day: date, days: int) -> dict[str, Any]:
    """What the script needs to know: where to ask, and its words."""
    return {
        "region": region,
        "day": day.isoformat(),
        "days": days,
        "urls": {
            "board": url_for("schedule_board_api.show"),
            "copy": url_for("schedule_board_api.copy"),
            "undo": url_for("schedule_board_api.undo"),
            "templates": url_for("schedule_board_api.list_templates"),
            "library": url_for("schedule_board_api.library"),
            "slots": url_for("schedule_api.list_slots"),
            "check": url_for("schedule_report_api.check"),
            "explain": url_for("schedule_report.explain"),
        },
        "words": {
            "weekdays": [_("周一"), _("周二"), _("周三"), _("周四"), _("周五"), _("周六"), _("周日")],
            "levels": {"province": _("省级"), "city": _("市级"), "county": _("县级")},
            "window": _("窗口"),
            "study": _("集中学习"),
            "today": _("今天"),
            "required": _("必播"),
            "readOnly": _("只能查看"),
            "series": _("系列节目"),
            "whose": _("%(by)s 编排，%(level)s，%(place)s"),
            "changedBy": _("%(name)s 改过"),
            "placeHere": _("编排一个节目"),
            "nothing": _("没有编排"),
            "saved": _("已保存"),
            "removed": _("已移除"),
            "placedAt": _("已排到"),
            "undo": _("撤销"),
            "undone": _("已撤销上一步"),
            "nothingToUndo": _("没有可以撤销的修改"),
            "othersChanged": _("别人改了编排，已更新"),
            "offline": _("连不上服务器，改动没有保存"),
            "whole": _("这个节目须播完整；要截短，请先在节目窗口里允许"),
            "templateAbout": _("%(days)s 天，%(items)s 个节目，%(by)s"),
            "templateKept": _("已存为模板"),
            "apply": _("套用"),
            "remove": _("删除"),
            "placed": _("已排 %(placed)s 个，原来就有 %(already)s 个，排不了 %(refused)s 个"),
            "next": _("下次"),
            "never": _("没有排过"),
        },
    }
