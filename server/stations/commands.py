"""``yuanbo station add|list|invite|replace|revoke|look``: over the HTTP API, so that they work from anywhere; ``refill`` here."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from server import clock
from server.client import add_arguments, from_args
from server.config import load
from server.db import Database
from server.errors import UsageError
from server.i18n import N_
from server.identity import audit
from server.stations import incarnation

_STATIONS = "/api/v1/stations"


def register(subparsers: Any) -> None:
    """Add the noun ``station``."""
    noun = subparsers.add_parser("station", help="站点与终端 / stations and terminals")
    verbs = noun.add_subparsers(dest="verb", required=True, metavar="VERB")
    add = _verb(
        verbs, "add", _add, "新增站点并给出注册码 / add a station; prints its enrolment code, valid once"
    )
    add.add_argument("--region", required=True, metavar="CODE", help="village or township, e.g. 130123105201")
    add.add_argument("--name", required=True)
    add.add_argument("--kind", choices=["village", "township", "enterprise"])
    listing = _verb(verbs, "list", _list, "站点一览 / stations in your regions")
    listing.add_argument("--region", metavar="CODE")
    listing.add_argument("--name", help="part of the name")
    invite = _verb(verbs, "invite", _invite, "新的注册码 / a new enrolment code for a station")
    invite.add_argument("station", metavar="ID")
    revoke = _verb(verbs, "revoke", _revoke, "停用终端 / stop trusting a terminal")
    revoke.add_argument("terminal", metavar="ID")
    replace = _verb(verbs, "replace", _replace, "换机注册码 / a code for the device that replaces a terminal")
    replace.add_argument("terminal", metavar="ID")
    look = _verb(verbs, "look", _look, "看一眼电视 / ask a terminal for a picture of its screen")
    look.add_argument("terminal", metavar="ID")
    text = "数据库从备份恢复后：让各站点补报 / after a database restore: stations send again what it lacks"
    refill = verbs.add_parser("refill", help=text, description=text)
    refill.add_argument("--data", type=Path, help="data folder (YUANBO_DATA, else ./data)")
    refill.add_argument("--json", action="store_true", help="print JSON")
    refill.set_defaults(run=_refill)


def _verb(verbs: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    add_arguments(parser)
    parser.set_defaults(run=run)
    return parser


def _add(args: argparse.Namespace) -> int:
    client = from_args(args)
    wanted = {"region": args.region, "name": args.name, "kind": args.kind}
    station = client.post(_STATIONS, json=wanted)
    invitation = client.post(f"{_STATIONS}/{station['id']}/invitations")
    if args.json:
        _print_json(station | {"code": invitation["code"], "expires_at": invitation["expires_at"]})
    else:
        print(f"{station['name']}（{station['region']}）  {station['id']}")
        _print_code(invitation)
    return 0


def _list(args: argparse.Namespace) -> int:
    stations = list(from_args(args).pages(_STATIONS, region=args.region, name=args.name))
    if args.json:
        _print_json({"items": stations})
        return 0
    for station in stations:
        terminals = [t for t in station["terminals"] if not t.get("revoked_at")]
        print(f"{station['id']}  {station['region']:<12}  {station['name']}  终端 {len(terminals)}")
    if not stations:
        print("还没有站点：yuanbo station add --region CODE --name NAME", file=sys.stderr)
    return 0


def _invite(args: argparse.Namespace) -> int:
    invitation = from_args(args).post(f"{_STATIONS}/{args.station}/invitations")
    if args.json:
        _print_json(invitation)
    else:
        _print_code(invitation)
    return 0


def _revoke(args: argparse.Namespace) -> int:
    terminal = from_args(args).post(f"/api/v1/terminals/{args.terminal}/revocation")
    if args.json:
        _print_json(terminal)
    else:
        print(f"已停用 {terminal['id']}")
    return 0


def _replace(args: argparse.Namespace) -> int:
    invitation = from_args(args).post(f"/api/v1/terminals/{args.terminal}/replacement")
    if args.json:
        _print_json(invitation)
    else:
        _print_code(invitation)
    return 0


def _look(args: argparse.Namespace) -> int:
    asked = from_args(args).post(f"/api/v1/terminals/{args.terminal}/looks")
    if args.json:
        _print_json(asked)
    else:
        print(f"已请终端 {asked['terminal']} 传一张画面，至 {asked['until']} 有效")
    return 0


def _refill(args: argparse.Namespace) -> int:
    """Begin a new incarnation of a local installation's database."""
    config = load(args.data)
    if config.database_url.startswith("sqlite") and not (config.data / "yuanbo.sqlite").is_file():
        raise UsageError(N_("%(data)s 里没有安装好的远播"), data=config.data)
    with closing(Database(config.database_url)) as database, database.write() as session:
        life = incarnation.renew(session)
        audit.append(
            session,
            actor=None,
            action="reports.refill",
            subject="incarnation",
            detail={"now": life},
            now=clock.now(),
        )
    if args.json:
        _print_json({"incarnation": life})
    else:
        print("已记下：各站点下次联系时补报数据库所缺的记录")
    return 0


def _print_code(invitation: dict[str, Any]) -> None:
    print(f"注册码 {invitation['code']}  一次有效，至 {invitation['expires_at']}")


def _print_json(content: Any) -> None:
    print(json.dumps(content, ensure_ascii=False, indent=2))
