"""剪辑方案: how an edition is cut from an untouched source. Pure.

A recipe is a small JSON object; ``{}`` is the whole source, uncut. Its SHA-256 over the canonical bytes is what the final
review binds together with the source's SHA-256, so any change of it is another edition::

    {"in_ms": 1500, "out_ms": 600000, "removed": [[90000, 95000]], "intro": <sha256 of an asset>, "outro": <…>}

All instants are milliseconds of the source. The intro and the outro are whole assets, named by their bytes.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from protocol.documents import Sha256Hex
from server.errors import Invalid
from server.i18n import N_

SHORTEST_MS = 1_000
"""A cut shorter than this is a slip of the hand."""
MOST_REMOVED = 100

Ms = Annotated[int, Meta(ge=0)]


class Recipe(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What of a source is shown. ``removed`` are spans [from, to) inside [in, out), in order, none touching another."""

    in_ms: Ms = 0
    out_ms: Ms | None = None
    removed: tuple[tuple[Ms, Ms], ...] = ()
    intro: Sha256Hex | None = None
    outro: Sha256Hex | None = None

    @property
    def empty(self) -> bool:
        return self == Recipe()

    def plain(self) -> dict[str, Any]:
        """The object that is stored with an edition: defaults left out."""
        return msgspec.to_builtins(self)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()

    def kept(self, duration_ms: int) -> list[tuple[int, int]]:
        """The spans [from, to) of a source of this length that remain, in order."""
        spans, at = [], self.in_ms
        for begin, end in self.removed:
            if begin > at:
                spans.append((at, begin))
            at = max(at, end)
        last = duration_ms if self.out_ms is None else min(self.out_ms, duration_ms)
        if last > at:
            spans.append((at, last))
        return spans


def parse(plain: object) -> Recipe:
    """A recipe from what somebody sent or what is stored. Raises Invalid naming the field."""
    try:
        return msgspec.convert(plain, Recipe, strict=True)
    except msgspec.ValidationError as error:
        raise Invalid(N_("剪辑方案不正确：%(detail)s"), code="bad_recipe", detail=str(error)) from error


def check(recipe: Recipe, duration_ms: int) -> None:
    """Raises Invalid unless the recipe makes sense for a source of this length."""
    out = duration_ms if recipe.out_ms is None else recipe.out_ms
    if out > duration_ms:
        raise Invalid(N_("出点在节目结束之后"), code="bad_recipe")
    if len(recipe.removed) > MOST_REMOVED:
        raise Invalid(N_("删去的片段最多 %(most)d 段"), code="bad_recipe", most=MOST_REMOVED)
    at = recipe.in_ms
    for begin, end in recipe.removed:
        if not at <= begin < end <= out or (begin == at != recipe.in_ms):
            raise Invalid(N_("删去的片段要按先后、互不相接，并在入点和出点之间"), code="bad_recipe")
        at = end
    if sum(end - begin for begin, end in recipe.kept(duration_ms)) < SHORTEST_MS:
        raise Invalid(N_("剪辑后不足一秒"), code="bad_recipe")
