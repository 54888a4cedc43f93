"""口播稿: within its limits whatever the week, and spoken as people speak."""

from __future__ import annotations

import unicodedata
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.times import SHANGHAI
from server.schedule.exports_announcement import announcement, spoken_day, spoken_number, spoken_time
from server.schedule.guide import Guide, plain
from tests.schedule.guides import FIRST, HOSTILE, guide, showing, week

TITLE = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=60),
    st.text(alphabet="党建农业科技学习：、！", min_size=1, max_size=30),
    st.sampled_from("一二三四"),
)


@st.composite
def guides(draw: st.DrawFn) -> Guide:
    showings = [
        showing(
            i,
            datetime(2026, 12, 5, tzinfo=SHANGHAI) + timedelta(minutes=draw(st.integers(0, 7 * 1440 - 1))),
            draw(TITLE),
            required=draw(st.booleans()),
        )
        for i in range(draw(st.integers(0, 40)))
    ]
    return guide(sorted(showings, key=lambda s: s.starts_at), name=plain(draw(st.text(max_size=80)), 80))


def assert_within_limits(text: str) -> None:
    letters = sum(1 for c in text if unicodedata.category(c)[0] in "LN")
    assert letters >= 150, text
    assert len(text) <= 220, text
    assert "\n" not in text


@settings(max_examples=300, deadline=None, print_blob=True)
@given(guides())
def test_the_text_is_within_its_limits_whatever_the_week(shown: Guide) -> None:
    assert_within_limits(announcement(shown))


@pytest.mark.parametrize("days", [1, 7, 14])
def test_an_empty_week_has_a_text_of_the_right_length_too(days: int) -> None:
    text = announcement(guide([], days=days))
    assert_within_limits(text)
    assert "暂时没有安排固定节目" in text


def test_an_ordinary_week_says_each_evening_and_the_study_day_as_they_are_spoken() -> None:
    text = announcement(week())
    assert_within_limits(text)
    assert text.startswith("曲阳桥村的乡亲们，")
    assert "十二月五日，星期六，晚上七点播出《一周菜价》" in text
    assert "晚上七点集中学习《太行新村纪行》" in text


@pytest.mark.parametrize(
    ("hour", "minute", "spoken"),
    [
        (19, 0, "晚上七点"), (19, 30, "晚上七点半"), (9, 5, "上午九点零五分"), (14, 15, "下午两点十五分"),
        (12, 0, "中午十二点"), (0, 20, "凌晨零点二十分"), (6, 40, "早上六点四十分"), (2, 0, "凌晨两点"),
        (12, 45, "中午十二点四十五分"), (23, 59, "晚上十一点五十九分"),
    ],
)  # fmt: skip
def test_a_time_is_spoken(hour: int, minute: int, spoken: str) -> None:
    assert spoken_time(datetime(2026, 12, 5, hour, minute, tzinfo=SHANGHAI)) == spoken


def test_days_and_numbers_are_spoken() -> None:
    assert spoken_day(FIRST) == "十二月五日，星期六"
    assert spoken_day(date(2028, 2, 29)) == "二月二十九日，星期二"
    assert [spoken_number(n) for n in (0, 2, 10, 11, 20, 31, 59)] == [
        "零", "二", "十", "十一", "二十", "三十一", "五十九",
    ]  # fmt: skip
