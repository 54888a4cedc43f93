"""The station's picture by a real mpv: the line at its place, no gap between items, choices, emergencies, a stuck player."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from client_agent.mpv import Door, Mpv
from client_agent.projector import Projector, remembered
from client_agent.reporting import open_outbox, open_tv
from client_agent.screen import ScreenFailed, View
from protocol.documents import Emergency, EmergencyItem
from protocol.times import ms_to_text
from tests.client_agent.station import REGION, Station
from tests.client_agent.test_run import free_port as find_free_port
from tests.media_made import clip

HEADLESS = ("--vo=null", "--ao=null", "--hwdec=no", "--force-window=no")
STEP_S = 0.05
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Three clips of eight seconds that can be told apart by their pitch alone; mpv tells them apart by name."""
    folder = tmp_path_factory.mktemp("clips")
    return [clip(folder / f"{number}.mp4", seconds=8, pitch=220 * number) for number in (1, 2, 3)]


@dataclass
class Room:
    """A village room: agent, TV server and mpv."""

    station: Station
    agent: object
    projector: Projector
    screen: Mpv
    outbox: object
    player: object

    def until(self, true, seconds=15.0) -> float:
        """Tick until it holds; how long that took."""
        began = time.monotonic()
        while not true():
            assert time.monotonic() - began < seconds, f"never came true; {self.projector.view}"
            self.projector.tick()
            time.sleep(STEP_S)
        return time.monotonic() - began

    def position(self) -> int | None:
        try:
            return self.screen.heard().position_ms
        except ScreenFailed:
            return None

    def plays(self, view: View) -> bool:
        return self.projector.view is view and (self.position() or 0) > 0

    @property
    def release(self) -> str:
        return self.projector._shown.picture.release if self.projector._shown else ""


@pytest.fixture
def room(tmp_path, request, films):
    opened = []

    def open_room(arrange) -> Room:
        station = Station(tmp_path / "station", to_ms_now())
        made = [station.add(f"节目{n}", "agriculture", 8_000, data) for n, data in enumerate(films, 1)]
        arrange(station, made)
        station.publish()
        agent = station.open()
        outbox = open_outbox(agent)
        player, server = open_tv(agent, outbox, 0)
        server.start()
        volume, captions = remembered(agent.database)
        screen = Mpv(
            agent.paths.data, server.url, volume=volume, captions=captions, more_options=HEADLESS,
            remember=lambda name, value: agent.database.set_setting(name, str(value)),
        )  # fmt: skip
        projector = Projector(
            screen, agent.guide, server.parts.data, player, server.parts.now_ms, lambda: "正定站"
        )
        opened.append((screen, server, player, outbox, agent))
        return Room(station, agent, projector, screen, outbox, player)

    yield open_room
    for screen, server, player, outbox, agent in opened:
        screen.stop()
        server.stop()
        player.stop()
        outbox.close()
        agent.close()


def to_ms_now() -> int:
    return time.time_ns() // 1_000_000


def test_the_line_is_joined_at_its_place_and_goes_on_to_the_next_item_without_a_gap(room):
    def evening(station, made):
        station.place(made[0], -2)
        station.place(made[1], 6, duration_s=4)
        station.place(made[2], 10, duration_s=2)

    village = room(evening)
    first, _, third = village.station.programmes
    village.until(lambda: village.plays(View.PROGRAMME), seconds=20)
    assert village.release == first.release
    due_ms = village.station.now_ms - 2_000
    assert abs(village.position() - (village.agent.clock.now_ms()[0] - due_ms)) < 2_500
    village.until(lambda: village.projector._shown.behind is not None)
    last_ms, gaps = time.monotonic(), []
    position = None
    while village.release != third.release:
        village.projector.tick()
        heard = village.position()
        if heard is not None and heard != position:
            gaps.append(time.monotonic() - last_ms)
            last_ms, position = time.monotonic(), heard
        time.sleep(0.02)
        assert time.monotonic() - last_ms < 5
    assert max(gaps[1:]) < 0.5
    village.until(lambda: village.plays(View.SLATE) or village.projector.view is View.SLATE, seconds=15)
    village.player.stop()
    assert village.outbox.length() >= 2, "what was seen is accounted for"


def test_a_player_that_hangs_or_dies_is_begun_anew_and_joins_the_line_where_it_is(room):
    village = room(lambda station, made: station.place(made[0], -1, duration_s=8))
    village.projector._watchdog = type(village.projector._watchdog)(1_500)
    village.until(lambda: village.plays(View.PROGRAMME), seconds=20)
    before = village.screen.pid
    os.kill(before, signal.SIGKILL)
    village.until(lambda: village.screen.pid not in (None, before) and village.plays(View.PROGRAMME))
    hung = village.screen.pid
    os.kill(hung, signal.SIGSTOP)
    try:
        village.until(lambda: village.screen.pid not in (None, hung))
    finally:
        with suppress(ProcessLookupError):
            os.kill(hung, signal.SIGKILL)


def test_a_number_on_the_remote_chooses_a_programme_and_an_emergency_interrupts_and_returns(room):
    def arrange(station, made):
        station.place(made[0], -1)
        station.emergency = Emergency(
            serial=1,
            items=[
                EmergencyItem(
                    id="e", starts_at=ms_to_text(station.now_ms + 4_000),
                    ends_at=ms_to_text(station.now_ms + 6_000), regions=[REGION[:2]], ref=station.ref(made[2]),
                )
            ],
        )  # fmt: skip

    village = room(arrange)
    _, chosen, flood = village.station.programmes
    village.until(lambda: village.plays(View.PROGRAMME), seconds=20)
    village.screen._link.pressed.put("2")
    village.until(lambda: village.plays(View.CHOSEN))
    assert village.release == chosen.release
    village.until(lambda: (village.position() or 0) > 500)
    village.until(lambda: village.plays(View.EMERGENCY))
    assert village.release == flood.release
    stood = village.projector._choice.position_ms
    village.until(lambda: village.plays(View.CHOSEN))
    village.until(lambda: (village.position() or 0) >= stood - 300)
    assert village.position() < stood + 4_000, "it goes on where it stood"
    village.screen._link.pressed.put("back")
    village.until(lambda: village.projector.view in (View.PROGRAMME, View.SLATE))


def test_volume_and_captions_are_remembered(room):
    village = room(lambda station, made: station.place(made[0], -1))
    village.until(lambda: village.plays(View.PROGRAMME), seconds=20)
    village.screen._tell(["add", "volume", -15])
    village.screen._tell(["set_property", "sub-visibility", False])
    village.until(lambda: remembered(village.agent.database) == (65.0, False))


def test_without_the_program_the_screen_says_so_and_the_agent_goes_on(room, monkeypatch):
    monkeypatch.setenv("YUANBO_MPV", "no-such-player")
    village = room(lambda station, made: station.place(made[0], -1))
    village.projector.tick()
    village.projector.tick()
    assert village.projector.view is View.DARK
    assert village.projector.restarts == 1


def test_after_a_power_cut_the_picture_is_back_within_twenty_seconds_at_the_place_of_the_line(
    tmp_path, films
):
    station = Station(tmp_path / "station", to_ms_now())
    second = station.add("现在", "agriculture", 8_000, films[1])
    station.place(second, -1, duration_s=8)
    for step in range(1, 6):
        station.place(second, -1 + 8 * step, duration_s=8)
    station.publish()
    station.open().close()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "YUANBO_MPV_OPTIONS": " ".join(HEADLESS)}
    words = [sys.executable, "-m", "client_agent", "run", "--screen", "mpv", "--data", str(station.folder)]
    words += ["--port", str(find_free_port())]
    for turn in ("first start", "after the cut"):
        began = time.monotonic()
        agent = subprocess.Popen(
            words, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        try:
            while (position := asked_of_mpv(station.folder, "time-pos")) is None:
                assert time.monotonic() - began < 20, turn
                time.sleep(0.1)
            assert 0 <= position <= 9
            assert agent.poll() is None
        finally:
            os.killpg(agent.pid, signal.SIGKILL)  # the power goes: agent and mpv at once
            agent.wait()


def asked_of_mpv(folder, name):
    """A property of the mpv that an agent runs, by a second connection; None while it says nothing."""
    door = Door(folder)
    try:
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as link:
            link.settimeout(1)
            link.connect(door.ours)
            link.sendall(json.dumps({"command": ["get_property", name], "request_id": 77}).encode() + b"\n")
            for line in link.makefile("rb"):
                said = json.loads(line)
                if said.get("request_id") == 77:
                    return said.get("data")
    except (OSError, ValueError):
        return None
    return None


def test_a_data_folder_may_lie_deeper_than_a_sockets_path_may_be_long(tmp_path):
    deep = tmp_path / ("深" * 30) / ("处" * 30)
    deep.mkdir(parents=True)
    screen = Mpv(deep, "http://127.0.0.1:9/", more_options=HEADLESS)
    screen.start()
    try:
        assert screen.is_alive()
        assert asked_of_mpv(deep, "volume") == 80.0
    finally:
        screen.stop()
