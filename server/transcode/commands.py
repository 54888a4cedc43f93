"""``yuanbo jobs …``: the transcoding queue through the HTTP API."""

from __future__ import annotations

import argparse
import json
from typing import Any

from server import client


def register(nouns: Any) -> None:
    verbs = nouns.add_parser("jobs", help="转码任务 / the transcoding queue").add_subparsers(
        required=True, metavar="VERB"
    )
    listing = verbs.add_parser("list", help="jobs, the newest first")
    listing.add_argument("--state", help="queued, running, done, refused, failed or cancelled")
    client.add_arguments(listing)
    listing.set_defaults(run=_list)
    for verb, text in (
        ("show", "one job with its steps"),
        ("cancel", "stop a job"),
        ("retry", "begin a failed or cancelled job again"),
        ("urgent", "put a waiting job before all others"),
    ):
        parser = verbs.add_parser(verb, help=text)
        parser.add_argument("job")
        client.add_arguments(parser)
        parser.set_defaults(run=_one, verb=verb)


def _list(args: argparse.Namespace) -> int:
    query = f"?state={args.state}" if args.state else ""
    answer = client.from_args(args).get(f"/api/v1/jobs{query}")
    if args.json:
        print(json.dumps(answer, ensure_ascii=False))
        return 0
    for job in answer["items"]:
        print(f"{job['id']}  {job['state']:<9} {job['percent']:5.1f} %  {job['filename']}")
    return 0


def _one(args: argparse.Namespace) -> int:
    api = client.from_args(args)
    path = f"/api/v1/jobs/{args.job}"
    job = api.get(path) if args.verb == "show" else api.post(f"{path}/{args.verb}")
    if args.json:
        print(json.dumps(job, ensure_ascii=False))
        return 0
    print(f"{job['id']}  {job['state']}  {job['percent']} %  {job['filename']}")
    if job["error_text"]:
        print(job["error_text"])
    for step in job["steps"]:
        print(f"  {step['attempt']}  {step['step']:<9} {step['seconds']:8.2f} s  {step['note']}")
    return 0
