"""The roles' metadata as TUF writes it: what is to be signed, and signed metadata put together.

Everything returns bytes. Signers never see these types: they sign the canonical bytes that :class:`Unsigned` holds.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from securesystemslib.signer import Signature, SSlibKey
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Role,
    Root,
    Signed,
    Snapshot,
    SuccinctRoles,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import CanonicalJSONSerializer

from protocol import names
from protocol.times import to_text
from server.publish.keys import PublicKey
from server.publish.rules import (
    BIN_RULE,
    DELEGATED_RULES,
    SNAPSHOT,
    TIMESTAMP,
    TOP_RULES,
    rule_of,
)

LABEL_FIELD = "x-yuanbo-label"
"""In every public key's entry: what the key is fit for. A production terminal's installer looks at it."""


@dataclass(frozen=True)
class TargetInfo:
    """What a role says of one target."""

    length: int
    sha256: str


@dataclass(frozen=True)
class RoleFile:
    """A signed role's file: its version and exact bytes."""

    role: str
    version: int
    data: bytes

    @property
    def name(self) -> str:
        return f"{self.version}.{self.role}.json"


class Unsigned:
    """Metadata without signatures. ``payload`` are the bytes that every signature covers."""

    def __init__(self, role: str, signed: Signed) -> None:
        self.role = role
        self.version = signed.version
        self._signed = signed
        self.payload = CanonicalJSONSerializer().serialize(signed)

    def with_signatures(self, signatures: Mapping[str, str]) -> RoleFile:
        """The file, with signatures as hex by key identifier."""
        made = {keyid: Signature(keyid, signature) for keyid, signature in signatures.items()}
        return RoleFile(self.role, self.version, Metadata[Any](self._signed, made).to_bytes())


def tuf_key(key: PublicKey) -> SSlibKey:
    """A public key as it stands in metadata."""
    made = SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(base64.b64decode(key.public)))
    made.unrecognized_fields[LABEL_FIELD] = key.label
    return made


def key_ids(keys: Mapping[str, PublicKey]) -> dict[str, str]:
    """TUF's identifier of every key, by the key's name."""
    return {name: tuf_key(key).keyid for name, key in keys.items()}


def root(keys: Mapping[str, PublicKey], *, version: int, now: datetime) -> Unsigned:
    """The root of trust: keys and thresholds of the four top-level roles."""
    by_name = {name: tuf_key(keys[name]) for rule in TOP_RULES.values() for name in rule.keys}
    roles = {
        name: Role([by_name[key].keyid for key in rule.keys], rule.threshold)
        for name, rule in TOP_RULES.items()
    }
    signed = Root(
        version=version,
        expires=TOP_RULES[Root.type].expires(now),
        keys={key.keyid: key for key in by_name.values()},
        roles=roles,
        consistent_snapshot=True,
    )
    return Unsigned(Root.type, signed)


def top_targets(keys: Mapping[str, PublicKey], *, version: int, now: datetime) -> Unsigned:
    """Targets: delegates, names no target itself."""
    used = {name: tuf_key(keys[name]) for rule in DELEGATED_RULES.values() for name in rule.keys}
    roles = {
        rule.name: DelegatedRole(
            rule.name,
            [used[name].keyid for name in rule.keys],
            rule.threshold,
            terminating=True,
            paths=list(rule.paths),
        )
        for rule in DELEGATED_RULES.values()
    }
    delegations = Delegations({key.keyid: key for key in used.values()}, roles)
    signed = Targets(version, None, TOP_RULES[Targets.type].expires(now), delegations=delegations)
    return Unsigned(Targets.type, signed)


def catalogue(keys: Mapping[str, PublicKey], *, version: int, now: datetime) -> Unsigned:
    """The catalogue: delegates to its bins. A layer of its own, since one role delegates to names or to bins."""
    used = {name: tuf_key(keys[name]) for name in BIN_RULE.keys}
    succinct = SuccinctRoles(
        [key.keyid for key in used.values()], BIN_RULE.threshold, names.CATALOGUE_BIN_BITS, names.CATALOGUE
    )
    delegations = Delegations({key.keyid: key for key in used.values()}, succinct_roles=succinct)
    expires = DELEGATED_RULES[names.CATALOGUE].expires(now)
    return Unsigned(names.CATALOGUE, Targets(version, None, expires, delegations=delegations))


def targets(role: str, content: Mapping[str, TargetInfo], *, version: int, now: datetime) -> Unsigned:
    """A role that names targets: a bin, frame, a city's, …; possibly none."""
    files = {
        name: TargetFile(info.length, {"sha256": info.sha256}, name) for name, info in sorted(content.items())
    }
    return Unsigned(role, Targets(version, None, rule_of(role).expires(now), files))


def snapshot(meta: Mapping[str, MetaFile], *, version: int, now: datetime) -> Unsigned:
    """Which version of every role belongs together, each with its hash: a stolen key of one role is not enough to
    put another file under the same version."""
    files = {f"{role}.json": found for role, found in sorted(meta.items())}
    return Unsigned(SNAPSHOT, Snapshot(version, None, TOP_RULES[SNAPSHOT].expires(now), files))


def timestamp(of: RoleFile, *, version: int, now: datetime) -> Unsigned:
    """The newest snapshot, and when this was said."""
    signed = Timestamp(version, None, TOP_RULES[TIMESTAMP].expires(now), meta_file(of))
    signed.unrecognized_fields[names.TIMESTAMP_ISSUED_FIELD] = to_text(now)
    return Unsigned(TIMESTAMP, signed)


class NotAccepted(Exception):
    """Terminals would refuse what was signed: its keys are not those that the role above names."""


def check_accepted(file: RoleFile, above: bytes) -> None:
    """Hold a signed role against the file of the role above it, as terminals do. Raises NotAccepted."""
    try:
        delegator = Metadata[Any].from_bytes(above).signed
        signed = Metadata[Any].from_bytes(file.data)
        delegator.verify_delegate(file.role, signed.signed_bytes, signed.signatures)
    except (RepositoryError, ValueError) as error:
        raise NotAccepted(f"{file.role}: {error}") from error


def meta_file(of: RoleFile) -> MetaFile:
    """How a role's file is named one level up: version, length and hash."""
    return MetaFile.from_data(of.version, of.data, ["sha256"])
