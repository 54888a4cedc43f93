"""``yuanbo schedule export``: a region's listing as a file."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from server import client
from server.errors import UsageError, YuanboError
from server.i18n import N_

FORMATS = ("xmltv", "ics", "m3u", "rss", "json", "pdf", "png", "txt")
_BINARY = ("pdf", "png")


def register(verbs: Any) -> None:
    """Add the verb to ``yuanbo schedule``."""
    export = verbs.add_parser(
        "export",
        help="the listing as XMLTV, iCalendar, M3U, RSS, JSON, poster, picture, 口播稿",
        description="What was published for a region, from today (or --day); --draft: as the rules stand now.",
    )
    export.add_argument("--region", required=True, help="region code, e.g. 130123105201")
    export.add_argument("--days", type=int, default=7, help="1 to 14 (7)")
    export.add_argument("--day", help="the first day, 2026-12-05 (today)")
    export.add_argument("--format", required=True, choices=FORMATS)
    export.add_argument("--paper", choices=("A4", "A3"), default="A4", help="of a pdf (A4)")
    export.add_argument("--draft", action="store_true", help="what publishing now would show")
    export.add_argument("-o", "--output", type=Path, help="a file (standard output)")
    client.add_arguments(export)
    export.set_defaults(run=_export)


def _export(args: argparse.Namespace) -> int:
    if args.output is None and args.format in _BINARY and sys.stdout.isatty():
        raise UsageError(N_("%(format)s 请用 -o 写入文件"), format=args.format)
    data = client.from_args(args).download(
        "/api/v1/listings/export",
        region=args.region,
        format=args.format,
        day=args.day,
        days=args.days,
        paper=args.paper,
        draft="true" if args.draft else None,
    )
    if args.output is None:
        sys.stdout.buffer.write(data)
        if args.format == "txt":
            sys.stdout.buffer.write(b"\n")
        sys.stdout.buffer.flush()
        return 0
    _write_whole(args.output, data)
    if args.json:
        print(
            json.dumps(
                {"file": str(args.output), "bytes": len(data), "format": args.format}, ensure_ascii=False
            )
        )
    return 0


def _write_whole(path: Path, data: bytes) -> None:
    """The file appears whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(data)
        os.replace(beside, path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise YuanboError(N_("写不了文件 %(file)s：%(reason)s"), file=path, reason=error.strerror) from error
