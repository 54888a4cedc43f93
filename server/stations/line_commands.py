"""``yuanbo line list|set|drop|poll``: how stations may use their lines, over the HTTP API."""

from __future__ import annotations

import argparse
import json
import re
from typing import Any

from server.client import add_arguments, from_args
from server.stations.line_settings import limited

_LINES = "/api/v1/lines"


def register(subparsers: Any) -> None:
    """Add the noun ``line``."""
    noun = subparsers.add_parser("line", help="线路规则 / how stations may use their lines")
    verbs = noun.add_subparsers(dest="verb", required=True, metavar="VERB")
    _verb(verbs, "list", _list, "规则一览 / the rules in your regions")
    keep = _verb(verbs, "set", _set, "设一个地区的规则 / set a region's rule")
    keep.add_argument("region", metavar="CODE")
    keep.add_argument(
        "--hours", type=_hours, default=(0, 24), metavar="FROM-TO", help="允许下载的时段 / like 22-6"
    )
    keep.add_argument(
        "--rate", type=int, default=0, metavar="KBIT", help="限速，千比特/秒，0 不限 / in kbit/s, 0: any"
    )
    keep.add_argument(
        "--rate-hours",
        type=_hours,
        default=(0, 24),
        metavar="FROM-TO",
        help="限速的时段 / hours of the limit",
    )
    keep.add_argument(
        "--cap", type=float, default=0, metavar="GB", help="每月流量，0 不限 / a month at most, 0: any"
    )
    drop = _verb(verbs, "drop", _drop, "取消一个地区的规则 / the level above decides again")
    drop.add_argument("region", metavar="CODE")
    poll = _verb(
        verbs, "poll", _poll, "全省各站多久检查一次 / how often every station looks for something new"
    )
    poll.add_argument("seconds", type=int, metavar="SECONDS", help="60–86400, 0: not set")


def _verb(verbs: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    add_arguments(parser)
    parser.set_defaults(run=run)
    return parser


def _hours(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,2})-(\d{1,2})", text)
    if found is None or int(found[1]) > 23 or not 1 <= int(found[2]) <= 24:
        raise argparse.ArgumentTypeError(f"{text}: FROM-TO, 0-23 and 1-24")
    return int(found[1]), int(found[2])


def _list(args: argparse.Namespace) -> int:
    found = from_args(args).get(_LINES)
    if args.json:
        return _print_json(found)
    for row in found["items"]:
        print(_words(row))
    print(f"检查间隔 {found['poll_s']} 秒" if found["poll_s"] else "检查间隔没有规定")
    return 0


def _set(args: argparse.Namespace) -> int:
    client = from_args(args)
    seen = {row["region"]: row["version"] for row in client.get(_LINES)["items"]}
    wanted = {
        "from_hour": args.hours[0],
        "to_hour": args.hours[1],
        "bytes_a_second": list(limited(args.rate, *args.rate_hours)),
        "monthly_cap_bytes": int(args.cap * 1_000_000_000),
        "version": seen.get(args.region),
    }
    row = client.replace(f"{_LINES}/{args.region}", wanted)
    if args.json:
        return _print_json(row)
    print(_words(row))
    return 0


def _drop(args: argparse.Namespace) -> int:
    client = from_args(args)
    seen = {row["region"]: row["version"] for row in client.get(_LINES)["items"]}
    done = client.post(f"{_LINES}/{args.region}/removal", json={"version": seen.get(args.region, 0)})
    if args.json:
        return _print_json(done)
    print(f"已取消 {args.region}")
    return 0


def _poll(args: argparse.Namespace) -> int:
    done = from_args(args).replace("/api/v1/network/poll", {"poll_s": args.seconds})
    if args.json:
        return _print_json(done)
    print(f"检查间隔 {done['poll_s']} 秒")
    return 0


def _words(row: dict[str, Any]) -> str:
    rates = sorted({rate // 125 for rate in row["bytes_a_second"] if rate})
    parts = [f"{row['region']:<12}  {row['from_hour']}–{row['to_hour']} 点"]
    parts += [f"限速 {'/'.join(map(str, rates))} 千比特/秒"] if rates else []
    parts += [f"每月 {row['monthly_cap_bytes'] / 1e9:g} GB"] if row["monthly_cap_bytes"] else []
    return "  ".join(parts)


def _print_json(content: Any) -> int:
    print(json.dumps(content, ensure_ascii=False, indent=2))
    return 0
