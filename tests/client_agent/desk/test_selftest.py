"""自检 as the station keeps and tells it."""

from __future__ import annotations

import pytest

from client_agent.desk import selftest
from client_agent.desk.selftest import Check, Findings
from client_agent.routes import Refused
from protocol.batch import SelfTest


def all_right(**wrong):
    return {check: wrong.get(check.value, True) for check in Check}


def test_a_result_is_one_record_and_stands_on_the_tile(village):
    assert selftest.told(village.parts)["due"]
    told = selftest.record(village.parts, Findings(all_right(right=False)))
    [record] = village.records(SelfTest)
    assert (record.by, record.results["right"], record.results["left"]) == ("", False, True)
    assert (told["due"], told["last"].at_ms, told["last"].results) == (
        False,
        village.parts.now_ms(),
        record.results,
    )


def test_it_is_due_again_after_a_month(village):
    selftest.record(village.parts, Findings(all_right()))
    village.machine.pass_s(30 * 86_400 - 60)
    assert not selftest.told(village.parts)["due"]
    village.machine.pass_s(60)
    assert selftest.told(village.parts)["due"]


def test_half_a_test_is_none(village):
    with pytest.raises(Refused):
        selftest.record(village.parts, Findings({Check.BARS: True}))
    assert village.records(SelfTest) == []
    assert selftest.told(village.parts)["last"] is None
