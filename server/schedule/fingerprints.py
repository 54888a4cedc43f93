"""What a document depends on, as one hash: while it stays, the document need not be made again. Pure.

A frame depends on what all share (channels, fillers, releases, topics, the province's notices, the days covered) and on
the province's rules for its region and the regions above it; a local document also on the rules of its own city or
county. Cheap enough to be taken of every document at every publication: each region's rules are hashed once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from protocol.regions import lineage, within
from server.schedule.rulebook import PROVINCE, Rules

MADE_BY = "1"
"""Raise it when documents come out differently from the same rules."""


class Fingerprints:
    """Of the documents of one set of rules and one span."""

    def __init__(self, rules: Rules, begin: datetime, end: datetime) -> None:
        self._rules = rules
        provincial = [notice for notice in rules.notices if notice.level == PROVINCE]
        self._common = _hash(
            MADE_BY, begin, end, rules.channels, rules.fillers, rules.releases, rules.sections, rules.topics, provincial
        )  # fmt: skip
        self._by_region: dict[tuple[str, bool], list[Any]] = {}
        for rule in rules.regional:
            self._by_region.setdefault((rule.region, rule.level == PROVINCE), []).append(rule)
        for window in rules.windows:
            self._by_region.setdefault((window.region, True), []).append(window)
        self._hashes: dict[tuple[str, bool], str] = {}

    def frame(self, region: str) -> str:
        return self._combined(self._common, *(self._of(code, province=True) for code in lineage(region)))

    def local(self, region: str) -> str:
        notices = [n for n in self._rules.notices if n.level != PROVINCE and within(n.region, region)]
        return self._combined(self.frame(region), self._of(region, province=False), _hash(notices))

    def _of(self, region: str, *, province: bool) -> str:
        key = (region, province)
        if key not in self._hashes:
            self._hashes[key] = _hash(self._by_region.get(key, []))
        return self._hashes[key]

    @staticmethod
    def _combined(*parts: str) -> str:
        return hashlib.sha256("|".join(parts).encode()).hexdigest()


def _hash(*values: Iterable[Any] | datetime | str) -> str:
    return hashlib.sha256(msgspec.json.encode(values, order="deterministic")).hexdigest()
