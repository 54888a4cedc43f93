"""Stations and their terminals: adding, listing, inviting, revoking. Each caller within his regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from protocol.enrolment import CODE_VALID_HOURS, Code, derive_key, new_code
from protocol.regions import Level, level_of
from server.errors import Conflict, Invalid, NotFound
from server.i18n import N_
from server.identity import audit
from server.identity.rules import Action, Caller
from server.regions import service as regions
from server.stations.models import Invitation, Revocation, Station, StationKind, Terminal
from server.stations.queries import inside

MAX_NAME = 80
MAX_LIMIT = 200
KINDS: dict[Level, tuple[StationKind, ...]] = {
    Level.VILLAGE: (StationKind.VILLAGE, StationKind.ENTERPRISE),
    Level.TOWNSHIP: (StationKind.TOWNSHIP, StationKind.ENTERPRISE),
    Level.COUNTY: (StationKind.ENTERPRISE,),
}
"""Which stations may stand at which level, the usual kind first."""


@dataclass(frozen=True)
class Issued:
    """A fresh invitation: ``code`` is shown once and kept nowhere."""

    code: Code
    expires_at: datetime


def add_station(
    session: Session, caller: Caller, *, region: str, name: str, kind: str | None = None, now: datetime
) -> Station:
    """A new station. Raises Forbidden outside the caller's regions, Invalid for an unknown or too high region."""
    caller.require(Action.STATIONS_MANAGE, regions.require_code(region))
    place = regions.find(session, region)
    if place is None:
        raise Invalid(N_("没有行政区划 %(region)s"), region=region)
    station = Station(
        region=region, name=_name(name), kind=_kind(level_of(region), kind, place.name), created_at=now
    )
    session.add(station)
    session.flush()
    audit.append(
        session,
        actor=caller,
        action="station.add",
        subject=f"station {station.id}",
        detail={"region": region, "name": station.name, "kind": station.kind},
        now=now,
    )
    return station


def _name(name: str) -> str:
    plain = " ".join(name.split())
    if not plain or len(plain) > MAX_NAME or not plain.isprintable():
        raise Invalid(N_("站点名称应为 1–%(most)s 个字"), most=MAX_NAME)
    return plain


def _kind(level: Level, kind: str | None, place: str) -> StationKind:
    possible = KINDS.get(level, ())
    if not possible:
        raise Invalid(N_("%(place)s 是上级区划，站点应设在村、乡镇"), place=place)
    if kind is None:
        kind = possible[0]
        if level is Level.COUNTY:
            raise Invalid(N_("%(place)s 是县级区划，站点应设在村、乡镇；企业站点请注明类型"), place=place)
    if kind not in possible:
        raise Invalid(N_("%(place)s 不能设这类站点"), place=place)
    return StationKind(kind)


def get_station(session: Session, caller: Caller, station_id: str) -> Station:
    """Raises NotFound, also for a station outside the caller's regions."""
    station = session.get(Station, station_id)
    if station is None or not caller.can(Action.STATIONS_VIEW, station.region):
        raise NotFound(N_("没有这个站点"))
    return station


def list_stations(
    session: Session,
    caller: Caller,
    *,
    region: str | None = None,
    name: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> Sequence[Station]:
    """Stations the caller may see, the oldest first, those after the id ``after``; at most ``limit``.

    Raises Forbidden for a region outside the caller's.
    """
    conditions = [_visible(caller, region)]
    if name:
        conditions.append(Station.name.contains(name, autoescape=True))
    if after:
        conditions.append(Station.id > after)
    return session.scalars(
        select(Station).where(and_(*conditions)).order_by(Station.id).limit(min(limit, MAX_LIMIT))
    ).all()


def list_terminals(
    session: Session,
    caller: Caller,
    *,
    region: str | None = None,
    station: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> Sequence[tuple[Terminal, Station]]:
    """Terminals with their stations, like :func:`list_stations`."""
    conditions = [_visible(caller, region)]
    if station:
        conditions.append(Station.id == station)
    if after:
        conditions.append(Terminal.id > after)
    rows = session.execute(
        select(Terminal, Station)
        .join(Station, Station.id == Terminal.station_id)
        .where(and_(*conditions))
        .order_by(Terminal.id)
        .limit(min(limit, MAX_LIMIT))
    )
    return [(terminal, station) for terminal, station in rows]


def _visible(caller: Caller, region: str | None) -> ColumnElement[bool]:
    if region is None:
        return inside(Station.region, caller.scopes(Action.STATIONS_VIEW))
    caller.require(Action.STATIONS_VIEW, regions.require_code(region))
    return inside(Station.region, [region])


def invite(
    session: Session, caller: Caller, station_id: str, *, replaces: str | None = None, now: datetime
) -> Issued:
    """A code that enrols one terminal at a station, once, within 72 hours. With ``replaces`` (换机) that terminal of the
    same station is revoked in the moment the code is used, and not before.

    Raises NotFound (also for a station elsewhere), Forbidden where the caller may look but not manage, Conflict where
    the terminal to be replaced is revoked already.
    """
    station = get_station(session, caller, station_id)
    caller.require(Action.STATIONS_MANAGE, station.region)
    if replaces is not None:
        old = session.get(Terminal, replaces)
        if old is None or old.station_id != station.id:
            raise NotFound(N_("没有这台终端"))
        if old.revoked_at is not None:
            raise Conflict(N_("该终端已停用"))
    code = _unused_code(session)
    expires_at = now + timedelta(hours=CODE_VALID_HOURS)
    session.add(
        Invitation(
            code_id=code.id,
            station_id=station.id,
            key=derive_key(code),
            created_by=caller.id,
            created_at=now,
            expires_at=expires_at,
            tries=0,
            replaces=replaces,
        )
    )
    session.flush()
    audit.append(
        session,
        actor=caller,
        action="station.invite",
        subject=f"station {station.id}",
        detail={"code": code.id} | ({"replaces": replaces} if replaces else {}),
        now=now,
    )
    return Issued(code, expires_at)


def _unused_code(session: Session) -> Code:
    """Numbers of codes are few (a million): one that was ever given out is not given out again."""
    for _ in range(100):
        code = new_code()
        if session.get(Invitation, code.id) is None:
            return code
    raise Conflict(N_("注册码用完了，请联系管理员"))


def get_terminal(session: Session, caller: Caller, terminal_id: str) -> Terminal:
    """Raises NotFound, also for one outside the caller's regions."""
    terminal = session.get(Terminal, terminal_id)
    if terminal is None or not caller.can(Action.STATIONS_VIEW, terminal.station.region):
        raise NotFound(N_("没有这台终端"))
    return terminal


def revoke_terminal(session: Session, caller: Caller, terminal_id: str, *, now: datetime) -> Terminal:
    """Stop trusting a stolen or scrapped device: its reports are refused from now on, what it reported stays.

    Raises NotFound (also for one elsewhere), Forbidden, Conflict where it is revoked already.
    """
    terminal = get_terminal(session, caller, terminal_id)
    caller.require(Action.STATIONS_MANAGE, terminal.station.region)
    if terminal.revoked_at is not None:
        raise Conflict(N_("该终端已停用"))
    terminal.revoked_at, terminal.revoked_why = now, Revocation.GIVEN_UP
    audit.append(session, actor=caller, action="terminal.revoke", subject=f"terminal {terminal.id}", now=now)
    return terminal


def alarms(session: Session, caller: Caller, station_id: str | None = None) -> Sequence[Invitation]:
    """Invitations that a second key asked for, the latest first: at one station, or in all the caller's regions."""
    conditions = [
        Invitation.alarm.is_not(None),
        inside(Station.region, caller.scopes(Action.STATIONS_VIEW)),
    ]
    if station_id:
        conditions.append(Station.id == station_id)
    return session.scalars(
        select(Invitation)
        .join(Station, Station.id == Invitation.station_id)
        .where(*conditions)
        .order_by(Invitation.used_at.desc())
    ).all()
