"""One publication in the making: which roles must be signed anew, the signatures, and the files that result.

Starts from what is served; whatever did not change and does not run out soon stays as it is. Nothing here writes to
the read plane.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from protocol import names
from protocol.documents import Frame, decode, encode
from server.publish import trust_roles
from server.publish.evidence import Refused, SignedCatalogue, SignedDocuments
from server.publish.keys import PublicKey
from server.publish.panel import Panel
from server.publish.rules import (
    DELEGATED_RULES,
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    Kind,
    bin_names,
    bin_of,
    role_above,
    role_of_target,
    rule_of,
)
from server.publish.scope import Catalogue, Problem
from server.publish.signers import Case, Document, PlainSigner
from server.publish.trust_repository import Content, Repository, Served
from server.publish.trust_roles import RoleFile, TargetInfo, Unsigned

Numbers = Callable[[Mapping[str, int]], Mapping[str, int]]
"""The next version of each role, given the version that is served (0: none)."""


@dataclass(frozen=True)
class HeldBack:
    """Something that stays as it was because a signer refused it: an edition or a document, and why."""

    kind: str
    subject: str
    title: str
    problems: tuple[Problem, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "subject": self.subject,
            "title": self.title,
            "reasons": [
                {"code": p.code, "message": p.message, "params": dict(p.params), "text": p.text()}
                for p in self.problems
            ],
        }


@dataclass(frozen=True)
class NewRelease:
    """A release to be admitted: its manifest's bytes, and a title for people."""

    edition: str
    title: str
    data: bytes

    @property
    def target(self) -> str:
        return names.release_target(self.edition)

    @property
    def info(self) -> TargetInfo:
        return info_of(self.data)


def info_of(data: bytes) -> TargetInfo:
    return TargetInfo(len(data), hashlib.sha256(data).hexdigest())


@dataclass
class Assembly:
    """``documents`` and ``roles`` are what must be written; empty when nothing changed."""

    repository: Repository
    served: Served | None
    panel: Panel
    numbers: Numbers
    now: datetime
    root: bytes
    unattended: bool = False
    documents: dict[str, bytes] = field(default_factory=dict)
    roles: dict[str, RoleFile] = field(default_factory=dict)
    held_back: list[HeldBack] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._key_ids = trust_roles.key_ids(self.panel.public)
        self._content: dict[str, Content | None] = {}
        self._catalogues: dict[str, Catalogue] = {}
        self._manifests: dict[str, bytes] = {}
        self._signed: dict[str, SignedDocuments] = {}

    @property
    def has_changes(self) -> bool:
        return bool(self.roles) or self._is_due(
            SNAPSHOT, self.served.snapshot_expires if self.served else None
        )

    # --- what is there -----------------------------------------------------------------------------------------------
    def content(self, role: str) -> Content | None:
        """What a role says as served, read once."""
        if role not in self._content:
            self._content[role] = self.repository.role(self.served, role) if self.served else None
        return self._content[role]

    def served_target(self, target: str) -> TargetInfo | None:
        content = self.content(role_of_target(target))
        return content.targets.get(target) if content else None

    def served_bytes(self, target: str) -> bytes | None:
        """A served document's bytes, by the hash that was signed."""
        info = self.served_target(target)
        return self.repository.target(target, info) if info else None

    def signed_target(self, target: str) -> TargetInfo | None:
        """What will be served of a document: as signed in this publication, else as served."""
        data = self.documents.get(target)
        return info_of(data) if data is not None else self.served_target(target)

    def role_bytes(self, role: str) -> bytes | None:
        """A role's file: as signed in this publication, else as served."""
        if role in self.roles:
            return self.roles[role].data
        return self.repository.role_bytes(self.served, role) if self.served else None

    def _is_due(self, role: str, expires: datetime | None) -> bool:
        return expires is None or rule_of(role).is_due(expires, self.now)

    def _must_sign(self, role: str, targets: Mapping[str, TargetInfo]) -> bool:
        content = self.content(role)
        return content is None or content.targets != targets or self._is_due(role, content.expires)

    # --- signing -----------------------------------------------------------------------------------------------------
    def _versions(self, roles: Iterable[str]) -> Mapping[str, int]:
        served = self.served.meta if self.served else {}
        floors = {role: served[role].version if role in served else 0 for role in roles}
        return self.numbers(floors) if floors else {}

    def _version(self, role: str) -> int:
        return self._versions([role])[role]

    def _add(self, unsigned: Unsigned, signatures: Mapping[str, str]) -> None:
        by_id = {self._key_ids[name]: signature for name, signature in signatures.items()}
        self.roles[unsigned.role] = unsigned.with_signatures(by_id)
        self._signed.clear()

    def _sign_plainly(self, unsigned: Unsigned, signers: tuple[PlainSigner, ...]) -> None:
        self._add(unsigned, {s.public.name: s.sign(unsigned.payload) for s in signers})

    def sign_structure(self) -> None:
        """Targets, the catalogue's layer above its bins, and roles that say nothing yet."""
        keys = self.panel.public
        if self._must_sign(TARGETS, {}):
            made = trust_roles.top_targets(keys, version=self._version(TARGETS), now=self.now)
            self._sign_plainly(made, self.panel.offline)
        if self._must_sign(names.CATALOGUE, {}):
            made = trust_roles.catalogue(keys, version=self._version(names.CATALOGUE), now=self.now)
            self._sign_plainly(made, (self.panel.policy, self.panel.officer))
        for role, signers in ((names.AGENT, self.panel.build), (names.ROLLOUT, (self.panel.rollout,))):
            if self._must_sign(role, {}):
                made = trust_roles.targets(role, {}, version=self._version(role), now=self.now)
                self._sign_plainly(made, signers)

    # --- the catalogue -----------------------------------------------------------------------------------------------
    def admit(self, release: NewRelease, *, stage: Callable[[], None] = lambda: None) -> bool:
        """Have a release examined; False, and held back, when a signer refuses. ``stage`` is called before each."""
        try:
            for signer in (self.panel.officer, self.panel.policy):
                stage()
                signer.examine_release(release.target, release.data, now=self.now)
        except Refused as refused:
            self.held_back.append(HeldBack("edition", release.edition, release.title, refused.problems))
            return False
        self._manifests[release.edition] = release.data
        self.documents[release.target] = release.data
        return True

    def sign_catalogue(self, wanted: Mapping[str, TargetInfo]) -> None:
        """Sign the bins that change. ``wanted`` holds every admitted release by target."""
        bins: dict[str, dict[str, TargetInfo]] = {role: {} for role in bin_names()}
        for target, info in wanted.items():
            bins[bin_of(target)][target] = info
        changed = [role for role, targets in bins.items() if self._must_sign(role, targets)]
        for role, version in self._versions(changed).items():
            self._sign_bin(trust_roles.targets(role, bins[role], version=version, now=self.now))

    def _sign_bin(self, unsigned: Unsigned) -> None:
        before = self.role_bytes(unsigned.role)
        signers = (self.panel.policy, self.panel.officer)
        self._add(
            unsigned, {s.public.name: s.sign_catalogue(unsigned.payload, before=before) for s in signers}
        )

    def _catalogue_for(self, key: PublicKey) -> Catalogue:
        """The catalogue as it stands now, as far as this key signed it."""
        if key.name not in self._catalogues:
            self._catalogues[key.name] = SignedCatalogue(key, self.role_bytes, self._manifest)
        return self._catalogues[key.name]

    def _manifest(self, edition: str, length: int, sha256: str) -> bytes | None:
        if edition in self._manifests:
            return self._manifests[edition]
        return self.repository.target(names.release_target(edition), TargetInfo(length, sha256))

    def _signed_by(self, key: PublicKey) -> SignedDocuments:
        """Documents as they stand now, as far as this key signed their roles."""
        if key.name not in self._signed:
            self._signed[key.name] = SignedDocuments(key, self.role_bytes, self._target_bytes)
        return self._signed[key.name]

    def _target_bytes(self, target: str, length: int, sha256: str) -> bytes | None:
        return self.documents.get(target) or self.repository.target(target, TargetInfo(length, sha256))

    def drop_releases(self, editions: Iterable[str]) -> int:
        """Sign the bins anew without editions that may no longer be played; how many were there."""
        gone: dict[str, set[str]] = {}
        for edition in editions:
            target = names.release_target(edition)
            if self.served_target(target) is not None:
                gone.setdefault(bin_of(target), set()).add(target)
        for role, version in self._versions(gone).items():
            content = self.content(role)
            still = {t: i for t, i in content.targets.items() if t not in gone[role]} if content else {}
            self._sign_bin(trust_roles.targets(role, still, version=version, now=self.now))
        return sum(map(len, gone.values()))

    def count_releases(self) -> int:
        """How many releases are served."""
        return sum(len(content.targets) for role in bin_names() if (content := self.content(role)))

    # --- documents -----------------------------------------------------------------------------------------------------
    def sign_documents(self, wanted: Mapping[str, Document], *, kept: Iterable[str] = ()) -> None:
        """Number, examine and sign documents. ``wanted`` holds all of them by target, but for those that stay as they
        are served (``kept``); serials are given here. A document that a signer refuses stays as it is served.
        """
        content: dict[str, dict[str, TargetInfo]] = {
            role: {} for role, rule in DELEGATED_RULES.items() if rule.kind is Kind.DOCUMENTS
        }
        if names.COMMAND_TARGET in wanted:
            content[names.COMMAND] = {}
        for target in kept:
            served = self.served_target(target)
            if served is not None:
                content[role_of_target(target)][target] = served
        self._sign_documents(wanted, content)

    def sign_some(self, wanted: Mapping[str, Document]) -> None:
        """The same for these documents alone; every other one stays as it is served."""
        content = {}
        for role in {role_of_target(target) for target in wanted}:
            served = self.content(role)
            content[role] = dict(served.targets) if served else {}
        self._sign_documents(wanted, content)

    def _sign_documents(
        self, wanted: Mapping[str, Document], content: dict[str, dict[str, TargetInfo]]
    ) -> None:
        frames: dict[str, Frame] = {}
        targets: dict[str, list[str]] = {role: [] for role in content}
        for target in sorted(wanted):
            targets[role_of_target(target)].append(target)
        # Frames first, and their role: local documents are held against the frames that stations will follow.
        for role in sorted(content, key=lambda name: (name != names.FRAME, name)):
            for target in targets[role]:
                document = wanted[target]
                info = self._document(target, document, frames)
                if info is None:
                    continue
                content[role][target] = info
                if isinstance(document, Frame):
                    frames[document.region] = self._frame_that_stands(target, document)
            if role == names.COMMAND and not content[role]:
                continue  # refused, and nothing was ever commanded: an empty role says nothing
            if self._must_sign(role, content[role]):
                self._sign_document_role(role, content[role])

    def _frame_that_stands(self, target: str, wanted: Frame) -> Frame:
        """The frame that stations will follow: the wanted one, or the one served where that was refused."""
        if all(held.subject != target for held in self.held_back):
            return wanted
        return decode(self.served_bytes(target) or b"", Frame)

    def _document(self, target: str, document: Document, frames: Mapping[str, Frame]) -> TargetInfo | None:
        """What the role shall say of a target; None where nothing was ever signed under this name."""
        served = self.served_target(target)
        data = self._numbered(target, document)
        if served == info_of(data):
            if self.repository.target(target, served) is None:
                self.documents[target] = data  # damaged on the read plane: the same bytes are written again
            return served
        case = Case(
            self._catalogue_for, frames, self.served_bytes, self.now, self._signed_by, self.unattended
        )
        try:
            for signer in self._document_signers(role_of_target(target)):
                signer.examine(target, data, case)
        except Refused as refused:
            self.held_back.append(HeldBack("document", target, target, refused.problems))
            return served
        self.documents[target] = data
        return info_of(data)

    def _numbered(self, target: str, document: Document) -> bytes:
        """The document under its last serial if it says the same, else under the next."""
        last = self.panel.policy.last_serial(target, lambda: self.served_bytes(target))
        if last is not None:
            same = encode(msgspec.structs.replace(document, serial=last.serial))
            if hashlib.sha256(same).hexdigest() == last.sha256:
                return same
        return encode(msgspec.structs.replace(document, serial=last.serial + 1 if last else 1))

    def _document_signers(self, role: str) -> tuple[Any, ...]:
        # The policy signer comes last: it remembers what it let pass.
        if role in self.panel.cities:
            return self.panel.cities[role], self.panel.policy
        if rule_of(role).threshold == 1:
            return (self.panel.policy,)
        return self.panel.officer, self.panel.policy

    def _sign_document_role(self, role: str, targets: Mapping[str, TargetInfo]) -> None:
        unsigned = trust_roles.targets(role, targets, version=self._version(role), now=self.now)
        before = self.role_bytes(role)
        signers = self._document_signers(role)
        self._add(
            unsigned, {s.public.name: s.sign_documents(unsigned.payload, before=before) for s in signers}
        )

    # --- the same again ----------------------------------------------------------------------------------------------------
    def renew(self) -> None:
        """Sign anew what runs out soon, unchanged."""
        self.sign_structure()
        catalogue: dict[str, TargetInfo] = {}
        for role in bin_names():
            content = self.content(role)
            catalogue.update(content.targets if content else {})
        self.sign_catalogue(catalogue)
        for role, rule in DELEGATED_RULES.items():
            content = self.content(role)
            if rule.kind is Kind.DOCUMENTS and content and self._must_sign(role, content.targets):
                self._sign_document_role(role, content.targets)

    # --- the end -------------------------------------------------------------------------------------------------------
    def finish(self, number: int) -> RoleFile:
        """Sign the snapshot, whose version is the publication's number, and the timestamp that names it.

        The snapshot joins ``roles``; the timestamp is returned. Raises trust_roles.NotAccepted, and Refused.
        """
        meta = dict(self.served.meta) if self.served else {}
        meta.update({role: trust_roles.meta_file(file) for role, file in self.roles.items()})
        unsigned = trust_roles.snapshot(meta, version=number, now=self.now)
        before = self.served.snapshot.data if self.served else None
        signature = self.panel.snapshot.sign_next(unsigned.payload, before=before)
        self._add(unsigned, {SNAPSHOT: signature})
        for file in self.roles.values():
            self._check_accepted(file)
        return self.stamp(self.roles[SNAPSHOT])

    def _check_accepted(self, file: RoleFile) -> None:
        above = role_above(file.role)
        data = self.root if above == ROOT else self.role_bytes(above)
        trust_roles.check_accepted(file, data or b"")

    def stamp(self, snapshot: RoleFile) -> RoleFile:
        """A new timestamp for a snapshot."""
        floor = self.served.timestamp_version if self.served else 0
        unsigned = trust_roles.timestamp(
            snapshot, version=self.numbers({TIMESTAMP: floor})[TIMESTAMP], now=self.now
        )
        before = self.served.timestamp_bytes if self.served else None
        signature = self.panel.timestamp.sign_next(unsigned.payload, before=before)
        made = unsigned.with_signatures({self._key_ids[TIMESTAMP]: signature})
        self._check_accepted(made)
        return made
