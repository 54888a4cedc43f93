"""The reporter against a province in miniature that loses answers, is restored, forks and lies."""

from __future__ import annotations

import logging
import random
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from client_agent.outbox import Outbox, Stamp
from client_agent.outbox_rules import BATCH_RECORDS
from client_agent.reporter import (
    Answer,
    Choice,
    NoAnswer,
    Reporter,
    Situation,
    Step,
    backoff_ms,
    what_to_do,
)
from protocol import keys
from protocol.batch import ClockState, Fault, Gap, Viewing
from tests.client_agent.ingest import Province

log = logging.getLogger(__name__)
TERMINAL = "01890000-0000-7000-8000-000000000001"
KEY = keys.new_private_key()
NOW = 1_780_000_000_000


@dataclass
class Me:
    province: Province
    terminal: str = TERMINAL
    private: bytes = KEY

    @property
    def incarnation(self):
        return self.first_incarnation

    def __post_init__(self):
        self.first_incarnation = self.province.incarnation

    @property
    def receipt_keys(self):
        return (self.province.public,)


@dataclass
class Box:
    """One device: a disk and the process on it."""

    folder: Path
    province: Province
    line: object = None
    now: int = NOW
    boots: int = 0
    outbox: Outbox = None
    reporter: Reporter = None
    told: list = field(default_factory=list)

    def start(self):
        self.boots += 1
        self.outbox = Outbox(self.folder / "outbox.sqlite", stamp=self.stamp)
        me = Me(self.province)
        self.reporter = Reporter(
            outbox=self.outbox,
            who=lambda: me,
            line=self.line or self.province,
            mono_ms=lambda: self.now,
            wall_ms=lambda: self.now,
            fraction=lambda: 0.5,
            hear_time=self.told.append,
        )
        return self

    def stamp(self):
        return Stamp(self.now, f"boot-{self.boots}", self.now - NOW, ClockState.KNOWN)

    def stop(self):
        self.outbox.close()

    def report(self, code, **fields):
        return self.outbox.append(Fault, code=code, **fields)

    def send(self):
        return self.reporter.send_all()


@pytest.fixture
def province():
    return Province(keys.public_text(KEY))


@pytest.fixture
def box(tmp_path, province):
    started = Box(tmp_path, province).start()
    yield started
    started.stop()


def codes(province):
    return sorted(r.code for r in province.facts.values() if isinstance(r, Fault))


def batches(province):
    return [body for path, body in province.requests if path == "batches"]


def test_a_report_arrives_and_is_acknowledged(box, province):
    box.report("a")
    assert box.send().acknowledged == 1
    assert codes(province) == ["a"]
    assert box.outbox.length() == 0


def test_records_gather_before_a_batch_is_cut_for_them(box, province):
    box.send()
    box.report("a")
    assert box.reporter.tick() > 0
    box.report("b")
    box.now += 20_000
    while box.reporter.tick() == 0:
        pass
    assert codes(province) == ["a", "b"]
    assert len(batches(province)) == 1


def test_a_lost_answer_makes_the_same_bytes_go_again_and_counts_once(tmp_path, province):
    lost = []

    def line(path, body, content_type):
        answer = province(path, body, content_type)
        if path == "batches" and len(lost) < 2:
            lost.append(body)
            raise NoAnswer("cut")
        return answer

    box = Box(tmp_path, province, line=line).start()
    box.report("a")
    assert box.send().trouble == "no line"
    box.report("b")
    assert box.send().trouble == "no line"
    assert box.outbox.length() == 2
    box.stop()
    box.start()
    assert box.send().trouble is None
    box.stop()
    sent = batches(province)
    assert sent[0] == sent[1] == sent[2] == lost[0]
    assert codes(province) == ["a", "b"]
    assert province.doubled == []


@pytest.mark.parametrize("forgery", ["another key", "another request", "garbage", "empty", "altered"])
def test_a_receipt_that_does_not_prove_itself_acknowledges_nothing_and_is_a_fault(
    tmp_path, province, forgery
):
    box = Box(tmp_path, province).start()
    box.send()
    stranger = Province(keys.public_text(KEY))
    old = province(*_question(box))

    def line(path, body, content_type):
        if forgery == "another key":
            return stranger(path, body, content_type)
        if forgery == "another request":
            return old
        if forgery == "altered":
            good = province(path, body, content_type)
            return Answer(200, good.body.replace(b'"hwm":', b'"hwm":9'))
        return Answer(200, b"" if forgery == "empty" else b"<html>wifi login</html>")

    box.reporter.line = line
    box.report("a")
    assert box.send().trouble == "bad receipt"
    assert box.outbox.length() >= 1
    assert len(box.outbox.waiting_batches()) == 1
    box.reporter.line = province
    box.now += 3_600_000
    box.send()
    box.stop()
    assert codes(province) == ["a", "bad_receipt"]


def _question(box):
    recorded = []
    good = box.reporter.line
    box.reporter.line = lambda *sent: recorded.append(sent) or good(*sent)
    box.report("before")
    box.reporter._ask_of({})
    box.reporter.line = good
    box.outbox.cut_batch(TERMINAL, KEY)
    box.outbox._db.execute("DELETE FROM batches")
    return recorded[0]


def test_a_receipt_recorded_before_a_restore_acknowledges_nothing_when_played_again(box, province):
    backup = province.backup()
    box.report("a")
    recorded = {}

    def recording(path, body, content_type):
        recorded[body] = province(path, body, content_type)
        return recorded[body]

    box.reporter.line = recording
    box.send()
    province.restore(backup)

    def replaying(path, body, content_type):
        return recorded.get(body) or province(path, body, content_type)

    box.reporter.line = replaying
    box.reporter._ask_marks = True
    box.send()
    assert [b.first for b in box.outbox.waiting_batches()] == [1]
    assert codes(province) == []
    box.reporter.line = province
    box.now += 3_600_000
    box.send()
    assert box.outbox.length() == 0
    assert codes(province) == ["a", "bad_receipt"]


def test_a_batch_that_a_relay_holds_is_kept_and_offered_again_while_others_go_on(tmp_path, province):
    held = []

    def line(path, body, content_type):
        if path == "batches" and len(held) < 1:
            held.append(body)
            return Answer(202, b"")
        return province(path, body, content_type)

    box = Box(tmp_path, province, line=line).start()
    box.report("a")
    assert box.send().held == 1
    box.report("b")
    box.send()
    assert codes(province) == ["b"]
    assert box.outbox.length() == 1
    province("batches", held[0], "application/octet-stream")
    box.now += 15 * 60_000
    box.send()
    box.stop()
    assert codes(province) == ["a", "b"]
    assert province.doubled == []


def test_a_fork_begins_a_fresh_epoch_and_moves_only_what_the_province_lacks(tmp_path, province):
    box = Box(tmp_path, province).start()
    box.report("a")
    box.send()
    province.refuse = True
    epoch = box.report("b").epoch
    box.reporter.line = _once(province, Answer(409, b"{}"))
    tally = box.send()
    assert tally.reissued == 1
    box.stop()
    assert codes(province) == ["a", "b", "outbox_forked"]
    assert {e for e, _ in province.facts} > {epoch}


def _once(province, answer):
    used = []

    def line(path, body, content_type):
        if path == "batches" and not used:
            used.append(1)
            return answer
        return province(path, body, content_type)

    return line


def test_a_revoked_terminal_keeps_everything_and_asks_rarely(tmp_path, province):
    asked = []

    def line(path, body, content_type):
        asked.append(path)
        return Answer(403, b"")

    box = Box(tmp_path, province).start()
    box.send()
    box.reporter.line = line
    box.report("a")
    assert box.send().trouble == "revoked"
    for _ in range(60):
        box.now += 60_000
        box.reporter.tick()
    assert len(asked) == 1
    assert box.outbox.length() >= 1
    box.stop()


def test_retry_after_is_obeyed_and_jittered_on_top(tmp_path, province):
    box = Box(tmp_path, province).start()
    box.send()
    box.reporter.line = _once(province, Answer(503, b"", retry_after_s=120))
    box.report("a")
    assert box.send().trouble == "HTTP 503"
    box.now += 119_000
    assert box.reporter.tick() > 0
    assert codes(province) == []
    box.now += 4_000
    while box.reporter.tick() == 0:
        pass
    box.stop()
    assert codes(province) == ["a"]


def test_one_batch_the_province_cannot_take_does_not_hold_up_the_others(tmp_path, province):
    box = Box(tmp_path, province).start()
    box.reporter.line = _once(province, Answer(422, b"{}"))
    box.report("a")
    box.send()
    box.report("b")
    box.send()
    box.stop()
    assert "b" in codes(province)
    assert "batch_refused" in codes(province)


def test_marks_are_asked_daily_and_their_time_is_told(box, province):
    box.send()
    marks = [path for path, _ in province.requests]
    assert marks == ["batches/marks"]
    assert len(box.told) == 1
    box.now += 86_400_000 - 1
    box.send()
    assert len(province.requests) == 1
    box.now += 1
    box.send()
    assert len(province.requests) == 2


def test_after_the_province_was_restored_the_terminal_refills_it(box, province):
    box.report("a")
    box.send()
    backup = province.backup()
    for n in range(5):
        box.report(f"b{n}")
        box.send()
    province.restore(backup)
    box.report("c")
    box.send()
    assert codes(province) == ["a", "b0", "b1", "b2", "b3", "b4", "c"]
    assert province.doubled == []
    assert box.outbox.length() == 0


def test_an_outbox_restored_from_yesterdays_copy_doubles_nothing_and_loses_nothing_new(tmp_path, province):
    disk = tmp_path / "disk"
    box = Box(disk, province).start()
    box.report("a")
    session = box.outbox.write_open(None, Fault, code="session")
    box.stop()
    shutil.copytree(disk, tmp_path / "copy")
    box.start()
    box.report("b")
    box.send()
    box.stop()
    shutil.rmtree(disk)
    shutil.copytree(tmp_path / "copy", disk)
    box.start()
    box.report("c")
    box.send()
    box.stop()
    assert codes(province) == ["a", "b", "c", "session"]
    assert (session.epoch, session.seq) in province.facts
    assert province.doubled == []


# --- decisions --------------------------------------------------------------------------------------------------------
def situation(**changes):
    base = {
        "now_ms": 1000,
        "line_free_at_ms": 0,
        "marks_due": False,
        "due": [],
        "uncut": 0,
        "cut_at_ms": 1000,
    }
    return Situation(**{**base, **changes})


@pytest.mark.parametrize(
    ("it", "choice"),
    [
        (situation(marks_due=True, due=[(1, 0)], uncut=3), Choice(Step.MARKS)),
        (situation(due=[(1, 5000), (2, 0)], uncut=3), Choice(Step.BATCH, batch=2)),
        (situation(due=[(1, 5000)], uncut=3), Choice(Step.CUT)),
        (situation(due=[(1, 5000)], uncut=3, cut_at_ms=3000), Choice(Step.WAIT, wait_ms=2000)),
        (situation(line_free_at_ms=9000, marks_due=True), Choice(Step.WAIT, wait_ms=8000)),
        (situation(line_free_at_ms=9000, uncut=BATCH_RECORDS), Choice(Step.CUT)),
    ],
)
def test_marks_before_batches_before_new_ones_and_nothing_while_the_line_is_down(it, choice):
    assert what_to_do(it) == choice


def test_the_pause_is_full_jitter_under_a_doubling_ceiling():
    assert [backoff_ms(n, None, 1.0) for n in (1, 2, 3)] == [5_000, 10_000, 20_000]
    assert backoff_ms(60, None, 1.0) == 15 * 60_000
    assert backoff_ms(3, None, 0.0) == 200
    assert backoff_ms(1, 60, 0.5) == 62_500
    assert backoff_ms(1, 10**9, 0.0) == 6 * 3_600_000 + 200


# --- whole lives ------------------------------------------------------------------------------------------------------
class Lives:
    """Random lives of one terminal's disk, its copies and the province; what must be true afterwards."""

    def __init__(self, seed, folder):
        self.random = random.Random(seed)
        self.province = Province(keys.public_text(KEY))
        self.folder = folder
        self.boxes = [self.device(folder / "disk")]
        self.generated = {}
        self.may_be_lost = set()
        self.only_there = set()
        self.open = {}
        self.copies = []
        self.backups = []
        self.count = 0

    def device(self, disk):
        return Box(disk, self.province, line=self.line).start()

    def line(self, path, body, content_type):
        luck = self.random.random()
        if luck < 0.15:
            raise NoAnswer("never arrived")
        if luck < 0.2:
            return Answer(202, b"")
        answer = self.province(path, body, content_type)
        if luck < 0.35:
            raise NoAnswer("answer lost")
        return answer

    def step(self, actions):
        box = self.random.choice(self.boxes)
        getattr(self, self.random.choice(actions))(box)
        box.now += self.random.randrange(60_000)

    def write(self, box):
        for _ in range(self.random.randrange(1, 6)):
            self.count += 1
            code = f"r{self.count}"
            self.generated[code] = box
            box.report(code)

    def watch(self, box):
        """A session opens, or the open one goes on or ends."""
        code, place = self.open.pop(id(box), (None, None))
        if code is None:
            self.count += 1
            code = f"s{self.count}"
            self.generated[code] = box
        if place and self.random.random() < 0.4:
            box.outbox.close_open(place, Fault, code=code)
        else:
            self.open[id(box)] = (code, box.outbox.write_open(place, Fault, code=code))

    def send(self, box):
        box.reporter._line_free_at = 0
        box.send()

    def restart(self, box):
        self.open.pop(id(box), None)
        box.stop()
        box.start()

    def copy(self, box):
        target = self.folder / f"copy-{len(self.copies)}"
        self.restart(box)
        shutil.copytree(box.folder, target)
        self.copies.append(target)

    def restore(self, box):
        """The disk dies: what was never delivered and is not in the copy may be lost, and only that."""
        if not self.copies:
            return
        self.open.pop(id(box), None)
        self.may_be_lost |= set(self.generated) - set(codes(self.province))
        self.only_there |= set(codes(self.province))
        box.stop()
        shutil.rmtree(box.folder)
        shutil.copytree(self.random.choice(self.copies), box.folder)
        box.start()

    def clone(self, box):
        if len(self.boxes) < 3:
            self.copy(box)
            disk = self.folder / f"clone-{len(self.boxes)}"
            shutil.copytree(self.copies[-1], disk)
            self.boxes.append(self.device(disk))

    def backup(self, box):
        self.backups.append(self.province.backup())

    def restore_province(self, box):
        if self.backups:
            self.province.restore(self.random.choice(self.backups))
            self.may_be_lost |= self.only_there - set(codes(self.province))

    def settle(self):
        """Days pass and the line works."""
        for box in self.boxes:
            self.restart(box)
            box.reporter.line = self.province
        for _ in range(3):
            for box in self.boxes:
                box.now += 90_000_000
                box.reporter._line_free_at = 0
                assert box.send().trouble is None
        for box in self.boxes:
            assert box.outbox.length() == 0
            box.stop()

    def check(self):
        counted = [c for c in codes(self.province) if c[0] in "rs"]
        assert len(counted) == len(set(counted)), "doubled"
        assert self.province.doubled == []
        assert set(self.generated) - set(counted) <= self.may_be_lost, "lost"
        assert not [r for r in self.province.facts.values() if isinstance(r, Gap | Viewing)]


ACTIONS = {
    "lost answers": ["write", "write", "watch", "send", "restart"],
    "restored disk": ["write", "write", "watch", "send", "send", "restart", "copy", "restore"],
    "cloned card": ["write", "write", "send", "send", "restart", "clone"],
    "restored province": ["write", "write", "watch", "send", "send", "restart", "backup", "restore_province"],
    "everything": [
        "write",
        "write",
        "send",
        "send",
        "restart",
        "copy",
        "restore",
        "clone",
        "backup",
        "restore_province",
    ],
}


@pytest.mark.parametrize("kind", ACTIONS)
def test_over_random_lives_nothing_is_doubled_and_only_what_a_dead_disk_held_is_lost(tmp_path, kind):
    base = random.randrange(1_000_000)
    for seed in range(base, base + 6):
        log.info("%s: seed %d", kind, seed)
        lives = Lives(seed, tmp_path / str(seed))
        for _ in range(50):
            lives.step(ACTIONS[kind])
        lives.settle()
        lives.check()
