"""A station's data folder with a full library, for measuring its TV page: documents as if verified, no media."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

from client_agent.clock import Clock
from client_agent.config import AgentPaths
from client_agent.database import Database
from client_agent.store import FileName, Store
from protocol import names
from protocol.documents import (
    Frame,
    FrameChannel,
    Item,
    LibraryEntry,
    Ref,
    ReleaseManifest,
    Rendition,
    StudyDay,
    Why,
    encode,
)
from protocol.identifiers import uuid7
from protocol.keys import new_private_key, public_text
from protocol.pieces import piece_layer_of
from protocol.times import ms_to_text

PROGRAMMES = 240
ITEMS = 40
SECTIONS = (
    "dangjian",
    "zhengce",
    "dangshi",
    "xianfeng",
    "zhifu",
    "nongji",
    "shichang",
    "wenyu",
    "kepu",
    "fazhi",
)
TITLES = (
    "冬小麦返青管理",
    "苹果冬剪",
    "家乡党史故事",
    "惠农补贴解读",
    "防电信诈骗",
    "温室黄瓜病害",
    "合作社规范运营",
)
REGION = "130123105201"
HOUR_MS = 3_600_000


def build(folder: Path, now_ms: int, *, study_in_ms: int | None = None) -> None:
    """240 stored programmes in ten sections and a listing of forty, of which nothing is on air now. With
    ``study_in_ms`` a study session of two programmes is due so long after now, and the clock is set."""
    paths = AgentPaths(folder)
    paths.prepare()
    database = Database(paths.database)
    private, terminal = new_private_key(), uuid7(now_ms)
    database.execute(
        "INSERT INTO identity VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            private, public_text(private), terminal, terminal, "测量站点", REGION, "http://127.0.0.1:9/api/v1",
            json.dumps([]), None, json.dumps([]), "incarnation-1",
        ),
    )  # fmt: skip
    store = Store(paths, database, lambda: now_ms)
    manifests = [_programme(store, number, now_ms) for number in range(1, PROGRAMMES + 1)]
    released = [(hashlib.sha256(encode(made)).hexdigest(), made) for made in manifests]
    for _, made in released:
        _keep(database, names.release_target(made.edition), encode(made))
    dice = random.Random(1)
    items = [
        Item(
            id=f"item-{number}", starts_at=ms_to_text(now_ms + HOUR_MS // 4 + number * HOUR_MS // 2),
            duration_ms=made.duration_ms, edition=made.edition, release=release,
            why=Why(rule="slot", level="province", region="13"),
        )
        for number, (release, made) in enumerate(dice.sample(released, ITEMS))
    ]  # fmt: skip
    frame = Frame(
        region="13", serial=1, valid_from=ms_to_text(now_ms - 24 * HOUR_MS), valid_until=ms_to_text(now_ms + 336 * HOUR_MS),
        channels=[FrameChannel(id="main", name="综合频道", items=items)],
        study=[] if study_in_ms is None else [_study_day(released[:2], now_ms + study_in_ms)],
        library=[LibraryEntry(edition=made.edition, release=release, section=made.section) for release, made in released],
    )  # fmt: skip
    _keep(database, names.frame_target("13"), encode(frame))
    database.set_setting("documents_version", "1")
    if study_in_ms is not None:
        Clock(database).hear_server_time(now_ms)
    database.close()


def _study_day(released: list[tuple[str, ReleaseManifest]], starts_ms: int) -> StudyDay:
    refs = [
        Ref(edition=made.edition, release=release, duration_ms=made.duration_ms) for release, made in released
    ]
    return StudyDay(
        id="county@today", channel="main", starts_at=ms_to_text(starts_ms), ends_at=ms_to_text(starts_ms + 2 * HOUR_MS),
        title="本月第一次集中学习", discussion_ms=HOUR_MS // 6, programmes=refs,
        why=Why(rule="slot", level="county", region="130123"),
    )  # fmt: skip


def _programme(store: Store, number: int, now_ms: int) -> ReleaseManifest:
    data = f"film {number}".encode()
    layer = piece_layer_of(data)
    store.begin(FileName(layer.sha256, layer.length, layer.root), layer.layer)
    store.put_piece(layer.sha256, 0, data)
    return ReleaseManifest(
        edition=uuid7(now_ms), programme=uuid7(now_ms), number=number, title=f"{TITLES[number % len(TITLES)]} {number}",
        section=SECTIONS[number % len(SECTIONS)], duration_ms=15 * 60_000, source_sha256="0" * 64, recipe_sha256="0" * 64,
        initials="dxm",
        renditions=[Rendition(
            profile="576p", profile_version=1, sha256=layer.sha256, length=layer.length, pieces_root=layer.root,
            width=1024, height=576, bitrate=1_000_000,
        )],
    )  # fmt: skip


def _keep(database: Database, target: str, data: bytes) -> None:
    database.execute(
        "INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", (target, hashlib.sha256(data).hexdigest(), data)
    )
