"""What a screen should show, and what must be done so that it does (pure); and what a screen must be able to do.

States of the picture, drawn:

                 the screen runs                    something may play
     dark ──────────────────────► slate ◄─────────────────────────────► programme ⇄ filler
      ▲                            ▲  │                                     │  ▲
      │ died, or stands still      │  └────────── a person chooses ────┐    │  │ back, or it ended
      └──── from any of them       │                                   ▼    ▼  │
                                   └── nothing may play ◄──────────── chosen ──┘
     any but dark ── an emergency begins ──► emergency | text ── it ends ──► the line, or the choice where it was

The line is joined at its offset and kept there; a choice is played from where it stood, also after an emergency.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Protocol

from protocol.merge import ListedItem, Source


class View(StrEnum):
    """What is on the screen."""

    DARK = auto()
    SLATE = auto()
    PROGRAMME = auto()
    FILLER = auto()
    CHOSEN = auto()
    EMERGENCY = auto()
    TEXT = auto()
    """An emergency's plain text."""


MOVES: dict[View, frozenset[View]] = {
    View.DARK: frozenset({View.SLATE}),
    **{
        view: frozenset(View) - {view}
        for view in (View.SLATE, View.PROGRAMME, View.FILLER, View.CHOSEN, View.EMERGENCY, View.TEXT)
    },
}
"""From a dark screen only to the slate: a screen that has just begun shows that it lives before it shows anything."""
MOVING = frozenset({View.PROGRAMME, View.FILLER, View.CHOSEN, View.EMERGENCY})
LINEAR = frozenset({View.PROGRAMME, View.FILLER, View.EMERGENCY})

DRIFT_MS = 2_500
"""So far may the line's picture be from its place before it is put right; a seek is seen, a second is not."""
STUCK_MS = 8_000
PRELOAD_MS = 12_000
LATE_MS = 400
"""A change that the screen makes by itself may be so late before it is pushed."""


@dataclass(frozen=True)
class Picture:
    """What should be seen now. ``key`` tells one picture from the next, also when they have the same medium;
    ``position_ms`` is where the medium should be, ``end_ms`` where in the medium it is cut off (None: its own end)."""

    view: View
    key: str = ""
    release: str = ""
    path: str = ""
    position_ms: int = 0
    end_ms: int | None = None
    text: str = ""


@dataclass(frozen=True)
class OnLine:
    """What the channel has at an instant: the listed item, the release and path that may play, where its medium is,
    how much of it is left to the change; ``instead``: it stands in for something that cannot play."""

    item: ListedItem | None
    release: str = ""
    path: str = ""
    offset_ms: int = 0
    left_ms: int = 0
    instead: bool = False


@dataclass(frozen=True)
class Choice:
    """What a person chose, and where it stands."""

    release: str
    path: str
    position_ms: int = 0
    number: int = 0
    """Counts choices: the same programme chosen twice begins twice."""


def picture_of(line: OnLine, choice: Choice | None, slate: str) -> Picture:
    """What should be seen: an emergency, else what was chosen, else the line, else the slate with ``slate`` on it."""
    item = line.item
    if item is not None and item.source is Source.EMERGENCY:
        if line.path and not line.instead:
            return _linear(View.EMERGENCY, line, item)
        return Picture(View.TEXT, f"text|{item.id}", text=item.text or slate)
    if choice is not None:
        key = f"chosen|{choice.number}|{choice.release}"
        return Picture(View.CHOSEN, key, choice.release, choice.path, choice.position_ms)
    if item is None or not line.path:
        return Picture(View.SLATE, "slate", text=slate)
    filler = line.instead or item.source is Source.FILLER
    return _linear(View.FILLER if filler else View.PROGRAMME, line, item)


def _linear(view: View, line: OnLine, item: ListedItem) -> Picture:
    key = f"{view}|{item.id}|{item.starts_at}|{line.release}"
    return Picture(view, key, line.release, line.path, line.offset_ms, line.offset_ms + line.left_ms)


class Act(StrEnum):
    """What to do with the screen."""

    KEEP = auto()
    LOAD = auto()
    """Show the picture, from its position."""
    ADOPT = auto()
    """The screen has moved on to it by itself."""
    PUSH = auto()
    """It is loaded behind; the screen should have moved on by now."""
    SEEK = auto()


@dataclass(frozen=True)
class Shown:
    """What the screen was told: the picture, the one loaded behind it, when it was due, and whether the screen has
    moved on to that already."""

    picture: Picture
    behind: Picture | None = None
    moved: bool = False
    due_ms: int = 0


def act(shown: Shown | None, wanted: Picture, position_ms: int | None, now_ms: int) -> Act:
    """What brings the screen from what it shows to what is wanted. ``position_ms``: what it says, None if nothing."""
    if shown is None:
        return Act.LOAD
    if shown.picture.key == wanted.key:
        far = position_ms is not None and abs(position_ms - wanted.position_ms) > DRIFT_MS
        return Act.SEEK if far and wanted.view in LINEAR and not shown.moved else Act.KEEP
    if shown.behind is not None and shown.behind.key == wanted.key:
        if shown.moved:
            return Act.ADOPT
        return Act.PUSH if now_ms - shown.due_ms > LATE_MS else Act.KEEP
    return Act.LOAD


@dataclass(frozen=True)
class Heard:
    """What a screen says of itself. ``position_ms`` None: nothing is playing; ``entry`` names the medium it is on;
    ``ended``: it stands at the end of the last one."""

    position_ms: int | None = None
    paused: bool = False
    stalled: bool = False
    ended: bool = False
    entry: int = 0


class Watchdog:
    """Says when a picture that should move stands still. Times are monotonic milliseconds."""

    def __init__(self, patience_ms: int = STUCK_MS) -> None:
        self._patience = patience_ms
        self._last: tuple[str, int | None, int] | None = None
        self._since = 0

    def is_stuck(self, picture: Picture | None, heard: Heard, mono_ms: int) -> bool:
        """Whether nothing moved for longer than the patience although it should have."""
        mark = (picture.key if picture else "", heard.position_ms, heard.entry)
        moving = picture is not None and picture.view in MOVING and not heard.paused and not heard.ended
        if not moving or mark != self._last:
            self._last, self._since = mark, mono_ms
            return False
        return mono_ms - self._since > self._patience


class ScreenFailed(Exception):
    """The screen does not do what it was told (any more)."""


class Screen(Protocol):
    """A screen that shows media of this agent. Every method but :meth:`start` and :meth:`stop` raises ScreenFailed."""

    def start(self) -> None:
        """Begin, on a slate. Raises ScreenFailed."""

    def stop(self) -> None:
        """End, whatever state it is in."""

    def is_alive(self) -> bool: ...

    def show(self, path: str, start_ms: int, end_ms: int | None, subtitles: str | None) -> int:
        """Play a medium at once; returns its entry's name."""

    def follow(self, path: str, start_ms: int, end_ms: int | None) -> int:
        """Load a medium behind the present one, to go on with it without a gap."""

    def move_on(self) -> None:
        """To the medium behind, now."""

    def seek(self, position_ms: int) -> None: ...

    def pause(self, paused: bool) -> None: ...

    def slate(self, text: str) -> None:
        """A quiet picture with a few words."""

    def caption(self, text: str) -> None:
        """A line over the picture; empty: none."""

    def heard(self) -> Heard: ...

    def pressed(self) -> list[str]:
        """Keys pressed since the last question: "0" … "9", "back", "pause"."""
