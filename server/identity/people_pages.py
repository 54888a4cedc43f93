"""Accounts as administrators see them: list, one person, new ones, handover."""

from __future__ import annotations

from collections.abc import Callable

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from server import clock
from server.errors import Invalid, NotFound, YuanboError
from server.i18n import N_
from server.identity import audit, people, second_factor
from server.identity.rules import ROLE_NAMES, TABLE, Action, Role
from server.regions import service as regions
from server.web import caller, page_blueprint, permit, reading, say, writing

blueprint = page_blueprint("people", __name__)


@blueprint.get("/accounts")
@permit(Action.ACCOUNTS_MANAGE)
def accounts() -> str:
    """Everybody who may sign in, with filters."""
    chosen = {name: request.args.get(name, "").strip() for name in ("q", "role", "region", "state")}
    filters = people.Filters(
        q=chosen["q"],
        role=Role(chosen["role"]) if chosen["role"] in {*Role} else None,
        region=chosen["region"] or None,
        state=chosen["state"] or None,
    )
    with reading() as session:
        found, following = people.find(session, caller(), filters, after=request.args.get("after") or None)
        factors = {account.id: second_factor.state(session, account.id) for account in found}
        places = regions.names(session, {grant.region for account in found for grant in account.grants})
    return render_template(
        "identity/accounts.html",
        accounts=found,
        following=following,
        chosen=chosen,
        factors=factors,
        places=places,
        roles=ROLE_NAMES,
    )


@blueprint.get("/accounts/new")
@permit(Action.ACCOUNTS_MANAGE)
def new() -> str:
    return render_template("identity/account_new.html", roles=ROLE_NAMES, form={})


@blueprint.post("/accounts/new")
@permit(Action.ACCOUNTS_MANAGE)
def create() -> str | Response | tuple[str, int]:
    """The first password is shown this once."""
    form = request.form
    try:
        with writing() as session:
            account, password = people.create(
                session,
                caller(),
                username=form.get("username", ""),
                name=form.get("name", ""),
                grants=parse_grants(form.getlist("role"), form.getlist("region")),
                department=form.get("department", "").strip() or None,
                now=clock.now(),
            )
    except YuanboError as error:
        flash(say(error), "error")
        page = render_template("identity/account_new.html", roles=ROLE_NAMES, form=form)
        return page, error.status
    return _person(account.id, password=password)


@blueprint.get("/accounts/<account_id>")
@permit(Action.ACCOUNTS_MANAGE)
def person(account_id: str) -> str:
    return _person(account_id)


def _person(account_id: str, password: str | None = None) -> str:
    with reading() as session:
        account = people.get(session, caller(), account_id)
        places = regions.names(session, {grant.region for grant in account.grants})
        links = audit.entries_of(session, f"account:{account.id}")
        factor = second_factor.state(session, account.id)
    return render_template(
        "identity/account_one.html",
        account=account,
        places=places,
        roles=ROLE_NAMES,
        links=list(links)[-20:][::-1],
        factor=factor,
        password=password,
        is_me=account.id == caller().id,
    )


def _matrix() -> list[tuple[str, list[bool]]]:
    """The table of roles and actions, for reading."""
    return [(str(action), [role in TABLE[action] for role in Role]) for action in Action]


@blueprint.get("/accounts/roles")
@permit(Action.ACCOUNTS_MANAGE)
def roles() -> str:
    """Which role may do what: the one declared table."""
    return render_template("identity/roles.html", roles=ROLE_NAMES, matrix=_matrix())


def parse_grants(roles_sent: list[str], places: list[str]) -> list[tuple[Role, str]]:
    """Pairs of a form; rows without a role are left out. Raises Invalid."""
    grants = []
    for role, region in zip(roles_sent, places, strict=False):
        if not role:
            continue
        if role not in {*Role}:
            raise Invalid(N_("没有岗位“%(role)s”"), role=role[:30])
        grants.append((Role(role), region.strip()))
    return grants


# --- moves ------------------------------------------------------------------------------------------------------------
@blueprint.post("/accounts/<account_id>/grants")
@permit(Action.ACCOUNTS_MANAGE)
def set_grants(account_id: str) -> Response:
    form = request.form
    return _done(
        account_id,
        lambda session: people.set_grants(
            session,
            caller(),
            account_id,
            parse_grants(form.getlist("role"), form.getlist("region")),
            now=clock.now(),
        ),
        _("岗位已更新"),
    )


@blueprint.post("/accounts/<account_id>/lock")
@permit(Action.ACCOUNTS_MANAGE)
def lock(account_id: str) -> Response:
    return _set_active(account_id, active=False)


@blueprint.post("/accounts/<account_id>/unlock")
@permit(Action.ACCOUNTS_MANAGE)
def unlock(account_id: str) -> Response:
    return _set_active(account_id, active=True)


def _set_active(account_id: str, *, active: bool) -> Response:
    return _done(
        account_id,
        lambda session: people.set_active(session, caller(), account_id, active=active, now=clock.now()),
        _("账号已启用") if active else _("账号已停用"),
    )


@blueprint.post("/accounts/<account_id>/sign-in")
@permit(Action.ACCOUNTS_MANAGE)
def unlock_sign_in(account_id: str) -> Response:
    return _done(
        account_id,
        lambda session: people.unlock_sign_in(session, caller(), account_id, now=clock.now()),
        _("可以重新登录了"),
    )


@blueprint.post("/accounts/<account_id>/password")
@permit(Action.ACCOUNTS_MANAGE)
def reset_password(account_id: str) -> str | Response:
    """The new password is shown this once."""
    try:
        with writing() as session:
            _account, password = people.reset_password(session, caller(), account_id, now=clock.now())
    except YuanboError as error:
        flash(say(error), "error")
        return redirect(url_for("people.person", account_id=account_id))
    return _person(account_id, password=password)


@blueprint.post("/accounts/<account_id>/second-factor")
@permit(Action.ACCOUNTS_MANAGE)
def reset_second_factor(account_id: str) -> Response:
    return _done(
        account_id,
        lambda session: people.reset_second_factor(session, caller(), account_id, now=clock.now()),
        _("动态口令已停用"),
    )


@blueprint.post("/accounts/<account_id>/hand-over")
@permit(Action.ACCOUNTS_MANAGE)
def hand_over(account_id: str) -> str | Response:
    form = request.form
    try:
        with writing() as session:
            account, password = people.hand_over(
                session,
                caller(),
                account_id,
                username=form.get("username", ""),
                name=form.get("name", ""),
                reason=form.get("reason", ""),
                now=clock.now(),
            )
    except YuanboError as error:
        flash(say(error), "error")
        return redirect(url_for("people.person", account_id=account_id))
    return _person(account.id, password=password)


def _done(account_id: str, change: Callable[[Session], object], said: str) -> Response:
    try:
        with writing() as session:
            change(session)
        flash(said, "success")
    except NotFound:
        raise
    except YuanboError as error:
        flash(say(error), "error")
    return redirect(url_for("people.person", account_id=account_id))
