"""``yuanbo publish`` (over HTTP) and ``yuanbo keys …`` (on this machine)."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from server import client
from server.cli import add_data_argument, config_from_args
from server.publish import keys


def register(nouns: Any) -> None:
    publish = nouns.add_parser("publish", help="签名发布 / sign and publish what is released and scheduled")
    client.add_arguments(publish)
    publish.set_defaults(run=_publish)
    verbs = nouns.add_parser("keys", help="签名密钥 / signing keys").add_subparsers(
        required=True, metavar="VERB"
    )
    init = verbs.add_parser("init", help='make the keys that are missing, labelled "demo"')
    show = verbs.add_parser("show", help="public keys and what they are fit for")
    for verb, run in ((init, _init), (show, _show)):
        add_data_argument(verb)
        verb.add_argument("--json", action="store_true", help="print JSON")
        verb.set_defaults(run=run)


def _publish(args: argparse.Namespace) -> int:
    answer = client.from_args(args).post("/api/v1/publications")
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
