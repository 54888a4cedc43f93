"""What time it is, as far as a terminal may believe it (a pure estimate, and a thin reader of the machine).

Anchor = highest verified ``issued`` of a timestamp, or a server time bound to our own nonce; never the machine's
clock (RTC). In the boot in which the anchor was heard, now = anchor + monotonic time; after another boot, the RTC
counts if it lies within [anchor, anchor + 90 days]. An ``issued`` is up to days old when heard, so it only tells
what time it is *at least*; a nonce-bound server time is exact.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from client_agent.database import Database
from client_agent.errors import AgentError
from protocol.batch import ClockState
from protocol.times import SHANGHAI, from_ms

BY_HAND = "clock_by_hand"
MAX_HELD_MS = 90 * 24 * 60 * 60 * 1000
"""How far past the anchor the RTC is still believed after a boot."""
_PROCESS = os.environ.setdefault("YUANBO_AGENT_BOOT", f"process-{secrets.token_hex(8)}")
"""Inherited by child processes, whose monotonic clock is the same."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Reading:
    """What the machine says: boot id, milliseconds since boot (sleep included), RTC in ms since 1970."""

    boot: str
    mono_ms: int
    rtc_ms: int


@dataclass(frozen=True)
class Anchor:
    """Signed time. ``passed_ms``: the highest instant known to have passed; ``ms`` was heard at ``mono_ms`` of
    ``boot`` and is ``exact`` when it was bound to our nonce. ``keys``: fingerprint of the timestamp keys then."""

    passed_ms: int
    ms: int
    exact: bool
    boot: str
    mono_ms: int
    keys: str = ""


def estimate(anchor: Anchor | None, reading: Reading) -> tuple[int, ClockState]:
    """Now in ms since 1970, and how far to trust it."""
    if anchor is None:
        return reading.rtc_ms, ClockState.UNCERTAIN
    if anchor.boot == reading.boot:
        running = max(anchor.passed_ms, anchor.ms + reading.mono_ms - anchor.mono_ms)
        if anchor.exact or not running <= reading.rtc_ms <= anchor.passed_ms + MAX_HELD_MS:
            return running, ClockState.KNOWN
        return reading.rtc_ms, ClockState.KNOWN
    if anchor.passed_ms <= reading.rtc_ms <= anchor.passed_ms + MAX_HELD_MS:
        return reading.rtc_ms, ClockState.HELD
    return anchor.passed_ms + reading.mono_ms, ClockState.UNCERTAIN


def after_issued(anchor: Anchor | None, issued_ms: int, keys: str, reading: Reading) -> Anchor:
    """The anchor once a verified timestamp was heard. A key change starts anew: it heals a time set far ahead."""
    heard = Anchor(issued_ms, issued_ms, False, reading.boot, reading.mono_ms, keys)
    if anchor is None or (anchor.keys and anchor.keys != keys):
        return heard
    if issued_ms <= anchor.passed_ms:
        return Anchor(anchor.passed_ms, anchor.ms, anchor.exact, anchor.boot, anchor.mono_ms, keys)
    now_ms, state = estimate(anchor, reading)
    if state is ClockState.KNOWN and anchor.boot == reading.boot and issued_ms <= now_ms:
        return Anchor(issued_ms, anchor.ms, anchor.exact, anchor.boot, anchor.mono_ms, keys)
    return heard


def after_server_time(anchor: Anchor | None, server_ms: int, reading: Reading) -> Anchor:
    """The anchor once a server time bound to our own nonce was heard: exact, but never before what has passed."""
    passed = max(server_ms, anchor.passed_ms if anchor else 0)
    return Anchor(passed, server_ms, True, reading.boot, reading.mono_ms, anchor.keys if anchor else "")


@dataclass(frozen=True)
class ByHand:
    """A time that somebody at the station set, and when by the machine: good for choosing what plays, never for more."""

    ms: int
    boot: str
    mono_ms: int


def by_hand(anchor: Anchor | None, hand: ByHand | None, reading: Reading) -> int | None:
    """Now by what was set by hand, within [anchor, anchor + 90 days]; None when it tells nothing (any more)."""
    if hand is None or anchor is None:
        return None
    now_ms = hand.ms + reading.mono_ms - hand.mono_ms if hand.boot == reading.boot else reading.rtc_ms
    earliest = max(anchor.passed_ms, hand.ms if hand.boot != reading.boot else 0)
    return now_ms if earliest <= now_ms <= anchor.passed_ms + MAX_HELD_MS else None


def read_machine() -> Reading:
    """The machine's boot id, time since boot and RTC. Where the system names no boot, this process counts as one."""
    try:
        boot = _BOOT_ID.read_text().strip()
    except OSError:
        boot = _PROCESS
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    mono_ns = time.monotonic_ns() if boottime is None else time.clock_gettime_ns(boottime)
    return Reading(boot, mono_ns // 1_000_000, time.time_ns() // 1_000_000)


class NoSuchTime(AgentError):
    """时间不在可设范围内 / a time that cannot be set here"""


def _local(ms: int) -> str:
    return f"{from_ms(ms).astimezone(SHANGHAI):%Y-%m-%d %H:%M}"


class Clock:
    """The agent's clock: the anchor in the database and the machine's reading."""

    def __init__(self, database: Database, read: Callable[[], Reading] = read_machine) -> None:
        self._database = database
        self._read = read

    def reading(self) -> Reading:
        return self._read()

    def anchor(self) -> Anchor | None:
        found = self._database.row("SELECT passed_ms, ms, exact, boot, mono_ms, keys FROM anchor")
        return Anchor(found[0], found[1], bool(found[2]), *found[3:]) if found else None

    def now_ms(self) -> tuple[int, ClockState]:
        """Best estimate in ms since 1970, and its state."""
        return estimate(self.anchor(), self._read())

    def for_programmes(self) -> tuple[int, ClockState]:
        """Now for choosing what plays: where nothing better is known, the time set by hand counts as held. Records and
        the screen keep to :meth:`now_ms`, which stays uncertain."""
        anchor, reading = self.anchor(), self._read()
        now_ms, state = estimate(anchor, reading)
        if state is ClockState.UNCERTAIN:
            set_ms = by_hand(anchor, self._hand(), reading)
            if set_ms is not None:
                return set_ms, ClockState.HELD
        return now_ms, state

    def set_by_hand(self, ms: int) -> None:
        """Somebody at the station says what time it is. Raises NoSuchTime outside [anchor, anchor + 90 days], and where
        the time is known anyway."""
        anchor, reading = self.anchor(), self._read()
        if estimate(anchor, reading)[1] is not ClockState.UNCERTAIN:
            raise NoSuchTime("时间可信，无须设置 / the time is known: nothing to set")
        hand = ByHand(ms, reading.boot, reading.mono_ms)
        if anchor is None or by_hand(anchor, hand, reading) is None:
            known = anchor.passed_ms if anchor else 0
            raise NoSuchTime(
                f"只能设在 {_local(known)} 与 {_local(known + MAX_HELD_MS)} 之间 / only between these two"
            )
        self._database.set_setting(BY_HAND, json.dumps(vars(hand)))

    def _hand(self) -> ByHand | None:
        text = self._database.setting(BY_HAND)
        return ByHand(**json.loads(text)) if text else None

    def offset_ms(self) -> int:
        """Our time minus the RTC's."""
        reading = self._read()
        return estimate(self.anchor(), reading)[0] - reading.rtc_ms

    def hear_issued(self, issued_ms: int, keys: str) -> None:
        """A verified timestamp said when it was issued; ``keys`` is the fingerprint of the keys that signed it."""
        self._save(after_issued(self.anchor(), issued_ms, keys, self._read()))

    def hear_server_time(self, server_ms: int) -> None:
        """A signed answer bound to our own request told the time (enrolment, receipts)."""
        self._save(after_server_time(self.anchor(), server_ms, self._read()))

    def _save(self, anchor: Anchor) -> None:
        values = (anchor.passed_ms, anchor.ms, int(anchor.exact), anchor.boot, anchor.mono_ms, anchor.keys)
        self._database.execute("INSERT OR REPLACE INTO anchor VALUES (1, ?, ?, ?, ?, ?, ?)", values)
