"""Where the read plane can be had, who is asked first, and who is left alone for a while.

No source needs to be trusted: everything is verified. So a source in cool-down is asked last, not never; and a
hostile one costs time, nothing else. Provincial source and relay take turns, so that a frozen relay is noticed.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from enum import StrEnum

from client_agent.database import Database

log = logging.getLogger(__name__)
LONGEST_COOLDOWN_MS = 15 * 60 * 1000


class Blame(StrEnum):
    """What a source did, and so how long it rests."""

    UNREACHABLE = "unreachable"
    WRONG_BYTES = "wrong-bytes"
    STALE = "stale"
    """It lags: what it offers is older than what was verified."""


_BASE_MS = {Blame.UNREACHABLE: 2_000, Blame.WRONG_BYTES: 60_000, Blame.STALE: LONGEST_COOLDOWN_MS}


def cooldown_ms(blame: Blame, failures: int, random_share: float) -> int:
    """How long a source rests after its nth failure in a row: full jitter, doubling, at most 15 minutes; a lagging
    one always the whole 15 minutes. ``random_share`` in [0, 1)."""
    if blame is Blame.STALE:
        return LONGEST_COOLDOWN_MS
    highest = min(LONGEST_COOLDOWN_MS, _BASE_MS[blame] * 2 ** min(failures, 20))
    return int(highest * random_share)


class Sources:
    """The sources of one agent, their failures kept in the database for all its processes."""

    def __init__(
        self,
        database: Database,
        urls: Sequence[str],
        now_ms: Callable[[], int],
        randomness: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._urls = list(dict.fromkeys(urls))
        self._now_ms = now_ms
        self._random = randomness

    def order(self) -> list[str]:
        """Rested sources in their order, then those in cool-down."""
        cooling = self._cooling()
        return [u for u in self._urls if u not in cooling] + [u for u in self._urls if u in cooling]

    def rested(self) -> list[str]:
        """The sources that are not in cool-down, in their order."""
        cooling = self._cooling()
        return [url for url in self._urls if url not in cooling]

    def in_turn(self) -> list[str]:
        """Like :meth:`order`, but each call begins with the next rested source."""
        turn = int(self._database.setting("turn", "0"))
        self._database.set_setting("turn", str((turn + 1) % 1_000_000))
        cooling = self._cooling()
        rested = [url for url in self._urls if url not in cooling]
        first = turn % len(rested) if rested else 0
        return rested[first:] + rested[:first] + [url for url in self._urls if url in cooling]

    def beginning_with(self, first: str) -> list[str]:
        """Like :meth:`order`, but ``first`` (if it is one of ours) is asked before all others."""
        return sorted(self.order(), key=lambda url: url != first)

    def _cooling(self) -> set[str]:
        now = self._now_ms()
        rows = self._database.rows("SELECT url, cooldown_until_ms FROM sources")
        # An end further away than any cool-down lasts comes from a clock that was set back since.
        return {url for url, until in rows if now < until <= now + LONGEST_COOLDOWN_MS}

    def blame(self, url: str, blame: Blame, detail: str = "") -> None:
        """A source failed: it rests."""
        log.warning("source %s: %s%s", url, blame, f" ({detail})" if detail else "")
        found = self._database.row("SELECT failures FROM sources WHERE url = ?", (url,))
        failures = (found[0] if found else 0) + 1
        until = self._now_ms() + cooldown_ms(blame, failures, self._random())
        self._database.execute(
            "INSERT OR REPLACE INTO sources (url, failures, cooldown_until_ms, blame) VALUES (?, ?, ?, ?)",
            (url, failures, until, f"{blame}: {detail}"[:200]),
        )

    def praise(self, url: str) -> None:
        """A source gave what was asked for."""
        if url in self.blamed():
            self._database.execute("DELETE FROM sources WHERE url = ?", (url,))

    def blamed(self) -> dict[str, str]:
        """Sources that failed last time, and what they did."""
        return dict(self._database.rows("SELECT url, blame FROM sources"))
