"""A province, its source and a terminal with a clock of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from client_agent.agent import Agent, open_agent
from client_agent.clock import Clock, Reading
from client_agent.config import AgentPaths
from client_agent.database import Database
from client_agent.refresh import refresh
from client_agent.sync import Syncer
from protocol.keys import new_private_key, public_text
from tests.client_agent.repository import NOON_MS, REGION, Province, Source


class Machine:
    """A machine whose RTC and boots are the test's to set."""

    def __init__(self) -> None:
        self.reading = Reading("boot-1", 1_000_000, NOON_MS)

    def __call__(self) -> Reading:
        return self.reading

    def pass_time(self, ms: int) -> None:
        old = self.reading
        self.reading = Reading(old.boot, old.mono_ms + ms, old.rtc_ms + ms)

    def reboot(self, boot: str, rtc_ms: int) -> None:
        self.reading = Reading(boot, 5_000, rtc_ms)

    def set_rtc(self, rtc_ms: int) -> None:
        self.reading = replace(self.reading, rtc_ms=rtc_ms)


def make_terminal(
    data: Path, province: Province, read: list[str], machine: Machine | None = None, region: str = REGION
) -> Agent:
    """An enrolled terminal, as the exchange would have left it, with the province's first root."""
    paths = AgentPaths(data)
    paths.prepare()
    database = Database(paths.database)
    private = new_private_key()
    receipt_keys = json.dumps([public_text(province.receipt_private)])
    with database.transaction():
        database.execute(
            "INSERT INTO identity VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                private,
                public_text(private),
                "01890000-0000-7000-8000-000000000001",
                "01890000-0000-7000-8000-000000000002",
                "正定站",
                region,
                "http://127.0.0.1:9/api/v1",
                json.dumps(read),
                None,
                receipt_keys,
                "incarnation-1",
            ),
        )
        database.execute("INSERT INTO roots VALUES (1, ?)", (province.roots[0],))
        Clock(database, machine or Machine()).hear_server_time(province.now_ms)
    database.close()
    return open_agent(data, machine or Machine())


def take(terminal: Agent) -> None:
    """A whole pass in this process: verify, plan, fetch."""
    refresh(terminal)
    syncer = Syncer(terminal)
    done = syncer.download(*syncer.plan())
    syncer.close()
    assert done.failed == {}


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def province(tmp_path: Path) -> Province:
    return Province(tmp_path / "province")


@pytest.fixture
def source(province: Province) -> Iterator[Source]:
    with Source(province.folder) as serving:
        yield serving


@pytest.fixture
def terminal(tmp_path: Path, province: Province, source: Source, machine: Machine) -> Iterator[Agent]:
    with make_terminal(tmp_path / "terminal", province, [source.url], machine) as agent:
        yield agent
