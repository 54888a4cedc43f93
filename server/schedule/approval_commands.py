"""``yuanbo schedule weeks`` and ``yuanbo schedule week …``: approving a region's week."""

from __future__ import annotations

import argparse
import json
from typing import Any

from server import client

MOVES = {
    "submit": "提交 / lay it before whoever approves",
    "take-back": "取回 / take it back",
    "approve": "批准 / approve it",
    "return": "退回 / return it, with --comment",
    "reopen": "重新开放 / open an approved one again, with --comment",
}


def register(verbs: Any) -> None:
    """Add to the verbs of ``yuanbo schedule``."""
    listed = verbs.add_parser(
        "weeks", help="一周编排的状态 / a region's weeks: draft, submitted, approved, frozen"
    )
    listed.add_argument("--region", required=True, help="province, city or county")
    listed.add_argument("--count", type=int, default=6)
    client.add_arguments(listed)
    listed.set_defaults(run=_list)
    week = verbs.add_parser("week", help="提交、批准一周 / submit or approve a week")
    moves = week.add_subparsers(required=True, metavar="MOVE")
    for name, about in MOVES.items():
        move = moves.add_parser(name, help=about)
        move.add_argument("--region", required=True)
        move.add_argument("--week", required=True, help="any day of it: 2026-12-07")
        move.add_argument("--comment", default="", required=name in ("return", "reopen"))
        if name == "approve":
            move.add_argument("--lock-at", help="freeze it from then on (Friday 18:00 before it)")
        client.add_arguments(move)
        move.set_defaults(run=_move, move=name.replace("-", "_"))


def _list(args: argparse.Namespace) -> int:
    found = client.from_args(args).get("/api/v1/weeks", region=args.region, count=args.count)
    if args.json:
        print(json.dumps(found, ensure_ascii=False))
        return 0
    for week in found["items"]:
        _print(week)
    return 0


def _move(args: argparse.Namespace) -> int:
    path = f"/api/v1/weeks/{args.region}/{args.week}/{args.move}"
    body = {"comment": args.comment, "lock_at": getattr(args, "lock_at", None)}
    week = client.from_args(args).post(path, json=body)
    if args.json:
        print(json.dumps(week, ensure_ascii=False))
    else:
        _print(week)
    return 0


def _print(week: dict[str, Any]) -> None:
    print(
        f"{week['week']}  {week['state']:<9} lock {week['lock_at']}  {week['submitted_by']} {week['decided_by']}"
    )
    for late in week["since"]:
        mark = "late" if late["late"] else "changed"
        print(f"  {mark:<8}{late['at']}  {late['by']}  {late['kind']} {late['deed']}  {late['reason']}")
