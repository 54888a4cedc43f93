"""The station's list of names and who was tapped when, in the station's book. Nothing here leaves the station."""

from __future__ import annotations

from collections.abc import Iterable

from client_agent.book import Book
from client_agent.phone.roll import MOST_PEOPLE, Mark, Person, newest
from protocol.batch import Roll
from protocol.times import DAY_MS

KEEP_MARKS_MS = 90 * DAY_MS
KEEP_DONE_MS = 2 * DAY_MS
_PEOPLE = """CREATE TABLE IF NOT EXISTS roll_people (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, party INTEGER NOT NULL)"""
_MARKS = """CREATE TABLE IF NOT EXISTS roll_marks (
  session TEXT NOT NULL, roll TEXT NOT NULL, person INTEGER NOT NULL, present INTEGER NOT NULL, at_ms INTEGER NOT NULL,
  PRIMARY KEY (session, roll, person)) WITHOUT ROWID"""
_DONE = "CREATE TABLE IF NOT EXISTS phone_done (id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) WITHOUT ROWID"
_OTHERS = 0
"""The "person" under whom those are counted who stand on no list; ``present`` is their number."""


class ListFull(Exception):
    """More names than a list holds."""


class People:
    """Safe from any thread. Everything raises StorageFailed where the disk does not take it; then nothing changed."""

    def __init__(self, book: Book) -> None:
        self._book = book
        book.have(_PEOPLE, _MARKS, _DONE)

    # --- the list -----------------------------------------------------------------------------------------------------
    def everybody(self) -> list[Person]:
        """In the order in which they were added."""
        rows = self._book.rows("SELECT id, name, party FROM roll_people ORDER BY id")
        return [Person(number, name, bool(party)) for number, name, party in rows]

    def add(self, names: Iterable[tuple[str, bool]], *, namesakes: bool = False) -> tuple[int, list[str]]:
        """(how many were added, the names that stood there already and were left out). ``namesakes``: another person
        of the same name is meant. All or none: raises ListFull."""
        with self._book.transaction():
            standing = {person.name for person in self.everybody()}
            room, added, left_out = MOST_PEOPLE - len(self.everybody()), 0, []
            for name, party in names:
                if name in standing and not namesakes:
                    left_out.append(name)
                    continue
                if added == room:
                    raise ListFull
                self._book.execute("INSERT INTO roll_people (name, party) VALUES (?, ?)", (name, int(party)))
                standing.add(name)
                added += 1
        return added, left_out

    def change(self, person: Person) -> bool:
        """Write a name anew; False where nobody has that number."""
        changed = self._book.execute(
            "UPDATE roll_people SET name = ?, party = ? WHERE id = ?",
            (person.name, int(person.party), person.id),
        )
        return changed == 1

    def remove(self, number: int) -> None:
        """Take somebody off the list, and what was ever tapped of him."""
        with self._book.transaction():
            self._book.execute("DELETE FROM roll_people WHERE id = ?", (number,))
            self._book.execute("DELETE FROM roll_marks WHERE person = ?", (number,))

    # --- the roll -----------------------------------------------------------------------------------------------------
    def marks(self, session: str, roll: Roll) -> tuple[dict[int, Mark], int]:
        """(the last tap of each person, how many came who stand on no list)."""
        rows = self._book.rows(
            "SELECT person, present, at_ms FROM roll_marks WHERE session = ? AND roll = ?", (session, roll)
        )
        others = next((present for person, present, _ in rows if person == _OTHERS), 0)
        marks = {who: Mark(who, bool(present), at_ms) for who, present, at_ms in rows if who != _OTHERS}
        return marks, others

    def mark(
        self, session: str, roll: Roll, said: Iterable[Mark], others: int | None, *, now_ms: int
    ) -> None:
        """Taps of people on the list; those of anybody else are passed over."""
        with self._book.transaction():
            known = {person.id for person in self.everybody()}
            kept, _ = self.marks(session, roll)
            rows = [
                (mark.person, int(mark.present), mark.at_ms)
                for mark in newest(kept, (one for one in said if one.person in known)).values()
            ]
            if others is not None:
                rows.append((_OTHERS, others, now_ms))
            for row in rows:
                self._book.execute(
                    "INSERT OR REPLACE INTO roll_marks VALUES (?, ?, ?, ?, ?)", (session, roll, *row)
                )
            self._book.execute("DELETE FROM roll_marks WHERE at_ms < ?", (now_ms - KEEP_MARKS_MS,))

    # --- what was done already -----------------------------------------------------------------------------------------
    def is_done(self, deed: str) -> bool:
        """Whether what a phone sent under this name was done before."""
        return bool(self._book.rows("SELECT 1 FROM phone_done WHERE id = ?", (deed,)))

    def note_done(self, deed: str, *, now_ms: int) -> None:
        self._book.execute("INSERT OR REPLACE INTO phone_done VALUES (?, ?)", (deed, now_ms))
        self._book.execute("DELETE FROM phone_done WHERE at_ms < ?", (now_ms - KEEP_DONE_MS,))
