"""Odd calendars and odd rules, each a named case that once went wrong somewhere: a message or a filler, never a blank."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from protocol.documents import Item, encode
from protocol.merge import Listing, Source, merge
from protocol.regions import lineage, within
from protocol.times import SHANGHAI, from_text, to_ms
from server.schedule.fingerprints import Fingerprints
from server.schedule.recurrence import BadRecurrence, check_rrule, occurrences
from server.schedule.resolve import Resolver, resolve
from server.schedule.rulebook import ChannelRule, Evening, Release, Rules, SlotRule, StudyPlan, WindowSpan

REGIONS = ("13", "1301", "130123", "130123105", "130123105201", "130124", "1302", "130227")
RELEASES = {
    f"p{n}": Release(f"00000000-0000-7000-8000-{n:012x}", f"{n:064x}", n * 60_000, "dangjian" if n % 2 else "nongye")
    for n in (1, 2, 3, 5, 8, 13, 21, 34, 55, 89)
}  # fmt: skip


def wall(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def slot(name: str, at: str | datetime, programme: str = "p21", region: str = "13", **more) -> SlotRule:
    starts_at = wall(at) if isinstance(at, str) else at
    rule = {"channel": "main", "level": "province", "rrule": None, "required": False, "by": "省编", **more}
    return SlotRule(id=name, region=region, programme=programme, starts_at=starts_at, **rule)


def window(at: str, hours: float = 1, level: str = "county", **more) -> WindowSpan:
    return WindowSpan(
        "w", "main", "13", level, wall(at), round(hours * 3_600_000), more.pop("rrule", None), **more
    )


def rules(*slots: SlotRule, windows: tuple[WindowSpan, ...] = (), **more) -> Rules:
    known = {"fillers": {"main": ("p1", "p2")}, "releases": RELEASES, **more}
    return Rules(
        channels=[ChannelRule("main", "综合频道", no_repeat_ms=600_000)],
        slots=slots,
        windows=windows,
        **known,
    )


def seen(book: Rules, day: str, region: str = "130123105201") -> Listing:
    begin = wall(day) - timedelta(days=1)
    resolver = Resolver(book, begin, begin + timedelta(days=3))
    own = set(resolver.local_regions)
    return merge(
        region=region,
        channel="main",
        day=date.fromisoformat(day),
        frame=resolver.frame_for(region),
        local_documents=[resolver.local(code) for code in lineage(region) if code in own],
    )


def on(book: Rules, at: str, region: str = "130123105201") -> str:
    shown = seen(book, at[:10], region).at(to_ms(wall(at)))
    assert shown is not None
    return shown.id if shown.source in (Source.FRAME, Source.LOCAL) else shown.source.value


# --- calendars ---------------------------------------------------------------------------------------------------------
def test_the_29th_of_february_is_scheduled_in_leap_years_only() -> None:
    book = rules(slot("leap", "2024-02-29T19:00", rrule="FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29"))
    assert on(book, "2028-02-29T19:01") == "leap@20280229"
    assert on(book, "2027-02-28T19:01") == on(book, "2027-03-01T19:01") == "filler"


def test_the_31st_is_left_out_of_short_months_and_the_last_day_never_is() -> None:
    begin, end = wall("2027-01-01T00:00"), wall("2028-01-01T00:00")
    on_31st = list(occurrences(wall("2026-01-31T19:00"), "FREQ=MONTHLY;BYMONTHDAY=31", begin, end))
    last = list(occurrences(wall("2026-01-31T19:00"), "FREQ=MONTHLY;BYMONTHDAY=-1", begin, end))
    assert [len(on_31st), len(last)] == [7, 12]


def test_a_programme_over_midnight_is_in_both_days_and_whole() -> None:
    book = rules(slot("late", "2026-12-05T23:50"))
    assert on(book, "2026-12-05T23:59") == on(book, "2026-12-06T00:10") == "late"
    assert on(book, "2026-12-06T00:11") == "filler"


def test_one_minute_before_midnight_to_one_minute_after() -> None:
    book = rules(slot("short", "2026-12-05T23:59", "p2"), slot("next", "2026-12-06T00:01", "p2"))
    assert [on(book, f"2026-12-06T00:0{n}") for n in (0, 1, 3)] == ["short", "next", "filler"]


def test_a_window_over_midnight_is_filled_over_midnight() -> None:
    county = slot("county", "2026-12-05T23:50", region="130123", level="county")
    book = rules(county, windows=(window("2026-12-05T23:30", 1),))
    assert on(book, "2026-12-06T00:05") == "county"
    assert on(book, "2026-12-06T00:05", "130124") == "filler"


def test_clock_changes_in_other_zones_move_nothing() -> None:
    """Given in New York's time across its change of 2026-11-01, a daily rule stays at 19:00 in Shanghai."""
    starts_at = datetime.fromisoformat("2026-10-31T07:00:00-04:00")
    found = occurrences(starts_at, "FREQ=DAILY", wall("2026-10-31T00:00"), wall("2026-11-04T00:00"))
    assert [at.astimezone(SHANGHAI).strftime("%d %H:%M") for at in found] == [
        "31 19:00", "01 19:00", "02 19:00", "03 19:00",
    ]  # fmt: skip


def test_an_end_given_in_utc_is_the_same_instant_here() -> None:
    """UNTIL=20261203T110000Z is 19:00 in Shanghai: that evening is the last one."""
    found = occurrences(
        wall("2026-12-01T19:00"), "FREQ=DAILY;UNTIL=20261203T110000Z", wall("2026-12-01T00:00"), wall("2026-12-09T00:00")
    )  # fmt: skip
    assert [at.astimezone(SHANGHAI).day for at in found] == [1, 2, 3]


def test_a_daily_rule_without_end_from_long_ago_costs_nothing() -> None:
    found = list(
        occurrences(wall("1990-01-01T08:00"), "FREQ=DAILY;INTERVAL=3", wall("2026-12-01T00:00"), wall("2026-12-31T00:00"))
    )  # fmt: skip
    assert len(found) == 10
    assert {(at - wall("1990-01-01T08:00")).days % 3 for at in found} == {0}


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;COUNT=3;UNTIL=20270101T000000",
        "FREQ=DAILY;BYSETPOS=2", "FREQ=WEEKLY;BYDAY=XX", "FREQ=DAILY;X=1", "FREQ=DAILY\nFREQ=DAILY", "F" * 600,
        "FREQ=DAILY;BYMONTHDAY=32", "FREQ=DAILY;BYMONTH=13", "FREQ=DAILY;COUNT=99999999",
    ],
)  # fmt: skip
def test_rules_that_never_happen_or_never_end_being_looked_for_are_refused(rule: str) -> None:
    with pytest.raises(BadRecurrence):
        check_rrule(rule)


def test_a_window_filled_twice_at_once_plays_one_and_reports_the_other() -> None:
    book = rules(
        slot("a", "2026-12-05T20:00", region="130123", level="county"),
        slot("b", "2026-12-05T20:10", region="130123", level="county"),
        windows=(window("2026-12-05T20:00"),),
    )
    begin = wall("2026-12-05T00:00")
    resolved = resolve(book, begin, begin + timedelta(days=1))
    assert [(p.rule, p.code, p.other) for p in resolved.problems] == [("b", "overlapped", "a")]
    assert on(book, "2026-12-05T20:15") == "a"


def test_a_programme_withdrawn_while_on_air_gives_way_to_fillers() -> None:
    left = {name: release for name, release in RELEASES.items() if name != "p21"}
    assert on(rules(slot("gone", "2026-12-05T19:00"), releases=left), "2026-12-05T19:10") == "filler"


def test_a_week_with_nothing_and_no_fillers_is_slate_all_day() -> None:
    listing = seen(rules(fillers={}), "2026-12-05")
    assert [(i.source, i.duration_ms) for i in listing.items] == [(Source.SLATE, 86_400_000)]


def test_a_county_left_out_of_a_window_has_none() -> None:
    book = rules(
        slot("county", "2026-12-05T20:00", region="130123", level="county"),
        windows=(window("2026-12-05T20:00", excluded=("130123",)),),
    )
    assert on(book, "2026-12-05T20:10") == "filler"


def test_a_study_evening_begins_on_the_dot_even_after_a_tolerant_programme() -> None:
    plan = StudyPlan(
        "s", "main", "13", "province", wall("2026-12-05T19:00"), 7_200_000, "FREQ=MONTHLY;BYMONTHDAY=5",
        evenings={"2026-12-05": Evening(("p21",))},
    )  # fmt: skip
    book = rules(slot("before", "2026-12-05T18:45", tolerance_min=20), study=(plan,))
    assert on(book, "2026-12-05T19:00") == "s@20261205#1"
    assert on(book, "2026-12-05T18:50") == "filler", "what would run into it is reported, not cut"


def test_delays_add_up_only_as_far_as_each_tolerance_allows() -> None:
    book = rules(
        slot("a", "2026-12-05T19:00", "p34", tolerance_min=5),
        slot("b", "2026-12-05T19:30", "p34", tolerance_min=5),
        slot("c", "2026-12-05T20:00", "p13"),
    )
    begin = wall("2026-12-05T00:00")
    resolved = resolve(book, begin, begin + timedelta(days=1))
    items = resolved.frames["13"].channels[0].items
    assert [i.id for i in items] == ["a", "b"], "c would start eight minutes late, b allows five"
    assert [(p.rule, p.other) for p in resolved.problems] == [("c", "b")]


# --- properties --------------------------------------------------------------------------------------------------------
DAY = wall("2026-12-05T00:00").astimezone(UTC)
RRULES = (
    None, None, None, "FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,SA", "FREQ=MONTHLY;BYMONTHDAY=5,15,25",
    "FREQ=DAILY;INTERVAL=2;UNTIL=20261208T000000", "FREQ=DAILY;COUNT=3",
)  # fmt: skip


@st.composite
def slot_rules(draw: st.DrawFn) -> SlotRule:
    region = draw(st.sampled_from(REGIONS))
    local = len(region) in (4, 6) and draw(st.booleans())
    below = [other for other in REGIONS if other != region and within(other, region)]
    starts_at = DAY + timedelta(minutes=draw(st.integers(-2_000, 7 * 1_440)))
    length = (
        RELEASES[programme].duration_ms
        if (programme := draw(st.sampled_from([*RELEASES, "gone"]))) in RELEASES
        else 0
    )
    return slot(
        draw(st.uuids()).hex,
        starts_at,
        programme,
        region,
        level={4: "city", 6: "county"}.get(len(region), "province") if local else "province",
        rrule=draw(st.sampled_from(RRULES)),
        excluded=tuple(draw(st.lists(st.sampled_from(below), max_size=2, unique=True)))
        if below and not local
        else (),
        tolerance_min=draw(st.sampled_from([0, 0, 0, 3, 10])),
        duration_ms=draw(st.sampled_from([None, None, max(10_000, length // 2)])) if length else None,
    )


@st.composite
def rule_sets(draw: st.DrawFn) -> Rules:
    windows = [
        WindowSpan(f"w{n}", "main", draw(st.sampled_from(["13", "1301"])), draw(st.sampled_from(["city", "county"])),
                   DAY + timedelta(minutes=draw(st.integers(0, 1_440))), draw(st.integers(10, 300)) * 60_000,
                   draw(st.sampled_from([None, "FREQ=DAILY"])), admits=draw(st.sampled_from([(), ("nongye",)])),
                   fill=draw(st.sampled_from([(), ("p3",)])))
        for n in range(draw(st.integers(0, 3)))
    ]  # fmt: skip
    studying = draw(st.sampled_from([None, "13", "130123"]))
    plan = StudyPlan(
        "study", "main", studying or "13", "province", DAY + timedelta(hours=11), 7_200_000, "FREQ=DAILY",
        evenings={"2026-12-06": Evening(("p5", "p8"), 600_000), "2026-12-07": Evening(cancelled=True, reason="x")},
    )  # fmt: skip
    fillers = draw(st.sampled_from([("p1", "p2"), ("p1",), (), ("p1", "p1", "p2", "p3")]))
    return rules(
        *draw(st.lists(slot_rules(), max_size=14)),
        windows=tuple(windows), fillers={"main": fillers}, study=(plan,) if studying else (),
    )  # fmt: skip


def ends(item: Item) -> datetime:
    return from_text(item.starts_at) + timedelta(milliseconds=item.duration_ms)


def check_rule_set(book: Rules) -> None:
    """What must hold of any rules whatever."""
    begin, end = DAY - timedelta(days=1), DAY + timedelta(days=8)
    resolved = resolve(book, begin, end)
    backwards = Rules(**{**book.__dict__, "slots": book.slots[::-1], "windows": book.windows[::-1]})
    again = resolve(backwards, begin, end)
    assert {k: encode(d) for k, d in resolved.frames.items()} == {
        k: encode(d) for k, d in again.frames.items()
    }
    assert {k: encode(d) for k, d in resolved.locals.items()} == {
        k: encode(d) for k, d in again.locals.items()
    }
    lengths = {release.edition: release.duration_ms for release in RELEASES.values()}
    cut = {s.id for s in book.slots if s.duration_ms is not None}
    for document in (*resolved.frames.values(), *resolved.locals.values()):
        items = [item for channel in document.channels for item in channel.items]
        assert len({item.id for item in items}) == len(items)
        for one, following in pairwise(items):
            assert ends(one) <= from_text(following.starts_at)
        for item in items:
            rule = item.why.rule.removeprefix("slot:")
            assert item.duration_ms == lengths[item.edition] or rule in cut, (
                "no programme is cut without a rule"
            )
            assert within(document.region, item.why.region), "everything says whose it is"
    for region in ("130123105201", "130124", "1302"):
        check_listing(book, region)
    check_completeness(book, resolved.problems, begin, end)


def check_listing(book: Rules, region: str) -> None:
    """A day is whole: no gap, no overlap, everything explained, and nobody outside his window."""
    listing = seen(book, "2026-12-06", region)
    assert listing.items[0].starts_ms <= to_ms(wall("2026-12-06T00:00"))
    assert listing.items[-1].ends_ms >= to_ms(wall("2026-12-07T00:00"))
    for one, following in pairwise(listing.items):
        assert one.ends_ms == following.starts_ms
    for item in listing.items:
        if item.source in (Source.FRAME, Source.LOCAL):
            assert item.why is not None
            assert within(region, item.why.region)
        if item.source is Source.SLATE and book.fillers["main"]:
            assert item.duration_ms < 10_000, "a gap is slate only where no filler fits"


def check_completeness(book: Rules, problems: list, begin: datetime, end: datetime) -> None:
    """Each occurrence in its own region's document is either there or reported."""
    resolver = Resolver(book, begin, end)
    reported = {p.rule for p in problems}
    for rule in book.slots:
        if rule.programme not in RELEASES or rule.id in reported:
            continue
        if rule.level == "province":
            shown = {p.rule.id for p in resolver.line(rule.region, "main")}
        else:
            document = resolver.local(rule.region)
            shown = {i.why.rule.removeprefix("slot:") for c in document.channels for i in c.items}
        placed = list(
            occurrences(rule.starts_at, rule.rrule, begin, end, exdates=rule.exdates, rdates=rule.rdates)
        )
        assert not placed or rule.id in shown, "what is neither shown nor reported was lost"


@seed(20261205)
@settings(max_examples=60, deadline=None)
@given(rule_sets())
def test_whatever_the_rules_nothing_overlaps_nothing_is_lost_and_the_order_does_not_matter(
    book: Rules,
) -> None:
    check_rule_set(book)


@pytest.mark.full
@seed(20261206)
@settings(max_examples=3_000, deadline=None)
@given(rule_sets())
def test_thousands_of_rule_sets(book: Rules) -> None:
    check_rule_set(book)


@seed(20261207)
@settings(max_examples=60, deadline=None)
@given(rule_sets(), slot_rules())
def test_a_document_that_changes_has_another_fingerprint(book: Rules, more: SlotRule) -> None:
    """So nobody goes on serving what the rules no longer say."""
    begin, end = DAY - timedelta(days=1), DAY + timedelta(days=8)
    changed = Rules(**{**book.__dict__, "slots": (*book.slots, more)})
    before, after = Resolver(book, begin, end), Resolver(changed, begin, end)
    prints, new_prints = Fingerprints(book, begin, end), Fingerprints(changed, begin, end)
    for region in before.frame_regions:
        old, new = before.frame(region), after.frame(region)
        if (old is None) != (new is None) or (old and new and encode(old) != encode(new)):
            assert prints.frame(region) != new_prints.frame(region)
    for region in before.local_regions:
        if encode(before.local(region)) != encode(after.local(region)):
            assert prints.local(region) != new_prints.local(region)
