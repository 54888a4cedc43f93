"""Finding one's village on the public pages: by code, by name, by pinyin initials, or down the tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.regions import service as regions
from server.regions.codes import short_name
from server.regions.initials import InitialsIndex
from server.regions.models import Region

MOST_FOUND = 30
_LONGEST_QUERY = 40


@dataclass(frozen=True)
class Place:
    """A region to choose: its short name, and where it lies as people write it."""

    code: str
    name: str
    path: str


class _Index:
    """The initials of every region, made once and again when the tree has grown."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._count = -1
        self._index = InitialsIndex(())

    def current(self, session: Session) -> InitialsIndex:
        count = session.scalar(select(func.count()).select_from(Region)) or 0
        with self._lock:
            if count != self._count:
                rows = session.execute(select(Region.code, Region.name)).all()
                self._index = InitialsIndex((code, name) for code, name in rows)
                self._count = count
            return self._index


_index = _Index()


def find(session: Session, text: str) -> list[Place]:
    """At most :data:`MOST_FOUND` places; nothing for an empty text."""
    wanted = " ".join(text.split())[:_LONGEST_QUERY]
    if not wanted or "\x00" in wanted:
        return []
    if wanted.isascii() and wanted.isalpha():
        return _described(session, _index.current(session).find(wanted, MOST_FOUND))
    return _described(session, [r.code for r in regions.search(session, wanted, limit=MOST_FOUND)])


def below(session: Session, code: str | None) -> list[Place]:
    """The regions one level below, by code: a city's counties, a township's villages."""
    parent = code or None
    return [
        Place(child.code, short_name(child.name), "")
        for child in regions.children(session, parent, limit=2_000)
    ]


def path(session: Session, code: str) -> Sequence[Place]:
    """The region with its ancestors, province first. Raises NotFound, Invalid."""
    return [
        Place(r.code, short_name(r.name), "") for r in regions.path_of(session, regions.require_code(code))
    ]


def _described(session: Session, codes: Sequence[str]) -> list[Place]:
    paths = regions.path_of_many(session, codes)
    return [
        Place(code, short_name(paths[code][-1].name), regions.join_names(paths[code][:-1]))
        for code in codes
        if code in paths
    ]
