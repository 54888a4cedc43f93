"""From an upload to the village TV and back, with server and agent as real processes."""

from __future__ import annotations

import hashlib
import json
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.conftest import find_three_free_ports
from tests.flow.province import Province, environment, run_command, wait_until

pytestmark = [pytest.mark.flow, pytest.mark.timeout(400)]

CLIP = Path(__file__).resolve().parents[1] / "media" / "bigbuckbunny.mp4"
VILLAGE = "130123105201"


def publish_programme(province: Province) -> dict[str, Any]:
    """Upload, three reviews, a slot that is on air now, a publication. Returns the programme."""
    programme = province.command(
        "province_editor",
        "catalog",
        "add",
        str(CLIP),
        "--title",
        "大雄兔",
        "--section",
        "文化娱乐",
        "--wait",
        "--json",
    ).json
    edition = programme["id"]
    province.command("province_editor", "catalog", "submit", edition, "--json").json  # noqa: B018 -- asserts success
    for stage, role in (
        ("first", "first_reviewer"),
        ("second", "second_reviewer"),
        ("final", "final_reviewer"),
    ):
        reviewed = province.command(
            role, "catalog", "review", edition, "--stage", stage, "--approve", "--json"
        )
        assert reviewed.status == 0, reviewed.err
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    put = province.command(
        "province_editor",
        "schedule",
        "put",
        "--region",
        "13",
        "--at",
        soon,
        "--programme",
        programme["id"],
        "--json",
    )
    assert put.status == 0, put.err
    published = province.command("province_admin", "publish", "--json")
    assert published.status == 0, published.err
    return programme


def enrol(province: Province, agent: Path) -> None:
    invited = province.command(
        "province_admin", "station", "add", "--region", VILLAGE, "--name", "曲阳桥村站", "--json"
    ).json
    enrolled = run_command(
        "client_agent",
        "enrol",
        "--server",
        province.ready["console"],
        "--code",
        invited["code"],
        "--data",
        str(agent),
    )
    assert enrolled.status == 0, enrolled.err


def start_agent(agent: Path, port: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "client_agent",
            "run",
            "--data",
            str(agent),
            "--port",
            str(port),
            "--poll",
            "1",
        ],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=(agent / "run.log").open("ab"),
        stderr=subprocess.STDOUT,
    )

    def answers() -> bool:
        assert process.poll() is None, (agent / "run.log").read_text("utf-8")
        try:
            return urllib3.request("GET", f"http://127.0.0.1:{port}/api/state", retries=False).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    wait_until(answers, "the TV page")
    return process


def on_shelf(tv: str, title: str) -> str | None:
    """The release of a programme in the TV's library."""
    sections = urllib3.request("GET", f"{tv}/api/library").json()["sections"]
    return next((p["release"] for s in sections for p in s["programmes"] if p["title"] == title), None)


def begin(tv: str, release: str) -> dict[str, Any]:
    answer = urllib3.request("POST", f"{tv}/api/plays", json={"mode": "library", "release": release})
    assert answer.status == 201, answer.data
    return answer.json()


def counted_ms(province: Province) -> int:
    """What the database holds of all viewing."""
    with closing(sqlite3.connect(province.data / "yuanbo.sqlite")) as database:
        return int(database.execute("SELECT sum(played_ms) FROM viewing_facts").fetchone()[0])


def watch(tv: str, release: str, seconds: int) -> None:
    """Play from the library like the TV page does: start a play, then report positions as they advance."""
    play = begin(tv, release)
    for second in range(seconds + 1):
        state = "playing" if second < seconds else "ended"
        answer = urllib3.request(
            "POST",
            f"{tv}/api/positions",
            json={"play": play["play"], "position_ms": second * 1000, "state": state},
        )
        assert answer.status in (200, 204), answer.data
        if second < seconds:
            time.sleep(1.0)


def test_the_bytes_played_at_the_station_are_the_bytes_signed_at_the_province(
    province: Province, tmp_path: Path, free_port: int
) -> None:
    programme = publish_programme(province)
    renditions = {r["profile"]: r for r in programme["renditions"]}
    assert renditions, programme

    agent = tmp_path / "agent"
    enrol(province, agent)
    synced = run_command("client_agent", "sync", "--data", str(agent), "--json")
    assert synced.status == 0, synced.err
    status = run_command("client_agent", "status", "--data", str(agent), "--json").json
    assert status["ready"] is True, status

    running = start_agent(agent, free_port)
    tv = f"http://127.0.0.1:{free_port}"
    try:
        release = on_shelf(tv, "大雄兔")
        assert release is not None
        url = begin(tv, release)["url"]
        profile = Path(url).stem
        played = urllib3.request("GET", tv + url).data
        assert hashlib.sha256(played).hexdigest() == renditions[profile]["sha256"]
        assert len(played) == renditions[profile]["bytes"]

        # The province goes away while somebody watches, and comes back.
        assert province.stop(signal.SIGKILL) == -signal.SIGKILL
        watch(tv, release, 3)
        province.start()
        assert province.ready["accounts"][0]["role"] == "province_admin"

        def told() -> list[dict[str, Any]]:
            answer = province.get("province_admin", "/stats/viewing", region="13")
            return [row for row in answer["programmes"] if row["title"] == "大雄兔"]

        (row,) = wait_until(told, "the viewing to be reported")
        assert row["sessions"] == 1
        assert row["played_minutes"] > 0
        assert counted_ms(province) == pytest.approx(3_000, abs=1_000)
    finally:
        running.terminate()
        running.wait(timeout=10)


def test_a_flipped_byte_in_a_stored_file_is_never_served(
    province: Province, tmp_path: Path, free_port: int
) -> None:
    programme = publish_programme(province)
    agent = tmp_path / "agent"
    enrol(province, agent)
    assert run_command("client_agent", "sync", "--data", str(agent), "--json").status == 0
    stored = [p for p in (agent / "media" / "m").iterdir() if p.stat().st_size > 50_000]
    assert stored
    for path in stored:
        with path.open("r+b") as file:
            file.seek(20_000)
            byte = file.read(1)
            file.seek(20_000)
            file.write(bytes([byte[0] ^ 1]))
    hashes = {r["sha256"] for r in programme["renditions"]}
    running = start_agent(agent, free_port)
    tv = f"http://127.0.0.1:{free_port}"
    try:
        release = on_shelf(tv, "大雄兔")
        assert release is not None

        def whole() -> bool:
            """Refused at first, fetched again from the province, then served whole: never the flipped byte."""
            asked = urllib3.request("POST", f"{tv}/api/plays", json={"mode": "library", "release": release})
            if asked.status != 201:
                return False
            try:
                answer = urllib3.request("GET", tv + asked.json()["url"], retries=False, timeout=10)
            except urllib3.exceptions.HTTPError:
                return False
            if answer.status != 200:
                return False
            assert hashlib.sha256(answer.data).hexdigest() in hashes, "unverified bytes were served"
            return True

        wait_until(whole, "the piece to be fetched again")
    finally:
        running.terminate()
        running.wait(timeout=10)


def test_a_file_that_is_no_media_is_refused_with_its_name_and_reason(
    province: Province, tmp_path: Path
) -> None:
    for name, content in (("说明.mp4", b"not a film at all" * 100), ("空.mp4", b"")):
        path = tmp_path / name
        path.write_bytes(content)
        added = province.command(
            "province_editor",
            "catalog",
            "add",
            str(path),
            "--title",
            "坏文件",
            "--section",
            "文化娱乐",
            "--wait",
            "--json",
        )
        assert added.status == 1
        assert added.err.count("\n") == 1
        assert name in added.err
        assert "Traceback" not in added.err


def published(province: Province) -> int:
    """The version of the served snapshot."""
    timestamp = json.loads((province.data / "read" / "r" / "metadata" / "timestamp.json").read_text("utf-8"))
    return int(timestamp["signed"]["meta"]["snapshot.json"]["version"])


def test_a_second_up_on_the_same_folder_continues_and_stops_when_asked(province: Province) -> None:
    accounts, before = province.ready["accounts"], published(province)
    assert province.stop(signal.SIGINT) == 0
    province.start()
    assert province.ready["accounts"] == accounts
    assert published(province) == before


def test_an_up_with_other_ports_tells_the_terminals_of_them(province: Province) -> None:
    before = published(province)
    assert province.stop() == 0
    province.port = find_three_free_ports()
    province.start()
    assert published(province) > before


def test_up_says_in_one_line_what_is_in_its_way(province: Province, tmp_path: Path) -> None:
    port_taken = run_command(
        "server.cli", "up", "--data", str(tmp_path / "other"), "--port", str(province.port)
    )
    assert (port_taken.status, port_taken.err.count("\n")) == (2, 1)
    assert str(province.port) in port_taken.err
    assert not (tmp_path / "other").exists()

    (tmp_path / "file").write_text("")
    not_a_folder = run_command("server.cli", "up", "--data", str(tmp_path / "file"), "--port", "1")
    assert not_a_folder.status == 2
