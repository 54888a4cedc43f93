"""What people in front of the set say with three presses."""

from __future__ import annotations

import pytest

from client_agent.desk import voice
from client_agent.desk.voice import FaultReport, MonthForm, Opinion, OpinionSaid
from client_agent.outbox import OutboxFull
from client_agent.routes import Refused
from protocol.batch import Fault, Voice, VoiceKind
from protocol.faults import SeenFault


def test_a_fault_is_told_once_in_ten_minutes_however_often_it_is_pressed(village):
    for _ in range(3):
        told = voice.report_fault(village.parts, FaultReport(SeenFault.NO_SOUND))
        village.machine.pass_s(120)
    assert [(fault.code, fault.text) for fault in village.records(Fault)] == [("no_sound", "没有声音")]
    assert [one["code"] for one in told["faults"] if one["at_ms"]] == ["no_sound"]
    village.machine.pass_s(300)
    voice.report_fault(village.parts, FaultReport(SeenFault.NO_SOUND))
    voice.report_fault(village.parts, FaultReport(SeenFault.REMOTE))
    assert [fault.code for fault in village.records(Fault)] == ["no_sound", "no_sound", "remote"]


def test_a_fault_that_the_disk_did_not_take_is_not_called_reported(village, monkeypatch):
    def full(*_, **__):
        raise OutboxFull("full")

    with monkeypatch.context() as patched:
        patched.setattr(village.parts.outbox, "append", full)
        with pytest.raises(OutboxFull):
            voice.report_fault(village.parts, FaultReport(SeenFault.NO_PICTURE))
    assert not any(one["at_ms"] for one in voice.told(village.parts)["faults"])
    voice.report_fault(village.parts, FaultReport(SeenFault.NO_PICTURE))
    assert len(village.records(Fault)) == 1


def test_a_word_on_a_programme_travels_with_its_title(village):
    voice.say_opinion(village.parts, OpinionSaid(Opinion.FAST, release=village.film.release))
    [said] = village.records(Voice)
    assert (said.says, said.text, said.title) == (VoiceKind.OPINION, "讲得太快", "防电信诈骗")


def test_more_of_a_section_names_the_section(village):
    assert [one["slug"] for one in voice.told(village.parts)["sections"]] == ["fazhi"]
    voice.say_opinion(village.parts, OpinionSaid(Opinion.MORE, section="fazhi"))
    [said] = village.records(Voice)
    assert (said.text, said.section, said.programme) == ("想多看这个板块", "fazhi", None)


@pytest.mark.parametrize(
    "said", [OpinionSaid(Opinion.MORE), OpinionSaid(Opinion.LONG, release="0" * 64, section="fazhi")]
)
def test_a_word_on_nothing_is_refused(village, said):
    with pytest.raises(Refused):
        voice.say_opinion(village.parts, said)
    assert village.records(Voice) == []


def test_the_month_s_form_is_one_record_and_the_page_knows_that_it_was_given(village):
    assert voice.told(village.parts)["given_ms"] is None
    told = voice.fill_month(village.parts, MonthForm("crops", "slow", "none"))
    [said] = village.records(Voice)
    assert said.text == "2026-11 月度反馈\n需求：种植技术\n建议：讲得慢一些、浅一些\n问题：没有"
    assert told["given_ms"] == village.parts.now_ms()
    village.machine.pass_s(9 * 86_400)
    assert voice.told(village.parts) | {"given_ms": None} == voice.told(village.parts)
    assert voice.told(village.parts)["month"] == "2026-12"


def test_an_answer_that_no_list_has_is_refused(village):
    with pytest.raises(Refused):
        voice.fill_month(village.parts, MonthForm("crops", "<b>", "none"))
    assert village.records(Voice) == []
