"""python-tuf's client, wrapped: the only file of the agent that imports tuf.

:class:`Fetcher` gets files from sources that nobody trusts; :class:`View` is one state of the repository, verified by
tuf and held against our floors. tuf is pinned: its reference time can be set through a private attribute only, and
a test holds that. What to do with a view is decided in ``refresh.py``.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadHTTPError,
    ExpiredMetadataError,
    RepositoryError,
)
from tuf.api.metadata import Key, Role, Root, Signed, Snapshot, Targets, Timestamp
from tuf.ngclient.config import UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.updater import Updater

from client_agent.errors import AgentError, AnswerTooLong, Expired, NotVerified, RolledBack, Withheld
from client_agent.fetch import Http, join
from client_agent.floors import Floors, Seen
from client_agent.sources import Blame, Sources
from protocol import names
from protocol.times import from_ms, text_to_ms, to_ms

log = logging.getLogger(__name__)

_BASE = "yuanbo:/"
_HTTP_OK, _HTTP_ABSENT = 200, (403, 404)
_TOP_LEVEL = (Root.type, Timestamp.type, Snapshot.type, Targets.type)


def _limits() -> UpdaterConfig:
    """A province measures: snapshot 35 KB, a bin 13.5 KB, frames of 594 regions some 100 KB."""
    return UpdaterConfig(
        max_root_rotations=128,
        max_delegations=16,
        root_max_length=128 * 1024,
        timestamp_max_length=16 * 1024,
        snapshot_max_length=1024 * 1024,
        targets_max_length=2 * 1024 * 1024,
    )


@contextmanager
def _translated() -> Iterator[None]:
    """tuf's errors as ours. ``BadVersionNumberError`` means a stale source, not an attack."""
    try:
        yield
    except BadVersionNumberError as error:
        raise RolledBack(f"{RolledBack.__doc__}: {error}") from error
    except ExpiredMetadataError as error:
        raise Expired(f"{Expired.__doc__}: {error}") from error
    except RepositoryError as error:
        raise NotVerified(f"{NotVerified.__doc__}: {type(error).__name__}: {error}") from error
    except DownloadError as error:
        raise Withheld(f"{Withheld.__doc__}: {error}") from error


# --- fetching -----------------------------------------------------------------------------------------------------
class Fetcher(FetcherInterface):
    """Files from the first source that has them; a source that fails is out for the rest of the pass."""

    def __init__(self, http: Http, sources: Sources, first: str | None = None) -> None:
        self._http = http
        self._sources = sources
        self.order = sources.beginning_with(first) if first else sources.in_turn()
        self.served_by: str | None = None
        """Who gave the last file."""

    def drop(self, source: str | None, blame: Blame, detail: str) -> None:
        """A source is out for this pass, and rests afterwards."""
        if source is not None and source in self.order:
            self.order.remove(source)
            self._sources.blame(source, blame, detail)

    def _fetch(self, url: str) -> Iterator[bytes]:
        raise NotImplementedError("only download_bytes is used")

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """For tuf. Raises DownloadHTTPError 404 when a source says so and none has it, else DownloadError."""
        data = self.find(url.removeprefix(_BASE), max_length, _looks_like_metadata)
        if data is None:
            raise DownloadHTTPError(f"no source has {url}", 404)
        return data

    def find(self, path: str, max_length: int, fits: Callable[[bytes], bool]) -> bytes | None:
        """The first body that ``fits``; None when a source says there is none; raises DownloadError otherwise."""
        absent = False
        for source in list(self.order):
            try:
                answer = self._http.get(join(source, path), max_bytes=max_length)
            except AnswerTooLong as error:
                self.drop(source, Blame.WRONG_BYTES, f"{path}: {error}")
                continue
            except AgentError as error:
                self.drop(source, Blame.UNREACHABLE, f"{path}: {error}")
                continue
            if answer.status in _HTTP_ABSENT:
                absent = True
            elif answer.status != _HTTP_OK:
                self.drop(source, Blame.UNREACHABLE, f"{path}: HTTP {answer.status}")
            elif not fits(answer.body):
                self.drop(source, Blame.WRONG_BYTES, f"{path}: not what was asked for")
            else:
                self.served_by = source
                return answer.body
        if absent:
            return None
        raise DownloadError(f"no source gave {path}")


def _looks_like_metadata(body: bytes) -> bool:
    """A captive portal answers 200 with HTML, also where there is no next root: then the next source is asked."""
    return body.lstrip()[:1] == b"{"


# --- a verified state ---------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Target:
    """What verified metadata says of a file. ``keys``: fingerprint of those who may sign the role that says it."""

    path: str
    length: int
    sha256: str
    role: str
    keys: str


class View:
    """One state of the repository: verified by tuf, above our floors.

    Every method raises only NotVerified (RolledBack and Expired among them) and Withheld.
    """

    def __init__(self, folder: Path, fetcher: Fetcher, floors: Floors, now_ms: int) -> None:
        self._folder = folder
        self._floors = floors
        self._fetcher = fetcher
        self.seen: dict[str, Seen] = {}
        """Roles verified and above their floors, to be committed by the caller before it acts."""
        with _translated():
            self._updater = Updater(
                str(folder),
                _BASE + names.METADATA_PATH,
                fetcher=fetcher,
                config=_limits(),
                bootstrap=floors.root(),
            )
        self.set_time(now_ms)

    @property
    def _trusted(self) -> Any:
        return self._updater._trusted_set  # noqa: SLF001 - pinned; the only way to set the reference time

    def set_time(self, now_ms: int) -> None:
        """What expiry is held against from now on: our clock, never the machine's."""
        self._trusted.reference_time = from_ms(now_ms)

    def refresh(self) -> None:
        """Load root, timestamp, snapshot and targets."""
        with _translated():
            self._updater.refresh()
            for role in _TOP_LEVEL:
                self._note(role, self._trusted.root)

    def issued(self) -> tuple[int, str] | None:
        """(when the verified timestamp was issued, fingerprint of its keys), even if it has expired or the rest of
        the state failed; None when none verified or it stands below its floor."""
        signed = self._trusted.get(Timestamp.type)
        if signed is None:
            return None
        try:
            seen = self._look(Timestamp.type, self._trusted.root)
            self._floors.check(seen)
            issued_ms = text_to_ms(signed.unrecognized_fields[names.TIMESTAMP_ISSUED_FIELD])
            # Beyond the root's expiry no new root could heal a clock that stolen keys drove there.
            if issued_ms >= min(to_ms(signed.expires), to_ms(self._trusted.root.expires)):
                raise ValueError("issued after its own expiry")
            return issued_ms, seen.keys
        except (RolledBack, OSError, KeyError, ValueError, TypeError) as error:
            log.warning("no time from this timestamp: %s: %s", type(error).__name__, error)
            return None

    def roots(self) -> list[tuple[int, bytes]]:
        """Every verified root that is at hand, the newest among them."""
        versions = range(1, self._trusted.root.version + 1)
        files = [(v, self._folder / "root_history" / f"{v}.root.json") for v in versions]
        return [(version, path.read_bytes()) for version, path in files if path.exists()]

    @property
    def versions(self) -> tuple[int, int]:
        """(timestamp, snapshot)."""
        return self._trusted.timestamp.version, self._trusted.snapshot.version

    @property
    def expires_ms(self) -> int:
        """When the timestamp expires: after that, a source that still offers it is frozen."""
        return to_ms(self._trusted.timestamp.expires)

    def has_role(self, role: str) -> bool:
        """Whether the verified snapshot names a role at all."""
        return f"{role}.json" in self._trusted.snapshot.meta

    def target(self, path: str) -> Target | None:
        """What the verified metadata says of a file; None when nobody who may speak of it names it."""
        with _translated():
            found = self._updater.get_targetinfo(path)
            role = self._note_chain(path)
        if found is None or role is None:
            return None
        sha256 = found.hashes.get("sha256")
        if sha256 is None:
            raise NotVerified(f"{path}: no SHA-256")
        return Target(path, found.length, sha256, role, self.seen[role].keys)

    def read(self, target: Target) -> bytes:
        """The file itself, from whichever source has the very bytes."""
        folder, slash, name = target.path.rpartition("/")
        path = f"{names.TARGETS_PATH}{folder}{slash}{target.sha256}.{name}"
        with _translated():
            data = self._fetcher.find(path, target.length, lambda body: _sha256(body) == target.sha256)
        if data is None:
            raise Withheld(f"{Withheld.__doc__}: {target.path}")
        return data

    def _note_chain(self, path: str) -> str | None:
        """Hold every role that was read for a path against its floor; returns the role that names it."""
        role = Targets.type if path in self._trusted.targets.targets else None
        waiting: list[Targets] = [self._trusted.targets]
        visited: set[str] = set()
        while waiting:
            delegator = waiting.pop()
            if delegator.delegations is None:
                continue
            for name, _ in delegator.delegations.get_roles_for_target(path):
                delegate = self._trusted.get(name)
                if delegate is None or name in visited:
                    continue
                visited.add(name)
                self._note(name, delegator)
                waiting.append(delegate)
                role = role or (name if path in delegate.targets else None)
        return role

    def _note(self, role: str, delegator: Signed) -> None:
        if role not in self.seen:
            seen = self._look(role, delegator)
            self._floors.check(seen)
            self.seen[role] = seen

    def _look(self, role: str, delegator: Any) -> Seen:
        return Seen(role, self._trusted[role].version, self._hash_of(role), _keys_of(role, delegator))

    def _hash_of(self, role: str) -> str:
        """Hex SHA-256 of a role's file. A role named by version only could be swapped by whoever stole its key."""
        if role == Root.type:
            newest = self._trusted.root.version
            return _sha256((self._folder / "root_history" / f"{newest}.root.json").read_bytes())
        if role == Timestamp.type:
            return _sha256((self._folder / "timestamp.json").read_bytes())
        if role == Snapshot.type:
            pinned = self._trusted.timestamp.snapshot_meta
        else:
            pinned = self._trusted.snapshot.meta[f"{role}.json"]
        sha256: str | None = (pinned.hashes or {}).get("sha256")
        if sha256 is None:
            raise NotVerified(f"{role}: pinned by version only, not by hash")
        return sha256


def _keys_of(role: str, delegator: Any) -> str:
    """Fingerprint of who may sign a role: the keys and how many of them. The root's own floor is never reset."""
    if role == Root.type:
        return Root.type
    rule: Role = delegator.get_delegated_role(role)
    keys: list[Key] = [delegator.get_key(keyid) for keyid in sorted(rule.keyids)]
    text = json.dumps([rule.threshold, [key.to_dict() for key in keys]], sort_keys=True)
    return _sha256(text.encode())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
