"""Windows, fillers and the settings of channels: what the province lays out for everybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from protocol.regions import Level, within
from server.catalog.models import Programme, Section
from server.db import new_id
from server.errors import Forbidden, Invalid, NotFound
from server.i18n import N_
from server.identity.rules import Action, Caller
from server.schedule import history
from server.schedule.loading import MOST_WEIGHT
from server.schedule.models import Channel, Filler, FillerSection, WindowRule
from server.schedule.placing import MAIN_CHANNEL, clean_rrule, is_provincial, known_channel, known_region

LONGEST_WINDOW_MS = 24 * 3_600_000
MOST_DEADLINE_HOURS = 14 * 24
MOST_FILL = 50
MOST_CARD_MS = 30_000
MOST_NO_REPEAT_MIN = 24 * 60


class WindowChanges(TypedDict, total=False):
    """What may be changed of a window; what is absent stays."""

    region: str
    level: str
    starts_at: datetime
    duration_ms: int
    rrule: str | None
    channel: str
    admits: Sequence[str]
    excluded: Sequence[str]
    exdates: Sequence[str]
    fill: Sequence[str]
    deadline_hours: int
    title: str


def put_window(
    session: Session,
    caller: Caller,
    *,
    starts_at: datetime,
    duration_ms: int,
    level: str = Level.COUNTY,
    region: str = "13",
    rrule: str | None = None,
    channel: str = MAIN_CHANNEL,
    admits: Sequence[str] = (),
    excluded: Sequence[str] = (),
    fill: Sequence[str] = (),
    deadline_hours: int = 0,
    title: str = "",
    now: datetime | None = None,
) -> WindowRule:
    """Open a window in the frame of a region. Raises NotFound, Forbidden, Invalid."""
    window = WindowRule(
        id=new_id(),
        channel=channel,
        region=region,
        level=level,
        starts_at=starts_at,
        duration_ms=duration_ms,
        rrule=clean_rrule(rrule),
        admits=list(admits),
        exdates=[],
        rdates=[],
        excluded=sorted(set(excluded)),
        fill=list(fill),
        deadline_hours=deadline_hours,
        title=title,
        version=1,
        created_by_name=caller.name,
    )
    _check(session, caller, window)
    history.added(session, caller, window, now=now or starts_at)
    return window


def change_window(
    session: Session,
    caller: Caller,
    window_id: str,
    changes: WindowChanges,
    *,
    version: int | None,
    now: datetime,
) -> WindowRule:
    """Move, resize or change a window. Raises as :func:`put_window`, and history.Stale."""
    _require_provincial(caller, "13")
    window = history.current(session, WindowRule, window_id, version, changes)
    values: dict[str, Any] = {k: list(v) if isinstance(v, tuple | list) else v for k, v in changes.items()}
    if "rrule" in values:
        values["rrule"] = clean_rrule(values["rrule"])
    _check(session, caller, WindowRule(**{**_values(window), **values}))
    history.apply(session, caller, window, values, deed="changed", now=now)
    return window


def remove_window(
    session: Session, caller: Caller, window_id: str, *, version: int | None = None, now: datetime
) -> WindowRule:
    """Close a window for good; what was placed in it no longer plays and is reported. Raises NotFound, Stale."""
    window = history.locked(session, WindowRule, window_id)
    _require_provincial(caller, window.region)
    window = history.current(session, WindowRule, window_id, version, {"removed": True})
    history.apply(session, caller, window, {"removed_at": now}, deed="removed", now=now)
    return window


def restore_window(
    session: Session, caller: Caller, window_id: str, *, version: int | None = None, now: datetime
) -> WindowRule:
    """Open a removed window again. Raises NotFound, Stale."""
    window = history.locked(session, WindowRule, window_id)
    _require_provincial(caller, window.region)
    if version is not None and window.version != version:
        raise history.Stale(window, {"removed": False})
    if window.removed_at is not None:
        _check(session, caller, window)
        history.apply(session, caller, window, {"removed_at": None}, deed="restored", now=now)
    return window


def set_back(
    session: Session, caller: Caller, window: WindowRule, state: Mapping[str, Any], *, now: datetime
) -> None:
    """Give a window the state it had before a change (for undo)."""
    values = history.restored_values(WindowRule, state)
    _check(session, caller, WindowRule(**{**_values(window), **values}))
    history.apply(session, caller, window, values, deed="undone", now=now)


def list_windows(session: Session, *, channel: str | None = None) -> Sequence[WindowRule]:
    """Every window in force."""
    query = select(WindowRule).where(WindowRule.removed_at.is_(None)).order_by(WindowRule.id)
    return session.scalars(query.where(WindowRule.channel == channel) if channel else query).all()


def _check(session: Session, caller: Caller, window: WindowRule) -> None:
    known_region(session, window.region)
    known_channel(session, window.channel)
    _require_provincial(caller, window.region)
    if window.level not in (Level.CITY, Level.COUNTY) or not 0 < window.duration_ms <= LONGEST_WINDOW_MS:
        raise Invalid(N_("地方窗口须属于市级或县级，时长在 24 小时以内"))
    if not 0 <= window.deadline_hours <= MOST_DEADLINE_HOURS:
        raise Invalid(N_("截止时间最多提前 14 天"))
    for section in window.admits:
        if session.get(Section, section) is None:
            raise NotFound(N_("没有这个板块：%(section)s"), section=section)
    for region in window.excluded:
        known_region(session, region)
        if region == window.region or not within(region, window.region):
            raise Invalid(N_("除外的地区须在编排的地区之内"), code="excluded")
    if len(window.fill) > MOST_FILL:
        raise Invalid(N_("窗口的备用节目最多 %(most)s 个"), most=MOST_FILL)
    for programme in window.fill:
        known_programme(session, programme)


def _require_provincial(caller: Caller, region: str) -> None:
    caller.require(Action.SCHEDULE_EDIT, region)
    if not is_provincial(caller):
        raise Forbidden(N_("地方窗口由省级编辑开设"))


def _values(window: WindowRule) -> dict[str, Any]:
    return {column.key: getattr(window, column.key) for column in WindowRule.__table__.columns}


def known_programme(session: Session, programme: str) -> None:
    if session.get(Programme, programme) is None:
        raise NotFound(N_("没有这个节目"))


# --- fillers and channels ---------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class FillerChoice:
    """Chosen fillers of a channel: programmes and sections, each with its weight."""

    programmes: Mapping[str, int]
    sections: Mapping[str, int]


def set_fillers(
    session: Session,
    caller: Caller,
    channel: str,
    programme_ids: Sequence[str],
    *,
    weights: Mapping[str, int] | None = None,
    sections: Mapping[str, int] | None = None,
) -> None:
    """Choose a channel's fillers: programmes, and whole sections. Weights (1–9) default to 1.

    Raises Forbidden, NotFound, Invalid.
    """
    caller.require(Action.SCHEDULE_EDIT, "13")
    known_channel(session, channel)
    wanted = {programme: (weights or {}).get(programme, 1) for programme in programme_ids}
    for weight in (*wanted.values(), *(sections or {}).values()):
        if not 1 <= weight <= MOST_WEIGHT:
            raise Invalid(N_("垫片的权重须在 1 到 9 之间"))
    session.execute(delete(Filler).where(Filler.channel == channel))
    session.execute(delete(FillerSection).where(FillerSection.channel == channel))
    for programme, weight in wanted.items():
        known_programme(session, programme)
        session.add(Filler(id=new_id(), channel=channel, programme_id=programme, weight=weight))
    for section, weight in (sections or {}).items():
        if session.get(Section, section) is None:
            raise NotFound(N_("没有这个板块：%(section)s"), section=section)
        session.add(FillerSection(channel=channel, section=section, weight=weight))
    session.flush()


def fillers(session: Session, channel: str) -> FillerChoice:
    """What was chosen; nothing chosen means every short programme."""
    programmes = session.execute(
        select(Filler.programme_id, Filler.weight).where(Filler.channel == channel).order_by(Filler.id)
    )
    sections = session.execute(
        select(FillerSection.section, FillerSection.weight).where(FillerSection.channel == channel)
    )
    return FillerChoice(dict(programmes.all()), dict(sections.all()))


def set_channel(
    session: Session,
    caller: Caller,
    channel_id: str,
    *,
    version: int | None,
    next_card_ms: int | None = None,
    no_repeat_min: int | None = None,
    logo: tuple[str, int, str] | None = None,
) -> Channel:
    """Change how a channel looks: its card, how soon a filler may come again, its logo (sha256, length, pieces root).

    Raises Forbidden, NotFound, Invalid, Conflict for a stale version.
    """
    caller.require(Action.SCHEDULE_EDIT, "13")
    known_channel(session, channel_id)
    channel = session.get_one(Channel, channel_id, with_for_update=True, populate_existing=True)
    if version is not None and channel.version != version:
        raise history.StaleChannel(channel.version)
    if next_card_ms is not None:
        if not 0 <= next_card_ms <= MOST_CARD_MS:
            raise Invalid(N_("下一节目提示最长 30 秒"))
        channel.next_card_ms = next_card_ms
    if no_repeat_min is not None:
        if not 0 <= no_repeat_min <= MOST_NO_REPEAT_MIN:
            raise Invalid(N_("垫片的间隔最长 24 小时"))
        channel.no_repeat_min = no_repeat_min
    if logo is not None:
        channel.logo_sha256, channel.logo_length, channel.logo_pieces_root = logo
    channel.version += 1
    session.flush()
    return channel
