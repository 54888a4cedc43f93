"""The review desk: queue, one edition, the cutting table, re-review, roster, settings, term list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from server import clock
from server.catalog import desk, desk_views, duty, policies, rereviews, service, termlists, terms, texts
from server.catalog.deadlines import ReviewPolicy, parse_policy
from server.catalog.models import Stage
from server.catalog.protection_pages import local_time
from server.catalog.rereview import REASON_NAMES
from server.catalog.review import STAGES
from server.catalog.review_api import due_view, known_stage
from server.catalog.terms import Term, TermKind
from server.errors import Invalid, NotFound, YuanboError
from server.i18n import N_
from server.identity import second_factor
from server.identity.messages import holders
from server.identity.rules import Action
from server.identity.service import names_of, usernames_of
from server.web import caller, database, page_blueprint, permit, reading, say, store, writing

blueprint = page_blueprint("review", __name__)


@blueprint.app_template_filter("timecode")
def timecode(at_ms: int | None) -> str:
    """A time code as people read it: 1:02.3."""
    return desk_views.clock_text(at_ms) if at_ms is not None else ""


# --- queue ------------------------------------------------------------------------------------------------------------
@blueprint.get("/review")
@permit(Action.CATALOG_REVIEW)
def queue() -> str:
    """What waits for me, urgent first; and released editions that need another look."""
    chosen = request.args.get("stage", "")
    stage = Stage(chosen) if chosen in {*Stage} else None
    now = clock.now()
    with reading() as session:
        waiting = desk_views.queue_view(session, caller(), stage=stage, now=now)
        again = [due_view(one) for one in rereviews.due(session, caller(), now=now, limit=50)]
        factor = second_factor.state(session, caller().id)
    stages = [one for one in STAGES if caller().can(service.REVIEW_ACTIONS[one])]
    return render_template(
        "catalog/review_queue.html",
        waiting=waiting,
        again=again,
        stages=stages,
        stage=stage,
        reasons=REASON_NAMES,
        factor=factor,
    )


# --- one edition ------------------------------------------------------------------------------------------------------
@blueprint.get("/review/<edition_id>")
@permit(Action.CATALOG_VIEW)
def edition(edition_id: str) -> str:
    """One edition: player, remarks, changes side by side, checklist, decision."""
    now = clock.now()
    read_text = texts.reader(store())
    with reading() as session:
        found = desk.get_for_desk(session, caller(), edition_id)
        seen = termlists.look(session, found, read_text)
    if seen is not None:
        with writing() as session:
            termlists.keep(session, found.id, seen, now=now)
    with reading() as session:
        found = desk.get_for_desk(session, caller(), edition_id)
        view = desk_views.desk_view(session, caller(), found, read_text, now=now)
        waiting = (
            [item.edition for item in desk_views.queue_view(session, caller(), stage=None, now=now)]
            if caller().can(Action.CATALOG_REVIEW)
            else []
        )
    before, after = _neighbours(waiting, view.id)
    return render_template(
        "catalog/review_desk.html",
        desk=view,
        before=before,
        after=after,
        position=waiting.index(view.id) + 1 if view.id in waiting else None,
        waiting=len(waiting),
        fields=desk_views.FIELD_NAMES,
        hit_fields=termlists.FIELD_NAMES,
        term_kinds=terms.KIND_NAMES,
    )


def _neighbours(waiting: list[str], edition_id: str) -> tuple[str | None, str | None]:
    if edition_id not in waiting:
        return None, waiting[0] if waiting else None
    at = waiting.index(edition_id)
    return (waiting[at - 1] if at else None), (waiting[at + 1] if at + 1 < len(waiting) else None)


@blueprint.post("/review/<edition_id>/decide")
@permit(Action.CATALOG_REVIEW)
def decide(edition_id: str) -> Response:
    """Approve or return; an urgent one only with a code of the phone, which is checked first."""
    approve = request.form.get("decision") == "approve"
    who, now = caller(), clock.now()
    checks = {name.removeprefix("check_"): True for name in request.form if name.startswith("check_")}
    code = request.form.get("code", "").strip()
    try:
        stage = known_stage(request.form.get("stage", ""))
        if code:
            second_factor.check(database(), who, code, now=now)
        with writing() as session:
            service.decide(
                session,
                who,
                edition_id,
                stage,
                approve=approve,
                comment=request.form.get("comment", ""),
                checks=checks if approve else None,
                stepped_up=bool(code),
                now=now,
            )
        flash(_("已通过") if approve else _("已退回修改"), "success")
    except YuanboError as error:
        flash(say(error), "error")
        return redirect(url_for("review.edition", edition_id=edition_id))
    following = request.form.get("next", "")
    if following:
        return redirect(url_for("review.edition", edition_id=following))
    return redirect(url_for("review.queue"))


@blueprint.post("/review/<edition_id>/proofread")
@permit(Action.REVIEW_PROOFREAD)
def proofread(edition_id: str) -> Response:
    found = "" if "clean" in request.form else request.form.get("found", "")
    if not found.strip() and "clean" not in request.form:
        flash(_("请写明校对发现了什么，或勾选“没有差错”"), "error")
        return redirect(url_for("review.edition", edition_id=edition_id))
    return _done(
        edition_id,
        lambda session: desk.proofread(session, caller(), edition_id, found=found, now=clock.now()),
        _("校对已记录"),
    )


@blueprint.post("/review/<edition_id>/countersign")
@permit(Action.REVIEW_COUNTERSIGN)
def countersign(edition_id: str) -> Response:
    text = request.form.get("comment", "")
    return _done(
        edition_id,
        lambda session: desk.countersign(session, caller(), edition_id, comment=text, now=clock.now()),
        _("已会签"),
    )


@blueprint.post("/review/<edition_id>/urgent")
@permit(Action.REVIEW_URGENT)
def hurry(edition_id: str) -> Response:
    reason = request.form.get("reason", "")
    return _done(
        edition_id,
        lambda session: service.hurry(session, caller(), edition_id, reason=reason, now=clock.now()),
        _("已转为加急，值班人员收到通知"),
    )


@blueprint.post("/review/<edition_id>/again")
@permit(Action.CATALOG_REVIEW)
def rereview(edition_id: str) -> Response:
    """One approval of a re-review, or the refusal."""
    text, decision = request.form.get("comment", ""), request.form.get("decision", "")
    try:
        with writing() as session:
            if decision != "refuse":
                stage = known_stage(decision)
                done = rereviews.approve(session, caller(), edition_id, stage, comment=text, now=clock.now())
                said = _("重审完成，可以重新编排") if done.completes else _("已记录，还差另一位")
            else:
                rereviews.refuse(session, caller(), edition_id, reason=text, now=clock.now())
                said = _("已撤下")
        flash(said, "success")
    except YuanboError as error:
        flash(say(error), "error")
    return redirect(url_for("review.queue"))


def _done(edition_id: str, move: Callable[[Session], object], said: str) -> Response:
    try:
        with writing() as session:
            move(session)
        flash(said, "success")
    except YuanboError as error:
        flash(say(error), "error")
    return redirect(url_for("review.edition", edition_id=edition_id))


# --- cutting ----------------------------------------------------------------------------------------------------------
@blueprint.get("/editions/<edition_id>/cut")
@permit(Action.CATALOG_SUBMIT)
def cut(edition_id: str) -> str:
    """The cutting table: in and out, removed stretches, intro and outro over the untouched source."""
    with reading() as session:
        found = desk.get_for_desk(session, caller(), edition_id)
        view = desk_views.desk_view(session, caller(), found, lambda _sha: None, now=clock.now())
        pieces = desk.pieces(session, caller())
    if "cut" not in view.may:
        raise NotFound(N_("这个版本现在不能剪辑"))
    return render_template("catalog/cut.html", desk=view, pieces=pieces, is_new=view.state == "released")


# --- roster -----------------------------------------------------------------------------------------------------------
@blueprint.get("/duty")
@permit(Action.DUTY_VIEW)
def roster() -> str:
    """加急值班: who answers for which stage when."""
    now = clock.now()
    with reading() as session:
        shifts = duty.roster(session, since=now)
        people: dict[str, dict[str, str]] = {}
        for stage in STAGES:
            ids = set(holders(session, duty.STAGE_ACTIONS[stage], duty.PROVINCE))
            people[stage] = names_of(session, ids)
        usernames = usernames_of(session, {one for names in people.values() for one in names})
    return render_template(
        "catalog/duty.html",
        shifts=shifts,
        people=people,
        usernames=usernames,
        stages=STAGES,
        now=now,
        may_manage=caller().can(Action.DUTY_MANAGE),
    )


@blueprint.post("/duty")
@permit(Action.DUTY_MANAGE)
def add_shift() -> Response:
    form = request.form
    return _saved(
        "review.roster",
        lambda session: duty.set_shift(
            session,
            caller(),
            stage=known_stage(form.get("stage", "")),
            starts_at=local_time(form.get("from", "")),
            ends_at=local_time(form.get("until", "")),
            username=form.get("username", ""),
            deputy=form.get("deputy") or None,
            now=clock.now(),
        ),
        _("已排班"),
    )


@blueprint.post("/duty/<shift_id>/remove")
@permit(Action.DUTY_MANAGE)
def remove_shift(shift_id: str) -> Response:
    return _saved(
        "review.roster",
        lambda session: duty.remove_shift(session, caller(), service.known_id(shift_id), now=clock.now()),
        _("已取消这一班"),
    )


# --- settings ---------------------------------------------------------------------------------------------------------
@blueprint.get("/review/settings")
@permit(Action.CATALOG_VIEW_UNRELEASED)
def settings() -> str:
    """Checklists and rules, as data."""
    with reading() as session:
        lists = policies.checklists(session)
        rules = policies.policy(session)
    return render_template(
        "catalog/review_settings.html",
        lists=lists,
        rules=rules,
        may_change=caller().can(Action.CATALOG_SETTINGS),
    )


@blueprint.post("/review/settings/policy")
@permit(Action.CATALOG_SETTINGS)
def set_policy() -> Response:
    form = request.form

    def change(session: Session) -> object:
        numbers = {
            name: _number(form.get(name, ""))
            for name in ReviewPolicy.__struct_fields__
            if not name.endswith("_required")
        }
        flags = {name: name in form for name in ReviewPolicy.__struct_fields__ if name.endswith("_required")}
        return policies.set_policy(session, caller(), parse_policy({**numbers, **flags}), now=clock.now())

    return _saved("review.settings", change, _("审核规则已更新"))


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise Invalid(N_("“%(text)s”不是整数"), text=text[:20]) from error


@blueprint.post("/review/settings/checklists/<stage>")
@permit(Action.CATALOG_SETTINGS)
def set_checklist(stage: str) -> Response:
    """One question a line: ``id | 中文 | English``; a ``?`` before it makes it voluntary."""
    lines = request.form.get("items", "").splitlines()
    return _saved(
        "review.settings",
        lambda session: policies.set_checklist(
            session, caller(), known_stage(stage), parse_items(lines), now=clock.now()
        ),
        _("检查表已更新"),
    )


def parse_items(lines: list[str]) -> list[policies.Item]:
    """Raises Invalid naming the line."""
    items = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        required = not line.lstrip().startswith("?")
        parts = [part.strip() for part in line.lstrip().removeprefix("?").split("|")]
        try:
            items.append(policies.item(parts, required=required))
        except Invalid as error:
            raise Invalid(N_("第 %(number)s 行不对：“编号 | 问题 | 英文”"), number=number) from error
    return items


@blueprint.get("/review/terms")
@permit(Action.CATALOG_VIEW_UNRELEASED)
def term_list() -> str:
    """The term list, its versions, and how it is changed."""
    with reading() as session:
        number, found = termlists.current(session)
        history = termlists.history(session)
        names = names_of(session, {row.made_by for row in history})
    return render_template(
        "catalog/terms.html",
        version=number,
        terms=found,
        history=[(row, names.get(row.made_by, "")) for row in history],
        kinds=terms.KIND_NAMES,
        may_change=caller().can(Action.CATALOG_SETTINGS),
    )


@blueprint.post("/review/terms")
@permit(Action.CATALOG_SETTINGS)
def set_terms() -> Response:
    """One word a line: ``词 | 说明 | sensitive, name or wording``."""
    entries = [parse_term(line) for line in request.form.get("terms", "").splitlines() if line.strip()]
    return _saved(
        "review.term_list",
        lambda session: termlists.replace(
            session, caller(), entries, note=request.form.get("note", ""), now=clock.now()
        ),
        _("词表已更新；命中新词的已通过节目转入重播重审"),
    )


def parse_term(line: str) -> Term:
    """A line of the form; an unknown kind is wording."""
    text, note, kind = ([part.strip() for part in line.split("|")] + ["", ""])[:3]
    return Term(text=text, note=note, kind=TermKind(kind) if kind in {*TermKind} else TermKind.WORDING)


def _saved(endpoint: str, change: Callable[[Session], Any], said: str) -> Response:
    try:
        with writing() as session:
            change(session)
        flash(said, "success")
    except YuanboError as error:
        flash(say(error), "error")
    return redirect(url_for(endpoint))
