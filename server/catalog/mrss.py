"""The released catalogue as Media RSS (rssboard.org/media-rss), for podcast players, portals and partners. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from feedgen.feed import FeedGenerator
from lxml import etree

from server.catalog.lom import LomItem
from server.catalog.oai import Record

ATOM = "{http://www.w3.org/2005/Atom}"


def media_rss(
    records: Sequence[Record], *, title: str, url: str, home: str, following: str | None, now: datetime
) -> bytes:
    """A feed of these programmes; ``following`` is the address of the next page (RFC 5005), ``home`` of the platform."""
    feed = FeedGenerator()
    feed.load_extension("media", atom=False, rss=True)
    feed.title(title)
    feed.link(href=home, rel="alternate")
    feed.link(href=url, rel="self")
    feed.description(title)
    feed.language("zh-CN")
    feed.generator("Yuanbo")
    feed.lastBuildDate(max((record.stamp for record in records), default=now))
    for record in records:
        if record.item is not None and record.item.location:
            _entry(feed, record, record.item)
    root = etree.fromstring(feed.rss_str())
    if following:
        link = etree.SubElement(root.find("channel"), f"{ATOM}link", rel="next", href=following)
        link.tail = "\n"
    written: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return written


def _entry(feed: FeedGenerator, record: Record, item: LomItem) -> None:
    entry = feed.add_entry(order="append")
    entry.guid(item.identifier, permalink=False)
    entry.title(item.title)
    entry.description(item.summary or item.title)
    released = (
        datetime.fromisoformat(item.released_on).replace(tzinfo=UTC) if item.released_on else record.stamp
    )
    entry.pubDate(released)
    entry.enclosure(item.location, str(item.size or 0), item.mime)
    for tag in (*item.tags, *(name for _slug, name in (item.section, *item.sections) if name)):
        entry.category(term=tag)
    content = {
        "url": item.location,
        "type": item.mime,
        "medium": "audio" if item.kind == "audio" else "video",
    }
    if item.size:
        content["fileSize"] = str(item.size)
    if item.duration_ms:
        content["duration"] = str(round(item.duration_ms / 1000))
    entry.media.content(content)
    if item.rights_licence:
        entry.rights(item.rights_licence)
