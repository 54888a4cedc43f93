"""Subtitles in whatever form people send them."""

from __future__ import annotations

import random

import pytest

from server.catalog.subtitles import Cue, clean_language, parse, retimed, to_vtt
from server.errors import Invalid

SRT = "1\r\n00:00:01,000 --> 00:00:02,500\r\n大家好\r\n\r\n2\r\n00:00:03,000 --> 00:00:04,000\r\n<i>今天</i>讲\r\n果树\r\n"
ASS = (
    "[Script Info]\nScriptType: v4.00+\n\n[Events]\n"
    "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    "Dialogue: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,{\\an8}大家好\\N果农朋友\n"
    "Comment: 0,0:00:05.00,0:00:06.00,Default,,0,0,0,,不要显示\n"
)
VTT = "WEBVTT\n\n00:01.000 --> 00:02.500 align:start\n大家好\n"
FIRST = Cue(1_000, 2_500, "大家好")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030", "gbk"])
def test_an_srt_file_is_read_whatever_chinese_encoding_it_has(encoding: str) -> None:
    cues = parse(SRT.encode(encoding), "a.srt")
    assert cues == [FIRST, Cue(3_000, 4_000, "今天讲\n果树")]


def test_ass_and_vtt_lose_their_styles_and_keep_their_words() -> None:
    assert parse(ASS.encode(), "a.ass") == [Cue(1_000, 2_500, "大家好\n果农朋友")]
    assert parse(VTT.encode(), "a.vtt") == [FIRST]


def test_a_file_with_the_wrong_ending_is_read_as_what_it_is() -> None:
    assert parse(VTT.encode(), "a.srt") == [FIRST]
    assert parse(SRT.encode(), "a.ass")[0] == FIRST


def test_what_is_written_can_be_read_again_and_holds_no_markup() -> None:
    cues = [Cue(0, 1_000, "<b>3 & 4 --> 5</b>"), Cue(3_600_000, 3_661_001, "两行\n字")]
    written = to_vtt(cues)
    assert b"<b>" not in written
    assert written.startswith(b"WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n&lt;b&gt;3 &amp; 4 --&gt; 5")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"", "a.srt"),
        (b"MZ\x90\x00\x03", "a.srt"),
        (b"just words", "a.srt"),
        ("1\n00:00:01,000 --> 00:00:01,000\n空\n".encode(), "a.srt"),
        (SRT.encode(), "a.exe"),
        (b"\xff\xfe" + b"\x00" * 3, "a.srt"),
        (b"x" * (4 * 1024 * 1024 + 1), "a.srt"),
        (("1\n00:00:01,000 --> 00:00:02,000\n字\n\n" * 20_001).encode(), "a.srt"),
    ],
)
def test_what_is_no_subtitle_file_is_refused_by_name(data: bytes, name: str) -> None:
    with pytest.raises(Invalid, match=name):
        parse(data, name)


def test_random_bytes_are_refused_or_read_and_nothing_else() -> None:
    chance = random.Random(20261122)
    for _ in range(300):
        cut = chance.randrange(len(SRT.encode()))
        data = bytearray(SRT.encode()[:cut] + chance.randbytes(chance.randrange(12)))
        try:
            assert parse(bytes(data), "a.srt")
        except Invalid:
            continue


def test_cues_move_with_the_cut() -> None:
    cues = [Cue(0, 1_000, "甲"), Cue(5_000, 9_000, "乙"), Cue(20_000, 21_000, "丙")]
    kept = [(500, 6_000), (8_000, 30_000)]
    assert retimed(cues, kept, lead_ms=3_000) == [
        Cue(3_000, 3_500, "甲"),
        Cue(7_500, 8_500, "乙"),
        Cue(8_500, 9_500, "乙"),
        Cue(20_500, 21_500, "丙"),
    ]


def test_without_a_cut_nothing_moves() -> None:
    cues = [Cue(0, 1_000, "甲"), Cue(5_000, 9_000, "乙")]
    assert retimed(cues, [(0, 10_000)]) == cues


@pytest.mark.parametrize("tag", ["", "Chinese", "zh_CN", "z", "zh-" + "x" * 30])
def test_a_language_is_a_tag(tag: str) -> None:
    with pytest.raises(Invalid):
        clean_language(tag)
