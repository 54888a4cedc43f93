"""Keeps a screen on what it should show: the line at its offset, a choice, an emergency, the slate.

Every quarter of a second it asks what should be seen (``screen.py`` decides), tells the screen what is missing for it,
loads what comes next behind it, and gives account of what was seen. A screen that died or stands still is begun anew
and joins the line where it is by then.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from client_agent import watching
from client_agent.database import Database
from client_agent.errors import AgentError
from client_agent.guide import Guide, OnAir
from client_agent.player import Player, Superseded, UnknownPlay
from client_agent.screen import (
    LINEAR,
    MOVING,
    PRELOAD_MS,
    Act,
    Choice,
    Heard,
    OnLine,
    Picture,
    Screen,
    ScreenFailed,
    Shown,
    View,
    Watchdog,
    act,
    picture_of,
)
from client_agent.sessions import PlayState
from client_agent.tvdata import CannotPlay, TvData, medium
from protocol.batch import Mode
from protocol.documents import Notice

log = logging.getLogger(__name__)
TICK_S = 0.25
REPORT_MS = 2_000
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
DIGITS = 4
DIGITS_WITHIN_MS = 2_500


class Projector:
    """One screen's keeper. :meth:`tick` belongs to one thread; :meth:`choose` and :meth:`back` to any."""

    def __init__(
        self,
        screen: Screen,
        guide: Guide,
        data: TvData,
        account: Player,
        now_ms: Callable[[], int],
        station: Callable[[], str],
        mono_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
    ) -> None:
        self._screen = screen
        self._guide = guide
        self._data = data
        self._account = account
        self._now_ms = now_ms
        self._station = station
        self._mono_ms = mono_ms
        self._watchdog = Watchdog()
        self._lock = threading.Lock()
        self._choice: Choice | None = None
        self._choices = 0
        self._shown: Shown | None = None
        self._entries: dict[int, str] = {}
        self._play: str | None = None
        self._reported_ms = 0
        self._notice = ""
        self._typed = ("", 0)
        self._restarts = 0
        self._start_again_ms = 0

    @property
    def view(self) -> View:
        """What the screen shows."""
        return self._shown.picture.view if self._shown else View.DARK

    @property
    def restarts(self) -> int:
        """How often the screen had to be begun anew in a row without showing anything."""
        return self._restarts

    # --- what people do -----------------------------------------------------------------------------------------------
    def choose(self, release: str) -> None:
        """Play a stored release from its beginning, until it ends. Raises CannotPlay."""
        self._data.start(Mode.LIBRARY, release)
        play = self._guide.playable(release)
        assert play is not None, "start has just found it"
        with self._lock:
            self._choices += 1
            self._choice = Choice(release, medium(play)["url"], number=self._choices)

    def back(self) -> None:
        """Back to the line."""
        with self._lock:
            self._choice = None

    def _press(self, key: str, heard: Heard) -> None:
        """Digits make a programme number, waited for a moment; back returns to the line; only a choice can pause."""
        if key == "back":
            self.back()
        elif key == "pause" and self.view is View.CHOSEN:
            self._screen.pause(not heard.paused)
        elif key.isdigit():
            self._typed = (self._typed[0] + key, self._mono_ms())
            if len(self._typed[0]) == DIGITS:
                self._dial()

    def _dial(self) -> None:
        typed, self._typed = int(self._typed[0] or 0), ("", 0)
        found = self._guide.numbered(typed)
        if found is None:
            self._screen.caption(f"没有 {typed} 号节目 / no programme {typed}")
            return
        try:
            self.choose(found)
        except CannotPlay as error:
            log.info("programme %d cannot be played: %s", typed, error.reason)

    # --- one step -------------------------------------------------------------------------------------------------------
    def run(self, stop: threading.Event) -> None:
        """Until asked to stop."""
        while not stop.wait(TICK_S):
            try:
                self.tick()
            except AgentError as error:
                log.warning("the screen waits: %s", error)
            except Exception:
                log.exception("projecting failed")
        self._screen.stop()

    def tick(self) -> None:
        """One look, and what follows from it."""
        try:
            if not self._screen.is_alive():
                self._begin()
                return
            heard = self._screen.heard()
            for key in self._screen.pressed():
                self._press(key, heard)
            if self._typed[0] and self._mono_ms() - self._typed[1] > DIGITS_WITHIN_MS:
                self._dial()
            shown = self._shown.picture if self._shown else None
            if self._watchdog.is_stuck(shown, heard, self._mono_ms()):
                raise ScreenFailed("the picture stands still")
            self._step(heard)
        except ScreenFailed as error:
            log.error("the screen is begun anew: %s", error)
            self._shown = None
            self._screen.stop()

    def _begin(self) -> None:
        """Start it, with growing pauses where it will not stay."""
        self._shown, self._notice = None, ""
        if self._mono_ms() < self._start_again_ms:
            return
        pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**self._restarts)
        self._restarts += 1
        self._start_again_ms = self._mono_ms() + int(pause_s * 1000)
        self._screen.start()
        self._slate(Picture(View.SLATE, "slate", text=self._station()))

    def _step(self, heard: Heard) -> None:
        now_ms = self._now_ms()
        self._follow_choice(heard)
        on_air = self._guide.on_air(now_ms)
        line = _on_line(on_air, now_ms)
        with self._lock:
            wanted = picture_of(line, self._choice, self._station())
        self._note_move(heard)
        what = act(self._shown, wanted, heard.position_ms, now_ms)
        if what is Act.LOAD:
            self._load(wanted)
        elif what is Act.ADOPT:
            self._shown = Shown(wanted)
            self._open_account(wanted)
        elif what is Act.PUSH:
            self._screen.move_on()
        elif what is Act.SEEK:
            self._screen.seek(wanted.position_ms)
        elif self._shown is not None and wanted.view in LINEAR:
            self._shown = replace(self._shown, picture=wanted) if not self._shown.moved else self._shown
            self._load_behind(line, now_ms)
        self._report(heard)
        self._show_notice(self._guide.notices(now_ms))

    def _follow_choice(self, heard: Heard) -> None:
        """A choice stands where the screen is; it is over when the screen is through with it."""
        with self._lock:
            if self._choice is None or self.view is not View.CHOSEN:
                return
            if heard.ended:
                self._choice = None
            elif heard.position_ms is not None:
                self._choice = replace(self._choice, position_ms=heard.position_ms)

    def _note_move(self, heard: Heard) -> None:
        shown = self._shown
        if (
            shown is not None
            and shown.behind is not None
            and self._entries.get(heard.entry) == shown.behind.key
        ):
            self._shown = replace(shown, moved=True)

    def _load(self, wanted: Picture) -> None:
        if wanted.view in MOVING:
            play = self._guide.playable(wanted.release)
            subtitles = medium(play)["subtitles"] if play else None
            entry = self._screen.show(wanted.path, wanted.position_ms, wanted.end_ms, subtitles)
            self._entries = {entry: wanted.key}
            self._shown = Shown(wanted)
            self._restarts = 0
            self._open_account(wanted)
        else:
            self._slate(wanted)

    def _slate(self, wanted: Picture) -> None:
        self._close_account()
        self._screen.slate(wanted.text)
        self._shown = Shown(wanted)

    def _load_behind(self, line: OnLine, now_ms: int) -> None:
        """What the line has next, behind the present medium, so that no gap is seen."""
        shown = self._shown
        if shown is None or shown.behind is not None or line.left_ms > PRELOAD_MS:
            return
        due_ms = now_ms + line.left_ms
        coming = _on_line(self._guide.on_air(due_ms), due_ms)
        behind = picture_of(coming, None, "")
        if behind.view not in LINEAR:
            return
        entry = self._screen.follow(behind.path, behind.position_ms, behind.end_ms)
        self._entries[entry] = behind.key
        self._shown = replace(shown, behind=behind, due_ms=due_ms)

    # --- account --------------------------------------------------------------------------------------------------------
    def _open_account(self, picture: Picture) -> None:
        self._close_account()
        mode = Mode.LIBRARY if picture.view is View.CHOSEN else Mode.LINEAR
        try:
            self._play = self._account.begin(self._data.start(mode, picture.release).subject)
        except CannotPlay as error:
            log.warning("shown, but not counted: %s", error.reason)

    def _close_account(self) -> None:
        self._play = None

    def _report(self, heard: Heard) -> None:
        if self._play is None or heard.position_ms is None:
            return
        if self._mono_ms() - self._reported_ms < REPORT_MS and not heard.ended:
            return
        self._reported_ms = self._mono_ms()
        state = PlayState.PLAYING
        if heard.ended:
            state = PlayState.ENDED
        elif heard.stalled:
            state = PlayState.STALLED
        elif heard.paused:
            state = PlayState.PAUSED
        try:
            self._account.report(self._play, state, heard.position_ms)
        except (UnknownPlay, Superseded):
            self._play = None

    def _show_notice(self, notices: list[Notice]) -> None:
        text = "　".join(notice.text for notice in notices)
        if text != self._notice:
            self._notice = text
            self._screen.caption(text)


def _on_line(on_air: OnAir, now_ms: int) -> OnLine:
    play = on_air.play
    if play is None:
        return OnLine(on_air.item, left_ms=max(0, on_air.ends_ms - now_ms))
    return OnLine(
        on_air.item,
        play.release,
        medium(play)["url"],
        on_air.offset_ms,
        max(0, on_air.ends_ms - now_ms),
        on_air.refusal is not None,
    )


def remembered(database: Database) -> tuple[float, bool]:
    """(volume 0–130, captions) as they were left, here or on the TV page."""
    known = watching.read(database)
    return known.volume, known.captions
