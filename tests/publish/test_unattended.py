"""May it go out by itself? Every reason alone holds it; only a clean edit in the own window has none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.documents import Frame, FrameChannel, LibraryEntry, Notice, StudyDay, Topic, Why, Window
from server.publish.changes import compare
from server.publish.scope import Problem
from server.publish.unattended import fit_to, may_publish_unattended
from tests.publish.test_changes import EDITIONS, RELEASE, at, item, local

NOW = at(1)
FRAME = Frame(
    region="13",
    serial=1,
    valid_from=at(0),
    valid_until=at(14 * 24),
    channels=[
        FrameChannel(
            id="main",
            name="综合",
            windows=[Window(id="w", starts_at=at(9), ends_at=at(12), level="county")],
        )
    ],
)
OVERLAPPED = Problem("overlap", "重叠")


@dataclass(frozen=True)
class Edit:
    """A county's edit with everything that may be wrong with it."""

    notice: bool = False
    push: bool = False
    topic: bool = False
    study: bool = False
    outside: bool = False
    overlap: bool = False
    report: bool = False
    protected_now: bool = False
    protected_air: bool = False
    rolled_back: bool = False
    township: bool = False

    def reasons(self) -> set[str]:
        return {problem.code for problem in self._decide()}

    def _decide(self) -> list[Problem]:
        placed = item("a", 10)
        if self.outside:
            placed = msgspec.structs.replace(placed, window="elsewhere")
        items = [placed, item("b", 10.2)] if self.overlap else [placed]
        more = {}
        if self.notice:
            more["notices"] = [Notice(id="n", text="通知", region="130123", starts_at=at(2), until=at(9))]
        if self.push:
            more["library"] = [LibraryEntry(edition=EDITIONS[1], release=RELEASE, section="s", pushed=True)]
        if self.topic:
            more["topics"] = [Topic(id=EDITIONS[2], title="专题", starts_at=at(2), until=at(40))]
        if self.study:
            why = Why(rule="study:1", level="county", region="130123")
            more["study"] = [StudyDay(id="s", channel="main", starts_at=at(20), ends_at=at(21), why=why)]
        document = local(*items, **more)
        frame = FRAME
        if self.township:
            document = msgspec.structs.replace(document, region="130123105")
            level = [msgspec.structs.replace(w, level="township") for w in FRAME.channels[0].windows]
            frame = msgspec.structs.replace(
                FRAME, channels=[msgspec.structs.replace(FRAME.channels[0], windows=level)]
            )
        periods = [(at(0), at(2))] if self.protected_now else []
        periods += [(at(9), at(11))] if self.protected_air else []
        return may_publish_unattended(
            compare(None, document, since=NOW),
            document,
            frame,
            report=[Problem("share", "党员教育比例偏低")] if self.report else [],
            protected=periods,
            now=NOW,
            is_rolled_back=self.rolled_back,
        )


EXPECTED = {
    "notice": "notice",
    "push": "push",
    "topic": "topic",
    "study": "study",
    "outside": "outside_window",
    "overlap": "overlap",
    "report": "share",
    "protected_now": "protected",
    "protected_air": "protected",
    "rolled_back": "rolled_back",
    "township": "level",
}


def test_a_clean_edit_in_the_own_window_goes_out():
    assert Edit().reasons() == set()


@pytest.mark.parametrize("fault", EXPECTED)
def test_each_fault_alone_holds_it_and_is_named(fault):
    assert Edit(**{fault: True}).reasons() == {EXPECTED[fault]}


def test_any_two_faults_are_both_named():
    for one, other in product(EXPECTED, repeat=2):
        assert {EXPECTED[one], EXPECTED[other]} <= Edit(**{one: True, other: True}).reasons()


@settings(max_examples=300)
@given(st.builds(Edit, **{fault: st.booleans() for fault in EXPECTED}))
def test_exactly_the_faults_there_are_hold_an_edit(edit):
    there = {EXPECTED[fault] for fault in EXPECTED if getattr(edit, fault)}

    assert edit.reasons() == there
    assert (edit.reasons() == set()) == (edit == Edit())
    for fault in EXPECTED:
        cured = replace(edit, **{fault: False})
        assert cured.reasons() <= edit.reasons()


def test_what_only_takes_away_is_not_held_by_the_report_but_by_a_protected_period():
    before, after = local(item("a", 10), item("b", 11)), local(item("a", 10))
    change = compare(before, after, since=NOW)
    faulty = [Problem("not_released", "已撤下")]

    assert may_publish_unattended(change, after, FRAME, report=faulty, now=NOW) == []
    [held] = may_publish_unattended(change, after, FRAME, report=faulty, protected=[(at(0), at(2))], now=NOW)
    assert held.code == "protected"


def test_the_provinces_frame_never_goes_out_by_itself():
    change = compare(None, FRAME, since=NOW)
    reasons = may_publish_unattended(change, FRAME, FRAME, now=NOW)

    assert [reason.code for reason in reasons] == ["frame"]


def test_a_local_document_ends_with_the_frame_its_stations_follow():
    document = local(item("a", 10), item("b", 13 * 24), until=20 * 24)
    shorter = msgspec.structs.replace(FRAME, valid_until=at(48))

    fitted = fit_to(document, shorter)

    assert fitted.valid_until == at(48)
    assert [i.id for c in fitted.channels for i in c.items] == ["a"]
