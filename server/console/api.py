"""What programs ask of the platform as a whole: is it well, and what is its API."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify
from sqlalchemy import text

from server.web import public, reading, spec

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@public
def healthz() -> Any:
    """The process answers."""
    return Response("ok\n", content_type="text/plain")


@blueprint.get("/readyz")
@public
def readyz() -> Any:
    """The process and its database answer."""
    with reading() as session:
        session.execute(text("SELECT 1"))
    return Response("ready\n", content_type="text/plain")


@blueprint.get("/api/openapi.json")
@public
def openapi() -> Any:
    """The description of every route under /api/v1 (OpenAPI 3.1)."""
    return jsonify(spec.spec)
