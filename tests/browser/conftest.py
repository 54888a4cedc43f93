"""One running province for all console tests of a run: starting it is the slow part."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import find_free_ports, nobody_listens
from tests.flow.province import Province


def three_ports() -> int:
    """The first of three free ports in a row."""
    for _ in range(100):
        first = find_free_ports(1)[0]
        if first < 65_000 and all(nobody_listens(first + step) for step in (1, 2)):
            return first
    raise AssertionError("no three free ports in a row")


@pytest.fixture(scope="session")
def running_province(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Province]:
    """An empty province brought up by `up --no-demo`."""
    province = Province(tmp_path_factory.mktemp("console") / "data", three_ports())
    province.start()
    yield province
    province.stop()
