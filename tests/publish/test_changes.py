"""Differences between two documents: found from the documents alone, told one by one, days passing not among them."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.documents import (
    Frame,
    FrameChannel,
    Item,
    LibraryEntry,
    LocalChannel,
    LocalDocument,
    Notice,
    Ref,
    Why,
    Window,
)
from protocol.times import DAY_MS, ms_to_text
from server.publish.changes import Deed, Part, compare, editions_in, without_editions

T0 = 1_796_400_000_000
HOUR = 3_600_000
RELEASE = "1" * 64
EDITIONS = [f"01a20000-0000-7000-8000-{n:012d}" for n in range(5)]


def at(hours: float) -> str:
    return ms_to_text(T0 + int(hours * HOUR))


def item(rule: str, hours: float, *, edition: int = 0, day: str = "", minutes: int = 30) -> Item:
    return Item(
        id=f"{rule}@{day}" if day else rule,
        starts_at=at(hours),
        duration_ms=minutes * 60_000,
        edition=EDITIONS[edition],
        release=RELEASE,
        why=Why(rule=f"slot:{rule}", level="county", region="130123", by="李县"),
        window="w",
    )


def local(*items: Item, until: float = 14 * 24, **more) -> LocalDocument:
    return LocalDocument(
        region="130123",
        serial=1,
        valid_from=at(0),
        valid_until=at(until),
        channels=[LocalChannel(id="main", items=list(items))],
        **more,
    )


def told(before, after, since: float = 1) -> list[tuple[Deed, Part, str, str]]:
    found = compare(before, after, since=at(since))
    return [(line.deed, line.part, line.at, line.to) for line in found.lines]


def test_what_was_added_removed_and_moved_is_told():
    before = local(item("a", 10), item("b", 12), item("c", 14))
    after = local(item("a", 10), item("b", 13), item("d", 16))

    assert told(before, after) == [
        (Deed.MOVED, Part.ITEM, at(12), at(13)),
        (Deed.REMOVED, Part.ITEM, at(14), ""),
        (Deed.ADDED, Part.ITEM, at(16), ""),
    ]


def test_another_cut_in_the_same_place_is_a_change():
    assert told(local(item("a", 10)), local(item("a", 10, edition=1))) == [
        (Deed.CHANGED, Part.ITEM, at(10), "")
    ]


def test_a_first_document_is_all_added_and_the_fingerprint_names_the_very_change():
    first = compare(None, local(item("a", 10)), since=at(1))
    same = compare(local(), local(item("a", 10)), since=at(1))
    other = compare(local(), local(item("a", 10, minutes=29)), since=at(1))

    assert first.lines == same.lines
    assert first.fingerprint == same.fingerprint
    assert other.fingerprint != same.fingerprint  # told alike, and yet another change
    assert [line.deed for line in first.lines] == [Deed.ADDED]


def test_days_that_pass_and_days_that_come_into_reach_by_a_known_rule_are_no_change():
    before = local(item("s", 1, day="1"), item("s", 25, day="2"), until=48)
    after = local(item("s", 25, day="2"), item("s", 49, day="3"), until=72)

    change = compare(before, after, since=at(20))

    assert change.lines == ()
    assert change.rolled == 2


def test_a_new_rule_beyond_what_is_served_is_a_change():
    before = local(item("s", 1, day="1"), until=48)
    after = local(item("s", 1, day="1"), item("new", 50), until=72)

    assert told(before, after) == [(Deed.ADDED, Part.ITEM, at(50), "")]


def test_windows_fillers_notices_and_the_library_of_a_frame_are_told():
    def frame(windows, fillers, notices, library):
        return Frame(
            region="13",
            serial=1,
            valid_from=at(0),
            valid_until=at(48),
            channels=[FrameChannel(id="main", name="综合", windows=windows, fillers=fillers)],
            notices=notices,
            library=library,
        )

    window = Window(id="w@1", starts_at=at(5), ends_at=at(6), level="county")
    ref = Ref(edition=EDITIONS[0], release=RELEASE, duration_ms=10_000)
    notice = Notice(id="n", text="停电通知", region="13", starts_at=at(2), until=at(9))
    entry = LibraryEntry(edition=EDITIONS[1], release=RELEASE, section="dangjian")
    empty = frame([], [], [], [])
    full = frame([window], [ref], [notice], [entry])

    parts = {line.part: line.deed for line in compare(empty, full, since=at(1)).lines}

    assert parts == dict.fromkeys((Part.WINDOW, Part.FILLER, Part.NOTICE, Part.LIBRARY), Deed.ADDED)
    gone = {line.part for line in compare(full, empty, since=at(7)).lines}
    assert gone == {Part.FILLER, Part.NOTICE, Part.LIBRARY}  # the window was over already


def test_a_document_without_an_edition_names_it_nowhere():
    found = without_editions(local(item("a", 10), item("b", 12, edition=1)), frozenset({EDITIONS[0]}))

    assert editions_in(found) == {EDITIONS[1]}


ITEMS = st.lists(
    st.builds(item, st.sampled_from("abcdef"), st.integers(2, 300), edition=st.integers(0, 4)),
    max_size=6,
    unique_by=lambda one: one.id,
)


@settings(max_examples=200)
@given(ITEMS, ITEMS)
def test_what_is_told_leads_from_one_document_to_the_other(old, new):
    change = compare(local(*old), local(*new), since=at(1))

    assert (change.lines == ()) == ({i.id: i for i in old} == {i.id: i for i in new})
    back = compare(local(*new), local(*old), since=at(1))
    swapped = {Deed.ADDED: Deed.REMOVED, Deed.REMOVED: Deed.ADDED}
    assert sorted((swapped.get(line.deed, line.deed), line.id) for line in back.lines) == sorted(
        (line.deed, line.id) for line in change.lines
    )
    assert compare(local(*old), local(*old), since=at(1)).lines == ()


@settings(max_examples=100)
@given(ITEMS, st.integers(0, 10 * 24))
def test_the_serial_and_the_span_alone_are_never_a_change(items, hours):
    before = local(*items)
    after = msgspec.structs.replace(before, serial=9, valid_until=ms_to_text(T0 + 20 * DAY_MS))

    assert compare(before, after, since=at(hours)).lines == ()
