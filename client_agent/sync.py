"""One pass of a terminal: look for something new, verify it, fetch what airs, report what was watched.

The look is one small GET of timestamp.json; only when it is not the one that was done last does a child process load
tuf and verify (memory that metadata takes is never given back; the child's is).
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import client_agent
from client_agent import vault
from client_agent.agent import Agent
from client_agent.book import Book
from client_agent.config import WANTED_HORIZON_MS
from client_agent.demand import demand
from client_agent.downloader import Downloader, DownloadSummary
from client_agent.errors import AgentError, BadAnswer, StorageFailed
from client_agent.fetch import join
from client_agent.health import health_fields
from client_agent.outbox import Outbox, OutboxBusy, OutboxFull
from client_agent.planner import Holdings, Wanted, plan, protected
from client_agent.recovery import adopt_media
from client_agent.reporting import open_evidence, open_outbox, open_post, open_reporter
from client_agent.sources import Blame, Sources
from protocol import names
from protocol.batch import Health

log = logging.getLogger(__name__)
REFRESH_DEADLINE_S = 900.0
MAX_TIMESTAMP = 16 * 1024
LONGEST_RETRY_S = 900.0
LAG_MS = 15 * 60 * 1000
"""How far behind a relay may be before it is flagged and asked last."""


class Refreshed(StrEnum):
    """How the look for something new ended."""

    UNCHANGED = "unchanged"
    NEW = "new"
    """Something new was verified and taken over."""
    PARTLY = "partly"
    """Verified, but not everything could be had; the rest stays as it was."""
    FAILED = "failed"
    """Something was offered, but nothing that verifies."""
    FROZEN = "frozen"
    """Sources answer, but only with what has expired."""
    UNREACHABLE = "unreachable"
    WAITING = "waiting"
    """It failed a moment ago; tried again later."""


@dataclass
class SyncSummary:
    """What a pass did."""

    refreshed: Refreshed
    refresh: dict[str, Any] = field(default_factory=dict)
    wanted: int = 0
    download: DownloadSummary = field(default_factory=DownloadSummary)
    report: Any = None
    publication: int = 0

    @property
    def ok(self) -> bool:
        """Whether this terminal has everything that it should have by now."""
        fresh = self.refreshed in (Refreshed.UNCHANGED, Refreshed.NEW)
        return fresh and not self.download.failed and not self.download.stopped

    def as_json(self) -> dict[str, Any]:
        done = self.download
        return {
            "ok": self.ok,
            "refreshed": str(self.refreshed),
            "publication": self.publication,
            "refresh": self.refresh,
            "wanted_files": self.wanted,
            "fetched_files": done.files,
            "fetched_bytes": done.bytes,
            "failed": done.failed,
            "line_closed": done.closed,
            "report": self.report,
        }

    def as_text(self) -> str:
        words = {
            Refreshed.UNCHANGED: "没有新发布 / nothing new",
            Refreshed.NEW: "已验证新发布 / a new publication was verified",
            Refreshed.PARTLY: "新发布未取全 / a new publication, not all of it could be had",
            Refreshed.FAILED: "未能验证 / nothing that verifies",
            Refreshed.FROZEN: "来源停在过期内容上 / sources offer only what has expired",
            Refreshed.UNREACHABLE: "网络不通 / no source answers",
            Refreshed.WAITING: "稍后重试 / tried again later",
        }
        return f"{words[self.refreshed]}; {self.download.files}/{self.wanted} 个文件 / files"

    def as_error(self) -> str:
        """Why this pass did not end well, with the first thing that went wrong."""
        reasons = [*self.refresh.get("problems", ()), *self.download.failed.values()]
        return f"{self.as_text()}{': ' + reasons[0] if reasons else ''}"


class Syncer:
    """The passes of one agent; keeps connections and the patience between failures."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._http = agent.http()
        self._ca_pem = agent.identity.ca_pem
        self._frozen = False
        self._failed_files: set[str] = set()
        self._failed_digest = ""
        self._failures = 0
        self._not_before = 0.0

    def close(self) -> None:
        self._http.close()

    def _sources(self) -> Sources:
        return self._agent.sources

    # --- trust ----------------------------------------------------------------------------------------------------
    def refresh(self, stop: Callable[[], bool] = lambda: False) -> tuple[Refreshed, dict[str, Any]]:
        """Look, and verify in a child process when there is something new. Raises nothing for a bad network."""
        sources = self._sources()
        offered = self._look(sources)
        if offered is None:
            return (Refreshed.FROZEN if self._frozen else Refreshed.UNREACHABLE), {}
        source, digest = offered
        if digest == self._agent.database.setting("timestamp_done"):
            sources.praise(source)
            return Refreshed.UNCHANGED, {}
        if digest == self._failed_digest and time.monotonic() < self._not_before:
            return Refreshed.WAITING, {}
        outcome, said = self._verify(source, stop)
        self._remember(outcome, digest)
        self._follow_network()
        self.look_after()
        return outcome, said

    def _look(self, sources: Sources) -> tuple[str, str] | None:
        """(source, hash of the timestamp it offers): the first that is new, else the first that is not behind."""
        known = int(self._agent.database.setting("timestamp_version", "0"))
        done = self._agent.database.setting("timestamp_done")
        behind: tuple[str, str] | None = None
        self._frozen = False
        for source in sources.in_turn():
            try:
                answer = self._http.get(
                    join(source, names.METADATA_PATH + "timestamp.json"), max_bytes=MAX_TIMESTAMP
                )
            except BadAnswer as error:
                sources.blame(source, Blame.WRONG_BYTES, str(error))
                continue
            except AgentError as error:
                sources.blame(source, Blame.UNREACHABLE, str(error))
                continue
            digest = hashlib.sha256(answer.body).hexdigest()
            version = _version_of(answer.body) if answer.status == 200 else None
            if digest == done and self._expired():
                sources.blame(source, Blame.STALE, "frozen: its timestamp has expired")
                self._frozen = True
                continue
            if digest == done or (version is not None and version >= known):
                return source, digest
            if version is None:
                sources.blame(source, Blame.WRONG_BYTES, f"timestamp.json: HTTP {answer.status}")
                continue
            if self._newest_is_old():
                sources.blame(source, Blame.STALE, f"timestamp {version}, {known} is known")
            # Most likely it lags. Keys may also have changed after a theft, and then numbers start low.
            behind = behind or (source, digest)
        return behind

    def _expired(self) -> bool:
        """Whether the state that was done last has expired since."""
        expires_ms = int(self._agent.database.setting("timestamp_expires_ms", "0"))
        return self._agent.clock.now_ms()[0] >= expires_ms

    def _newest_is_old(self) -> bool:
        """Whether the newest state is known for so long that who does not have it lags."""
        refreshed_ms = int(self._agent.database.setting("refreshed_ms", "0"))
        return self._agent.clock.now_ms()[0] - refreshed_ms >= LAG_MS

    def _verify(self, source: str, stop: Callable[[], bool]) -> tuple[Refreshed, dict[str, Any]]:
        command = [sys.executable, "-m", "client_agent", "_refresh", "--first", source]
        command += ["--data", str(self._agent.paths.data)]
        command += [word for url in self._agent.extra_sources for word in ("--source", url)]
        here = str(Path(client_agent.__file__).resolve().parent.parent)
        search = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": search},
        )
        output = _wait(child, stop)
        try:
            said: dict[str, Any] = json.loads(output)
        except ValueError:
            said = {"problems": [f"the refresh ended with {child.returncode}"]}
        if child.returncode != 0 or "complete" not in said:
            return Refreshed.FAILED, said
        return (Refreshed.NEW if said.get("complete") else Refreshed.PARTLY), said

    def _remember(self, outcome: Refreshed, digest: str) -> None:
        """Try the same offer again with growing pauses, a new one at once."""
        if outcome is Refreshed.NEW:
            self._failed_digest, self._failures = "", 0
            return
        self._failures = self._failures + 1 if digest == self._failed_digest else 1
        self._failed_digest = digest
        self._not_before = time.monotonic() + min(LONGEST_RETRY_S, 15.0 * 2 ** (self._failures - 1))

    def _follow_network(self) -> None:
        """A signed network document may have brought another CA."""
        ca_pem = self._agent.identity.ca_pem
        if ca_pem != self._ca_pem:
            self._http.close()
            self._http, self._ca_pem = self._agent.http(), ca_pem

    def look_after(self) -> None:
        """The second copy follows; media of before a repair are taken up; the ballast lies. Raises StorageFailed."""
        agent = self._agent
        agent.ballast.lay()
        try:
            vault.keep(agent.database, agent.paths.vault)
        except OSError as error:
            raise StorageFailed(f"{StorageFailed.__doc__}: {agent.paths.vault}: {error}") from error
        adopt_media(agent.database, agent.store)

    # --- media ----------------------------------------------------------------------------------------------------
    def plan(self) -> tuple[list[Wanted], set[str]]:
        """(files to fetch in order, files that must not be evicted)."""
        agent, manifest = self._agent, self._agent.guide.manifest
        now_ms, _ = agent.clock.now_ms()
        asked = demand(agent.guide.programme(), now_ms, WANTED_HORIZON_MS)
        complete = agent.store.complete_files()
        keep = protected(asked.airings, asked.pushed, manifest, complete, (), now_ms=now_ms)
        keep |= {picture.sha256 for picture in asked.pictures}
        if agent.store.give_way(keep):
            complete = agent.store.complete_files()
        _, begun, evictable = agent.store.holdings(keep)
        made = plan(
            asked.airings,
            asked.pushed,
            asked.library,
            manifest,
            Holdings(complete, begun, max(0, agent.store.free_space()), evictable),
            now_ms=now_ms,
            by=agent.line.capacity(now_ms + WANTED_HORIZON_MS).by,
            may_upgrade=not agent.line.rules.monthly_cap_bytes,
            pictures=asked.pictures,
        )
        agent.database.set_setting("short_bytes", str(made.short_bytes))
        return made.wanted, keep | {item.sha256 for item in made.wanted}

    def download(
        self, wanted: list[Wanted], keep: set[str], stop: Callable[[], bool] = lambda: False
    ) -> DownloadSummary:
        """Fetch what is wanted until done or asked to stop; what failed last time is asked for last."""
        ordered = sorted(wanted, key=lambda item: item.sha256 in self._failed_files)
        agent = self._agent
        done = Downloader(agent.store, self._http, self._sources(), agent.line).fetch(ordered, keep, stop)
        self._failed_files = set(done.failed) | (self._failed_files if done.stopped else set())
        if done.bps:
            before = int(self._agent.database.setting("line_bps", "0"))
            smoothed = done.bps if not before else (3 * before + done.bps) // 4
            self._agent.database.set_setting("line_bps", str(smoothed))
        return done


def sync_once(agent: Agent) -> SyncSummary:
    """One whole pass. Raises nothing for a bad network: the summary says what could not be had."""
    syncer = Syncer(agent)
    try:
        syncer.look_after()
        agent.store.recheck_partial()
        outcome, said = syncer.refresh()
        wanted, keep = syncer.plan()
        done = syncer.download(wanted, keep)
        publication = int(agent.database.setting("snapshot_version", "0"))
        return SyncSummary(outcome, said, len(wanted), done, report(agent), publication)
    finally:
        syncer.close()


def report(agent: Agent) -> dict[str, Any]:
    """Write a health record and send what the outbox holds; what became of it. Reports never fail a pass."""
    try:
        outbox = open_outbox(agent)
    except (OutboxBusy, sqlite3.Error, OSError) as error:
        return {"trouble": str(error)}
    try:
        with suppress(OutboxFull):  # what is there already is sent all the same
            outbox.append(Health, **health_fields(agent, outbox.length()))
        done = asdict(open_reporter(agent, outbox).send_all())
        return done | ({} if done["trouble"] else {"evidence_left": _send_evidence(agent, outbox)})
    except (AgentError, OutboxFull, sqlite3.Error) as error:
        return {"trouble": str(error)}
    finally:
        outbox.close()


def _send_evidence(agent: Agent, outbox: Outbox) -> int:
    """How many photos and recordings still wait after sending what goes."""
    if not agent.paths.evidence.exists():
        return 0
    book = Book(agent.paths.book)
    try:
        return open_post(agent, open_evidence(agent, book, outbox), outbox).send_all()
    finally:
        book.close()


def _version_of(body: bytes) -> int | None:
    """The version a timestamp claims, unverified: enough to see that a source lags."""
    try:
        version = json.loads(body)["signed"]["version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return version if isinstance(version, int) else None


def _wait(child: subprocess.Popen[bytes], stop: Callable[[], bool]) -> bytes:
    """The child's output once it ended; it is killed at the deadline or when asked to stop."""
    deadline = time.monotonic() + REFRESH_DEADLINE_S
    while True:
        try:
            return child.communicate(timeout=0.25)[0]
        except subprocess.TimeoutExpired:
            if stop() or time.monotonic() > deadline:
                child.kill()
                return child.communicate()[0]
