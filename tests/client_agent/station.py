"""A village station without a province: documents as if verified, media really stored, a clock the test may set."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from client_agent.agent import Agent, open_agent
from client_agent.clock import Clock, Reading
from client_agent.config import AgentPaths
from client_agent.database import Database
from client_agent.store import FileName
from protocol import names
from protocol.documents import (
    Emergency,
    FileKind,
    Frame,
    FrameChannel,
    Item,
    LibraryEntry,
    LocalDocument,
    Notice,
    Picture,
    Ref,
    ReleaseFile,
    ReleaseManifest,
    Rendition,
    Why,
    encode,
)
from protocol.keys import new_private_key, public_text
from protocol.pieces import PIECE_LENGTH, piece_layer_of
from protocol.times import day_bounds_ms, day_of_ms, ms_to_text

REGION = "130123105201"
TERMINAL = "01890000-0000-7000-8000-000000000001"
WHY = Why(rule="slot", level="province", region="13")


@dataclass(frozen=True)
class Page:
    """A page of a courseware, an image's bytes."""

    data: bytes
    title: str = ""
    at_ms: int | None = None
    stored: bool = True


@dataclass
class Programme:
    """One released programme; ``media`` are an MP4's bytes, None: the station has only its manifest."""

    title: str
    section: str
    duration_ms: int
    media: bytes | None
    poster: bytes | None = None
    subtitles: bytes | None = None
    pages: list[bytes] = field(default_factory=list)
    number: int = 0
    release: str = ""
    manifest: ReleaseManifest | None = None


@dataclass
class Station:
    """Builds one data folder. Times are offsets from ``now_ms`` in seconds."""

    folder: Path
    now_ms: int
    name: str = "正定县曲阳桥镇站点"
    programmes: list[Programme] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    fillers: list[Ref] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    emergency: Emergency | None = None
    more: dict[str, Any] = field(default_factory=dict)
    """Further fields of the frame: sections, topics, study."""
    locals: list[LocalDocument] = field(default_factory=list)
    known_clock: bool = True
    valid_s: int = 14 * 86_400
    next_card_ms: int = 0
    logo: Picture | None = None
    pictures: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.paths = AgentPaths(self.folder)
        self.paths.prepare()
        self.database = Database(self.paths.database)
        private = new_private_key()
        self.database.execute(
            "INSERT INTO identity VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                private, public_text(private), TERMINAL, TERMINAL, self.name, REGION,
                "http://127.0.0.1:9/api/v1", json.dumps([]), None, json.dumps([]), "incarnation-1",
            ),
        )  # fmt: skip

    def add(
        self,
        title: str,
        section: str,
        duration_ms: int,
        media: bytes | None,
        poster: bytes | None = None,
        subtitles: bytes | None = None,
        pages: Sequence[Page] = (),
        **more: Any,
    ) -> Programme:
        """A released programme of the library."""
        made = Programme(
            title, section, duration_ms, media, poster, subtitles, number=len(self.programmes) + 1
        )
        layer = piece_layer_of(media if media is not None else title.encode())
        files = []
        if subtitles is not None:
            text = piece_layer_of(subtitles)
            files.append(
                ReleaseFile(
                    kind=FileKind.SUBTITLES, sha256=text.sha256, length=text.length, pieces_root=text.root
                )
            )
        for order, page in enumerate(pages):
            seen = piece_layer_of(page.data)
            files.append(
                ReleaseFile(
                    kind=FileKind.PAGE, sha256=seen.sha256, length=seen.length, pieces_root=seen.root,
                    order=order, title=page.title, at_ms=page.at_ms,
                )
            )  # fmt: skip
            made.pages += [page.data] * page.stored
        if poster is not None:
            drawn = piece_layer_of(poster)
            files.append(
                ReleaseFile(
                    kind=FileKind.POSTER, sha256=drawn.sha256, length=drawn.length, pieces_root=drawn.root
                )
            )
        made.manifest = ReleaseManifest(
            edition=str(uuid.uuid4()), programme=str(uuid.uuid4()), number=made.number, title=title, section=section,
            duration_ms=duration_ms, source_sha256="0" * 64, recipe_sha256="0" * 64, files=files, **more,
            renditions=[Rendition(
                profile="576p", profile_version=1, sha256=layer.sha256, length=layer.length, pieces_root=layer.root,
                width=1024, height=576, bitrate=1_000_000,
            )],
        )  # fmt: skip
        data = encode(made.manifest)
        made.release = hashlib.sha256(data).hexdigest()
        self._document(names.release_target(made.manifest.edition), data)
        self.programmes.append(made)
        return made

    def picture(self, data: bytes, *, stored: bool = True) -> Picture:
        """A logo or a topic's poster; it is for the caller to name it in a document."""
        layer = piece_layer_of(data)
        self.pictures += [data] * stored
        return Picture(sha256=layer.sha256, length=layer.length, pieces_root=layer.root)

    def ref(self, made: Programme) -> Ref:
        assert made.manifest is not None
        return Ref(edition=made.manifest.edition, release=made.release, duration_ms=made.duration_ms)

    def place(
        self, made: Programme, at_s: float, *, duration_s: float | None = None, required: bool = False
    ) -> Item:
        """Put a programme into the channel's line, ``at_s`` seconds from now."""
        assert made.manifest is not None
        item = Item(
            id=f"item-{len(self.items) + 1}",
            starts_at=ms_to_text(self.now_ms + int(at_s * 1000)),
            duration_ms=int(duration_s * 1000) if duration_s else made.duration_ms,
            edition=made.manifest.edition, release=made.release, required=required, why=WHY,
        )  # fmt: skip
        self.items.append(item)
        return item

    def local(self, region: str, **said: Any) -> LocalDocument:
        """What a city or county says, valid as the frame is."""
        document = LocalDocument(
            region=region, serial=1, valid_from=ms_to_text(self.now_ms - 86_400_000),
            valid_until=ms_to_text(self.now_ms + self.valid_s * 1000), channels=[], **said,
        )  # fmt: skip
        self.locals.append(document)
        return document

    def filler(self, made: Programme) -> None:
        """What plays where nothing is placed."""
        assert made.manifest is not None
        self.fillers.append(
            Ref(edition=made.manifest.edition, release=made.release, duration_ms=made.duration_ms)
        )

    def notice(self, text: str) -> None:
        self.notices.append(
            Notice(id=f"n{len(self.notices)}", text=text, region="13", starts_at=ms_to_text(self.now_ms - 60_000),
                   until=ms_to_text(self.now_ms + 3_600_000))
        )  # fmt: skip

    def publish(self) -> None:
        """Write the frame as a refresh would."""
        start, _ = day_bounds_ms(day_of_ms(self.now_ms))
        frame = Frame(
            region="13", serial=1, valid_from=ms_to_text(start - 86_400_000),
            valid_until=ms_to_text(self.now_ms + self.valid_s * 1000),
            channels=[FrameChannel(id="main", name="综合频道", items=sorted(self.items, key=lambda i: i.starts_at), fillers=self.fillers, next_card_ms=self.next_card_ms, logo=self.logo)],
            library=[LibraryEntry(edition=p.manifest.edition, release=p.release, section=p.section) for p in self.programmes],
            notices=self.notices, **self.more,
        )  # fmt: skip
        self._document(names.frame_target("13"), encode(frame))
        for document in self.locals:
            self._document(names.local_target(document.region), encode(document))
        if self.emergency is not None:
            self._document(names.EMERGENCY_TARGET, encode(self.emergency))
        version = int(self.database.setting("documents_version", "0"))
        self.database.set_setting("documents_version", str(version + 1))

    def _document(self, target: str, data: bytes) -> None:
        self.database.execute(
            "INSERT OR REPLACE INTO documents VALUES (?, ?, ?)",
            (target, hashlib.sha256(data).hexdigest(), data),
        )

    def recall(self, made: Programme) -> None:
        assert made.manifest is not None
        self.database.execute(
            "INSERT INTO recalls VALUES (?, ?, ?, ?)",
            (made.release, made.manifest.edition, ms_to_text(self.now_ms), ""),
        )
        version = int(self.database.setting("documents_version", "0"))
        self.database.set_setting("documents_version", str(version + 1))

    def open(self, read=None) -> Agent:
        """The agent on this folder, with all media stored. ``read`` reads the machine; without it, the real one runs
        and "now" is ``now_ms`` at this moment."""
        agent = open_agent(self.folder, read) if read else open_agent(self.folder)
        if self.known_clock:
            agent.clock.hear_server_time(self.now_ms)
        for made in self.programmes:
            if made.media is not None:
                keep(agent, made.media)
            if made.poster is not None:
                keep(agent, made.poster)
            if made.subtitles is not None:
                keep(agent, made.subtitles)
            for page in made.pages:
                keep(agent, page)
        for picture in self.pictures:
            keep(agent, picture)
        return agent


def keep(agent: Agent, data: bytes) -> None:
    """Store bytes piece by piece, as a download would."""
    layer = piece_layer_of(data)
    row = agent.store.begin(FileName(layer.sha256, layer.length, layer.root), layer.layer)
    for index in row.missing:
        agent.store.put_piece(layer.sha256, index, data[index * PIECE_LENGTH : (index + 1) * PIECE_LENGTH])


class Machine:
    """A machine whose clock the test moves."""

    def __init__(self, now_ms: int) -> None:
        self.reading = Reading("boot-1", 1_000_000, now_ms)

    def __call__(self) -> Reading:
        return self.reading

    def pass_s(self, seconds: float) -> None:
        old, ms = self.reading, int(seconds * 1000)
        self.reading = Reading(old.boot, old.mono_ms + ms, old.rtc_ms + ms)


def set_clock(database: Database, now_ms: int) -> None:
    Clock(database).hear_server_time(now_ms)
