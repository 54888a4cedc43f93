"""Where an agent keeps its things, and the few numbers it runs by."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from client_agent.errors import DataInUse, UnusableData
from client_agent.locks import hold

DEFAULT_POLL_S = 60.0
DEFAULT_PORT = 8082
KEEP_FREE_SHARE = 0.10
"""Share of the disk that media never fill."""
WANTED_HORIZON_MS = 7 * 24 * 60 * 60 * 1000
READY_HORIZON_MS = 24 * 60 * 60 * 1000


@dataclass(frozen=True)
class AgentPaths:
    """The layout of a data folder; nothing here touches the disk but :meth:`prepare` and :meth:`lock`."""

    data: Path

    @property
    def database(self) -> Path:
        return self.data / "agent.sqlite"

    @property
    def vault(self) -> Path:
        """The second copy of what nobody can give back."""
        return self.data / "agent.keep"

    @property
    def ballast(self) -> Path:
        return self.data / "ballast"

    @property
    def outbox(self) -> Path:
        return self.data / "outbox.sqlite"

    @property
    def book(self) -> Path:
        """What people did here and what is theirs; nothing can rebuild it."""
        return self.data / "book.sqlite"

    @property
    def evidence(self) -> Path:
        """Photos, spoken minutes, pictures of the screen; nothing can rebuild them either."""
        return self.data / "evidence"

    @property
    def metadata(self) -> Path:
        """python-tuf's cache. Losing it is harmless: what counts stands in the database."""
        return self.data / "metadata"

    @property
    def media(self) -> Path:
        return self.data / "media" / "m"

    @property
    def layers(self) -> Path:
        return self.data / "media" / "p"

    @property
    def lock_file(self) -> Path:
        return self.data / "agent.lock"

    def prepare(self) -> None:
        """Make the folders, readable by their owner only. Raises UnusableData."""
        try:
            for folder in (self.data, self.metadata, self.data / "media", self.media, self.layers):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.data.chmod(0o700)
            with tempfile.TemporaryFile(dir=self.data):
                pass
        except OSError as error:
            raise UnusableData(f"数据目录不可写 / cannot write to {self.data}: {error.strerror}") from error

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for one agent. Raises DataInUse when another process has it."""
        try:
            held = hold(self.lock_file)
        except OSError as error:
            raise DataInUse(f"{DataInUse.__doc__}: {self.data}") from error
        try:
            yield
        finally:
            held.close()
