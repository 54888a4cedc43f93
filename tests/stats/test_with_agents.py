"""The agent's real outbox and reporter against the real ingest, record by record, through the faults of the field."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from client_agent.outbox import Outbox, Place, Stamp
from client_agent.reporter import Answer, NoAnswer, Reporter
from protocol.batch import ClockState, Fault, Mode, Viewing
from protocol.times import DAY_MS, from_ms, ms_to_text
from server.errors import YuanboError
from server.stations.models import Terminal
from server.stats import ingest
from server.stats.models import FaultFact, GapFact, SetAsideRecord, ViewingFact
from tests.stats.simulator import EDITION, PROGRAMME, START_MS

SEEDS = [77, 108, *(pytest.param(seed, marks=pytest.mark.full) for seed in range(1_000, 1_040))]


class Identity:
    """Who reports; the first incarnation is whatever it was at enrolment."""

    def __init__(self, province, terminal: str, private: bytes) -> None:
        self.terminal, self.private = terminal, private
        self.incarnation = "0" * 16
        self.receipt_keys = (province.public,)


class Field:
    """A province, a line with its troubles, and devices that share one time."""

    def __init__(self, province, folder: Path, seed: int) -> None:
        self.province, self.folder = province, folder
        self.random = random.Random(seed)
        self.now = START_MS
        self.good_line = False
        self.identity = Identity(province, *province.add_terminal())
        self.told: set[str] = set()

    def line(self, path: str, body: bytes, content_type: str) -> Answer:
        luck = 1.0 if self.good_line else self.random.random()
        if luck < 0.15:
            raise NoAnswer("never arrived")
        answer = self._post(path, body)
        if luck < 0.4:
            raise NoAnswer("answer lost")
        return answer

    def _post(self, path: str, body: bytes) -> Answer:
        province, now = self.province, from_ms(self.now)
        try:
            if path == "batches/marks":
                return Answer(200, ingest.marks(province.database, province.private, body, now=now))
            taken = ingest.receive(province.database, province.private, body, now=now)
        except YuanboError as error:
            return Answer(error.status, b"{}")
        return Answer(409 if taken.fork else 200, taken.receipt)

    def counted(self) -> Counter:
        return Counter(
            [fact.text for fact in self.province.rows(FaultFact) if fact.code == "told"]
            + [fact.session for fact in self.province.rows(ViewingFact)]
        )

    def check(self, recoverable: set[str]) -> None:
        counted = self.counted()
        assert recoverable - set(counted) == set(), "lost"
        assert max(counted.values(), default=1) == 1, "doubled"
        assert set(counted) <= self.told, "invented"
        assert self.province.rows(GapFact) == []


class Box:
    """One device on one disk."""

    def __init__(self, field: Field, name: str, epoch: str | None = None) -> None:
        self.field, self.folder = field, field.folder / name
        self.folder.mkdir(exist_ok=True)
        self.forced = epoch
        self.start()

    def start(self) -> None:
        more = {"new_epoch": self._forced_epoch} if self.forced else {}
        self.outbox = Outbox(self.folder / "outbox.sqlite", stamp=self.stamp, **more)
        self.reporter = Reporter(
            outbox=self.outbox,
            who=lambda: self.field.identity,
            line=self.field.line,
            mono_ms=lambda: self.field.now,
            wall_ms=lambda: self.field.now,
            fraction=self.field.random.random,
        )

    def _forced_epoch(self) -> str:
        epoch, self.forced = self.forced, None
        return epoch or f"{self.field.random.getrandbits(64):016x}"

    def stamp(self) -> Stamp:
        return Stamp(self.field.now, "boot", self.field.now - START_MS, ClockState.KNOWN)

    def restart(self) -> None:
        self.outbox.close()
        self.start()

    def copy_to(self, name: str) -> None:
        """The disk as it lies there, in the middle of whatever it does."""
        for file in self.folder.iterdir():
            if not file.name.endswith(".lock"):
                (self.field.folder / name).mkdir(exist_ok=True)
                shutil.copyfile(file, self.field.folder / name / file.name)

    def tell(self, count: int = 1) -> None:
        for _ in range(count):
            self.field.now += 60_000
            token = f"f{len(self.field.told)}"
            self.field.told.add(token)
            self.outbox.append(Fault, code="told", text=token)

    def watch(
        self, place: Place | None = None, session: str = "", minutes: int = 1, end: bool = False
    ) -> Place:
        """Write a viewing session as it stands after some minutes."""
        self.field.told.add(session)
        self.field.now += 60_000
        write = self.outbox.close_open if end else self.outbox.write_open
        return write(place, Viewing, **viewing(self.field.now, session, minutes))

    def report(self) -> None:
        self.field.now += 120_000
        self.reporter.send_all()

    def settle(self) -> None:
        """Days pass and the line works."""
        self.field.good_line = True
        for _ in range(3):
            self.field.now += DAY_MS
            assert self.reporter.send_all().trouble is None
        assert self.outbox.length() == 0


def viewing(now_ms: int, session: str, minutes: int) -> dict:
    played = minutes * 60_000
    return {
        "session": session,
        "mode": Mode.LINEAR,
        "programme": PROGRAMME,
        "edition": EDITION,
        "release": "ab" * 32,
        "title": "农村安全用电",
        "section": "kepu",
        "started_at": ms_to_text(now_ms - played),
        "ended_at": ms_to_text(now_ms),
        "duration_ms": played,
        "played_ms": played,
        "watched": [(0, played)],
        "clock": ClockState.KNOWN,
    }


@pytest.fixture(params=SEEDS, ids=lambda seed: f"seed {seed}")
def field(request, province, tmp_path) -> Field:
    return Field(province, tmp_path, request.param)


def chatter(field: Field, *boxes: Box, rounds: int = 12) -> None:
    for _ in range(rounds):
        box = field.random.choice(boxes)
        box.tell(field.random.randint(0, 4))
        if field.random.random() < 0.2:
            box.restart()
        box.report()


def test_a_bad_line_and_restarts_lose_and_double_nothing(field):
    box = Box(field, "disk")
    chatter(field, box, rounds=20)
    box.settle()
    field.check(field.told)
    (terminal,) = field.province.rows(Terminal)
    assert terminal.copied_at is None


def test_a_disk_restored_in_the_middle_of_a_session_counts_it_once_and_whole(field):
    box = Box(field, "disk")
    box.tell(20)
    chatter(field, box, rounds=4)
    box.tell(2)
    place = box.watch(None, "evening", minutes=3)
    box.copy_to("backup")
    on_backup = set(field.told)
    box.watch(place, "evening", minutes=40, end=True)
    box.tell(30)
    field.good_line = True
    box.report()
    field.good_line = False
    chatter(field, box, rounds=3)
    delivered = set(field.counted())
    assert "evening" in delivered
    box.outbox.close()

    before = set(field.told)
    restored = Box(field, "backup")
    chatter(field, restored)
    restored.settle()

    field.check(on_backup | delivered | (field.told - before))
    (session,) = field.province.rows(ViewingFact)
    assert session.played_ms == 40 * 60_000
    assert field.province.rows(SetAsideRecord) == []
    (terminal,) = field.province.rows(Terminal)
    assert terminal.copied_at is not None
    assert terminal.disputed_at is None


def test_a_cloned_card_beside_the_original_loses_nothing_and_is_disputed(field):
    original = Box(field, "disk")
    chatter(field, original, rounds=6)
    original.tell(3)
    original.copy_to("clone")
    clone = Box(field, "clone")
    chatter(field, original, clone, rounds=16)
    for box in (original, clone, original, clone):
        box.tell()
        box.report()
    original.settle()
    clone.settle()
    field.check(field.told)
    (terminal,) = field.province.rows(Terminal)
    assert terminal.disputed_at is not None


def test_two_processes_in_one_epoch_both_count(field):
    """What only a copied memory can do: here both draw the same random number."""
    twins = [Box(field, name, epoch="00000000000000aa") for name in ("one", "two")]
    for box in twins * 4:
        box.tell(3)
        box.report()
    for box in twins:
        box.settle()
    field.check(field.told)
    (terminal,) = field.province.rows(Terminal)
    assert terminal.disputed_at is not None


def test_a_restored_province_is_refilled(field):
    box = Box(field, "disk")
    chatter(field, box, rounds=8)
    backup = field.province.backup()
    chatter(field, box, rounds=8)
    field.province.restore(backup)
    chatter(field, box, rounds=4)
    box.settle()
    field.check(field.told)
