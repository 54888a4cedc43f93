"""Every form a listing leaves in, with honest weeks and with titles that mean harm."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO

import pytest
from icalendar import Calendar
from lxml import etree
from PIL import Image
from pypdfium2 import PdfDocument

from protocol.merge import Source
from protocol.times import SHANGHAI
from server.errors import Invalid
from server.schedule import exports
from server.schedule.exports import Format
from server.schedule.guide import Guide, plain
from tests.schedule.guides import FIRST, HOSTILE, TITLES, guide, showing, week

NIGHT = datetime(2026, 12, 5, 19, 0, tzinfo=SHANGHAI)
NAUGHTY = week((HOSTILE * 2)[:21], name=plain("曲\x00阳\n桥]]>村"))
EMPTY = guide([])

# The part of the XMLTV project's DTD that a listing may use, in its order.
XMLTV_DTD = """
<!ELEMENT tv (channel*, programme*)>
<!ATTLIST tv date CDATA #IMPLIED source-info-url CDATA #IMPLIED source-info-name CDATA #IMPLIED
  source-data-url CDATA #IMPLIED generator-info-name CDATA #IMPLIED generator-info-url CDATA #IMPLIED>
<!ELEMENT channel (display-name+, icon*, url*)>
<!ATTLIST channel id CDATA #REQUIRED>
<!ELEMENT display-name (#PCDATA)> <!ATTLIST display-name lang CDATA #IMPLIED>
<!ELEMENT url (#PCDATA)> <!ATTLIST url system CDATA #IMPLIED>
<!ELEMENT icon EMPTY> <!ATTLIST icon src CDATA #REQUIRED width CDATA #IMPLIED height CDATA #IMPLIED>
<!ELEMENT programme (title+, sub-title*, desc*, credits?, date?, category*, keyword*, language?, orig-language?,
  length?, icon*, url*, country*, episode-num*, video?, audio?, previously-shown?, premiere?, last-chance?, new?,
  subtitles*, rating*, star-rating*, review*, image*)>
<!ATTLIST programme start CDATA #REQUIRED stop CDATA #IMPLIED pdc-start CDATA #IMPLIED vps-start CDATA #IMPLIED
  showview CDATA #IMPLIED videoplus CDATA #IMPLIED channel CDATA #REQUIRED clumpidx CDATA "0/1">
<!ELEMENT title (#PCDATA)> <!ATTLIST title lang CDATA #IMPLIED>
<!ELEMENT sub-title (#PCDATA)> <!ATTLIST sub-title lang CDATA #IMPLIED>
<!ELEMENT desc (#PCDATA)> <!ATTLIST desc lang CDATA #IMPLIED>
<!ELEMENT credits EMPTY> <!ELEMENT date (#PCDATA)>
<!ELEMENT category (#PCDATA)> <!ATTLIST category lang CDATA #IMPLIED>
<!ELEMENT keyword (#PCDATA)> <!ATTLIST keyword lang CDATA #IMPLIED>
<!ELEMENT language (#PCDATA)> <!ATTLIST language lang CDATA #IMPLIED>
<!ELEMENT orig-language (#PCDATA)>
<!ELEMENT length (#PCDATA)> <!ATTLIST length units (seconds | minutes | hours) #REQUIRED>
<!ELEMENT country (#PCDATA)> <!ELEMENT episode-num (#PCDATA)> <!ELEMENT video EMPTY> <!ELEMENT audio EMPTY>
<!ELEMENT previously-shown EMPTY> <!ELEMENT premiere (#PCDATA)> <!ATTLIST premiere lang CDATA #IMPLIED>
<!ELEMENT last-chance (#PCDATA)> <!ELEMENT new EMPTY> <!ELEMENT subtitles EMPTY> <!ELEMENT rating EMPTY>
<!ELEMENT star-rating EMPTY> <!ELEMENT review (#PCDATA)> <!ELEMENT image (#PCDATA)>
"""

WEEKS = pytest.mark.parametrize("shown", [week(), NAUGHTY, EMPTY], ids=["honest", "naughty", "empty"])


def text_of(pdf: bytes) -> str:
    document = PdfDocument(pdf)
    return "\n".join(page.get_textpage().get_text_range() for page in document)


@WEEKS
def test_xmltv_is_valid_against_its_dtd(shown: Guide) -> None:
    root = etree.fromstring(exports.write(shown, Format.XMLTV))
    dtd = etree.DTD(StringIO(XMLTV_DTD))
    assert dtd.validate(root), dtd.error_log
    assert len(root.findall("programme")) == len(shown.showings)
    channels = {c.get("id") for c in root.findall("channel")}
    assert {p.get("channel") for p in root.findall("programme")} <= channels


def test_xmltv_says_local_time_with_its_offset_and_everything_known_of_a_programme() -> None:
    told = showing(1, NIGHT, "苹果冬剪", summary="怎样剪", source=Source.LOCAL, place="正定县", premiere=True)
    root = etree.fromstring(exports.write(guide([told]), Format.XMLTV))
    (programme,) = root.findall("programme")
    assert programme.get("start") == "20261205190000 +0800"
    assert programme.get("stop") == "20261205192500 +0800"
    assert [e.tag for e in programme] == [
        "title", "sub-title", "desc", "category", "language", "length", "premiere",
    ]  # fmt: skip


@WEEKS
def test_icalendar_reads_back_whole_and_keeps_its_lines_short(shown: Guide) -> None:
    data = exports.write(shown, Format.ICS)
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))
    assert b"\n" not in data.replace(b"\r\n", b"")
    events = Calendar.from_ical(data).walk("VEVENT")
    assert [e["SUMMARY"].removeprefix("【集中学习】") for e in events] == [s.title for s in shown.showings]
    assert len({e["UID"] for e in events}) == len(events)
    assert not [e for e in events if e.errors]


def test_an_event_keeps_its_identity_from_one_export_to_the_next() -> None:
    def uids(shown: Guide) -> list[str]:
        return [e["UID"] for e in Calendar.from_ical(exports.write(shown, Format.ICS)).walk("VEVENT")]

    assert uids(week()) == uids(week(made_at=datetime(2027, 1, 1, tzinfo=UTC), publication=99))


@WEEKS
def test_rss_has_an_entry_for_each_showing(shown: Guide) -> None:
    root = etree.fromstring(exports.write(shown, Format.RSS))
    items = root.findall("./channel/item")
    assert len(items) == len(shown.showings)
    assert len({i.findtext("guid") for i in items}) == len(items)
    assert [i.findtext("title").split(" ", 3)[3] for i in items] == [s.title for s in shown.showings]


@WEEKS
def test_json_holds_what_the_guide_holds(shown: Guide) -> None:
    document = json.loads(exports.write(shown, Format.JSON))
    items = document["channels"][0]["items"]
    assert [i["title"] for i in items] == [s.title for s in shown.showings]
    assert all(i["starts_at"].endswith("Z") for i in items)


def test_m3u_names_what_can_be_played_and_no_title_ends_its_line() -> None:
    shown = [
        showing(i, NIGHT + timedelta(hours=i), t, media=f"http://r/m/{i}") for i, t in enumerate(HOSTILE)
    ]
    lines = exports.write(guide([*shown, showing(99, NIGHT, "没有成品")]), Format.M3U).decode().splitlines()
    assert lines[0] == "#EXTM3U"
    entries = lines[2:]
    assert len(entries) == 2 * len(HOSTILE)
    assert all(e.startswith("#EXTINF:1500 tvg-id=") for e in entries[::2])
    assert entries[1::2] == [f"http://r/m/{i}" for i in range(len(HOSTILE))]


@pytest.mark.parametrize("paper", ["A4", "A3"])
@WEEKS
def test_the_poster_is_one_sheet_of_the_right_size_for_an_ordinary_week(shown: Guide, paper: str) -> None:
    document = PdfDocument(exports.write(shown, Format.PDF, exports.paper_of(paper)))
    width, height = document[0].get_size()
    assert (round(width * 25.4 / 72), round(height * 25.4 / 72)) == {"A4": (210, 297), "A3": (297, 420)}[
        paper
    ]
    assert len(document) == 1 or shown is NAUGHTY


def test_the_poster_names_each_day_its_programmes_and_the_study_day() -> None:
    text = text_of(exports.write(week(), Format.PDF))
    assert all(title in text for title in TITLES)
    assert all(f"12月{day}日" in text for day in range(5, 12))
    assert "集中学习" in text
    assert "草稿" not in text
    assert "草稿" in text_of(exports.write(week(publication=None), Format.PDF))


def test_a_busy_week_takes_more_sheets_and_leaves_nothing_out() -> None:
    busy = [showing(i, NIGHT + timedelta(minutes=30 * i), f"第{i}号节目") for i in range(150)]
    data = exports.write(guide(busy), Format.PDF)
    assert len(PdfDocument(data)) > 3
    text = text_of(data)
    assert [
        i for i in range(150) if f"第{i}号节目" not in text and busy[i].day < FIRST + timedelta(days=7)
    ] == []


@WEEKS
def test_the_picture_is_1080_wide(shown: Guide) -> None:
    image = Image.open(BytesIO(exports.write(shown, Format.PNG)))
    assert image.width == 1080
    assert 600 < image.height < 9000


def test_the_picture_of_a_busy_week_stays_short_enough_for_a_chat() -> None:
    busy = [showing(i, NIGHT + timedelta(minutes=10 * i), "长" * 200) for i in range(900)]
    assert Image.open(BytesIO(exports.write(guide(busy), Format.PNG))).height < 9000


@pytest.mark.parametrize("text", HOSTILE)
def test_a_plain_text_has_one_line_and_nothing_hidden(text: str) -> None:
    cleaned = plain(text, 100)
    assert len(cleaned) <= 100
    assert cleaned == cleaned.strip()
    assert not set(cleaned) & set("\x00\x07\x1b\r\n\u2028\u2029\x85\u202e\u202c\u2066\u2069\ufeff\u200b")


def test_an_unknown_format_or_paper_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(Invalid, match="xmltv"):
        exports.format_of("docx")
    with pytest.raises(Invalid, match="A3"):
        exports.paper_of("A5")
