"""One pass from hostile sources to verified documents in the database.

A state from one source after another, until one verifies and stands above our floors; then network, recall and
emergency are taken over and committed; then release manifests; last the frame and local documents that name them.
Whatever cannot be had leaves what was verified before. Runs in a child process of its own (see ``sync.py``), because
loading metadata grows a process for good.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, field
from typing import Any, Generic, TypeVar

from client_agent.agent import Agent
from client_agent.documents import DocumentTable, effective_region, named_releases
from client_agent.errors import AgentError, Expired, NotVerified, RefreshFailed, RolledBack, Withheld
from client_agent.fetch import Http
from client_agent.floors import Floors
from client_agent.sources import Blame
from client_agent.trust import Fetcher, Target, View
from protocol import names
from protocol.documents import (
    Commands,
    Emergency,
    Frame,
    LocalDocument,
    Network,
    Recall,
    ReleaseManifest,
    decode,
)
from protocol.errors import MalformedDocument
from protocol.regions import lineage

log = logging.getLogger(__name__)

MAX_DOCUMENT = 4 * 1024 * 1024
MANIFESTS_A_COMMIT = 50
DISAGREE = "目录与播出单不一致 / catalogue and schedule disagree"
NOT_ADMITTED = "目录未准入 / the catalogue does not admit it"
_D = TypeVar("_D", Frame, LocalDocument, Emergency, Network, Recall, ReleaseManifest, Commands)


@dataclass
class RefreshSummary:
    """What a pass did. ``complete``: nothing is left to fetch of this state. ``refused``: subject → reason, for what
    verified but contradicts itself. ``problems``: what went wrong on the way."""

    timestamp: int = 0
    snapshot: int = 0
    changed: bool = False
    complete: bool = True
    refused: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def refresh(agent: Agent, first: str | None = None) -> RefreshSummary:
    """One pass over the signed state, asking source ``first`` first (default: the one whose turn it is).

    Raises RefreshFailed when no source gave a state that verifies.
    """
    http = agent.http()
    try:
        return _Pass(agent, http, first).run()
    finally:
        http.close()


@dataclass(frozen=True)
class _Document(Generic[_D]):
    """A verified document and the target it was filed under."""

    target: Target
    data: bytes
    decoded: _D


class _Kept:
    """Nobody gave a document that verified metadata names: what we had stays."""


_KEPT = _Kept()


class _Pass:
    """One refresh; its steps are in :meth:`run`."""

    def __init__(self, agent: Agent, http: Http, first: str | None) -> None:
        self._agent = agent
        self._database = agent.database
        self._floors = Floors(agent.database)
        self._table = DocumentTable(agent.database)
        self._now_ms = agent.clock.now_ms()[0]
        self._sources = agent.sources
        self._fetcher = Fetcher(http, self._sources, first)
        self._summary = RefreshSummary()

    def run(self) -> RefreshSummary:
        view = self._verified_view()
        view.set_time(self._now_ms)
        self._summary.timestamp, self._summary.snapshot = view.versions
        self._commit_floors(view)
        self._take_urgent(view)
        self._take_programme(view)
        self._finish(view)
        return self._summary

    # --- a state --------------------------------------------------------------------------------------------------
    def _verified_view(self) -> View:
        """A state above our floors from one of the sources. Raises RefreshFailed."""
        while self._fetcher.order:
            view = View(self._agent.paths.metadata, self._fetcher, self._floors, self._now_ms)
            try:
                view.refresh()
                return view
            except (RolledBack, Expired) as error:
                self._out(Blame.STALE, error)
            except NotVerified as error:
                self._out(Blame.WRONG_BYTES, error)
            except Withheld as error:
                self._problem(error)
                break  # the fetcher has asked everybody
            finally:
                self._hear_time(view)
        raise RefreshFailed(f"{RefreshFailed.__doc__}: {'; '.join(self._summary.problems) or 'no source'}")

    def _hear_time(self, view: View) -> None:
        issued = view.issued()
        if issued is not None:
            self._agent.clock.hear_issued(*issued)
            # A clock that stood still is healed here; what expiry is held against moves with it.
            self._now_ms = max(self._now_ms, self._agent.clock.now_ms()[0])

    def _out(self, blame: Blame, error: Exception) -> None:
        self._problem(error)
        self._fetcher.drop(self._fetcher.served_by, blame, str(error))

    def _problem(self, error: Exception) -> None:
        log.warning("refresh: %s", error)
        self._summary.problems.append(str(error)[:300])

    def _commit_floors(self, view: View) -> None:
        with self._database.transaction():
            self._floors.add_roots(view.roots())
            for seen in view.seen.values():
                self._floors.raise_to(seen)

    # --- network, recall, emergency: first, and committed before the rest -------------------------------------------
    def _take_urgent(self, view: View) -> None:
        network = self._document(view, names.NETWORK_TARGET, Network)
        recall = self._document(view, names.RECALL_TARGET, Recall)
        emergency = self._document(view, names.EMERGENCY_TARGET, Emergency)
        commands = self._commands(view)
        with self._database.transaction():
            self._commit_floors(view)
            if isinstance(network, _Document):
                self._keep(network)
                self._apply_network(network.decoded)
            if isinstance(recall, _Document):
                self._keep(recall)
                if self._floors.add_recalls(recall.decoded):
                    self._table.touch()
            if isinstance(emergency, _Document):
                self._keep(emergency)
            elif emergency is None:
                self._table.forget(names.EMERGENCY_TARGET)
            if isinstance(commands, _Document):
                self._keep(commands)
            elif commands is None:
                self._table.forget(names.COMMAND_TARGET)
            self._raise_version()

    def _commands(self, view: View) -> _Document[Commands] | _Kept | None:
        """Remote commands. Their role is there since somebody first commanded, and runs out after a day by design: then
        there are none, and nothing is wrong."""
        if not view.has_role(names.COMMAND):
            return None
        try:
            self._located(view, names.COMMAND_TARGET)
        except Expired:
            return None
        except AgentError as error:
            self._problem(error)
            self._summary.complete = False
            return _KEPT
        return self._document(view, names.COMMAND_TARGET, Commands)

    def _apply_network(self, network: Network) -> None:
        receipt_keys = json.dumps([key.public for key in network.receipt_keys])
        self._database.execute(
            "UPDATE identity SET api = ?, read = ?, ca_pem = ?, receipt_keys = ?",
            (network.endpoints.api, json.dumps(network.endpoints.read), network.ca_pem, receipt_keys),
        )

    # --- frame, local documents and what they name ---------------------------------------------------------------------
    def _take_programme(self, view: View) -> None:
        network = self._table.read(names.NETWORK_TARGET, Network)
        region = effective_region(self._agent.identity.region, network.successions if network else [])
        new: list[_Document[Frame] | _Document[LocalDocument]] = []
        gone: list[str] = []
        frame = self._frame(view, region, new, gone)
        local = self._local_documents(view, region, new, gone)
        emergency = self._table.read(names.EMERGENCY_TARGET, Emergency)
        self._take_manifests(view, list(dict.fromkeys(named_releases(frame, tuple(local), emergency))))
        with self._database.transaction():
            self._commit_floors(view)
            for document in new:
                self._keep(document)
            for target in gone:
                self._table.forget(target)
            self._raise_version()

    def _frame(self, view: View, region: str, new: list[Any], gone: list[str]) -> Frame | None:
        """The nearest ancestor's frame, new or kept; nearer ones that are verified to be gone go into ``gone``."""
        for code in lineage(region):
            target = names.frame_target(code)
            # An expired frame role leaves what we had: a frame bounds itself by its valid_until.
            found = self._document(view, target, Frame, keep_expired=True)
            if isinstance(found, _Document):
                new.append(found)
                return found.decoded
            if found is not None:
                return self._table.read(target, Frame)
            gone.append(target)
        return None

    def _local_documents(
        self, view: View, region: str, new: list[Any], gone: list[str]
    ) -> list[LocalDocument]:
        """Every ancestor's local document, new or kept; those that are verified to be gone go into ``gone``."""
        present: list[LocalDocument] = []
        for code in lineage(region)[:-1]:
            target = names.local_target(code)
            found = self._document(view, target, LocalDocument)
            if isinstance(found, _Document):
                new.append(found)
                present.append(found.decoded)
            elif found is None:
                gone.append(target)
            else:
                kept = self._table.read(target, LocalDocument)
                present += [kept] if kept else []
        return present

    # --- release manifests --------------------------------------------------------------------------------------------
    def _take_manifests(self, view: View, named: list[tuple[str, str]]) -> None:
        """Release manifests of everything that is named: only those whose hash the schedule names too."""
        batch: list[_Document[ReleaseManifest]] = []
        for release, edition in named:
            if self._table.bytes_of(names.release_target(edition), release) is not None:
                continue
            document = self._manifest(view, names.release_target(edition), release)
            batch += [document] if document else []
            if len(batch) >= MANIFESTS_A_COMMIT:
                self._keep_all(view, batch)
                batch = []
        self._keep_all(view, batch)
        if self._summary.complete:
            self._table.forget_manifests_except({names.release_target(edition) for _, edition in named})

    def _manifest(self, view: View, path: str, release: str) -> _Document[ReleaseManifest] | None:
        try:
            target = self._located(view, path)
        except AgentError as error:
            self._problem(error)
            self._summary.complete = False
            return None
        if target is None:
            self._refuse(path, NOT_ADMITTED)
            return None
        if target.sha256 != release:
            self._refuse(path, DISAGREE)
            return None
        document = self._document(view, path, ReleaseManifest)
        return document if isinstance(document, _Document) else None

    def _keep_all(self, view: View, batch: list[_Document[ReleaseManifest]]) -> None:
        if batch:
            with self._database.transaction():
                self._commit_floors(view)
                for document in batch:
                    self._keep(document)
                self._raise_version()

    # --- one document -------------------------------------------------------------------------------------------------
    def _document(
        self, view: View, path: str, kind: type[_D], *, keep_expired: bool = False
    ) -> _Document[_D] | _Kept | None:
        """A document that verifies; None when verified metadata lacks it or its role expired; _Kept when it could not
        be had or contradicts itself, which never takes away what was verified before."""
        try:
            target = self._located(view, path)
            if target is None:
                return None
            document = self._read(view, target, kind)
            self._check_content(document)
            return document
        except Expired as error:
            self._problem(error)
            return _KEPT if keep_expired else None
        except (AgentError, MalformedDocument) as error:
            self._problem(error)
            if isinstance(error, (MalformedDocument, RolledBack)):
                self._refuse(path, str(error))
            else:
                self._summary.complete = False
            return _KEPT

    def _located(self, view: View, path: str) -> Target | None:
        """What metadata says of a path, asking source after source for the roles on the way."""
        while True:
            try:
                return view.target(path)
            except (Expired, RolledBack):
                raise
            except NotVerified as error:
                if len(self._fetcher.order) < 2:
                    raise
                self._out(Blame.WRONG_BYTES, error)

    def _read(self, view: View, target: Target, kind: type[_D]) -> _Document[_D]:
        if target.length > MAX_DOCUMENT:
            raise MalformedDocument(f"{target.path}: longer than {MAX_DOCUMENT} bytes")
        data = self._table.bytes_of(target.path, target.sha256)
        if data is None:
            data = view.read(target)
        if len(data) != target.length:
            raise MalformedDocument(f"{target.path}: {len(data)} bytes where {target.length} were signed")
        return _Document(target, data, decode(data, kind))

    def _check_content(self, document: _Document[_D]) -> None:
        """It speaks for whom it is filed under, and not with a serial from the past."""
        path, decoded = document.target.path, document.decoded
        if isinstance(decoded, ReleaseManifest):
            if names.release_target(decoded.edition) != path:
                raise MalformedDocument(f"{path} speaks of edition {decoded.edition}")
            return
        if isinstance(decoded, Frame):
            filed_under = names.frame_target(decoded.region)
        elif isinstance(decoded, LocalDocument):
            filed_under = names.local_target(decoded.region)
        else:
            filed_under = path
        if filed_under != path:
            raise MalformedDocument(f"{path} speaks for {filed_under}")
        self._floors.check_serial(path, document.target.role, decoded.serial, document.target.keys)

    # --- the ends -----------------------------------------------------------------------------------------------------
    def _keep(self, document: _Document[Any]) -> None:
        path = document.target.path
        self._table.keep(path, document.target.sha256, document.data)
        if not isinstance(document.decoded, ReleaseManifest):
            self._floors.raise_serial(path, document.target.role, document.decoded.serial, document.data)

    def _raise_version(self) -> None:
        self._summary.changed |= self._table.raise_version()

    def _refuse(self, subject: str, reason: str) -> None:
        log.error("refused %s: %s", subject, reason)
        self._summary.refused[subject] = reason

    def _finish(self, view: View) -> None:
        """Note what was refused, and that this timestamp needs no second pass."""
        done = view.seen["timestamp"].sha256 if self._summary.complete else ""
        with self._database.transaction():
            self._database.execute("DELETE FROM refusals")
            for subject, reason in self._summary.refused.items():
                self._database.execute(
                    "INSERT INTO refusals (subject, reason, at_ms) VALUES (?, ?, ?)",
                    (subject, reason, self._now_ms),
                )
            self._database.set_setting("timestamp_done", done)
            self._database.set_setting("timestamp_expires_ms", str(view.expires_ms))
            self._database.set_setting("timestamp_version", str(self._summary.timestamp))
            self._database.set_setting("snapshot_version", str(self._summary.snapshot))
            self._database.set_setting("refreshed_ms", str(self._now_ms))
        if self._fetcher.served_by in self._fetcher.order:
            self._sources.praise(str(self._fetcher.served_by))
