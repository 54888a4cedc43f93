"""What partners' feeds say, read as data."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from server.catalog.feeds_parse import (
    FeedUnreadable,
    OaiRefused,
    plain_text,
    read_feed,
    read_granularity,
    read_oai,
)
from tests.catalog.partner import OAI_DC, item, oai, record, rss

AT = "http://partner.example/feeds/all.xml"


def test_an_rss_feed_with_enclosures_is_read() -> None:
    more = (
        "<description>&lt;p&gt;浇水&lt;/p&gt;&lt;script&gt;x()&lt;/script&gt;追肥</description><category>小麦</category>"
        "<pubDate>Sat, 05 Dec 2026 19:00:00 +0800</pubDate><link>/wheat.html</link>"
    )
    (entry,) = read_feed(rss(item("冬小麦返青", "../media/wheat.mp4", "urn:1", more)), AT)
    assert entry.title == "冬小麦返青"
    assert entry.summary == "浇水\n追肥"
    assert entry.media_url == "http://partner.example/media/wheat.mp4"
    assert entry.tags == ("小麦",)
    assert entry.published_at == datetime(2026, 12, 5, 11, 0, tzinfo=UTC)


def test_of_several_files_the_largest_video_is_taken() -> None:
    more = (
        '<media:content url="http://p/small.mp4" type="video/mp4" fileSize="10"/>'
        '<media:content url="http://p/large.mp4" type="video/mp4" fileSize="99"/>'
        '<media:content url="http://p/sound.mp3" type="audio/mpeg" fileSize="500"/>'
        '<media:content url="http://p/picture.jpg" type="image/jpeg" fileSize="900"/>'
    )
    (entry,) = read_feed(rss(item("多种格式", None, more=more)), AT)
    assert (entry.media_url, entry.size) == ("http://p/large.mp4", 99)


def test_an_item_twice_is_one_and_one_without_a_file_has_none() -> None:
    found = read_feed(
        rss(item("甲", "http://p/a.mp4", "1"), item("甲改", "http://p/b.mp4", "1"), item("乙", None)), AT
    )
    assert [(entry.title, entry.media_url) for entry in found] == [("甲", "http://p/a.mp4"), ("乙", None)]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html><body>404</body></html>",
        b"\x00\x01\x02",
        b"MZ\x90\x00" * 40,
        "你好".encode("gbk"),
        b"<rss",
        b"{}",
    ],
)
def test_what_is_no_feed_is_refused(content: bytes) -> None:
    with pytest.raises(FeedUnreadable):
        read_feed(content, AT)


BOMB = b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">' + b"".join(
    f'<!ENTITY {name} "{("&" + before + ";") * 10}">'.encode() for before, name in zip("abcdefgh", "bcdefghi", strict=True)
) + b"]>"  # fmt: skip


def test_entities_are_neither_followed_nor_blown_up() -> None:
    bomb = (
        BOMB + b"<rss version='2.0'><channel><title>x</title><item><title>&i;</title></item></channel></rss>"
    )
    for entry in read_feed(bomb, AT):
        assert len(entry.title) <= 200
    stolen = b'<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]>'
    page = read_oai(stolen + oai(record("urn:1", "甲 &f;", "http://p/a.mp4")).partition(b"?>")[2])
    assert page.entries[0].title == "甲"


def test_a_gbk_feed_is_read() -> None:
    content = rss(item("防治病虫害", "http://p/a.mp4")).decode().replace("utf-8", "gb2312").encode("gbk")
    assert read_feed(content, AT)[0].title == "防治病虫害"


def test_a_page_of_oai_records_is_read() -> None:
    page = read_oai(
        oai(record("urn:1", "大棚 &amp; 黄瓜", "http://p/a.mp4"), record("urn:2", deleted=True), token="next")
    )
    first, second = page.entries
    assert (first.title, first.media_url, first.tags) == ("大棚 & 黄瓜", "http://p/a.mp4", ("小麦",))
    assert second.is_deleted
    assert (page.token, page.response_date) == ("next", "2026-12-05T11:00:00Z")


def test_the_last_page_has_no_token_and_an_empty_answer_no_records() -> None:
    assert read_oai(oai(record("urn:1", "甲", "http://p/a.mp4"), token="")).token is None
    nothing = oai().replace(b"<ListRecords></ListRecords>", b'<error code="noRecordsMatch">none</error>')
    assert read_oai(nothing).entries == []
    with pytest.raises(OaiRefused, match="badArgument"):
        read_oai(nothing.replace(b"noRecordsMatch", b"badArgument"))


def test_lom_records_are_read() -> None:
    lom = (
        '<lom xmlns="http://ltsc.ieee.org/xsd/LOM"><general><title><string language="zh">梨树修剪</string></title>'
        "<keyword><string>果树</string></keyword></general><technical><location>http://p/pear.mp4</location></technical></lom>"
    )
    whole = oai(record("urn:1", "x", "y")).decode()
    content = whole.replace(OAI_DC.split("{}")[0], lom + "<!--").replace("</oai_dc:dc>", "-->")
    (entry,) = read_oai(content.encode()).entries
    assert (entry.title, entry.media_url, entry.tags) == ("梨树修剪", "http://p/pear.mp4", ("果树",))


def test_granularity_is_read() -> None:
    inner = "<granularity>YYYY-MM-DDThh:mm:ssZ</granularity>"
    assert read_granularity(oai(verb="Identify", inner=inner)).endswith("ssZ")
    assert read_granularity(oai(verb="Identify")) == "YYYY-MM-DD"


def test_texts_are_plain_and_bounded() -> None:
    assert plain_text("<b>粗</b>体\x00\x07 &amp; 空  格", 99) == "粗体 & 空 格"
    assert len(plain_text("长" * 100_000, 200)) == 200
    assert plain_text("<" * 5_000, 50).count("<") <= 50
