"""The roll by name: from a tap on a phone to the record, before, during and after a session."""

from __future__ import annotations

import pytest

from client_agent.evening import HeadCount
from protocol.batch import Attendance, Fault, LateEntry, Roll, Study, Voice, VoiceKind
from tests.client_agent.phone.conftest import MINUTE, NOW

LIST = "王建国 党员\n李秀英\n张伟 党员\n刘玉梅"


def told(village):
    return [(a.roll, a.present, a.expected, a.members, a.public) for a in village.records(Attendance)]


def test_a_roll_called_before_the_session_is_told_when_it_begins_and_the_set_does_not_ask(village):
    phone = village.scan()
    phone.add(LIST)
    status, answer = phone.tap(1, 2, done=True)
    assert (status, answer["session"]["state"]) == (200, "offered")
    assert told(village) == []
    village.do("begin")
    assert told(village) == [(Roll.START, 2, 4, 1, 1)]
    [record] = village.records(Attendance)
    session = village.evening.told(NOW, lambda _: None)["session"]
    assert record.session == session["id"] == answer["session"]["id"]
    assert session["rolls"] == {"start": {"present": 2, "expected": 4}}


def test_of_two_phones_the_last_tap_of_a_person_counts_and_both_see_it(village):
    village.do("begin")
    one, other = village.scan(), village.scan()
    one.add(LIST)
    one.tap(1, 2, 3)
    other.tap(2, present=False)
    one.tap(2, ago_ms=60_000)  # tapped before, arriving late
    assert one.state()["session"]["rolls"]["start"]["there"] == [1, 3]
    assert other.state() == one.state()


def test_a_roll_said_to_be_all_is_told_at_once_and_told_again_where_it_changed(village):
    village.do("begin")
    phone = village.scan()
    phone.add(LIST)
    phone.tap(1, 2, 3, done=True)
    phone.tap(4, others=2, done=True)
    assert told(village) == [(Roll.START, 3, 4, 2, 1), (Roll.START, 6, 4, 2, 4)]


def test_taps_that_nobody_finished_are_told_when_the_session_moves_on_and_only_once(village):
    village.do("begin")
    phone = village.scan()
    phone.add(LIST)
    phone.tap(1, 4)
    village.do("over", 1)
    assert told(village) == [(Roll.START, 2, 4, 1, 1)]
    village.do("stop")
    village.do("finish")
    assert len(told(village)) == 1


def test_the_roll_of_the_end_is_another_one(village):
    village.do("begin")
    phone = village.scan()
    phone.add(LIST)
    phone.tap(1, 2, 3, 4, done=True)
    village.do("stop")
    assert phone.state()["session"]["roll"] == "end"
    phone.tap(1, 2)
    village.do("finish")
    assert told(village) == [(Roll.START, 4, 4, 2, 2), (Roll.END, 2, 4, 1, 1)]
    assert len(village.records(Study)) == 1


def test_heads_typed_on_the_set_after_the_taps_are_not_overwritten_by_them(village):
    village.do("begin")
    phone = village.scan()
    phone.add(LIST)
    phone.tap(1)
    village.evening.count_heads(HeadCount(present=31, expected=42))
    village.do("stop")
    village.do("finish")
    assert told(village) == [(Roll.START, 31, 42, 0, 0)]


def test_after_the_session_a_roll_is_a_late_entry(village):
    village.do("begin")
    phone = village.scan()
    phone.add(LIST)
    village.do("stop")
    village.do("finish")
    assert phone.state()["session"]["state"] == "over"
    assert phone.tap(1, 2, 3, done=True)[0] == 200
    assert told(village) == [(Roll.LATE, 3, 4, 2, 1)]
    [late] = village.records(LateEntry)
    assert late.session == phone.state()["session"]["id"]
    month = village.server.parts.desk.log.lines("2026-12-01", "2026-12-31")
    [line] = [one for one in month if one.kind == "late"]
    assert (line.heads.present, line.reason) == (3, "phone")


def test_a_power_cut_loses_no_tap_no_name_and_keeps_the_phones_address_and_secret(village):
    village.do("begin")
    phone = village.scan()
    phone.add(LIST)
    phone.tap(1, 3)
    village.off()
    village.on()
    again = village.scan()
    assert (again.secret, again.port) == (phone.secret, phone.port)
    assert phone.state()["session"]["rolls"]["start"]["there"] == [1, 3]


def test_a_name_there_already_is_added_only_where_another_person_is_meant(village):
    phone = village.scan()
    phone.add(LIST)
    status, answer = phone.add("张伟\n赵强")
    assert (status, answer["added"], answer["left_out"]) == (200, 1, ["张伟"])
    phone.add("张伟", again=True)
    assert [name for _, name, _ in phone.state()["people"]].count("张伟") == 2


def test_people_are_changed_and_taken_off_with_their_taps(village):
    village.do("begin")
    phone = village.scan()
    phone.add(LIST)
    phone.tap(1, 2)
    phone.post("change", {"person": 1, "name": "王建国", "party": False})
    phone.post("change", {"person": 2})
    state = phone.state()
    assert state["people"] == [[1, "王建国", 0], [3, "张伟", 1], [4, "刘玉梅", 0]]
    assert state["session"]["rolls"]["start"]["there"] == [1]


def test_what_is_sent_twice_is_done_once(village, deed):
    phone = village.scan()
    question, fault = deed(), deed()
    for _ in range(2):
        assert phone.post("question", {"deed": question, "text": " 冬小麦何时浇水？ "})[0] == 200
        assert phone.post("fault", {"deed": fault, "code": "no_sound"})[0] == 200
    [voice] = village.records(Voice)
    assert (voice.says, voice.text) == (VoiceKind.QUESTION, "冬小麦何时浇水？")
    assert [one.code for one in village.records(Fault)] == ["no_sound"]


def test_no_name_ever_stands_in_a_record(village):
    phone = village.scan()
    phone.add(LIST)
    phone.tap(1, 2, done=True)
    village.do("begin")
    rows = village.outbox._db.execute("SELECT data FROM records").fetchall()
    assert rows
    for (data,) in rows:
        assert not any(name in data.decode() for name in ("王建国", "李秀英", "张伟", "刘玉梅"))


def test_an_unchanged_state_is_not_sent_again(village):
    phone = village.scan()
    version = phone.state()["version"]
    assert phone.ask(f"api/state?have={version}").data == b'{"same":true}'


# --- when phones are listened to ---------------------------------------------------------------------------------------
def test_phones_are_listened_to_from_half_an_hour_before_until_some_minutes_after(village):
    village.plan("d", starts_ms=NOW + 45 * MINUTE)
    assert village.helper.told()["lan"] is None
    village.machine.pass_s(16 * 60)
    phone = village.scan()
    village.do("begin")
    assert village.scan().secret == phone.secret
    village.do("stop")
    village.do("finish")
    village.helper._held_until = 0.0
    village.helper.settle()
    with pytest.raises(OSError, match="refused"):
        phone.state()


def test_the_tile_listens_at_any_time_and_only_while_it_is_open(village):
    village.plan("d", starts_ms=NOW + 24 * 60 * MINUTE)
    assert village.helper.told()["lan"] is None
    assert village.helper.told(tile=True)["lan"] is not None
    village.helper._held_until = 0.0
    assert village.helper.told()["lan"] is None


def test_each_session_has_a_secret_of_its_own_of_eighty_bits(village):
    first = village.scan()
    assert len(first.secret) == 16
    village.do("begin")
    village.do("stop")
    village.do("finish")
    village.machine.pass_s(24 * 3600)
    village.plan("e", starts_ms=NOW + 24 * 60 * MINUTE)
    second = village.scan()
    assert second.secret != first.secret
    assert first.ask("api/state").status == 404


def test_without_a_local_network_there_is_no_listener(village, monkeypatch):
    for address in ("8.8.8.8", "nonsense"):
        monkeypatch.setenv("YUANBO_LAN_ADDRESS", address)
        assert village.helper.told()["lan"] is None
        assert village.helper._server is None
