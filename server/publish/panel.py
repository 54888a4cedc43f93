"""Who sits at the table of one installation: the signers and their keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from protocol.names import ROLLOUT, local_role
from server.config import Config
from server.db import Database
from server.publish.keys import PublicKey, public_keys, read_key
from server.publish.rules import BUILD, CITIES, OFFICERS, OFFLINE, POLICY, SNAPSHOT, TIMESTAMP
from server.publish.signers import CitySigner, FreshnessSigner, OfficerSigner, PlainSigner, PolicySigner
from server.storage import Store


@dataclass(frozen=True)
class Panel:
    """Every signer of an installation whose keys all lie on this machine."""

    public: Mapping[str, PublicKey]
    offline: tuple[PlainSigner, ...]
    build: tuple[PlainSigner, ...]
    policy: PolicySigner
    officer: OfficerSigner
    cities: Mapping[str, CitySigner]
    """By role: ``local-1301``."""
    rollout: PlainSigner
    snapshot: FreshnessSigner
    timestamp: FreshnessSigner


def seat(config: Config, database: Database, store: Store) -> Panel:
    """The signers with the keys of this machine. Raises keys.KeysMissing."""
    folder = config.keys

    def plain(*names: str) -> tuple[PlainSigner, ...]:
        return tuple(PlainSigner(read_key(folder, name)) for name in names)

    public = public_keys(folder)
    return Panel(
        public=public,
        offline=plain(*OFFLINE[:2]),
        build=plain(*BUILD[:2]),
        policy=PolicySigner(read_key(folder, POLICY), folder, database, store),
        officer=OfficerSigner(read_key(folder, OFFICERS[0]), folder, database),
        cities={
            local_role(city): CitySigner(
                read_key(folder, local_role(city)), city, public[POLICY], folder, database
            )
            for city in CITIES
        },
        rollout=PlainSigner(read_key(folder, ROLLOUT)),
        snapshot=FreshnessSigner(read_key(folder, SNAPSHOT), SNAPSHOT),
        timestamp=FreshnessSigner(read_key(folder, TIMESTAMP), TIMESTAMP),
    )
