"""What the TV page may ask of the administrator's part and do there: path → function, as in client_agent/routes.py."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from client_agent.desk.condition import condition
from client_agent.routes import TvParts

ANSWERS: dict[str, Callable[[TvParts, dict[str, str]], object]] = {
    "/api/desk/condition": lambda parts, _: condition(parts.desk.agent),
}
DEEDS: dict[str, tuple[type[Any], Callable[[TvParts, Any], object], HTTPStatus]] = {}
