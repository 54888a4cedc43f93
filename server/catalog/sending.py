"""Sending a file to a server through the HTTP API: resumes a half-sent one, waits out a restart, checks every part."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Self

from server import client
from server.catalog.hashing import parts_sha256
from server.client import ApiClient, ApiError, ServerAway
from server.errors import UsageError
from server.i18n import N_

RETRY_AFTER_S = (1, 2, 4, 8, 15, 30, 30, 30)
_TRY_AGAIN = (502, 503, 504)
_MENDINGS = 2
"""How often parts that were damaged on the server's disk are sent anew."""

CHECKING_POLL_S = 1.0


@dataclass(frozen=True)
class Joined:
    """Several files sent as one, end to end: the pieces of a title on a disc."""

    paths: tuple[Path, ...]
    name: str

    def open(self, _mode: str = "rb") -> _JoinedReader:
        return _JoinedReader(self.paths)


class _JoinedReader:
    """Reads files one after another; a read is short only at the very end."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._left = list(paths)
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def read(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            if self._file is None:
                if not self._left:
                    break
                self._file = self._left.pop(0).open("rb")
            piece = self._file.read(size - len(found))
            if not piece:
                self._file.close()
                self._file = None
            found += piece
        return found


Source = Path | Joined

Progress = Callable[[int, int], None]
"""Called with bytes the server holds and bytes in all."""


def send_file(
    api: ApiClient,
    path: Source,
    progress: Progress = lambda _done, _size: None,
    name: str | None = None,
) -> dict[str, Any]:
    """Send a file; the completed upload: {"upload": id, "asset": {…}}.

    An unfinished upload of the same name and size is taken up where it stopped; parts whose bytes differ are sent
    anew. Raises ApiError (the reason in words), ServerAway when the server stays away, UsageError (no such file).
    """
    size = _size_of(path)
    upload = _open(api, name or path.name, size)
    if upload.get("twin") and not upload["parts"] and (known := _recognise(api, upload, path)):
        progress(size, size)
        return {"upload": upload["id"], "asset": known}
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


def _size_of(path: Source) -> int:
    if isinstance(path, Joined):
        return sum(_size_of(part) for part in path.paths)
    try:
        size = path.stat().st_size
        is_file = path.is_file()
    except OSError as error:
        raise UsageError(N_("读不了文件 %(file)s"), file=path) from error
    if not is_file:
        raise UsageError(N_("%(file)s 不是文件"), file=path)
    return size


def _send_missing(api: ApiClient, upload: dict[str, Any], path: Source, progress: Progress) -> str:
    """Send what did not arrive yet as it is here; the whole file's SHA-256."""
    whole = hashlib.sha256()
    here = {part["number"]: part["etag"] for part in upload["parts"]}
    done = 0
    for number, data in _parts(path, upload["part_size"]):
        whole.update(data)
        if upload.get("direct"):
            if here.get(number) != hashlib.md5(data, usedforsecurity=False).hexdigest():
                _patiently(partial(_put_direct, api, upload["id"], number, data))
        elif here.get(number) != hashlib.sha256(data).hexdigest():
            _patiently(partial(api.put, f"/api/v1/uploads/{upload['id']}/parts/{number}", data))
        done += len(data)
        progress(done, upload["size"])
    return whole.hexdigest()


def _put_direct(api: ApiClient, upload_id: str, number: int, data: bytes) -> None:
    """One part straight to the object store, under an address for this part alone."""
    client.put_raw(api.get(f"/api/v1/uploads/{upload_id}/parts/{number}/url")["url"], data)


def _recognise(api: ApiClient, upload: dict[str, Any], path: Source) -> dict[str, Any] | None:
    """What the file became when somebody sent it before."""
    etags = [hashlib.sha256(data).hexdigest() for _, data in _parts(path, upload["part_size"])]
    asked = {"parts_sha256": parts_sha256(etags)}
    answer = _patiently(lambda: api.post(f"/api/v1/uploads/{upload['id']}/recognise", asked))
    known: dict[str, Any] | None = answer["asset"]
    return known


def _complete(api: ApiClient, upload: dict[str, Any], sha256: str) -> dict[str, Any]:
    """The asset, once the server has checked a large file."""
    path = f"/api/v1/uploads/{upload['id']}"
    while True:
        answer: dict[str, Any] = _patiently(lambda: api.post(f"{path}/complete", {"sha256": sha256}))
        if "known" in answer:
            return answer
        while answer["state"] == "checking":
            time.sleep(CHECKING_POLL_S)
            answer = _patiently(lambda: api.get(path))
        if answer["state"] == "open":
            problem = {
                "status": 422,
                "code": answer["error"] or "upload",
                "detail": N_("文件在服务器上核对不符"),
            }
            raise ApiError(problem)


def _open(api: ApiClient, filename: str, size: int) -> dict[str, Any]:
    unfinished = api.get("/api/v1/uploads", filename=filename, size=size)["items"] if size else []
    if unfinished:
        found: dict[str, Any] = unfinished[0]
        return found
    opened: dict[str, Any] = api.post("/api/v1/uploads", {"filename": filename, "size": size})
    return opened


def _parts(path: Source, part_size: int) -> Iterator[tuple[int, bytes]]:
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
