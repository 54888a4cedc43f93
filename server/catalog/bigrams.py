"""Text cut into overlapping two-character pieces, so that SQLite's FTS5 and PostgreSQL's tsvector find the same. Pure.

A run of letters, figures and Han characters ``小麦种植`` becomes ``小麦 麦种 种植 植``: every pair, and the last
character alone. A query of two characters or more is then the phrase of its pairs, and finds exactly the texts that
hold it as a substring; a query of one character is a prefix. Runs need no gap between them: no pair crosses their
border, and the single character at a run's end keeps the pairs beside it apart.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

MOST_TERMS = 8
"""Runs of a query that count; people type two or three."""
LONGEST_TERM = 40
MOST_PIECES = 16_000
"""Pieces of one document that are kept: PostgreSQL's positions end at 16,383."""


def plain(text: str) -> str:
    """As texts are compared: full-width forms and case folded."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def runs(text: str) -> list[str]:
    """The stretches of letters and figures, in plain form."""
    return "".join(letter if letter.isalnum() else " " for letter in plain(text)).split()


def pieces(text: str) -> list[str]:
    """What is indexed of a text, in order."""
    return [run[at : at + 2] for run in runs(text) for at in range(len(run))]


def pieces_of(texts: Iterable[str]) -> list[str]:
    """The same of several texts, one after the other."""
    return [piece for text in texts for piece in pieces(text)]


@dataclass(frozen=True)
class Term:
    """A run of a query: neighbouring pieces, or one character with which a piece begins."""

    pieces: tuple[str, ...]
    is_prefix: bool


def terms(query: str) -> list[Term]:
    """What a query asks for; every term must be found. Empty for a query without letters and figures."""
    asked = dict.fromkeys(run[:LONGEST_TERM] for run in runs(query))
    return [_term(run) for run in list(asked)[:MOST_TERMS]]


def _term(run: str) -> Term:
    if len(run) == 1:
        return Term((run,), is_prefix=True)
    return Term(tuple(run[at : at + 2] for at in range(len(run) - 1)), is_prefix=False)


# --- SQLite FTS5 ----------------------------------------------------------------------------------------------------
def fts_text(found: list[str]) -> str:
    """Pieces as FTS5's unicode61 reads them."""
    return " ".join(found[:MOST_PIECES])


def fts_query(asked: list[Term], columns: Iterable[str]) -> str:
    """An FTS5 expression: all terms, each in one of the columns."""
    said = " AND ".join(f'"{" ".join(term.pieces)}"{" *" if term.is_prefix else ""}' for term in asked)
    return f"{{{' '.join(columns)}}} : ({said})"


# --- PostgreSQL -------------------------------------------------------------------------------------------------------
def tsvector(found: list[str]) -> str:
    """Pieces as a tsvector literal with positions."""
    return " ".join(f"'{piece}':{at}" for at, piece in enumerate(found[:MOST_PIECES], start=1))


def tsquery(asked: list[Term]) -> str:
    """A tsquery literal: all terms."""
    return " & ".join(f"'{term.pieces[0]}':*" if term.is_prefix else _phrase(term.pieces) for term in asked)


def _phrase(found: tuple[str, ...]) -> str:
    return "(" + " <-> ".join(f"'{piece}'" for piece in found) + ")"
