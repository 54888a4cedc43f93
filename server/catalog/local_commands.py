"""``yuanbo catalog reindex`` and ``harvest``: commands of the catalogue that work on an installation's own database."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from server import clock
from server.catalog import search_index
from server.catalog.feeds_harvest import Harvester
from server.catalog.feeds_models import FeedSource
from server.catalog.service import known_id
from server.config import Config, load
from server.db import Database
from server.errors import NotFound, UsageError
from server.i18n import N_


def register(verbs: Any) -> None:
    reindex = verbs.add_parser("reindex", help="build the search anew, e.g. after places were renamed")
    reindex.add_argument("--data", type=Path, help="data folder (YUANBO_DATA, else ./data)")
    reindex.add_argument("--json", action="store_true", help="print JSON for a program")
    reindex.set_defaults(run=_reindex)
    harvest = verbs.add_parser(
        "harvest", help="harvest the partner feeds whose time has come, or one, at once"
    )
    harvest.add_argument("source", nargs="?", help="id of a feed; without it all that are due")
    harvest.add_argument("--data", type=Path, help="data folder (YUANBO_DATA, else ./data)")
    harvest.add_argument("--json", action="store_true", help="print JSON for a program")
    harvest.set_defaults(run=_harvest)


def _reindex(args: argparse.Namespace) -> int:
    start = time.monotonic()
    with installation(args.data) as (_config, database), database.write() as session:
        count = search_index.rebuild(session)
    took = time.monotonic() - start
    if args.json:
        print(json.dumps({"programmes": count, "seconds": round(took, 3)}))
    else:
        print(f"已重建搜索：{count} 个节目，{took:.1f} 秒")
    return 0


def _harvest(args: argparse.Namespace) -> int:
    """Exit status 1 when a feed could not be read."""
    with installation(args.data) as (config, database):
        harvester = Harvester(config, database)
        if args.source is None:
            done = harvester.run_due()
        else:
            with database.write() as session:
                source = session.get(FeedSource, known_id(args.source))
                if source is None:
                    raise NotFound(N_("没有这个来源"))
                source.next_at = min(source.next_at, clock.now())
            done = [harvester.run_now(source.id)]
    if args.json:
        print(json.dumps({"items": [asdict(one) for one in done]}, ensure_ascii=False))
    else:
        for one in done:
            print(
                f"{one.source}  新 {one.found}  送审 {one.taken}  已有 {one.known}  未接受 {one.refused}  {one.error or ''}"
            )
        if not done:
            print("没有到时间的来源", file=sys.stderr)
    return 1 if any(one.error for one in done) else 0


@contextmanager
def installation(data: Path | None) -> Iterator[tuple[Config, Database]]:
    """The installation in a data folder, with its database open. Raises UsageError where there is none."""
    config = load(data)
    if config.database_url.startswith("sqlite") and not (config.data / "yuanbo.sqlite").is_file():
        raise UsageError(N_("%(data)s 里没有安装好的远播"), data=config.data)
    with closing(Database(config.database_url)) as database:
        yield config, database
