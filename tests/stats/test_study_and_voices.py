"""What a station says besides viewing: study sessions, voices, self-tests, roll calls."""

from __future__ import annotations

import pytest

from protocol import batch as wire
from protocol.batch import ClockState, Face, Roll, VoiceKind
from protocol.identifiers import uuid7
from protocol.times import from_ms, ms_to_text
from server.stats.models import (
    AttendanceFact,
    LateEntryFact,
    PlanChangeFact,
    SelfTestFact,
    SetAsideRecord,
    StudyFact,
    ViewingFact,
    VoiceFact,
)
from tests.stats.simulator import START_MS

SESSION = uuid7(START_MS)
SHARED = {"seq": 1, "at": ms_to_text(START_MS), "boot": "b", "mono_ms": 7}


def told(province, device, record: wire.Record) -> None:
    device.disk.epochs[device.epoch].records[1] = record
    province.receipt(device.cut(device.epoch, [1]))


def studied(title: str, played_ms: int) -> wire.Studied:
    return wire.Studied(
        programme=uuid7(START_MS), edition=uuid7(START_MS), release="a" * 64, title=title, section="dangjian",
        duration_ms=600_000, played_ms=played_ms,
    )  # fmt: skip


def study(**more) -> wire.Study:
    return wire.Study(
        **SHARED, session=SESSION, day="county@20261205", title="十二月第一次集中学习", started_at=ms_to_text(START_MS),
        ended_at=ms_to_text(START_MS + 5_400_000), clock=ClockState.KNOWN,
        programmes=[studied("家乡党史故事", 600_000), studied("惠农补贴解读", 450_000)], **more,
    )  # fmt: skip


def test_a_study_session_becomes_one_fact_with_what_was_really_played(province, device):
    told(
        province, device, study(planned_at=ms_to_text(START_MS - 720_000), discussion_ms=900_000, led_by="B")
    )
    (fact,) = province.rows(StudyFact)
    assert (fact.session, fact.day, fact.led_by) == (SESSION, "county@20261205", "B")
    assert (fact.planned_at, fact.started_at) == (from_ms(START_MS - 720_000), from_ms(START_MS))
    assert (fact.played_ms, fact.discussion_ms, fact.completed) == (1_050_000, 900_000, True)
    assert [one["title"] for one in fact.programmes] == ["家乡党史故事", "惠农补贴解读"]


def test_a_session_held_on_no_study_day_has_none(province, device):
    told(province, device, study())
    (fact,) = province.rows(StudyFact)
    assert fact.planned_at is None


def test_a_voice_becomes_a_fact_without_a_name(province, device):
    liking = wire.Voice(
        **SHARED, says=VoiceKind.LIKING, face=Face.GOOD, programme=uuid7(START_MS), edition=uuid7(START_MS),
        title="冬小麦返青管理", section="nongji",
    )  # fmt: skip
    told(province, device, liking)
    (fact,) = province.rows(VoiceFact)
    assert (fact.says, fact.face, fact.title, fact.text) == ("liking", "good", "冬小麦返青管理", "")


def test_a_wish_for_what_nobody_has_yet_carries_only_its_words(province, device):
    told(province, device, wire.Voice(**SHARED, says=VoiceKind.WISH, text="HTHC"))
    (fact,) = province.rows(VoiceFact)
    assert (fact.says, fact.text, fact.programme, fact.face) == ("wish", "HTHC", None, None)


def test_a_self_test_keeps_each_result_and_counts_what_was_wrong(province, device):
    told(
        province,
        device,
        wire.SelfTest(**SHARED, results={"left": True, "right": False, "bars": True}, by="A"),
    )
    (fact,) = province.rows(SelfTestFact)
    assert (fact.results, fact.failed, fact.by) == ({"left": True, "right": False, "bars": True}, 1, "A")


def test_a_roll_called_afterwards_says_so(province, device):
    told(
        province, device, wire.Attendance(**SHARED, session=SESSION, expected=42, present=31, roll=Roll.LATE)
    )
    (fact,) = province.rows(AttendanceFact)
    assert (fact.expected, fact.present, fact.roll) == (42, 31, "late")


def test_a_late_entry_stands_beside_what_was_reported(province, device):
    told(
        province, device,
        wire.LateEntry(
            **SHARED, session=SESSION, started_at=ms_to_text(START_MS), ended_at=ms_to_text(START_MS + 5_400_000),
            title="家乡党史故事", manual=True, reason="停电", by="A",
        ),
    )  # fmt: skip
    (fact,) = province.rows(LateEntryFact)
    assert (fact.session, fact.manual, fact.void, fact.reason, fact.by) == (SESSION, True, False, "停电", "A")


def test_a_study_day_that_the_village_moved_says_what_it_was_meant_for(province, device):
    moved = wire.PlanChanged(
        **SHARED, day="d@20261205", change=wire.PlanStep.MOVED, started_at=ms_to_text(START_MS + 86_400_000),
        planned_at=ms_to_text(START_MS), reason="农忙", by="B",
    )  # fmt: skip
    told(province, device, moved)
    (fact,) = province.rows(PlanChangeFact)
    assert (fact.day, fact.change, fact.reason, fact.by) == ("d@20261205", "move", "农忙", "B")
    assert (fact.started_at - fact.planned_at).days == 1


@pytest.mark.parametrize(
    "record",
    [
        wire.PlanChanged(
            **SHARED,
            day="d",
            change=wire.PlanStep.MOVED,
            started_at=ms_to_text(START_MS),
            planned_at="0001-01-01T00:00:00.000Z",
        ),
        wire.SelfTest(**SHARED, results={"left\x00": True}),
        wire.Voice(**SHARED, says=VoiceKind.OPINION, text="a\x00b"),
        study(planned_at="0001-01-01T00:00:00.000Z"),
    ],
    ids=[
        "a plan of no calendar of ours",
        "a NUL in a test's name",
        "a NUL in words",
        "a planned time of no calendar of ours",
    ],
)
def test_what_no_table_can_keep_is_set_aside_and_acknowledged(province, device, record):
    told(province, device, record)
    (kept,) = province.rows(SetAsideRecord)
    assert kept.seq == 1


def test_what_was_asked_of_a_viewer_stands_beside_the_viewing(province, device):
    viewing = wire.Viewing(
        **SHARED, session=SESSION, mode=wire.Mode.LIBRARY, programme=uuid7(START_MS), edition=uuid7(START_MS),
        release="a" * 64, title="家乡党史故事", section="dangshi", started_at=ms_to_text(START_MS),
        ended_at=ms_to_text(START_MS + 3_600_000), duration_ms=3_600_000, played_ms=3_600_000, watched=[(0, 3_600_000)],
        clock=ClockState.KNOWN, prompts=[wire.Prompt(at_ms=1_200_000, answered=True), wire.Prompt(at_ms=2_600_000, answered=False)],
    )  # fmt: skip
    told(province, device, viewing)
    (fact,) = province.rows(ViewingFact)
    assert fact.prompts == [{"at_ms": 1_200_000, "answered": True}, {"at_ms": 2_600_000, "answered": False}]
    assert fact.played_ms == 3_600_000
