"""``yuanbo up``: commands that compose several rooms."""

from __future__ import annotations

import argparse
from typing import Any

from server.config import DEFAULT_PORT


def register(nouns: Any) -> None:
    up = nouns.add_parser("up", help="整个平台在本机运行 / the whole platform on this machine")
    up.add_argument("--port", type=int, default=DEFAULT_PORT, help="N console, N+1 read plane, N+2 TV")
    up.add_argument("--no-demo", action="store_true", help="no demonstration programmes and station")
    _data(up)
    up.set_defaults(run=_up)


def _data(parser: argparse.ArgumentParser) -> None:
    from pathlib import Path

    parser.add_argument("--data", type=Path, help="data folder (YUANBO_DATA, else ./data)")


def _up(args: argparse.Namespace) -> int:
    from server.console import up

    return up.run(args.data, args.port, demo=not args.no_demo)
