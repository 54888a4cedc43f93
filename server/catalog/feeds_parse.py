"""What partners' feeds say, as data: RSS, MRSS, podcast and Atom by feedparser; OAI-PMH by lxml. Pure.

Nothing here fetches anything: no entity, no DTD, no stylesheet is followed.
"""

from __future__ import annotations

import calendar
import hashlib
import io
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import feedparser
from lxml import etree

from server.errors import Invalid
from server.i18n import N_

MOST_ITEMS = 2_000
"""Items of one document that are read."""
MOST_TAGS = 20
OAI = "{http://www.openarchives.org/OAI/2.0/}"
DC = "{http://purl.org/dc/elements/1.1/}"
LOM = "{http://ltsc.ieee.org/xsd/LOM}"
MEDIA_SUFFIXES = (
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".ts", ".mpg", ".mpeg", ".avi", ".flv", ".wmv", ".rm", ".rmvb", ".vob",
    ".mp3", ".m4a", ".aac", ".ogg", ".wav", ".flac",
)  # fmt: skip


class FeedUnreadable(Invalid):
    """What came is no feed."""

    code = "feed_unreadable"


@dataclass(frozen=True)
class Entry:
    """One item of a feed. ``key`` identifies it within its source; texts are plain and cut to what is kept."""

    key: str
    title: str
    summary: str = ""
    page_url: str | None = None
    media_url: str | None = None
    size: int | None = None
    rights: str = ""
    tags: tuple[str, ...] = ()
    published_at: datetime | None = None
    is_deleted: bool = False


# --- RSS and its family -----------------------------------------------------------------------------------------------
def read_feed(content: bytes, url: str) -> list[Entry]:
    """The entries of a feed, each once, in its order. Raises FeedUnreadable for what is none."""
    found = feedparser.parse(io.BytesIO(content), response_headers={"content-location": url})
    if not found.get("version") and not found.entries:
        raise FeedUnreadable(N_("取回的内容不是 RSS、MRSS、播客或 Atom"))
    entries: dict[str, Entry] = {}
    for raw in found.entries[:MOST_ITEMS]:
        entry = _of_feed(raw, url, found.feed)
        entries.setdefault(entry.key, entry)
    return list(entries.values())


def _of_feed(raw: Any, base: str, feed: Any) -> Entry:
    media, size = _media(raw)
    page = raw.get("link")
    if raw.get("guidislink"):
        page = None  # a guid is a link unless it says otherwise, and most that are none do not say so
    called = raw.get("id") or page or media or raw.get("title", "")
    return Entry(
        key=key_of(called),
        title=plain_text(raw.get("title", ""), 200),
        summary=plain_text(raw.get("summary", "") or raw.get("media_description", ""), 5_000),
        page_url=_address(page, base),
        media_url=_address(media, base),
        size=size,
        rights=plain_text(raw.get("rights", "") or feed.get("rights", ""), 200),
        tags=_tags(str(tag.get("term") or "") for tag in raw.get("tags", ())),
        published_at=_moment(raw.get("published_parsed") or raw.get("updated_parsed")),
    )


def _media(raw: Any) -> tuple[str | None, int | None]:
    """The best of an item's files: an enclosure, or what MRSS calls content; video before sound, the largest first."""
    offers = [
        (str(item.get("href") or item.get("url") or ""), str(item.get("type") or item.get("medium") or ""),
         _number(item.get("length") or item.get("filesize")))
        for item in (*raw.get("enclosures", ()), *raw.get("media_content", ()))
    ]  # fmt: skip
    usable = [offer for offer in offers if offer[0] and _is_media(offer[0], offer[1])]
    if not usable:
        return None, None
    best = max(usable, key=lambda offer: (offer[1].startswith("video"), offer[2] or 0))
    return best[0], best[2]


def _is_media(url: str, kind: str) -> bool:
    named = urlsplit(url).path.lower().endswith(MEDIA_SUFFIXES) if url.isprintable() else False
    return named or kind.startswith(("video", "audio"))


# --- OAI-PMH ----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class OaiPage:
    """One answer to ListRecords; ``token`` asks for the next, None when this was the last."""

    entries: list[Entry]
    token: str | None
    response_date: str | None


class OaiRefused(Invalid):
    """The repository answers with an error of the protocol."""

    code = "oai_error"


def read_oai(content: bytes) -> OaiPage:
    """The records of a ListRecords answer. Raises FeedUnreadable, OaiRefused; noRecordsMatch is an empty page."""
    root = _xml(content)
    if root.tag != f"{OAI}OAI-PMH":
        raise FeedUnreadable(N_("取回的内容不是 OAI-PMH"))
    date = root.findtext(f"{OAI}responseDate")
    error = root.find(f"{OAI}error")
    if error is not None:
        if error.get("code") == "noRecordsMatch":
            return OaiPage([], None, date)
        raise OaiRefused(
            N_("对方回答：%(said)s %(text)s"), said=str(error.get("code"))[:40], text=(error.text or "")[:200]
        )
    listed = root.find(f"{OAI}ListRecords")
    if listed is None:
        raise FeedUnreadable(N_("取回的内容不是 ListRecords 的回答"))
    entries = [_of_record(record) for record in listed.findall(f"{OAI}record")[:MOST_ITEMS]]
    token = (listed.findtext(f"{OAI}resumptionToken") or "").strip()
    return OaiPage([entry for entry in entries if entry is not None], token or None, date)


def read_granularity(content: bytes) -> str:
    """Whether Identify says that times are asked for to the day or to the second."""
    root = _xml(content)
    return str(root.findtext(f"{OAI}Identify/{OAI}granularity") or "YYYY-MM-DD").strip()


def _xml(content: bytes) -> Any:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        return etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise FeedUnreadable(N_("取回的内容不是 XML")) from error


def _of_record(record: Any) -> Entry | None:
    identifier = (record.findtext(f"{OAI}header/{OAI}identifier") or "").strip()
    header = record.find(f"{OAI}header")
    if not identifier or header is None:
        return None
    if header.get("status") == "deleted":
        return Entry(key=key_of(identifier), title="", is_deleted=True)
    content = record.find(f"{OAI}metadata")
    if content is None:
        return None
    if content.find(f"{LOM}lom") is not None:
        return _of_lom(identifier, content.find(f"{LOM}lom"))
    return _of_dc(identifier, content)


def _of_dc(identifier: str, content: Any) -> Entry:
    def texts(name: str) -> list[str]:
        return [
            (node.text or "").strip() for node in content.iter(f"{DC}{name}") if (node.text or "").strip()
        ]

    addresses = [
        text for name in ("identifier", "relation", "source") for text in texts(name) if _address(text)
    ]
    media = next((one for one in addresses if _is_media(one, "")), None)
    return Entry(
        key=key_of(identifier),
        title=plain_text(next(iter(texts("title")), ""), 200),
        summary=plain_text("\n".join(texts("description")), 5_000),
        page_url=_address(next((one for one in addresses if one != media), None)),
        media_url=_address(media),
        rights=plain_text("；".join(texts("rights")), 200),
        tags=_tags(texts("subject")),
        published_at=_date(next(iter(texts("date")), "")),
    )


def _of_lom(identifier: str, lom: Any) -> Entry:
    def texts(path: str) -> list[str]:
        nodes = lom.findall("/".join(f"{LOM}{part}" for part in path.split("/")))
        return [text for node in nodes if (text := "".join(node.itertext()).strip())]

    places = [one for one in texts("technical/location") if _address(one)]
    return Entry(
        key=key_of(identifier),
        title=plain_text(next(iter(texts("general/title/string")), ""), 200),
        summary=plain_text("\n".join(texts("general/description/string")), 5_000),
        media_url=_address(next((one for one in places if _is_media(one, "video")), None)),
        rights=plain_text("；".join(texts("rights/description/string")), 200),
        tags=_tags(texts("general/keyword/string")),
    )


# --- texts ------------------------------------------------------------------------------------------------------------
def key_of(called: str) -> str:
    """What an item is known by."""
    return hashlib.sha256(called.strip().encode("utf-8", "replace")).hexdigest()


class _TextOnly(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag in ("p", "br", "div", "li"):
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("p", "div", "li"):
            self.parts.append("\n")


def plain_text(text: Any, most: int) -> str:
    """Without mark-up, control characters and blank lines, cut to ``most`` characters."""
    reader = _TextOnly()
    reader.feed(str(text)[: most * 20])
    reader.close()
    kept = "".join(letter for letter in "".join(reader.parts) if letter == "\n" or letter.isprintable())
    lines = (" ".join(line.split()) for line in kept.split("\n"))
    return "\n".join(line for line in lines if line)[:most]


def _tags(texts: Any) -> tuple[str, ...]:
    found = dict.fromkeys(plain_text(text, 20).replace("\n", " ") for text in texts)
    return tuple(tag for tag in found if tag)[:MOST_TAGS]


def _address(text: str | None, base: str = "") -> str | None:
    """A whole http or https address of at most 1,000 characters, or None."""
    if not text:
        return None
    try:
        whole = urljoin(base, text.strip()) if base else text.strip()
        parts = urlsplit(whole)
    except ValueError:
        return None
    is_fine = parts.scheme in ("http", "https") and bool(parts.netloc) and len(whole) <= 1_000
    return whole if is_fine else None


def _number(text: Any) -> int | None:
    plain = str(text or "")
    return int(plain) if plain.isascii() and plain.isdigit() and len(plain) < 16 else None


def _moment(parsed: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(calendar.timegm(parsed), UTC) if parsed else None
    except (ValueError, OverflowError, TypeError):
        return None


def _date(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
