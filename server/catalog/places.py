"""Places as people write them: codes, names, names behind those of places above."""

from __future__ import annotations

from sqlalchemy.orm import Session

from server.catalog.typed import words_of
from server.errors import Invalid
from server.i18n import N_
from server.regions import service as regions
from server.regions.codes import short_name
from server.regions.models import Region

MAX_WRITTEN = 200
"""Places in one field."""


def codes_of(session: Session, text: str) -> list[str]:
    """The codes of places written between commas: ``130123``, ``正定县``, ``正定 曲阳桥镇``. Raises Invalid."""
    words = [code for word in words_of(text) for code in _split_codes(word)]
    if len(words) > MAX_WRITTEN:
        raise Invalid(N_("地区最多 %(most)d 个"), code="regions", most=MAX_WRITTEN)
    return list(dict.fromkeys(_code_of(session, word) for word in words))


def code_of(session: Session, text: str) -> str | None:
    """The code of one place, None for an empty text. Raises Invalid."""
    codes = codes_of(session, text)
    if len(codes) > 1:
        raise Invalid(N_("这里只能写一个地区"), code="region")
    return codes[0] if codes else None


def _split_codes(word: str) -> list[str]:
    parts = word.split()
    return parts if all(part.isdecimal() for part in parts) else [word]


def _code_of(session: Session, word: str) -> str:
    if word.isdecimal():
        if regions.find(session, word) is None:
            raise Invalid(N_("没有行政区划 %(region)s"), code="region", region=word[:20])
        return word
    found = regions.search(session, word[:60])
    exact = [row for row in found if word.rsplit(maxsplit=1)[-1] in (row.name, short_name(row.name))]
    nearest = _highest(exact or list(found))
    if not nearest:
        raise Invalid(N_("没有找到地区“%(name)s”"), code="region", name=word[:40])
    if len(nearest) > 1:
        raise Invalid(
            N_("叫“%(name)s”的地区不止一个，请在前面写上级地区，或写代码"), code="region", name=word[:40]
        )
    return nearest[0].code


def _highest(rows: list[Region]) -> list[Region]:
    shortest = min((len(row.code) for row in rows), default=0)
    return [row for row in rows if len(row.code) == shortest]
