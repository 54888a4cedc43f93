"""The station's line: what it may carry now, how fast it was, how much went over it this month.

Rules come from the signed network document, or from somebody at the station (``agent line``), whose word wins. Speeds
are kept by day and hour for a week, bytes for the calendar month, all in Asia/Shanghai.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date

from client_agent.database import Database
from client_agent.documents import DocumentTable
from client_agent.line_rules import (
    Capacity,
    LineRules,
    hour_of,
    opens_ms,
    rules_for,
    speeds_by_hour,
)
from protocol import names
from protocol.documents import Network
from protocol.times import DAY_MS, day_bounds_ms, day_of_ms

OWN_RULES = "line_rules"
SAMPLE_DAYS = 7
KEEP_DAYS = 62
"""Two calendar months: the cap counts this one."""
FLUSH_BYTES = 4 * 1024 * 1024
LEAST_SAMPLE_BYTES = 256 * 1024
"""Less in an hour says nothing about speed: round trips would be measured."""
LEAST_SAMPLE_MS = 20
PAUSE_AT_MOST_S = 5.0


class Line:
    """One agent's line. Safe from any thread."""

    def __init__(
        self,
        database: Database,
        region: str,
        now_ms: Callable[[], int],
        *,
        sleep: Callable[[float], object] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._region = region
        self._now_ms = now_ms
        self._sleep = sleep
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._under_way = 0
        self._busy_since = 0.0
        self._busy_s = 0.0
        self._all_busy_s = 0.0
        self._bytes = 0
        self._free_at = 0.0
        self._known: tuple[tuple[str, str], LineRules] | None = None

    # --- rules ----------------------------------------------------------------------------------------------------
    @property
    def rules(self) -> LineRules:
        """What holds now."""
        state = (self._database.setting(OWN_RULES), DocumentTable(self._database).version)
        if self._known is None or self._known[0] != state:
            self._known = (state, self._read_rules(state[0]))
        return self._known[1]

    def _read_rules(self, own: str) -> LineRules:
        if own:
            found = json.loads(own)
            return LineRules(
                found["from_hour"],
                found["to_hour"],
                tuple(found["bytes_a_second"]),
                found["monthly_cap_bytes"],
            )
        network = DocumentTable(self._database).read(names.NETWORK_TARGET, Network)
        return rules_for(self._region, network.lines if network else [])

    def set_rules(self, rules: LineRules | None) -> None:
        """Somebody at the station decided; None: as the province says again."""
        text = "" if rules is None else json.dumps(vars(rules))
        self._database.set_setting(OWN_RULES, text)

    def closed_until_ms(self) -> int | None:
        """None while media may be fetched; otherwise when they may be again (the next month's start, where the cap is
        used up)."""
        rules, now_ms = self.rules, self._now_ms()
        if self.month_left(rules) == 0:
            return _next_month_ms(now_ms)
        opens = opens_ms(rules, now_ms)
        return opens if opens > now_ms else None

    def month_left(self, rules: LineRules | None = None) -> int | None:
        """Bytes left under the monthly cap; None without one."""
        cap = (rules or self.rules).monthly_cap_bytes
        return max(0, cap - self.month_bytes()) if cap else None

    def month_bytes(self) -> int:
        """Bytes fetched in this calendar month."""
        month = f"{day_of_ms(self._now_ms()):%Y-%m}"
        row = self._database.row(
            "SELECT coalesce(sum(bytes), 0) FROM line_hours WHERE substr(day, 1, 7) = ?", (month,)
        )
        return (int(row[0]) if row else 0) + self._bytes

    # --- measuring --------------------------------------------------------------------------------------------------
    @contextmanager
    def busy(self) -> Iterator[None]:
        """Something is being fetched; time with several at once counts once."""
        with self._lock:
            if self._under_way == 0:
                self._busy_since = self._monotonic()
            self._under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1
                now = self._monotonic()
                self._busy_s += now - self._busy_since
                self._all_busy_s += now - self._busy_since
                self._busy_since = now
                full = self._bytes >= FLUSH_BYTES
            if full:
                self.flush()

    def took(self, count: int) -> None:
        """Bytes came over the line, good or not: they count for speed and cap."""
        with self._lock:
            self._bytes += count

    def measured(self) -> float:
        """Seconds in which something was fetched, since this process began."""
        return self._all_busy_s

    def seconds_for(self, count: int) -> float:
        """How long the hour's limit makes so many bytes take; 0 without one."""
        limit = self.rules.limit(hour_of(self._now_ms()))
        return count / limit if limit else 0.0

    def flush(self) -> None:
        """Write down what was measured. A power cut costs at most FLUSH_BYTES of the account."""
        with self._lock:
            count, busy_ms = self._bytes, int(self._busy_s * 1000)
            self._bytes, self._busy_s = 0, 0.0
        if not count and not busy_ms:
            return
        now_ms = self._now_ms()
        self._database.execute(
            "INSERT INTO line_hours VALUES (?, ?, ?, ?) ON CONFLICT (day, hour) DO UPDATE"
            " SET bytes = bytes + excluded.bytes, busy_ms = busy_ms + excluded.busy_ms",
            (day_of_ms(now_ms).isoformat(), hour_of(now_ms), count, busy_ms),
        )

    def tidy(self) -> None:
        """Forget what no question needs any more."""
        first = day_of_ms(self._now_ms() - KEEP_DAYS * DAY_MS)
        self._database.execute("DELETE FROM line_hours WHERE day < ?", (first.isoformat(),))

    def speeds(self) -> list[int]:
        """Median bit/s by hour of the day over the last week; 0: nothing was measured."""
        first = day_of_ms(self._now_ms() - SAMPLE_DAYS * DAY_MS)
        rows = self._database.rows(
            "SELECT hour, bytes, busy_ms FROM line_hours WHERE day >= ? AND bytes >= ? AND busy_ms >= ?",
            (first.isoformat(), LEAST_SAMPLE_BYTES, LEAST_SAMPLE_MS),
        )
        return speeds_by_hour(rows)

    @property
    def usual_bps(self) -> int:
        """Speed of the line altogether, in bit/s; 0: never measured."""
        return int(self._database.setting("line_bps", "0"))

    def capacity(self, until_ms: int) -> Capacity:
        """What the line can bring from now until an instant."""
        rules = self.rules
        return Capacity(
            rules,
            self.speeds(),
            self.usual_bps,
            now_ms=self._now_ms(),
            until_ms=until_ms,
            month_left=self.month_left(rules),
        )

    # --- holding back -------------------------------------------------------------------------------------------------
    def pacer(self) -> Callable[[int], None] | None:
        """Told of bytes as they come in, it waits so that the hour's limit holds; None where there is none."""
        limit = self.rules.limit(hour_of(self._now_ms()))
        if not limit:
            return None

        def pace(count: int) -> None:
            with self._lock:
                now = self._monotonic()
                self._free_at = max(self._free_at, now - 1.0) + count / limit
                pause = self._free_at - now
            while pause > 0:
                self._sleep(min(pause, PAUSE_AT_MOST_S))
                pause -= PAUSE_AT_MOST_S

        return pace


def _next_month_ms(now_ms: int) -> int:
    today = day_of_ms(now_ms)
    year, month = (today.year + 1, 1) if today.month == 12 else (today.year, today.month + 1)
    return day_bounds_ms(date(year, month, 1))[0]
