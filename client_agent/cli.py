"""``agent enrol | sync | run | status | doctor | clock | line | people | kiosk | build``: exit 0 done, 1 could not be done, 2 called or set up wrongly.

Heavy modules are imported inside the commands, so that ``--help`` and a refusal answer at once.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
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
    run.add_argument(
        "--screen",
        choices=("page", "mpv"),
        default=os.environ.get("YUANBO_AGENT_SCREEN", "page"),
        help="谁放画面：浏览器打开的电视页面，或 mpv / who shows the picture: a browser with the TV page, or mpv",
    )
    run.add_argument(
        "--setup",
        action="store_true",
        help="未注册时在电视上显示注册页面 / while not enrolled, ask for the code on the screen",
    )
    run.add_argument(
        "--server",
        default=os.environ.get("YUANBO_SERVER", ""),
        metavar="URL",
        help="注册页面上的平台网址 / the console's URL that the first page begins with",
    )
    kiosk = _command(
        commands, "kiosk", _kiosk, "看护浏览器：页面没反应就重开 / run the browser, anew when its page hangs"
    )
    kiosk.add_argument("--url", default=f"http://127.0.0.1:{DEFAULT_PORT}/", help="电视页面 / the TV page")
    kiosk.add_argument(
        "browser", nargs="+", metavar="COMMAND", help="-- 浏览器命令 / the browser's command after --"
    )
    build = _command(commands, "build", _build, "制作安装包：wheel 与单文件 / packages of the agent alone")
    build.add_argument("--out", type=Path, default=Path("dist"), metavar="DIR", help="放在哪里 / where to")
    build.add_argument(
        "--no-font",
        dest="font",
        action="store_false",
        help="不带中文字体（约 40 MB），机器自带中文字体时用 / without the Chinese font, for machines that have one",
    )
    _command(commands, "status", _status, "已存、已验证、能否播出 / what is stored, verified and ready")
    _command(commands, "doctor", _doctor, "说明哪里不对、怎么办 / what is wrong and what to do about it")
    clock = _command(
        commands, "clock", _clock, "看时间，或在断网时手工设置 / the time; set by hand while offline"
    )
    clock.add_argument("--set", metavar="TIME", help="北京时间 / like 2026-11-22T19:00, Asia/Shanghai")
    line = _command(
        commands, "line", _line, "看或设线路：时段、限速、每月流量 / hours, rate and monthly cap of the line"
    )
    line.add_argument("--hours", metavar="FROM-TO", type=_hours, help="允许下载的时段 / like 22-6")
    line.add_argument(
        "--rate", metavar="KBIT", type=int, help="限速，千比特每秒，0 不限 / at most, in kbit/s; 0: any"
    )
    line.add_argument("--cap", metavar="GB", type=float, help="每月流量，0 不限 / a month at most; 0: any")
    line.add_argument("--province", action="store_true", help="恢复省里的设置 / as the province says again")
    people = _command(
        commands,
        "people",
        _people,
        "管理员 A/B：看、改名、忘了密码时清掉 / the two administrators, their names and PINs",
    )
    people.add_argument(
        "--reset",
        choices=("A", "B"),
        help="清掉密码，到电视上重新设 / take a PIN away: a new one is set on the TV",
    )
    people.add_argument("--name", nargs=2, metavar=("A|B", "NAME"), help="改名 / change a name")
    handover = _command(
        commands,
        "handover",
        _handover,
        "换机：把本站的记录写到U盘，或从U盘恢复 / take this station to a new device",
    )
    handover.add_argument(
        "deed", choices=("export", "restore"), help="写到U盘；从U盘恢复 / to, or from, a stick"
    )
    handover.add_argument("stick", type=Path, metavar="DIR", help="U盘的目录 / the stick's folder")
    handover.add_argument(
        "--phrase",
        default=os.environ.get("YUANBO_PHRASE", ""),
        help="恢复码，24 位数字 / the recovery phrase",
    )
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
    parser.set_defaults(command=function, log_level="INFO" if name in ("run", "kiosk") else "ERROR")
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


@contextmanager
def _locked(data: Path) -> Iterator[None]:
    """The folder for this process alone, where there is anything to hold. Raises DataInUse, NotEnrolled, UnusableData."""
    from client_agent.config import AgentPaths
    from client_agent.errors import NotEnrolled

    paths = AgentPaths(data)
    if not paths.database.exists() and not paths.vault.exists():
        raise NotEnrolled(f"{NotEnrolled.__doc__} ({data})")
    paths.prepare()
    with paths.lock():
        yield


def _sync(options: argparse.Namespace) -> int:
    from client_agent.agent import open_agent
    from client_agent.sync import sync_once

    with (
        _locked(options.data),
        open_agent(options.data, extra_sources=options.source, whole=True) as agent,
    ):
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

    if options.setup and not _enrol_on_screen(options):
        return 0

    with (
        _locked(options.data),
        open_agent(options.data, extra_sources=options.source, whole=True) as agent,
    ):
        return run(agent, host=options.host, port=options.port, poll_s=options.poll, screen=options.screen)


def _enrol_on_screen(options: argparse.Namespace) -> bool:
    """Serve the first page until this terminal is enrolled; False when it was asked to stop. Raises PortTaken."""
    from client_agent.config import AgentPaths

    paths = AgentPaths(options.data)
    if paths.vault.exists() or (paths.database.exists() and _has_identity(options.data)):
        return True
    from client_agent.first_run import serve_until_enrolled

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    paths.prepare()
    with paths.lock():
        return serve_until_enrolled(paths, options.server, options.host, options.port, stop)


def _has_identity(data: Path) -> bool:
    from client_agent.agent import open_agent
    from client_agent.errors import NotEnrolled

    try:
        open_agent(data).close()
    except NotEnrolled:
        return False
    return True


def _kiosk(options: argparse.Namespace) -> int:
    from client_agent.errors import UnusableData
    from client_agent.kiosk import Kiosk

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    try:
        Kiosk(options.browser, options.url).run(stop)
    except OSError as error:
        raise UnusableData(f"浏览器无法启动 / cannot start {options.browser[0]}: {error.strerror}") from error
    return 0


def _handover(options: argparse.Namespace) -> int:
    """While the agent is not running; while it runs, the television does the same."""
    from client_agent.agent import open_agent
    from client_agent.book import Book
    from client_agent.handover import export, restore
    from client_agent.reporting import open_evidence, open_outbox

    with _locked(options.data), open_agent(options.data, whole=True) as agent:
        outbox, book = open_outbox(agent), Book(agent.paths.book)
        try:
            evidence = open_evidence(agent, book, outbox)
            if options.deed == "export":
                written = export(agent, book, outbox, evidence, options.stick)
                done = {"phrase": written.phrase, "batches": written.batches, "evidence": written.evidence}
                said = f"{written.path}\n恢复码，请抄下来，只显示这一次 / write it down: {written.phrase}\n"
            else:
                taken = restore(agent, book, evidence, options.stick, options.phrase)
                done = vars(taken).copy()
                said = (
                    f"已恢复 / restored: 日志 {taken.log_lines}，名单 {taken.people}，待报 {taken.batches}\n"
                )
        finally:
            book.close()
            outbox.close()
    if options.json:
        _print_json(done)
    else:
        sys.stdout.write(said)
    return 0


def _build(options: argparse.Namespace) -> int:
    from client_agent.errors import UnusableData
    from client_agent.package import build_wheel, build_zipapp

    try:
        options.out.mkdir(parents=True, exist_ok=True)
        made = [build(options.out, with_font=options.font) for build in (build_wheel, build_zipapp)]
    except OSError as error:
        raise UnusableData(f"无法写入 / cannot write to {options.out}: {error.strerror}") from error
    if options.json:
        _print_json(
            [{"path": str(path), "bytes": path.stat().st_size, "sha256": _sha256(path)} for path in made]
        )
    else:
        sys.stdout.write("".join(f"{_sha256(path)}  {path}\n" for path in made))
    return 0


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


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
    from client_agent.desk.looked import log_findings
    from client_agent.status import findings, status

    with open_agent(options.data) as agent:
        found = findings(status(agent)) + log_findings(agent.paths)
    if options.json:
        _print_json({"findings": found})
    else:
        sys.stdout.write("\n".join(found or ["一切正常 / all is well"]) + "\n")
    return 1 if found else 0


def _clock(options: argparse.Namespace) -> int:
    from client_agent.agent import open_agent
    from client_agent.clock import NoSuchTime
    from protocol.times import SHANGHAI, from_ms, ms_to_text, to_ms

    with open_agent(options.data) as agent:
        if options.set is not None:
            try:
                moment = datetime.fromisoformat(options.set)
            except ValueError as error:
                raise NoSuchTime(f"时间写法不对 / not a time: {options.set}") from error
            agent.clock.set_by_hand(to_ms(moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)))
        now_ms, state = agent.clock.now_ms()
        shown_ms, shown = agent.clock.for_programmes()
    if options.json:
        _print_json(
            {
                "now": ms_to_text(now_ms),
                "state": state,
                "programme": ms_to_text(shown_ms),
                "programme_state": shown,
            }
        )
    else:
        sys.stdout.write(f"{from_ms(shown_ms).astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}  {state}\n")
    return 0


def _line(options: argparse.Namespace) -> int:
    from client_agent.agent import open_agent
    from client_agent.health import line_fields
    from client_agent.line_rules import LineRules

    with open_agent(options.data) as agent:
        rules = agent.line.rules
        if options.province:
            agent.line.set_rules(None)
        elif (options.hours, options.rate, options.cap) != (None, None, None):
            hours = options.hours or (rules.from_hour, rules.to_hour)
            rates = rules.bytes_a_second if options.rate is None else (max(0, options.rate) * 125,) * 24
            cap = rules.monthly_cap_bytes if options.cap is None else int(max(0.0, options.cap) * 10**9)
            agent.line.set_rules(LineRules(hours[0], hours[1], rates, cap))
        found = {
            **line_fields(agent, agent.clock.now_ms()[0]),
            "bytes_a_second": list(agent.line.rules.bytes_a_second),
        }
    if options.json:
        _print_json(found)
        return 0
    used, cap = found["month_bytes"] / 10**9, found["monthly_cap_bytes"] / 10**9
    sys.stdout.write(
        f"时段 / hours: {found['download_from_hour']}-{found['download_to_hour']}\n"
        f"本月已用 / this month: {used:.2f} GB{f' / {cap:.2f} GB' if cap else ''}\n"
        f"尚缺 / missing: {len(found['missing'])} ({found['missing_bytes'] / 10**6:.0f} MB)\n"
    )
    return 0


def _people(options: argparse.Namespace) -> int:
    from client_agent.desk.looked import people_command

    told = people_command(options.data, options.reset, options.name)
    if options.json:
        _print_json(told)
        return 0
    for one in told["people"]:
        pin = "有密码 / has a PIN" if one["pin"] else "密码待设 / PIN to be set on the TV"
        sys.stdout.write(f"{one['post']}  {one['name'] or '—'}  {pin}\n")
    if not told["people"]:
        sys.stdout.write("还没有管理员：在电视的“站务”里设 / none yet: they are set on the TV\n")
    return 0


def _hours(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,2})-(\d{1,2})", text)
    if found is None or not (0 <= int(found[1]) <= 23 and 1 <= int(found[2]) <= 24):
        raise argparse.ArgumentTypeError("0-24, 22-6, …")
    return int(found[1]), int(found[2])


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
