"""撤并: a region that was merged into another, said once and for all stations of it.

The tree keeps the merged region, because facts and rules name it; its stations follow the region that took it over (the
signed network document tells them), and the conflict report names what is still placed at the old one.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from protocol.regions import level_of, within
from server.errors import Conflict, Invalid
from server.i18n import N_
from server.identity import audit
from server.identity.rules import Action, Caller
from server.regions import service as regions
from server.regions.models import Region


def merge(session: Session, caller: Caller | None, code: str, into: str, *, now: datetime) -> Region:
    """Say that ``code`` was merged into ``into``, of the same level. Told twice it is one merger.

    Raises Forbidden, NotFound, Invalid (itself, another level), Conflict (merged elsewhere already; its successor is
    merged itself; others were merged into it).
    """
    if caller is not None:
        caller.require(Action.REGIONS_MANAGE, code)
        caller.require(Action.REGIONS_MANAGE, into)
    region, successor = regions.get(session, code), regions.get(session, into)
    if region.successor == into:
        return region
    if within(into, code) or within(code, into) or level_of(code) is not level_of(into):
        raise Invalid(N_("只能并入同一级的另一个行政区划"))
    if region.successor is not None or successor.successor is not None:
        raise Conflict(N_("%(place)s 已经撤并"), place=region.name if region.successor else successor.name)
    if any(code in (old, new) for old, new in regions.successors(session).items()):
        raise Conflict(N_("已有别的地区并入 %(place)s，请先改并"), place=region.name)
    region.successor = into
    session.flush()
    detail = {"into": into}
    audit.append(
        session, actor=caller, action="region.merge", subject=f"region:{code}", detail=detail, now=now
    )
    return region
