"""The term list: finding words however they are written, and which version brought them."""

from __future__ import annotations

import pytest

from server.catalog import termlists, terms
from server.catalog.terms import Term, Text, clean, find
from server.errors import Invalid


def hits(text: str, *listed: str) -> list[str]:
    return [hit.term for hit in find([Term(text=t) for t in listed], [Text(field="title", text=text)])]


def test_words_are_found_whatever_their_width_case_and_blanks() -> None:
    assert hits("本产品全国第一，ＡＢＣ级", "全国第一", "abc") == ["全国第一", "abc"]
    assert hits("保 证　高 产", "保证高产") == ["保证高产"]
    assert hits("no such word", "保证高产") == []


def test_the_longest_of_several_words_is_named() -> None:
    assert hits("卫生和计划生育委员会", "卫生", "卫生和计划生育委员会") == ["卫生和计划生育委员会"]


def test_letters_that_mean_something_in_patterns_are_plain_letters() -> None:
    assert hits("价格 (优惠)* 100%", "(优惠)*", "100%", ".+") == ["(优惠)*", "100%"]


def test_a_hit_in_subtitles_has_its_time_and_the_words_around_it() -> None:
    vtt = (
        "WEBVTT\n\n1\n00:01:02.500 --> 00:01:04.000\n这个药包治百病\n\n01:00.000 --> 01:02.000 line:0\n别信\n"
    )
    assert termlists.cues(vtt) == [(62_500, "这个药包治百病"), (60_000, "别信")]
    texts = [Text(field="subtitles", text=text, at_ms=at) for at, text in termlists.cues(vtt)]
    (hit,) = find(terms.BUILT_IN, texts)
    assert (hit.term, hit.at_ms, hit.excerpt) == ("包治", 62_500, "这个药包治百病")


def test_what_is_no_webvtt_has_no_lines() -> None:
    assert termlists.cues("00:00 --> x\n\n--> \n\nabc") == []
    assert termlists.cues("\0" * 1000) == []


def test_a_kept_word_keeps_the_version_that_brought_it() -> None:
    before = [Term(text="最佳", since=1), Term(text="根治", since=2)]
    after = clean(
        [Term(text=" 最佳 "), Term(text="包治"), Term(text="包治"), Term(text="")], version=3, before=before
    )
    assert [(term.text, term.since) for term in after] == [("最佳", 1), ("包治", 3)]


def test_a_list_of_nonsense_is_refused() -> None:
    with pytest.raises(Invalid):
        clean([Term(text="长" * 61)], version=1, before=[])
    with pytest.raises(Invalid):
        clean([Term(text=f"词{n}") for n in range(terms.MAX_TERMS + 1)], version=1, before=[])


def test_many_hits_come_to_an_end() -> None:
    listed = [Term(text=f"词条{n:04d}") for n in range(3_000)]
    found = find(listed, [Text(field="summary", text="词条0007 " * 5_000)])
    assert len(found) == terms.MOST_HITS
