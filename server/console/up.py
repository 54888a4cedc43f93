"""``yuanbo up``: the whole platform on this machine, from an empty folder to a playing village TV.

The steps, each safe to repeat after a kill at any moment:

    check → folders → migrations → region tree, sections, departments, channel, accounts → keys and first publication
          → processes (console, read plane, worker, clock) → demo (unless --no-demo) → station agent → ready.json
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import urllib3

from server import clock
from server.config import Config, load
from server.db import Database
from server.errors import UsageError
from server.i18n import N_
from server.migrate import upgrade
from server.readplane import write_whole
from server.storage import open_store
from server.supervisor import Child, Supervisor

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parent.parent.parent
SPACE_NEEDED = 300_000_000
ANSWER_WITHIN_S = 60
ACCOUNTS_FILE = "accounts.json"
STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Ports:
    """N console and API, N+1 read plane, N+2 TV."""

    console: int

    @property
    def read(self) -> int:
        return self.console + 1

    @property
    def tv(self) -> int:
        return self.console + 2

    def all(self) -> tuple[int, int, int]:
        return self.console, self.read, self.tv


def say(text: str) -> None:
    """A line of progress for whoever watches the terminal."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 -- the terminal is the page


def run(data: Path | None, port: int, demo: bool) -> int:
    """Bring everything up and keep it running until a signal. Raises UsageError before anything is made."""
    config = _configured(load(data), Ports(port))
    ports = Ports(port)
    check_ports(ports)
    with ExitStack() as stack:
        stack.enter_context(_claimed(config))
        stop = _Stop()
        supervisor = Supervisor()
        stack.callback(supervisor.stop)
        (config.data / "ready.json").unlink(missing_ok=True)
        accounts = prepare(config)
        _start_server(supervisor, config, ports)
        _wait_for(f"{config.console_url}/readyz", supervisor, stop)
        _wait_for(f"{config.read_urls[0]}/r/metadata/timestamp.json", supervisor, stop)
        station = None
        if demo and not stop():
            station = _demo(config, accounts, supervisor, stop)
        if not stop():
            if (config.data / "agent" / "agent.sqlite").exists():
                _start_agent(supervisor, config, ports)
                _wait_for(f"http://127.0.0.1:{ports.tv}/api/state", supervisor, stop)
            announce(config, ports, accounts, station)
        supervisor.watch(stop)
        say("正在停止… / stopping")
    return 0


class _Stop:
    """True once a signal asked us to end."""

    def __init__(self) -> None:
        self._asked = False
        for number in STOPPING_SIGNALS:
            signal.signal(number, self._ask)

    def _ask(self, *_: object) -> None:
        self._asked = True

    def __call__(self) -> bool:
        return self._asked


def _configured(config: Config, ports: Ports) -> Config:
    return replace(
        config,
        console_url=os.environ.get("YUANBO_CONSOLE_URL", f"http://127.0.0.1:{ports.console}").rstrip("/"),
        read_urls=tuple(os.environ.get("YUANBO_READ_URLS", f"http://127.0.0.1:{ports.read}").split()),
    )


# --- checks, before anything is made ----------------------------------------------------------------------------------
def check_ports(ports: Ports) -> None:
    """Raises UsageError naming the first port that is taken."""
    for port in ports.all():
        if not 0 < port < 65_536:
            raise UsageError(N_("端口不对：%(port)s"), port=port)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise UsageError(
                    N_(
                        "端口 %(port)s 已被占用，请用 --port 换一个 / port %(port)s is in use, choose another with --port"
                    ),
                    port=port,
                ) from error


def _claimed(config: Config) -> ExitStack:
    """The folder is ours alone while we run. Raises UsageError: not writable, no space, already running."""
    stack = ExitStack()
    existed = config.data.exists()
    try:
        config.data.mkdir(parents=True, exist_ok=True)
        _check_space(config.data)
        config.make_folders()
        lock = stack.enter_context((config.run / "up.lock").open("a"))
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        stack.close()
        raise UsageError(N_("%(data)s 已在运行 / already running"), data=config.data) from error
    except OSError as error:
        stack.close()
        if not existed:
            shutil.rmtree(config.data, ignore_errors=True)
        if error.errno == errno.ENOSPC:
            raise UsageError(
                N_("%(data)s 所在磁盘空间不足，至少需要 %(need)s MB / not enough space, %(need)s MB needed"),
                data=config.data,
                need=SPACE_NEEDED // 1_000_000,
            ) from error
        raise UsageError(
            N_("%(data)s 不能写入：%(reason)s / cannot be written"), data=config.data, reason=error.strerror
        ) from error
    return stack


def _check_space(folder: Path) -> None:
    if shutil.disk_usage(folder).free < SPACE_NEEDED:
        raise OSError(errno.ENOSPC, "no space")


# --- what must exist before processes start -----------------------------------------------------------------------------
def prepare(config: Config) -> list[dict[str, str]]:
    """Migrations, seeds, keys, first publication. Returns the accounts with passwords and tokens."""
    from server.catalog import service as catalog
    from server.publish import service as publish
    from server.regions import service as regions
    from server.schedule import service as schedule

    upgrade(config.database_url)
    database = Database(config.database_url)
    try:
        with database.write() as session:
            if regions.import_tree(session):
                say("✓ 行政区划 / region tree")
            catalog.seed(session)
            schedule.seed(session)
        accounts = _accounts(config, database)
        publish.initialise(config, database, now=clock.now())
        _tell_new_addresses(config, database)
        say("✓ 数据库与密钥 / database and keys")
    finally:
        database.close()
    return accounts


def _tell_new_addresses(config: Config, database: Database) -> None:
    """Publish again when this start has other addresses than the last: terminals learn them only from network.json."""
    from server.publish import service as publish

    path = config.run / "addresses"
    addresses = "\n".join((config.console_url, *config.read_urls))
    known = path.read_text("utf-8") if path.exists() else addresses
    if known != addresses:
        publish.publish_changes(database, config, open_store(config), now=clock.now())
        say("✓ 地址有变，已重新发布 / addresses changed, published again")
    write_whole(path, addresses.encode())


def _accounts(config: Config, database: Database) -> list[dict[str, str]]:
    """One account per role, made once; what was generated is kept beside the keys."""
    from server.identity import service as identity

    path = config.keys / ACCOUNTS_FILE
    if path.exists():
        return json.loads(path.read_text("utf-8"))
    with database.write() as session:
        made = identity.ensure_accounts(session, now=clock.now())
        accounts = [
            {"role": role, "username": username, "password": password, "token": token}
            for role, username, password, token in made
        ]
        # Inside the transaction: accounts whose passwords nobody knows must not be committed.
        write_whole(path, json.dumps(accounts, ensure_ascii=False, indent=1).encode(), mode=0o600)
    return accounts


# --- processes ------------------------------------------------------------------------------------------------------------
def child_environment(config: Config) -> dict[str, str]:
    """What every child needs to find this installation."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "YUANBO_DATA": str(config.data),
        "YUANBO_CONSOLE_URL": config.console_url,
        "YUANBO_READ_URLS": " ".join(config.read_urls),
    }


def _gunicorn(name: str, application: str, port: int, workers: int, threads: int) -> list[str]:
    return [
        sys.executable, "-m", "gunicorn", application, "--name", f"yuanbo-{name}", "--bind", f"127.0.0.1:{port}",
        "--worker-class", "gthread", "--workers", str(workers), "--threads", str(threads), "--timeout", "120",
        "--graceful-timeout", "4", "--keep-alive", "15", "--no-control-socket", "--log-level", "warning",
    ]  # fmt: skip


def _start_server(supervisor: Supervisor, config: Config, ports: Ports) -> None:
    env = child_environment(config)

    def add(name: str, argv: list[str]) -> None:
        supervisor.add(Child(name, argv, env, config.logs / f"{name}.log"))

    add("read", _gunicorn("read", "server.readplane_process:create_app()", ports.read, 1, 8))
    add("web", _gunicorn("web", "server.app:create_app()", ports.console, 2, 4))
    add("worker", [sys.executable, "-m", "server.worker"])
    add("publisher", [sys.executable, "-m", "server.publisher_process"])
    add("clock", [sys.executable, "-m", "server.clock_process"])


def _start_agent(supervisor: Supervisor, config: Config, ports: Ports) -> None:
    argv = [
        sys.executable, "-m", "client_agent", "run", "--data", str(config.data / "agent"), "--port", str(ports.tv),
        "--source", config.read_urls[0],  # the ports may be others than those it enrolled with
    ]  # fmt: skip
    supervisor.add(Child("agent", argv, child_environment(config), config.logs / "agent.log"))


def _wait_for(url: str, supervisor: Supervisor, stop: Callable[[], bool]) -> None:
    pool = urllib3.PoolManager(retries=False, timeout=2)
    deadline = time.monotonic() + ANSWER_WITHIN_S
    while not stop():
        supervisor.check()
        try:
            if pool.request("GET", url).status == 200:
                return
        except urllib3.exceptions.HTTPError:
            pass
        if time.monotonic() > deadline:
            raise UsageError(N_("没有等到 %(url)s，请看 logs / no answer, see logs"), url=url)
        time.sleep(0.1)


def _demo(
    config: Config, accounts: list[dict[str, str]], supervisor: Supervisor, stop: Callable[[], bool]
) -> str | None:
    from server.console import demo

    def step(text: str) -> None:
        supervisor.check()
        say(text)

    return demo.build(config, accounts, say=step, is_stopping=stop)


# --- the end of the beginning -------------------------------------------------------------------------------------------------
def announce(config: Config, ports: Ports, accounts: list[dict[str, str]], station: str | None) -> None:
    """Write ``ready.json`` and print where everything is."""
    has_tv = (config.data / "agent" / "agent.sqlite").exists()
    ready = {
        "console": config.console_url,
        "api": f"{config.console_url}/api/v1",
        "docs": f"{config.console_url}/api/docs",
        "read_plane": config.read_urls[0],
        "tv": f"http://127.0.0.1:{ports.tv}/" if has_tv else None,
        "station": station or _known_station(config),
        "accounts": accounts,
    }
    write_whole(
        config.data / "ready.json", json.dumps(ready, ensure_ascii=False, indent=1).encode(), mode=0o600
    )
    lines = [
        "",
        f"  控制台 console     {ready['console']}",
        f"  接口   API         {ready['docs']}",
        f"  读面   read plane  {ready['read_plane']}",
    ]
    if has_tv:
        lines.append(f"  村电视 village TV  {ready['tv']}")
    lines += ["", "  帐号 accounts (ready.json):"]
    lines += [f"    {a['role']:<16} {a['username']:<18} {a['password']}" for a in accounts]
    print("\n".join(lines), flush=True)  # noqa: T201
    say("\n✓ 就绪，按 Ctrl-C 停止 / ready, Ctrl-C stops everything")


def _known_station(config: Config) -> str | None:
    path = config.data / "agent" / "station"
    return path.read_text("utf-8").strip() if path.exists() else None
