"""换机: from one terminal's disk to another's by a stick that may be pulled, cut off, altered, old or somebody else's."""

from __future__ import annotations

import errno
import json
import random
import shutil

import pytest

from client_agent import handover, stick
from client_agent.agent import Agent
from client_agent.book import Book
from client_agent.desk.log_lines import LogKind, first_broken
from client_agent.desk.logbook import Logbook
from client_agent.errors import StorageFailed
from client_agent.evidence import Evidence
from client_agent.handover import Carrier, export, restore
from client_agent.phone.people import People
from client_agent.reporter import Answer, NoAnswer
from client_agent.reporting import open_outbox
from client_agent.stick import (
    BOX_BYTES,
    FILE,
    GroupWrong,
    Part,
    StickFailed,
    Writer,
    new_phrase,
    read_parts,
    read_phrase,
)
from protocol.batch import ClockState, EvidenceKind, Fault
from protocol.keys import public_text
from tests.client_agent.conftest import Machine, make_terminal
from tests.client_agent.ingest import Province as Ingest

PHOTO = b"\xff\xd8\xff\xe0" + bytes(9_000)
OTHER_STATION = "01890000-0000-7000-8000-00000000000e"
NEW_TERMINAL = "01890000-0000-7000-8000-00000000000d"


class Box:
    """One terminal with what people and programmes left on it."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.outbox = open_outbox(agent)
        self.book = Book(agent.paths.book)
        now = agent.clock.now_ms
        self.evidence = Evidence(agent.paths.evidence, self.book, self.outbox, lambda: now()[0])
        self.log = Logbook(self.book, now)
        self.people = People(self.book)

    def export(self, folder):
        return export(self.agent, self.book, self.outbox, self.evidence, folder)

    def restore(self, folder, phrase):
        return restore(self.agent, self.book, self.evidence, folder, phrase)

    def names(self):
        return [person.name for person in self.people.everybody()]

    def lines(self):
        return self.book.rows("SELECT n, line, hash FROM log ORDER BY n")

    def everything(self):
        """The whole book, to see that nothing changed."""
        tables = [name for (name,) in self.book.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: self.book.rows(f"SELECT * FROM {name}") for name in tables if name != "carried"}

    def close(self):
        self.outbox.close()
        self.book.close()
        self.agent.close()


def make(tmp_path, province, name: str, terminal: str | None = None, station: str | None = None) -> Box:
    agent = make_terminal(tmp_path / name, province, [], Machine())
    if terminal:
        agent.database.execute("UPDATE identity SET terminal = ?", (terminal,))
    if station:
        agent.database.execute("UPDATE identity SET station = ?", (station,))
    return Box(agent)


@pytest.fixture
def old(tmp_path, province):
    made = make(tmp_path, province, "old")
    for n in range(5):
        made.outbox.append(Fault, code="no_signal", text=f"old {n}")
    write_line(made, "看了两场")
    write_line(made, "第二条")
    made.people.add([("赵一", True), ("钱二", False)])
    made.book.keep_note("motto", "勤学")
    made.evidence.keep(EvidenceKind.PHOTO, PHOTO, session="s")
    made.agent.database.set_setting("volume", "65")
    yield made
    made.close()


def write_line(box: Box, text: str) -> None:
    box.log.write(next(iter(LogKind)), text=text)


@pytest.fixture
def new(tmp_path, province):
    made = make(tmp_path, province, "new", NEW_TERMINAL)
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "stick"
    made.mkdir()
    return made


# --- the whole way ------------------------------------------------------------------------------------------------------
def test_the_station_goes_on_at_the_new_terminal(old, new, folder):
    made = old.export(folder)
    done = new.restore(folder, made.phrase)
    assert (done.log_lines, done.people, done.evidence, done.batches) == (2, 2, 1, made.batches)
    assert new.names() == ["赵一", "钱二"]
    assert first_broken(new.lines()) is None
    assert [n for n, _, _ in new.lines()] == [1, 2]
    write_line(new, "新设备上的第一条")
    assert first_broken(new.lines()) is None
    assert new.book.note("motto") == "勤学"
    assert new.agent.database.setting("volume") == "65"
    (kept,) = new.evidence.unsent()
    assert new.evidence.read(kept.sha256) == PHOTO
    assert new.outbox.uncut() == 0, "the old terminal told of the photo: it is not told twice"
    assert list(new.agent.paths.data.glob("handover*")) == []


def test_what_was_done_here_before_stays_and_comes_behind(old, new, folder):
    write_line(new, "恢复前就看了一场")
    new.people.add([("孙三", False), ("赵一", False)])
    new.book.keep_note("motto", "新的")
    done = new.restore(folder, old.export(folder).phrase)
    assert done.log_lines == 2
    assert len(new.lines()) == 3
    assert first_broken(new.lines()) is None
    assert "恢复前就看了一场" in json.loads(new.lines()[2][1])["text"]
    assert new.names() == ["赵一", "钱二", "孙三"]
    assert new.book.note("motto") == "新的"


def test_the_old_terminals_batches_arrive_as_it_signed_them(old, new, folder):
    new.restore(folder, old.export(folder).phrase)
    province = Ingest(public_text(old.agent.identity.private))
    carrier = carrier_of(new, province, province.public)
    assert Carrier.count(new.book) == 1
    assert carrier.tick() == 0
    assert [r.text for r in province.facts.values() if isinstance(r, Fault)] == [f"old {n}" for n in range(5)]
    assert Carrier.count(new.book) == 0
    assert carrier.tick() > 0
    assert province.doubled == []


def carrier_of(box: Box, line, public: str) -> Carrier:
    class Me:
        terminal, private, incarnation, receipt_keys = NEW_TERMINAL, b"", "x", (public,)

    now = [0]
    made = Carrier(
        box.book, box.outbox, lambda: Me, line, lambda: now[0], lambda: now[0], fraction=lambda: 0.5
    )
    made.clock = now
    return made


@pytest.mark.parametrize("status", [401, 403, 429, 500, 202])
def test_what_the_province_cannot_take_now_is_kept_and_asked_again(old, new, folder, status):
    new.restore(folder, old.export(folder).phrase)
    province = Ingest(public_text(old.agent.identity.private))
    answers = [status]
    carrier = carrier_of(
        new, lambda *sent: Answer(answers.pop(), b"{}") if answers else province(*sent), province.public
    )
    carrier.tick()
    assert Carrier.count(new.book) == 1
    carrier.clock[0] += 12 * 3_600_000
    carrier.tick()
    assert Carrier.count(new.book) == 0


def test_no_line_and_a_forged_receipt_end_nothing(old, new, folder):
    new.restore(folder, old.export(folder).phrase)
    province = Ingest(public_text(old.agent.identity.private))

    def dead(*_):
        raise NoAnswer("no line")

    for line, public in ((dead, province.public), (province, public_text(bytes(32)))):
        carrier_of(new, line, public).tick()
        assert Carrier.count(new.book) == 1


def test_after_a_hundred_days_it_is_given_up_with_a_fault(old, new, folder):
    new.restore(folder, old.export(folder).phrase)
    province = Ingest(public_text(old.agent.identity.private))
    carrier = carrier_of(new, province, province.public)
    new.book.execute("UPDATE carried SET at_ms = ?", (-handover.GIVE_UP_MS - 1,))
    carrier.tick()
    assert Carrier.count(new.book) == 0
    assert new.outbox.uncut() == 1


# --- the phrase ---------------------------------------------------------------------------------------------------------
def test_any_one_wrong_digit_and_any_two_groups_exchanged_name_the_group():
    for seed in range(20):
        digits = read_phrase(new_phrase())
        place = random.Random(seed).randrange(24)
        wrong = digits[:place] + str((int(digits[place]) + 1 + seed % 9) % 10) + digits[place + 1 :]
        with pytest.raises(GroupWrong) as named:
            read_phrase(wrong)
        assert named.value.group == place // 4 + 1
        with pytest.raises(GroupWrong):
            read_phrase(digits[4:8] + digits[:4] + digits[8:])


@pytest.mark.parametrize("text", ["", "1234", "x" * 24, "１" * 24, "1" * 23, "1" * 25])
def test_what_is_no_phrase_is_said_to_be_none(text):
    with pytest.raises(GroupWrong) as named:
        read_phrase(text)
    assert named.value.group == 0


def test_another_phrase_opens_nothing_and_changes_nothing(old, new, folder):
    old.export(folder)
    before = new.everything()
    with pytest.raises(StickFailed) as failed:
        new.restore(folder, new_phrase())
    assert (failed.value.word, new.everything()) == ("phrase", before)


def test_nothing_on_the_stick_can_be_read_without_the_phrase(old, folder):
    old.export(folder)
    data = (folder / FILE).read_bytes()
    for secret in ("赵一".encode(), b"old 3", PHOTO[:64], b"SQLite format", old.agent.identity.private):
        assert secret not in data


# --- hostile and broken sticks -----------------------------------------------------------------------------------------
def refused(box: Box, folder, phrase) -> str:
    before = box.everything()
    with pytest.raises(StickFailed) as failed:
        box.restore(folder, phrase)
    assert box.everything() == before, "nothing half-done"
    assert Carrier.count(box.book) == 0
    assert list(box.agent.paths.data.glob("handover*")) == []
    return failed.value.word


def test_a_file_cut_off_anywhere_is_damaged(old, new, folder):
    phrase = old.export(folder).phrase
    whole = (folder / FILE).read_bytes()
    for length in (0, 5, 40, 300, len(whole) // 2, len(whole) - 1):
        (folder / FILE).write_bytes(whole[:length])
        assert refused(new, folder, phrase) == "damaged", length
    (folder / FILE).write_bytes(whole + b"x")
    assert refused(new, folder, phrase) == "damaged"


def test_a_byte_altered_anywhere_is_noticed(old, new, folder):
    phrase = old.export(folder).phrase
    whole = bytearray((folder / FILE).read_bytes())
    picks = random.Random(5).sample(range(len(stick.MAGIC), len(whole)), 12)
    for place in picks:
        altered = bytearray(whole)
        altered[place] ^= 1
        (folder / FILE).write_bytes(altered)
        assert refused(new, folder, phrase) in (
            "damaged",
            "phrase",
            "station",
            "newer",
            "already",
            "older",
            "same",
        )


def test_boxes_exchanged_left_out_or_of_another_stick_are_noticed(folder, tmp_path):
    phrase = new_phrase()
    about = {"station": "s", "station_name": "s", "terminal": "t", "made_ms": 1}
    writer = Writer(folder, phrase, **about)
    for n in range(3):
        writer.add(Part("evidence", str(n), bytes([n]) * BOX_BYTES))
    writer.finish()
    data = (folder / FILE).read_bytes()
    assert [part.name for part in read_parts(folder, phrase)] == ["0", "1", "2", ""]
    start = data.index(b"\n", len(stick.MAGIC)) + 1
    boxes, at = [], start
    while at < len(data):
        size = 4 + int.from_bytes(data[at : at + 4])
        boxes.append(data[at : at + size])
        at += size
    for order in ([1, 0, *range(2, len(boxes))], [0, *range(2, len(boxes))], list(range(len(boxes) - 1))):
        (folder / FILE).write_bytes(data[:start] + b"".join(boxes[n] for n in order))
        with pytest.raises(StickFailed, match="damaged"):
            list(read_parts(folder, phrase))


def test_another_stations_stick_is_refused(old, tmp_path, province, folder):
    phrase = old.export(folder).phrase
    stranger = make(tmp_path, province, "stranger", NEW_TERMINAL, OTHER_STATION)
    assert refused(stranger, folder, phrase) == "station"
    stranger.close()


def test_ones_own_the_same_again_and_an_older_one_change_nothing(old, new, folder, tmp_path):
    first = old.export(folder)
    assert refused(old, folder, first.phrase) == "same"
    shutil.copytree(folder, tmp_path / "first")
    old.agent.clock.hear_server_time(old.agent.clock.now_ms()[0] + 60_000)
    write_line(old, "第三条")
    second = old.export(folder)
    new.restore(folder, second.phrase)
    assert len(new.lines()) == 3
    for place, made, word in ((folder, second, "already"), (tmp_path / "first", first, "older")):
        with pytest.raises(StickFailed) as failed:
            new.restore(place, made.phrase)
        assert failed.value.word == word
    assert len(new.lines()) == 3


def test_an_empty_stick_and_a_newer_format_say_so(old, new, folder):
    assert refused(new, folder, new_phrase()) == "none"
    old.export(folder)
    data = (folder / FILE).read_bytes()
    (folder / FILE).write_bytes(data.replace(b'"v":1', b'"v":2', 1))
    assert refused(new, folder, new_phrase()) == "newer"


@pytest.mark.parametrize(
    ("number", "word"), [(errno.EIO, "gone"), (errno.ENOSPC, "full"), (errno.EROFS, "readonly")]
)
def test_a_stick_pulled_full_or_write_protected_leaves_what_stood_on_it(
    old, folder, monkeypatch, number, word
):
    good = old.export(folder)
    before = (folder / FILE).read_bytes()

    def broken(*_):
        raise OSError(number, "broken")

    monkeypatch.setattr("client_agent.stick.os.fsync", broken)
    with pytest.raises(StickFailed) as failed:
        old.export(folder)
    monkeypatch.undo()
    assert failed.value.word == word
    assert (folder / FILE).read_bytes() == before
    assert [path.name for path in folder.iterdir()] == [FILE]
    assert len(list(read_parts(folder, good.phrase))) > 2


def test_a_full_disk_here_in_the_middle_of_taking_over_changes_nothing(old, new, folder, monkeypatch):
    phrase = old.export(folder).phrase
    before = new.everything()

    def no_room(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("client_agent.evidence.write_durably", no_room)
    with pytest.raises(StorageFailed):
        new.restore(folder, phrase)
    monkeypatch.undo()
    assert new.everything() == before
    assert new.restore(folder, phrase).people == 2


def test_a_large_stick_is_written_and_read_in_little_memory(old, new, folder):
    for seed in range(8):
        data = b"OggS" + random.Random(seed).randbytes(2_500_000)
        old.evidence.keep(EvidenceKind.MINUTES_AUDIO, data, session="s")
    made = old.export(folder)
    assert made.bytes > 20_000_000
    assert new.restore(folder, made.phrase).evidence == 9
    assert new.agent.clock.now_ms()[1] is not ClockState.UNCERTAIN
