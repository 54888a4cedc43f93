"""看一眼: a picture of the set when the province asks for one, by name, and never otherwise.

A signed command (``protocol.documents.Commands``) names this terminal. It is carried out once: its id is in the book
before anything is done. The picture is of what the set shows and nothing else: mpv gives it, or the kiosk's browser over
a pipe that only the kiosk holds (kiosk.py). For a moment the set says that somebody looked. Where there is no picture
to be had, a fault says so under the command's id.

    waiting ──a command──► asked ──a picture──► kept as evidence
                             └──a minute──► fault
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable

from client_agent.agent import Agent
from client_agent.book import Book
from client_agent.documents import DocumentTable
from client_agent.errors import AgentError
from client_agent.evidence import Evidence
from client_agent.outbox import Outbox
from client_agent.screen import ScreenFailed
from protocol import names
from protocol.batch import ClockState, EvidenceKind
from protocol.documents import Command, Commands, Deed
from protocol.times import DAY_MS, text_to_ms

log = logging.getLogger(__name__)
NO_PICTURE = "screenshot_unavailable"
WAIT_S = 60.0
EARLY_MS = 10 * 60 * 1000
"""A command may seem to come from the future by this much: clocks differ."""
KEEP_DONE_MS = 30 * DAY_MS
_TABLE = "CREATE TABLE IF NOT EXISTS commands (id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) WITHOUT ROWID"


class Eye:
    """Who draws the set, and the picture wanted of it. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted: str | None = None
        self._picture: bytes | None = None
        self.take: Callable[[], bytes] | None = None
        """Takes a picture at once, where this process drives the screen. Raises ScreenFailed."""
        self.say: Callable[[], None] = lambda: None
        """Shows for a moment that somebody looked, where this process drives the screen."""
        self.looks = 0
        """How often somebody looked since the agent began; the page says so when it grows."""

    @property
    def wanted(self) -> str | None:
        """A name for the picture that is wanted now; only who was told it may bring it."""
        return self._wanted

    def want(self) -> str:
        with self._lock:
            self._wanted, self._picture = secrets.token_hex(16), None
            return self._wanted

    def bring(self, name: str, picture: bytes) -> bool:
        """The picture of that name; False where nobody wants it."""
        with self._lock:
            if self._wanted is None or not secrets.compare_digest(name, self._wanted):
                return False
            self._wanted, self._picture = None, picture
            return True

    def brought(self) -> bytes | None:
        with self._lock:
            picture, self._picture = self._picture, None
            return picture

    def forget(self) -> None:
        with self._lock:
            self._wanted = self._picture = None

    def looked(self) -> None:
        """Somebody has looked: say so on the set."""
        self.looks += 1
        self.say()


class Looks:
    """Carries out what the signed commands ask of this terminal. For one thread."""

    def __init__(
        self,
        agent: Agent,
        book: Book,
        evidence: Evidence,
        outbox: Outbox,
        eye: Eye,
        mono_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._agent, self._book, self._evidence = agent, book, evidence
        self._outbox, self._eye, self._mono_s = outbox, eye, mono_s
        self._version = ""
        self._waiting: list[Command] = []
        self._asked: tuple[Command, float] | None = None
        book.have(_TABLE)

    def tick(self) -> None:
        """One small step. Raises StorageFailed, OutboxFull."""
        self._read()
        if self._asked is not None:
            self._look_for_picture(*self._asked)
        elif self._waiting:
            self._begin(self._waiting.pop(0))

    def _read(self) -> None:
        """Commands that are new since the documents last changed, while the clock knows what time it is."""
        table = DocumentTable(self._agent.database)
        now_ms, clock = self._agent.clock.now_ms()
        if table.version == self._version or clock is ClockState.UNCERTAIN:
            return
        self._version = table.version
        document = table.read(names.COMMAND_TARGET, Commands)
        me = self._agent.identity.terminal
        for command in document.items if document else ():
            holds = text_to_ms(command.at) - EARLY_MS <= now_ms < text_to_ms(command.until)
            ours = me in command.terminals and command.do == Deed.SCREENSHOT
            if holds and ours and command not in self._waiting and not self._is_done(command.id):
                self._waiting.append(command)
        self._book.execute("DELETE FROM commands WHERE at_ms < ?", (now_ms - KEEP_DONE_MS,))

    def _is_done(self, command: str) -> bool:
        return bool(self._book.rows("SELECT 1 FROM commands WHERE id = ?", (command,)))

    def _begin(self, command: Command) -> None:
        now_ms = self._agent.clock.now_ms()[0]
        if not self._book.execute("INSERT OR IGNORE INTO commands VALUES (?, ?)", (command.id, now_ms)):
            return
        log.info("the province asks for a picture of the screen: %s", command.id)
        if self._eye.take is None:
            self._eye.want()
            self._asked = (command, self._mono_s() + WAIT_S)
            return
        try:
            self._keep(command, self._eye.take())
        except ScreenFailed as error:
            self._fail(command, str(error))

    def _look_for_picture(self, command: Command, deadline_s: float) -> None:
        picture = self._eye.brought()
        if picture is not None:
            self._asked = None
            self._keep(command, picture)
        elif self._mono_s() > deadline_s:
            self._asked = None
            self._eye.forget()
            self._fail(command, "no screen answered")

    def _keep(self, command: Command, picture: bytes) -> None:
        try:
            self._evidence.keep(EvidenceKind.SCREENSHOT, picture, session=command.id)
        except AgentError as error:
            self._fail(command, str(error))
            return
        self._eye.looked()

    def _fail(self, command: Command, why: str) -> None:
        self._outbox.fault(NO_PICTURE, f"{command.id}: {why}")
