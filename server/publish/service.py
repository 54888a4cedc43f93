"""Use cases of publishing: the first root, a publication, renewal of what runs out, recall, and looking back.

Publishing needs several short transactions, so those functions take the database and open their own; the others
work in the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from protocol import names
from protocol.documents import Frame, decode
from server import lease as leases
from server.config import Config
from server.db import Database
from server.errors import Invalid, NotFound
from server.i18n import N_
from server.identity import audit
from server.identity.rules import Action, Caller
from server.publish import queue
from server.publish.changes import DocumentChange
from server.publish.history import Comparison, Reading, put_back
from server.publish.keys import make_demo_keys
from server.publish.models import (
    Publication,
    PublicationKind,
    PublicationState,
    RecalledRelease,
    Release,
)
from server.publish.panel import seat
from server.publish.publisher import Compile, Proposal, PublicationResult, Publisher, keep_root
from server.publish.scope import Problem
from server.publish.trust_repository import Repository, RepositoryDamaged
from server.readplane import sweep
from server.receiptkey import receipt_public
from server.schedule.service import compile_documents
from server.storage import Store, open_store

LEASE = "publish"
LEASE_MS = 120_000
SYSTEM = "系统"
PAGE = 50
PROVINCE = "13"
STALE_AFTER = timedelta(hours=2)
LEFT_BEHIND_AFTER = timedelta(hours=1)


# --- the beginning ----------------------------------------------------------------------------------------------------
def initialise(config: Config, database: Database, *, now: datetime) -> None:
    """Keys, the first root, the receipt key and a first publication; whatever is there already stays.

    Raises KeysMissing when a root is published but its keys are not all here: new keys would lock every terminal out.
    """
    repository = Repository(config.read)
    if repository.root() is None:
        make_demo_keys(config.keys)
    receipt_public(config)
    store = open_store(config)
    keep_root(repository, seat(config, database, store), now=now)
    if repository.served() is None:
        publish(database, config, store, now=now, by=SYSTEM)


# --- a publication ----------------------------------------------------------------------------------------------------
def publish(
    database: Database,
    config: Config,
    store: Store,
    *,
    now: datetime,
    by: str,
    compile_schedule: Compile = compile_documents,
    begun: Callable[[], None] = lambda: None,
) -> PublicationResult:
    """Sign and serve the present state of catalogue and schedule; quick and without effect when nothing changed.

    What a signer refuses is held back with its reasons, and everything else goes out, but for changes that were
    returned, and in a protected period those that nobody approved. Raises leases.LeaseTaken, leases.LeaseLost,
    audit.ChainBroken, KeysMissing, RepositoryBroken. ``begun`` is called once nobody else is at it.
    """
    with _lease(database) as lease:
        begun()
        publisher = Publisher(database, config, store, lease, now, by)
        with database.read() as session:
            asks_nobody = not queue.matters(session, now)
        if asks_nobody:
            return publisher.publish(compile_schedule)
        chosen = _Chosen(database, now, attended=True)
        result = publisher.publish(compile_schedule, chosen)
        chosen.settle(result)
        return result


def publish_changes(
    database: Database,
    config: Config,
    store: Store,
    *,
    now: datetime,
    compile_schedule: Compile = compile_documents,
    report: Report | None = None,
) -> PublicationResult:
    """What goes out by itself: clean edits of cities and counties, changes that a second person approved, recalls,
    emergencies that two people agreed on; withdrawn editions leave. Everything else is found in the queue afterwards.

    Raises as :func:`publish`.
    """
    with _lease(database) as lease:
        publisher = Publisher(database, config, store, lease, now, SYSTEM, kind=PublicationKind.UNATTENDED)
        chosen = _Chosen(database, now, attended=False, report=report)
        result = publisher.publish_changes(compile_schedule, chosen)
        chosen.settle(result)
        return result


def roll_back(
    database: Database,
    config: Config,
    store: Store,
    *,
    to: int,
    now: datetime,
    by: str,
    begun: Callable[[], None] = lambda: None,
) -> PublicationResult:
    """Put the schedule of an earlier publication back, as a new one with higher serials; recalls and withdrawals stay.

    Until somebody publishes again, what is edited waits in the queue. Raises as :func:`publish`, and NoLongerKept.
    """
    with _lease(database) as lease:
        begun()
        past = Reading(Repository(config.read)).documents(to)
        publisher = Publisher(
            database, config, store, lease, now, by, kind=PublicationKind.ROLLBACK, back_to=to
        )
        return publisher.publish_documents(lambda wanted, playable: put_back(past, wanted, playable=playable))


Report = Callable[[Session, Collection[str], datetime], Mapping[str, Sequence[Problem]]]
"""The conflict report for some regions: (session, regions, now) → problems by region."""


class _Chosen:
    """Decides about proposals by the queue, and settles it after the publication."""

    def __init__(
        self, database: Database, now: datetime, *, attended: bool, report: Report | None = None
    ) -> None:
        self._database, self._now = database, now
        self._attended, self._report = attended, report
        self._going: dict[str, DocumentChange] = {}

    def __call__(self, proposals: Sequence[Proposal]) -> Mapping[str, Sequence[Problem]]:
        with self._database.write() as session:
            if self._attended:
                held = queue.consider_attended(session, proposals, now=self._now)
            else:
                regions = {p.change.region for p in proposals if not p.change.is_frame}
                report = self._report(session, regions, self._now) if self._report and regions else {}
                held = queue.consider(session, proposals, report=report, now=self._now)
        self._going = {p.change.target: p.change for p in proposals if p.change.target not in held}
        return held

    def settle(self, result: PublicationResult) -> None:
        """Note what went out; what a signer refused waits with the signer's reasons."""
        refused = {h.subject: h.problems for h in result.held_back if h.kind == "document"}
        with self._database.write() as session:
            for target in refused.keys() & self._going.keys():
                queue.refused(session, self._going[target], refused[target], now=self._now)
            gone = [change for target, change in self._going.items() if target not in refused]
            if result.changed and gone:
                queue.note_published(session, gone, result.number)


def keep_fresh(database: Database, config: Config, store: Store, *, now: datetime) -> None:
    """What happens every hour by itself: a new timestamp, a new snapshot with whatever runs out soon, and no half
    files of killed publishers.

    Changes nothing that is said. Raises as :func:`publish`.
    """
    with _lease(database) as lease:
        Publisher(database, config, store, lease, now, SYSTEM, kind=PublicationKind.RENEWAL).keep_fresh()
        sweep(config.read, before_s=(now - LEFT_BEHIND_AFTER).timestamp())


@contextmanager
def _lease(database: Database) -> Iterator[leases.Lease]:
    try:
        lease = leases.take(database, LEASE, lasts_ms=LEASE_MS)
    except leases.LeaseTaken as error:
        raise leases.LeaseTaken(N_("另一次发布正在进行，请稍后再试")) from error
    try:
        yield lease
    finally:
        lease.release(database)


# --- recall -----------------------------------------------------------------------------------------------------------
def recall(
    session: Session, caller: Caller, edition_id: str, *, reason: str, now: datetime
) -> RecalledRelease:
    """Forbid a release for ever; takes effect with the next publication. Recalling again changes nothing.

    Raises Forbidden, and NotFound for an edition that was never admitted.
    """
    caller.require(Action.PUBLISH_RUN, PROVINCE)
    found = session.get(RecalledRelease, edition_id)
    if found is not None:
        return found
    release = session.get(Release, edition_id)
    if release is None:
        raise NotFound(N_("这个版本从未发布过"))
    row = RecalledRelease(edition_id=edition_id, sha256=release.sha256, at=now, by=caller.name, reason=reason)
    session.add(row)
    session.flush()
    audit.append(
        session,
        actor=caller,
        action="publish.recall",
        subject=f"edition:{edition_id}",
        detail={"release": release.sha256, "reason": reason},
        now=now,
    )
    return row


# --- looking back -----------------------------------------------------------------------------------------------------
def list_publications(
    session: Session, caller: Caller, *, before: int | None = None, limit: int | None = None
) -> Sequence[Publication]:
    """Publications, newest first. Raises Forbidden."""
    caller.require(Action.PUBLISH_VIEW)
    query = select(Publication).order_by(Publication.number.desc()).limit(limit or PAGE)
    if before is not None:
        query = query.where(Publication.number < before)
    return session.scalars(query).all()


def get_publication(session: Session, caller: Caller, number: int) -> Publication:
    """One publication. Raises Forbidden, NotFound."""
    caller.require(Action.PUBLISH_VIEW)
    found = session.get(Publication, number)
    if found is None:
        raise NotFound(N_("没有第 %(number)s 次发布"), number=number)
    return found


def reaches_until(config: Config) -> str | None:
    """Until when (a Timestamp) the served frame of the province holds; None before there is one."""
    repository = Repository(config.read)
    served = repository.served()
    content = repository.role(served, names.FRAME) if served else None
    info = content.targets.get(names.frame_target(PROVINCE)) if content else None
    data = repository.target(names.frame_target(PROVINCE), info) if info else None
    return decode(data, Frame).valid_until if data else None


def before(session: Session, number: int) -> int | None:
    """The number of the publication that was served before this one."""
    return session.scalar(
        select(Publication.number)
        .where(Publication.number < number, Publication.state == PublicationState.DONE)
        .order_by(Publication.number.desc())
        .limit(1)
    )


def compare(session: Session, caller: Caller, config: Config, first: int, second: int) -> Comparison:
    """What the later of two publications says otherwise. Raises Forbidden, NotFound, NoLongerKept, Invalid."""
    older, newer = sorted((first, second))
    if older == newer:
        raise Invalid(N_("请选两次不同的发布"))
    rows = [get_publication(session, caller, number) for number in (older, newer)]
    if any(row.state != PublicationState.DONE for row in rows):
        raise Invalid(N_("只能比较已签名的发布"))
    return Reading(Repository(config.read)).compare(older, newer, since=rows[0].at)


def editions_named(found: Comparison) -> set[str]:
    """Every edition a comparison speaks of."""
    named = {*found.admitted, *found.dropped, *(entry.edition for entry in found.recalled)}
    return named | {line.edition for change in found.documents for line in change.lines}


def latest(session: Session) -> Publication | None:
    """The newest publication that is done."""
    return session.scalars(
        select(Publication)
        .where(Publication.state == PublicationState.DONE)
        .order_by(Publication.number.desc())
        .limit(1)
    ).first()


# --- is it served? ----------------------------------------------------------------------------------------------------------
class Verdict(StrEnum):
    """How the read plane and the database agree."""

    SAME = "same"
    NOTHING = "nothing"
    BEHIND = "behind"
    AHEAD = "ahead"
    STALE = "stale"
    DAMAGED = "damaged"


def compare_served(database: Database, config: Config, *, now: datetime) -> Verdict:
    """Compare the served timestamp with the database.

    ``behind`` means that an old state is served (a restored disk, or worse), ``ahead`` that a publisher was cut off
    between its last two steps, which the next one puts right; ``stale`` that nobody re-signs the timestamp.
    """
    try:
        served = Repository(config.read).served()
    except RepositoryDamaged:
        return Verdict.DAMAGED
    with database.read() as session:
        known = latest(session)
    if served is None or known is None:
        return Verdict.NOTHING if served is None and known is None else Verdict.BEHIND
    seen = (served.publication, served.timestamp_version)
    expected = (known.number, known.timestamp_version or 0)
    if seen != expected:
        return Verdict.BEHIND if seen < expected else Verdict.AHEAD
    return Verdict.STALE if now - served.issued > STALE_AFTER else Verdict.SAME
