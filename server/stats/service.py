"""Figures from facts, within a caller's regions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, case, distinct, func, select
from sqlalchemy.orm import Session

from server.errors import Invalid
from server.i18n import N_
from server.identity.rules import Action, Caller
from server.regions.service import require_code
from server.stations.queries import inside
from server.stats import charts
from server.stats.charts import Sums, ViewingReport
from server.stats.models import ReportEpoch, ViewingFact

LONGEST_PERIOD_DAYS = 400


def viewing(
    session: Session, caller: Caller, *, region: str | None, first: date, last: date, top: int = 20
) -> ViewingReport:
    """Viewing by day and by programme, from ``first`` to ``last`` (both included, days in Asia/Shanghai).

    Without a region, all that the caller may see. Raises Forbidden for a region outside, Invalid for a bad period.
    """
    regions = _regions(caller, region)
    if not 0 <= (last - first).days < LONGEST_PERIOD_DAYS:
        raise Invalid(N_("起止日期不对，或超过 %(days)s 天"), days=LONGEST_PERIOD_DAYS)
    chosen = and_(inside(ViewingFact.region, regions), ViewingFact.day.between(first, last))
    by_day = session.execute(_sums(chosen, ViewingFact.day)).all()
    return ViewingReport(
        regions=list(regions),
        first_day=first.isoformat(),
        last_day=last.isoformat(),
        total=charts.figures(_read_sums(session.execute(_sums(chosen)).one())),
        days=charts.days(first, last, {row[-1]: _read_sums(row) for row in by_day}),
        programmes=_programmes(session, chosen, top),
    )


def read_day(text: str) -> date:
    """Raises Invalid for what is no day."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Invalid(N_("“%(day)s”不是日期"), day=text) from error


def _regions(caller: Caller, region: str | None) -> Sequence[str]:
    if region is None:
        return caller.scopes(Action.STATS_VIEW)
    caller.require(Action.STATS_VIEW, require_code(region))
    return (region,)


def _programmes(session: Session, chosen: ColumnElement[bool], top: int) -> list[charts.ProgrammeFigures]:
    sums = {row[-1]: _read_sums(row) for row in session.execute(_sums(chosen, ViewingFact.programme))}
    most = sorted(sums, key=lambda programme: (-sums[programme].played_ms, programme))[:top]
    names = _names(session, chosen, most)
    return charts.programmes([(p, *names[p], sums[p]) for p in most], top)


def _names(
    session: Session, chosen: ColumnElement[bool], programmes: Sequence[str]
) -> dict[str, tuple[str, str]]:
    """Title and section of the latest session of each programme."""
    newest = (
        select(
            ViewingFact.programme,
            ViewingFact.title,
            ViewingFact.section,
            func.row_number()
            .over(
                partition_by=ViewingFact.programme,
                order_by=(ViewingFact.started_at.desc(), ViewingFact.seq.desc()),
            )
            .label("place"),
        )
        .where(chosen, ViewingFact.programme.in_(programmes))
        .subquery()
    )
    rows = session.execute(select(newest).where(newest.c.place == 1))
    return {row.programme: (row.title, row.section) for row in rows}


def _sums(chosen: ColumnElement[bool], *group: Any) -> Select[Any]:
    """Sums over chosen sessions; those of disputed epochs are counted apart."""
    disputed = ViewingFact.seq > func.coalesce(ReportEpoch.disputed_after, ViewingFact.seq)

    def total(value: Any) -> Any:
        return func.coalesce(func.sum(case((disputed, 0), else_=value)), 0)

    return (
        select(
            total(ViewingFact.played_ms),
            total(ViewingFact.on_ms),
            total(1),
            func.count(distinct(case((disputed, None), else_=ViewingFact.station_id))),
            func.coalesce(func.sum(case((disputed, ViewingFact.played_ms), else_=0)), 0),
            *group,
        )
        .join(
            ReportEpoch,
            and_(ReportEpoch.terminal_id == ViewingFact.terminal_id, ReportEpoch.epoch == ViewingFact.epoch),
        )
        .where(chosen)
        .group_by(*group)
    )


def _read_sums(row: Row[Any]) -> Sums:
    return Sums(*(int(value) for value in row[:5]))
