"""``yuanbo <noun> <verb>``: the command line of the server side.

Exit status 0 done, 1 refused or failed, 2 wrong usage or a machine that cannot serve. Errors are one line on stderr.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

from server.config import Config, load
from server.errors import UsageError, YuanboError

COMMAND_ROOMS = ("console", "identity", "stations", "catalog", "transcode", "schedule", "publish")
"""Rooms whose ``commands.register(subparsers)`` adds nouns."""
MORE_COMMANDS = (
    "catalog.protection_commands",
    "catalog.review_commands",
    "stations.line_commands",
)
"""Modules beside a room's commands that do the same."""


def add_data_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help="data folder (YUANBO_DATA, else ./data)")


def config_from_args(args: argparse.Namespace) -> Config:
    """The local installation a command's arguments name."""
    return load(args.data)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="yuanbo",
        description="远播：从省平台到村站点电视 / from the provincial platform to the village TV",
        epilog="另有 / also: yuanbo agent, test, check, bench",
    )
    nouns = parser.add_subparsers(dest="noun", required=True, metavar="COMMAND")
    for room in COMMAND_ROOMS:
        import_module(f"server.{room}.commands").register(nouns)
    for name in MORE_COMMANDS:
        import_module(f"server.{name}").register(nouns)
    return parser


def main(argv: list[str] | None = None) -> int:
    args = build_parser().parse_args(argv)
    try:
        return args.run(args) or 0
    except UsageError as error:
        return _fail(error, 2)
    except YuanboError as error:
        return _fail(error, 1)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1


def _fail(error: YuanboError, status: int) -> int:
    print(f"yuanbo: {error.text()}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
