"""``yuanbo catalog reindex``: commands of the catalogue that work on an installation's own database."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from server.catalog import search_index
from server.config import Config, load
from server.db import Database
from server.errors import UsageError
from server.i18n import N_


def register(verbs: Any) -> None:
    reindex = verbs.add_parser("reindex", help="build the search anew, e.g. after places were renamed")
    reindex.add_argument("--data", type=Path, help="data folder (YUANBO_DATA, else ./data)")
    reindex.add_argument("--json", action="store_true", help="print JSON for a program")
    reindex.set_defaults(run=_reindex)


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


@contextmanager
def installation(data: Path | None) -> Iterator[tuple[Config, Database]]:
    """The installation in a data folder, with its database open. Raises UsageError where there is none."""
    config = load(data)
    if config.database_url.startswith("sqlite") and not (config.data / "yuanbo.sqlite").is_file():
        raise UsageError(N_("%(data)s 里没有安装好的远播"), data=config.data)
    with closing(Database(config.database_url)) as database:
        yield config, database
