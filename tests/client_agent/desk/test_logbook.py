"""收看记录: written from what was really played, never changed, never lost."""

from __future__ import annotations

import sqlite3
from datetime import date, datetime

import pytest

from client_agent.book import Book
from client_agent.desk.log_lines import Heads, LogKind, LogProgramme, days_of, first_broken
from client_agent.desk.logbook import Logbook, NoSuchLine
from client_agent.errors import StorageFailed
from protocol.batch import (
    Attendance,
    ClockState,
    Fault,
    Minutes,
    Mode,
    Roll,
    SelfTest,
    Studied,
    Study,
    Viewing,
    Voice,
    VoiceKind,
)
from protocol.times import SHANGHAI, ms_to_text, to_ms

EVENING_MS = to_ms(datetime(2026, 11, 15, 19, 0, tzinfo=SHANGHAI))
MINUTE_MS = 60_000
SESSION = "01890000-0000-7000-8000-00000000000a"
FILM = "c" * 64


def stamped(kind, at_ms, seq=1, **fields):
    return kind(seq=seq, at=ms_to_text(at_ms), boot="boot-1", mono_ms=at_ms - EVENING_MS + 10**9, **fields)


def viewing(at_ms=EVENING_MS, minutes=10.0, title="冬小麦返青管理", mode=Mode.LIBRARY, session=None, seq=1):
    played = int(minutes * MINUTE_MS)
    return stamped(
        Viewing, at_ms + played, seq, session=session or f"v-{at_ms}-{seq}", mode=mode, title=title, section="nongji",
        programme=SESSION, edition=SESSION, release=FILM, started_at=ms_to_text(at_ms), ended_at=ms_to_text(at_ms + played),
        duration_ms=30 * MINUTE_MS, played_ms=played, watched=[(0, played)], clock=ClockState.KNOWN,
    )  # fmt: skip


def study(at_ms=EVENING_MS, session=SESSION, completed=True, led_by="A"):
    film = Studied(
        programme=SESSION, edition=SESSION, release=FILM, title="家乡党史故事", section="dangshi",
        duration_ms=40 * MINUTE_MS, played_ms=40 * MINUTE_MS,
    )  # fmt: skip
    return stamped(
        Study, at_ms + 90 * MINUTE_MS, session=session, day="county@20261115", title="十一月第二次集中学习",
        started_at=ms_to_text(at_ms), ended_at=ms_to_text(at_ms + 90 * MINUTE_MS), clock=ClockState.KNOWN,
        programmes=[film], discussion_ms=20 * MINUTE_MS, completed=completed, led_by=led_by,
    )  # fmt: skip


def roll(present, when=Roll.START, after_minutes=2, expected=42, session=SESSION):
    return stamped(
        Attendance, EVENING_MS + after_minutes * MINUTE_MS, session=session, expected=expected, present=present,
        taken_by="A", roll=when,
    )  # fmt: skip


@pytest.fixture
def book(tmp_path):
    made = Book(tmp_path / "book.sqlite")
    yield made
    made.close()


class Now:
    ms = EVENING_MS + 2 * 60 * MINUTE_MS
    clock = ClockState.KNOWN

    def __call__(self):
        return self.ms, self.clock


@pytest.fixture
def now():
    return Now()


@pytest.fixture
def log(book, now):
    return Logbook(book, now, lambda _: 7)


def entries(log, month="2026-11"):
    return [entry for day in log.month(month) for entry in day.entries]


def test_a_session_stands_with_its_heads_its_programmes_and_who_led_it(log):
    for record in (roll(31), study(), roll(29, Roll.END, 91)):
        log.take(record)
    [entry] = entries(log)
    assert (entry.start.present, entry.end.present, entry.heads.present, entry.heads.expected) == (
        31,
        29,
        31,
        42,
    )
    assert [(one.title, one.number, one.played_ms) for one in entry.line.programmes] == [
        ("家乡党史故事", 7, 40 * MINUTE_MS)
    ]
    assert (entry.line.by, entry.line.discussion_ms, entry.manual) == ("A", 20 * MINUTE_MS, False)


def test_what_was_discussed_stands_with_its_session(log):
    log.take(study())
    log.take(stamped(Minutes, EVENING_MS + 100 * MINUTE_MS, session=SESSION, text="大家问梨树怎么剪"))
    [day] = log.month("2026-11")
    assert (day.entries[0].minutes, day.others) == (["大家问梨树怎么剪"], [])


def test_heads_counted_again_hold_as_counted_last(log):
    for record in (roll(13), roll(31, after_minutes=3), study()):
        log.take(record)
    assert entries(log)[0].start.present == 31


def test_plays_in_a_session_are_told_by_the_session_alone_and_glances_in_sum(log):
    log.take(viewing(mode=Mode.STUDY))
    log.take(viewing(minutes=0.4))
    log.take(viewing(minutes=0.5, seq=2))
    log.take(viewing(EVENING_MS + 3 * MINUTE_MS, minutes=12, seq=3))
    [day] = log.month("2026-11")
    assert [entry.played_ms for entry in day.entries] == [12 * MINUTE_MS]
    assert (day.glances, day.glanced_ms) == (2, 54_000)


def test_faults_and_health_leave_no_line(log):
    log.take(stamped(Fault, EVENING_MS, code="no_sound"))
    log.take(stamped(Voice, EVENING_MS, says=VoiceKind.LIKING))
    assert log.last_number() == 0


def test_opinions_and_self_tests_stand_beside_the_plays(log):
    log.take(stamped(Voice, EVENING_MS, says=VoiceKind.QUESTION, text="梨树黄叶怎么办"))
    log.take(stamped(SelfTest, EVENING_MS + 1, results={"sound": True, "keys": False}, by="B"))
    [day] = log.month("2026-11")
    assert [(one.kind, one.text, one.completed) for one in day.others] == [
        (LogKind.SAID, "梨树黄叶怎么办", True),
        (LogKind.SELF_TEST, "keys", False),
    ]


def test_a_record_met_again_is_not_written_again_whatever_number_it_has_now(log):
    records = [roll(31), study(), viewing()]
    for record in records:
        log.take(record)
    assert log.catch_up([viewing(seq=99, session=records[2].session), *records]) == 0
    assert log.last_number() == 3


def test_a_line_is_never_changed_a_late_entry_says_who_when_and_why(log, now):
    log.take(roll(31))
    log.take(study())
    before = log.line(2)
    now.ms += 86_400_000
    late = log.amend(2, "B", "miscounted", heads=Heads(42, 33, 12, 21))
    assert log.line(2) == before
    [entry] = entries(log)
    assert (entry.heads.present, entry.start.present) == (33, 31)
    assert [(one.by, one.reason, one.at_ms) for one in entry.lates] == [("B", "miscounted", now.ms)]
    assert (late.day, log.to_tell()) == ("2026-11-15", [late])
    log.told(late.n)
    assert log.to_tell() == []


def test_what_is_void_counts_no_longer_and_a_remark_leaves_the_heads(log):
    log.take(roll(31))
    log.take(study())
    log.amend(2, "A", "remark", text="long")
    [day] = log.month("2026-11")
    assert (len(day.studies), day.entries[0].heads.present) == (1, 31)
    log.amend(2, "A", "trial", void=True)
    [day] = log.month("2026-11")
    assert (day.studies, day.played_ms, len(day.entries)) == ([], 0, 1)
    assert [(line.text, line.void, line.from_ms) for line in log.to_tell()] == [
        ("long", False, EVENING_MS),
        ("", True, EVENING_MS),
    ]


def test_only_entries_can_be_spoken_about_and_a_play_has_no_heads(log):
    log.take(roll(31))
    log.take(viewing())
    with pytest.raises(NoSuchLine):
        log.amend(1, "A", "x", void=True)
    with pytest.raises(NoSuchLine):
        log.amend(2, "A", "x", heads=Heads(1, 1))
    with pytest.raises(NoSuchLine):
        log.amend(77, "A", "x", void=True)


def test_a_session_without_a_record_is_entered_late_under_its_own_day(log):
    film = LogProgramme("家乡党史故事", "dangshi", 7, 40 * MINUTE_MS)
    line = log.add_late(
        date(2026, 11, 5), "A", "power_cut", Heads(42, 20), [film], EVENING_MS, EVENING_MS + MINUTE_MS
    )
    [entry] = entries(log)
    assert (entry.line.day, entry.manual, entry.heads.present, line.session != "") == (
        "2026-11-05",
        True,
        20,
        True,
    )
    log.amend(line.n, "A", "miscounted", heads=Heads(42, 21))
    assert entries(log)[0].heads.present == 21


def test_what_was_looked_through_is_checked_until_something_new_is_said_about_it(log):
    log.take(study())
    assert log.check("A") is not None
    assert log.check("B") is None
    assert entries(log)[0].checked == "A"
    log.take(viewing(EVENING_MS + 100 * MINUTE_MS))
    assert [entry.checked for entry in entries(log)] == ["", "A"]
    log.amend(1, "B", "miscounted", heads=Heads(1, 1))
    assert [entry.checked for entry in entries(log)] == ["", ""]
    log.check("B")
    assert [entry.checked for entry in entries(log)] == ["B", "B"]


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE log SET line = replace(line, '42', '99') WHERE n = 2",
        "DELETE FROM log WHERE n = 2",
        "UPDATE log SET n = 30 WHERE n = 3; UPDATE log SET n = 3 WHERE n = 2; UPDATE log SET n = 2 WHERE n = 30",
    ],
    ids=["altered", "taken out", "swapped"],
)
def test_whoever_alters_a_line_is_told_by_the_chain(log, tmp_path, tampering):
    for record in (roll(31), roll(32, after_minutes=3), study()):
        log.take(record)
    assert log.broken_at() is None
    with sqlite3.connect(tmp_path / "book.sqlite") as other:
        other.executescript(tampering)
    assert log.broken_at() == 2


def test_an_uncertain_clock_is_marked(log):
    record = viewing()
    log.take(stamped(Viewing, EVENING_MS, **{
        name: getattr(record, name)
        for name in ("session", "mode", "title", "section", "programme", "edition", "release", "started_at", "ended_at",
                     "duration_ms", "played_ms", "watched")
    }, clock=ClockState.UNCERTAIN))  # fmt: skip
    assert entries(log)[0].line.clock == "uncertain"


def test_the_power_goes_at_every_write_and_the_chain_is_whole_and_nothing_is_missing(book, now, monkeypatch):
    """Each write of the book fails once; then the same records are met again, as at the next start."""

    class PowerCut(BaseException):
        pass

    records = [roll(31), study(), viewing(EVENING_MS + 100 * MINUTE_MS), viewing(EVENING_MS, minutes=0.2)]
    execute, count = book.execute, 0
    while True:
        log, left = Logbook(book, now), count

        def dying(statement, values=()):
            nonlocal left
            left -= 1
            if left < 0:
                raise PowerCut
            return execute(statement, values)

        monkeypatch.setattr(book, "execute", dying)
        try:
            for record in records:
                log.take(record)
            break
        except PowerCut:
            pass
        finally:
            monkeypatch.setattr(book, "execute", execute)
        assert log.broken_at() is None
        count += 1
    assert count > 8
    assert log.catch_up(records) == 0
    assert (log.broken_at(), log.last_number()) == (None, 4)


def test_a_disk_that_takes_nothing_is_caught_up_with_later(log, book, monkeypatch):
    with monkeypatch.context() as full:
        full.setattr(book, "execute", lambda *_: (_ for _ in ()).throw(StorageFailed()))
        log.take(study())
    assert (log.behind, log.last_number()) == (True, 0)
    assert log.catch_up([study()]) == 1
    assert not log.behind


def test_a_month_of_four_hundred_lines_is_read_at_once(log):
    for n in range(400):
        log.take(viewing(EVENING_MS - n * 50 * MINUTE_MS, minutes=2, seq=n + 1))
    days = log.month("2026-11")
    assert sum(len(day.entries) for day in days) == 400
    assert log.broken_at() is None


def test_nothing_is_a_whole_chain_and_an_empty_month():
    assert first_broken([]) is None
    assert days_of([]) == []
