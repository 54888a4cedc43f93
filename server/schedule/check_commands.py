"""``yuanbo schedule check`` and ``explain``."""

from __future__ import annotations

import argparse
import json
from typing import Any

from server import client

MARKS = {"error": "×", "warning": "!", "info": "·"}


def register(verbs: Any) -> None:
    check = verbs.add_parser(
        "check",
        help="the conflict report of the coming days",
        description="Everything wrong with the coming days, today included; exit 1 where something will not be seen as placed.",
    )
    check.add_argument("--days", type=int, default=7, help="1 to 31 (7)")
    check.add_argument("--region", default="13", help="region code (13, the province)")
    check.add_argument(
        "--stations", type=int, default=500, help="of each item, name so many stations that cannot have it"
    )
    client.add_arguments(check)
    check.set_defaults(run=_check)
    explain = verbs.add_parser("explain", help="what plays here at this time, and why")
    explain.add_argument("--region", required=True, help="region code, e.g. 130123105201")
    explain.add_argument("--at", help="2026-12-05T19:00; without a zone: Asia/Shanghai (now)")
    explain.add_argument("--channel", default="main")
    client.add_arguments(explain)
    explain.set_defaults(run=_explain)


def _check(args: argparse.Namespace) -> int:
    report = client.from_args(args).get(
        "/api/v1/schedule/check", region=args.region, days=args.days, stations=args.stations
    )
    if args.json:
        print(json.dumps(report, ensure_ascii=False))
    else:
        _print_report(report)
    return 0 if report["clean"] else 1


def _print_report(report: dict[str, Any]) -> None:
    for found in report["findings"]:
        print(f"{MARKS[found['severity']]} {found['text']}")
    assumed = report["assumptions"]
    print(f"{report['errors']} errors, {report['warnings']} warnings")
    if assumed["unmeasured"] or assumed["silent"]:
        print(
            f"assumed: {assumed['unmeasured']} stations without a measured speed count at "
            f"{assumed['assumed_bps'] // 1000} kbit/s; {assumed['silent']} were silent for a week"
        )


def _explain(args: argparse.Namespace) -> int:
    answer = client.from_args(args).get(
        "/api/v1/listings/explain", region=args.region, at=args.at, channel=args.channel
    )
    if args.json:
        print(json.dumps(answer, ensure_ascii=False))
        return 0
    print(f"{answer['at']}  {answer['place']}  {answer['title'] or '—'}  {answer['text']}")
    for candidate in [answer["winner"], *answer["others"]]:
        if candidate is not None:
            mark = "→" if candidate is answer["winner"] else " "
            print(f"{mark} {candidate['title']}  {candidate['text']}  {candidate['by']}  {candidate['rule']}")
    return 0
