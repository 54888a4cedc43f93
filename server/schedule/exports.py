"""The forms a guide leaves in, by name. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import get_args

from server.errors import Invalid
from server.i18n import N_
from server.schedule import exports_feeds as feeds
from server.schedule.exports_announcement import announcement
from server.schedule.exports_picture import picture
from server.schedule.exports_poster import Paper, poster
from server.schedule.guide import Guide


class Format(StrEnum):
    XMLTV = "xmltv"
    ICS = "ics"
    M3U = "m3u"
    RSS = "rss"
    JSON = "json"
    PDF = "pdf"
    PNG = "png"
    TXT = "txt"


@dataclass(frozen=True)
class Form:
    """How a format is sent: its media type, its file extension, and what makes it."""

    media_type: str
    extension: str
    write: Callable[[Guide], bytes]


FORMS: dict[Format, Form] = {
    Format.XMLTV: Form("application/xml; charset=utf-8", "xml", feeds.xmltv),
    Format.ICS: Form("text/calendar; charset=utf-8", "ics", feeds.ics),
    Format.M3U: Form("audio/x-mpegurl; charset=utf-8", "m3u8", feeds.m3u),
    Format.RSS: Form("application/rss+xml; charset=utf-8", "rss", feeds.rss),
    Format.JSON: Form("application/json; charset=utf-8", "json", feeds.as_json),
    Format.PDF: Form("application/pdf", "pdf", poster),
    Format.PNG: Form("image/png", "png", picture),
    Format.TXT: Form("text/plain; charset=utf-8", "txt", lambda guide: announcement(guide).encode()),
}


def format_of(text: str) -> Format:
    """Raises Invalid, naming the formats there are."""
    try:
        return Format(text)
    except ValueError as error:
        raise Invalid(
            N_("没有这种格式：%(format)s（可用：%(formats)s）"), code="format", format=text, formats=", ".join(Format)
        ) from error  # fmt: skip


def paper_of(text: str) -> Paper:
    """Raises Invalid."""
    for paper in get_args(Paper):
        if text == paper:
            return paper
    raise Invalid(N_("纸张只有 A4 和 A3"), code="paper")


def write(guide: Guide, form: Format, paper: Paper = "A4") -> bytes:
    """The guide in a format."""
    return poster(guide, paper) if form is Format.PDF else FORMS[form].write(guide)


def file_name(guide: Guide, form: Format) -> str:
    """Plain ASCII: yuanbo-130123-20261205.pdf"""
    return f"yuanbo-{guide.region}-{guide.first_day:%Y%m%d}.{FORMS[form].extension}"
