"""One running province for all console tests of a run: starting it is the slow part."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import find_three_free_ports
from tests.flow.province import Province


@pytest.fixture(scope="session")
def running_province(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Province]:
    """An empty province brought up by `up --no-demo`."""
    province = Province(tmp_path_factory.mktemp("console") / "data", find_three_free_ports())
    province.start()
    yield province
    province.stop()
