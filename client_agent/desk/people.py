"""管理员 A/B: the two administrators of a station, their PINs, and who is signed in at the set.

A PIN keeps neighbours out of the log and the plan; it never stands between the village and its programme: nothing that
plays, and no study session, asks for one. After five wrong tries the next one waits, twice as long each time, up to an
hour. A try is counted before it is looked at, and the wait is measured by what passed since the machine started, so that
neither pulling the plug nor setting the clock shortens it: after another start it begins anew.

Who is signed in is known in memory only: a station that starts has nobody signed in.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from client_agent.book import Book
from client_agent.clock import Reading

Json = dict[str, Any]
POSTS = ("A", "B")
FREE_TRIES = 5
FIRST_WAIT_MS = 60_000
LONGEST_WAIT_MS = 60 * 60_000
IDLE_MS = 20 * 60_000
AFTER_STUDY_MS = 5 * 60_000
NAME_LENGTH = 20
_M_MMAP_THRESHOLD = -3
"""Of glibc's malloc.h."""
_TABLES = (
    """CREATE TABLE IF NOT EXISTS people (
      post TEXT PRIMARY KEY CHECK (post IN ('A', 'B')), name TEXT NOT NULL, salt BLOB NOT NULL, hash BLOB NOT NULL)
      WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS tries (
      post TEXT PRIMARY KEY, wrong INTEGER NOT NULL, boot TEXT NOT NULL, mono_ms INTEGER NOT NULL) WITHOUT ROWID""",
)


class PinRefused(Exception):
    """The PIN was not taken; ``word`` says why: "wrong", "locked", "easy", "form"; ``wait_ms`` how long nothing is."""

    def __init__(self, word: str, wait_ms: int = 0) -> None:
        super().__init__(word)
        self.word = word
        self.wait_ms = wait_ms


class NotAllowed(Exception):
    """Nobody who may do this is signed in, or there is no such person."""


def wait_after(wrong: int) -> int:
    """Milliseconds the next try waits after so many wrong ones in a row."""
    if wrong < FREE_TRIES:
        return 0
    return int(min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** min(wrong - FREE_TRIES, 10)))


def is_easy(pin: str) -> bool:
    """Whether everybody's first guess opens it: one digit over and over, or digits in a row."""
    steps = {ord(after) - ord(before) for before, after in itertools.pairwise(pin)}
    return len(steps) == 1 and steps <= {-1, 0, 1}


def hashed(pin: str, salt: bytes) -> bytes:
    """scrypt with 16 MB: a stolen book is not read in an evening on a village's own machine."""
    _map_large_blocks()
    return hashlib.scrypt(pin.encode(), salt=salt, n=2**14, r=8, p=1, dklen=32)


def _map_large_blocks() -> None:
    """Have glibc give large blocks back to the system when they are freed. By itself it learns from the first one to keep
    the next 16 MB, and the agent has little to spare. Elsewhere there is nothing to do."""
    try:
        import ctypes

        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, 1024 * 1024)
    except (ImportError, OSError, AttributeError, TypeError):
        return


@dataclass(frozen=True)
class Person:
    """``has_pin``: False after a technician took the old one away, until a new one is set at the set."""

    post: str
    name: str
    has_pin: bool


@dataclass
class _Signed:
    """Who is signed in; ``last_ms`` his last key, ``until_ms`` a fixed end, both since the machine started."""

    post: str
    last_ms: int
    until_ms: int | None = None
    studied: bool = False


class People:
    """Safe from any thread."""

    def __init__(self, book: Book, read: Callable[[], Reading]) -> None:
        self._book = book
        self._read = read
        self._lock = threading.RLock()
        self._signed: _Signed | None = None
        self.studying: Callable[[], bool] = lambda: False
        """Whether a study session runs: nobody is signed out in the middle of one."""
        book.have(*_TABLES)

    # --- who there is -------------------------------------------------------------------------------------------------
    def all(self) -> list[Person]:
        """A first, then B, as far as they are there."""
        rows = self._book.rows("SELECT post, name, length(hash) FROM people ORDER BY post")
        return [Person(post, name, bool(length)) for post, name, length in rows]

    def person(self, post: str) -> Person | None:
        return next((one for one in self.all() if one.post == post), None)

    def waits_ms(self, post: str) -> int:
        """How long no try of this person is looked at; 0 when one is."""
        row = self._book.rows("SELECT wrong, boot, mono_ms FROM tries WHERE post = ?", (post,))
        if not row:
            return 0
        (wrong, boot, mono_ms), now = row[0], self._read()
        wait = wait_after(int(wrong))
        if not wait:
            return 0
        passed = now.mono_ms - mono_ms
        if boot != now.boot or passed < 0:
            self._count(post, wrong, now)
            return wait
        return max(0, wait - int(passed))

    # --- signing in ---------------------------------------------------------------------------------------------------
    def sign_in(self, post: str, pin: str) -> None:
        """Sign in, and whoever was signed in out. Raises NotAllowed (no such person), PinRefused."""
        with self._lock:
            row = self._book.rows("SELECT salt, hash FROM people WHERE post = ? AND length(hash)", (post,))
            if not row:
                raise NotAllowed
            wait_ms = self.waits_ms(post)
            if wait_ms:
                raise PinRefused("locked", wait_ms)
            known = self._book.rows("SELECT wrong FROM tries WHERE post = ?", (post,))
            wrong = 1 + (known[0][0] if known else 0)
            self._count(post, wrong, self._read())
            if not hmac.compare_digest(hashed(pin, bytes(row[0][0])), bytes(row[0][1])):
                raise PinRefused("wrong", wait_after(wrong))
            self._book.execute("DELETE FROM tries WHERE post = ?", (post,))
            self._signed = _Signed(post, self._read().mono_ms)

    def _count(self, post: str, wrong: int, now: Reading) -> None:
        self._book.execute(
            "INSERT OR REPLACE INTO tries VALUES (?, ?, ?, ?)", (post, wrong, now.boot, now.mono_ms)
        )

    def sign_out(self) -> None:
        self._signed = None

    def key(self) -> None:
        """Somebody pressed a key."""
        with self._lock:
            if self.who():
                assert self._signed is not None
                self._signed.last_ms = self._read().mono_ms

    def who(self) -> str:
        """A or B, whoever is signed in; empty for nobody. Signed out after 20 minutes without a key, and five minutes
        after a study session; while one runs nobody is."""
        with self._lock:
            signed = self._signed
            if signed is None:
                return ""
            now_ms = self._read().mono_ms
            if self.studying():
                signed.studied, signed.last_ms, signed.until_ms = True, now_ms, None
                return signed.post
            if signed.studied:
                signed.studied, signed.until_ms = False, now_ms + AFTER_STUDY_MS
            idle = now_ms - signed.last_ms >= IDLE_MS
            if idle or (signed.until_ms is not None and now_ms >= signed.until_ms):
                self._signed = None
                return ""
            return signed.post

    # --- setting up ---------------------------------------------------------------------------------------------------
    def keep(self, post: str, name: str, pin: str, said: Callable[[bool], object] = lambda _: None) -> bool:
        """Make a person, or change his name (empty: as it was) or PIN (empty: as it was). The first one is A and needs
        nobody's leave, as does one whose PIN a technician took away; all else somebody who is signed in.

        True when another person took over the post (交接): he signs in himself. ``said`` is told the same, and what it
        writes into the book stands or falls with the change. Raises NotAllowed, PinRefused."""
        name = " ".join(name.split())[:NAME_LENGTH]
        with self._lock:
            before = self.person(post)
            self._may_keep(post, before)
            if not pin and (before is None or not before.has_pin):
                raise PinRefused("form")
            if pin:
                _check(pin)
            handed_over = before is not None and bool(before.name) and bool(name) and name != before.name
            if handed_over and not pin:
                raise PinRefused("form")  # whoever takes over has a PIN of his own
            with self._book.transaction():
                self._write(post, name or (before.name if before else ""), pin)
                said(handed_over)
            if handed_over and self._signed is not None and self._signed.post == post:
                self._signed = None
            return handed_over

    def _may_keep(self, post: str, before: Person | None) -> None:
        everybody = self.all()
        first = not everybody and post == "A"
        if not first and not (before is not None and not before.has_pin) and not self.who():
            raise NotAllowed

    def _write(self, post: str, name: str, pin: str) -> None:
        if pin:
            salt = secrets.token_bytes(16)
            self._book.execute(
                "INSERT OR REPLACE INTO people VALUES (?, ?, ?, ?)", (post, name, salt, hashed(pin, salt))
            )
            self._book.execute("DELETE FROM tries WHERE post = ?", (post,))
        else:
            self._book.execute("UPDATE people SET name = ? WHERE post = ?", (name, post))

    # --- a technician on the box --------------------------------------------------------------------------------------
    def reset(self, post: str) -> None:
        """Take a PIN away: a new one may be set at the set. Raises NotAllowed where there is no such person."""
        with self._lock:
            if self.person(post) is None:
                raise NotAllowed
            with self._book.transaction():
                self._book.execute("UPDATE people SET hash = ?, salt = ? WHERE post = ?", (b"", b"", post))
                self._book.execute("DELETE FROM tries WHERE post = ?", (post,))
            if self._signed is not None and self._signed.post == post:
                self._signed = None

    def rename(self, post: str, name: str) -> None:
        """A name typed by a technician: a remote has no letters. Raises NotAllowed where there is no such person."""
        changed = self._book.execute(
            "UPDATE people SET name = ? WHERE post = ?", (" ".join(name.split())[:NAME_LENGTH], post)
        )
        if not changed:
            raise NotAllowed

    # --- what the page is told ----------------------------------------------------------------------------------------
    def told(self) -> Json:
        return {
            "who": self.who(),
            "people": [
                {"post": one.post, "name": one.name, "pin": one.has_pin, "wait_ms": self.waits_ms(one.post)}
                for one in self.all()
            ],
        }

    def label(self, post: str) -> str:
        """How a person is written: A 张三."""
        found = self.person(post)
        return f"{post} {found.name}".strip() if found else post


def _check(pin: str) -> None:
    """Raises PinRefused."""
    if not (4 <= len(pin) <= 6 and pin.isascii() and pin.isdigit()):
        raise PinRefused("form")
    if is_easy(pin):
        raise PinRefused("easy")
