"""What a signer looks at for himself: the audit chain, the signed catalogue, the bytes of media.

Nothing here trusts the rows that states are kept in, nor the store.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from protocol import keys as ed25519
from protocol.documents import Command, EmergencyItem, Frame, ReleaseFile, ReleaseManifest, Rendition, decode
from protocol.errors import BadSignature, MalformedDocument
from protocol.names import frame_target, release_target
from protocol.pieces import PieceHasher, PieceLayer
from protocol.regions import lineage
from protocol.times import to_text
from server.catalog import protection
from server.catalog.description import described_by, words_sha256
from server.catalog.review import Link, ProvenRelease, proven_release
from server.db import Database
from server.i18n import N_
from server.identity import audit
from server.identity.models import AuditEntry
from server.publish.keys import PublicKey
from server.publish.rules import bin_of, role_of_target
from server.publish.scope import Admitted, Problem
from server.schedule.notices import DRILL
from server.storage import Store, media_key, pieces_key


class Refused(Exception):
    """A signer does not put its name to something; ``problems`` say why, for people."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("; ".join(problem.text() for problem in problems))


# --- the audit chain ------------------------------------------------------------------------------------------------
class History:
    """The audit chain as one signer has seen it, from the first link on.

    What it saw it remembers in a file of its own, 48 bytes a link: the link's hash and a tag of what it is about. So
    only new links are read each time, and yet no old one can change, move to another subject or vanish unnoticed:
    whatever a proof rests on is fetched by its remembered number and hashed again.
    """

    def __init__(self, database: Database, memory: Path) -> None:
        """Reads what is new. Raises audit.ChainBroken when the chain is broken or is not the one remembered."""
        self._database = database
        self._hashes: list[bytes] = []
        self._seqs: dict[bytes, list[int]] = defaultdict(list)
        self._fresh: dict[int, Link] = {}
        self._remember(_records(memory))
        new = self._read_new()
        if new:
            _append(memory, new)

    @property
    def head(self) -> audit.Head:
        """The last link seen."""
        return audit.Head(len(self._hashes), self._hashes[-1].hex()) if self._hashes else audit.Head()

    def proof(self, edition: str) -> ProvenRelease | None:
        """Three reviews by three people, none the contributor, and not withdrawn since; or None."""
        return self.proofs([edition])[edition]

    def proofs(self, editions: Collection[str]) -> dict[str, ProvenRelease | None]:
        """The same for many. Raises audit.ChainBroken when a link is not what it was."""
        seqs = {edition: self._seqs.get(_tag(f"edition:{edition}"), []) for edition in editions}
        self._fetch([seq for many in seqs.values() for seq in many if seq not in self._fresh])
        return {edition: proven_release([self._fresh[seq] for seq in many]) for edition, many in seqs.items()}

    def links(self, subject: str) -> list[Link]:
        """The links about one subject, oldest first. Raises audit.ChainBroken when one is not what it was."""
        seqs = self._seqs.get(_tag(subject), [])
        self._fetch([seq for seq in seqs if seq not in self._fresh])
        return [self._fresh[seq] for seq in seqs]

    def _remember(self, records: Iterable[bytes]) -> None:
        for record in records:
            self._hashes.append(record[:_HASH])
            self._seqs[record[_HASH:]].append(len(self._hashes))

    def _read_new(self) -> list[bytes]:
        """Records of the links after the last one seen."""
        new: list[bytes] = []
        with self._database.read() as session:
            if self._hashes:
                self._check(session.get(AuditEntry, len(self._hashes)), len(self._hashes))
            while page := _page_after(session, len(self._hashes)):
                new += [self._next(entry) for entry in page]
                session.expunge_all()
        return new

    def _next(self, entry: AuditEntry) -> bytes:
        head = self.head
        if entry.seq != head.seq + 1:
            raise audit.ChainBroken(N_("审计记录 %(seq)s 缺失"), seq=head.seq + 1)
        if entry.prev_hash != head.hash or entry.hash != audit.link_hash(entry):
            raise audit.ChainBroken(N_("审计记录 %(seq)s 被改动"), seq=entry.seq)
        record = bytes.fromhex(entry.hash) + _tag(entry.subject)
        self._remember([record])
        self._fresh[entry.seq] = _link(entry)
        return record

    def _check(self, entry: AuditEntry | None, seq: int) -> AuditEntry:
        if entry is None or audit.link_hash(entry) != self._hashes[seq - 1].hex():
            raise audit.ChainBroken(N_("审计记录 %(seq)s 与此前所见不符"), seq=seq)
        return entry

    def _fetch(self, seqs: Sequence[int]) -> None:
        with self._database.read() as session:
            for start in range(0, len(seqs), _PAGE):
                part = seqs[start : start + _PAGE]
                query = select(AuditEntry).where(AuditEntry.seq.in_(part))
                found = {entry.seq: entry for entry in session.scalars(query)}
                for seq in part:
                    self._fresh[seq] = _link(self._check(found.get(seq), seq))


_HASH, _TAG, _PAGE = 32, 16, 1_000


def _tag(subject: str) -> bytes:
    return hashlib.sha256(subject.encode()).digest()[:_TAG]


def _link(entry: AuditEntry) -> Link:
    return Link(entry.seq, entry.actor_id, entry.action, entry.detail)


def _page_after(session: Session, seq: int) -> Sequence[AuditEntry]:
    query = select(AuditEntry).where(AuditEntry.seq > seq).order_by(AuditEntry.seq).limit(_PAGE)
    return session.scalars(query).all()


def _records(memory: Path) -> list[bytes]:
    """What was remembered; a record cut short by a power cut is as if it had not been seen."""
    try:
        data = memory.read_bytes()
    except FileNotFoundError:
        return []
    size = _HASH + _TAG
    return [data[at : at + size] for at in range(0, len(data) - size + 1, size)]


def _append(memory: Path, records: Sequence[bytes]) -> None:
    descriptor = os.open(memory, os.O_CREAT | os.O_RDWR, 0o600)
    with os.fdopen(descriptor, "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(size - size % (_HASH + _TAG))
        file.truncate()
        file.write(b"".join(records))
        file.flush()
        os.fsync(file.fileno())


def review_problem(manifest: ReleaseManifest, history: History) -> Problem | None:
    """Whether the manifest is of what three reviewers approved."""
    proof = history.proof(manifest.edition)
    if proof is None:
        return Problem("not_reviewed", N_("审计链里没有三审通过的记录"))
    reviewed = (proof.source_sha256, proof.recipe_sha256, proof.title)
    said = proof.description_sha256
    is_other = reviewed != (manifest.source_sha256, manifest.recipe_sha256, manifest.title)
    if is_other or (said is not None and said != words_sha256(described_by(manifest))):
        return Problem("other_content", N_("内容与三审时的不一致"))
    return None


# --- media ----------------------------------------------------------------------------------------------------------
def media_problem(manifest: ReleaseManifest, store: Store) -> Problem | None:
    """Read every file of a manifest back from the store and compare hash, length and pieces."""
    if not manifest.renditions:
        return Problem("no_rendition", N_("没有转码成品"))
    files: list[Rendition | ReleaseFile] = [*manifest.renditions, *manifest.files]
    for file in files:
        problem = _file_problem(file, store)
        if problem is not None:
            return problem
    return None


def _file_problem(file: Rendition | ReleaseFile, store: Store) -> Problem | None:
    where = {"sha256": file.sha256[:12]}
    try:
        found = _hash_object(store, media_key(file.sha256))
        layer = b"".join(store.chunks(pieces_key(file.pieces_root)))
    except (OSError, ValueError):
        return Problem("media_missing", N_("存储里缺少文件 %(sha256)s"), where)
    if (found.sha256, found.length, found.root) != (file.sha256, file.length, file.pieces_root):
        return Problem("media_changed", N_("文件 %(sha256)s 与转码时的不一致"), where)
    if layer != found.layer:
        return Problem("pieces_changed", N_("文件 %(sha256)s 的分片校验表不对"), where)
    return None


# --- what two people agreed on -----------------------------------------------------------------------------------------
APPROVED, RETURNED = "publication.approve", "publication.return"
EMERGENCY_PROPOSED, EMERGENCY_APPROVED, EMERGENCY_ENDED = (
    "emergency.propose",
    "emergency.approve",
    "emergency.end",
)
COMMAND_ASKED = "command.ask"


@dataclass
class Witness:
    """What a signer sees for himself of the people behind a change: the audit chain, and the protected periods."""

    database: Database
    memory: Path

    @cached_property
    def history(self) -> History:
        return History(self.database, self.memory)

    def protected(self, since: datetime, until: datetime) -> list[tuple[str, str]]:
        """重要保障期: those that touch a span, as Timestamps."""
        with self.database.read() as session:
            found = protection.periods_between(session, since, until)
        return [(to_text(period.starts_at), to_text(period.ends_at)) for period in found]

    def is_approved(self, target: str, fingerprint: str) -> bool:
        """Whether a person who did not make this very change approved it, and nobody returned it since."""
        state = False
        for link in self.history.links(f"document:{target}"):
            if link.detail.get("fingerprint") != fingerprint:
                continue
            if link.action == APPROVED:
                state = link.actor is not None and link.actor not in link.detail.get("authors", ())
            elif link.action == RETURNED:
                state = False
        return state

    def is_agreed(self, item: EmergencyItem, programme: str | None) -> bool:
        """Whether two people stand behind this very emergency override, and nobody ended it; ``programme`` is the one
        its edition is of, by the signed catalogue."""
        proposed: set[str | None] = set()
        agreed = False
        for link in self.history.links(f"emergency:{item.id}"):
            if link.action == EMERGENCY_ENDED:
                agreed = False
            elif not _is_about(link.detail, item, programme):
                continue
            elif link.action == EMERGENCY_PROPOSED:
                proposed.add(link.actor)
            elif link.action == EMERGENCY_APPROVED and proposed:
                agreed = link.actor not in (*proposed, None)
        return agreed

    def is_asked(self, command: Command) -> bool:
        """Whether a person asked this very command of these terminals."""
        return any(
            link.action == COMMAND_ASKED
            and link.actor is not None
            and link.detail.get("terminals") == list(command.terminals)
            and link.detail.get("do") == command.do
            and link.detail.get("until") == command.until
            for link in self.history.links(f"command:{command.id}")
        )


def _is_about(detail: Mapping[str, Any], item: EmergencyItem, programme: str | None) -> bool:
    text = f"{DRILL if detail.get('drill') else ''}{detail.get('text') or ''}" or None
    return (
        sorted(detail.get("regions", ())) == sorted(item.regions)
        and detail.get("until") == item.ends_at
        and text == item.text
        and detail.get("programme") == programme
    )


def _hash_object(store: Store, key: str) -> PieceLayer:
    hasher = PieceHasher()
    for chunk in store.chunks(key):
        hasher.update(chunk)
    return hasher.finish()


# --- the signed catalogue -------------------------------------------------------------------------------------------
class _TargetFile(msgspec.Struct):
    hashes: dict[str, str]
    length: int


class _TargetsPart(msgspec.Struct):
    type_: str = msgspec.field(name="_type")
    version: int
    targets: dict[str, _TargetFile] = {}


class _SignatureEntry(msgspec.Struct):
    sig: str


class _SignedFile(msgspec.Struct):
    signed: msgspec.Raw
    signatures: list[_SignatureEntry]


def targets_of(payload: bytes) -> dict[str, tuple[int, str]]:
    """What a payload to be signed says of targets: length and SHA-256 by name. Raises Refused."""
    try:
        part = msgspec.json.decode(payload, type=_TargetsPart)
        if part.type_ != "targets":
            raise Refused(Problem("not_targets", N_("待签内容的类型不对")))
        return {name: (file.length, file.hashes["sha256"]) for name, file in part.targets.items()}
    except (msgspec.DecodeError, KeyError) as error:
        raise Refused(Problem("not_targets", N_("待签内容的类型不对"))) from error


def signed_by(data: bytes, key: PublicKey) -> bytes | None:
    """The payload inside a signed file if this key signed it, else None."""
    try:
        file = msgspec.json.decode(data, type=_SignedFile)
    except msgspec.DecodeError:
        return None
    payload = bytes(file.signed)
    for signature in file.signatures:
        try:
            ed25519.verify(key.public, payload, base64.b64encode(bytes.fromhex(signature.sig)).decode())
        except (BadSignature, ValueError):
            continue
        return payload
    return None


@dataclass
class SignedCatalogue:
    """Looks editions up in bins that bear one's own signature, and their manifests by hash.

    ``bin_bytes`` and ``manifest_bytes`` fetch from anywhere; nothing they return is believed unchecked.
    """

    key: PublicKey
    bin_bytes: Callable[[str], bytes | None]
    manifest_bytes: Callable[[str, int, str], bytes | None]

    def __post_init__(self) -> None:
        self._found: dict[str, Admitted | None] = {}
        self._bins: dict[str, Mapping[str, tuple[int, str]]] = {}

    def __call__(self, edition: str) -> Admitted | None:
        if edition not in self._found:
            self._found[edition] = self._look_up(edition)
        return self._found[edition]

    def _look_up(self, edition: str) -> Admitted | None:
        target = release_target(edition)
        entry = self._bin(bin_of(target)).get(target)
        if entry is None:
            return None
        length, sha256 = entry
        data = self.manifest_bytes(edition, length, sha256)
        if data is None or hashlib.sha256(data).hexdigest() != sha256:
            return None
        try:
            return Admitted(sha256, decode(data, ReleaseManifest))
        except MalformedDocument:
            return None

    def _bin(self, role: str) -> Mapping[str, tuple[int, str]]:
        if role not in self._bins:
            data = self.bin_bytes(role)
            payload = signed_by(data, self.key) if data is not None else None
            self._bins[role] = targets_of(payload) if payload is not None else {}
        return self._bins[role]


@dataclass
class SignedDocuments:
    """Finds documents in roles that bear one's own signature, and their bytes by hash."""

    key: PublicKey
    role_bytes: Callable[[str], bytes | None]
    target_bytes: Callable[[str, int, str], bytes | None]

    def __post_init__(self) -> None:
        self._roles: dict[str, Mapping[str, tuple[int, str]]] = {}
        self._frames: dict[str, Frame | None] = {}

    def __call__(self, target: str) -> bytes | None:
        """The exact bytes, or None where nothing was signed under this name."""
        entry = self._role(role_of_target(target)).get(target)
        if entry is None:
            return None
        data = self.target_bytes(target, *entry)
        return data if data is not None and hashlib.sha256(data).hexdigest() == entry[1] else None

    def frame_for(self, region: str) -> Frame | None:
        """The frame that stations of a region follow."""
        for code in lineage(region):
            if code not in self._frames:
                data = self(frame_target(code))
                self._frames[code] = decode(data, Frame) if data is not None else None
            if (found := self._frames[code]) is not None:
                return found
        return None

    def _role(self, role: str) -> Mapping[str, tuple[int, str]]:
        if role not in self._roles:
            data = self.role_bytes(role)
            payload = signed_by(data, self.key) if data is not None else None
            self._roles[role] = targets_of(payload) if payload is not None else {}
        return self._roles[role]
