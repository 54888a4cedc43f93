"""One publisher at work: from the rows to files that are served.

Several short transactions, between which media are read and files written. A lease keeps publishers apart; the last
step shows its fence again, together with what it expects to be served, so that even a publisher that slept through
its lease changes nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from protocol.documents import Frame, LocalDocument, ReleaseManifest, decode
from protocol.names import FRAME, frame_target
from protocol.regions import lineage
from protocol.times import to_text
from server import lease as leases
from server.catalog.renditions import mark_admitted
from server.config import Config
from server.db import Counter, Database, next_number
from server.errors import Unavailable
from server.i18n import N_
from server.publish import trust_roles
from server.publish.assembly import Assembly, HeldBack, NewRelease
from server.publish.changes import DocumentChange, Timed, compare
from server.publish.evidence import Refused
from server.publish.models import (
    Publication,
    PublicationKind,
    PublicationState,
    Release,
    ServedDocument,
)
from server.publish.panel import Panel, seat
from server.publish.rules import ROOT, SNAPSHOT, TOP_RULES
from server.publish.scope import Problem
from server.publish.signers import Document, kind_of
from server.publish.trust_repository import Overtaken, Repository, RepositoryDamaged, Served
from server.publish.trust_roles import TargetInfo
from server.publish.unattended import fit_to
from server.publish.wanted import admitted_releases, no_longer_released, wanted_documents, wanted_releases
from server.schedule.service import CompiledSchedule, ReleaseRef, compile_documents
from server.storage import Store

log = logging.getLogger(__name__)

RENEW_EVERY_S = 20
_CHUNK = 500


@dataclass(frozen=True)
class Proposal:
    """A document that would change: how, to what, and the frame its stations follow now."""

    change: DocumentChange
    document: Timed
    frame: Frame | None


Choose = Callable[[Sequence[Proposal]], Mapping[str, Sequence[Problem]]]
"""Decides about proposals: for each target that must stay as it is served, why."""

Compile = Callable[..., CompiledSchedule]
"""``compile_documents`` of the schedule, or a test's stand-in: (session, releases=…, now=…)."""


class KeysDiffer(Unavailable):
    """The keys on this machine are not those that the published roles name; nothing they sign would be accepted."""

    code = "keys_differ"
    title = N_("本机的签名密钥与已发布的不符，发布已停止")


class SigningRefused(Unavailable):
    """A signer would not sign a whole role: something is wrong that holding one document back does not cure."""

    code = "signing_refused"
    title = N_("签名被拒绝")


class RepositoryBroken(Unavailable):
    """What lies on the read plane is not what was signed: somebody must look before anything is published."""

    code = "read_plane_damaged"
    title = N_("读面上的签名文件已损坏，发布已停止")


@dataclass(frozen=True)
class PublicationResult:
    """``number`` is what is served now; ``changed`` says whether this call made it. Times in ms, sizes in bytes."""

    number: int
    changed: bool
    editions: int
    new_releases: int = 0
    documents: int = 0
    roles: int = 0
    bytes_written: int = 0
    took_ms: int = 0
    held_back: tuple[HeldBack, ...] = ()
    schedule_problems: int = 0

    def summary(self) -> dict[str, Any]:
        return {
            "editions": self.editions,
            "new_releases": self.new_releases,
            "documents": self.documents,
            "roles": self.roles,
            "bytes": self.bytes_written,
            "took_ms": self.took_ms,
            "schedule_problems": self.schedule_problems,
        }

    def as_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "changed": self.changed,
            **self.summary(),
            "held_back": [held.as_json() for held in self.held_back],
        }


class Publisher:
    """One publisher at work, holding the lease."""

    def __init__(
        self,
        database: Database,
        config: Config,
        store: Store,
        lease: leases.Lease,
        now: datetime,
        by: str,
        kind: PublicationKind = PublicationKind.ATTENDED,
        back_to: int | None = None,
    ) -> None:
        self._database, self._config, self._store = database, config, store
        self._lease, self._now, self._by = lease, now, by
        self._kind, self._back_to = kind, back_to
        self._started = self._renewed = time.monotonic()
        self._number: int | None = None
        self._frames: dict[str, Frame | None] = {}
        self._repository = Repository(config.read)
        self._panel = seat(config, database, store)
        root = keep_root(self._repository, self._panel, now=now)
        self._served = _served(self._repository)
        settle(database, self._served)
        frame_role = self._served.meta.get(FRAME) if self._served else None
        self._frames_sha256 = (frame_role.hashes or {}).get("sha256", "")[:32] if frame_role else ""
        self._assembly = Assembly(self._repository, self._served, self._panel, self._next_versions, now, root)

    # --- publish ---
    def publish(self, compile_schedule: Compile, choose: Choose | None = None) -> PublicationResult:
        """Everything that is released and scheduled, but for what ``choose`` holds back."""
        with self._noting_failure():
            return self._publish(compile_schedule, choose)

    def _publish(self, compile_schedule: Compile, choose: Choose | None) -> PublicationResult:
        assembly = self._assembly
        with self._database.read() as session:
            wanted = wanted_releases(session, self._repository, assembly)
        assembly.held_back += wanted.unplayable
        assembly.sign_structure()
        admitted = [r for r in wanted.new if assembly.admit(r, stage=self._still_ours)]
        releases = {**wanted.known, **{release.target: release.info for release in admitted}}
        assembly.sign_catalogue(releases)
        refs = {**wanted.refs, **{release.edition: _ref(release) for release in admitted}}
        with self._database.write() as session:
            compiled = compile_schedule(session, releases=refs, now=self._now)
        with self._database.read() as session:
            kept = self._unchanged(session, compiled.fingerprints)
            documents = wanted_documents(
                session, self._config, compiled, releases=refs, now=self._now, kept=kept
            )
        if choose is not None:
            documents = self._without_held(documents, choose(self._proposals(documents)))
        assembly.sign_documents(documents, kept=kept)
        result = self._serve(admitted, len(releases), len(compiled.problems))
        self._remember(documents, compiled.fingerprints)
        return result

    # --- what need not be made again ---
    def _unchanged(self, session: Session, fingerprints: Mapping[str, str]) -> set[str]:
        """Targets whose rules are those that the served document was made from; one that rotted is none of them."""
        found = set()
        for row in session.scalars(select(ServedDocument)):
            if fingerprints.get(row.target) == row.fingerprint:
                served = self._assembly.served_target(row.target)
                if served is not None and served.sha256 == row.sha256 and self._is_whole(row.target, served):
                    found.add(row.target)
        return found

    def _is_whole(self, target: str, served: TargetInfo) -> bool:
        """Somebody who publishes has each file read; what goes out by itself every minute makes do with their sizes."""
        if self._assembly.unattended:
            return self._repository.has_target(target, served)
        return self._repository.target(target, served) is not None

    def _remember(self, documents: Mapping[str, Document], fingerprints: Mapping[str, str]) -> None:
        """Note what the documents of this publication were made from, but for those that were held back."""
        held = {one.subject for one in self._assembly.held_back}
        rows = []
        for target in documents.keys() - held:
            signed = self._assembly.signed_target(target)
            if target in fingerprints and signed is not None:
                rows.append((target, fingerprints[target], signed.sha256))
        with self._database.write() as session:
            known = {row.target: row for row in session.scalars(select(ServedDocument))}
            for target, fingerprint, sha256 in rows:
                row = known.get(target)
                if row is None:
                    session.add(ServedDocument(target=target, fingerprint=fingerprint, sha256=sha256))
                else:
                    row.fingerprint, row.sha256 = fingerprint, sha256

    def _without_held(
        self, documents: Mapping[str, Document], held: Mapping[str, Sequence[Problem]]
    ) -> Mapping[str, Document]:
        """The documents with those that must stay as they are served, or are not served yet left out."""
        kept = dict(documents)
        for target, reasons in held.items():
            self._assembly.held_back.append(HeldBack("document", target, target, tuple(reasons)))
            served = self._assembly.served_bytes(target)
            if served is None:
                del kept[target]
            else:
                kept[target] = decode(served, kind_of(target))
        return kept

    # --- what goes out by itself ---
    def publish_changes(self, compile_schedule: Compile, choose: Choose) -> PublicationResult:
        """Documents that changed and that ``choose`` lets pass, recalls, emergencies; withdrawn editions leave.

        Nothing is admitted, and what did not change is not looked at again: quick whatever the province's size.
        """
        with self._noting_failure():
            return self._publish_changes(compile_schedule, choose)

    def _publish_changes(self, compile_schedule: Compile, choose: Choose) -> PublicationResult:
        assembly = self._assembly
        assembly.unattended = True
        with self._database.read() as session:
            refs = admitted_releases(session)
            gone = no_longer_released(session)
        assembly.drop_releases(gone)
        with self._database.write() as session:
            compiled = compile_schedule(session, releases=refs, now=self._now)
        fingerprints = self._fitted(compiled.fingerprints)
        with self._database.read() as session:
            kept = self._unchanged(session, compiled.fingerprints) | self._unchanged(session, fingerprints)
            wanted = wanted_documents(
                session, self._config, compiled, releases=refs, now=self._now, kept=kept
            )
        proposals = self._proposals(wanted)
        held = choose(proposals)
        documents = {p.change.target: p.document for p in proposals if p.change.target not in held}
        small = {
            t: document for t, document in wanted.items() if not isinstance(document, Frame | LocalDocument)
        }
        assembly.sign_some({**small, **documents})
        result = self._serve([], len(refs), len(compiled.problems))
        # What says nothing new need not be looked at again either, though nothing of it was signed.
        same = wanted.keys() - {p.change.target for p in proposals} - small.keys()
        self._remember({target: wanted[target] for target in {*documents, *same}}, fingerprints)
        return result

    def _fitted(self, fingerprints: Mapping[str, str]) -> dict[str, str]:
        """The same of what goes out by itself: held against the served frames, and not carried on to new days where
        nothing else changed, so that a publication by people makes it anew."""
        return {
            target: f"{fingerprint}|{self._frames_sha256}" for target, fingerprint in fingerprints.items()
        }

    def _proposals(self, wanted: Mapping[str, Document]) -> list[Proposal]:
        """The schedule's documents that say something else than what is served."""
        since = to_text(self._now)
        frames = {d.region: d for d in wanted.values() if isinstance(d, Frame)}
        found = []
        for target, document in wanted.items():
            if not isinstance(document, Frame | LocalDocument):
                continue
            frame = self._served_frame(document.region)
            if isinstance(document, LocalDocument) and self._assembly.unattended:
                document = fit_to(document, frame)  # noqa: PLW2901 -- what can be taken now is what is proposed
            served = self._assembly.served_bytes(target)
            before = decode(served, type(document)) if served is not None else None
            if before is not None and _says_the_same(before, document):
                continue
            change = compare(before, document, since=since)
            if change.lines:
                shown = frame if self._assembly.unattended else frames.get(document.region, frame)
                found.append(Proposal(change, document, shown))
        return found

    def _served_frame(self, region: str) -> Frame | None:
        for code in lineage(region):
            if code not in self._frames:
                data = self._assembly.served_bytes(frame_target(code))
                self._frames[code] = decode(data, Frame) if data is not None else None
            if (found := self._frames[code]) is not None:
                return found
        return None

    # --- back to an earlier schedule ---
    def publish_documents(
        self, make: Callable[[Mapping[str, Document], frozenset[str]], Mapping[str, Document]]
    ) -> PublicationResult:
        """Sign other schedule documents than the rules give; ``make`` gets those, and the editions that may
        be played, and returns what is to be signed."""
        with self._noting_failure():
            assembly = self._assembly
            with self._database.read() as session:
                refs = admitted_releases(session)
                gone = no_longer_released(session)
            assembly.drop_releases(gone)
            with self._database.write() as session:
                compiled = compile_documents(session, releases=refs, now=self._now)
            with self._database.read() as session:
                wanted = wanted_documents(session, self._config, compiled, releases=refs, now=self._now)
            assembly.sign_documents(make(wanted, frozenset(refs)))
            return self._serve([], len(refs), len(compiled.problems))

    def _serve(self, admitted: Sequence[NewRelease], editions: int, problems: int) -> PublicationResult:
        assembly = self._assembly
        written = self._repository.put_targets(assembly.documents)
        if not assembly.has_changes and self._served is not None:
            if admitted:  # signed by a publisher that was cut off before it could note it
                with self._database.write() as session:
                    _note_admitted(session, self._served.publication, admitted)
            return PublicationResult(
                number=self._served.publication,
                changed=False,
                editions=editions,
                took_ms=self._took_ms(),
                held_back=tuple(assembly.held_back),
                schedule_problems=problems,
            )
        number = self._begin()
        signed = len(assembly.roles)
        timestamp = assembly.finish(number)
        written += self._repository.put_roles(assembly.roles) + len(timestamp.data)
        result = PublicationResult(
            number=number,
            changed=True,
            editions=editions,
            new_releases=len(admitted),
            documents=len(assembly.documents) - len(admitted),
            roles=signed,
            bytes_written=written,
            took_ms=self._took_ms(),
            held_back=tuple(assembly.held_back),
            schedule_problems=problems,
        )
        with self._database.write() as session:
            self._lease.check(session)
            _note_done(session, result, admitted, timestamp.version)
            self._hand_over(timestamp)
        log.info("publication %d: %s", number, result.summary())
        return result

    def _hand_over(self, timestamp: trust_roles.RoleFile) -> None:
        try:
            self._repository.serve(timestamp, instead_of=self._served)
        except Overtaken as error:
            raise leases.LeaseLost from error

    # --- keep fresh ---
    def keep_fresh(self) -> None:
        if self._served is None:
            return
        with self._noting_failure():
            self._assembly.renew()
            if self._assembly.has_changes:
                self._serve([], self._assembly.count_releases(), 0)
                return
            timestamp = self._assembly.stamp(self._served.snapshot)
            with self._database.write() as session:
                self._lease.check(session)
                _note_timestamp(session, self._served.publication, timestamp.version)
                self._hand_over(timestamp)

    # --- numbers ---
    def _next_versions(self, floors: Mapping[str, int]) -> Mapping[str, int]:
        """Versions that were never used, even if the database was restored to before what is served."""
        with self._database.write() as session:
            return {role: _take(session, role, floor) for role, floor in floors.items()}

    def _begin(self) -> int:
        """The publication's number and its row, before anything of it is served."""
        with self._database.write() as session:
            self._number = _take(session, SNAPSHOT, self._served.publication if self._served else 0)
            session.add(
                Publication(
                    number=self._number, at=self._now, by=self._by, kind=self._kind, back_to=self._back_to
                )
            )
        return self._number

    @contextmanager
    def _noting_failure(self) -> Iterator[None]:
        """Say what became of a publication that raised; it may be served all the same if only the commit failed."""
        try:
            yield
        except BaseException as error:
            if self._number is not None:
                settle(self._database, _served(self._repository), only=self._number)
            if isinstance(error, trust_roles.NotAccepted):
                raise KeysDiffer from error
            if isinstance(error, Refused):
                raise SigningRefused(N_("签名被拒绝：%(reason)s"), reason=error) from error
            raise

    def _still_ours(self) -> None:
        """Between files that take long to read: hold the lease on. Raises leases.LeaseLost."""
        if time.monotonic() - self._renewed > RENEW_EVERY_S:
            self._lease.renew(self._database)
            self._renewed = time.monotonic()

    def _took_ms(self) -> int:
        return round((time.monotonic() - self._started) * 1000)


def _says_the_same(before: Timed, after: Timed) -> bool:
    same = {"serial": 0, "valid_from": "", "valid_until": ""}
    return msgspec.structs.replace(before, **same) == msgspec.structs.replace(after, **same)


def _served(repository: Repository) -> Served | None:
    try:
        return repository.served()
    except RepositoryDamaged as error:
        log.exception("the read plane is damaged")
        raise RepositoryBroken from error


def _take(session: Session, role: str, floor: int) -> int:
    name = f"role:{role}"
    number = next_number(session, name)
    if number <= floor:
        number = floor + 1
        session.get_one(Counter, name).value = number
    return number


def _ref(release: NewRelease) -> ReleaseRef:
    return ReleaseRef(release.info.sha256, decode(release.data, ReleaseManifest).duration_ms)


def keep_root(repository: Repository, panel: Panel, *, now: datetime) -> bytes:
    """The newest root: the first, or the next when it runs out within half a year. Root versions have no gaps."""
    newest = repository.root()
    if newest is not None and not TOP_RULES[ROOT].is_due(newest[1], now):
        return newest[2]
    unsigned = trust_roles.root(panel.public, version=newest[0] + 1 if newest else 1, now=now)
    ids = trust_roles.key_ids(panel.public)
    signatures = {ids[signer.public.name]: signer.sign(unsigned.payload) for signer in panel.offline}
    file = unsigned.with_signatures(signatures)
    trust_roles.check_accepted(file, newest[2] if newest else file.data)
    repository.put_root(file)
    return file.data


# --- rows of publications -------------------------------------------------------------------------------------------------
def _note_done(
    session: Session, result: PublicationResult, admitted: Sequence[NewRelease], timestamp_version: int
) -> None:
    row = session.get_one(Publication, result.number)
    row.state = PublicationState.DONE
    row.summary = result.summary()
    row.held_back = [held.as_json() for held in result.held_back]
    row.snapshot_version = result.number
    row.timestamp_version = timestamp_version
    _note_admitted(session, result.number, admitted)


def _note_admitted(session: Session, number: int, admitted: Sequence[NewRelease]) -> None:
    editions = [release.edition for release in admitted]
    known: set[str] = set()
    for start in range(0, len(editions), _CHUNK):
        query = select(Release.edition_id).where(Release.edition_id.in_(editions[start : start + _CHUNK]))
        known |= set(session.scalars(query))
    rows = [
        {
            "edition_id": release.edition,
            "sha256": release.info.sha256,
            "length": release.info.length,
            "data": release.data,
            "duration_ms": decode(release.data, ReleaseManifest).duration_ms,
            "admitted_in": number,
        }
        for release in admitted
        if release.edition not in known
    ]
    if rows:
        session.execute(insert(Release), rows)
    mark_admitted(session, editions, number)
    session.flush()


def _note_timestamp(session: Session, number: int, version: int) -> None:
    session.execute(update(Publication).where(Publication.number == number).values(timestamp_version=version))


def settle(database: Database, served: Served | None, *, only: int | None = None) -> None:
    """Give publications that were cut off their true state: what is served was published, the rest failed.

    ``only`` looks at one's own; all of them may be judged only while holding the lease.
    """
    with database.write() as session:
        query = select(Publication).where(Publication.state == PublicationState.RUNNING)
        if only is not None:
            query = query.where(Publication.number == only)
        for row in session.scalars(query).all():
            is_served = served is not None and row.number == served.publication
            row.state = PublicationState.DONE if is_served else PublicationState.FAILED
            row.snapshot_version = row.number if is_served else None
        if served is not None:
            _note_timestamp(session, served.publication, served.timestamp_version)
