"""A look at the screen: only on a signed command, once, of the set alone; the set says so, or a fault says why not."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import threading
import time
from datetime import timedelta

import pytest

from client_agent import devtools
from client_agent.book import Book
from client_agent.documents import DocumentTable
from client_agent.evidence import Evidence
from client_agent.health import HealthPace
from client_agent.kiosk import Kiosk
from client_agent.mpv import Mpv
from client_agent.refresh import refresh
from client_agent.reporting import open_outbox, open_tv
from client_agent.screen import ScreenFailed
from client_agent.screenshot import WAIT_S, Eye, Looks
from protocol import names
from protocol.batch import EvidenceKind
from protocol.documents import Command, Commands, decode
from protocol.times import DAY_MS, ms_to_text
from tests.client_agent.station import TERMINAL, Station
from tests.client_agent.test_run import eventually
from tests.conftest import BROWSERS

JPEG = b"\xff\xd8\xff\xe0" + bytes(2_000)
OTHER = "01890000-0000-7000-8000-00000000000f"
HOUR = 3_600_000


def command(
    now_ms: int, n: int = 1, *, terminal: str = TERMINAL, do: str = "screenshot", from_ms: int = 0
) -> Command:
    return Command(
        id=f"01890000-0000-7000-8000-{n:012d}", terminals=[terminal], do=do, at=ms_to_text(now_ms + from_ms),
        until=ms_to_text(now_ms + from_ms + DAY_MS),
    )  # fmt: skip


class Room:
    """A terminal's looks, with an eye that the test holds and a clock of its own."""

    def __init__(self, terminal) -> None:
        self.agent = terminal
        self.outbox = open_outbox(terminal)
        self.book = Book(terminal.paths.book)
        now = lambda: terminal.clock.now_ms()[0]  # noqa: E731
        self.evidence = Evidence(terminal.paths.evidence, self.book, self.outbox, now)
        self.eye = Eye()
        self.mono_s = 0.0
        self.begin()

    def begin(self) -> None:
        self.looks = Looks(
            self.agent, self.book, self.evidence, self.outbox, self.eye, mono_s=lambda: self.mono_s
        )

    def faults(self) -> list[str]:
        return [r.text for r in self.outbox.records() if getattr(r, "code", "") == "screenshot_unavailable"]

    def close(self) -> None:
        self.outbox.close()
        self.book.close()


@pytest.fixture
def room(terminal):
    made = Room(terminal)
    yield made
    made.close()


def told(province, terminal, *commands: Command) -> None:
    province.commands(*commands)
    province.publish()
    assert refresh(terminal).complete


def test_a_signed_command_is_carried_out_once(province, terminal, room):
    told(province, terminal, command(province.now_ms))
    room.looks.tick()
    room.looks.tick()
    name = room.eye.wanted
    assert not room.eye.bring("0" * 32, JPEG)
    assert room.eye.bring(name, JPEG)
    room.looks.tick()
    (kept,) = room.evidence.unsent()
    assert (kept.what, kept.session, room.eye.looks) == (
        EvidenceKind.SCREENSHOT,
        command(0).id,
        1,
    )
    room.begin()
    for _ in range(3):
        room.looks.tick()
    assert room.eye.wanted is None, "not again after a restart"


def test_a_set_that_shows_nothing_says_so(province, terminal, room):
    told(province, terminal, command(province.now_ms))
    room.looks.tick()
    room.looks.tick()
    room.mono_s = WAIT_S + 1
    room.looks.tick()
    (text,) = room.faults()
    assert text.startswith(command(0).id)
    assert (room.eye.wanted, room.eye.looks) == (None, 0)


def test_a_screen_of_our_own_gives_its_picture_or_its_reason_at_once(province, terminal, room):
    said = []
    room.eye.take, room.eye.say = (lambda: JPEG), lambda: said.append("looked")
    told(province, terminal, command(province.now_ms, 1), command(province.now_ms, 2))
    room.looks.tick()
    assert (len(room.evidence.unsent()), said) == (1, ["looked"])

    def dark() -> bytes:
        raise ScreenFailed("mpv is gone")

    room.eye.take = dark
    room.looks.tick()
    assert [text.partition(": ")[2] for text in room.faults()] == ["mpv is gone"]


@pytest.mark.parametrize(
    "changed",
    [{"terminal": OTHER}, {"do": "reboot"}, {"from_ms": -2 * DAY_MS}, {"from_ms": 3 * HOUR}],
    ids=["another terminal", "an unknown deed", "yesterday's", "tomorrow's"],
)
def test_what_is_not_for_here_and_now_is_passed_over(province, terminal, room, changed):
    told(province, terminal, command(province.now_ms, **changed))
    for _ in range(3):
        room.looks.tick()
    assert room.eye.wanted is None
    assert room.book.rows("SELECT * FROM commands") == []


def test_what_is_no_picture_is_not_kept(province, terminal, room):
    told(province, terminal, command(province.now_ms))
    room.looks.tick()
    room.looks.tick()
    room.eye.bring(room.eye.wanted, b"<svg/>")
    room.looks.tick()
    assert room.evidence.unsent() == []
    assert len(room.faults()) == 1


def test_commands_run_out_with_their_role_and_everything_else_goes_on(province, terminal, machine):
    province.expires[names.COMMAND] = timedelta(hours=24)
    told(province, terminal, command(province.now_ms))
    table = DocumentTable(terminal.database)
    assert len(table.read(names.COMMAND_TARGET, Commands).items) == 1
    machine.pass_time(30 * HOUR)
    province.sign_timestamp(hours=30)
    done = refresh(terminal)
    assert (done.complete, done.problems) == (True, [])
    assert table.read(names.COMMAND_TARGET, Commands) is None


def test_a_province_that_never_commanded_has_no_such_role(province, terminal):
    province.publish()
    assert refresh(terminal).complete
    assert decode(b'{"v":1,"serial":1}', Commands).items == []


# --- handing it in ------------------------------------------------------------------------------------------------------
@pytest.fixture
def server(tmp_path):
    agent = Station(tmp_path / "station", time.time_ns() // 1_000_000).open()
    outbox = open_outbox(agent)
    _, server = open_tv(agent, outbox, 0)
    server.start()
    yield server
    server.stop()
    outbox.close()
    agent.close()


def put(server, path: str, body: bytes, host: str = "") -> int:
    address = server.url.removeprefix("http://").rstrip("/")
    line = http.client.HTTPConnection(address, timeout=10)
    line.request("PUT", path, body=body, headers={"Host": host or address})
    status = line.getresponse().status
    line.close()
    return status


def test_only_a_picture_that_was_asked_for_is_taken(server):
    eye = server.parts.eye
    assert put(server, f"/api/screen/{'0' * 32}", JPEG) == 403
    name = eye.want()
    assert put(server, f"/api/screen/{name}", JPEG, host="evil.example") == 421
    assert put(server, f"/api/screen/{name}", b"x" * 400_001) == 413
    assert put(server, "/api/screen/../state", JPEG) == 404
    assert put(server, f"/api/screen/{name}", JPEG) == 201
    assert put(server, f"/api/screen/{name}", JPEG) == 403
    assert eye.brought() == JPEG


# --- real screens -------------------------------------------------------------------------------------------------------
@pytest.fixture
def chromium_path() -> str:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    assert found is not None, "Chromium is not on PATH: apt install chromium"
    return found


def test_the_kiosks_real_browser_gives_a_picture_over_its_own_pipe(server, tmp_path, chromium_path):
    words = [
        chromium_path, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
        "--window-size=1920,1080", server.url,
    ]  # fmt: skip
    assert devtools.speaks_devtools(words)
    kiosk = Kiosk(words, server.url, look_s=0.3)
    stop = threading.Event()
    thread = threading.Thread(target=kiosk.run, args=(stop,), daemon=True)
    thread.start()
    try:
        eventually(lambda: (server.parts.data.alive()["page_seen_ms_ago"] or 10**9) < 3_000, 40)
        eye = server.parts.eye
        eye.want()
        found: list[bytes] = []
        eventually(lambda: found.append(eye.brought() or b"") or bool(found[-1]), 40)
    finally:
        stop.set()
        thread.join(20)
    assert found[-1].startswith(b"\xff\xd8\xff")
    assert len(found[-1]) <= 400_000
    assert size_of(found[-1])[0] <= devtools.WIDTH
    if folder := os.environ.get("YUANBO_TEST_PICTURES"):
        (tmp_path.__class__(folder) / "look-kiosk.jpg").write_bytes(found[-1])


def size_of(jpeg: bytes) -> tuple[int, int]:
    """(width, height) as the frame header says."""
    at = 2
    while jpeg[at + 1] not in (0xC0, 0xC1, 0xC2):
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4])
    return int.from_bytes(jpeg[at + 7 : at + 9]), int.from_bytes(jpeg[at + 5 : at + 7])


def test_a_browser_without_a_pipe_is_started_as_it_is():
    assert not devtools.speaks_devtools(["/usr/bin/firefox", "--kiosk"])
    assert devtools.speaks_devtools(["/usr/bin/cage", "-s", "--", "/usr/bin/chromium", "--kiosk"])


def test_a_browser_that_ends_or_is_silent_gives_no_picture(monkeypatch):
    monkeypatch.setattr(devtools, "ANSWER_S", 0.2)
    for words in (["/bin/true"], ["/bin/sleep", "5"]):
        ends = devtools.with_pipe(
            words if words[0] == "/bin/true" else ["/bin/sh", "-c", "sleep 5", "chromium"]
        )
        process = subprocess.Popen(ends.command, pass_fds=ends.passed)
        ends.close_theirs()
        pipe = devtools.Pipe(ends.tell, ends.hear)
        with pytest.raises(devtools.NoPicture):
            pipe.picture("http://127.0.0.1/")
        pipe.close()
        process.kill()
        process.wait()


def test_real_mpv_gives_a_picture_of_what_it_shows(tmp_path):
    screen = Mpv(tmp_path, "http://127.0.0.1:9", more_options=("--vo=null", "--ao=null"))
    screen.start()
    try:
        screen.slate("正定站")
        eventually(lambda: takes(screen), 20)
        picture = screen.picture()
        screen.say_looked()
    finally:
        screen.stop()
    assert picture.startswith(b"\xff\xd8\xff")
    assert not (tmp_path / "look.jpg").exists()
    with pytest.raises(ScreenFailed):
        screen.picture()


def takes(screen: Mpv) -> bool:
    try:
        return bool(screen.picture())
    except ScreenFailed:
        return False


# --- telling how things are at once ---------------------------------------------------------------------------------------
def test_news_is_told_soon_but_no_more_than_once_a_minute():
    news = [(1, 0, 4)]
    pace = HealthPace(0.0, fraction=lambda: 0.5)

    def due(now_s: float) -> bool:
        return pace.is_due(now_s, lambda: news[0])

    assert not due(19.0)
    assert due(20.0)
    assert not due(21.0)
    news[0] = (2, 1, 4)
    assert not due(31.0)
    assert not due(79.0)
    assert due(80.0), "a minute after the one before"
    news[0] = (2, 4, 4)
    assert not due(200.0)
    assert due(207.5)
    assert not due(207.5 + 3_599)
    assert due(207.5 + 3_600), "hourly when nothing happens"
