"""Use cases of publishing: the first root, a publication, renewal of what runs out, recall, and looking back.

Publishing needs several short transactions, so those functions take the database and open their own; the others
work in the caller's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import lease as leases
from server.config import Config
from server.db import Database
from server.errors import NotFound
from server.i18n import N_
from server.identity import audit
from server.identity.rules import Action, Caller
from server.publish.keys import make_demo_keys
from server.publish.models import Publication, PublicationState, RecalledRelease, Release
from server.publish.panel import seat
from server.publish.publisher import Compile, PublicationResult, Publisher, keep_root
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
) -> PublicationResult:
    """Sign and serve the present state of catalogue and schedule; quick and without effect when nothing changed.

    What a signer refuses is held back with its reasons, and everything else goes out. Raises leases.LeaseTaken,
    leases.LeaseLost, audit.ChainBroken, KeysMissing, RepositoryBroken.
    """
    with _lease(database) as lease:
        return Publisher(database, config, store, lease, now, by).publish(compile_schedule)


def keep_fresh(database: Database, config: Config, store: Store, *, now: datetime) -> None:
    """What happens every hour by itself: a new timestamp, a new snapshot with whatever runs out soon, and no half
    files of killed publishers.

    Changes nothing that is said. Raises as :func:`publish`.
    """
    with _lease(database) as lease:
        Publisher(database, config, store, lease, now, SYSTEM).keep_fresh()
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
