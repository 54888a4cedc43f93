"""The signers: each holds one key and looks for itself before it signs.

They run inside the publisher for now, as objects that share nothing: what the publisher says is checked against the
audit chain, the media, the signed catalogue and the signer's own memory. A signer signs the bytes it was shown,
which are canonical JSON as TUF defines it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from protocol import names
from protocol.documents import (
    Commands,
    Emergency,
    EmergencyItem,
    Frame,
    LocalDocument,
    Network,
    Recall,
    ReleaseManifest,
    decode,
)
from protocol.errors import MalformedDocument
from protocol.regions import city_of, lineage
from protocol.times import from_text, to_text
from server.db import Database
from server.i18n import N_
from server.publish.changes import compare
from server.publish.evidence import (
    History,
    Refused,
    SignedDocuments,
    Witness,
    media_problem,
    review_problem,
    signed_by,
    targets_of,
)
from server.publish.keys import PrivateKey, PublicKey
from server.publish.rules import role_of_target
from server.publish.scope import (
    Catalogue,
    Problem,
    command_problems,
    emergency_problems,
    frame_problems,
    local_problems,
    recall_problems,
)
from server.publish.unattended import may_publish_unattended
from server.readplane import write_whole
from server.storage import Store

MEMORY_FILE = "policy-memory.json"
LINKS_FILE = "-links.bin"

Document = Frame | LocalDocument | Recall | Emergency | Network | Commands
_NOT_EXAMINED = N_("签名者没有审查过：%(target)s")


def kind_of(target: str) -> type[Document]:
    """What a target's bytes are. Raises KeyError for a name that nobody may use."""
    by_role: dict[str, type[Document]] = {
        names.FRAME: Frame,
        names.RECALL: Recall,
        names.EMERGENCY: Emergency,
        names.NETWORK: Network,
        names.COMMAND: Commands,
    }
    role = role_of_target(target)
    return LocalDocument if role.startswith("local-") else by_role[role]


def _witness_of(key: PrivateKey, folder: Path, database: Database) -> Witness:
    return Witness(database, folder / f"{key.public.name}{LINKS_FILE}")


# --- what every signer is -----------------------------------------------------------------------------------------
class PlainSigner:
    """A key that signs what it is shown. For roles whose people look at the bytes themselves."""

    def __init__(self, key: PrivateKey) -> None:
        self._key = key

    @property
    def public(self) -> PublicKey:
        return self._key.public

    def sign(self, payload: bytes) -> str:
        """The signature, hex."""
        return self._key.sign(payload)


@dataclass(frozen=True)
class Case:
    """What a publisher lays before the signers of documents.

    ``frames`` are those that stations will follow, by region; ``before`` finds the bytes served now. ``signed`` gives
    what a key signed itself. ``unattended``: nobody stands by, so each signer goes by :mod:`unattended` for himself.
    """

    catalogue: Callable[[PublicKey], Catalogue]
    frames: Mapping[str, Frame]
    before: Callable[[str], bytes | None]
    now: datetime
    signed: Callable[[PublicKey], SignedDocuments] | None = None
    unattended: bool = False

    def frame_for(self, region: str) -> Frame | None:
        return next((self.frames[code] for code in lineage(region) if code in self.frames), None)


class DocumentSigner(PlainSigner):
    """Examines documents one by one, then signs roles that name only what it examined or signed before.

    ``believes`` is whose signature on the catalogue it goes by: its own, unless its key signs none.
    """

    def __init__(
        self, key: PrivateKey, believes: PublicKey | None = None, witness: Witness | None = None
    ) -> None:
        super().__init__(key)
        self.believes = believes or key.public
        self._witness = witness
        self._examined: dict[str, str] = {}
        self._catalogue: Catalogue | None = None

    def examine(self, target: str, data: bytes, case: Case) -> None:
        """Look at one document. Raises Refused with every problem found."""
        problems = self._problems(target, data, case)
        if problems:
            raise Refused(*problems)
        self._examined[target] = hashlib.sha256(data).hexdigest()

    def sign_documents(self, payload: bytes, *, before: bytes | None) -> str:
        """Sign a role that names targets; ``before`` is the file served now. Raises Refused."""
        known = self._signed_before(before)
        for target, (length, sha256) in targets_of(payload).items():
            if self._examined.get(target) != sha256 and known.get(target) != (length, sha256):
                raise Refused(Problem("not_examined", _NOT_EXAMINED, {"target": target}))
        return self.sign(payload)

    def _signed_before(self, before: bytes | None) -> Mapping[str, tuple[int, str]]:
        payload = signed_by(before, self.public) if before is not None else None
        return targets_of(payload) if payload is not None else {}

    def _problems(self, target: str, data: bytes, case: Case) -> list[Problem]:
        try:
            document = decode(data, kind_of(target))
        except (MalformedDocument, KeyError):
            return [Problem("malformed", N_("文件读不懂：%(target)s"), {"target": target})]
        if self._catalogue is None:
            self._catalogue = case.catalogue(self.believes)
        signed = case.signed(self.believes) if case.signed is not None else None
        found = _document_problems(target, document, self._catalogue, case, signed)
        if isinstance(document, Emergency):
            found += self._unagreed(document)
        if isinstance(document, Commands):
            found += self._unasked(document)
        if case.unattended and isinstance(document, Frame | LocalDocument):
            found += self._unattended_problems(target, document, case)
        return found

    def _unattended_problems(self, target: str, document: Frame | LocalDocument, case: Case) -> list[Problem]:
        """Why nobody but a person may let this pass, unless one did, as far as this signer can see."""
        if case.signed is None or self._witness is None:
            return [Problem("unattended", N_("无人值守时不签：%(target)s"), {"target": target})]
        signed = case.signed(self.believes)
        before = signed(target)
        change = compare(
            decode(before, type(document)) if before is not None else None, document, since=to_text(case.now)
        )
        frame = document if isinstance(document, Frame) else signed.frame_for(document.region)
        reasons = may_publish_unattended(
            change,
            document,
            frame,
            protected=self._witness.protected(case.now, from_text(document.valid_until)),
            now=to_text(case.now),
        )
        if reasons and self._witness.is_approved(target, change.fingerprint):
            return []
        return reasons

    def _unagreed(self, document: Emergency) -> list[Problem]:
        """Emergency items that two people did not agree on, as far as this signer can see."""
        return [
            Problem("not_agreed", N_("应急插播没有经过两个人：%(item)s"), {"item": item.text or item.id})
            for item in document.items
            if self._witness is None or not self._witness.is_agreed(item, self._programme_of(item))
        ]

    def _unasked(self, document: Commands) -> list[Problem]:
        """Commands behind which the audit chain names nobody, as far as this signer can see."""
        return [
            Problem("not_asked", N_("远程命令没有人下达过：%(item)s"), {"item": command.id})
            for command in document.items
            if self._witness is None or not self._witness.is_asked(command)
        ]

    def _programme_of(self, item: EmergencyItem) -> str | None:
        admitted = self._catalogue(item.ref.edition) if item.ref is not None and self._catalogue else None
        return admitted.manifest.programme if admitted is not None else None


def _document_problems(
    target: str, document: Document, catalogue: Catalogue, case: Case, signed: SignedDocuments | None
) -> list[Problem]:
    match document:
        case Frame():
            found = frame_problems(document, catalogue, now=case.now)
            return found + _misnamed(target, names.frame_target(document.region))
        case LocalDocument():
            # Held against a frame that was signed, not against one that somebody shows.
            frame = (signed or case).frame_for(document.region)
            found = local_problems(document, frame, catalogue, now=case.now)
            named = names.local_target(document.region) if city_of(document.region) else ""
            return found + _misnamed(target, named)
        case Emergency():
            return emergency_problems(document, catalogue)
        case Recall():
            before = case.before(target)
            return recall_problems(document, decode(before, Recall) if before else None)
        case Commands():
            return command_problems(document)
        case _:
            return []


def _misnamed(target: str, expected: str) -> list[Problem]:
    if target == expected:
        return []
    return [Problem("misnamed", N_("文件名与地区不符：%(target)s"), {"target": target})]


# --- the catalogue --------------------------------------------------------------------------------------------------
class CatalogueSigner(DocumentSigner):
    """Examines releases before their first admission, then signs bins that name only what was examined."""

    def __init__(self, key: PrivateKey, witness: Witness | None = None) -> None:
        super().__init__(key, witness=witness)
        self._manifests: dict[str, str] = {}

    def examine_release(self, target: str, data: bytes, *, now: datetime) -> None:
        """Look at a release. Raises Refused, and audit.ChainBroken."""
        problem = self._release_problem(_manifest(target, data), now)
        if problem is not None:
            raise Refused(problem)
        self._manifests[target] = hashlib.sha256(data).hexdigest()

    def sign_catalogue(self, payload: bytes, *, before: bytes | None) -> str:
        """Sign a bin; ``before`` is the file served now. Raises Refused."""
        known = self._signed_before(before)
        for target, (length, sha256) in targets_of(payload).items():
            if self._manifests.get(target) != sha256 and known.get(target) != (length, sha256):
                raise Refused(Problem("not_examined", _NOT_EXAMINED, {"target": target}))
        return self.sign(payload)

    def _release_problem(self, manifest: ReleaseManifest, now: datetime) -> Problem | None:
        return _rights_problem(manifest, now)


def _manifest(target: str, data: bytes) -> ReleaseManifest:
    try:
        manifest = decode(data, ReleaseManifest)
    except MalformedDocument as error:
        raise Refused(Problem("malformed", N_("文件读不懂：%(target)s"), {"target": target})) from error
    if target != names.release_target(manifest.edition):
        raise Refused(*_misnamed(target, ""))
    return manifest


def _rights_problem(manifest: ReleaseManifest, now: datetime) -> Problem | None:
    until = manifest.rights.valid_until
    if until is not None and from_text(until) <= now:
        return Problem("rights_ended", N_("播出权已于 %(until)s 到期"), {"until": until})
    return None


# --- policy ---------------------------------------------------------------------------------------------------------
class Remembered(msgspec.Struct, frozen=True):
    """A document as the policy signer last let it pass."""

    serial: int
    sha256: str


class _Serial(msgspec.Struct):
    serial: int


class _Memory(msgspec.Struct, kw_only=True):
    documents: dict[str, Remembered] = {}


class PolicySigner(CatalogueSigner):
    """The province's rule, as a key: three audited reviews, unharmed media, rights, scope, serial + 1.

    Its memory are files of its own in ``folder``: the audit chain as it saw it, and for each document the serial and
    hash it last examined. So a rewritten history is noticed, and no serial ever stands for two documents.
    """

    def __init__(self, key: PrivateKey, folder: Path, database: Database, store: Store) -> None:
        super().__init__(key, _witness_of(key, folder, database))
        self._folder = folder
        self._database = database
        self._store = store
        self._memory = _read_memory(folder / MEMORY_FILE)
        self._is_dirty = False

    @property
    def _history(self) -> History:
        assert self._witness is not None
        return self._witness.history

    # --- catalogue ---
    def _release_problem(self, manifest: ReleaseManifest, now: datetime) -> Problem | None:
        """Reviews, rights, then every byte of the media."""
        return (
            review_problem(manifest, self._history)
            or super()._release_problem(manifest, now)
            or media_problem(manifest, self._store)
        )

    def sign_catalogue(self, payload: bytes, *, before: bytes | None) -> str:
        """As any signer of the catalogue, and each entry, old or new, must be proven by the audit chain now."""
        editions = [target.removeprefix("release/").removesuffix(".json") for target in targets_of(payload)]
        if None in self._history.proofs(editions).values():
            raise Refused(Problem("not_reviewed", N_("审计链里没有三审通过的记录")))
        return super().sign_catalogue(payload, before=before)

    # --- documents ---
    def last_serial(self, target: str, served: Callable[[], bytes | None]) -> Remembered | None:
        """The serial and hash last examined under this name; None where there was none.

        A signer without memory of a name goes on from what is served, which somebody with this key once signed.
        """
        remembered = self._memory.documents.get(target)
        if remembered is None and (data := served()) is not None:
            serial = decode(data, kind_of(target)).serial
            remembered = Remembered(serial, hashlib.sha256(data).hexdigest())
            self._memory.documents[target] = remembered
        return remembered

    def examine(self, target: str, data: bytes, case: Case) -> None:
        super().examine(target, data, case)
        sha256 = hashlib.sha256(data).hexdigest()
        serial = msgspec.json.decode(data, type=_Serial).serial  # decoded whole, and so checked, just before
        remembered = self._memory.documents.get(target, Remembered(0, ""))
        if (serial, sha256) != (remembered.serial, remembered.sha256):
            if serial != remembered.serial + 1:
                del self._examined[target]
                raise Refused(
                    Problem("serial", N_("序号不是上次签名的下一个：%(serial)s"), {"serial": serial})
                )
            self._memory.documents[target] = Remembered(serial, sha256)
            self._is_dirty = True

    def sign_documents(self, payload: bytes, *, before: bytes | None) -> str:
        """Remember what is signed, on disk, before the signature leaves. Raises Refused."""
        if self._is_dirty:
            self._save()
            self._is_dirty = False
        return super().sign_documents(payload, before=before)

    def _save(self) -> None:
        write_whole(self._folder / MEMORY_FILE, msgspec.json.encode(self._memory), mode=0o600)


def _read_memory(path: Path) -> _Memory:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Memory)
    except FileNotFoundError:
        return _Memory()


# --- officers -------------------------------------------------------------------------------------------------------
class OfficerSigner(CatalogueSigner):
    """Stands in for an officer at his own computer: looks at reviews and documents, and remembers the audit chain."""

    def __init__(self, key: PrivateKey, folder: Path, database: Database) -> None:
        super().__init__(key, _witness_of(key, folder, database))

    @property
    def _history(self) -> History:
        assert self._witness is not None
        return self._witness.history

    def _release_problem(self, manifest: ReleaseManifest, now: datetime) -> Problem | None:
        return review_problem(manifest, self._history) or super()._release_problem(manifest, now)


# --- cities ---------------------------------------------------------------------------------------------------------
class CitySigner(DocumentSigner):
    """One city's key: signs what its own regions say inside their windows. Knows the policy's public key."""

    def __init__(
        self, key: PrivateKey, city: str, policy: PublicKey, folder: Path, database: Database
    ) -> None:
        super().__init__(key, believes=policy, witness=_witness_of(key, folder, database))
        self.city = city

    def _problems(self, target: str, data: bytes, case: Case) -> list[Problem]:
        found = super()._problems(target, data, case)
        if not target.startswith(f"local/{self.city}/"):
            found.append(Problem("other_city", N_("不属于本市：%(target)s"), {"target": target}))
        return found


# --- freshness ------------------------------------------------------------------------------------------------------
class _Meta(msgspec.Struct):
    version: int
    hashes: dict[str, str] = {}


class _MetaPart(msgspec.Struct):
    type_: str = msgspec.field(name="_type")
    version: int
    meta: dict[str, _Meta]


class FreshnessSigner(PlainSigner):
    """Signs snapshots or timestamps: versions only rise, every entry has a hash, no role ever leaves."""

    def __init__(self, key: PrivateKey, kind: str) -> None:
        super().__init__(key)
        self._kind = kind

    def sign_next(self, payload: bytes, *, before: bytes | None) -> str:
        """Sign what follows the file served now. Raises Refused."""
        new = self._read(payload)
        old_payload = signed_by(before, self.public) if before is not None else None
        old = self._read(old_payload) if old_payload is not None else None
        if any("sha256" not in meta.hashes for meta in new.meta.values()):
            raise Refused(Problem("no_hash", N_("快照里有文件没有哈希值")))
        if old is not None and (new.version <= old.version or not _follows(new.meta, old.meta)):
            raise Refused(Problem("older", N_("版本号只能增加，角色不能消失")))
        return self.sign(payload)

    def _read(self, payload: bytes) -> _MetaPart:
        try:
            found = msgspec.json.decode(payload, type=_MetaPart)
        except msgspec.DecodeError as error:
            raise Refused(Problem("not_targets", N_("待签内容的类型不对"))) from error
        if found.type_ != self._kind:
            raise Refused(Problem("not_targets", N_("待签内容的类型不对")))
        return found


def _follows(new: Mapping[str, _Meta], old: Mapping[str, _Meta]) -> bool:
    return all(name in new and new[name].version >= meta.version for name, meta in old.items())
