"""Remote commands: somebody asks for a look at a village's screen, by name, and the next publication carries it.

A command is of one terminal and holds a day. Each one costs every station a new snapshot, so a person has so many a
day, and asking again within ten minutes is the same command.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from protocol.documents import Command, Deed
from protocol.times import to_text
from server.errors import Conflict, NotFound, TooMany
from server.i18n import N_
from server.identity import audit
from server.identity.rules import Action, Caller
from server.stations.models import Station, StationCommand, Terminal

HOLDS = timedelta(hours=24)
SAME_WITHIN = timedelta(minutes=10)
MOST_A_DAY = 40
MOST_OPEN = 500


def ask_screenshot(session: Session, caller: Caller, terminal_id: str, *, now: datetime) -> StationCommand:
    """Ask a terminal for a picture of its screen. Raises NotFound, Forbidden, Conflict (revoked), TooMany."""
    terminal = session.get(Terminal, terminal_id)
    if terminal is None:
        raise NotFound(N_("没有这台终端"))
    station = session.get_one(Station, terminal.station_id)
    caller.require(Action.STATIONS_LOOK, station.region)
    if terminal.revoked_at is not None:
        raise Conflict(N_("该终端已停用"))
    if (there := _latest(session, terminal_id)) and there.asked_at > now - SAME_WITHIN:
        return there
    _check_day(session, caller, now)
    asked_at = now.replace(microsecond=now.microsecond // 1000 * 1000)
    command = StationCommand(
        terminal_id=terminal_id,
        station_id=station.id,
        do=Deed.SCREENSHOT,
        asked_by=caller.id,
        asked_by_name=caller.name,
        asked_at=asked_at,
        until=asked_at + HOLDS,
    )
    session.add(command)
    session.flush()
    audit.append(
        session,
        actor=caller,
        action="command.ask",
        subject=f"command:{command.id}",
        detail={
            "do": command.do, "terminals": [terminal_id], "until": to_text(command.until), "station": station.id,
        },
        now=now,
    )  # fmt: skip
    return command


def _check_day(session: Session, caller: Caller, now: datetime) -> None:
    asked = session.scalar(
        select(func.count(StationCommand.id)).where(
            StationCommand.asked_by == caller.id, StationCommand.asked_at > now - timedelta(days=1)
        )
    )
    if int(asked or 0) >= MOST_A_DAY:
        raise TooMany(N_("一天最多看 %(most)s 次屏幕"), most=MOST_A_DAY, retry_after_s=3600)


def _latest(session: Session, terminal_id: str) -> StationCommand | None:
    return session.scalars(
        select(StationCommand)
        .where(StationCommand.terminal_id == terminal_id)
        .order_by(StationCommand.asked_at.desc())
        .limit(1)
    ).first()


def latest_of_station(session: Session, station_id: str) -> StationCommand | None:
    """The newest command to a station's terminals."""
    return session.scalars(
        select(StationCommand)
        .where(StationCommand.station_id == station_id)
        .order_by(StationCommand.asked_at.desc())
        .limit(1)
    ).first()


def open_commands(session: Session, *, now: datetime) -> Sequence[Command]:
    """What holds now, the newest where there are too many, in the order it was asked; as terminals are told."""
    rows = session.scalars(
        select(StationCommand)
        .join(Terminal, Terminal.id == StationCommand.terminal_id)
        .where(StationCommand.until > now, Terminal.revoked_at.is_(None))
        .order_by(StationCommand.asked_at.desc(), StationCommand.id)
        .limit(MOST_OPEN)
    ).all()
    return [
        Command(
            id=row.id, terminals=[row.terminal_id], do=row.do, at=to_text(row.asked_at), until=to_text(row.until)
        )
        for row in reversed(rows)
    ]  # fmt: skip


def change_mark(session: Session) -> tuple[object, ...]:
    """Differs from an earlier one when something was asked."""
    return (session.scalar(select(func.count(StationCommand.id))),)
