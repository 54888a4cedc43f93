"""The API's description in a shape that a page can show. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Operation:
    """One method on one path; schemas as indented JSON with their references resolved one level deep."""

    method: str
    path: str
    summary: str
    description: str
    parameters: list[tuple[str, str, bool]] = field(default_factory=list)
    body: str | None = None
    answers: list[tuple[str, str, str | None]] = field(default_factory=list)

    @property
    def anchor(self) -> str:
        return f"{self.method}{self.path}".replace("/", "-").replace("{", "").replace("}", "")


def operations_by_tag(document: Mapping[str, Any]) -> dict[str, list[Operation]]:
    """Every operation of an OpenAPI document, grouped by its first tag, in the document's order."""
    groups: dict[str, list[Operation]] = {}
    for path, methods in sorted(document.get("paths", {}).items()):
        for method in _METHODS:
            if method in methods:
                spec = methods[method]
                tag = _tag(spec)
                groups.setdefault(tag, []).append(_operation(document, path, method, spec))
    return groups


def _tag(spec: Mapping[str, Any]) -> str:
    tags = spec.get("tags") or ["other"]
    return tags[0] if isinstance(tags[0], str) else tags[0].get("name", "other")


def _operation(document: Mapping[str, Any], path: str, method: str, spec: Mapping[str, Any]) -> Operation:
    return Operation(
        method=method.upper(),
        path=path,
        summary=spec.get("summary", ""),
        description=spec.get("description", ""),
        parameters=[
            (p["name"], p.get("in", ""), bool(p.get("required"))) for p in spec.get("parameters", [])
        ],
        body=_content_schema(document, spec.get("requestBody", {})),
        answers=[
            (status, answer.get("description", ""), _content_schema(document, answer))
            for status, answer in spec.get("responses", {}).items()
        ],
    )


def _content_schema(document: Mapping[str, Any], holder: Mapping[str, Any]) -> str | None:
    """The schema of a request's or an answer's first content type."""
    media: Mapping[str, Any] = next(iter(holder.get("content", {}).values()), {})
    return _schema(document, media.get("schema"))


def _schema(document: Mapping[str, Any], schema: Mapping[str, Any] | None) -> str | None:
    if not schema:
        return None
    reference = schema.get("$ref")
    if reference:
        schema = document.get("components", {}).get("schemas", {}).get(reference.rsplit("/", 1)[-1], schema)
    return json.dumps(schema, ensure_ascii=False, indent=2)
