"""From the rules to numbered documents, one at a time and only what changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Generic, TypeVar

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from protocol.documents import Frame, LocalDocument, encode
from protocol.names import frame_target, local_target
from protocol.times import SHANGHAI
from server.schedule import resolve as r
from server.schedule.fingerprints import Fingerprints
from server.schedule.loading import load_rules
from server.schedule.models import DocumentSerial
from server.schedule.placing import HORIZON_DAYS
from server.schedule.releases import ReleaseRef

_D = TypeVar("_D", Frame, LocalDocument)
NONE_OF_ITS_OWN = "none"
"""Instead of a content hash: this region's frame says what the one above it says, and so there is none."""


class Lazily(MutableMapping[str, _D], Generic[_D]):
    """Documents by region, each made when it is first asked for."""

    def __init__(self, make: Callable[[str], _D], regions: Iterable[str]) -> None:
        self._make: Callable[[str], _D] = make
        self._regions = set(regions)
        self._made: dict[str, _D] = {}

    def __getitem__(self, region: str) -> _D:
        if region not in self._made:
            if region not in self._regions:
                raise KeyError(region)
            self._made[region] = self._make(region)
        return self._made[region]

    def __setitem__(self, region: str, document: _D) -> None:
        self._regions.add(region)
        self._made[region] = document

    def __delitem__(self, region: str) -> None:
        self._regions.remove(region)
        self._made.pop(region, None)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._regions))

    def __len__(self) -> int:
        return len(self._regions)

    def __contains__(self, region: object) -> bool:
        return region in self._regions


@dataclass
class CompiledSchedule:
    """Numbered documents by region, and what could not be honoured in those that were made.

    ``fingerprints`` names, by target, what each document was or would be made from. Two publications with the same
    fingerprint for a target have the same document there but for its serial, so a publisher that remembers them need
    not even have it made: ``frames`` and ``locals`` make a document when it is asked for.
    """

    frames: MutableMapping[str, Frame] = field(default_factory=dict)
    locals: MutableMapping[str, LocalDocument] = field(default_factory=dict)
    problems: list[r.Problem] = field(default_factory=list)
    fingerprints: dict[str, str] = field(default_factory=dict)


def horizon(now: datetime) -> tuple[datetime, datetime]:
    """The span documents cover: from yesterday's midnight in Asia/Shanghai, HORIZON_DAYS ahead of today's."""
    today = now.astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=1), today + timedelta(days=HORIZON_DAYS)


def compile_documents(
    session: Session, *, releases: MutableMapping[str, ReleaseRef], now: datetime
) -> CompiledSchedule:
    """Frames and local documents from the rules, numbered: a serial rises when the content changed, only then.

    A city or county that had a document keeps one, empty if need be: no role or target of theirs ever silently
    vanishes. Whatever the rules left as it was is not made again here.
    """
    begin, end = horizon(now)
    rules = load_rules(session, releases, begin)
    return _Compiling(session, rules, begin, end).compiled()


class _Compiling:
    def __init__(self, session: Session, rules: r.Rules, begin: datetime, end: datetime) -> None:
        self._session = session
        self._resolver = r.Resolver(rules, begin, end)
        self._prints = Fingerprints(rules, begin, end)
        self._rows = {row.target: row for row in session.scalars(select(DocumentSerial))}
        self._had_local = {
            target.rsplit("/", 1)[-1].removesuffix(".json")
            for target in self._rows
            if target.startswith("local/")
        }

    def compiled(self) -> CompiledSchedule:
        resolver = self._resolver
        frames = Lazily(self._frame, (code for code in resolver.frame_regions if self._has_frame(code)))
        regions = {*resolver.local_regions, *self._had_local}
        local_documents = Lazily(self._local, regions)
        for region in sorted(regions):
            self._settle(local_target(region), self._prints.local(region), partial(resolver.local, region))
        self._session.flush()
        prints = {frame_target(code): self._prints.frame(code) for code in frames}
        prints.update({local_target(code): self._prints.local(code) for code in regions})
        return CompiledSchedule(frames, local_documents, resolver.problems, prints)

    def _has_frame(self, region: str) -> bool:
        row = self._settle(
            frame_target(region), self._prints.frame(region), lambda: self._resolver.frame(region)
        )
        return row.content_sha256 != NONE_OF_ITS_OWN

    def _settle(
        self, target: str, fingerprint: str, make: Callable[[], Frame | LocalDocument | None]
    ) -> DocumentSerial:
        """The row of a target, brought up to date; the document is made only where its rules changed."""
        row = self._rows.get(target)
        if row is None:
            row = DocumentSerial(target=target, serial=0, content_sha256="", fingerprint="")
            self._session.add(row)
            self._rows[target] = row
        if row.fingerprint != fingerprint:
            document = make()
            content = hashlib.sha256(encode(document)).hexdigest() if document else NONE_OF_ITS_OWN
            if row.content_sha256 != content:
                row.serial += 1
                row.content_sha256 = content
            row.fingerprint = fingerprint
        return row

    def _frame(self, region: str) -> Frame:
        frame = self._resolver.frame(region)
        if frame is None:
            raise KeyError(region)
        return msgspec.structs.replace(frame, serial=self._rows[frame_target(region)].serial)

    def _local(self, region: str) -> LocalDocument:
        return msgspec.structs.replace(
            self._resolver.local(region), serial=self._rows[local_target(region)].serial
        )
