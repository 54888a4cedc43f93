"""What happens around reviews at intervals: reminders, deputies, looking through with the term list."""

from __future__ import annotations

import logging
from contextlib import closing
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import clock
from server.catalog import deadlines, duty, policies, rounds, termlists, texts
from server.catalog.deadlines import Step
from server.catalog.models import Edition, ReviewTask, Stage
from server.config import Config
from server.db import Database
from server.i18n import N_
from server.identity.messages import MessageKind, holders, post
from server.storage import open_store

log = logging.getLogger(__name__)

SCANS_A_TICK = 50
_DUE_SOON = N_("审核快要到期：%(title)s")
_OVERDUE = N_("审核已超时：%(title)s")
_DEPUTY = N_("加急审核转到替补：%(title)s")


def tick(config: Config) -> None:
    """Once a minute."""
    with closing(Database(config.database_url)) as database:
        with database.write() as session:
            done = remind(session, now=clock.now())
        if done:
            log.info("reviews: %s reminders", done)
        _scan(config, database)


def remind(session: Session, *, now: datetime) -> int:
    """Do for every open review what is due; how many messages were new."""
    rules = policies.policy(session)
    sent = 0
    tasks = session.scalars(
        select(ReviewTask).where(ReviewTask.closed_at.is_(None)).order_by(ReviewTask.due_at).limit(1_000)
    ).all()
    for task in tasks:
        waiting = deadlines.Waiting(
            opened_at=task.opened_at,
            due_at=task.due_at,
            is_urgent=task.is_urgent,
            reminded=task.reminded_at is not None,
            overdue_told=task.overdue_told_at is not None,
            deputy_called=task.deputy_called_at is not None,
        )
        for step in deadlines.steps(waiting, rules, now):
            sent += _STEPS[step](session, task, rules, now)
    return sent


def _remind(session: Session, task: ReviewTask, _rules: deadlines.ReviewPolicy, now: datetime) -> int:
    task.reminded_at = now
    return _tell(session, task, _eligible(session, task), MessageKind.DEADLINE, _DUE_SOON, now)


def _overdue(session: Session, task: ReviewTask, _rules: deadlines.ReviewPolicy, now: datetime) -> int:
    """The reviewers hear it, and the contributor, who waits."""
    task.overdue_told_at = now
    edition = session.get_one(Edition, task.edition_id)
    people = _eligible(session, task) | {edition.contributor_id}
    return _tell(session, task, people, MessageKind.DEADLINE, _OVERDUE, now)


def _call_deputy(session: Session, task: ReviewTask, rules: deadlines.ReviewPolicy, now: datetime) -> int:
    """Nobody answered in time: the deputy, and where the roster has none, everybody who may decide."""
    task.deputy_called_at = now
    people = {task.deputy_id} if task.deputy_id else _eligible(session, task)
    round_ = rounds.newest_round(session, task.edition_id)
    return _tell(
        session,
        task,
        people,
        MessageKind.DUTY,
        _DEPUTY,
        now,
        text=rounds.CALL_TEXT,
        minutes=rules.urgent_minutes,
        reason=round_.urgent_reason if round_ else "",
    )


_STEPS = {Step.REMIND: _remind, Step.OVERDUE: _overdue, Step.CALL_DEPUTY: _call_deputy}


def _eligible(session: Session, task: ReviewTask) -> set[str]:
    """Who may still decide this stage."""
    edition = session.get_one(Edition, task.edition_id)
    able = set(holders(session, duty.STAGE_ACTIONS[Stage(task.stage)], edition.programme.region))
    return able - rounds.authors(session, edition) - rounds.reviewers(session, edition)


def _tell(
    session: Session,
    task: ReviewTask,
    people: set[str],
    kind: MessageKind,
    title: str,
    now: datetime,
    *,
    text: str = "",
    **params: object,
) -> int:
    edition = session.get_one(Edition, task.edition_id)
    return post(
        session,
        people,
        kind=kind,
        title=title,
        text=text,
        params={"title": edition.programme.title, **params},
        link=rounds.link_to(edition.id),
        key=f"{kind}:{title[:12]}:{task.id}",
        now=now,
    )


def _scan(config: Config, database: Database) -> None:
    """Look some editions through that the current term list has not seen; files are read outside of writing."""
    read_text = texts.reader(open_store(config), pdf=True)
    with database.read() as session:
        waiting = [edition.id for edition in termlists.stale(session, limit=SCANS_A_TICK)]
    for edition_id in waiting:
        with database.read() as session:
            edition = session.get(Edition, edition_id)
            seen = termlists.look(session, edition, read_text) if edition else None
        if seen is not None:
            with database.write() as session:
                termlists.keep(session, edition_id, seen, now=clock.now())
