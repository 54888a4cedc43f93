"""What a signer looks at for himself: the audit chain, the signed catalogue, the bytes of media.

Nothing here trusts the rows that states are kept in, nor the store.
"""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec
from sqlalchemy import select

from protocol import keys as ed25519
from protocol.documents import ReleaseFile, ReleaseManifest, Rendition, decode
from protocol.errors import BadSignature, MalformedDocument
from protocol.names import release_target
from protocol.pieces import PieceHasher, PieceLayer
from server.catalog.review import Link, ProvenRelease, proven_release
from server.db import Database
from server.i18n import N_
from server.identity import audit
from server.identity.models import AuditEntry
from server.publish.keys import PublicKey
from server.publish.rules import bin_of
from server.publish.scope import Admitted, Problem
from server.storage import Store, media_key, pieces_key


class Refused(Exception):
    """A signer does not put its name to something; ``problems`` say why, for people."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("; ".join(problem.text() for problem in problems))


# --- the audit chain ------------------------------------------------------------------------------------------------
class History:
    """The audit chain as one signer saw it, checked link by link from the first one.

    ``known`` is the head the signer remembers: a chain that no longer contains it was rewritten. Raises
    audit.ChainBroken.
    """

    def __init__(self, database: Database, known: audit.Head) -> None:
        with database.read() as session:
            self.head = audit.verify_chain(session)
            if known.seq:
                link = session.get(AuditEntry, known.seq)
                if link is None or link.hash != known.hash:
                    raise audit.ChainBroken(N_("审计记录 %(seq)s 与此前所见不符"), seq=known.seq)
            rows = session.execute(
                select(
                    AuditEntry.seq,
                    AuditEntry.actor_id,
                    AuditEntry.action,
                    AuditEntry.detail,
                    AuditEntry.subject,
                )
                .where(AuditEntry.subject.startswith("edition:"), AuditEntry.seq <= self.head.seq)
                .order_by(AuditEntry.seq)
            ).all()
        self._links: dict[str, list[Link]] = defaultdict(list)
        for seq, actor, action, detail, subject in rows:
            self._links[subject.removeprefix("edition:")].append(Link(seq, actor, action, detail))

    def proof(self, edition: str) -> ProvenRelease | None:
        """Three reviews by three people, none the contributor, and not withdrawn since; or None."""
        return proven_release(self._links.get(edition, []))


def review_problem(manifest: ReleaseManifest, history: History) -> Problem | None:
    """Whether the manifest is of what three reviewers approved."""
    proof = history.proof(manifest.edition)
    if proof is None:
        return Problem("not_reviewed", N_("审计链里没有三审通过的记录"))
    reviewed = (proof.source_sha256, proof.recipe_sha256, proof.title)
    if reviewed != (manifest.source_sha256, manifest.recipe_sha256, manifest.title):
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
