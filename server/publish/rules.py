"""Who signs what, how many must agree, and how long it holds: the one table of roles of the TUF repository.

Keys are named here by what they are for; where their private halves lie is each signer's own affair.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from protocol import names

CITIES = tuple(f"13{number:02d}" for number in range(1, 12))
"""The 11 cities of Hebei, each with one role of its own."""

ROOT = "root"
TARGETS = "targets"
SNAPSHOT = "snapshot"
TIMESTAMP = "timestamp"

POLICY = "policy"
OFFICERS = ("officer-1", "officer-2", "officer-3", "officer-4")
OFFLINE = ("offline-1", "offline-2", "offline-3")
BUILD = ("build-1", "build-2", "build-3")
ONLINE = (names.ROLLOUT, SNAPSHOT, TIMESTAMP)
_POLICY_OR_OFFICERS = (POLICY, *OFFICERS)

TIMESTAMP_EVERY = timedelta(hours=1)


class Kind(StrEnum):
    """What a role's metadata is made of."""

    TOP = "top"
    """Root, targets, snapshot, timestamp: fixed by the specification."""
    CATALOGUE = "catalogue"
    """Release manifests: the catalogue and its bins."""
    DOCUMENTS = "documents"
    """Schedules and other documents that people write."""
    COMMANDS = "commands"
    """Remote commands: signed when there are any, and left to run out otherwise."""
    EMPTY = "empty"
    """Nothing to say yet."""


@dataclass(frozen=True)
class RoleRule:
    """One role: names of its keys, how many of them must sign, how long a signature holds, and from how much
    remaining time on it is signed anew. ``paths`` are the targets that the role above lets it speak for."""

    name: str
    kind: Kind
    keys: tuple[str, ...]
    threshold: int
    valid: timedelta
    renew_under: timedelta
    paths: tuple[str, ...] = ()

    def expires(self, now: datetime) -> datetime:
        """When a signature made now runs out, in whole seconds as TUF writes it."""
        return (now + self.valid).replace(microsecond=0)

    def is_due(self, expires: datetime, now: datetime) -> bool:
        return expires - now < self.renew_under


def _days(valid: int, renew_under: int) -> tuple[timedelta, timedelta]:
    return timedelta(days=valid), timedelta(days=renew_under)


def _officers(
    name: str, kind: Kind, span: tuple[timedelta, timedelta], path: str, threshold: int = 2
) -> RoleRule:
    return RoleRule(name, kind, _POLICY_OR_OFFICERS, threshold, *span, (path,) if path else ())


def _local(city: str) -> RoleRule:
    # Exactly two keys: a threshold counts any keys of a role, so a third would let two of them pass the policy by.
    role = names.local_role(city)
    return RoleRule(role, Kind.DOCUMENTS, (role, POLICY), 2, *_days(45, 30), (f"local/{city}/*.json",))


TOP_RULES = {
    rule.name: rule
    for rule in (
        RoleRule(ROOT, Kind.TOP, OFFLINE, 2, *_days(365, 183)),
        RoleRule(TARGETS, Kind.TOP, OFFLINE, 2, *_days(365, 183)),
        RoleRule(SNAPSHOT, Kind.TOP, (SNAPSHOT,), 1, *_days(14, 7)),
        RoleRule(
            TIMESTAMP, Kind.TOP, (TIMESTAMP,), 1, timedelta(days=3), timedelta(days=3) - TIMESTAMP_EVERY
        ),
    )
}

DELEGATED_RULES = {
    rule.name: rule
    for rule in (
        _officers(names.CATALOGUE, Kind.CATALOGUE, _days(180, 60), "release/*.json"),
        _officers(names.FRAME, Kind.DOCUMENTS, _days(45, 30), "frame/*.json"),
        *(_local(city) for city in CITIES),
        _officers(names.RECALL, Kind.DOCUMENTS, _days(45, 30), names.RECALL_TARGET, threshold=1),
        _officers(names.EMERGENCY, Kind.DOCUMENTS, _days(45, 30), names.EMERGENCY_TARGET),
        _officers(names.NETWORK, Kind.DOCUMENTS, _days(90, 45), names.NETWORK_TARGET),
        RoleRule(names.AGENT, Kind.EMPTY, BUILD, 2, *_days(365, 183), ("agent/*",)),
        _officers(
            names.COMMAND, Kind.COMMANDS, (timedelta(hours=24), timedelta(0)), "command/*.json", threshold=1
        ),
        RoleRule(names.ROLLOUT, Kind.EMPTY, (names.ROLLOUT,), 1, *_days(14, 7), ("rollout/*.json",)),
    )
}
"""Roles that targets delegates to, in the order of the search; each ends it."""

BIN_RULE = _officers("", Kind.CATALOGUE, _days(45, 30), "")

KEY_NAMES = (*OFFLINE, *BUILD, POLICY, *OFFICERS, *(names.local_role(c) for c in CITIES), *ONLINE)
"""Every key of an installation."""


def bin_names() -> Iterator[str]:
    """``catalogue-00`` … ``catalogue-ff``."""
    for number in range(2**names.CATALOGUE_BIN_BITS):
        yield f"{names.CATALOGUE}-{number:02x}"


def bin_of(target: str) -> str:
    """The bin a release's target falls into: by the first bits of its name's SHA-256 (TUF's succinct roles)."""
    first = hashlib.sha256(target.encode()).digest()[0]
    return f"{names.CATALOGUE}-{first >> (8 - names.CATALOGUE_BIN_BITS):02x}"


def rule_of(role: str) -> RoleRule:
    """The rule of a role, bins included. Raises KeyError for a role that is none of ours."""
    if role in TOP_RULES:
        return TOP_RULES[role]
    if role in DELEGATED_RULES:
        return DELEGATED_RULES[role]
    if role.startswith(f"{names.CATALOGUE}-"):
        return BIN_RULE
    raise KeyError(role)


def role_above(role: str) -> str:
    """The role that names another one's keys. Raises KeyError."""
    if role in TOP_RULES:
        return ROOT
    return TARGETS if role in DELEGATED_RULES else names.CATALOGUE


def role_of_target(target: str) -> str:
    """The role that speaks for a target. Raises KeyError for a name that nobody may use."""
    folder, _, rest = target.partition("/")
    if not rest:
        by_name = {
            names.RECALL_TARGET: names.RECALL,
            names.EMERGENCY_TARGET: names.EMERGENCY,
            names.NETWORK_TARGET: names.NETWORK,
        }
        return by_name[target]
    if folder == "release":
        return bin_of(target)
    if folder == "frame":
        return names.FRAME
    if target == names.COMMAND_TARGET:
        return names.COMMAND
    if folder == "local":
        return names.local_role(rest.partition("/")[0])
    raise KeyError(target)
