"""Signing in and out, and the language of the pages."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, Response, make_response, redirect, render_template, request, session, url_for
from flask.blueprints import BlueprintSetupState
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from werkzeug.wrappers import Response as BaseResponse

from server import clock
from server.errors import NotFound
from server.identity import service
from server.identity.rules import Action
from server.web import (
    LOCALES,
    caller_or_none,
    csrf,
    database,
    page_blueprint,
    permit,
    public,
    say,
    writing,
)

blueprint = page_blueprint("identity", __name__)
_A_YEAR_S = 365 * 24 * 3600


class SignedIn(UserMixin):
    """Whom the session cookie names; what he may is looked up anew for each request."""

    def __init__(self, key: str) -> None:
        self.id = key


@blueprint.record_once
def _wire(state: BlueprintSetupState) -> None:
    """Let the application know people by their session cookie."""
    app: Flask = state.app
    manager = LoginManager(app)
    manager.session_protection = None  # village lines change their address all day
    manager.user_loader(SignedIn)
    app.extensions["yuanbo.authenticator"].signed_in_key = _signed_in_key


def _signed_in_key() -> str | None:
    return current_user.get_id() if current_user.is_authenticated else None


@blueprint.get("/sign-in")
@public
def sign_in() -> str | BaseResponse:
    """The form; whoever is signed in goes on."""
    if caller_or_none() is not None:
        return redirect(_next())
    return render_template("identity/sign_in.html", next=_next(), username="", refusal=None)


@blueprint.post("/sign-in")
@public
def do_sign_in() -> str | BaseResponse | tuple[str, int]:
    """Check name and password; ten wrong ones lock the name for a while."""
    csrf.protect()
    username = request.form.get("username", "")
    attempt = service.sign_in(database(), username, request.form.get("password", ""), now=clock.now())
    if attempt.account is None:
        refusal = attempt.refusal or service.WrongPassword()
        page = render_template("identity/sign_in.html", next=_next(), username=username, refusal=say(refusal))
        return page, refusal.status
    session.clear()  # nothing from before signing in lives on
    session.permanent = True
    login_user(SignedIn(service.session_key(attempt.account)))
    return redirect(_next())


@blueprint.post("/sign-out")
@permit(Action.HOME_VIEW)
def sign_out() -> BaseResponse:
    logout_user()
    session.clear()
    return redirect(url_for("identity.sign_in"))


@blueprint.get("/language/<locale>")
@public
def language(locale: str) -> Response | BaseResponse:
    """Choose the language of the pages; whoever is signed in keeps it. A plain link: nothing else changes by it."""
    if locale not in LOCALES:
        raise NotFound
    who = caller_or_none()
    if who is not None:
        with writing() as db:
            service.set_locale(db, who, locale)
    response = make_response(redirect(_next()))
    response.set_cookie("lang", locale, max_age=_A_YEAR_S, httponly=True, samesite="Lax")
    return response


def _next() -> str:
    """Where to go on, only ever a path of our own."""
    wanted = request.values.get("next", "")
    parts = urlsplit(wanted)
    is_own_path = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    if not wanted or parts.scheme or parts.netloc or not is_own_path or "\\" in wanted:
        return "/"
    return wanted
