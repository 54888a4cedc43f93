"""``yuanbo review …``: the queue, remarks, re-reviews, roster and term list through the HTTP API."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from server import client
from server.catalog.protection_commands import instant
from server.errors import UsageError
from server.i18n import N_


def register(nouns: Any) -> None:
    verbs = nouns.add_parser(
        "review", help="三审三校 / queue, remarks, re-reviews, roster, terms"
    ).add_subparsers(required=True, metavar="VERB")
    queue = _verb(verbs, "queue", "what waits for one's decision, urgent first", _queue)
    queue.add_argument("--stage", choices=["first", "second", "final"])
    show = _verb(verbs, "show", "an edition as its reviewers see it", _show)
    show.add_argument("id")
    comment = _verb(verbs, "comment", "leave a remark", _comment)
    comment.add_argument("id")
    comment.add_argument("text")
    comment.add_argument("--at-ms", type=int, help="time code in the source, milliseconds")
    proof = _verb(verbs, "proofread", "the next of the three proofreadings", _proofread)
    proof.add_argument("id")
    proof.add_argument("--found", default="", help="left out: nothing wrong")
    countersign = _verb(verbs, "countersign", "the second person's yes in a protected period", _countersign)
    countersign.add_argument("id")
    countersign.add_argument("--comment", default="")
    _verb(verbs, "again", "重播重审: what waits for a re-review", _again)
    rereview = _verb(verbs, "rereview", "approve a re-review, or withdraw the edition", _rereview)
    rereview.add_argument("id")
    rereview.add_argument("--stage", required=True, choices=["second", "final"])
    decision = rereview.add_mutually_exclusive_group(required=True)
    decision.add_argument("--approve", action="store_true")
    decision.add_argument("--refuse", dest="approve", action="store_false", help="needs --comment")
    rereview.add_argument("--comment", default="")
    _verb(verbs, "duty", "the roster from now on", _duty)
    shift = _verb(verbs, "shift", "put two people on the roster of a stage", _shift)
    shift.add_argument("--stage", required=True, choices=["first", "second", "final"])
    shift.add_argument("--from", dest="starts_at", required=True, help="ISO 8601; naive: Asia/Shanghai")
    shift.add_argument("--until", required=True, help="ISO 8601; naive: Asia/Shanghai")
    shift.add_argument("--on", required=True, help="username")
    shift.add_argument("--deputy", help="username")
    terms = _verb(verbs, "terms", "the term list; with a file: a new version of it", _terms)
    terms.add_argument(
        "file", nargs="?", type=Path, help="UTF-8, one a line: 词 | 说明 | sensitive|name|wording"
    )


def _verb(verbs: Any, name: str, text: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text)
    client.add_arguments(parser)
    parser.set_defaults(run=run)
    return parser


def _queue(args: argparse.Namespace) -> int:
    answer = client.from_args(args).get("/api/v1/reviews", stage=args.stage)
    lines = [
        f"{'!' if row['urgent'] else ' '} {row['stage']:<6} {row['due_at']} {row['edition']} {row['title']}"
        for row in answer["items"]
    ]
    return _say(args, answer, lines)


def _show(args: argparse.Namespace) -> int:
    desk = client.from_args(args).get(f"/api/v1/editions/{args.id}/review")
    lines = [f"{desk['title']}  {desk['state']}  {desk['number']}.{desk['round']}"]
    lines += [f"  {name}: {text}" for name, text in desk["facts"].items()]
    lines += [f"  ! {hit['term']} ({hit['field']}) {hit['excerpt']}" for hit in desk["hits"]]
    lines += [f"  # {one['author']}: {one['text']}" for one in desk["comments"]]
    return _say(args, desk, lines)


def _comment(args: argparse.Namespace) -> int:
    body = {"text": args.text, "at_ms": args.at_ms}
    made = client.from_args(args).post(f"/api/v1/editions/{args.id}/comments", body)
    return _say(args, made, [made["id"]])


def _proofread(args: argparse.Namespace) -> int:
    made = client.from_args(args).post(f"/api/v1/editions/{args.id}/proofreadings", {"found": args.found})
    return _say(args, made, [str(made["number"])])


def _countersign(args: argparse.Namespace) -> int:
    client.from_args(args).post(f"/api/v1/editions/{args.id}/countersign", {"comment": args.comment})
    return _say(args, {"countersigned": True}, [])


def _again(args: argparse.Namespace) -> int:
    answer = client.from_args(args).get("/api/v1/re-reviews")
    lines = [f"{row['edition']} {'+'.join(row['reasons'])} {row['title']}" for row in answer["items"]]
    return _say(args, answer, lines)


def _rereview(args: argparse.Namespace) -> int:
    body = {"stage": args.stage, "approve": args.approve, "comment": args.comment}
    done = client.from_args(args).post(f"/api/v1/editions/{args.id}/re-review", body)
    return _say(args, done, [done["state"]])


def _duty(args: argparse.Namespace) -> int:
    answer = client.from_args(args).get("/api/v1/duty")
    lines = [
        f"{row['stage']:<6} {row['starts_at']} {row['ends_at']} {row['name']} / {row['deputy'] or '—'}"
        for row in answer["items"]
    ]
    return _say(args, answer, lines)


def _shift(args: argparse.Namespace) -> int:
    body = {
        "stage": args.stage,
        "starts_at": instant(args.starts_at),
        "ends_at": instant(args.until),
        "username": args.on,
        "deputy": args.deputy,
    }
    made = client.from_args(args).post("/api/v1/duty", body)
    return _say(args, made, [made["id"]])


def _terms(args: argparse.Namespace) -> int:
    api = client.from_args(args)
    if args.file is None:
        answer = api.get("/api/v1/review/terms")
    else:
        answer = api.replace("/api/v1/review/terms", {"items": _read_terms(args.file)})
    lines = [f"# {answer['version']}"]
    lines += [" | ".join((row["text"], row.get("note", ""), row.get("kind", ""))) for row in answer["items"]]
    return _say(args, answer, lines)


def _read_terms(path: Path) -> list[dict[str, str]]:
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(N_("读不了文件 %(file)s"), file=path.name) from error
    entries = []
    for line in lines:
        if line.strip() and not line.startswith("#"):
            text, note, kind = ([part.strip() for part in line.split("|")] + ["", ""])[:3]
            entries.append({"text": text, "note": note, "kind": kind or "wording"})
    return entries


def _say(args: argparse.Namespace, content: Any, lines: list[str]) -> int:
    if args.json:
        json.dump(content, sys.stdout, ensure_ascii=False)
        print()
    else:
        for line in lines:
            print(line)
    return 0
