"""How this set is watched: volume, captions and their language, kept so that power cuts and another screen (mpv instead
of a browser) change nothing."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from client_agent.database import Database

LOUDEST = 100
DEFAULT_VOLUME = 80


class Watching(msgspec.Struct, frozen=True):
    """``volume`` in percent of the medium's own loudness; ``language``: of the captions where there are several."""

    volume: float = DEFAULT_VOLUME
    captions: bool = True
    language: str = "zh"


class WatchingChange(msgspec.Struct, frozen=True):
    """What somebody set; None stays as it was."""

    volume: Annotated[int, Meta(ge=0, le=LOUDEST)] | None = None
    captions: bool | None = None
    language: Annotated[str, Meta(pattern=r"^[a-z]{2,3}$")] | None = None


def read(database: Database) -> Watching:
    """As it was left."""
    try:
        volume = float(database.setting("volume", str(DEFAULT_VOLUME)))
    except ValueError:
        volume = float(DEFAULT_VOLUME)
    captions = database.setting("captions", "1.0") != "0.0"
    return Watching(volume, captions, database.setting("captions_language", "zh"))


def change(database: Database, said: WatchingChange) -> Watching:
    """Keep what was set; how it stands now."""
    if said.volume is not None:
        database.set_setting("volume", str(float(said.volume)))
    if said.captions is not None:
        database.set_setting("captions", str(float(said.captions)))
    if said.language is not None:
        database.set_setting("captions_language", said.language)
    return read(database)
