"""What happens at intervals."""

from __future__ import annotations

from server.catalog import jobs
from server.config import Config


def test_sweeping_runs_on_its_own(config: Config) -> None:
    orphan = config.uploads / "01935d5e-7c00-7000-8000-0000000000ff.part"
    orphan.touch()
    jobs.sweep_uploads(config)
    assert not orphan.exists()
