"""``yuanbo schedule …``: placing programmes and reading listings through the HTTP API."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from server import client
from server.schedule import approval_commands, check_commands, export_commands


def register(nouns: Any) -> None:
    verbs = nouns.add_parser("schedule", help="节目编排 / place programmes, read listings").add_subparsers(
        required=True, metavar="VERB"
    )
    put = verbs.add_parser("put", help="place a released programme")
    put.add_argument("--region", required=True, help="region code, e.g. 13 or 130123")
    put.add_argument("--at", required=True, help="2026-12-05T19:00; without a zone: Asia/Shanghai")
    put.add_argument("--programme", required=True, help="id of the programme")
    put.add_argument("--channel", default="main")
    put.add_argument("--rrule", help="repeat by an RRULE, e.g. FREQ=WEEKLY;BYDAY=MO")
    put.add_argument("--required", action="store_true", help="必播节目")
    client.add_arguments(put)
    put.set_defaults(run=_put)
    remove = verbs.add_parser("remove", help="take a placed programme out again")
    remove.add_argument("slot")
    client.add_arguments(remove)
    remove.set_defaults(run=_remove)
    show = verbs.add_parser("list", help="the listing of a region on a day")
    show.add_argument("--region", required=True)
    show.add_argument("--day", help="2026-12-05 (today)")
    show.add_argument("--channel", default="main")
    show.add_argument("--all", action="store_true", help="fillers and slate too")
    client.add_arguments(show)
    show.set_defaults(run=_list)
    check_commands.register(verbs)
    export_commands.register(verbs)
    approval_commands.register(verbs)


def _put(args: argparse.Namespace) -> int:
    slot = client.from_args(args).post(
        "/api/v1/slots",
        json={
            "region": args.region,
            "at": args.at,
            "programme": args.programme,
            "channel": args.channel,
            "rrule": args.rrule,
            "required": args.required,
        },
    )
    if args.json:
        print(json.dumps(slot, ensure_ascii=False))
    else:
        print(f"{slot['id']}  {slot['starts_at']}  {slot['region']}")
    return 0


def _remove(args: argparse.Namespace) -> int:
    client.from_args(args).delete(f"/api/v1/slots/{args.slot}")
    if args.json:
        print(json.dumps({"removed": args.slot}))
    return 0


def _list(args: argparse.Namespace) -> int:
    listing = client.from_args(args).get(
        "/api/v1/listings", region=args.region, day=args.day, channel=args.channel
    )
    if not args.all:
        listing["items"] = [i for i in listing["items"] if i["source"] not in ("filler", "slate")]
    if args.json:
        json.dump(listing, sys.stdout, ensure_ascii=False)
        print()
        return 0
    for item in listing["items"]:
        print(
            f"{item['starts_at']}  {item['duration_ms'] // 1000:>6} s  {item['source']:<9}  {item['title']}"
        )
    return 0
