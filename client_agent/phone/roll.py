"""Calling the roll: reading a list of names, whose tap counts, and what is counted. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

MOST_PEOPLE = 1_000
MOST_OTHERS = 999
NAME_LENGTH = 20
_BETWEEN = re.compile(r"[\r\n,，、;；\t|]+")
_NUMBERED = re.compile(r"^\s*[(（]?\d{1,4}[)）.．、:：]?\s*")
_KIND = re.compile(r"\s*[(（\[【]?\s*(中共党员|预备党员|党员|群众)\s*[)）\]】]?\s*$")


@dataclass(frozen=True)
class Person:
    """One name on the station's list. ``party``: a member of the Party, else 群众."""

    id: int
    name: str
    party: bool


@dataclass(frozen=True)
class Mark:
    """Somebody was tapped: there, or not there after all."""

    person: int
    present: bool
    at_ms: int


@dataclass(frozen=True)
class Counts:
    """What is told of a roll. ``expected`` is the length of the list; ``present`` has those who stand on no list too."""

    expected: int
    present: int
    members: int
    public: int


def clean_name(text: str) -> str:
    """A name without control characters and doubled spaces, cut to a sane length; empty where nothing is left."""
    plain = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in text)
    return " ".join(plain.split())[:NAME_LENGTH].strip()


def read_names(text: str, *, party: bool = False) -> list[tuple[str, bool]]:
    """(name, member of the Party) of a pasted list: one a line, or with commas between; numbers before names go.

    A name may be followed by 党员 or 群众; without either ``party`` holds.
    """
    found = []
    for part in _BETWEEN.split(text):
        said = _KIND.search(part)
        name = clean_name(_NUMBERED.sub("", part[: said.start()] if said else part))
        if name:
            found.append((name, said[1] != "群众" if said else party))
    return found


def newest(kept: Mapping[int, Mark], said: Iterable[Mark]) -> dict[int, Mark]:
    """What of ``said`` is news: of one person the last tap counts, whichever phone it came from and whenever."""
    news: dict[int, Mark] = {}
    for mark in said:
        before = news.get(mark.person) or kept.get(mark.person)
        if before is None or mark.at_ms >= before.at_ms:
            news[mark.person] = mark
    return news


def count(people: Sequence[Person], marks: Mapping[int, Mark], others: int) -> Counts:
    """The figures of a roll; ``others`` came and stand on no list: they count as 群众."""
    there = [person for person in people if (mark := marks.get(person.id)) is not None and mark.present]
    members = sum(person.party for person in there)
    return Counts(
        expected=len(people),
        present=len(there) + others,
        members=members,
        public=len(there) - members + others,
    )
