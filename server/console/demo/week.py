"""The demonstration's week, as far as seven programmes go: three places a day, and the fixed study days. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

MEETING, WHEAT, APPLE, POWER, FRAUD, PAPERCUT = (
    "三会一课怎么开", "冬小麦返青管理", "苹果冬剪", "农村安全用电", "防电信诈骗", "蔚县剪纸",
)  # fmt: skip
CLIP = "大雄兔 Big Buck Bunny（预告片）"

MORNING, AFTERNOON, EVENING, STUDY = time(9, 0), time(15, 0), time(19, 0), time(19, 5)
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
WEEK: tuple[tuple[str, str, str], ...] = (
    (MEETING, WHEAT, PAPERCUT),
    (APPLE, FRAUD, POWER),
    (CLIP, MEETING, WHEAT),
    (PAPERCUT, POWER, FRAUD),
    (WHEAT, APPLE, CLIP),
    (FRAUD, PAPERCUT, APPLE),
    (POWER, CLIP, PAPERCUT),
)
"""From Monday, at 09:00, 15:00 and 19:00."""
STUDY_DAYS = (5, 15, 25)
"""Days of the month on which villages study together: a required programme at 19:05."""

COUNTY, COUNTY_FILM, COUNTY_AT = "130123", POWER, time(20, 0)
"""正定县 opens its daily window with a programme of its own choice."""


@dataclass(frozen=True)
class Place:
    """A programme at a wall time in Asia/Shanghai, repeated by a rule."""

    title: str
    starts_at: datetime
    rrule: str
    required: bool = False
    region: str = "13"


def week(today: date) -> list[Place]:
    """The province's places; the series begin on the Monday on or before `today`."""
    monday = today - timedelta(days=today.weekday())
    places = []
    for index, titles in enumerate(WEEK):
        day = monday + timedelta(days=index)
        for title, at in zip(titles, (MORNING, AFTERNOON, EVENING), strict=True):
            places.append(Place(title, datetime.combine(day, at), f"FREQ=WEEKLY;BYDAY={DAYS[index]}"))
    days = ",".join(map(str, STUDY_DAYS))
    first = min(datetime.combine(monday.replace(day=day), STUDY) for day in STUDY_DAYS)
    places.append(Place(MEETING, first, f"FREQ=MONTHLY;BYMONTHDAY={days}", required=True))
    return places


def county(today: date) -> Place:
    """What 正定县 places in its daily window from 20:00."""
    return Place(COUNTY_FILM, datetime.combine(today, COUNTY_AT), "FREQ=DAILY", region=COUNTY)
