"""Whether the platform is well: for load balancers and Prometheus."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response
from sqlalchemy import text

from server.web import public, reading

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
