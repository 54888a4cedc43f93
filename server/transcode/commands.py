"""``yuanbo jobs …``: the transcoding queue through the HTTP API; what this machine can encode."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from typing import Any

from server import client
from server.transcode import ffmpeg
from server.transcode.profiles import PROFILES, Profile

WATCH_EVERY_S = 1.0
BAR_WIDTH = 24
_ACTIVE = ("queued", "running")


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
    place = verbs.add_parser("priority", help="give a waiting job another place")
    place.add_argument("job")
    place.add_argument("level", choices=["urgent", "normal", "low"])
    client.add_arguments(place)
    place.set_defaults(run=_priority)
    watch = verbs.add_parser(
        "watch", help="bars of what is active, until nothing is; Ctrl-C ends only the watching"
    )
    watch.add_argument("job", nargs="?", help="one job only")
    client.add_arguments(watch)
    watch.set_defaults(run=_watch)
    again = verbs.add_parser(
        "reencode", help="encode again what an older version of a profile made, after all else"
    )
    again.add_argument("--dry-run", action="store_true", help="only say which")
    client.add_arguments(again)
    again.set_defaults(run=_reencode)
    workers = verbs.add_parser("workers", help="the worker processes and how long each has been silent")
    client.add_arguments(workers)
    workers.set_defaults(run=_workers)
    profiles = verbs.add_parser("profiles", help="the profiles, and which of them this machine can make")
    profiles.add_argument("--json", action="store_true", help="for scripts")
    profiles.set_defaults(run=_profiles)


def _list(args: argparse.Namespace) -> int:
    query = f"?state={args.state}" if args.state else ""
    answer = client.from_args(args).get(f"/api/v1/jobs{query}")
    if args.json:
        print(json.dumps(answer, ensure_ascii=False))
        return 0
    for job in answer["items"]:
        print(_line(job))
    return 0


def _line(job: dict[str, Any]) -> str:
    return f"{job['id']}  {job['state']:<9} {job['phase']:<6} {job['percent']:5.1f} %  {job['filename']}"


def _one(args: argparse.Namespace) -> int:
    api = client.from_args(args)
    path = f"/api/v1/jobs/{args.job}"
    return _show(args, api.get(path) if args.verb == "show" else api.post(f"{path}/{args.verb}"))


def _priority(args: argparse.Namespace) -> int:
    answer = client.from_args(args).post(f"/api/v1/jobs/{args.job}/priority", {"level": args.level})
    return _show(args, answer)


def _show(args: argparse.Namespace, job: dict[str, Any]) -> int:
    if args.json:
        print(json.dumps(job, ensure_ascii=False))
        return 0
    print(_line(job))
    if job["error_text"]:
        print(job["error_text"])
    for step in job["steps"]:
        print(f"  {step['attempt']}  {step['step']:<9} {step['seconds']:8.2f} s  {step['note']}")
    return 0


def _watch(args: argparse.Namespace) -> int:
    """A line for each active job, drawn again every second; where nobody watches a screen, one line a change."""
    api, drawn = client.from_args(args), 0
    try:
        while True:
            if args.job:
                jobs = [api.get(f"/api/v1/jobs/{args.job}")]
            else:
                jobs = [job for state in _ACTIVE for job in api.pages("/api/v1/jobs", state=state)]
            drawn = _draw(jobs, drawn, as_json=args.json)
            if not any(job["state"] in _ACTIVE for job in jobs):
                break
            time.sleep(WATCH_EVERY_S)
    except KeyboardInterrupt:
        pass
    return 0


def _draw(jobs: list[dict[str, Any]], drawn: int, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps(jobs, ensure_ascii=False), flush=True)
        return 0
    width = shutil.get_terminal_size().columns
    if sys.stdout.isatty() and drawn:
        sys.stdout.write(f"\x1b[{drawn}F\x1b[J")
    for job in jobs:
        print(draw_bar(job)[: width - 1], flush=True)
    return len(jobs)


def draw_bar(job: dict[str, Any]) -> str:
    """A job as one line: bar, per cent, what it does, how fast, how long yet."""
    filled = round(job["percent"] / 100 * BAR_WIDTH)
    bar = "█" * filled + "░" * (BAR_WIDTH - filled)
    words = [f"{bar} {job['percent']:5.1f} %", job["step"] or job["state"]]
    if job["fps"]:
        words.append(f"{job['fps']:.0f} fps")
    if job["eta_s"] is not None:
        words.append(f"{job['eta_s'] // 60}:{job['eta_s'] % 60:02d}")
    return "  ".join([*words, job["filename"]])


def _reencode(args: argparse.Namespace) -> int:
    api, path = client.from_args(args), "/api/v1/jobs/outdated"
    answer = api.get(path) if args.dry_run else api.post(path)
    if args.json:
        print(json.dumps(answer, ensure_ascii=False))
        return 0
    for job in answer["items"]:
        print(_line(job))
    print(f"{len(answer['items'])} jobs")
    return 0


def _workers(args: argparse.Namespace) -> int:
    answer = client.from_args(args).get("/api/v1/executors")
    if args.json:
        print(json.dumps(answer, ensure_ascii=False))
        return 0
    for worker in answer["items"]:
        print(f"{worker['state']:<8} {worker['silent_s']:8.1f} s  {worker['id']}")
    return 0


def _profiles(args: argparse.Namespace) -> int:
    found = [_profile(profile) for profile in PROFILES.values()]
    if args.json:
        print(json.dumps({"items": found}, ensure_ascii=False))
        return 0
    for one in found:
        print(
            f"{one['name']:<10} v{one['version']}  {one['codec']:<5} {one['bitrate']:>8} bit/s  {one['missing'] or 'ok'}"
        )
    return 0


def _profile(profile: Profile) -> dict[str, Any]:
    return {
        "name": profile.name,
        "version": profile.version,
        "codec": profile.codec.value,
        "bitrate": profile.bitrate,
        "missing": ffmpeg.why_not(profile.codec),
    }
