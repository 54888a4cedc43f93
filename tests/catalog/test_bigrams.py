"""Text cut into pieces, and queries made of them."""

from __future__ import annotations

import sqlite3
import sys
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from server.catalog.bigrams import MOST_TERMS, fts_query, fts_text, pieces, runs, terms, tsquery, tsvector


def test_a_run_becomes_its_pairs_and_its_last_character() -> None:
    assert pieces("小麦种植") == ["小麦", "麦种", "种植", "植"]
    assert pieces("麦") == ["麦"]
    assert pieces("麦，稻") == ["麦", "稻"]
    assert pieces("") == []


def test_full_width_and_capital_letters_are_the_plain_ones() -> None:
    assert runs("ＶＣＤ 第２集") == ["vcd", "第2集"]
    assert pieces("DVD") == pieces("ｄｖｄ")


def test_a_query_is_its_runs_each_of_which_must_be_found() -> None:
    asked = terms("小麦　病虫害, 麦")
    assert [(term.pieces, term.is_prefix) for term in asked] == [
        (("小麦",), False),
        (("病虫", "虫害"), False),
        (("麦",), True),
    ]
    assert terms("!!! ——") == []
    assert len(terms(" ".join(f"词{n}号" for n in range(100)))) == MOST_TERMS


def test_queries_in_both_databases_words() -> None:
    asked = terms("病虫害 麦")
    assert fts_query(asked, ["title"]) == '{title} : ("病虫 虫害" AND "麦" *)'
    assert tsquery(asked) == "('病虫' <-> '虫害') & '麦':*"
    assert tsvector(pieces("小麦")) == "'小麦':1 '麦':2"


LETTERS = st.text(st.sampled_from("小麦种植病虫害 ，aB1é"), max_size=12)


def fts_finds(text: str, query: str) -> bool:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE t USING fts5(title, tokenize='unicode61 remove_diacritics 0')")
    connection.execute("INSERT INTO t VALUES (?)", [fts_text(pieces(text))])
    expression = fts_query(terms(query), ["title"])
    return bool(connection.execute("SELECT count(*) FROM t WHERE t MATCH ?", [expression]).fetchone()[0])


@given(LETTERS, LETTERS)
def test_exactly_the_texts_that_hold_every_run_of_the_query_are_found(text: str, query: str) -> None:
    if terms(query):
        folded = runs(text)
        assert fts_finds(text, query) == all(any(run in one for one in folded) for run in runs(query))


def test_sqlites_reader_breaks_no_letter_that_python_calls_one() -> None:
    """All letters and figures of Unicode that Han text may hold, and the common scripts beside it."""
    letters = [
        letter
        for letter in map(chr, range(sys.maxunicode + 1))
        if letter.isalnum()
        and unicodedata.name(letter, "").startswith(("CJK", "LATIN", "DIGIT", "GREEK", "CYRIL"))
    ]
    plain = sorted({piece for letter in letters for piece in pieces(letter)})
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE t USING fts5(a, tokenize='unicode61 remove_diacritics 0')")
    connection.executemany("INSERT INTO t VALUES (?)", [[piece] for piece in plain])
    connection.execute("CREATE VIRTUAL TABLE v USING fts5vocab(t, 'row')")
    kept = {row[0] for row in connection.execute("SELECT term FROM v")}
    assert set(plain) - kept == set()
