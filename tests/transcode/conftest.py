"""Clips, real and made on the spot, and what the pipeline makes of one of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from server.transcode.produce import produce
from server.transcode.results import Produced
from tests.transcode.clips import ffmpeg

MEDIA = Path(__file__).resolve().parent.parent / "media"

Make = Callable[..., Path]


@pytest.fixture(scope="session")
def media() -> Path:
    """The folder of real clips."""
    return MEDIA


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Produced:
    """What the pipeline makes of the 5.1 clip of 5.3 s, once for the whole run; look, do not touch."""
    return produce(MEDIA / "bigbuckbunny.mp4", tmp_path_factory.mktemp("made") / "work")


@pytest.fixture
def clip(tmp_path: Path) -> Make:
    """Makes a small clip: ``clip("name.mp4", seconds=2, size="320x180", rate=25, sound=True, options=[...])``."""

    def make(
        name: str, *, seconds: float = 2, size: str = "320x180", rate: float = 25, sound: bool = True,
        options: tuple[str, ...] = ("-c:v", "libx264", "-preset", "ultrafast"),
    ) -> Path:  # fmt: skip
        inputs = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}"]
        if sound:
            inputs += ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"]
        ffmpeg(*inputs, "-t", f"{seconds}", "-pix_fmt", "yuv420p", *options, tmp_path / name)
        return tmp_path / name

    return make
