"""``yuanbo catalog course-…, topic-…, edition, subtitles, attach``: collections, new cuts and what goes beside them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from server import client
from server.catalog.sending import send_file
from server.errors import UsageError
from server.i18n import N_

Verb = Callable[[Any, str, str, Any], argparse.ArgumentParser]


def register(verbs: Any, verb: Verb) -> None:
    """Add the verbs to ``catalog``'s."""
    _register_collections(verbs, verb)
    edition = verb(verbs, "edition", "a new cut of a programme, a draft", _edition)
    edition.add_argument("id", help="of the programme")
    edition.add_argument("--file", type=Path, help="another source file (none: the newest edition's)")
    edition.add_argument("--recipe", help='JSON: {"in_ms", "out_ms", "removed", "intro", "outro"}')
    edition.add_argument("--reason", default="", help="why there is a new cut")
    for name, text in (("subtitles", "SRT, ASS or VTT beside a draft"), ("attach", "a PDF beside a draft")):
        beside = verb(verbs, name, text, _beside)
        beside.set_defaults(kind="subtitles" if name == "subtitles" else "attachments")
        beside.add_argument("id", help="of the programme or of its edition")
        beside.add_argument("file", type=Path)
        beside.add_argument("--title", default="", help="for people (the file's name)")
        beside.add_argument("--language", default="zh")


def _register_collections(verbs: Any, verb: Verb) -> None:
    for noun, text in (("course", "a series of programmes in order"), ("topic", "a promoted collection")):
        listing = verb(verbs, f"{noun}-list", f"{noun}s one may see, newest first", _list)
        listing.set_defaults(noun=noun)
        put = verb(verbs, f"{noun}-put", f"make or change {text}", _put)
        put.set_defaults(noun=noun)
        put.add_argument("--id", help="the one to change (none: a new one)")
        put.add_argument("--title")
        put.add_argument("--summary")
        put.add_argument("--region")
        put.add_argument("--programmes", nargs="*", metavar="ID", help="in order; replaces what was there")
        if noun == "topic":
            put.add_argument("--starts-at", dest="starts_at", help="RFC 3339, UTC")
            put.add_argument("--until", help="RFC 3339, UTC")
            put.add_argument("--regions", nargs="*", metavar="CODE", help="targets (none: all of the region)")
            put.add_argument("--required", action=argparse.BooleanOptionalAction, default=None)
    end = verb(verbs, "topic-end", "take a topic off before its time", _end)
    end.add_argument("id")


_SAID = ("title", "summary", "region", "programmes", "starts_at", "until", "regions", "required")


def _put(args: argparse.Namespace) -> int:
    said = {name: value for name in _SAID if (value := getattr(args, name, None)) is not None}
    api, path = client.from_args(args), f"/api/v1/{args.noun}s"
    _show(args, api.patch(f"{path}/{args.id}", said) if args.id else api.post(path, said))
    return 0


def _list(args: argparse.Namespace) -> int:
    found = list(client.from_args(args).pages(f"/api/v1/{args.noun}s"))
    if args.json:
        _dump({"items": found, "next": None})
        return 0
    for one in found:
        print(f"{one['id']}  {len(one['programmes']):>3}  {one['title']}")
    return 0


def _end(args: argparse.Namespace) -> int:
    _show(args, client.from_args(args).post(f"/api/v1/topics/{args.id}/end"))
    return 0


def _edition(args: argparse.Namespace) -> int:
    api, asked = client.from_args(args), {"reason": args.reason}
    if args.recipe is not None:
        try:
            asked["recipe"] = json.loads(args.recipe)
        except ValueError as error:
            raise UsageError(N_("--recipe 不是 JSON")) from error
    if args.file is not None:
        asked["upload"] = send_file(api, args.file)["upload"]
    made = api.post(f"/api/v1/programmes/{args.id}/editions", asked)
    _dump(made) if args.json else print(f"{made['id']}  {made['number']}  {made['state']}")
    return 0


def _beside(args: argparse.Namespace) -> int:
    try:
        data = args.file.read_bytes()
    except OSError as error:
        raise UsageError(N_("读不了文件 %(file)s"), file=args.file) from error
    asked = urlencode({"filename": args.file.name, "title": args.title, "language": args.language})
    api = client.from_args(args)
    edition = api.get(f"/api/v1/editions/{args.id}")["id"]
    changed = api.post_raw(f"/api/v1/editions/{edition}/{args.kind}?{asked}", data)
    _dump(changed) if args.json else print(f"{changed['id']}  {len(changed['files'])}")
    return 0


def _show(args: argparse.Namespace, one: dict[str, Any]) -> None:
    _dump(one) if args.json else print(f"{one['id']}  {one['title']}")


def _dump(content: Any) -> None:
    json.dump(content, sys.stdout, ensure_ascii=False)
    print()
