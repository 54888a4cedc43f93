"""The rule that makes a listing: no overlap, no gap, nobody outside his window, recall above all."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.documents import (
    Emergency,
    EmergencyItem,
    Frame,
    FrameChannel,
    Item,
    LocalChannel,
    LocalDocument,
    Ref,
    Why,
    Window,
)
from protocol.merge import Listing, Source, merge, on_air
from protocol.times import day_bounds_ms, ms_to_text

DAY = date(2026, 12, 5)
START, END = day_bounds_ms(DAY)
MINUTE = 60_000
VILLAGE = "130123105201"


def edition(n: int) -> str:
    return f"00000000-0000-7000-8000-{n:012x}"


def ref(n: int, duration_ms: int = 25_000) -> Ref:
    return Ref(edition=edition(n), release=f"{n:064x}", duration_ms=duration_ms)


def item(n: int, starts_ms: int, duration_ms: int, region: str = "13", window: str | None = None) -> Item:
    return Item(
        id=f"item-{n}-{starts_ms}",
        starts_at=ms_to_text(starts_ms),
        duration_ms=duration_ms,
        edition=edition(n),
        release=f"{n:064x}",
        why=Why(rule=f"slot:{n}", level="province", region=region),
        window=window,
    )


def window(name: str, starts_ms: int, ends_ms: int, level: str = "county") -> Window:
    return Window(id=name, starts_at=ms_to_text(starts_ms), ends_at=ms_to_text(ends_ms), level=level)


def frame(
    items: list[Item] = [],  # noqa: B006 -- never changed
    windows: list[Window] = [],  # noqa: B006
    fillers: list[Ref] = [],  # noqa: B006
    valid: tuple[int, int] = (START - 7 * 86_400_000, END + 7 * 86_400_000),
) -> Frame:
    return Frame(
        region="13",
        serial=1,
        valid_from=ms_to_text(valid[0]),
        valid_until=ms_to_text(valid[1]),
        channels=[FrameChannel(id="main", name="综合", items=items, windows=windows, fillers=fillers)],
    )


def local(region: str, items: list[Item]) -> LocalDocument:
    return LocalDocument(
        region=region,
        serial=1,
        valid_from=ms_to_text(START - 86_400_000),
        valid_until=ms_to_text(END + 86_400_000),
        channels=[LocalChannel(id="main", items=items)],
    )


def listing(frame_: Frame | None, *locals_: LocalDocument, **more: object) -> Listing:
    return merge(
        region=VILLAGE, channel="main", day=DAY, frame=frame_, local_documents=locals_, **more  # type: ignore[arg-type]
    )  # fmt: skip


def assert_whole(result: Listing) -> None:
    """Covers the day without gap or overlap."""
    assert result.items[0].starts_ms <= START
    assert result.items[-1].ends_ms >= END
    for one, following in pairwise(result.items):
        assert one.ends_ms == following.starts_ms


def test_without_a_frame_the_whole_day_is_slate() -> None:
    result = listing(None)
    assert [i.source for i in result.items] == [Source.SLATE]
    assert_whole(result)


def test_gaps_play_fillers_and_the_next_item_begins_within_three_minutes() -> None:
    result = listing(
        frame([item(1, START + 9 * 60 * MINUTE, 20 * MINUTE)], fillers=[ref(n) for n in range(2, 9)])
    )
    assert_whole(result)
    assert {i.source for i in result.items} == {Source.FRAME, Source.FILLER}
    assert max(i.duration_ms for i in result.items if i.source is Source.FILLER) <= 3 * MINUTE


def test_no_filler_plays_twice_in_a_row() -> None:
    result = listing(frame(fillers=[ref(n) for n in range(3)]))
    for one, following in pairwise(result.items):
        assert one.release != following.release


def test_a_filler_too_short_to_see_is_never_used() -> None:
    result = listing(frame(fillers=[ref(1, duration_ms=40)]))
    assert [i.source for i in result.items] == [Source.SLATE]


def test_a_local_item_plays_inside_its_window() -> None:
    opened = window("w", START + 20 * 60 * MINUTE, START + 21 * 60 * MINUTE)
    county = local("130123", [item(7, START + 20 * 60 * MINUTE + MINUTE, 10 * MINUTE, "130123", "w")])
    result = listing(frame(windows=[opened], fillers=[ref(1)]), county)
    assert [i.release for i in result.items if i.source is Source.LOCAL] == [f"{7:064x}"]
    assert_whole(result)


@pytest.mark.parametrize(
    ("region", "start_min", "length_min", "names"),
    [
        ("130123", 1199, 10, "begins before the window"),
        ("130123", 1255, 10, "ends after the window"),
        ("1301", 1205, 10, "is a city's in a county's window"),
        ("130124", 1205, 10, "is another county's"),
    ],
)
def test_who_speaks_outside_his_window_is_not_heard(
    region: str, start_min: int, length_min: int, names: str
) -> None:
    opened = window("w", START + 1200 * MINUTE, START + 1260 * MINUTE)
    speaker = local(region, [item(7, START + start_min * MINUTE, length_min * MINUTE, region, "w")])
    result = listing(frame(windows=[opened], fillers=[ref(1)]), speaker)
    assert not [i for i in result.items if i.source is Source.LOCAL], names


def test_a_window_nobody_fills_plays_its_own_fill_in_order() -> None:
    opened = Window(
        id="w",
        starts_at=ms_to_text(START),
        ends_at=ms_to_text(START + 60 * MINUTE),
        level="county",
        fill=[ref(5, 10 * MINUTE), ref(6, 10 * MINUTE)],
    )
    result = listing(frame(windows=[opened], fillers=[ref(1)]))
    filled = [i.release for i in result.items if i.source is Source.FILL]
    assert filled == [f"{n:064x}" for n in (5, 6, 5, 6, 5, 6)]


def test_a_recalled_release_is_nowhere_not_even_as_filler() -> None:
    bad = f"{1:064x}"
    result = listing(
        frame([item(1, START + MINUTE, MINUTE)], fillers=[ref(1), ref(2)]),
        recalled={bad},
        emergency=Emergency(
            serial=1,
            items=[
                EmergencyItem(
                    id="e", starts_at=ms_to_text(START), ends_at=ms_to_text(END), regions=["13"], ref=ref(1)
                )
            ],
        ),
    )
    assert bad not in {i.release for i in result.items}
    assert_whole(result)


def test_an_emergency_interrupts_and_the_programme_goes_on_at_its_right_offset() -> None:
    start = START + 600 * MINUTE
    emergency = Emergency(
        serial=1,
        items=[
            EmergencyItem(
                id="flood",
                starts_at=ms_to_text(start + 5 * MINUTE),
                ends_at=ms_to_text(start + 8 * MINUTE),
                regions=["130123"],
                text="山洪预警",
            )
        ],
    )
    result = listing(frame([item(1, start, 20 * MINUTE)], fillers=[ref(2)]), emergency=emergency)
    assert_whole(result)
    around = [i for i in result.items if start <= i.starts_ms < start + 20 * MINUTE]
    assert [(i.source, i.media_offset_ms) for i in around] == [
        (Source.FRAME, 0),
        (Source.EMERGENCY, 0),
        (Source.FRAME, 8 * MINUTE),
    ]
    assert around[1].text == "山洪预警"


def test_an_emergency_elsewhere_changes_nothing_here() -> None:
    elsewhere = Emergency(
        serial=1,
        items=[
            EmergencyItem(
                id="e", starts_at=ms_to_text(START), ends_at=ms_to_text(END), regions=["1302"], text="别处"
            )
        ],
    )
    plain = frame(fillers=[ref(1), ref(2)])
    assert listing(plain, emergency=elsewhere) == listing(plain)


def test_outside_the_frames_validity_there_is_only_slate() -> None:
    noon = START + 720 * MINUTE
    result = listing(frame([item(1, noon + MINUTE, MINUTE)], fillers=[ref(2)], valid=(START, noon)))
    assert all(i.source is Source.SLATE for i in result.items if i.starts_ms >= noon)
    assert_whole(result)


def test_an_item_across_midnight_stands_in_both_days_at_the_same_instant() -> None:
    late = item(1, END - 10 * MINUTE, 20 * MINUTE)
    plain = frame([late], fillers=[ref(2)])
    tonight = listing(plain)
    tomorrow = merge(region=VILLAGE, channel="main", day=DAY + timedelta(days=1), frame=plain)
    assert tonight.items[-1].id == tomorrow.items[0].id
    assert tonight.items[-1].starts_at == tomorrow.items[0].starts_at


def test_another_provinces_frame_is_not_ours() -> None:
    result = merge(region="14", channel="main", day=DAY, frame=frame(fillers=[ref(1)]))
    assert [i.source for i in result.items] == [Source.SLATE]


minutes = st.integers(-120, 1560)
lengths = st.integers(1, 300)
placed_items = st.lists(st.tuples(st.integers(1, 20), minutes, lengths), max_size=12)


@settings(max_examples=150, deadline=None)
@given(
    placed=placed_items,
    windows=st.lists(st.tuples(minutes, lengths, st.sampled_from(["city", "county"])), max_size=4),
    spoken=st.lists(st.tuples(st.sampled_from(["1301", "130123", "1302"]), minutes, lengths), max_size=8),
    fillers=st.lists(st.integers(1_000, 2_000_000), max_size=4),
    emergencies=st.lists(st.tuples(minutes, lengths, st.booleans()), max_size=3),
    recalled=st.sets(st.integers(1, 20), max_size=3),
)
def test_whatever_the_documents_say_the_day_is_whole_and_nobody_breaks_a_rule(
    placed: list[tuple[int, int, int]],
    windows: list[tuple[int, int, str]],
    spoken: list[tuple[str, int, int]],
    fillers: list[int],
    emergencies: list[tuple[int, int, bool]],
    recalled: set[int],
) -> None:
    opened = [
        window(f"w{i}", START + at * MINUTE, START + (at + length) * MINUTE, level)
        for i, (at, length, level) in enumerate(windows)
    ]
    base = frame(
        [item(n, START + at * MINUTE, length * MINUTE) for n, at, length in placed],
        opened,
        [ref(30 + i, ms) for i, ms in enumerate(fillers)],
    )
    said = [
        local(region, [item(40 + i, START + at * MINUTE, length * MINUTE, region, f"w{i % 4}")])
        for i, (region, at, length) in enumerate(spoken)
    ]
    alarm = Emergency(
        serial=1,
        items=[
            EmergencyItem(
                id=f"e{i}",
                starts_at=ms_to_text(START + at * MINUTE),
                ends_at=ms_to_text(START + (at + length) * MINUTE),
                regions=["13"],
                ref=ref(50 + i, 90_000) if with_film else None,
                text="通知",
            )
            for i, (at, length, with_film) in enumerate(emergencies)
        ],
    )
    forbidden = {f"{n:064x}" for n in recalled}
    result = listing(base, *said, emergency=alarm, recalled=forbidden)

    assert_whole(result)
    assert result == listing(base, *reversed(said), emergency=alarm, recalled=forbidden)
    assert not forbidden & {i.release for i in result.items}
    for at in (START, START + 7 * 60 * MINUTE + 1, START + 19 * 60 * MINUTE, END - 1):
        alone = on_air(
            region=VILLAGE, channel="main", at_ms=at, frame=base, local_documents=said, emergency=alarm, recalled=forbidden
        )  # fmt: skip
        assert alone == result.at(at)
    by_id = {w.id: w for w in opened}
    for shown in result.items:
        assert shown.duration_ms > 0
        if shown.source is Source.LOCAL:
            index = int((shown.release or "0"), 16) - 40
            region, at, length = spoken[index]
            home = by_id[f"w{index % 4}"]
            assert VILLAGE.startswith(region)
            assert home.level == {4: "city", 6: "county"}[len(region)]
            assert home.starts_at <= ms_to_text(START + at * MINUTE)
            assert ms_to_text(START + (at + length) * MINUTE) <= home.ends_at
