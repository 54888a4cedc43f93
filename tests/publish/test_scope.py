"""What may stand in a document, rule by rule. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from protocol.documents import (
    Frame,
    FrameChannel,
    Item,
    LocalChannel,
    LocalDocument,
    Notice,
    Ref,
    ReleaseManifest,
    Rights,
    Why,
    Window,
)
from protocol.times import to_text
from server.publish.scope import Admitted, frame_problems, local_problems

NOW = datetime(2026, 12, 5, 4, 0, tzinfo=UTC)
EVENING = datetime(2026, 12, 5, 12, 0, tzinfo=UTC)
EDITION, RELEASE = "01a20000-0000-7000-8000-000000000001", "ab" * 32
ITEM = Item(
    id="1",
    starts_at=to_text(EVENING),
    duration_ms=60_000,
    edition=EDITION,
    release=RELEASE,
    why=Why(rule="r", level="province", region="13"),
    window="w",
)
WINDOW = Window(
    id="w", starts_at=to_text(EVENING), ends_at=to_text(EVENING + timedelta(hours=1)), level="county"
)


def catalogue(**rights):
    manifest = ReleaseManifest(
        edition=EDITION,
        programme=EDITION,
        number=1,
        title="冬小麦",
        section="nongye",
        duration_ms=60_000,
        rights=Rights(**rights),
        source_sha256=RELEASE,
        recipe_sha256=RELEASE,
        renditions=[],
    )
    return {EDITION: Admitted(RELEASE, manifest)}.get


def frame(
    *items: Item, valid=(NOW, NOW + timedelta(days=14)), fillers=(), windows=(WINDOW,), notices=()
) -> Frame:
    channel = FrameChannel(
        id="main", name="综合", items=list(items), windows=list(windows), fillers=list(fillers)
    )
    return Frame(
        region="13",
        serial=1,
        valid_from=to_text(valid[0]),
        valid_until=to_text(valid[1]),
        channels=[channel],
        notices=list(notices),
    )


def local(*items: Item, region: str = "130123", notices=()) -> LocalDocument:
    return LocalDocument(
        region=region,
        serial=1,
        valid_from=to_text(NOW),
        valid_until=to_text(NOW + timedelta(days=14)),
        channels=[LocalChannel(id="main", items=list(items))],
        notices=list(notices),
    )


def item(**changes) -> Item:
    return msgspec.structs.replace(ITEM, **changes)


def codes(problems) -> list[str]:
    return [problem.code for problem in problems]


def test_an_honest_frame_and_local_document_have_no_problem():
    assert frame_problems(frame(ITEM), catalogue(), now=NOW) == []
    assert local_problems(local(ITEM), frame(), catalogue(), now=NOW) == []


@pytest.mark.parametrize(
    ("rights", "expected"),
    [
        ({"valid_until": to_text(EVENING)}, ["rights_time"]),
        ({"valid_until": to_text(EVENING + timedelta(milliseconds=1))}, []),
        ({"valid_from": to_text(EVENING + timedelta(milliseconds=1))}, ["rights_time"]),
        ({"valid_from": to_text(EVENING)}, []),
        ({"regions": ["1301"]}, ["rights_region"]),
        ({"regions": ["13"]}, []),
    ],
)
def test_nothing_is_shown_outside_its_rights(rights, expected):
    assert codes(frame_problems(frame(ITEM), catalogue(**rights), now=NOW)) == expected


@pytest.mark.parametrize(
    ("valid", "is_right"),
    [
        ((NOW - timedelta(days=1), NOW + timedelta(days=14)), True),
        ((NOW, NOW + timedelta(days=45)), True),
        ((NOW, NOW + timedelta(days=60)), False),
        ((NOW - timedelta(days=2), NOW), False),
        ((NOW + timedelta(days=2), NOW + timedelta(days=1)), False),
    ],
)
def test_a_document_is_valid_now_and_not_for_longer_than_a_signature(valid, is_right):
    assert codes(frame_problems(frame(valid=valid), catalogue(), now=NOW)) == (
        [] if is_right else ["validity"]
    )


def test_no_item_is_longer_than_its_programme_and_no_filler_lies_about_its_length():
    assert codes(frame_problems(frame(item(duration_ms=60_001)), catalogue(), now=NOW)) == ["duration"]
    ref = Ref(edition=EDITION, release=RELEASE, duration_ms=59_999)
    assert codes(frame_problems(frame(fillers=[ref]), catalogue(), now=NOW)) == ["duration"]


@pytest.mark.parametrize("place", ["fillers", "fill"])
def test_fillers_are_held_against_the_catalogue_too(place):
    ref = Ref(edition=EDITION, release="cd" * 32, duration_ms=60_000)
    made = (
        frame(fillers=[ref])
        if place == "fillers"
        else frame(windows=[msgspec.structs.replace(WINDOW, fill=[ref])])
    )

    assert codes(frame_problems(made, catalogue(), now=NOW)) == ["not_admitted"]


@pytest.mark.parametrize(
    "wrong",
    [
        item(window=None),
        item(window="another"),
        item(starts_at=to_text(EVENING - timedelta(milliseconds=1))),
        item(starts_at=to_text(EVENING + timedelta(minutes=59, milliseconds=1))),
    ],
    ids=["no window", "unknown window", "too early", "ends too late"],
)
def test_a_local_item_stands_wholly_inside_its_window(wrong):
    assert codes(local_problems(local(wrong), frame(), catalogue(), now=NOW)) == ["outside_window"]


def test_a_window_speaks_to_one_level_only():
    assert codes(local_problems(local(ITEM, region="1301"), frame(), catalogue(), now=NOW)) == [
        "outside_window"
    ]


def test_a_window_admits_only_its_sections():
    narrow = frame(windows=[msgspec.structs.replace(WINDOW, admits=["dangjian"])])
    wide = frame(windows=[msgspec.structs.replace(WINDOW, admits=["dangjian", "nongye"])])

    assert codes(local_problems(local(ITEM), narrow, catalogue(), now=NOW)) == ["section"]
    assert local_problems(local(ITEM), wide, catalogue(), now=NOW) == []


def test_without_a_frame_no_window_is_open():
    assert codes(local_problems(local(ITEM), None, catalogue(), now=NOW)) == ["outside_window"]


def test_notices_are_for_the_speakers_own_region():
    def notice(region: str) -> Notice:
        return Notice(id="n", text="停电", region=region, starts_at=to_text(NOW), until=to_text(EVENING))

    assert local_problems(local(notices=[notice("130123105")]), frame(), catalogue(), now=NOW) == []
    assert codes(local_problems(local(notices=[notice("1301")]), frame(), catalogue(), now=NOW)) == [
        "notice_region"
    ]


def test_every_problem_reads_as_a_sentence():
    problems = local_problems(local(item(window=None, duration_ms=90_000)), frame(), catalogue(), now=NOW)

    assert [problem.text() for problem in problems] == [
        "《冬小麦》排得比节目长",
        "2026-12-05T12:00:00.000Z 的节目不在地方窗口内",
    ]
