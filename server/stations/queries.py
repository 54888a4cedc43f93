"""Conditions shared by queries over regions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, and_, false, or_
from sqlalchemy.orm import InstrumentedAttribute


def inside(column: InstrumentedAttribute[Any], scopes: Iterable[str]) -> ColumnElement[bool]:
    """Whether a column of region codes lies in one of the scopes; a range each, so that an index serves it."""
    conditions = [and_(column >= scope, column < _after(scope)) for scope in scopes]
    return or_(*conditions) if conditions else false()


def _after(code: str) -> str:
    """The next code of the same length: every code below ``1301`` lies before ``1302``."""
    return str(int(code) + 1).zfill(len(code))
