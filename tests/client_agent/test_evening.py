"""The evening's session in the station's book: offered, begun, kept, told once."""

from __future__ import annotations

from datetime import datetime

import pytest

from client_agent import reporting
from client_agent.evening import Deed, HeadCount, NoSession, StudyDeed
from protocol.batch import Attendance, Study, read_record
from protocol.documents import Ref, StudyDay, Why
from protocol.times import SHANGHAI, ms_to_text, to_ms
from tests.client_agent.station import Station

NOW = to_ms(datetime(2026, 12, 5, 19, 12, tzinfo=SHANGHAI))
MINUTE = 60_000


class Set:
    """A station's evening without a page; the power can be cut."""

    def __init__(self, station: Station) -> None:
        self.station = station
        self.on()

    def on(self) -> None:
        self.agent = self.station.open()
        self.outbox = reporting.open_outbox(self.agent)
        self.player, self.server = reporting.open_tv(self.agent, self.outbox, 0)
        self.evening = self.server.parts.evening

    def off(self) -> None:
        self.server.server_close()
        self.server.parts.book.close()
        self.outbox.close()
        self.agent.close()

    def told(self):
        return self.evening.told(NOW, lambda release: {"release": release, "stored": True})

    def do(self, deed: Deed, number: int = 0, led_by: str = "") -> None:
        self.evening.act(StudyDeed(do=deed, number=number, led_by=led_by))

    def records(self, kind):
        rows = self.outbox._db.execute("SELECT data FROM records ORDER BY seq").fetchall()
        return [one for (data,) in rows if isinstance(one := read_record(data), kind)]


@pytest.fixture
def tonight(tmp_path):
    station = Station(tmp_path / "station", NOW)
    programmes = [station.add(title, "dangjian", 20 * MINUTE, title.encode()) for title in ("党史", "补贴")]
    station.more["study"] = [
        StudyDay(
            id="d", channel="main", starts_at=ms_to_text(NOW - 12 * MINUTE), ends_at=ms_to_text(NOW + 108 * MINUTE),
            title="第一次集中学习", why=Why(rule="r", level="county", region="130123"),
            programmes=[Ref(edition=p.manifest.edition, release=p.release, duration_ms=p.duration_ms) for p in programmes],
        )
    ]  # fmt: skip
    station.publish()
    made = Set(station)
    yield made
    made.off()


def test_a_step_said_twice_skips_no_programme(tonight):
    tonight.do(Deed.BEGIN)
    tonight.do(Deed.OVER, number=1)
    tonight.do(Deed.OVER, number=1)
    assert tonight.told()["session"]["number"] == 2


def test_beginning_twice_is_one_session(tonight):
    tonight.do(Deed.BEGIN, led_by="A")
    first = tonight.told()["session"]["id"]
    tonight.do(Deed.BEGIN, led_by="B")
    assert tonight.told()["session"]["id"] == first


def test_nothing_to_do_without_a_session(tonight):
    with pytest.raises(NoSession):
        tonight.do(Deed.OVER)
    with pytest.raises(NoSession):
        tonight.evening.count_heads(HeadCount(present=3))


def test_a_day_that_was_held_is_not_offered_again(tonight):
    assert tonight.told()["offer"]["day"] == "d"
    tonight.do(Deed.BEGIN)
    assert tonight.told()["offer"] is None
    tonight.do(Deed.FINISH)
    assert tonight.told() == {"session": None, "offer": None}


def test_a_power_cut_at_any_step_leaves_the_same_session_with_its_roll(tonight):
    tonight.do(Deed.BEGIN, led_by="B")
    tonight.evening.count_heads(HeadCount(present=31, expected=42))
    release = tonight.told()["session"]["current"]["release"]
    tonight.evening.heard(release, 7 * MINUTE, 7 * MINUTE)
    before = tonight.told()["session"]
    tonight.off()
    tonight.on()
    after = tonight.told()["session"]
    assert (after["id"], after["from_ms"], after["broken"]) == (before["id"], 7 * MINUTE, 1)
    assert after["rolls"] == {"start": {"present": 31, "expected": 42}}


def test_its_record_says_what_was_played_also_of_a_programme_recalled_meanwhile(tonight):
    tonight.do(Deed.BEGIN, led_by="A")
    tonight.evening.count_heads(HeadCount(present=31, expected=42))
    release = tonight.told()["session"]["current"]["release"]
    tonight.evening.heard(release, 6 * MINUTE, 6 * MINUTE)
    tonight.station.recall(next(p for p in tonight.station.programmes if p.release == release))
    tonight.do(Deed.STOP)
    tonight.do(Deed.FINISH)
    [record] = tonight.records(Study)
    assert [(one.title, one.played_ms) for one in record.programmes] == [("党史", 6 * MINUTE), ("补贴", 0)]
    assert (record.led_by, record.completed, record.day) == ("A", False, "d")
    [roll] = tonight.records(Attendance)
    assert (roll.session, roll.taken_by) == (record.session, "A")


def test_a_session_the_book_cannot_read_is_left_out_and_the_evening_goes_on(tonight):
    tonight.server.parts.book.keep_note("study", '{"id": 5')
    tonight.off()
    tonight.on()
    assert tonight.told()["session"] is None
    assert tonight.told()["offer"]["day"] == "d"
