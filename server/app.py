"""create_app(): extensions, blueprints, error handlers, nothing else."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from pathlib import Path

from flask import Blueprint, Flask

from server import web
from server.config import Config, load
from server.db import Database
from server.storage import open_store

WEB_PARTS = Path(__file__).resolve().parent.parent / "web_dist"

APIS = ("identity", "regions", "stations", "catalog", "transcode", "schedule", "publish", "stats", "console")
MORE = (
    "schedule.approval_api",
    "schedule.approval_pages",
    "schedule.emergency_pages",
    "console.arrival_pages",
    "identity.message_api",
    "identity.message_pages",
    "catalog.protection_api",
    "catalog.protection_pages",
    "schedule.board_api",
    "schedule.board_pages",
    "schedule.export_api",
    "schedule.further_api",
    "schedule.study_pages",
    "schedule.ticker_pages",
    "schedule.push_pages",
    "schedule.airtime_pages",
    "schedule.window_pages",
    "schedule.channel_pages",
    "schedule.report_api",
    "schedule.report_pages",
    "schedule.listing_pages",
    "catalog.collections_api",
    "catalog.editions_api",
    "catalog.imports_api",
    "catalog.imports_pages",
    "catalog.feeds_api",
    "catalog.feeds_pages",
    "catalog.sharing_api",
    "catalog.health_api",
    "catalog.health_pages",
    "console.contribution_pages",
    "catalog.review_api",
    "catalog.review_pages",
    "catalog.authorisation_pages",
    "catalog.programme_forms_pages",
    "catalog.collections_pages",
    "catalog.topics_pages",
    "catalog.export_pages",
    "identity.account_pages",
    "console.withdrawn_pages",
    "identity.people_pages",
    "stats.evidence_api",
    "stats.evidence_pages",
    "stations.line_api",
    "stations.line_pages",
    "stats.session_api",
    "stats.session_pages",
)
"""Modules beside a room's api and pages that hold a blueprint of their own."""
PAGES = ("identity", "stations", "catalog", "transcode", "schedule", "publish", "stats", "console")


def create_app(config: Config | None = None) -> Flask:
    """The web application of one installation. The database must have been migrated."""
    config = config or load()
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=config.web_secret(),
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=config.console_url.startswith("https:"),
        SESSION_COOKIE_NAME="yuanbo",
        PERMANENT_SESSION_LIFETIME=timedelta(hours=12),
        WTF_CSRF_TIME_LIMIT=12 * 3600,
        WTF_CSRF_CHECK_DEFAULT=False,  # web._guard checks it, for sessions only
        BABEL_DEFAULT_LOCALE="zh_CN",
        BABEL_DEFAULT_TIMEZONE="Asia/Shanghai",
    )
    app.json.ensure_ascii = False
    app.extensions["yuanbo.config"] = config
    app.extensions["yuanbo.database"] = Database(config.database_url)
    app.extensions["yuanbo.store"] = open_store(config)
    web.init_app(app)
    _wire_identity(app)
    for blueprint in _blueprints():
        app.register_blueprint(blueprint)
    app.register_blueprint(
        Blueprint("vendor", __name__, static_folder=WEB_PARTS, static_url_path="/static/vendor")
    )
    web.spec.app = app
    return app


def _wire_identity(app: Flask) -> None:
    from server.identity.service import SqlAuthenticator

    app.extensions["yuanbo.authenticator"] = SqlAuthenticator(app.extensions["yuanbo.database"])


def _blueprints() -> list[Blueprint]:
    modules = [f"server.{room}.api" for room in APIS] + [f"server.{room}.pages" for room in PAGES]
    modules += [f"server.{name}" for name in MORE]
    return [import_module(name).blueprint for name in modules]
