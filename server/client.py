"""Programs' way in: a small client of the HTTP API for the command line.

A server is named by ``--server``/``--token`` or ``YUANBO_SERVER``/``YUANBO_TOKEN``.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import Any

import msgspec
import urllib3

from server.errors import UsageError, YuanboError
from server.i18n import N_

CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 120


class ApiError(YuanboError):
    """The server refused; ``problem`` is its problem details."""

    def __init__(self, problem: dict[str, Any]) -> None:
        self.problem = problem
        self.status = int(problem.get("status", 500))
        detail = problem.get("detail") or problem.get("title") or "?"
        super().__init__("%(detail)s", code=str(problem.get("code", "api")), detail=detail)


class ServerAway(YuanboError):
    """No answer from the server."""

    status = 503
    code = "away"
    title = N_("连不上服务器")


class ApiClient:
    """``server`` is the console's URL; paths begin with ``/api/v1``."""

    def __init__(self, server: str, token: str) -> None:
        self._base = server.rstrip("/").removesuffix("/api/v1")
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Accept-Language": os.environ.get("LANG", "zh")[:2],
        }
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S), retries=False
        )

    def get(self, path: str, **fields: Any) -> Any:
        return self._call("GET", path, fields={k: str(v) for k, v in fields.items() if v is not None})

    def download(self, path: str, **fields: Any) -> bytes:
        """A file's bytes, whatever they are."""
        wanted = {k: str(v) for k, v in fields.items() if v is not None}
        response = self._send("GET", path, fields=wanted)
        if response.status >= 400:
            self._read(response)
        return response.data

    def post(self, path: str, json: Any = None) -> Any:
        return self._call("POST", path, json={} if json is None else json)

    def put(self, path: str, data: bytes) -> Any:
        return self._call("PUT", path, body=data, headers={"Content-Type": "application/octet-stream"})

    def replace(self, path: str, json: Any) -> Any:
        """PUT of JSON."""
        return self._call("PUT", path, json=json)

    def patch(self, path: str, json: Any) -> Any:
        return self._call("PATCH", path, json=json)

    def post_raw(self, path: str, data: bytes) -> Any:
        return self._call("POST", path, body=data, headers={"Content-Type": "application/octet-stream"})

    def delete(self, path: str) -> Any:
        return self._call("DELETE", path)

    def pages(self, path: str, **fields: Any) -> Iterator[Any]:
        """Every item of a list ``{items, next}``."""
        while True:
            page = self.get(path, **fields)
            yield from page["items"]
            if not page.get("next"):
                return
            fields["after"] = page["next"]

    def _call(self, method: str, path: str, headers: dict[str, str] | None = None, **kwargs: Any) -> Any:
        return self._read(self._send(method, path, headers, **kwargs))

    def _send(
        self, method: str, path: str, headers: dict[str, str] | None = None, **kwargs: Any
    ) -> urllib3.BaseHTTPResponse:
        try:
            return self._pool.request(
                method,
                self._base + path,
                headers={**self._headers, **(headers or {})},
                redirect=False,
                **kwargs,
            )
        except urllib3.exceptions.HTTPError as error:
            raise ServerAway(N_("连不上服务器 %(server)s"), server=self._base) from error

    @staticmethod
    def _read(response: urllib3.BaseHTTPResponse) -> Any:
        try:
            content = msgspec.json.decode(response.data) if response.data else None
        except msgspec.DecodeError:
            content = None
        if response.status >= 400 or (response.data and content is None):
            problem = content if isinstance(content, dict) else {}
            raise ApiError({"status": response.status, "title": f"HTTP {response.status}", **problem})
        return content


def put_raw(url: str, data: bytes) -> None:
    """PUT bytes to an address that needs no token of ours. Raises ServerAway, ApiError."""
    pool = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S), retries=False
    )
    try:
        response = pool.request("PUT", url, body=data, redirect=False)
    except urllib3.exceptions.HTTPError as error:
        raise ServerAway(N_("连不上服务器 %(server)s"), server=url.partition("?")[0]) from error
    if response.status >= 300:
        raise ApiError({"status": response.status, "title": f"HTTP {response.status}"})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``--server``, ``--token`` and ``--json`` of a command that talks to the API."""
    parser.add_argument("--server", help="URL of the console (YUANBO_SERVER)")
    parser.add_argument("--token", help="bearer token (YUANBO_TOKEN)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def from_args(args: argparse.Namespace) -> ApiClient:
    """The client a command's arguments and the environment name. Raises UsageError."""
    server = args.server or os.environ.get("YUANBO_SERVER")
    token = args.token or os.environ.get("YUANBO_TOKEN")
    if not server or not token:
        raise UsageError(N_("请用 --server 和 --token（或环境变量 YUANBO_SERVER、YUANBO_TOKEN）指明服务器"))
    return ApiClient(server, token)
