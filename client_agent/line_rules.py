"""How a station may use its line (pure): allowed hours, bytes a second by hour, a monthly cap, and what that lets
through until an instant.

Hours are those of Asia/Shanghai. The rule of the nearest region in the signed network document holds, unless somebody
at the station set another. An hour that was never measured counts as the line's last measured speed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median_low

from protocol.documents import LineRule
from protocol.regions import lineage
from protocol.times import DAY_MS

HOUR_MS = 3_600_000
ZONE_MS = 8 * HOUR_MS
"""Asia/Shanghai is UTC+8 since 1991."""
ASSUMED_BPS = 2_000_000
"""Speed of a line that was never measured, in bit/s."""


@dataclass(frozen=True)
class LineRules:
    """Downloads run from ``from_hour`` to ``to_hour`` (over midnight where the end comes first), at most
    ``bytes_a_second[hour]`` (0 or absent: no limit), and in a calendar month at most ``monthly_cap_bytes`` (0: any)."""

    from_hour: int = 0
    to_hour: int = 24
    bytes_a_second: tuple[int, ...] = ()
    monthly_cap_bytes: int = 0

    def allows(self, hour: int) -> bool:
        """Whether media may be fetched in an hour of the day."""
        if self.from_hour < self.to_hour:
            return self.from_hour <= hour < self.to_hour
        return hour >= self.from_hour or hour < self.to_hour % 24 or self.from_hour == self.to_hour

    def limit(self, hour: int) -> int:
        """Bytes a second allowed in an hour; 0: no limit."""
        return self.bytes_a_second[hour] if hour < len(self.bytes_a_second) else 0


def rules_for(region: str, given: Sequence[LineRule]) -> LineRules:
    """The rule of the nearest ancestor, or none."""
    by_region = {rule.region: rule for rule in given}
    rule = next((by_region[code] for code in lineage(region) if code in by_region), None)
    if rule is None:
        return LineRules()
    return LineRules(rule.from_hour, rule.to_hour, tuple(rule.bytes_a_second), rule.monthly_cap_bytes)


def hour_of(now_ms: int) -> int:
    """The hour of the day in Asia/Shanghai."""
    return (now_ms + ZONE_MS) % DAY_MS // HOUR_MS


def next_hour_ms(now_ms: int) -> int:
    """When the next full hour begins."""
    return now_ms - now_ms % HOUR_MS + HOUR_MS


def opens_ms(rules: LineRules, now_ms: int) -> int:
    """When media may next be fetched: now, or the beginning of the next allowed hour."""
    moment = now_ms
    for _ in range(25):
        if rules.allows(hour_of(moment)):
            return moment
        moment = next_hour_ms(moment)
    return moment


def speeds_by_hour(samples: Iterable[tuple[int, int, int]]) -> list[int]:
    """Median bit/s of each hour of the day, from (hour, bytes, busy milliseconds) of several days; 0: not measured."""
    found: list[list[int]] = [[] for _ in range(24)]
    for hour, count, busy_ms in samples:
        if busy_ms > 0 and 0 <= hour < 24:
            found[hour].append(count * 8000 // busy_ms)
    return [median_low(sorted(values)) if values else 0 for values in found]


class Capacity:
    """How many bytes the line brings from now until an instant: hours, limits, measured speeds and the month's rest.

    ``month_left`` is None without a cap; it bounds everything asked about, also beyond the month's end (a cap is a
    promise about money, so the guess is the careful one)."""

    def __init__(
        self,
        rules: LineRules,
        speeds: Sequence[int],
        usual_bps: int,
        *,
        now_ms: int,
        until_ms: int,
        month_left: int | None = None,
    ) -> None:
        self._usual = (usual_bps or ASSUMED_BPS) // 8
        self._rules = rules
        self._speeds = speeds
        self._left = month_left
        self._times = [now_ms]
        self._bytes = [0]
        moment, total = now_ms, 0
        while moment < until_ms:
            end = min(next_hour_ms(moment), until_ms)
            total += self._rate(hour_of(moment)) * (end - moment) // 1000
            self._times.append(end)
            self._bytes.append(total)
            moment = end

    def _rate(self, hour: int) -> int:
        """Bytes a second in an hour of the day."""
        if not self._rules.allows(hour):
            return 0
        measured = self._speeds[hour] // 8 if hour < len(self._speeds) else 0
        limit = self._rules.limit(hour)
        rate = measured or self._usual
        return min(rate, limit) if limit else rate

    def by(self, moment_ms: int) -> int:
        """Bytes that can arrive by an instant; past the end of what was asked about: as many as by its end."""
        index = bisect_right(self._times, moment_ms) - 1
        if index < 0:
            return 0
        found = self._bytes[index]
        if index + 1 < len(self._times):
            found += self._rate(hour_of(self._times[index])) * (moment_ms - self._times[index]) // 1000
        return found if self._left is None else min(found, self._left)
