"""My account: password, second factor, channels, tokens, language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import segno
from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import login_user
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from server import clock
from server.errors import Invalid, YuanboError
from server.i18n import N_
from server.identity import contacts, people, second_factor, service
from server.identity.delivery import Channel, Mode
from server.identity.models import Account, SecondFactor
from server.identity.pages import SignedIn
from server.identity.rules import ROLE_NAMES, Action
from server.regions import service as regions
from server.web import OTHER_LANGUAGE, caller, config, database, page_blueprint, permit, reading, say, writing

blueprint = page_blueprint("account", __name__)
CHANNEL_NAMES: dict[str, str] = {Channel.EMAIL: N_("电子邮件"), Channel.SMS: N_("短信")}
MODE_NAMES: dict[str, str] = {
    Mode.EACH: N_("逐条"),
    Mode.DIGEST: N_("每天早上汇总"),
    Mode.URGENT: N_("只要紧急的"),
}


@blueprint.get("/account")
@permit(Action.HOME_VIEW)
def mine() -> str:
    return _page()


def _page(**more: Any) -> str:
    who = caller()
    with reading() as session:
        factor = second_factor.state(session, who.id)
        row = session.get(SecondFactor, who.id) if factor == "begun" else None
        enrolment = second_factor.enrolment(row, who) if row else None
        names = regions.names(session, {region for _role, region in who.grants})
        return render_template(
            "identity/account.html",
            me=session.get_one(Account, who.id),
            grants=[(ROLE_NAMES[role], names.get(region, region)) for role, region in who.grants],
            factor=factor,
            enrolment=enrolment,
            picture=qr_svg(enrolment.uri) if enrolment else None,
            codes_left=second_factor.codes_left(session, who.id),
            channels=[(name, CHANNEL_NAMES[name]) for name in config().messaging.channels],
            chosen={row.channel: row for row in contacts.of(session, who.id)},
            modes=MODE_NAMES,
            tokens=service.tokens_of(session, who),
            locales=sorted(OTHER_LANGUAGE.values(), reverse=True),
            **{"codes": None, "token": None, **more},
        )


def qr_svg(text: str) -> str:
    """A QR code as the source of an image."""
    return segno.make(text, error="m").svg_data_uri(scale=4, border=2)


@blueprint.post("/account/password")
@permit(Action.HOME_VIEW)
def password() -> Response:
    """A new password; this browser stays signed in, every other one does not."""
    form = request.form

    def change(session: Session) -> None:
        if form.get("new") != form.get("again"):
            raise Invalid(N_("两次输入的新密码不一样"))
        account = people.change_own_password(
            session, caller(), old=form.get("old", ""), new=form.get("new", ""), now=clock.now()
        )
        login_user(SignedIn(service.session_key(account)))

    return _done(change, _("密码已修改，其他设备须重新登录"))


@blueprint.post("/account/second-factor")
@permit(Action.HOME_VIEW)
def begin() -> Response:
    return _done(lambda session: second_factor.begin(session, caller(), now=clock.now()), None)


@blueprint.post("/account/second-factor/confirm")
@permit(Action.HOME_VIEW)
def confirm() -> str | Response:
    """The recovery codes are shown this once."""
    try:
        with writing() as session:
            codes = second_factor.confirm(session, caller(), request.form.get("code", ""), now=clock.now())
    except YuanboError as error:
        flash(say(error), "error")
        return redirect(url_for("account.mine"))
    return _page(codes=codes)


@blueprint.post("/account/second-factor/off")
@permit(Action.HOME_VIEW)
def off() -> Response:
    """Needs a code of the phone or a recovery code."""
    who, now = caller(), clock.now()
    try:
        second_factor.check(database(), who, request.form.get("code", ""), now=now)
    except YuanboError as error:
        flash(say(error), "error")
        return redirect(url_for("account.mine"))
    return _done(
        lambda session: second_factor.remove(session, who.id, actor=who, now=now), _("动态口令已停用")
    )


@blueprint.post("/account/channels")
@permit(Action.HOME_VIEW)
def channels() -> Response:
    form = request.form

    def change(session: Session) -> None:
        for name in config().messaging.channels:
            mode = form.get(f"mode_{name}", "")
            contacts.choose(
                session,
                caller(),
                Channel(name),
                address=form.get(f"address_{name}", ""),
                mode=Mode(mode) if mode in {*Mode} else None,
            )

    return _done(change, _("已保存"))


@blueprint.post("/account/tokens")
@permit(Action.HOME_VIEW)
def issue_token() -> str | Response:
    """A token for a program, shown this once."""
    try:
        with writing() as session:
            account = service.get_account(session, caller().username)
            _row, token = service.issue_token(
                session, account, request.form.get("label", ""), now=clock.now(), actor=caller()
            )
    except YuanboError as error:
        flash(say(error), "error")
        return redirect(url_for("account.mine"))
    return _page(token=token)


@blueprint.post("/account/tokens/<token_id>/revoke")
@permit(Action.HOME_VIEW)
def revoke_token(token_id: str) -> Response:
    return _done(
        lambda session: service.revoke_token(session, caller(), token_id, now=clock.now()), _("令牌已作废")
    )


def _done(change: Callable[[Session], object], said: str | None) -> Response:
    try:
        with writing() as session:
            change(session)
        if said:
            flash(said, "success")
    except YuanboError as error:
        flash(say(error), "error")
    return redirect(url_for("account.mine"))
