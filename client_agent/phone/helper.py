"""手机助手, put together: whether phones are listened to at this moment, under which secret, and what they are told.

The listener runs while a session runs or is about to begin, while its tile is open on the TV, and for some minutes
after a phone was last heard; at no other time is there a port that the local network could reach. The secret in the
QR code holds for one session, through a power cut too: an opened page goes on.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from client_agent.agent import Identity
from client_agent.book import Book
from client_agent.clock import Clock
from client_agent.errors import StorageFailed
from client_agent.evening import Evening, HeadCount, Names, NoSession, Tonight
from client_agent.evidence import Evidence
from client_agent.outbox import Outbox
from client_agent.phone.address import lan_address
from client_agent.phone.people import People
from client_agent.phone.roll import Counts, count
from protocol.batch import ClockState, Roll
from protocol.identifiers import crockford
from protocol.ticket import Ticket, write_ticket

if TYPE_CHECKING:
    from client_agent.phone.server import PhoneServer

log = logging.getLogger(__name__)
BEFORE_MS = 30 * 60_000
"""So long before its time a session's roll may be called."""
TILE_S = 30.0
"""The tile asks every few seconds while it is open."""
LINGER_S = 600.0
"""After a phone was heard, so long it is listened to further: photos and minutes come after the session."""
TICKET_MS = 12 * 60 * 60 * 1000
SECRET_BITS = 80
SECRET_MS = 12 * 60 * 60 * 1000
_PASS = "phone-pass"  # noqa: S105 - the name of a note
_TOLD = "phone-told"
Json = dict[str, Any]


@dataclass(frozen=True)
class Pass:
    """What a phone must know. ``of``: the study day or session it is for; the tile's own has none."""

    secret: str
    of: str
    port: int
    made_ms: int


class Phone:
    """Safe from any thread."""

    def __init__(
        self,
        book: Book,
        evening: Evening,
        outbox: Outbox,
        evidence: Evidence,
        clock: Clock,
        who: Callable[[], Identity],
        enter_late: Callable[[str, HeadCount], None],
        port: int = 0,
    ) -> None:
        self.book, self.evening, self.outbox, self.evidence = book, evening, outbox, evidence
        self._who = who
        self.people = People(book)
        self.late = enter_late
        """Heads of the session that ended last, entered afterwards (迟录)."""
        self._clock = clock
        self._port = port
        self._lock = threading.RLock()
        self._server: PhoneServer | None = None
        self._pass = self._kept_pass()
        self._held_until = 0.0
        self.papers: dict[str, Callable[[dict[str, str]], tuple[str, str]]] = {}
        """What may be printed, by its path: content type and text."""
        evening.names = CalledByName(self)

    def station(self) -> str:
        return self._who().station_name

    # --- the listener ---------------------------------------------------------------------------------------------------
    def now_ms(self) -> int:
        return self._clock.for_programmes()[0]

    def tonight(self) -> Tonight | None:
        """The session that runs or is offered."""
        now_ms, clock = self._clock.for_programmes()
        return self.evening.tonight(now_ms, offers=clock is not ClockState.UNCERTAIN)

    def wanted(self) -> bool:
        """Whether phones are to be listened to now."""
        if time.monotonic() < self._held_until:
            return True
        tonight = self.tonight()
        return tonight is not None and (tonight.running or self._is_near(tonight))

    def _is_near(self, tonight: Tonight) -> bool:
        return tonight.starts_ms - BEFORE_MS <= self.now_ms() < tonight.ends_ms

    def hold(self, seconds: float = LINGER_S) -> None:
        """Somebody uses it: listen at least so much longer."""
        self._held_until = max(self._held_until, time.monotonic() + seconds)

    def settle(self) -> PhoneServer | None:
        """The listener as it should be now: begun, ended, or moved where the machine's address changed."""
        with self._lock:
            address = lan_address() if self.wanted() else None
            if self._server is not None and (address is None or address != self._server.address):
                self._end()
            if address is None:
                return None
            made = self._renew_pass()
            if self._server is None:
                self._begin(address, made)
            return self._server

    def _begin(self, address: str, made: Pass) -> None:
        from client_agent.phone.server import PhoneServer

        for port in (made.port, self._port, 0):
            try:
                self._server = PhoneServer(self, address, port)
                break
            except OSError as error:
                log.info("phones cannot be listened to at %s:%d: %s", address, port, error)
        if self._server is None:
            return
        self._server.start()
        self._keep_pass(Pass(made.secret, made.of, self._server.port, made.made_ms))
        log.info("phones are listened to at %s:%d", address, self._server.port)

    def _end(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None
            log.info("phones are listened to no more")

    def stop(self) -> None:
        """Listen no more."""
        with self._lock:
            self._end()

    # --- the secret ---------------------------------------------------------------------------------------------------
    @property
    def secret(self) -> str:
        """What a phone must say; empty while none holds."""
        return self._pass.secret if self._pass is not None else ""

    def _renew_pass(self) -> Pass:
        """The pass that holds: a fresh one for each session."""
        tonight = self.tonight()
        of = (tonight.day or tonight.id) if tonight else ""
        kept, now_ms = self._pass, self.now_ms()
        if kept is not None and kept.of and kept.of == of:
            return kept
        if kept is not None and (not of or kept.of == of) and 0 <= now_ms - kept.made_ms < SECRET_MS:
            return kept
        port = kept.port if kept is not None else self._port
        made = Pass(crockford(secrets.randbits(SECRET_BITS), SECRET_BITS // 5).lower(), of, port, now_ms)
        self._keep_pass(made)
        return made

    def _kept_pass(self) -> Pass | None:
        kept = self.book.note(_PASS)
        try:
            return msgspec.json.decode(kept, type=Pass) if kept else None
        except msgspec.DecodeError:
            return None

    def _keep_pass(self, made: Pass) -> None:
        """A disk that is full takes no note: the secret holds until the next power cut then."""
        self._pass = made
        try:
            self.book.keep_note(_PASS, msgspec.json.encode(made).decode())
        except StorageFailed as error:
            log.warning("the phone's pass could not be kept: %s", error)

    # --- what the TV is told ------------------------------------------------------------------------------------------
    def told(self, *, tile: bool = False) -> Json:
        """What the TV shows: the QR code where phones are listened to, and how far the roll is."""
        from client_agent.phone.qr import squares

        if tile:
            self.hold(TILE_S)
        server = self.settle()
        url = f"http://{server.address}:{server.port}/s/{self.secret}/" if server is not None else ""
        tonight = self.tonight()
        away = self._address_at_the_province(tonight) if tonight is not None else ""
        return {
            "lan": {"url": url, "squares": squares(url)} if url else None,
            "away": {"url": away, "squares": squares(away)} if away else None,
            "tonight": tonight is not None,
            "roll": self._roll_told(tonight) if tonight is not None else None,
        }

    def _address_at_the_province(self, tonight: Tonight) -> str:
        """The province's page for this session, with a ticket that this terminal signs; empty where the clock is a
        guess, which no ticket may hang on."""
        if self._clock.for_programmes()[1] is ClockState.UNCERTAIN or (
            not tonight.running and not self._is_near(tonight)
        ):
            return ""
        who = self._who()
        begins_ms = (tonight.starts_ms - (0 if tonight.running else BEFORE_MS)) // 1000 * 1000
        ticket = Ticket(who.terminal, tonight.id, begins_ms, begins_ms + TICKET_MS, tonight.title)
        return f"{who.api.removesuffix('/api/v1')}/s/{write_ticket(ticket, who.private)}"

    def _roll_told(self, tonight: Tonight) -> Json | None:
        counts = self.counts(tonight.id, Roll.END if tonight.closing else Roll.START)
        return {"present": counts.present, "expected": counts.expected} if counts is not None else None

    # --- the roll ------------------------------------------------------------------------------------------------------
    def counts(self, session: str, roll: Roll) -> Counts | None:
        """The figures of a roll by name; None where nobody was tapped."""
        marks, others = self.people.marks(session, roll)
        return count(self.people.everybody(), marks, others) if marks or others else None

    def call(self, session: str, roll: Roll) -> None:
        """This was all: the roll is told. Before the session begins it waits for it. Raises NoSession."""
        tonight = self.tonight()
        if tonight is not None and tonight.id == session:
            if tonight.running:
                self.evening.count_heads(self.heads(session, roll), roll)
            return
        last = self.evening.last(self.now_ms())
        if last is None or last["id"] != session:
            raise NoSession
        self.late(session, self.heads(session, roll))

    def heads(self, session: str, roll: Roll) -> HeadCount:
        """The figures of a roll as they are told; nobody there where nobody was tapped."""
        counts = self.counts(session, roll) or Counts(len(self.people.everybody()), 0, 0, 0)
        return HeadCount(counts.present, counts.expected, counts.members, counts.public)


class CalledByName(Names):
    """What was tapped on phones, as the evening sees it."""

    def __init__(self, phone: Phone) -> None:
        self._phone = phone

    def untold(self, session: str, roll: Roll) -> HeadCount | None:
        if self._phone.counts(session, roll) is None:
            return None
        heads = self._phone.heads(session, roll)
        return None if self._phone.book.note(f"{_TOLD}-{roll}") == _as_told(session, heads) else heads

    def told(self, session: str, roll: Roll) -> None:
        self._phone.book.keep_note(f"{_TOLD}-{roll}", _as_told(session, self._phone.heads(session, roll)))


def _as_told(session: str, heads: HeadCount) -> str:
    return f"{session} {heads.present}/{heads.expected}/{heads.members}/{heads.public}"
