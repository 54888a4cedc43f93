"""A guide as XMLTV, iCalendar, M3U, RSS and JSON. Pure: a guide in, bytes out.

Every text comes out of :func:`server.schedule.guide.plain`, so nothing that a title holds can end a line, an element
or the direction of reading.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

from feedgen.feed import FeedGenerator
from icalendar import Calendar, Event

from protocol.times import SHANGHAI, to_text
from server.schedule.guide import Guide, Line, Showing

GENERATOR = "Yuanbo"
_PRODUCT = "-//Yuanbo//Listings//ZH"
_WEEKDAYS = "一二三四五六日"


# --- XMLTV ------------------------------------------------------------------------------------------------------------
def xmltv(guide: Guide) -> bytes:
    """XMLTV (xmltv.dtd of the XMLTV project): channels first, then programmes by start; elements in the DTD's order."""
    made = guide.made_at or datetime.now(SHANGHAI)
    tv = ET.Element(
        "tv",
        {
            "date": made.astimezone(SHANGHAI).strftime("%Y%m%d"),
            "source-info-name": f"远播 {guide.full_name}",
            "generator-info-name": GENERATOR,
        },
    )
    if guide.url:
        tv.set("source-info-url", guide.url)
    for line in guide.lines:
        channel = ET.SubElement(tv, "channel", {"id": channel_id(guide, line.id)})
        ET.SubElement(channel, "display-name", {"lang": "zh"}).text = line.name
        if line.name_en:
            ET.SubElement(channel, "display-name", {"lang": "en"}).text = line.name_en
        if guide.url:
            ET.SubElement(channel, "url").text = guide.url
    for showing in guide.showings:
        _xmltv_programme(tv, guide, showing)
    ET.indent(tv)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE tv SYSTEM "xmltv.dtd">\n'
    return head.encode() + ET.tostring(tv, encoding="utf-8") + b"\n"


def _xmltv_programme(tv: ET.Element, guide: Guide, showing: Showing) -> None:
    programme = ET.SubElement(
        tv,
        "programme",
        {
            "start": xmltv_time(showing.starts_at),
            "stop": xmltv_time(showing.ends_at),
            "channel": channel_id(guide, showing.channel),
        },
    )
    ET.SubElement(programme, "title", {"lang": "zh"}).text = showing.title
    if showing.place:
        ET.SubElement(programme, "sub-title", {"lang": "zh"}).text = f"{showing.place}地方节目"
    if showing.summary:
        ET.SubElement(programme, "desc", {"lang": "zh"}).text = showing.summary
    if showing.section:
        ET.SubElement(programme, "category", {"lang": "zh"}).text = showing.section
    if showing.section_en:
        ET.SubElement(programme, "category", {"lang": "en"}).text = showing.section_en
    if showing.is_study:
        ET.SubElement(programme, "keyword", {"lang": "zh"}).text = "集中学习"
    ET.SubElement(programme, "language").text = "zh"
    ET.SubElement(programme, "length", {"units": "seconds"}).text = str(showing.duration_s)
    if showing.premiere:
        ET.SubElement(programme, "premiere")


def channel_id(guide: Guide, channel: str) -> str:
    """A channel of a region, in the form XMLTV asks for (RFC 2838)."""
    return f"{channel}.{guide.region}.yuanbo"


def xmltv_time(moment: datetime) -> str:
    return moment.astimezone(SHANGHAI).strftime("%Y%m%d%H%M%S %z")


# --- iCalendar ----------------------------------------------------------------------------------------------------------
def ics(guide: Guide) -> bytes:
    """iCalendar (RFC 5545): an event for each showing, times in UTC, folded lines, CRLF."""
    calendar = Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", f"{guide.name} 节目预告")
    calendar.add("x-wr-timezone", "Asia/Shanghai")
    calendar.add("refresh-interval", timedelta(hours=1), parameters={"VALUE": "DURATION"})
    stamp = _utc(guide.made_at or datetime.now(SHANGHAI))
    names = {line.id: line.name for line in guide.lines}
    for showing in guide.showings:
        event = Event()
        event.add("uid", f"{uid(guide, showing)}@yuanbo")
        event.add("dtstamp", stamp)
        event.add("dtstart", _utc(showing.starts_at))
        event.add("dtend", _utc(showing.ends_at))
        event.add("summary", ("【集中学习】" if showing.is_study else "") + showing.title)
        event.add("location", f"{guide.full_name} · {names.get(showing.channel, showing.channel)}")
        if showing.summary:
            event.add("description", showing.summary)
        if showing.section:
            event.add("categories", [showing.section])
        if guide.url:
            event.add("url", guide.url)
        event.add("transp", "TRANSPARENT")
        calendar.add_component(event)
    return calendar.to_ical()


def uid(guide: Guide, showing: Showing) -> str:
    """The same for the same showing in every export, different from every other's."""
    return f"{showing.id}.{showing.starts_at:%Y%m%dT%H%M%S}.{showing.channel}.{guide.region}"


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


# --- M3U ----------------------------------------------------------------------------------------------------------------
def m3u(guide: Guide) -> bytes:
    """Extended M3U in order of air: one entry for each showing that has a rendition to play."""
    lines = ["#EXTM3U", f"#PLAYLIST:{guide.name} {guide.first_day:%Y-%m-%d}"]
    names = {line.id: line.name for line in guide.lines}
    for showing in guide.showings:
        if showing.media is None:
            continue
        label = f"{showing.starts_at:%m-%d %H:%M} {showing.title}"
        attributes = (
            f'tvg-id="{channel_id(guide, showing.channel)}" group-title="{_quoted(names[showing.channel])}"'
        )
        lines += [f"#EXTINF:{showing.duration_s} {attributes},{label}", showing.media]
    return ("\n".join(lines) + "\n").encode()


def _quoted(text: str) -> str:
    return text.replace('"', "'").replace(",", "，")


# --- RSS ----------------------------------------------------------------------------------------------------------------
def rss(guide: Guide) -> bytes:
    """RSS 2.0: the coming showings, each with its time in front of the title."""
    feed = FeedGenerator()
    made = guide.made_at or datetime.now(SHANGHAI)
    page = guide.url or f"urn:yuanbo:listings:{guide.region}"
    feed.title(f"{guide.name} 节目预告")
    feed.link(href=page, rel="alternate")
    feed.description(f"{guide.full_name}，{guide.first_day:%Y-%m-%d} 起 {guide.days} 天的节目")
    feed.language("zh-cn")
    feed.generator(GENERATOR)
    feed.lastBuildDate(made)
    for showing in guide.showings:
        entry = feed.add_entry(order="append")
        entry.guid(f"urn:yuanbo:{uid(guide, showing)}", permalink=False)
        entry.title(f"{spoken_stamp(showing.starts_at)} {showing.title}")
        entry.link(href=f"{page}#d{showing.day:%Y%m%d}")
        entry.description(showing.summary or showing.title)
        entry.published(made)
        if showing.section:
            entry.category(term=showing.section)
    return feed.rss_str(pretty=True)


def spoken_stamp(moment: datetime) -> str:
    """12月5日 周六 19:00"""
    return f"{moment.month}月{moment.day}日 周{_WEEKDAYS[moment.weekday()]} {moment:%H:%M}"


# --- JSON ---------------------------------------------------------------------------------------------------------------
def as_json(guide: Guide) -> bytes:
    """The guide as data. Times are RFC 3339 UTC; ``day`` is the day it begins on in Asia/Shanghai."""
    document = {
        "region": guide.region,
        "name": guide.name,
        "full_name": guide.full_name,
        "first_day": guide.first_day.isoformat(),
        "days": guide.days,
        "publication": guide.publication,
        "study_days": [
            {
                "starts_at": to_text(s.starts_at),
                "ends_at": to_text(s.ends_at),
                "title": s.title,
                "moved_from": s.moved_from.isoformat() if s.moved_from else None,
                "reason": s.reason,
            }
            for s in guide.study
        ],
        "channels": [_json_line(line) for line in guide.lines],
    }
    return json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"


def _json_line(line: Line) -> dict[str, object]:
    return {
        "id": line.id,
        "name": line.name,
        "name_en": line.name_en,
        "items": [
            {
                "id": s.id,
                "day": s.day.isoformat(),
                "starts_at": to_text(s.starts_at),
                "ends_at": to_text(s.ends_at),
                "duration_ms": s.duration_s * 1000,
                "title": s.title,
                "summary": s.summary,
                "section": s.section,
                "number": s.number,
                "edition": s.edition,
                "source": s.source.value,
                "place": s.place or None,
                "required": s.required,
                "premiere": s.premiere,
                "study": s.is_study,
            }
            for s in line.showings
        ],
    }
