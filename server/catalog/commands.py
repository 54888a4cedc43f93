"""``yuanbo catalog …``: adding programmes and reviewing them through the HTTP API."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from server import client
from server.catalog import collection_commands, importing, local_commands, sheets
from server.catalog.sending import send_file
from server.client import ApiClient
from server.errors import UsageError, YuanboError
from server.i18n import N_

POLL_S = 0.5
ENDED = ("done", "refused", "failed", "cancelled")
_BAR = 24


class MediaRefused(YuanboError):
    """The file was not accepted, or could not be encoded."""

    status = 422
    code = "refused"
    title = N_("文件未被接受")


def register(nouns: Any) -> None:
    verbs = nouns.add_parser("catalog", help="节目库 / add, review and list programmes").add_subparsers(
        required=True, metavar="VERB"
    )
    _register_add(verbs)
    _register_import(verbs)
    collection_commands.register(verbs, _verb)
    submit = _verb(verbs, "submit", "hand in for the first review", _submit)
    submit.add_argument("id", help="of the programme or of its edition")
    submit.add_argument("--urgent", metavar="REASON", help="call whoever is on duty: 15 minutes a stage")
    review = _verb(verbs, "review", "decide at one of the three reviews", _review)
    review.add_argument("id", help="of the programme or of its edition")
    review.add_argument("--stage", required=True, choices=["first", "second", "final"])
    decision = review.add_mutually_exclusive_group(required=True)
    decision.add_argument("--approve", action="store_true")
    decision.add_argument("--return", dest="approve", action="store_false", help="needs --comment")
    review.add_argument("--comment", default="")
    review.add_argument("--code", help="one-time code of the phone; an urgent review needs it")
    withdraw = _verb(verbs, "withdraw", "take an edition out for good", _withdraw)
    withdraw.add_argument("id", help="of the programme or of its edition")
    withdraw.add_argument("--reason", default="")
    show = _verb(verbs, "show", "one programme with its editions", _show)
    show.add_argument("id", help="of the programme or of its edition")
    listing = _verb(verbs, "list", "programmes one may see, newest first", _list)
    for name in ("section", "department", "region", "state", "q"):
        listing.add_argument(f"--{name}")
    local_commands.register(verbs)


def _register_add(verbs: Any) -> None:
    add = _verb(verbs, "add", "upload a file as a new programme", _add)
    add.add_argument("file", type=Path)
    add.add_argument("--title", required=True)
    add.add_argument("--section", required=True, help="slug or name, e.g. kepu or 科普健康")
    add.add_argument("--department", help="slug or name of the contributing department")
    add.add_argument("--region", help="region code the programme belongs to (one's own)")
    add.add_argument("--summary", default="")
    add.add_argument("--rights-source", default="", help="where it comes from")
    add.add_argument("--rights-licence", default="")
    add.add_argument("--wait", action="store_true", help="until it is encoded or refused")


def _register_import(verbs: Any) -> None:
    text = "批量导入 / import a folder or disc with a list (xlsx, csv); again at any time without doubles"
    bulk = _verb(verbs, "import", text, _import)
    bulk.add_argument("folder", type=Path, nargs="?", metavar="DIR")
    bulk.add_argument("--dry-run", action="store_true", help="only say what each row would become")
    bulk.add_argument("--sheet", type=Path, help="the list, where the folder holds several or none")
    bulk.add_argument("--section", help="no list: every film and disc of the folder into this section")
    bulk.add_argument(
        "--template", type=Path, metavar="FILE", help="write an empty list (.xlsx or .csv) and end"
    )


def _verb(verbs: Any, name: str, text: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text)
    client.add_arguments(parser)
    parser.set_defaults(run=run)
    return parser


# --- add --------------------------------------------------------------------------------------------------------------
def _add(args: argparse.Namespace) -> int:
    api = client.from_args(args)
    meter = Meter(args.file.name)
    sent = send_file(api, args.file, meter.sent)
    job = sent["asset"]["job"]
    _check(args, job, {"title": args.title, "job": job, "renditions": [], **sent})
    programme = api.post(
        "/api/v1/programmes",
        {
            "title": args.title,
            "section": args.section,
            "department": args.department,
            "region": args.region,
            "summary": args.summary,
            "upload": sent["upload"],
            "rights": {"source": args.rights_source, "licence": args.rights_licence},
        },
    )
    if args.wait:
        programme = wait_encoded(api, programme["id"], meter)
        _check(args, programme["job"], programme)
    _print(args, programme)
    return 0


def wait_encoded(api: ApiClient, programme_id: str, meter: Meter | None = None) -> dict[str, Any]:
    """The programme once its newest edition's encoding ended, well or not."""
    while True:
        programme: dict[str, Any] = api.get(f"/api/v1/programmes/{programme_id}")
        job = programme["job"]
        if meter:
            meter.encoding(job["progress"])
        if job["state"] in ENDED:
            if meter:
                meter.end()
            return programme
        time.sleep(POLL_S)


def _check(args: argparse.Namespace, job: dict[str, Any], whole: dict[str, Any]) -> None:
    """Raises MediaRefused when the file was refused or failed; for programs the whole answer goes out before."""
    if job["state"] == "done" or job["state"] not in ENDED:
        return
    if args.json:
        _dump(whole)
    error = job.get("error") or {}
    raise MediaRefused("%(reason)s", code=error.get("code"), reason=error.get("text") or job["state"])


class Meter:
    """Progress in the terminal, on stderr: a bar where somebody watches, nothing where nobody does."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._is_shown = sys.stderr.isatty()

    def sent(self, done: int, size: int) -> None:
        self._draw("上传", done * 100 // size)

    def encoding(self, percent: int) -> None:
        self._draw("转码", percent)

    def end(self) -> None:
        if self._is_shown:
            print(file=sys.stderr)

    def _draw(self, doing: str, percent: int) -> None:
        if not self._is_shown:
            return
        full = percent * _BAR // 100
        bar = "█" * full + "░" * (_BAR - full)
        print(f"\r{doing} {bar} {percent:3} %  {self._name}", end="", file=sys.stderr, flush=True)


# --- import -----------------------------------------------------------------------------------------------------------
def _import(args: argparse.Namespace) -> int:
    if args.template:
        args.template.write_bytes(
            sheets.template("csv" if args.template.suffix.lower() == ".csv" else "xlsx")
        )
        return 0
    if args.folder is None:
        raise UsageError(N_("请给出要导入的文件夹，或用 --template 写出空的清单"))
    done = importing.import_folder(
        client.from_args(args),
        args.folder,
        sheet=args.sheet,
        section=args.section,
        dry_run=args.dry_run,
        say=(lambda _text: None) if args.json else print,
    )
    counts = {state: done.count(state) for state in ("new", "created", "exists", "bad", "failed")}
    if args.json:
        _dump({"dry_run": args.dry_run, "items": done.rows, "counts": counts})
    else:
        print("  ".join(f"{state} {count}" for state, count in counts.items() if count))
    return 0 if done.is_clean else 1


# --- the other verbs --------------------------------------------------------------------------------------------------
def _submit(args: argparse.Namespace) -> int:
    if not args.urgent:
        return _moved(args, "submit", {})
    edition = client.from_args(args).post(f"/api/v1/editions/{args.id}/submit")
    args.id = edition["id"]
    return _moved(args, "urgent", {"reason": args.urgent})


def _review(args: argparse.Namespace) -> int:
    decision = {"stage": args.stage, "approve": args.approve, "comment": args.comment}
    if args.code:
        decision["code"] = args.code
    return _moved(args, "reviews", decision)


def _withdraw(args: argparse.Namespace) -> int:
    return _moved(args, "withdraw", {"reason": args.reason})


def _moved(args: argparse.Namespace, move: str, content: dict[str, Any]) -> int:
    edition = client.from_args(args).post(f"/api/v1/editions/{args.id}/{move}", content)
    if args.json:
        _dump(edition)
    else:
        print(f"{edition['id']}  {edition['state']}")
    return 0


def _show(args: argparse.Namespace) -> int:
    _print(args, client.from_args(args).get(f"/api/v1/programmes/{args.id}"))
    return 0


def _list(args: argparse.Namespace) -> int:
    filters = {name: getattr(args, name) for name in ("section", "department", "region", "state", "q")}
    found = client.from_args(args).pages("/api/v1/programmes", **filters)
    if args.json:
        _dump({"items": list(found), "next": None})
        return 0
    for programme in found:
        number = programme["number"] or "-"
        print(f"{programme['id']}  {number!s:>4}  {programme['state']:<13} {programme['title']}")
    return 0


def _print(args: argparse.Namespace, programme: dict[str, Any]) -> None:
    if args.json:
        _dump(programme)
        return
    print(f"{programme['id']}  {programme['state']}  {programme['title']}")
    for rendition in programme["renditions"]:
        size = f"{rendition['width']}×{rendition['height']}"
        print(
            f"  {rendition['profile']:<5} {size:<10} {rendition['bitrate'] // 1000:>5} kbit/s "
            f"{rendition['duration_ms'] / 1000:8.1f} s {rendition['bytes']:>12} B  {rendition['sha256']}"
        )
    if not programme["renditions"]:
        print(f"  {programme['job']['state']} {programme['job']['progress']} %")


def _dump(content: Any) -> None:
    json.dump(content, sys.stdout, ensure_ascii=False)
    print()
