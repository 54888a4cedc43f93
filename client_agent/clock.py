"""What time it is, as far as a terminal may believe it (a pure estimate, and a thin reader of the machine).

Anchor = highest verified ``issued`` of a timestamp, or a server time bound to our own nonce; never the machine's
clock (RTC). In the boot in which the anchor was heard, now = anchor + monotonic time; after another boot, the RTC
counts if it lies within [anchor, anchor + 90 days]. An ``issued`` is up to days old when heard, so it only tells
what time it is *at least*; a nonce-bound server time is exact.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from client_agent.database import Database
from protocol.batch import ClockState

MAX_HELD_MS = 90 * 24 * 60 * 60 * 1000
"""How far past the anchor the RTC is still believed after a boot."""
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


def read_machine() -> Reading:
    """The machine's boot id, time since boot and RTC."""
    try:
        boot = _BOOT_ID.read_text().strip()
    except OSError:
        boot = "unknown"
    mono_ms = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
    return Reading(boot, mono_ms, time.time_ns() // 1_000_000)


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
