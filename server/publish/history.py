"""Earlier publications, read from what was signed and served then, not from what rows say about it.

Roles and targets on the read plane never change once they are there, and every snapshot names its roles by hash: so
each publication can be read again as its stations read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from protocol import names
from protocol.documents import (
    Emergency,
    Frame,
    LocalDocument,
    Recall,
    RecalledRelease,
    decode,
)
from protocol.times import to_text
from server.errors import NotFound
from server.i18n import N_
from server.publish.changes import DocumentChange, Timed, compare, editions_in, without_editions
from server.publish.rules import DELEGATED_RULES, Kind, bin_names
from server.publish.signers import Document, kind_of
from server.publish.trust_repository import Past, Repository, RepositoryDamaged
from server.publish.trust_roles import TargetInfo


class NoLongerKept(NotFound):
    """The files of an old publication are gone, or not what was signed."""

    code = "not_kept"
    title = N_("这次发布的文件已不在")


@dataclass(frozen=True)
class Comparison:
    """What the later of two publications says otherwise. Editions by id; documents that differ, in order."""

    before: int
    after: int
    admitted: Sequence[str] = ()
    dropped: Sequence[str] = ()
    documents: Sequence[DocumentChange] = ()
    recalled: Sequence[RecalledRelease] = ()
    emergencies_begun: Sequence[str] = ()
    emergencies_ended: Sequence[str] = ()
    others: Sequence[str] = field(default_factory=tuple)

    @property
    def count(self) -> int:
        """How many single changes there are."""
        lines = sum(len(document.lines) for document in self.documents)
        more = (self.admitted, self.dropped, self.recalled, self.emergencies_begun, self.emergencies_ended)
        return lines + sum(len(part) for part in more)


class Reading:
    """Publications of one repository, read again. Every function raises NoLongerKept."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def compare(self, before: int, after: int, *, since: datetime) -> Comparison:
        """What publication ``after`` says otherwise than ``before`` of the time from ``since`` on."""
        try:
            old, new = self._repository.past(before), self._repository.past(after)
            admitted, dropped = self._editions(old, new)
            changed = self._changed(old, new)
            documents = self._documents(changed, to_text(since))
            return Comparison(
                before=before,
                after=after,
                admitted=admitted,
                dropped=dropped,
                documents=documents,
                recalled=self._recalled(changed),
                emergencies_begun=self._emergencies(changed, 1, 0),
                emergencies_ended=self._emergencies(changed, 0, 1),
                others=tuple(target for target in changed if target == names.NETWORK_TARGET),
            )
        except (RepositoryDamaged, FileNotFoundError) as error:
            raise NoLongerKept from error

    def documents(self, number: int) -> dict[str, Document]:
        """Every document of a publication by target."""
        try:
            past = self._repository.past(number)
            found = {}
            for role, rule in DELEGATED_RULES.items():
                if rule.kind is Kind.DOCUMENTS:
                    for target, info in self._targets(past, role).items():
                        found[target] = decode(self._bytes(target, info), kind_of(target))
        except (RepositoryDamaged, FileNotFoundError) as error:
            raise NoLongerKept from error
        return found

    # --- parts ---
    def _targets(self, past: Past, role: str) -> Mapping[str, TargetInfo]:
        content = self._repository.role(past, role)
        return content.targets if content else {}

    def _bytes(self, target: str, info: TargetInfo | None) -> bytes:
        data = self._repository.target(target, info) if info else None
        if data is None:
            raise RepositoryDamaged(f"{target} is gone")
        return data

    def _roles_that_differ(self, old: Past, new: Past, roles: Iterable[str]) -> list[str]:
        def file(past: Past, role: str) -> object:
            meta = past.meta.get(role)
            return meta and (meta.version, meta.hashes)

        return [role for role in roles if file(old, role) != file(new, role)]

    def _editions(self, old: Past, new: Past) -> tuple[list[str], list[str]]:
        admitted: list[str] = []
        dropped: list[str] = []
        for role in self._roles_that_differ(old, new, bin_names()):
            was, now = self._targets(old, role), self._targets(new, role)
            admitted += [_edition(target) for target in now if target not in was]
            dropped += [_edition(target) for target in was if target not in now]
        return sorted(admitted), sorted(dropped)

    def _changed(self, old: Past, new: Past) -> dict[str, tuple[TargetInfo | None, TargetInfo | None]]:
        found = {}
        documents = [role for role, rule in DELEGATED_RULES.items() if rule.kind is Kind.DOCUMENTS]
        for role in self._roles_that_differ(old, new, documents):
            was, now = self._targets(old, role), self._targets(new, role)
            for target in sorted({*was, *now}):
                if was.get(target) != now.get(target):
                    found[target] = (was.get(target), now.get(target))
        return found

    def _documents(
        self, changed: Mapping[str, tuple[TargetInfo | None, TargetInfo | None]], since: str
    ) -> list[DocumentChange]:
        found = []
        for target, (was, now) in changed.items():
            kind = kind_of(target)
            if kind not in (Frame, LocalDocument):
                continue
            old, new = (decode(self._bytes(target, info), kind) if info else None for info in (was, now))
            change = compare(_timed(old), _timed(new), since=since)
            if change.lines:
                found.append(change)
        return found

    def _recalled(
        self, changed: Mapping[str, tuple[TargetInfo | None, TargetInfo | None]]
    ) -> list[RecalledRelease]:
        was, now = changed.get(names.RECALL_TARGET, (None, None))
        if now is None:
            return []
        old = decode(self._bytes(names.RECALL_TARGET, was), Recall).recalled if was else []
        known = {entry.release for entry in old}
        new = decode(self._bytes(names.RECALL_TARGET, now), Recall).recalled
        return [entry for entry in new if entry.release not in known]

    def _emergencies(
        self, changed: Mapping[str, tuple[TargetInfo | None, TargetInfo | None]], of: int, without: int
    ) -> list[str]:
        def items(info: TargetInfo | None) -> dict[str, str]:
            if info is None:
                return {}
            document = decode(self._bytes(names.EMERGENCY_TARGET, info), Emergency)
            return {item.id: item.text or item.id for item in document.items}

        pair = changed.get(names.EMERGENCY_TARGET, (None, None))
        others = items(pair[without])
        return [text for id_, text in items(pair[of]).items() if id_ not in others]


def _edition(target: str) -> str:
    return target.removeprefix("release/").removesuffix(".json")


def _timed(document: Document | None) -> Timed | None:
    return document if isinstance(document, Frame | LocalDocument) else None


# --- back to an earlier schedule ------------------------------------------------------------------------------------------
def put_back(
    past: Mapping[str, Document], wanted: Mapping[str, Document], *, playable: frozenset[str]
) -> dict[str, Document]:
    """The documents of an earlier schedule as they would be signed now. Pure.

    Schedules come from the past, under today's span of validity; recalls, emergencies and the network stay those of
    today (``wanted``), and what may no longer be played (not in ``playable``) stays out: no way back undoes a
    withdrawal. A city or county that has had a document since gets an empty one, since no target ever vanishes.
    """
    made = {target: document for target, document in wanted.items() if _timed(document) is None}
    span = _span(wanted)
    for target, document in past.items():
        timed = _timed(document)
        if timed is None:
            continue
        gone = frozenset(edition for edition in editions_in(timed) if edition not in playable)
        made[target] = msgspec.structs.replace(without_editions(timed, gone), serial=0, **span)
    for target, document in wanted.items():
        if target not in made and isinstance(document, LocalDocument):
            made[target] = LocalDocument(
                region=document.region,
                serial=0,
                channels=[],
                valid_from=span["valid_from"],
                valid_until=span["valid_until"],
            )
    return made


def _span(wanted: Mapping[str, Document]) -> dict[str, str]:
    frames = [document for document in wanted.values() if isinstance(document, Frame)]
    return {
        "valid_from": min(frame.valid_from for frame in frames),
        "valid_until": max(frame.valid_until for frame in frames),
    }
