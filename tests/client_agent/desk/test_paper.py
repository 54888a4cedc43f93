"""What a station prints: what goes on the poster, and the log as the register asks for it."""

from __future__ import annotations

import re
from datetime import date, datetime

import pytest

from client_agent.desk.log_lines import Heads, LogKind, LogLine, LogProgramme, days_of
from client_agent.desk.log_pages import month_sum
from client_agent.desk.paper.poster import MOST_A_DAY, PosterDay, PosterItem, PosterStudy, chosen, poster_html
from client_agent.desk.paper.sheet import sheet_html
from client_agent.desk.paper.words import WORDS
from client_agent.desk.print_pages import papers, print_log, print_week
from client_agent.routes import Refused
from protocol.times import SHANGHAI, to_ms
from tests.client_agent.test_evening import tonight  # noqa: F401

TODAY = date(2026, 11, 22)
MINUTE = 60_000


def at(hour, minute=0):
    return to_ms(datetime(2026, 11, 22, hour, minute, tzinfo=SHANGHAI))


def test_required_and_evening_programmes_come_first_and_stand_in_the_order_of_time():
    items = [PosterItem(at(hour), f"{hour} 点", required=hour == 9) for hour in range(6, 23)]
    assert [one.title for one in chosen(PosterDay(TODAY, items))] == [
        "9 点",
        "17 点",
        "18 点",
        "19 点",
        "20 点",
    ]


def test_study_takes_its_room_and_names_are_never_markup():
    items = [PosterItem(at(18, minute), "<b>小麦</b>") for minute in range(9)]
    day = PosterDay(TODAY, items, [PosterStudy(at(19), "第三次<script>")])
    assert len(chosen(day)) == MOST_A_DAY - 2
    html = poster_html("正定 & 县", [day])
    assert "<b>小麦" not in html
    assert "&lt;script&gt;" in html
    assert "正定 &amp; 县" in html


def lines():
    film = LogProgramme("家乡党史故事", "dangshi", 7, 40 * MINUTE, 40 * MINUTE)
    day = TODAY.isoformat()
    common = {"day": day, "at_ms": at(21), "from_ms": at(19), "to_ms": at(20, 30)}
    return [
        LogLine(n=1, kind=LogKind.STUDY, session="s", programmes=[film], by="A", discussion_ms=20 * MINUTE, **common),
        LogLine(n=2, kind=LogKind.ROLL, session="s", heads=Heads(42, 31, 12, 19), roll="start", **common),
        LogLine(n=3, kind=LogKind.VIEWING, programmes=[film], **common),
        LogLine(n=4, kind=LogKind.LATE, about=1, by="B", reason="miscounted", heads=Heads(42, 33, 12, 21), **common),
        LogLine(n=5, kind=LogKind.LATE, by="A", reason="power_cut", heads=Heads(42, 20), **common),
        LogLine(n=6, kind=LogKind.CHECK, about=5, by="B", **common),
    ]  # fmt: skip


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_month_of_the_log_has_every_column_of_the_register(lang):
    days = days_of(lines())
    html = sheet_html(
        "正定站",
        "2026-11",
        days,
        month_sum(days),
        {"dangshi": {"zh": "党史党性", "en": "History"}},
        at(22),
        lang,
    )
    rows = re.findall(r"<tr>(.*?)</tr>", html)[1:]
    cells = [[re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<td.*?</td>", row)] for row in rows]
    assert len(cells) == 3
    study = next(row for row in cells if row[5] == "42 / 33")
    assert (study[1], study[6], study[7], study[11]) == ("19:00–20:30", "12 / 21", "A", "B")
    assert study[3] == ("党史党性" if lang == "zh" else "History")
    assert all(len(row) == 12 for row in cells)
    assert html.count('class="late"') == 2


def test_an_empty_month_says_so_and_both_languages_have_every_word():
    days = days_of([])
    assert "还没有记录" in sheet_html("站", "2026-11", days, month_sum(days), {}, None)
    assert WORDS["zh"].keys() == WORDS["en"].keys()


def test_the_pages_are_made_from_the_station_as_it_is(tonight):  # noqa: F811
    kind, text = print_week(tonight.server.parts, {})
    assert kind.startswith("text/html")
    assert "第一次集中学习" in text
    assert "正定县曲阳桥镇站点" in text
    assert "<style" not in text
    assert "Station log" in print_log(tonight.server.parts, {"lang": "en", "month": "last"})[1]
    with pytest.raises(Refused):
        print_log(tonight.server.parts, {"month": "2026-13"})


def test_a_phone_gets_the_same_sheets_without_the_set_s_keys(tonight):  # noqa: F811
    shown = papers(tonight.server.parts)
    kind, text = shown["print/week"]({"lang": "zh", "keys": "1"})
    assert "节目预告" in text
    assert "<script" not in text
    assert kind == "text/html; charset=utf-8"
    assert shown["print/log"]({"month": "../x"}) == ("text/plain; charset=utf-8", "month\n")
    assert not any(path.startswith("/") or path.endswith(".js") for path in shown)
    assert tonight.server.parts.phone.papers.keys() == shown.keys()
