"""mpv as a screen, by its JSON IPC (mpv's manual, "JSON IPC"): one process, one socket, one reader thread.

mpv gets media from this agent on 127.0.0.1 and from nowhere else; it reads no configuration, runs no scripts and knows
only the keys given here. Volume and captions are told to whoever keeps them.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import queue
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

from client_agent.screen import Heard, ScreenFailed
from protocol.batch import EvidenceKind
from protocol.evidence import CAPS

log = logging.getLogger(__name__)
ANSWER_S = 3.0
LONGEST_SOCKET_PATH = 100
START_S = 10.0
STOP_S = 3.0
SLATE = "av://lavfi:color=c=0x10273f:s=1280x720:r=5"
VOLUME_STEP = 5
PICTURE = "look.jpg"
PICTURE_QUALITIES = (70, 45, 25)
LOOKED = "省里看了一眼屏幕"
LOOKED_MS = 3_000
_OBSERVED = ("time-pos", "pause", "paused-for-cache", "eof-reached", "volume", "sub-visibility")
_OPTIONS = (
    "--idle=yes", "--force-window=yes", "--fullscreen=yes", "--no-config", "--no-terminal", "--osc=no",
    "--input-default-bindings=no", "--input-builtin-bindings=no", "--load-scripts=no", "--ytdl=no", "--keep-open=yes",
    "--prefetch-playlist=yes", "--gapless-audio=weak", "--hwdec=auto-safe", "--cache=yes", "--demuxer-max-bytes=16MiB",
    "--demuxer-max-back-bytes=4MiB", "--cursor-autohide=always", "--stop-screensaver=yes", "--sub-auto=no",
    "--osd-level=0", "--msg-level=all=warn",
)  # fmt: skip
_KEYS = {
    **{str(digit): f"script-message key {digit}" for digit in range(10)},
    **{f"KP{digit}": f"script-message key {digit}" for digit in range(10)},
    "ESC": "script-message key back",
    "BS": "script-message key back",
    "ENTER": "script-message key pause",
    "UP": f"add volume {VOLUME_STEP}",
    "DOWN": f"add volume -{VOLUME_STEP}",
    "VOLUME_UP": f"add volume {VOLUME_STEP}",
    "VOLUME_DOWN": f"add volume -{VOLUME_STEP}",
    "MUTE": "cycle mute",
    "s": "cycle sub-visibility",
}


def find_mpv() -> str | None:
    """The program, or None."""
    return shutil.which(os.environ.get("YUANBO_MPV", "mpv"))


class Mpv:
    """A screen that is an mpv process. ``base_url`` is this agent's own server; ``remember`` is told of what a person
    set by the remote: ("volume" | "captions", value)."""

    def __init__(
        self,
        folder: Path,
        base_url: str,
        *,
        volume: float = 80.0,
        captions: bool = True,
        remember: Callable[[str, float], None] = lambda *_: None,
        more_options: Sequence[str] = (),
    ) -> None:
        self._folder = folder
        self._door = Door(folder)
        self._base = base_url.rstrip("/")
        self._volume = volume
        self._captions = captions
        self._remember = remember
        self._more = tuple(more_options)
        self._process: subprocess.Popen[bytes] | None = None
        self._link: _Link | None = None
        self._entry = 0
        self._on_slate = True

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    # --- its life -------------------------------------------------------------------------------------------------
    def start(self) -> None:
        """Raises ScreenFailed."""
        self.stop()
        program = find_mpv()
        if program is None:
            raise ScreenFailed("没有找到 mpv / mpv is not installed")
        _end_leftover(self._door.ours)
        keys = self._folder / "mpv-keys.conf"
        try:
            keys.write_text("".join(f"{key} {action}\n" for key, action in _KEYS.items()), "ascii")
            words = [*_OPTIONS, f"--input-ipc-server={self._door.its}", f"--input-conf={keys.resolve()}"]
            words += [f"--volume={self._volume:g}", f"--sub-visibility={'yes' if self._captions else 'no'}"]
            self._process = subprocess.Popen(
                [program, *words, *self._more], stdin=subprocess.DEVNULL, cwd=self._folder
            )
            self._link = _Link(_connect(self._door.ours, self._process))
            for number, name in enumerate(_OBSERVED, 1):
                self._link.ask(["observe_property", number, name])
        except (OSError, ScreenFailed) as error:
            self.stop()
            raise ScreenFailed(f"mpv: {error}") from error

    def stop(self) -> None:
        link, process, self._link, self._process = self._link, self._process, None, None
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if link is not None:
            link.close()  # last: its reader ends with the process, and closing under it would wait for it

    def is_alive(self) -> bool:
        return (
            self._process is not None
            and self._process.poll() is None
            and self._link is not None
            and self._link.is_open
        )

    # --- what it is told --------------------------------------------------------------------------------------------
    def show(self, path: str, start_ms: int, end_ms: int | None, subtitles: str | None) -> int:
        self._on_slate = False
        entry = self._load(path, "replace", start_ms, end_ms, subtitles)
        self._tell(["set_property", "pause", False])
        return entry

    def follow(self, path: str, start_ms: int, end_ms: int | None) -> int:
        self._tell(["playlist-clear"])
        return self._load(path, "append", start_ms, end_ms, None)

    def _load(self, path: str, how: str, start_ms: int, end_ms: int | None, subtitles: str | None) -> int:
        options = {"start": f"{start_ms / 1000:.3f}"}
        if end_ms is not None:
            options["end"] = f"{end_ms / 1000:.3f}"
        if subtitles is not None:
            options["sub-files"] = self._base + subtitles
        said = self._tell({"name": "loadfile", "url": self._base + path, "flags": how, "options": options})
        return int((said or {}).get("playlist_entry_id", 0))

    def move_on(self) -> None:
        self._tell(["playlist-next", "force"])

    def seek(self, position_ms: int) -> None:
        self._tell(["seek", position_ms / 1000, "absolute+exact"])

    def pause(self, paused: bool) -> None:
        self._tell(["set_property", "pause", paused])

    def slate(self, text: str) -> None:
        self._on_slate = True
        self._tell(["loadfile", SLATE, "replace"])
        self._write(1, f"{{\\an5\\fs44\\bord0\\1c&HF0F0F0&}}{_ass(text)}" if text else "")

    def caption(self, text: str) -> None:
        if not self._on_slate:
            self._write(1, "")
        self._write(2, f"{{\\an2\\fs30\\bord2}}{_ass(text)}" if text else "")

    def _write(self, place: int, text: str) -> None:
        kind = "ass-events" if text else "none"
        self._tell({"name": "osd-overlay", "id": place, "format": kind, "data": text, "res_y": 720})

    def picture(self) -> bytes:
        """A JPEG of what is shown, captions and words included where the output can give them. Raises ScreenFailed."""
        path = self._folder / PICTURE
        try:
            for quality in PICTURE_QUALITIES:
                self._tell(["set_property", "screenshot-jpeg-quality", quality])
                self._take_picture()
                data = path.read_bytes()
                if len(data) <= CAPS[EvidenceKind.SCREENSHOT]:
                    return data
            raise ScreenFailed("the picture is too large")
        except OSError as error:
            raise ScreenFailed(f"no picture: {error}") from error
        finally:
            path.unlink(missing_ok=True)

    def _take_picture(self) -> None:
        for how in ("window", "subtitles"):
            with suppress(ScreenFailed):
                self._tell(["screenshot-to-file", PICTURE, how])
                return
        self._tell(["screenshot-to-file", PICTURE, "video"])

    def say_looked(self) -> None:
        """For three seconds: somebody looked."""
        with suppress(ScreenFailed):
            self._tell(["show-text", LOOKED, LOOKED_MS])

    def _tell(self, command: Any) -> Any:
        if self._link is None:
            raise ScreenFailed("mpv is not running")
        return self._link.ask(command)

    # --- what it says -----------------------------------------------------------------------------------------------
    def heard(self) -> Heard:
        if self._link is None:
            raise ScreenFailed("mpv is not running")
        self._note_settings()
        known = self._link.known
        seconds = known.get("time-pos")
        return Heard(
            position_ms=None if seconds is None or self._on_slate else int(seconds * 1000),
            paused=bool(known.get("pause")) and not known.get("eof-reached"),
            stalled=bool(known.get("paused-for-cache")),
            ended=bool(known.get("eof-reached")),
            entry=self._link.entry,
        )

    def _note_settings(self) -> None:
        assert self._link is not None
        volume, captions = self._link.known.get("volume"), self._link.known.get("sub-visibility")
        if isinstance(volume, (int, float)) and volume != self._volume:
            self._volume = float(volume)
            self._remember("volume", self._volume)
        if isinstance(captions, bool) and captions != self._captions:
            self._captions = captions
            self._remember("captions", float(captions))

    def pressed(self) -> list[str]:
        found: list[str] = []
        while self._link is not None:
            try:
                found.append(self._link.pressed.get_nowait())
            except queue.Empty:
                break
        return found


def _ass(text: str) -> str:
    """Plain text inside an ASS event: no tags, no drawing."""
    return text.replace("\\", "\\\u200b").replace("{", "\\{").replace("\n", "\\N")


# --- the line to it -----------------------------------------------------------------------------------------------------
class _Link:
    """Requests and their answers, and what mpv tells of itself."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._numbers = itertools.count(1)
        self._answers: dict[int, queue.Queue[dict[str, Any]]] = {}
        self._lock = threading.Lock()
        self.known: dict[str, Any] = {}
        self.entry = 0
        self.is_open = True
        self.pressed: queue.Queue[str] = queue.Queue(64)
        threading.Thread(target=self._read, name="mpv", daemon=True).start()

    def ask(self, command: Any) -> Any:
        """Tell, and wait for the answer's data. Raises ScreenFailed."""
        number = next(self._numbers)
        waiting: queue.Queue[dict[str, Any]] = queue.Queue(1)
        with self._lock:
            self._answers[number] = waiting
            try:
                self._stream.write(json.dumps({"command": command, "request_id": number}).encode() + b"\n")
                self._stream.flush()
            except (OSError, ValueError) as error:
                self.is_open = False
                raise ScreenFailed(f"mpv is gone: {error}") from error
        try:
            answer = waiting.get(timeout=ANSWER_S)
        except queue.Empty as error:
            raise ScreenFailed(f"mpv does not answer: {command}") from error
        finally:
            self._answers.pop(number, None)
        if answer.get("error") != "success":
            raise ScreenFailed(f"mpv: {answer.get('error')}: {command}")
        return answer.get("data")

    def _read(self) -> None:
        try:
            for line in self._stream:
                self._take(json.loads(line))
        except (OSError, ValueError) as error:
            log.debug("mpv's socket ended: %s", error)
        self.is_open = False

    def _take(self, said: dict[str, Any]) -> None:
        event = said.get("event")
        if event is None:
            waiting = self._answers.get(said.get("request_id", 0))
            if waiting is not None:
                waiting.put(said)
        elif event == "property-change":
            self.known[said["name"]] = said.get("data")
        elif event == "start-file":
            self.entry = int(said.get("playlist_entry_id", 0))
            self.known["time-pos"] = None
        elif event == "client-message":
            words = said.get("args", [])
            if len(words) == 2 and words[0] == "key" and not self.pressed.full():
                self.pressed.put(str(words[1]))

    def close(self) -> None:
        self.is_open = False
        try:
            self._stream.close()
        except OSError as error:
            log.debug("closing mpv's socket: %s", error)


def _end_leftover(address: str) -> None:
    """An mpv whose agent was killed alone still holds the screen: tell it to go."""
    if not hasattr(socket, "AF_UNIX"):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(ANSWER_S)
        try:
            link.connect(address)
            link.sendall(b'{"command": ["quit"]}\n')
            while link.recv(4096):
                pass  # until it is gone
        except OSError:
            return


class Door:
    """Where mpv's socket is: ``its`` name for it, given in its own folder, and ``ours``.

    A socket's path may have 107 bytes and no more, while a data folder lies where somebody put it. mpv is told the bare
    name; this process reaches it through the folder it holds open, where the system has such names.
    """

    def __init__(self, folder: Path) -> None:
        self._held: int | None = None
        if os.name == "nt":
            self.its = self.ours = rf"\\.\pipe\yuanbo-mpv-{os.getpid()}"
            return
        self.its, self.ours = "mpv.sock", str(folder / "mpv.sock")
        if len(os.fsencode(self.ours)) > LONGEST_SOCKET_PATH and Path("/proc/self/fd").is_dir():
            self._held = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
            self.ours = f"/proc/self/fd/{self._held}/mpv.sock"

    def __del__(self) -> None:
        if self._held is not None:
            os.close(self._held)


def _connect(address: str, process: subprocess.Popen[bytes]) -> IO[bytes]:
    """The socket, once mpv has made it. Raises ScreenFailed."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            if not hasattr(socket, "AF_UNIX"):
                return open(address, "r+b", buffering=0)  # noqa: PTH123 - a named pipe, no path
            link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            link.connect(address)
            return cast("IO[bytes]", link.makefile("rwb"))
        except OSError as error:
            if process.poll() is not None:
                raise ScreenFailed(f"mpv ended with {process.returncode}") from error
            if time.monotonic() > deadline:
                raise ScreenFailed("mpv gives no socket") from error
            time.sleep(0.05)
