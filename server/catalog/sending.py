"""Sending a file to a server through the HTTP API: resumes a half-sent one, waits out a restart, checks every part."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from server.client import ApiClient, ApiError, ServerAway
from server.errors import UsageError
from server.i18n import N_

RETRY_AFTER_S = (1, 2, 4, 8, 15, 30, 30, 30)
_TRY_AGAIN = (502, 503, 504)
_MENDINGS = 2
"""How often parts that were damaged on the server's disk are sent anew."""

Progress = Callable[[int, int], None]
"""Called with bytes the server holds and bytes in all."""


def send_file(api: ApiClient, path: Path, progress: Progress = lambda _done, _size: None) -> dict[str, Any]:
    """Send a file; the completed upload: {"upload": id, "asset": {…}}.

    An unfinished upload of the same name and size is taken up where it stopped; parts whose bytes differ are sent
    anew. Raises ApiError (the reason in words), ServerAway when the server stays away, UsageError (no such file).
    """
    try:
        size = path.stat().st_size
        is_file = path.is_file()
    except OSError as error:
        raise UsageError(N_("读不了文件 %(file)s"), file=path) from error
    if not is_file:
        raise UsageError(N_("%(file)s 不是文件"), file=path)
    upload = _open(api, path.name, size)
    sha256 = _send_missing(api, upload, path, progress)
    for _ in range(_MENDINGS):
        try:
            return {"upload": upload["id"], "asset": _complete(api, upload, sha256)}
        except ApiError as error:
            if error.code != "part_damaged":
                raise
        upload = api.get(f"/api/v1/uploads/{upload['id']}")
        sha256 = _send_missing(api, upload, path, progress)
    return {"upload": upload["id"], "asset": _complete(api, upload, sha256)}


def _send_missing(api: ApiClient, upload: dict[str, Any], path: Path, progress: Progress) -> str:
    """Send what did not arrive yet as it is here; the whole file's SHA-256."""
    whole = hashlib.sha256()
    here = {part["number"]: part["etag"] for part in upload["parts"]}
    done = 0
    for number, data in _parts(path, upload["part_size"]):
        whole.update(data)
        if here.get(number) != hashlib.sha256(data).hexdigest():
            _patiently(partial(api.put, f"/api/v1/uploads/{upload['id']}/parts/{number}", data))
        done += len(data)
        progress(done, upload["size"])
    return whole.hexdigest()


def _complete(api: ApiClient, upload: dict[str, Any], sha256: str) -> dict[str, Any]:
    asset: dict[str, Any] = _patiently(
        lambda: api.post(f"/api/v1/uploads/{upload['id']}/complete", {"sha256": sha256})
    )
    return asset


def _open(api: ApiClient, filename: str, size: int) -> dict[str, Any]:
    unfinished = api.get("/api/v1/uploads", filename=filename, size=size)["items"] if size else []
    if unfinished:
        found: dict[str, Any] = unfinished[0]
        return found
    opened: dict[str, Any] = api.post("/api/v1/uploads", {"filename": filename, "size": size})
    return opened


def _parts(path: Path, part_size: int) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        number = 1
        while data := file.read(part_size):
            yield number, data
            number += 1


def _patiently(call: Callable[[], Any]) -> Any:
    """Try again while the server is away or overloaded, for two minutes; everything here may be sent twice."""
    for wait_s in RETRY_AFTER_S:
        try:
            return call()
        except ServerAway:
            time.sleep(wait_s)
        except ApiError as error:
            if error.status not in _TRY_AGAIN:
                raise
            time.sleep(wait_s)
    return call()
