"""What the rows want published: released editions as manifests, and every document. Nothing here is believed yet."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from protocol import keys as ed25519
from protocol import names
from protocol.documents import (
    Commands,
    Endpoints,
    LineRule,
    Network,
    Recall,
    RecalledRelease,
    ReceiptKey,
    ReleaseManifest,
    Succession,
    decode,
)
from protocol.times import to_text
from server.catalog.models import Edition, EditionState
from server.catalog.renditions import ReleasedEdition, released_editions
from server.catalog.review import WITHDRAWN
from server.config import Config
from server.i18n import N_
from server.identity.models import AuditEntry
from server.publish import models
from server.publish.assembly import Assembly, HeldBack, NewRelease
from server.publish.manifests import build_manifest
from server.publish.scope import Problem
from server.publish.signers import Document
from server.publish.trust_repository import Repository
from server.publish.trust_roles import TargetInfo
from server.receiptkey import receipt_public
from server.regions import service as regions
from server.schedule.notices import emergency_document
from server.schedule.service import CompiledSchedule, ReleaseRef
from server.stations import commanding, line_settings

_CHUNK = 500


@dataclass
class Wanted:
    """The catalogue as the rows want it: what is admitted already by target, and what signers must look at."""

    known: dict[str, TargetInfo] = field(default_factory=dict)
    refs: dict[str, ReleaseRef] = field(default_factory=dict)
    new: list[NewRelease] = field(default_factory=list)
    unplayable: list[HeldBack] = field(default_factory=list)


def wanted_releases(session: Session, repository: Repository, assembly: Assembly) -> Wanted:
    """Released editions. One that is served under the hash its row names is known; all others are looked at, and so
    is one whose row says released although it was withdrawn.
    """
    wanted = Wanted()
    doubtful: list[str] = []
    rows = session.execute(
        select(Edition.id, models.Release.sha256, models.Release.length, models.Release.duration_ms)
        .outerjoin(models.Release, models.Release.edition_id == Edition.id)
        .where(Edition.state == EditionState.RELEASED)
        .order_by(Edition.id)
    )
    withdrawn = set(session.scalars(select(AuditEntry.subject).where(AuditEntry.action == WITHDRAWN)))
    for edition, sha256, length, duration_ms in rows:
        target = names.release_target(edition)
        is_served = sha256 and assembly.served_target(target) == TargetInfo(length, sha256)
        if is_served and f"edition:{edition}" not in withdrawn:
            wanted.known[target] = TargetInfo(length, sha256)
            wanted.refs[edition] = ReleaseRef(sha256, duration_ms)
        else:
            doubtful.append(edition)
    for chunk in _chunks(doubtful):
        _look_up(session, repository, assembly, chunk, wanted)
    return wanted


def admitted_releases(session: Session) -> dict[str, ReleaseRef]:
    """What is admitted and still released, by edition, as the rows say; signers look for themselves."""
    rows = session.execute(
        select(models.Release.edition_id, models.Release.sha256, models.Release.duration_ms)
        .join(Edition, Edition.id == models.Release.edition_id)
        .where(Edition.state == EditionState.RELEASED)
        .where(~exists().where(models.RecalledRelease.edition_id == models.Release.edition_id))
    )
    return {edition: ReleaseRef(sha256, duration_ms) for edition, sha256, duration_ms in rows}


def no_longer_released(session: Session) -> list[str]:
    """Editions that were admitted once and may no longer be played."""
    return list(
        session.scalars(
            select(models.Release.edition_id)
            .join(Edition, Edition.id == models.Release.edition_id)
            .where(Edition.state != EditionState.RELEASED)
        )
    )


def _look_up(
    session: Session, repository: Repository, assembly: Assembly, editions: Sequence[str], wanted: Wanted
) -> None:
    stored = {
        row.edition_id: row.data
        for row in session.scalars(select(models.Release).where(models.Release.edition_id.in_(editions)))
    }
    ready = {released.edition.id: released for released in released_editions(session, only=editions)}
    for edition in editions:
        data = stored.get(edition) or _served_manifest(repository, assembly, edition)
        if data is None and edition in ready:
            data = manifest_of(ready[edition])
        if data is not None:
            wanted.new.append(NewRelease(edition, decode(data, ReleaseManifest).title, data))
        else:
            wanted.unplayable.append(_unplayable(session, edition))


def _served_manifest(repository: Repository, assembly: Assembly, edition: str) -> bytes | None:
    """A manifest that was served before its row was kept: its bytes are fixed for good."""
    target = names.release_target(edition)
    served = assembly.served_target(target)
    return repository.target(target, served) if served else None


def manifest_of(released: ReleasedEdition) -> bytes | None:
    """A released edition's manifest as its rows are now; None where there is nothing to play."""
    if not released.renditions:
        return None
    return build_manifest(
        released.edition, released.description, released.renditions, released.files, released.own_files
    )


def _unplayable(session: Session, edition: str) -> HeldBack:
    title = session.get_one(Edition, edition).programme.title
    return HeldBack("edition", edition, title, (Problem("no_rendition", N_("没有转码成品")),))


def _chunks(items: Sequence[str]) -> list[list[str]]:
    return [list(items[start : start + _CHUNK]) for start in range(0, len(items), _CHUNK)]


# --- documents ------------------------------------------------------------------------------------------------------
def wanted_documents(
    session: Session,
    config: Config,
    compiled: CompiledSchedule,
    *,
    releases: Mapping[str, ReleaseRef],
    now: datetime,
    kept: Collection[str] = (),
) -> Mapping[str, Document]:
    """Every document by target, but for those of ``kept``, which need not be made; serials are given when signed."""
    documents: dict[str, Document] = small_documents(session, config, releases, now)
    for region in compiled.frames:
        if names.frame_target(region) not in kept:
            documents[names.frame_target(region)] = compiled.frames[region]
    for region in compiled.locals:
        if names.local_target(region) not in kept:
            documents[names.local_target(region)] = compiled.locals[region]
    return documents


def small_documents(
    session: Session, config: Config, releases: Mapping[str, ReleaseRef], now: datetime
) -> dict[str, Document]:
    """Recalls, emergencies, the network's addresses and rules, and remote commands where there are any."""
    documents: dict[str, Document] = {
        names.RECALL_TARGET: recall_document(session),
        names.EMERGENCY_TARGET: emergency_document(session, releases=releases, now=now),
        names.NETWORK_TARGET: network_document(
            config,
            regions.successors(session),
            line_settings.line_rules(session),
            line_settings.poll_seconds(session),
        ),
    }
    asked = commanding.open_commands(session, now=now)
    if asked:
        documents[names.COMMAND_TARGET] = Commands(serial=0, items=list(asked))
    return documents


def network_document(
    config: Config, successors: Mapping[str, str], lines: Sequence[LineRule] = (), poll_s: int = 0
) -> Network:
    """Where terminals find the province, which key signs receipts, which regions were merged into which, how lines may
    be used and how often to look."""
    public = receipt_public(config)
    return Network(
        serial=0,
        endpoints=Endpoints(api=f"{config.console_url}/api/v1", read=list(config.read_urls)),
        receipt_keys=[ReceiptKey(keyid=ed25519.key_id(public), public=public)],
        successions=[Succession(merged=code, into=into) for code, into in sorted(successors.items())],
        poll_s=poll_s,
        lines=list(lines),
    )


def recall_document(session: Session) -> Recall:
    """Everything that was ever recalled."""
    rows = session.scalars(
        select(models.RecalledRelease).order_by(models.RecalledRelease.at, models.RecalledRelease.edition_id)
    )
    return Recall(
        serial=0,
        recalled=[
            RecalledRelease(edition=row.edition_id, release=row.sha256, at=to_text(row.at), reason=row.reason)
            for row in rows
        ],
    )
