"""The whole demonstration with everything real: films drawn, encoded, signed, fetched by a village. Takes minutes."""

from __future__ import annotations

import json
import signal
import socket
from collections import Counter
from pathlib import Path

import pytest
import urllib3

from server.console import films
from tests.flow.province import Province, wait_until

pytestmark = [pytest.mark.full, pytest.mark.flow, pytest.mark.timeout(1800)]
PATIENCE_S = 1200


def up_until(province: Province, reached: str) -> None:
    """Kill `up` outright once its output has this text."""
    log = province.data.parent / "up.log"
    before = log.stat().st_size if log.exists() else 0
    province.launch()
    wait_until(lambda: reached in log.read_text("utf-8")[before:], reached, PATIENCE_S)
    province.stop(signal.SIGKILL)
    wait_until(lambda: all(is_free(province.port + more) for more in range(3)), "its children to end")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_the_demonstration_survives_two_kills_and_a_village_plays_it(tmp_path: Path, free_ports: int):
    province = Province(tmp_path / "data", free_ports, arguments=())
    try:
        up_until(province, "节目制作 1/6")
        up_until(province, "✓ 已转码并通过三审")
        province.start(PATIENCE_S)
        programmes = province.get("province_editor", "/programmes")["items"]
        assert Counter(item["title"] for item in programmes) == {
            info.title: 1 for info in (*films.FILMS, films.CLIP)
        }
        assert {item["state"] for item in programmes} == {"released"}
        assert len(province.get("province_editor", "/slots")["items"]) == 23
        (station,) = province.get("county_office", "/stations")["items"]
        assert station["id"] == province.ready["station"]
        assert len(station["terminals"]) == 1
        state = json.loads(urllib3.request("GET", province.ready["tv"] + "api/state").data)
        assert state["play"]["title"] in {item["title"] for item in programmes}
        assert province.stop() == 0
    finally:
        if province.process is not None and province.process.poll() is None:
            province.stop(signal.SIGKILL)
