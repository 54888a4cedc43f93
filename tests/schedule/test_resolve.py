"""From rules to documents."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.documents import encode
from protocol.merge import Source, merge
from protocol.times import SHANGHAI
from server.schedule.resolve import (
    ChannelRule,
    Release,
    Resolved,
    Rules,
    SlotRule,
    WindowSpan,
    resolve,
)

BEGIN = datetime(2026, 12, 5, 0, 0, tzinfo=SHANGHAI).astimezone(UTC)
END = BEGIN + timedelta(days=7)
RELEASES = {
    f"p{n}": Release(
        edition=f"00000000-0000-7000-8000-{n:012x}",
        release=f"{n:064x}",
        duration_ms=n * 60_000,
        section="dangjian",
    )
    for n in range(1, 30)
}
COUNTY_WINDOW = WindowSpan(
    id="w", channel="main", region="13", level="county", starts_at=BEGIN + timedelta(hours=20), duration_ms=3_600_000,
    rrule="FREQ=DAILY",
)  # fmt: skip


def slot(
    name: str,
    region: str,
    hours: float,
    programme: str = "p10",
    level: str = "province",
    rrule: str | None = None,
) -> SlotRule:
    return SlotRule(
        id=name, channel="main", region=region, level=level, programme=programme,
        starts_at=BEGIN + timedelta(hours=hours), rrule=rrule, required=False, by="编辑",
    )  # fmt: skip


def rules(*slots: SlotRule, fillers: tuple[str, ...] = ("p1", "p2")) -> Rules:
    return Rules(
        channels=[ChannelRule("main", "综合频道")],
        slots=slots,
        windows=[COUNTY_WINDOW],
        fillers={"main": fillers},
        releases=RELEASES,
    )


def on_air(resolved: Resolved, region: str, hours: float) -> str | None:
    frame = next(resolved.frames[c] for c in (region[:n] for n in (12, 9, 6, 4, 2)) if c in resolved.frames)
    local = [d for code, d in resolved.locals.items() if region.startswith(code)]
    day = merge(region=region, channel="main", day=date(2026, 12, 5), frame=frame, local_documents=local)
    shown = day.at(int((BEGIN + timedelta(hours=hours)).timestamp() * 1000))
    assert shown is not None
    return shown.id if shown.source in (Source.FRAME, Source.LOCAL) else shown.source.value


def test_only_regions_that_differ_get_a_frame_of_their_own() -> None:
    resolved = resolve(rules(slot("a", "13", 9), slot("b", "130123", 10)), BEGIN, END)
    assert list(resolved.frames) == ["13", "130123"]
    assert on_air(resolved, "130123105201", 10.01) == "b"
    assert on_air(resolved, "130123105201", 9.01) == "a"
    assert on_air(resolved, "130200", 10.01) == "filler"


def test_one_village_out_of_a_county_sees_its_own() -> None:
    resolved = resolve(rules(slot("all", "130123", 9), slot("one", "130123105201", 9)), BEGIN, END)
    assert on_air(resolved, "130123105201", 9.01) == "one"
    assert on_air(resolved, "130123105202", 9.01) == "all"


def test_a_one_off_stands_over_a_series_and_the_series_goes_on_next_day() -> None:
    resolved = resolve(
        rules(slot("series", "13", 9, rrule="FREQ=DAILY"), slot("once", "13", 9.05, "p11")), BEGIN, END
    )
    assert on_air(resolved, "13", 9.06) == "once"
    assert [p.code for p in resolved.problems] == ["overlapped"]
    assert len(resolved.frames["13"].channels[0].items) == 7


def test_a_county_fills_its_window_and_only_its_window() -> None:
    resolved = resolve(
        rules(slot("in", "130123", 20.1, level="county"), slot("out", "130123", 12, level="county")),
        BEGIN,
        END,
    )
    assert [i.id for c in resolved.locals["130123"].channels for i in c.items] == ["in"]
    assert [(p.rule, p.code) for p in resolved.problems] == [("out", "outside_window")]
    assert on_air(resolved, "130123105201", 20.11) == "in"


def test_what_is_not_released_is_reported_and_left_out() -> None:
    resolved = resolve(rules(slot("a", "13", 9, programme="unknown")), BEGIN, END)
    assert [(p.rule, p.code) for p in resolved.problems] == [("a", "not_released")]
    assert resolved.frames["13"].channels[0].items == []


def test_a_week_with_nothing_still_plays() -> None:
    resolved = resolve(rules(), BEGIN, END)
    assert on_air(resolved, "130123105201", 3) == "filler"


def test_every_item_says_why_it_is_there() -> None:
    resolved = resolve(rules(slot("a", "1301", 9)), BEGIN, END)
    why = resolved.frames["1301"].channels[0].items[0].why
    assert (why.rule, why.level, why.region, why.by) == ("slot:a", "province", "1301", "编辑")


slots = st.lists(
    st.builds(
        slot,
        st.uuids().map(str),
        st.sampled_from(["13", "1301", "130123", "130123105201", "1302"]),
        st.floats(-5, 170),
        st.sampled_from(sorted(RELEASES)),
        st.just("province"),
        st.sampled_from([None, None, "FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,SA"]),
    ),
    max_size=25,
)


@settings(max_examples=100, deadline=None)
@given(slots)
def test_frames_never_overlap_and_do_not_depend_on_the_order_of_rules(drawn: list[SlotRule]) -> None:
    resolved = resolve(rules(*drawn), BEGIN, END)
    again = resolve(rules(*reversed(drawn)), BEGIN, END)
    assert {k: encode(v) for k, v in resolved.frames.items()} == {
        k: encode(v) for k, v in again.frames.items()
    }
    for frame in resolved.frames.values():
        items = frame.channels[0].items
        for one, following in pairwise(items):
            end = datetime.fromisoformat(one.starts_at) + timedelta(milliseconds=one.duration_ms)
            assert end <= datetime.fromisoformat(following.starts_at)
