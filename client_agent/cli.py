"""``agent enrol | sync | run | status | doctor``: exit 0 done, 1 could not be done, 2 called or set up wrongly.

Heavy modules are imported inside the commands, so that ``--help`` and a refusal answer at once.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from client_agent.config import DEFAULT_POLL_S, DEFAULT_PORT
from client_agent.errors import AgentError

log = logging.getLogger(__name__)
DEFAULT_DATA = "data/agent"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. Errors are one line on stderr."""
    options = _parser().parse_args(arguments)
    _log(options.log_level)
    try:
        code: int = options.command(options)
        return code
    except AgentError as error:
        _say_error(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def _log(level: str) -> None:
    """To stderr; a command that runs once stays quiet but for errors. A child process does as its parent does."""
    level = os.environ.get("YUANBO_LOG", level)
    logging.basicConfig(
        level=level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("tuf").setLevel(logging.WARNING)


def _say_error(message: str) -> None:
    sys.stderr.write(f"yuanbo agent: {' '.join(message.split())}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="yuanbo agent",
        description="接收站终端：验证、下载、播放、上报 / the agent of a receiving station",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    enrol = _command(commands, "enrol", _enrol, "用注册码注册本终端 / enrol this terminal with a code, once")
    enrol.add_argument("--server", required=True, metavar="URL", help="管理平台网址 / the console's URL")
    enrol.add_argument("--code", required=True, help="注册码 / the code, XXXX-XXXX-XXXX-XXXX")
    sync = _command(commands, "sync", _sync, "验证、下载、上报一遍后退出 / one pass, then exit")
    _add_sources(sync)
    run = _command(commands, "run", _run, "持续运行并提供电视页面 / keep running and serve the TV page")
    _add_sources(run)
    run.add_argument("--port", type=int, default=DEFAULT_PORT, help="电视页面端口 / port of the TV page")
    run.add_argument("--host", default="127.0.0.1", help=argparse.SUPPRESS)
    run.add_argument(
        "--poll",
        type=_seconds,
        default=os.environ.get("YUANBO_AGENT_POLL", str(DEFAULT_POLL_S)),
        metavar="SECONDS",
        help="检查新发布的间隔（秒） / how often to look for a new publication",
    )
    _command(commands, "status", _status, "已存、已验证、能否播出 / what is stored, verified and ready")
    _command(commands, "doctor", _doctor, "说明哪里不对、怎么办 / what is wrong and what to do about it")
    child = _command(commands, "_refresh", _refresh, None)
    child.add_argument("--first", default=None)
    _add_sources(child)
    return parser


def _command(commands: Any, name: str, function: Any, help_text: str | None) -> argparse.ArgumentParser:
    shown = {"help": help_text, "description": help_text} if help_text else {}
    parser: argparse.ArgumentParser = commands.add_parser(name, **shown)
    default = os.environ.get("YUANBO_AGENT_DATA", DEFAULT_DATA)
    parser.add_argument(
        "--data", type=Path, default=Path(default), metavar="DIR", help="数据目录 / data folder"
    )
    parser.add_argument("--json", action="store_true", help="输出 JSON / print JSON")
    parser.set_defaults(command=function, log_level="INFO" if name == "run" else "ERROR")
    return parser


def _add_sources(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--source",
        action="append",
        default=[],
        metavar="URL",
        help="另一个内容来源，内容照样逐块核对 / another address of the read plane; all it gives is verified",
    )


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.1 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError("0.1 … 86400")
    return seconds


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def _enrol(options: argparse.Namespace) -> int:
    from client_agent.config import AgentPaths
    from client_agent.enrol import enrol

    paths = AgentPaths(options.data)
    paths.prepare()
    with paths.lock():
        body = enrol(options.server, options.code, paths)
    if options.json:
        _print_json(
            {
                "terminal": body.terminal,
                "station": body.station,
                "station_name": body.station_name,
                "region": body.region,
            }
        )
    else:
        sys.stdout.write(
            f"已注册为 {body.station_name}（{body.region}） / enrolled, terminal {body.terminal}\n"
        )
    return 0


def _sync(options: argparse.Namespace) -> int:
    from client_agent.agent import open_agent
    from client_agent.sync import sync_once

    with open_agent(options.data, extra_sources=options.source) as agent, agent.paths.lock():
        summary = sync_once(agent)
    if options.json:
        _print_json(summary.as_json())
    else:
        sys.stdout.write(summary.as_text() + "\n")
    if summary.ok:
        return 0
    _say_error(summary.as_error())
    return 1


def _run(options: argparse.Namespace) -> int:
    from client_agent.agent import open_agent
    from client_agent.run import run

    with open_agent(options.data, extra_sources=options.source) as agent, agent.paths.lock():
        return run(agent, host=options.host, port=options.port, poll_s=options.poll)


def _status(options: argparse.Namespace) -> int:
    from client_agent.agent import open_agent
    from client_agent.status import status, status_text

    with open_agent(options.data) as agent:
        found = status(agent)
    if options.json:
        _print_json(found)
    else:
        sys.stdout.write(status_text(found) + "\n")
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from client_agent.agent import open_agent
    from client_agent.status import findings, status

    with open_agent(options.data) as agent:
        found = findings(status(agent))
    if options.json:
        _print_json({"findings": found})
    else:
        sys.stdout.write("\n".join(found or ["一切正常 / all is well"]) + "\n")
    return 1 if found else 0


def _refresh(options: argparse.Namespace) -> int:
    """The child process of a pass: the only place where tuf is loaded. Prints a RefreshSummary as JSON."""
    from client_agent.agent import open_agent
    from client_agent.refresh import refresh

    try:
        with open_agent(options.data, extra_sources=options.source) as agent:
            _print_json(refresh(agent, options.first).as_json())
    except AgentError as error:
        _print_json({"problems": [str(error)]})  # the parent says it
        return error.exit_code
    return 0
