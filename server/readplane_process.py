"""The read plane as one small process: signed files and media, read-only, without database.

For an installation on one machine and for tests; in production nginx serves the same folders by the same rules
(deploy/nginx). Whatever it serves is checked by terminals, so it needs nobody's trust.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from werkzeug.exceptions import HTTPException, RequestedRangeNotSatisfiable
from werkzeug.utils import send_file
from werkzeug.wrappers import Request, Response

from server.config import Config, load

IMMUTABLE = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"
SOON = "public, max-age=30"
"""For what is not there (yet): the next root is asked for on every poll."""

_METADATA = re.compile(r"r/metadata/(\d+\.)?[a-z0-9-]+\.json")
_TARGET = re.compile(r"r/targets/(?:[a-z0-9]+/){0,2}[0-9a-f]{64}\.[a-z0-9-]+\.json")
_OBJECT = re.compile(r"(m|p)/[0-9a-f]{64}")
_BYTES = "application/octet-stream"
_BEGINNINGS = (
    (4, b"ftyp", "video/mp4"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG", "image/png"),
    (0, b"#EXTM3U", "application/vnd.apple.mpegurl"),
    (0, b"WEBVTT", "text/vtt; charset=utf-8"),
    (8, b"WEBP", "image/webp"),
)
"""How media begin: (offset, bytes, type). Their names say nothing, being hashes."""

StartResponse = Callable[..., Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


def create_app(config: Config | None = None) -> Application:
    """The WSGI application of one installation's read plane."""
    settings = config or load()
    read, media = settings.read, settings.media

    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        return answer(request, read, media)(environ, start_response)

    return application


def answer(request: Request, read: Path, media: Path) -> Response:
    """One file, or a plain word why not."""
    if request.path == "/healthz":
        return _plain("ok\n", 200)
    if request.method not in ("GET", "HEAD"):
        return _plain("GET and HEAD only\n", 405, Allow="GET, HEAD")
    name = request.path.removeprefix("/")
    found = locate(name, read, media)
    if found is None or not found.is_file():
        return _plain("not found\n", 404, **{"Cache-Control": SOON})
    try:
        kind = _type_of(name, found)
        response = send_file(
            found, _one_range(request.environ), mimetype=kind, conditional=True, etag=_etag(name)
        )
    except RequestedRangeNotSatisfiable as error:
        return _unsatisfiable(error)
    except (HTTPException, OSError):
        return _plain("not found\n", 404, **{"Cache-Control": SOON})
    response.headers["Cache-Control"] = _caching(name)
    response.headers["X-Content-Type-Options"] = "nosniff"
    if name.startswith("m/"):
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Access-Control-Expose-Headers"] = "Content-Range, Accept-Ranges, Content-Length"
    return response


def locate(name: str, read: Path, media: Path) -> Path | None:
    """The file a path names, or None for a path that names none. Only names of our own making are ever looked up."""
    if _OBJECT.fullmatch(name):
        return media / name
    if _METADATA.fullmatch(name) or _TARGET.fullmatch(name):
        return read / name
    return None


def _one_range(environ: dict[str, Any]) -> dict[str, Any]:
    """The request without its Range where it asks for several at once: then the whole file is the answer."""
    if "," not in environ.get("HTTP_RANGE", ""):
        return environ
    return {key: value for key, value in environ.items() if key != "HTTP_RANGE"}


def _etag(name: str) -> str | bool:
    """Content-addressed names are their own tag; others get one from time and size."""
    return name.rpartition("/")[2] if _OBJECT.fullmatch(name) else True


def _type_of(name: str, found: Path) -> str:
    if name.endswith(".json"):
        return "application/json"
    if name.startswith("p/"):
        return _BYTES
    with found.open("rb") as file:
        head = file.read(16)
    return next((kind for at, begin, kind in _BEGINNINGS if head[at:].startswith(begin)), _BYTES)


def _caching(name: str) -> str:
    return REVALIDATE if name == "r/metadata/timestamp.json" else IMMUTABLE


def _unsatisfiable(error: RequestedRangeNotSatisfiable) -> Response:
    return _plain("range not satisfiable\n", 416, **{"Content-Range": f"bytes */{error.length}"})


def _plain(text: str, status: int, **headers: str) -> Response:
    return Response(text, status, headers=headers, mimetype="text/plain")
