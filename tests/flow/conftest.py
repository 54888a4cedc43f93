"""A province of its own for each journey."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.province import Province


@pytest.fixture
def province(tmp_path: Path, free_ports: int) -> Iterator[Province]:
    """A province without a demo, stopped at the end."""
    made = Province(tmp_path / "data", free_ports)
    made.start()
    yield made
    if made.process is not None and made.process.poll() is None:
        made.stop()
