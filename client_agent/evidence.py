"""Evidence: photos, spoken minutes and pictures of the screen, kept here whole and brought to the province in pieces.

The file is on the disk before the record that names it is written; the record goes through the outbox like any other,
the bytes follow when the line is free and may be used (a picture of the screen, which is small and waited for, also
outside of the hours). After a power cut at any point the same file is there with its
record, or neither; at worst the record is told twice, which counts once because it names the same bytes.

    kept ──► told (record in the outbox) ──► sending, ``held`` bytes at the province ──► sent
                                              └── refused five times ──► given up, with a fault

When the province's incarnation changes (its database was restored from a backup), every file of the last 90 days that is
still here is asked about again, with an empty piece, and goes once more where it is missing.

At most 200 MB in all: what was sent longest ago goes first, what was not sent never goes.
"""

from __future__ import annotations

import hashlib
import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from client_agent.book import Book
from client_agent.durable import write_durably
from client_agent.errors import AgentError, StorageFailed
from client_agent.outbox import KEEP_MS, Outbox
from client_agent.reporter import (
    BACKOFF_MOST_MS,
    CONTENT_TYPE,
    HELD_AGAIN_MS,
    REVOKED_AGAIN_MS,
    Answer,
    Identity,
    NoAnswer,
    Verdict,
    backoff_ms,
    judge,
)
from protocol import batch, evidence
from protocol.batch import EvidenceKind
from protocol.errors import ProtocolError
from protocol.times import ms_to_text

log = logging.getLogger(__name__)

QUOTA_BYTES = 200 * 1024 * 1024
IDLE_MS = 20_000
CLOSED_AGAIN_MS = 60_000
MOST_TRIES = 5
INCARNATION = "evidence_incarnation"
_TABLE = (
    "CREATE TABLE IF NOT EXISTS evidence (sha256 TEXT PRIMARY KEY, length INTEGER NOT NULL, media_type TEXT NOT NULL,"
    " what TEXT NOT NULL, session TEXT NOT NULL, at_ms INTEGER NOT NULL, told INTEGER NOT NULL DEFAULT 0,"
    " held INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0, sent_ms INTEGER) WITHOUT ROWID"
)


class EvidenceRefused(AgentError):
    """不能收存 / this cannot be kept"""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{self.__doc__}: {reason}")
        self.reason = reason
        """``empty``, ``size``, ``type`` or ``full``."""


@dataclass(frozen=True)
class Kept:
    """One file here. ``sent_ms`` None: still to be sent; 0: given up."""

    sha256: str
    length: int
    media_type: str
    what: EvidenceKind
    session: str
    at_ms: int
    held: int
    tries: int
    sent_ms: int | None


class Evidence:
    """The files of one station. Safe from any thread."""

    def __init__(
        self,
        folder: Path,
        book: Book,
        outbox: Outbox,
        now_ms: Callable[[], int],
        *,
        quota_bytes: int = QUOTA_BYTES,
    ) -> None:
        """Open, and bring to an end what a power cut left half-done. Raises StorageFailed."""
        self._folder = folder
        self._book = book
        self._outbox = outbox
        self._now_ms = now_ms
        self._quota = quota_bytes
        self._lock = threading.RLock()
        book.have(_TABLE)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._settle()
        except OSError as error:
            raise StorageFailed(f"{StorageFailed.__doc__}: {folder}: {error}") from error

    def _settle(self) -> None:
        known = {kept.sha256 for kept in self._rows("")}
        for path in self._folder.iterdir():
            if path.name not in known:
                path.unlink()
        for kept in self._rows("WHERE NOT told"):
            self._tell(kept)

    # --- keeping ------------------------------------------------------------------------------------------------------
    def keep(self, kind: EvidenceKind, data: bytes, media_type: str = "", *, session: str = "") -> str:
        """Keep bytes and tell of them; their SHA-256. ``media_type`` is what somebody said; what counts is how the bytes
        begin. The same bytes again are told again only for another session.

        Raises EvidenceRefused, StorageFailed, OutboxFull.
        """
        found = evidence.media_type_of(data[: evidence.HEAD_BYTES])
        if reason := evidence.unfit(kind, len(data), found):
            log.info("evidence called %r refused: %s", media_type, reason)
            raise EvidenceRefused(reason)
        sha256 = hashlib.sha256(data).hexdigest()
        with self._lock:
            before = self.find(sha256)
            kept = Kept(
                sha256, len(data), str(found), kind, session, self._now_ms(), before.held if before else 0, 0,
                before.sent_ms if before else None,
            )  # fmt: skip
            if before is not None and before.session == session:
                return sha256
            if before is None:
                self._make_room(len(data))
                self._write(sha256, data)
            self._book.execute(
                "INSERT OR REPLACE INTO evidence (sha256, length, media_type, what, session, at_ms, held, sent_ms)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    sha256,
                    kept.length,
                    kept.media_type,
                    str(kind),
                    session,
                    kept.at_ms,
                    kept.held,
                    kept.sent_ms,
                ),
            )
            self._tell(kept)
        return sha256

    def adopt(self, kept: Kept, data: bytes) -> bool:
        """Take over a file of this station's former terminal, which told of it already; whether it is new here. Within
        the caller's transaction of the book, whose lock is the one that counts. Raises EvidenceRefused, StorageFailed."""
        if reason := evidence.unfit(
            kept.what, len(data), evidence.media_type_of(data[: evidence.HEAD_BYTES])
        ):
            raise EvidenceRefused(reason)
        if self.find(kept.sha256) is not None:
            return False
        self._write(kept.sha256, data)
        self._book.execute(
            "INSERT INTO evidence (sha256, length, media_type, what, session, at_ms, told) VALUES (?, ?, ?, ?, ?, ?, 1)",
            (kept.sha256, kept.length, kept.media_type, str(kept.what), kept.session, kept.at_ms),
        )
        return True

    def _write(self, sha256: str, data: bytes) -> None:
        try:
            write_durably(self._folder / sha256, data)
        except OSError as error:
            (self._folder / f".{sha256}.new").unlink(missing_ok=True)
            raise StorageFailed(f"{StorageFailed.__doc__}: {error}") from error

    def _tell(self, kept: Kept) -> None:
        self._outbox.append(
            batch.Evidence,
            sha256=kept.sha256,
            length=kept.length,
            media_type=kept.media_type,
            what=kept.what,
            session=kept.session,
        )
        self._book.execute("UPDATE evidence SET told = 1 WHERE sha256 = ?", (kept.sha256,))

    def _make_room(self, wanted: int) -> None:
        """Raises EvidenceRefused where what was not sent yet fills the room."""
        excess = self.total_bytes() + wanted - self._quota
        for kept in self._rows("WHERE sent_ms IS NOT NULL ORDER BY sent_ms, at_ms"):
            if excess <= 0:
                break
            self._book.execute("DELETE FROM evidence WHERE sha256 = ?", (kept.sha256,))
            (self._folder / kept.sha256).unlink(missing_ok=True)
            excess -= kept.length
        if excess > 0:
            raise EvidenceRefused("full")

    # --- looking ------------------------------------------------------------------------------------------------------
    def total_bytes(self) -> int:
        """All that lies here."""
        return int(self._book.rows("SELECT coalesce(sum(length), 0) FROM evidence")[0][0])

    def find(self, sha256: str) -> Kept | None:
        found = self._rows("WHERE sha256 = ?", (sha256,))
        return found[0] if found else None

    def of_session(self, session: str) -> list[Kept]:
        """What was kept of a session, in the order it came."""
        return self._rows("WHERE session = ? ORDER BY at_ms, sha256", (session,))

    def unsent(self) -> list[Kept]:
        """What the province does not hold whole yet, the oldest first."""
        return self._rows("WHERE sent_ms IS NULL ORDER BY at_ms, sha256")

    def read(self, sha256: str) -> bytes | None:
        """The bytes, checked; None where they are not here or not the same any more."""
        try:
            data = (self._folder / sha256).read_bytes()
        except OSError:
            return None
        return data if hashlib.sha256(data).hexdigest() == sha256 else None

    def _rows(self, where: str, values: tuple[object, ...] = ()) -> list[Kept]:
        rows = self._book.rows(
            "SELECT sha256, length, media_type, what, session, at_ms, held, tries, sent_ms FROM evidence "  # noqa: S608 - constants of this file
            + where,
            values,
        )
        return [Kept(a, b, c, EvidenceKind(what), *rest) for a, b, c, what, *rest in rows]

    # --- what became of it --------------------------------------------------------------------------------------------
    def note_held(self, sha256: str, held: int) -> None:
        """The province holds so many bytes from the beginning."""
        self._book.execute("UPDATE evidence SET held = ? WHERE sha256 = ?", (held, sha256))

    def note_sent(self, sha256: str) -> None:
        self._book.execute(
            "UPDATE evidence SET held = length, sent_ms = ? WHERE sha256 = ?",
            (max(1, self._now_ms()), sha256),
        )

    def meet(self, incarnation: str) -> int:
        """The province's database life as it is now; how many files are to be asked about again because it changed."""
        known = self._book.note(INCARNATION)
        if known == incarnation:
            return 0
        asked = 0
        with self._book.transaction():
            self._book.keep_note(INCARNATION, incarnation)
            if known:
                asked = self._book.execute(
                    "UPDATE evidence SET sent_ms = NULL, held = length WHERE sent_ms > ?",
                    (self._now_ms() - KEEP_MS,),
                )
        return asked

    def note_refused(self, sha256: str, why: str) -> None:
        """Begin again; after some tries give up, with a fault."""
        self._book.execute("UPDATE evidence SET held = 0, tries = tries + 1 WHERE sha256 = ?", (sha256,))
        kept = self.find(sha256)
        if kept is not None and kept.tries >= MOST_TRIES:
            self._book.execute("UPDATE evidence SET sent_ms = 0 WHERE sha256 = ?", (sha256,))
            self._outbox.fault("evidence_refused", f"{sha256}: {why}")

    def note_lost(self, sha256: str) -> None:
        """The file is gone or damaged: nothing to send."""
        self._book.execute("DELETE FROM evidence WHERE sha256 = ?", (sha256,))
        (self._folder / sha256).unlink(missing_ok=True)
        self._outbox.fault("evidence_lost", sha256)


# --- sending ------------------------------------------------------------------------------------------------------------
class PutLine(Protocol):
    """Puts bytes to a path under the API's URL. Raises NoAnswer where no whole answer came back."""

    def put(self, path: str, body: bytes, content_type: str) -> Answer: ...


@dataclass
class EvidencePost:
    """Brings files to the province, a piece at a time. Not for several threads at once; times are monotonic ms."""

    evidence: Evidence
    who: Callable[[], Identity]
    line: PutLine
    mono_ms: Callable[[], int]
    wall_ms: Callable[[], int]
    allowed: Callable[[], bool] = lambda: True
    """Whether the line may be used for this now (hours, monthly cap)."""
    incarnation: Callable[[], str | None] = lambda: None
    """The province's database life, as the outbox last compared its marks with it."""
    fraction: Callable[[], float] = random.random
    _failures: int = 0
    _free_at: int = 0
    _not_before: dict[str, int] = field(default_factory=dict)

    def tick(self) -> int:
        """Send at most one piece; how many milliseconds until there may be another. Raises StorageFailed."""
        now = self.mono_ms()
        if now < self._free_at:
            return self._free_at - now
        if (life := self.incarnation()) and (again := self.evidence.meet(life)):
            log.warning("the province was restored: asking about %d photos and recordings again", again)
        waiting = self.evidence.unsent()
        self._not_before = {k.sha256: self._not_before.get(k.sha256, 0) for k in waiting}
        if not waiting:
            return IDLE_MS
        if not self.allowed():  # a look is small, and somebody waits for it
            waiting = [kept for kept in waiting if kept.what is EvidenceKind.SCREENSHOT]
            if not waiting:
                return CLOSED_AGAIN_MS
        for kept in waiting:
            if self._not_before[kept.sha256] <= now:
                self._send(kept)
                return 0
        return max(200, min(self._not_before[kept.sha256] for kept in waiting) - now)

    def send_all(self, deadline_ms: int = 60_000) -> int:
        """Everything that goes, until the time is up or something is in the way; how many files are left."""
        until = self.mono_ms() + deadline_ms
        while self.mono_ms() < until and self.tick() == 0:
            pass
        return len(self.evidence.unsent())

    def _send(self, kept: Kept) -> None:
        data = self.evidence.read(kept.sha256)
        if data is None or len(data) != kept.length:
            self.evidence.note_lost(kept.sha256)
            return
        who = self.who()
        body = data[kept.held : kept.held + evidence.PIECE_BYTES]
        header = evidence.PieceHeader(
            terminal=who.terminal,
            sha256=kept.sha256,
            length=kept.length,
            media_type=kept.media_type,
            what=kept.what,
            session=kept.session,
            offset=min(kept.held, kept.length),
            piece=hashlib.sha256(body).hexdigest(),
            wall=ms_to_text(self.wall_ms()),
        )
        request = evidence.write_piece(header, body, who.private)
        try:
            answer = self.line.put(f"evidence/{kept.sha256}", request, CONTENT_TYPE)
        except NoAnswer as error:
            log.info("no answer about evidence: %s", error)
            self._stay_away(None)
            return
        self._judge(kept, request, len(body), answer)

    def _judge(self, kept: Kept, request: bytes, sent: int, answer: Answer) -> None:
        verdict = judge(answer.status)
        if verdict is Verdict.RECEIPT:
            self._take_receipt(kept, request, sent, answer)
        elif verdict is Verdict.HELD:
            self._later(kept, HELD_AGAIN_MS)
        elif verdict is Verdict.REVOKED:
            self._free_at = self.mono_ms() + REVOKED_AGAIN_MS
        elif verdict in (Verdict.REFUSED, Verdict.FORK):
            self.evidence.note_refused(kept.sha256, f"HTTP {answer.status}")
            self._later(kept, BACKOFF_MOST_MS)
        else:
            self._stay_away(answer)

    def _take_receipt(self, kept: Kept, request: bytes, sent: int, answer: Answer) -> None:
        try:
            receipt = evidence.read_receipt(answer.body, request=request, trusted=self.who().receipt_keys)
        except ProtocolError as error:
            log.error("evidence %s: a receipt that proves nothing: %s", kept.sha256, error)
            self._stay_away(None)
            return
        self._failures = 0
        if receipt.sha256 == kept.sha256 and receipt.complete:
            self.evidence.note_sent(kept.sha256)
        elif receipt.held <= kept.length and (receipt.held != kept.held or not sent):
            self.evidence.note_held(kept.sha256, receipt.held)
            if not sent:
                self._later(kept, BACKOFF_MOST_MS)
        else:
            self._later(kept, BACKOFF_MOST_MS)

    def _stay_away(self, answer: Answer | None) -> None:
        self._failures += 1
        pause = backoff_ms(self._failures, answer.retry_after_s if answer else None, self.fraction())
        self._free_at = self.mono_ms() + pause

    def _later(self, kept: Kept, pause_ms: int) -> None:
        self._not_before[kept.sha256] = self.mono_ms() + int(pause_ms * (0.5 + self.fraction() / 2))
