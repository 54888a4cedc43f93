"""Brings the outbox to the province: batches up, signed receipts back.

What the line answers and what the reporter makes of it:

    200 + receipt signed for this very request   acknowledged as far as the receipt says
    200 + anything else                          acknowledges nothing; a fault is recorded; later again
    202 held (a relay took it)                   kept; this batch again later, the next ones now
    403 revoked                                  kept; asked again after hours
    409 fork                                     what it lacks of the epoch goes under a fresh one
    413, 422 and other 4xx                       this batch waits, the others go on
    401 (not known there), 404, 429, 503, 5xx    everything waits, full jitter, no less than Retry-After
    no line                                      everything waits, full jitter

An answer that never arrived changes nothing: the same bytes go again. A receipt that names another incarnation than
the one we know acknowledges nothing either; it makes the reporter ask for the marks with a fresh nonce, and only that
answer, which nobody can have recorded earlier, moves marks down or changes the incarnation.
"""

from __future__ import annotations

import logging
import random
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from client_agent.errors import BadAnswer, Unreachable
from client_agent.fetch import Http, join
from client_agent.outbox import Outbox, OutboxFull
from client_agent.outbox_rules import BATCH_RECORDS
from protocol import batch as wire
from protocol.batch import MarksRequest, Receipt
from protocol.errors import ProtocolError
from protocol.times import DAY_MS, text_to_ms

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/octet-stream"
GATHER_MS = 20_000
"""Records gather this long before a batch is cut for them."""
HELD_AGAIN_MS = 15 * 60_000
REVOKED_AGAIN_MS = 6 * 3_600_000
BACKOFF_FIRST_MS = 5_000
BACKOFF_MOST_MS = 15 * 60_000
RETRY_AFTER_MOST_MS = 6 * 3_600_000
ASK_AGAIN_MS = 60_000
PRUNE_EVERY_MS = 3_600_000
FAULT_EVERY_MS = 3_600_000
MAX_ANSWER = 256 * 1024
DEADLINE_S = 120.0
"""For 256 KiB on a line of 2 Mbit/s that others use too."""


class NoAnswer(Exception):
    """The line gave no whole answer; what was sent may have arrived or not."""


@dataclass(frozen=True)
class Answer:
    """What came back over the line. ``retry_after_s`` as the header said it, if it said any."""

    status: int
    body: bytes
    retry_after_s: float | None = None


class Line(Protocol):
    """Posts bytes to a path under the API's URL. Raises NoAnswer where no whole answer came back."""

    def __call__(self, path: str, body: bytes, content_type: str) -> Answer: ...


class Identity(Protocol):
    """Who reports: the terminal, its raw private key, the incarnation and receipt keys (base64) it was told."""

    @property
    def terminal(self) -> str: ...
    @property
    def private(self) -> bytes: ...
    @property
    def incarnation(self) -> str: ...
    @property
    def receipt_keys(self) -> Sequence[str]: ...


class HttpLine:
    """The line by HTTP, under the API address that is valid at the time. After a failure the next exchange starts
    with a fresh client: the signed network document may have brought another CA."""

    def __init__(self, make_http: Callable[[], Http], api: Callable[[], str]) -> None:
        self._make_http = make_http
        self._http: Http | None = None
        self._api = api

    def __call__(self, path: str, body: bytes, content_type: str) -> Answer:
        return self._exchange("POST", path, body, content_type)

    def put(self, path: str, body: bytes, content_type: str) -> Answer:
        """The same with PUT. Raises NoAnswer."""
        return self._exchange("PUT", path, body, content_type)

    def _exchange(self, method: str, path: str, body: bytes, content_type: str) -> Answer:
        self._http = self._http or self._make_http()
        try:
            answer = self._http.request(
                method,
                join(self._api(), path),
                headers={"Content-Type": content_type},
                body=body,
                max_bytes=MAX_ANSWER,
                deadline_s=DEADLINE_S,
            )
        except (Unreachable, BadAnswer) as error:
            self._http.close()
            self._http = None
            raise NoAnswer(str(error)) from error
        return Answer(answer.status, answer.body, _seconds(answer.headers.get("retry-after")))


def _seconds(text: str | None) -> float | None:
    """Retry-After in seconds; its form as a date counts as said but unknown (the plain backoff decides)."""
    return float(text) if text is not None and text.strip().isdigit() else None


# --- decisions --------------------------------------------------------------------------------------------------------
class Step(StrEnum):
    MARKS = "marks"
    BATCH = "batch"
    CUT = "cut"
    WAIT = "wait"


@dataclass(frozen=True)
class Situation:
    """All that a decision rests on; times are monotonic milliseconds."""

    now_ms: int
    line_free_at_ms: int
    marks_due: bool
    due: Sequence[tuple[int, int]]
    """(batch id, not before) of batches without receipt, oldest first."""
    uncut: int
    cut_at_ms: int


@dataclass(frozen=True)
class Choice:
    step: Step
    batch: int | None = None
    wait_ms: int = 0


def what_to_do(it: Situation) -> Choice:
    """Marks before batches, old batches before new ones; full batches are cut even while the line is down, so that
    the quota always works on whole, packed batches."""
    if it.uncut >= BATCH_RECORDS:
        return Choice(Step.CUT)
    if it.now_ms < it.line_free_at_ms:
        return Choice(Step.WAIT, wait_ms=it.line_free_at_ms - it.now_ms)
    if it.marks_due:
        return Choice(Step.MARKS)
    for batch, not_before in it.due:
        if not_before <= it.now_ms:
            return Choice(Step.BATCH, batch=batch)
    if it.uncut and it.now_ms >= it.cut_at_ms:
        return Choice(Step.CUT)
    waits = [not_before for _, not_before in it.due] + ([it.cut_at_ms] if it.uncut else [])
    return Choice(Step.WAIT, wait_ms=min(waits, default=it.now_ms + GATHER_MS) - it.now_ms)


def backoff_ms(failures: int, retry_after_s: float | None, fraction: float) -> int:
    """How long to stay away after so many failures in a row: full jitter (``fraction`` in 0–1) under a ceiling that
    doubles; never less than the server asked for, nor more than six hours on its word."""
    ceiling = min(BACKOFF_MOST_MS, BACKOFF_FIRST_MS * 2 ** min(failures - 1, 20))
    asked = min(RETRY_AFTER_MOST_MS, int(1000 * max(0.0, retry_after_s or 0.0)))
    return asked + max(200, int(ceiling * fraction))


class Verdict(StrEnum):
    """What an answer to a batch means."""

    RECEIPT = "receipt"
    HELD = "held"
    FORK = "fork"
    REVOKED = "revoked"
    REFUSED = "refused"
    LATER = "later"


def judge(status: int) -> Verdict:
    """By status alone; a receipt must still prove itself."""
    if status in _VERDICTS:
        return _VERDICTS[status]
    return Verdict.REFUSED if 400 <= status < 500 else Verdict.LATER


_VERDICTS = {
    200: Verdict.RECEIPT,
    202: Verdict.HELD,
    401: Verdict.LATER,
    403: Verdict.REVOKED,
    404: Verdict.LATER,
    408: Verdict.LATER,
    409: Verdict.FORK,
    429: Verdict.LATER,
}


# --- doing ------------------------------------------------------------------------------------------------------------
@dataclass
class Tally:
    """What a pass did: batches acknowledged, held by a relay, moved to a fresh epoch; whether it ended in trouble."""

    acknowledged: int = 0
    held: int = 0
    reissued: int = 0
    trouble: str | None = None


@dataclass
class Reporter:
    """Speaks for one outbox. Not for several threads at once; ``mono_ms`` is this process's monotonic clock."""

    outbox: Outbox
    who: Callable[[], Identity]
    """Read anew for each use: the signed network document may have changed the receipt keys."""
    line: Line
    mono_ms: Callable[[], int]
    wall_ms: Callable[[], int]
    hear_time: Callable[[int], None] = lambda _: None
    """Told the server's time of an answer that was bound to a fresh nonce."""
    fraction: Callable[[], float] = random.random
    tally: Tally = field(default_factory=Tally)
    _failures: int = 0
    _line_free_at: int = 0
    _not_before: dict[int, int] = field(default_factory=dict)
    _cut_at: int | None = None
    _prune_at: int = 0
    _ask_marks: bool = False
    _doubted_at: int = -(10**15)
    _faults_at: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.outbox.meet(self.who().incarnation)

    def tick(self) -> int:
        """Do at most one thing; how many milliseconds until there may be another (0: at once). Never raises for
        what the line or a full disk does."""
        try:
            return self._tick(flush=False)
        except OutboxFull as error:
            log.warning("no room for reports: %s", error)
            return BACKOFF_MOST_MS

    @property
    def has_rest(self) -> bool:
        """Whether nothing is due and nothing is in the way: others may use the line."""
        return self.mono_ms() >= self._line_free_at

    def send_all(self, deadline_ms: int = 60_000) -> Tally:
        """Everything there is, now, until it is through, the line fails or the time is up."""
        self.tally = Tally()
        self._line_free_at = 0
        until = self.mono_ms() + deadline_ms
        while self.mono_ms() < until and self.tally.trouble is None:
            if self._tick(flush=True) > 0:
                break
        return self.tally

    def _tick(self, *, flush: bool) -> int:
        choice = what_to_do(self._situation(flush=flush))
        if choice.step is Step.CUT:
            who = self.who()
            self.outbox.cut_batch(who.terminal, who.private)
            self._cut_at = None
        elif choice.step is Step.MARKS:
            self._ask()
        elif choice.step is Step.BATCH and choice.batch is not None:
            self._send(choice.batch)
        return choice.wait_ms

    def _situation(self, *, flush: bool) -> Situation:
        now = self.mono_ms()
        if now >= self._prune_at:
            self._prune_at = now + PRUNE_EVERY_MS
            self.outbox.prune()
        uncut = self.outbox.uncut()
        if uncut and self._cut_at is None:
            self._cut_at = now + GATHER_MS
        waiting = self.outbox.waiting_batches()
        self._not_before = {b.id: self._not_before[b.id] for b in waiting if b.id in self._not_before}
        return Situation(
            now_ms=now,
            line_free_at_ms=self._line_free_at,
            marks_due=self._marks_due(),
            due=[(batch.id, self._not_before.get(batch.id, 0)) for batch in waiting],
            uncut=uncut,
            cut_at_ms=now if flush or self._cut_at is None else self._cut_at,
        )

    def _marks_due(self) -> bool:
        asked = self.outbox.marks_asked_ms
        return self._ask_marks or not asked <= self.wall_ms() < asked + DAY_MS

    # --- batches ----------------------------------------------------------------------------------------------------
    def _send(self, batch: int) -> None:
        try:
            data = self.outbox.batch_bytes(batch)
        except KeyError:
            return
        answer = self._post("batches", data)
        if answer is None:
            return
        verdict = judge(answer.status)
        if verdict is Verdict.RECEIPT:
            self._take_receipt(batch, data, answer)
        elif verdict is Verdict.HELD:
            self.tally.held += 1
            self._later(batch, HELD_AGAIN_MS)
        elif verdict is Verdict.FORK:
            self._begin_again(batch, data, answer)
        elif verdict is Verdict.REVOKED:
            self._line_free_at = self.mono_ms() + REVOKED_AGAIN_MS
            self._trouble("revoked", "the province refuses this terminal's key")
        elif verdict is Verdict.REFUSED:
            self._later(batch, BACKOFF_MOST_MS)
            self._note("batch_refused", f"batch {batch}: {answer.status}")
        else:
            self._stay_away(answer)

    def _take_receipt(self, batch: int, data: bytes, answer: Answer) -> None:
        receipt = self._verified(data, answer)
        if receipt is None:
            self._later(batch, BACKOFF_MOST_MS)
            return
        known = self.outbox.incarnation
        if known is not None and receipt.incarnation != known:
            self._meet_another(batch, receipt.incarnation, known)
            return
        for aside in receipt.set_aside:
            log.warning("the province set %s/%d aside: %s", aside.epoch, aside.seq, aside.reason)
        changed = self.outbox.apply_receipt(receipt.epochs, text_to_ms(receipt.time), batch)
        self.tally.acknowledged += len(changed.acknowledged)
        if batch not in changed.acknowledged:
            self._later(batch, HELD_AGAIN_MS)

    def _meet_another(self, batch: int, incarnation: str, known: str) -> None:
        """The province was restored, or somebody plays an old receipt again; a fresh question tells which."""
        now = self.mono_ms()
        doubted_at, self._doubted_at = self._doubted_at, now
        if now < doubted_at + ASK_AGAIN_MS:
            self._note("bad_receipt", f"incarnation {incarnation} where {known} has just answered")
            self.tally.trouble = "bad receipt"
            self._later(batch, BACKOFF_MOST_MS)
            return
        log.info("a receipt of incarnation %s, before %s: asking what the province holds", incarnation, known)
        self._ask_marks = True

    def _begin_again(self, batch: int, data: bytes, answer: Answer) -> None:
        """What the province holds of the epoch tells what must be written anew; without knowing, nothing moves."""
        epoch = self.outbox.batch(batch).epoch
        log.error("the province calls epoch %s forked: a copy of this disk has reported", epoch)
        try:
            receipt: Receipt | None = wire.read_receipt(
                answer.body, request=data, trusted=self.who().receipt_keys
            )
        except ProtocolError:
            receipt = self._ask_of({epoch: 0})
        if receipt is None:
            self._later(batch, BACKOFF_MOST_MS)
            return
        self.tally.reissued += self.outbox.begin_again(epoch, receipt.epochs.get(epoch))

    def _verified(self, request: bytes, answer: Answer) -> Receipt | None:
        try:
            return wire.read_receipt(answer.body, request=request, trusted=self.who().receipt_keys)
        except ProtocolError as error:
            self._note("bad_receipt", str(error))
            self.tally.trouble = "bad receipt"
            return None

    # --- marks ------------------------------------------------------------------------------------------------------
    def _ask(self) -> None:
        """What does the province hold of all we keep? One answer that is no answer ends the asking for now."""
        portions = self.outbox.epochs_to_ask()
        for epochs in portions or [{}]:
            receipt = self._ask_of(epochs)
            if receipt is None:
                return
            changed = self.outbox.apply_marks(
                list(epochs), receipt.epochs, receipt.incarnation, text_to_ms(receipt.time)
            )
            self.tally.acknowledged += len(changed.acknowledged)
            if changed.waiting_again:
                log.warning(
                    "the province lacks %d batches it once had: sending again", len(changed.waiting_again)
                )
        self._ask_marks = False
        self.outbox.marks_asked_ms = self.wall_ms()

    def _ask_of(self, epochs: Mapping[str, int]) -> Receipt | None:
        who = self.who()
        question = MarksRequest(
            terminal=who.terminal,
            epochs=dict(epochs),
            nonce=secrets.token_hex(32),
            incarnation_seen=self.outbox.incarnation,
        )
        data = wire.write_signed(question, who.private)
        answer = self._post("batches/marks", data)
        if answer is None:
            return None
        if answer.status != 200:
            self._stay_away(answer)
            return None
        receipt = self._verified(data, answer)
        if receipt is None:
            self._stay_away(answer)
        else:
            self.hear_time(text_to_ms(receipt.time))
        return receipt

    # --- the line ---------------------------------------------------------------------------------------------------
    def _post(self, path: str, data: bytes) -> Answer | None:
        try:
            answer = self.line(path, data, CONTENT_TYPE)
        except NoAnswer as error:
            log.info("no answer from the province: %s", error)
            self._stay_away(None)
            return None
        if answer.status < 400:
            self._failures = 0
        return answer

    def _stay_away(self, answer: Answer | None) -> None:
        self._failures += 1
        pause = backoff_ms(self._failures, answer.retry_after_s if answer else None, self.fraction())
        self._line_free_at = self.mono_ms() + pause
        self.tally.trouble = f"HTTP {answer.status}" if answer else "no line"

    def _later(self, batch: int, pause_ms: int) -> None:
        self._not_before[batch] = self.mono_ms() + int(pause_ms * (0.5 + self.fraction() / 2))

    def _trouble(self, code: str, text: str) -> None:
        self.tally.trouble = code
        self._note(code, text)

    def _note(self, code: str, text: str) -> None:
        """A fault record, at most one an hour of a kind: what the line does must not fill the outbox."""
        log.error("%s: %s", code, text)
        now = self.mono_ms()
        if now >= self._faults_at.get(code, 0):
            self._faults_at[code] = now + FAULT_EVERY_MS
            self.outbox.fault(code, text)
