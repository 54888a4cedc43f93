"""``yuanbo publish`` (over HTTP) and ``yuanbo keys …`` (on this machine)."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from itertools import islice
from typing import Any

from server import client
from server.cli import add_data_argument, config_from_args
from server.errors import Unavailable
from server.i18n import N_
from server.publish import keys

PATIENCE_S = 600
LOOK_EVERY_S = 0.3


class TookTooLong(Unavailable):
    """An order was not carried out in the time one waits for it; it is not lost."""

    code = "waiting"
    title = N_("发布还在进行；请稍后查看任务 %(order)s")


def register(nouns: Any) -> None:
    publish = nouns.add_parser(
        "publish",
        help="签名发布 / sign and publish what is released and scheduled; list, show, compare, roll back, queue",
    )
    client.add_arguments(publish)
    publish.set_defaults(run=_publish)
    _register_verbs(publish.add_subparsers(metavar="VERB"))
    verbs = nouns.add_parser("keys", help="签名密钥 / signing keys").add_subparsers(
        required=True, metavar="VERB"
    )
    init = verbs.add_parser("init", help='make the keys that are missing, labelled "demo"')
    show = verbs.add_parser("show", help="public keys and what they are fit for")
    for verb, run in ((init, _init), (show, _show)):
        add_data_argument(verb)
        verb.add_argument("--json", action="store_true", help="print JSON")
        verb.set_defaults(run=run)


def _register_verbs(verbs: Any) -> None:
    def verb(name: str, run: Any, about: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = verbs.add_parser(name, help=about)
        client.add_arguments(parser)
        parser.set_defaults(run=run)
        return parser

    listed = verb("list", _list, "发布记录 / publications, the newest first")
    listed.add_argument("--limit", type=int, default=20)
    shown = verb("show", _show_publication, "一次发布改了什么 / what one publication changed")
    shown.add_argument("number", type=int)
    compared = verb("compare", _compare, "比较两次发布 / what the later of two publications says otherwise")
    compared.add_argument("first", type=int)
    compared.add_argument("second", type=int)
    back = verb("rollback", _rollback, "回退 / put the schedule of an earlier publication back")
    back.add_argument("number", type=int)
    queued = verb("queue", _queue, "等待批准的改动 / changes that wait for a second person, and why")
    queued.add_argument(
        "--state", default="waiting", choices=["waiting", "approved", "returned", "published"]
    )
    for name, about in (("approve", "批准 / let a change out"), ("return", "退回 / return a change")):
        decided = verb(name, _decide, about)
        decided.add_argument("change")
        decided.add_argument("--comment", default="", required=name == "return")
        decided.set_defaults(decision=name)


def _publish(args: argparse.Namespace) -> int:
    return _print_answer(args, wait_for(client.from_args(args), "/api/v1/publications"))


def _rollback(args: argparse.Namespace) -> int:
    path = f"/api/v1/publications/{args.number}/rollback"
    return _print_answer(args, wait_for(client.from_args(args), path))


def wait_for(api: client.ApiClient, path: str, *, go_on: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Order a publication and wait until it is carried out; its answer. Raises ApiError as it failed, TookTooLong.

    ``go_on`` is called between looks and may raise.
    """
    order = api.post(path)
    deadline = time.monotonic() + PATIENCE_S
    while order["state"] not in ("done", "failed"):
        if time.monotonic() > deadline:
            raise TookTooLong(order=order["id"])
        go_on()
        time.sleep(LOOK_EVERY_S)
        order = api.get(f"/api/v1/publications/orders/{order['id']}")
    if order["state"] == "failed":
        raise client.ApiError(order["problem"])
    answer: dict[str, Any] = order["answer"]
    return answer


def _print_answer(args: argparse.Namespace, answer: dict[str, Any]) -> int:
    if args.json:
        print(json.dumps(answer, ensure_ascii=False))
        return 0
    if answer["changed"]:
        print(f"第 {answer['number']} 次发布 / publication {answer['number']}: {answer['bytes']} bytes")
    else:
        print(
            f"没有变化，仍是第 {answer['number']} 次发布 / nothing changed, still publication {answer['number']}"
        )
    for held in answer["held_back"]:
        print(f"未发布 / held back: {held['title']}: {'; '.join(r['text'] for r in held['reasons'])}")
    return 0


def _list(args: argparse.Namespace) -> int:
    api = client.from_args(args)
    items = list(islice(api.pages("/api/v1/publications"), args.limit))
    if args.json:
        print(json.dumps({"items": items}, ensure_ascii=False))
        return 0
    for item in items:
        back = f" → {item['back_to']}" if item["back_to"] else ""
        print(f"{item['number']:>6}  {item['at']}  {item['state']:<8} {item['kind']}{back}  {item['by']}")
    return 0


def _show_publication(args: argparse.Namespace) -> int:
    api = client.from_args(args)
    shown = api.get(f"/api/v1/publications/{args.number}")
    older = [i for i in api.get("/api/v1/publications", after=args.number)["items"] if i["state"] == "done"]
    shown["changes"] = (
        api.get("/api/v1/publications/compare", first=older[0]["number"], second=args.number)
        if older and shown["state"] == "done"
        else None
    )
    if args.json:
        print(json.dumps(shown, ensure_ascii=False))
        return 0
    print(f"{shown['number']}  {shown['at']}  {shown['state']}  {shown['kind']}  {shown['by']}")
    if shown["changes"]:
        _print_changes(shown["changes"])
    return 0


def _compare(args: argparse.Namespace) -> int:
    found = client.from_args(args).get("/api/v1/publications/compare", first=args.first, second=args.second)
    if args.json:
        print(json.dumps(found, ensure_ascii=False))
        return 0
    _print_changes(found)
    return 0


def _print_changes(found: dict[str, Any]) -> None:
    for sign, key in (("+", "admitted"), ("-", "dropped"), ("!", "recalled")):
        for edition in found[key]:
            print(f"{sign} 《{edition['title'] or edition['edition']}》")
    for change in found["documents"]:
        print(change["target"])
        for line in change["lines"]:
            print(f"  {line['text']}")


def _queue(args: argparse.Namespace) -> int:
    found = client.from_args(args).get("/api/v1/publications/queue", state=args.state)
    if args.json:
        print(json.dumps(found, ensure_ascii=False))
        return 0
    for item in found["items"]:
        print(f"{item['id']}  {item['target']}  {'; '.join(reason['text'] for reason in item['reasons'])}")
        for line in item["lines"]:
            print(f"  {line['text']}")
    return 0


def _decide(args: argparse.Namespace) -> int:
    path = f"/api/v1/publications/queue/{args.change}/{args.decision}"
    answer = client.from_args(args).post(path, json={"comment": args.comment})
    print(json.dumps(answer, ensure_ascii=False) if args.json else f"{answer['target']}: {answer['state']}")
    return 0


def _init(args: argparse.Namespace) -> int:
    config = config_from_args(args)
    config.make_folders()
    keys.make_demo_keys(config.keys)
    return _show(args)


def _show(args: argparse.Namespace) -> int:
    config = config_from_args(args)
    found = keys.public_keys(config.keys)
    if args.json:
        print(json.dumps([asdict(key) for key in found.values()]))
        return 0
    for key in found.values():
        print(f"{key.name:<12} {key.label:<6} {key.public}")
    return 0
