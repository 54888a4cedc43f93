"""The administrative tree: import and look-up."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import ColumnElement, func, insert, select, update
from sqlalchemy.orm import Session

from protocol.regions import level_of, lineage
from server.errors import Invalid, NotFound
from server.i18n import N_
from server.regions.codes import Row, read_rows, short_name
from server.regions.models import Region

TREE_FILE = Path(__file__).with_name("regions-13.csv.gz")
_BATCH = 5_000
_MOST_LOOKED_AT = 2_000


@dataclass(frozen=True)
class Imported:
    """What an import changed. Regions are never deleted: old records name old codes."""

    total: int
    added: int
    renamed: int

    def __bool__(self) -> bool:
        """Whether anything changed."""
        return bool(self.added or self.renamed)


def import_tree(session: Session, path: Path = TREE_FILE) -> Imported:
    """Read a tree (``code,parent,level,name``, gzip or plain) over what is there; reading it again changes nothing.

    Raises Invalid naming the line; then nothing is changed.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8", newline="") as lines:
            rows = list(read_rows(lines))
    except (ValueError, OSError, EOFError) as error:
        raise Invalid(N_("行政区划文件 %(file)s 有误：%(reason)s"), file=path.name, reason=error) from error
    known = dict(session.execute(select(Region.code, Region.name)).all())
    fresh = [row for row in rows if row.code not in known]
    _insert(session, fresh)
    renamed = [row for row in rows if row.code in known and known[row.code] != row.name]
    for row in renamed:
        session.execute(update(Region).where(Region.code == row.code).values(name=row.name))
    return Imported(total=len(rows), added=len(fresh), renamed=len(renamed))


def _insert(session: Session, rows: Sequence[Row]) -> None:
    """Parents first, whatever the file's order."""
    ordered = sorted(rows, key=lambda row: len(row.code))
    for start in range(0, len(ordered), _BATCH):
        session.execute(insert(Region.__table__), [asdict(row) for row in ordered[start : start + _BATCH]])  # type: ignore[arg-type]


# --- look-up ----------------------------------------------------------------------------------------------------------
def find(session: Session, code: str) -> Region | None:
    return session.get(Region, code)


def get(session: Session, code: str) -> Region:
    """Raises NotFound."""
    region = find(session, code)
    if region is None:
        raise NotFound(N_("没有行政区划 %(region)s"), region=code)
    return region


def successors(session: Session) -> dict[str, str]:
    """Merged region → the one that took it over."""
    rows = session.execute(select(Region.code, Region.successor).where(Region.successor.is_not(None)))
    return {code: into for code, into in rows if into is not None}


def children(session: Session, parent: str | None, *, after: str = "", limit: int = 500) -> Sequence[Region]:
    """The regions one level below, by code; the provinces for None."""
    return session.scalars(
        select(Region).where(Region.parent == parent, Region.code > after).order_by(Region.code).limit(limit)
    ).all()


def path_of(session: Session, code: str) -> list[Region]:
    """The region with its ancestors, province first. Raises NotFound."""
    return path_of_many(session, [get(session, code).code])[code]


def path_of_many(session: Session, codes: Iterable[str]) -> dict[str, list[Region]]:
    """The same for many codes with one query; unknown codes are left out."""
    wanted = set(codes)
    lines = {code: lineage(code) for code in wanted if _is_code(code)}
    needed = {ancestor for line in lines.values() for ancestor in line}
    found = {
        region.code: region
        for chunk in _chunks(sorted(needed), 500)
        for region in session.scalars(select(Region).where(Region.code.in_(chunk)))
    }
    return {
        code: [found[ancestor] for ancestor in reversed(line) if ancestor in found]
        for code, line in lines.items()
        if code in found
    }


def full_name(session: Session, code: str) -> str:
    """As it is written on a letter: 河北省石家庄市正定县曲阳桥镇曲阳桥村. Raises NotFound."""
    return join_names(path_of(session, code))


def full_names(session: Session, codes: Iterable[str]) -> dict[str, str]:
    """Full names by code; unknown codes are left out."""
    return {code: join_names(path) for code, path in path_of_many(session, codes).items()}


def names(session: Session, codes: Iterable[str]) -> dict[str, str]:
    """Short names by code; unknown codes are left out."""
    return {
        code: short_name(name)
        for chunk in _chunks(sorted(set(codes)), 500)
        for code, name in session.execute(select(Region.code, Region.name).where(Region.code.in_(chunk)))
    }


def join_names(path: Sequence[Region]) -> str:
    return "".join(short_name(region.name) for region in path)


def search(session: Session, text: str, *, within: str = "", limit: int = 20) -> Sequence[Region]:
    """Places whose name, code or written-out path fits, the higher levels first.

    ``正定 曲阳桥`` and ``正定县曲阳桥镇`` both find the township: a blank separates ancestors from the place.
    """
    *ancestors, name = text.split() or [""]
    if not name:
        return []
    if not ancestors and name.isascii() and name.isdigit():
        return _first(session, Region.code.startswith(name), within, limit)
    fits = Region.name.contains(name, autoescape=True)
    if ancestors:
        return _below(session, _first(session, fits, within, _MOST_LOOKED_AT), ancestors)[:limit]
    found = _first(session, fits, within, limit)
    return found or list(_by_written_path(session, name, within))[:limit]


def _first(session: Session, fits: ColumnElement[bool], within: str, limit: int) -> Sequence[Region]:
    return session.scalars(
        select(Region)
        .where(fits, Region.code.startswith(within, autoescape=True))
        .order_by(func.length(Region.code), Region.code)
        .limit(limit)
    ).all()


def _below(session: Session, regions: Sequence[Region], ancestors: Sequence[str]) -> list[Region]:
    """Those of the regions that have all these words in the names above them."""
    paths = path_of_many(session, [region.code for region in regions])
    return [
        region
        for region in regions
        if all(any(word in above.name for above in paths[region.code][:-1]) for word in ancestors)
    ]


def _by_written_path(session: Session, text: str, within: str) -> Iterable[Region]:
    """Follow a written-out path down the tree, from any level: 正定县曲阳桥镇曲阳桥村."""
    starts = session.scalars(select(Region).where(Region.level != "village"))
    for start in sorted(starts, key=lambda region: len(region.code)):
        for name in {start.name, short_name(start.name)}:
            if text.startswith(name):
                yield from _descend(session, start, text[len(name) :], within)


def _descend(session: Session, region: Region, rest: str, within: str) -> Iterable[Region]:
    if not rest:
        if region.code.startswith(within):
            yield region
        return
    for child in children(session, region.code, limit=10_000):
        for name in {child.name, short_name(child.name)}:
            if rest.startswith(name):
                yield from _descend(session, child, rest[len(name) :], within)
                break
        else:
            if len(rest) >= 2 and child.name.startswith(rest):
                yield from _descend(session, child, "", within)


def require_code(code: str) -> str:
    """The code itself when its form is one. Raises Invalid."""
    if not _is_code(code):
        raise Invalid(N_("“%(region)s”不是行政区划代码"), region=code)
    return code


def _is_code(code: str) -> bool:
    try:
        level_of(code)
    except ValueError:
        return False
    return True


def _chunks(items: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    return (items[start : start + size] for start in range(0, len(items), size))
