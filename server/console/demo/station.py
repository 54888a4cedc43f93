"""The village station of the demonstration: 曲阳桥村 in 正定县, with one agent on this machine.

The enrolment code is kept until the agent has enrolled: the same key and code asking again hear the same answer, so a
kill between the province's answer and its arrival leaves no second terminal.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from server.client import ApiClient
from server.console.demo.errors import DemoFailed
from server.i18n import N_
from server.readplane import write_whole
from server.supervisor import die_with_parent

if TYPE_CHECKING:
    from server.console.demo import Desk

ROOT = Path(__file__).resolve().parents[3]
REGION, NAME = "130123105201", "曲阳桥村站点"
COMMAND_WITHIN_S = 300
SAY_EVERY_S = 4.0


def enrol(desk: Desk) -> str:
    """The station with its agent enrolled and its first programmes fetched; returns the station's id."""
    api = desk["county_office"]
    station = _station(api)
    agent = desk.config.data / "agent"
    if not _is_enrolled(desk, agent):
        code = _code(desk, api, station)
        _agent(desk, "enrol", agent, "--server", desk.config.console_url, "--code", code)
        desk.say(f"✓ 村站点已注册：正定县{NAME} / the village station is enrolled")
    write_whole(agent / "station", f"{station}\n".encode())
    (desk.folder / "code").unlink(missing_ok=True)
    _agent(desk, "sync", agent, "--json")
    desk.say("✓ 站点已核验并下载节目 / the station verified and fetched its programmes")
    return station


def _station(api: ApiClient) -> str:
    stations = [s for s in api.pages("/api/v1/stations", region=REGION) if s["name"] == NAME]
    if stations:
        return str(stations[0]["id"])
    return str(api.post("/api/v1/stations", {"region": REGION, "name": NAME, "kind": "village"})["id"])


def _code(desk: Desk, api: ApiClient, station: str) -> str:
    path = desk.folder / "code"
    if not path.exists():
        code = api.post(f"/api/v1/stations/{station}/invitations")["code"]
        write_whole(path, code.encode(), mode=0o600)
    return path.read_text("utf-8")


def _is_enrolled(desk: Desk, agent: Path) -> bool:
    if not (agent / "agent.sqlite").exists():
        return False
    done = _run(desk, ["status", "--data", str(agent), "--json"])
    if done.returncode != 0:
        return False
    status: dict[str, Any] = json.loads(done.stdout)
    return bool(status.get("terminal"))


def _agent(desk: Desk, verb: str, agent: Path, *words: str) -> None:
    """Run an agent command to its end. Raises DemoFailed with its words, Stopped."""
    done = _run(desk, [verb, "--data", str(agent), *words])
    if done.returncode != 0:
        said = done.stderr.strip().rpartition("\n")[2]
        raise DemoFailed(N_("站点终端没有准备好：%(reason)s"), reason=said)


def _run(desk: Desk, words: list[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "client_agent", *words]
    # An orphan would hold the agent's folder when we are started again.
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509 -- we have no threads when children start
    )
    deadline = time.monotonic() + COMMAND_WITHIN_S
    try:
        while True:
            try:
                out, err = process.communicate(timeout=SAY_EVERY_S)
                return subprocess.CompletedProcess(command, process.returncode, out, err)
            except subprocess.TimeoutExpired:
                desk.go_on()
                if time.monotonic() > deadline:
                    raise
                desk.say("… 村站点正在下载并核验节目 / the station is fetching and verifying")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
