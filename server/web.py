"""What every page and API route shares: who calls, what they may, problem details, languages, CSP.

A route says its rule once::

    @blueprint.post("/api/v1/slots")
    @permit(Action.SCHEDULE_EDIT)
    def put_slot() -> ...:
        with writing() as session:
            return service.put(session, caller(), ...)

or ``@public`` where nobody signs in. A route with neither fails the tests. The room that knows people (identity) is
wired in by app.py as an :class:`Authenticator`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol, TypeVar

from flask import Blueprint, Flask, Response, current_app, g, jsonify, redirect, request, url_for
from flask_babel import Babel, get_locale, gettext
from flask_wtf.csrf import CSRFError, CSRFProtect
from msgspec import Struct
from spectree import SpecTree
from spectree.model_adapter import get_msgspec_model_adapter
from sqlalchemy.exc import DataError
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException

from protocol.times import SHANGHAI, from_text
from server.config import Config
from server.db import Database
from server.errors import Forbidden, Invalid, TooMany, Unauthenticated, YuanboError
from server.i18n import N_
from server.storage import Store

log = logging.getLogger(__name__)

API_PREFIX = "/api/v1"
LOCALES = ("zh_CN", "en")
OTHER_LANGUAGE = {"zh_CN": ("en", "English"), "en": ("zh_CN", "中文")}
"""From each language to the other: its code, and its name as its readers write it."""
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob: {read}; "
    "font-src 'self'; connect-src 'self' {read}; media-src 'self' blob: {read}; worker-src 'self' blob:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

_F = TypeVar("_F", bound=Callable[..., Any])
_RULE = "_yuanbo_rule"
PUBLIC = "public"


class Problem(Struct, kw_only=True):
    """Problem details for HTTP APIs (RFC 9457). ``code`` is stable for programs, ``detail`` is for people."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    code: str = ""
    errors: list[Any] = []


class CallerLike(Protocol):
    """What identity knows of somebody who asks (see server/identity/rules.py)."""

    id: str
    locale: str

    def can(self, action: Any, region: str | None = None) -> bool: ...


class Authenticator(Protocol):
    """Finds out who calls, from a bearer token or from the session cookie."""

    def by_token(self, token: str) -> CallerLike | None: ...

    def by_session(self) -> CallerLike | None: ...


csrf = CSRFProtect()
babel = Babel()


def _invalid(_request: Any, _response: Any, error: Any, _instance: Any, _adapter: Any) -> None:
    """Answer a request that does not fit its schema with problem details."""
    if error is not None:
        raise _BadRequest(str(error))


class _BadRequest(YuanboError):
    """The request does not fit its schema."""

    status = 422
    code = "schema"
    title = N_("请求格式不对")

    def __init__(self, detail: str) -> None:
        super().__init__("%(detail)s", detail=detail)


spec = SpecTree(
    "flask",
    model_adapter=get_msgspec_model_adapter(),
    annotations=True,
    title="Yuanbo 远播",
    version="v1",
    path="api-description",  # spectree leaves out routes below its own; ours is served at /api/openapi.json
    mode="strict",
    before=_invalid,
    validation_error_model=Problem,
)


# --- rules on routes --------------------------------------------------------------------------------------------------
def permit(action: Any) -> Callable[[_F], _F]:
    """Only callers to whom the table allows the action somewhere; services check the region."""

    def mark(view: _F) -> _F:
        setattr(view, _RULE, action)
        return view

    return mark


def public(view: _F) -> _F:
    """Nobody needs to sign in: terminals (who sign), health checks, the sign-in page."""
    setattr(view, _RULE, PUBLIC)
    return view


def rule_of(view: Callable[..., Any]) -> Any:
    """The rule a view was marked with, through any wrapping that keeps ``__wrapped__``, or None."""
    while view is not None:
        if hasattr(view, _RULE):
            return getattr(view, _RULE)
        view = getattr(view, "__wrapped__", None)  # type: ignore[assignment]
    return None


# --- the request's context --------------------------------------------------------------------------------------------
def database() -> Database:
    return current_app.extensions["yuanbo.database"]


def config() -> Config:
    return current_app.extensions["yuanbo.config"]


def store() -> Store:
    return current_app.extensions["yuanbo.store"]


def writing() -> AbstractContextManager[Session]:
    """One transaction of this request."""
    return database().write()


def reading() -> AbstractContextManager[Session]:
    """A consistent view for this request."""
    return database().read()


def caller() -> Any:
    """Who calls (a server.identity.rules.Caller). Raises Unauthenticated."""
    found = caller_or_none()
    if found is None:
        raise Unauthenticated
    return found


def caller_or_none() -> Any:
    """Who calls, or None."""
    if "yuanbo_caller" not in g:
        g.yuanbo_caller = _identify()
    return g.yuanbo_caller


def _identify() -> CallerLike | None:
    authenticator: Authenticator = current_app.extensions["yuanbo.authenticator"]
    header = request.headers.get("Authorization", "")
    if header:
        scheme, _, token = header.partition(" ")
        return authenticator.by_token(token.strip()) if scheme.lower() == "bearer" else None
    return authenticator.by_session()


def moment(text: str) -> datetime:
    """A Timestamp that somebody sent: its pattern allows a 99th of a month. Raises Invalid."""
    try:
        return from_text(text)
    except ValueError as error:
        raise Invalid(N_("“%(text)s”不是有效的时间"), text=text) from error


def is_api() -> bool:
    return request.path.startswith("/api/")


def page_blueprint(name: str, import_name: str) -> Blueprint:
    """A blueprint whose templates lie beside the room's pages.py."""
    return Blueprint(name, import_name, template_folder="templates")


# --- wiring -----------------------------------------------------------------------------------------------------------
def init_app(app: Flask) -> None:
    """Extensions, guards and error handlers of every route."""
    csrf.init_app(app)
    babel.init_app(app, locale_selector=_locale, default_translation_directories="translations")
    app.add_template_filter(beijing)
    app.add_template_filter(beijing_moment, "moment")
    app.add_template_filter(beijing_second, "moment_s")
    app.add_template_filter(beijing_hour, "day_time")
    app.before_request(_guard)
    app.after_request(_headers)
    app.register_error_handler(YuanboError, _known)
    app.register_error_handler(CSRFError, _csrf_failed)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(DataError, _malformed_id)
    app.register_error_handler(Exception, _unknown)


def beijing(text: str) -> str:
    """A Timestamp as people in the province read it: 2026-12-05 19:00."""
    return from_text(text).astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")


def beijing_moment(at: datetime) -> str:
    """The same of an aware datetime."""
    return at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")


def beijing_second(at: datetime) -> str:
    """The time of day alone, to the second: 18:02:11."""
    return at.astimezone(SHANGHAI).strftime("%H:%M:%S")


def beijing_hour(at: datetime) -> str:
    """Day and time without the year: 12-05 19:00."""
    return at.astimezone(SHANGHAI).strftime("%m-%d %H:%M")


def _locale() -> str:
    chosen = request.args.get("lang") or request.cookies.get("lang")
    if chosen in LOCALES:
        return chosen
    who = caller_or_none()
    if who is not None and not is_api():
        return who.locale
    best = request.accept_languages.best_match(["zh-CN", "zh", "en"], "zh")
    return "en" if best == "en" else "zh_CN"


def _guard() -> Response | None:
    if request.endpoint is None or request.endpoint.endswith("static"):
        return None
    rule = rule_of(current_app.view_functions[request.endpoint])
    if rule == PUBLIC:
        return None
    who = caller_or_none()
    if who is None:
        if is_api():
            raise Unauthenticated
        return redirect(url_for("identity.sign_in", next=request.full_path.rstrip("?")))  # type: ignore[return-value]
    if rule is None or not who.can(rule):
        raise Forbidden(N_("您的岗位没有这项权限"))
    if request.method not in ("GET", "HEAD", "OPTIONS") and not request.headers.get("Authorization"):
        csrf.protect()
    return None


def _object_store() -> list[str]:
    """Where browsers send the parts of uploads when objects lie in S3."""
    s3 = config().s3
    return [f"{'https' if s3.secure else 'http'}://{s3.endpoint}"] if s3 else []


def _headers(response: Response) -> Response:
    headers = response.headers
    headers.setdefault(
        "Content-Security-Policy", CSP.format(read=" ".join([*config().read_urls, *_object_store()]))
    )
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    if not request.path.startswith("/static"):
        headers.setdefault("Cache-Control", "no-store")
    return response


def _problem(
    status: int, code: str, title: str, detail: str, extra: Mapping[str, object] | None = None
) -> Response:
    if not is_api():
        from flask import render_template

        page = render_template("error.html", status=status, title=title, detail=detail)
        return current_app.make_response((page, status))
    response = jsonify(
        {
            **(extra or {}),
            "type": "about:blank",
            "title": title,
            "status": status,
            "detail": detail,
            "code": code,
        }
    )
    response.status_code = status
    response.content_type = "application/problem+json"
    return response


def say(error: YuanboError) -> str:
    """The error's sentence in the caller's language."""
    text = gettext(error.message)
    return text % error.params if error.params else text


def _known(error: YuanboError) -> Response:
    response = _problem(error.status, error.code, gettext(error.title), say(error), error.extra)
    if isinstance(error, TooMany):
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def _csrf_failed(_error: CSRFError) -> Response:
    return _problem(400, "csrf", gettext(N_("页面已过期")), gettext(N_("请刷新页面后再试")))


def _http(error: HTTPException) -> Response:
    if error.code is not None and error.code < 400:
        return error.get_response()  # type: ignore[return-value]
    titles = {404: N_("没有找到"), 405: N_("不支持的操作"), 413: N_("内容太大")}
    title = gettext(titles.get(error.code or 500, N_("请求无法处理")))
    return _problem(error.code or 500, f"http_{error.code}", title, title)


def _malformed_id(_error: DataError) -> Response:
    """PostgreSQL refuses what is no UUID; SQLite just finds nothing. Both mean: no such thing."""
    return _problem(404, "not_found", gettext(N_("没有找到")), gettext(N_("没有找到")))


def _unknown(error: Exception) -> Response:
    log.error("unhandled error on %s %s", request.method, request.path, exc_info=error)
    return _problem(500, "internal", gettext(N_("内部错误")), gettext(N_("出错了，已记录；请稍后再试")))


def is_english() -> bool:
    return str(get_locale()).startswith("en")
