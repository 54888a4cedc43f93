"""敏感词与易错词: where the words of a list occur in texts. Pure.

A hit is shown to the reviewers with its place and, in subtitles, its time; it never blocks by itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from enum import StrEnum

from msgspec import Struct

from server.errors import Invalid
from server.i18n import N_

MAX_TERMS = 5_000
MAX_TERM = 60
MAX_NOTE = 200
MOST_HITS = 200
_AROUND = 12


class TermKind(StrEnum):
    SENSITIVE = "sensitive"
    NAME = "name"
    WORDING = "wording"


KIND_NAMES: dict[TermKind, str] = {
    TermKind.SENSITIVE: N_("敏感"),
    TermKind.NAME: N_("名称"),
    TermKind.WORDING: N_("用语"),
}


class Term(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry. ``since`` is the version of the list that brought it."""

    text: str
    note: str = ""
    kind: TermKind = TermKind.WORDING
    since: int = 0


class Text(Struct, frozen=True, kw_only=True):
    """A text to look through. ``at_ms`` is when a line of subtitles is shown."""

    field: str
    text: str
    at_ms: int | None = None


class Hit(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A term found: where, in which words, and when it is shown."""

    term: str
    field: str
    excerpt: str
    note: str = ""
    kind: TermKind = TermKind.WORDING
    since: int = 0
    at_ms: int | None = None


BUILT_IN: tuple[Term, ...] = tuple(
    Term(text=text, note=note, kind=kind)
    for kind, note, texts in (
        (TermKind.NAME, "2018 年起为农业农村部", ("农业部",)),
        (TermKind.NAME, "2018 年起为卫生健康委", ("卫计委", "卫生和计划生育委员会")),
        (TermKind.NAME, "2018 年起为市场监督管理局", ("工商局", "工商行政管理局", "质监局", "食药监局")),
        (
            TermKind.NAME,
            "2019 年起为中国银行保险监督管理机构，2023 年起为国家金融监督管理总局",
            ("银监会", "保监会"),
        ),
        (
            TermKind.WORDING,
            "广告法第九条：绝对化用语",
            ("国家级", "最高级", "最佳", "全国第一", "百分之百有效"),
        ),
        (TermKind.WORDING, "疗效、产量的保证要有依据", ("包治", "根治", "稳赚", "保证高产", "包销")),
        (TermKind.WORDING, "称谓要尊重", ("残废人", "乡巴佬")),
    )
    for text in texts
)
"""The list that an installation begins with (version 0)."""


def clean(entries: Iterable[Term], *, version: int, before: Sequence[Term]) -> list[Term]:
    """A list to keep: trimmed, each text once, old entries keep the version that brought them. Raises Invalid."""
    known = {term.text: term.since for term in before}
    found: dict[str, Term] = {}
    for entry in entries:
        text = _plain(entry.text).strip()
        if not text:
            continue
        if len(text) > MAX_TERM or len(entry.note) > MAX_NOTE:
            raise Invalid(N_("词条“%(text)s”太长"), code="bad_term", text=text[:20])
        found[text] = Term(
            text=text, note=entry.note.strip(), kind=entry.kind, since=known.get(text, version)
        )
    if len(found) > MAX_TERMS:
        raise Invalid(N_("词表最多 %(most)s 条"), code="too_many_terms", most=MAX_TERMS)
    return list(found.values())


def find(terms: Sequence[Term], texts: Iterable[Text]) -> list[Hit]:
    """Every place where a term stands, the longest term first where several begin together; at most MOST_HITS."""
    if not terms:
        return []
    by_text = {_plain(term.text): term for term in terms}
    pattern = re.compile("|".join(re.escape(text) for text in sorted(by_text, key=len, reverse=True)))
    hits: list[Hit] = []
    for part in texts:
        plain = _plain(part.text)
        for match in pattern.finditer(plain):
            term = by_text[match[0]]
            hits.append(
                Hit(
                    term=term.text,
                    field=part.field,
                    excerpt=plain[max(0, match.start() - _AROUND) : match.end() + _AROUND].replace("\n", " "),
                    note=term.note,
                    kind=term.kind,
                    since=term.since,
                    at_ms=part.at_ms,
                )
            )
            if len(hits) >= MOST_HITS:
                return hits
    return hits


def _plain(text: str) -> str:
    """Full-width and half-width, upper and lower case are one; blanks between Chinese letters do not hide a word."""
    folded = unicodedata.normalize("NFKC", text).lower()
    return re.sub(r"(?<=[\u4e00-\u9fff])[ \u200b\u3000]+(?=[\u4e00-\u9fff])", "", folded)
