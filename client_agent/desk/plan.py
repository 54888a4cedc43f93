"""月计划: the month's study days at this station. The county's come with the signed documents and are remembered here, so
that a month can be looked back on; what the village changes is kept in the book and written into the log."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

import msgspec

from client_agent.book import Book
from client_agent.desk.log_lines import LogKind
from client_agent.desk.logbook import Logbook
from client_agent.desk.plan_rules import OWN, Change, PlanChange, adjusted, latest, local_date, own_day
from client_agent.errors import StorageFailed
from client_agent.guide import Guide
from protocol.documents import Ref, StudyDay
from protocol.identifiers import uuid7
from protocol.times import text_to_ms

log = logging.getLogger(__name__)
_TABLES = (
    "CREATE TABLE IF NOT EXISTS plan_days (id TEXT PRIMARY KEY, starts_ms INTEGER NOT NULL, day BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS plan_changes (n INTEGER PRIMARY KEY, day TEXT NOT NULL, change BLOB NOT NULL)",
)
KEEP_DAYS = 400
MOST_AHEAD_MS = 62 * 86_400_000
LEAST_LENGTH_MS = 30 * 60_000
_change = msgspec.json.Decoder(PlanChange)
_day = msgspec.json.Decoder(StudyDay)


class NotPlanned(LookupError):
    """No such day, or it cannot be changed so; ``word`` says why: "day" (unknown), "past", "far", "held", "own"."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


class Plan:
    """Safe from any thread."""

    def __init__(self, book: Book, guide: Guide, log: Logbook, now_ms: Callable[[], int]) -> None:
        self._book = book
        self._guide = guide
        self._log = log
        self._now_ms = now_ms
        self._lock = threading.RLock()
        self._seen = ""
        book.have(*_TABLES)

    def _changes(self) -> list[PlanChange]:
        """Read anew each time: another hand may have brought them (换机)."""
        return [
            _change.decode(row[0]) for row in self._book.rows("SELECT change FROM plan_changes ORDER BY n")
        ]

    # --- what holds ---------------------------------------------------------------------------------------------------
    def days(self) -> list[StudyDay]:
        """The study days that current documents name and the village's own, as adjusted: what is offered tonight."""
        self._remember()
        return adjusted(self._guide.study_days(), self._changes())

    def month(self, month: str) -> list[StudyDay]:
        """All days of a month (``2026-11``), also those that documents no longer name, as adjusted, in order."""
        self._remember()
        known = [
            _day.decode(row[0]) for row in self._book.rows("SELECT day FROM plan_days ORDER BY starts_ms, id")
        ]
        found = adjusted(known, self._changes())
        return [day for day in found if month_of(day) == month]

    def changed(self, day_id: str) -> PlanChange | None:
        """The village's last word on a day, where it still holds."""
        change = latest(self._changes()).get(day_id)
        return change if change is not None and change.what is not Change.RESTORE else None

    def _remember(self) -> None:
        """Keep the county's days; one that was taken out before its time is forgotten, one that passed is kept."""
        version = self._guide.version
        if version == self._seen:
            return
        with self._lock:
            days, now_ms = self._guide.study_days(), self._now_ms()
            known = {day.id for day in days}
            stored = {
                row[0]: (row[1], bytes(row[2]))
                for row in self._book.rows("SELECT id, starts_ms, day FROM plan_days")
            }
            fresh = {day.id: (text_to_ms(day.starts_at), msgspec.json.encode(day)) for day in days}
            gone = [one for one, (starts_ms, _) in stored.items() if starts_ms > now_ms and one not in known]
            news = [(one, *kept) for one, kept in fresh.items() if stored.get(one) != kept]
            self._seen = version
            try:
                self._rewrite(gone, news, now_ms)
            except StorageFailed as error:  # a full disk: today's days hold all the same
                log.warning("the month's plan is not remembered: %s", error)

    def _rewrite(self, gone: Sequence[str], news: Sequence[tuple[str, int, bytes]], now_ms: int) -> None:
        if not gone and not news:
            return
        with self._book.transaction():
            for one in gone:
                self._book.execute("DELETE FROM plan_days WHERE id = ?", (one,))
            for row in news:
                self._book.execute("INSERT OR REPLACE INTO plan_days VALUES (?, ?, ?)", row)
            self._book.execute(
                "DELETE FROM plan_days WHERE starts_ms < ?", (now_ms - KEEP_DAYS * 86_400_000,)
            )

    # --- what the village changes ---------------------------------------------------------------------------------------
    def move(self, day_id: str, starts_ms: int, reason: str, by: str) -> None:
        """Another date or hour for a day that is not over. Raises NotPlanned, StorageFailed."""
        self._may_be(starts_ms)
        own = latest(self._changes()).get(day_id)
        if own is not None and own.what is Change.ADD:
            moved = msgspec.structs.replace(
                own, starts_ms=starts_ms, ends_ms=starts_ms + own.ends_ms - own.starts_ms, reason=reason, by=by,
                at_ms=self._now_ms(),
            )  # fmt: skip
            self._keep(moved, own_day(moved))
            return
        county = self._county(day_id)
        length = text_to_ms(county.ends_at) - text_to_ms(county.starts_at)
        change = PlanChange(
            day=day_id, what=Change.MOVE, at_ms=self._now_ms(), by=by, reason=reason,
            against_ms=text_to_ms(county.starts_at), starts_ms=starts_ms, ends_ms=starts_ms + length,
        )  # fmt: skip
        self._keep(change, county)

    def add(self, starts_ms: int, programmes: Sequence[Ref], reason: str, by: str) -> str:
        """A day of the village's own, as long as its programmes and the talks between. Raises NotPlanned."""
        self._may_be(starts_ms)
        length = max(LEAST_LENGTH_MS, sum(ref.duration_ms + 10 * 60_000 for ref in programmes))
        change = PlanChange(
            day=OWN + uuid7(self._now_ms()), what=Change.ADD, at_ms=self._now_ms(), by=by, reason=reason,
            starts_ms=starts_ms, ends_ms=starts_ms + length, programmes=list(programmes),
        )  # fmt: skip
        self._keep(change, own_day(change))
        return change.day

    def restore(self, day_id: str, by: str) -> None:
        """Take a change back: the county's day as it was, a day of one's own away. Raises NotPlanned."""
        before = self.changed(day_id)
        if before is None:
            raise NotPlanned("day")
        change = PlanChange(day=day_id, what=Change.RESTORE, at_ms=self._now_ms(), by=by)
        self._keep(change, own_day(before) if before.what is Change.ADD else self._county(day_id))

    def _may_be(self, starts_ms: int) -> None:
        """Raises NotPlanned."""
        if starts_ms < self._now_ms():
            raise NotPlanned("past")
        if starts_ms > self._now_ms() + MOST_AHEAD_MS:
            raise NotPlanned("far")

    def _county(self, day_id: str) -> StudyDay:
        """The county's own word on a day that current documents name. Raises NotPlanned."""
        found = next((day for day in self._guide.study_days() if day.id == day_id), None)
        if found is None:
            raise NotPlanned("day")
        if self._book.note(f"study-done:{day_id}"):
            raise NotPlanned("held")
        return found

    def _keep(self, change: PlanChange, about: StudyDay) -> None:
        """The change and its line in the log, both or neither."""
        with self._book.transaction():
            self._book.execute(
                "INSERT INTO plan_changes (day, change) VALUES (?, ?)",
                (change.day, msgspec.json.encode(change)),
            )
            self._log.write(
                LogKind.EVENT, by=change.by, reason=f"plan-{change.what}", title=about.title, text=change.reason,
                from_ms=change.starts_ms or text_to_ms(about.starts_at), to_ms=text_to_ms(about.starts_at),
                study_day=change.day, tell=True,
            )  # fmt: skip


def month_of(day: StudyDay) -> str:
    """As 2026-11."""
    return local_date(day)[:7]
