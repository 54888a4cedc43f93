"""``yuanbo protection …``: protected periods 重要保障期 through the HTTP API."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import datetime
from typing import Any

from protocol.times import SHANGHAI, from_text, to_text
from server import client
from server.errors import UsageError
from server.i18n import N_


def register(nouns: Any) -> None:
    verbs = nouns.add_parser(
        "protection", help="重要保障期 / spans in which late changes need two people"
    ).add_subparsers(required=True, metavar="VERB")
    _verb(verbs, "list", "all periods, the latest first", _list)
    declare = _verb(verbs, "declare", "a new period", _declare)
    declare.add_argument("--from", dest="starts_at", required=True, help="ISO 8601; naive: Asia/Shanghai")
    declare.add_argument("--until", required=True, help="ISO 8601; naive: Asia/Shanghai")
    declare.add_argument("--reason", required=True)
    end = _verb(verbs, "end", "end a period now", _end)
    end.add_argument("id")


def _verb(verbs: Any, name: str, text: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text)
    client.add_arguments(parser)
    parser.set_defaults(run=run)
    return parser


def instant(text: str) -> str:
    """A moment of the command line as a Timestamp; a naive one is Asia/Shanghai. Raises UsageError."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(N_("“%(text)s”不是有效的时间"), text=text) from error
    return to_text(at if at.tzinfo else at.replace(tzinfo=SHANGHAI))


def _list(args: argparse.Namespace) -> int:
    answer = client.from_args(args).get("/api/v1/protected-periods")
    if args.json:
        _dump(answer)
        return 0
    for period in answer["items"]:
        mark = "*" if period["id"] == answer["current"] else " "
        print(f"{mark} {_span(period)}  {period['reason']}  {period['id']}")
    return 0


def _declare(args: argparse.Namespace) -> int:
    body = {"starts_at": instant(args.starts_at), "ends_at": instant(args.until), "reason": args.reason}
    return _said(args, client.from_args(args).post("/api/v1/protected-periods", body))


def _end(args: argparse.Namespace) -> int:
    return _said(args, client.from_args(args).delete(f"/api/v1/protected-periods/{args.id}"))


def _said(args: argparse.Namespace, period: dict[str, Any]) -> int:
    if args.json:
        _dump(period)
    else:
        print(f"{_span(period)}  {period['reason']}  {period['id']}")
    return 0


def _span(period: dict[str, Any]) -> str:
    return f"{_beijing(period['starts_at'])} – {_beijing(period['ends_at'])}"


def _beijing(text: str) -> str:
    return from_text(text).astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")


def _dump(content: Any) -> None:
    json.dump(content, sys.stdout, ensure_ascii=False)
    print()
