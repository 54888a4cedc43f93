"""What a publication of a whole province costs: 20,000 editions, 594 documents, every signature.

Building and signing are measured in memory; publishing is the real thing, with the audit chain, the media, the
database (SQLite) and every fsync. The baseline is the obvious other layout: a role for each document.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import insert

from protocol import names
from protocol.documents import (
    Frame,
    FrameChannel,
    Item,
    LocalChannel,
    LocalDocument,
    Why,
    Window,
    encode,
)
from protocol.identifiers import uuid7
from protocol.pieces import piece_layer_of
from protocol.times import ms_to_text, to_ms, to_text
from server import config as settings
from server.catalog import models as catalog
from server.catalog import review
from server.catalog import service as programmes
from server.config import Config
from server.db import Base, Database
from server.identity import audit
from server.identity.models import AuditEntry
from server.publish import service, trust_roles
from server.publish.assembly import info_of
from server.publish.keys import PrivateKey, make_demo_keys, read_key
from server.publish.rules import CITIES, KEY_NAMES, bin_names, bin_of, rule_of
from server.publish.trust_roles import RoleFile, TargetInfo, Unsigned
from server.regions.models import Region
from server.schedule.service import CompiledSchedule, ReleaseRef
from server.storage import FolderStore, media_key, pieces_key

BASELINE = "the same province with one TUF role for each document instead of one for each city"
EDITIONS = 20_000
FRAMES, COUNTIES_PER_CITY = 418, 15
NOW = datetime(2026, 12, 5, 4, 0, tzinfo=UTC)
VALID_FROM, VALID_UNTIL = to_text(NOW), to_text(NOW + timedelta(days=14))
ITEMS_A_DAY, DAYS, ITEM_MS = 6, 7, 25_000
ROUNDS = 7


def run() -> dict[str, float]:
    """Times in the units their names say, sizes in bytes; medians where a thing is done more than once."""
    with tempfile.TemporaryDirectory() as folder:
        keys = _keys(Path(folder))
        figures = _in_memory(keys)
        figures.update(_for_real(Path(folder)))
    return figures


# --- building and signing ---------------------------------------------------------------------------------------------
def _keys(folder: Path) -> dict[str, PrivateKey]:
    make_demo_keys(folder / "keys")
    return {name: read_key(folder / "keys", name) for name in KEY_NAMES}


@dataclass
class _Signing:
    """Signs roles with as many keys as their rules ask for."""

    keys: Mapping[str, PrivateKey]

    def __post_init__(self) -> None:
        self._ids = trust_roles.key_ids({name: key.public for name, key in self.keys.items()})

    def sign(self, unsigned: Unsigned, rule_name: str | None = None) -> RoleFile:
        rule = rule_of(rule_name or unsigned.role)
        signers = rule.keys[: rule.threshold]
        return unsigned.with_signatures({self._ids[n]: self.keys[n].sign(unsigned.payload) for n in signers})

    def role(self, role: str, content: Mapping[str, TargetInfo]) -> RoleFile:
        return self.sign(trust_roles.targets(role, content, version=1, now=NOW))

    def finish(self, files: Mapping[str, RoleFile]) -> RoleFile:
        meta = {role: trust_roles.meta_file(file) for role, file in files.items()}
        snapshot = self.sign(trust_roles.snapshot(meta, version=1, now=NOW))
        self.sign(trust_roles.timestamp(snapshot, version=1, now=NOW))
        return snapshot


def _in_memory(keys: Mapping[str, PrivateKey]) -> dict[str, float]:
    signing = _Signing(keys)
    editions = [uuid7(index) for index in range(EDITIONS)]
    releases = {
        names.release_target(e): TargetInfo(900, hashlib.sha256(e.encode()).hexdigest()) for e in editions
    }
    documents = dict(_documents(editions[0], releases[names.release_target(editions[0])].sha256, {}))
    started = time.perf_counter()
    files = _whole(signing, releases, documents)
    snapshot = signing.finish(files)
    whole_s = time.perf_counter() - started
    edits = [_one_edit(signing, files, documents) for _ in range(ROUNDS)]
    baseline_snapshot, baseline_edits = _baseline(signing, files, documents)
    bins = [len(files[role].data) for role in bin_names()]
    return {
        "build_and_sign_s": whole_s,
        "one_edit_ms": median(edits) * 1000,
        "snapshot_bytes": len(snapshot.data),
        "bin_bytes": median(bins),
        "documents": len(documents),
        "baseline_one_edit_ms": median(baseline_edits) * 1000,
        "baseline_snapshot_bytes": baseline_snapshot,
    }


def _whole(
    signing: _Signing, releases: Mapping[str, TargetInfo], documents: Mapping[str, Any]
) -> dict[str, RoleFile]:
    bins: dict[str, dict[str, TargetInfo]] = {role: {} for role in bin_names()}
    for target, info in releases.items():
        bins[bin_of(target)][target] = info
    files = {role: signing.role(role, content) for role, content in bins.items()}
    by_role: dict[str, dict[str, TargetInfo]] = {}
    for target, document in documents.items():
        by_role.setdefault(_role(target), {})[target] = info_of(encode(document))
    files.update({role: signing.role(role, content) for role, content in by_role.items()})
    return files


def _one_edit(signing: _Signing, files: dict[str, RoleFile], documents: Mapping[str, Any]) -> float:
    """A county changes its evening: its document, its city's role, the snapshot, the timestamp."""
    role = names.local_role("1301")
    mine = {t: info_of(encode(d)) for t, d in documents.items() if t.startswith("local/1301/")}
    started = time.perf_counter()
    mine["local/1301/130101.json"] = info_of(encode(documents["local/1301/130101.json"]))
    signing.finish({**files, role: signing.role(role, mine)})
    return time.perf_counter() - started


def _baseline(
    signing: _Signing, files: Mapping[str, RoleFile], documents: Mapping[str, Any]
) -> tuple[int, list[float]]:
    bins = {role: files[role] for role in bin_names()}
    alone = {
        target: signing.sign(
            trust_roles.targets(names.FRAME, {target: info_of(encode(d))}, version=1, now=NOW)
        )
        for target, d in documents.items()
    }
    everything = {**bins, **{target.replace("/", "-"): file for target, file in alone.items()}}
    snapshot_bytes = len(signing.finish(everything).data)
    edits = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        signing.finish(everything)
        edits.append(time.perf_counter() - started)
    return snapshot_bytes, edits


def _role(target: str) -> str:
    return names.FRAME if target.startswith("frame/") else names.local_role(target.split("/")[1])


def _documents(edition: str, release: str, moved: Mapping[str, int]) -> Iterator[tuple[str, Any]]:
    """594 documents; ``moved`` shifts a region's items by some ms, as an edit would."""
    window = Window(
        id="w", starts_at=to_text(NOW), ends_at=to_text(NOW + timedelta(days=DAYS + 1)), level="county"
    )
    city_window = replace_window(window, "city")
    for number in range(FRAMES):
        region = "13" if number == 0 else f"13{1 + number % 11:02d}{1 + number // 11:02d}"
        items = _items(region, edition, release, moved.get(region, 0))
        channel = FrameChannel(id="main", name="综合频道", items=items, windows=[window, city_window])
        yield (
            names.frame_target(region),
            Frame(
                serial=0, region=region, channels=[channel], valid_from=VALID_FROM, valid_until=VALID_UNTIL
            ),
        )
    for city in CITIES:
        for region in (city, *(f"{city}{number:02d}" for number in range(1, COUNTIES_PER_CITY + 1))):
            name = "w" if len(region) == 6 else "city"
            items = _items(region, edition, release, moved.get(region, 0), window=name)
            yield (
                names.local_target(region),
                LocalDocument(
                    serial=0,
                    region=region,
                    channels=[LocalChannel(id="main", items=items)],
                    valid_from=VALID_FROM,
                    valid_until=VALID_UNTIL,
                ),
            )


def replace_window(window: Window, level: str) -> Window:
    return Window(id=level, starts_at=window.starts_at, ends_at=window.ends_at, level=level)


def _items(region: str, edition: str, release: str, shift_ms: int, window: str | None = None) -> list[Item]:
    why = Why(rule="slot", level="province", region=region, by="省编")
    first = to_ms(NOW) + shift_ms
    return [
        Item(
            id=f"{region}-{number}",
            starts_at=ms_to_text(first + number * 4 * 3_600_000),
            duration_ms=ITEM_MS,
            edition=edition,
            release=release,
            why=why,
            window=window,
        )
        for number in range(ITEMS_A_DAY * DAYS)
    ]


# --- the real thing ---------------------------------------------------------------------------------------------------
def _for_real(folder: Path) -> dict[str, float]:
    config = replace(
        settings.load(folder / "data", environ={}), database_url=f"sqlite:///{folder / 'bench.sqlite'}"
    )
    config.make_folders()
    with closing(Database(config.database_url)) as database:
        Base.metadata.create_all(database.engine)
        store = FolderStore(config.media)
        _prepare(database)
        service.initialise(config, database, now=NOW)
        first = _fill(database, store)
        moved: dict[str, int] = {}

        def publish() -> tuple[float, service.PublicationResult]:
            return _publish(database, config, store, first, moved)

        whole_s, result = publish()
        if result.held_back or result.editions != EDITIONS:
            raise RuntimeError(f"not everything went out: {result.editions}, {result.held_back[:3]}")
        nothing = [publish()[0] for _ in range(3)]
        return {
            "publish_whole_s": whole_s,
            "publish_bytes": result.bytes_written,
            "publish_one_edit_ms": median(_edits(publish, moved)) * 1000,
            "publish_nothing_ms": median(nothing) * 1000,
        }


def _edits(publish: Callable[[], tuple[float, Any]], moved: dict[str, int]) -> Iterator[float]:
    for number in range(1, 4):
        moved["130101"] = number * 60_000
        took_s, result = publish()
        if result.documents < 1:
            raise RuntimeError("the edit did not go out")
        yield took_s


def _publish(
    database: Database, config: Config, store: FolderStore, edition: str, moved: Mapping[str, int]
) -> tuple[float, service.PublicationResult]:
    def compiled(_session: Any, *, releases: Mapping[str, ReleaseRef], now: datetime) -> CompiledSchedule:  # noqa: ARG001
        made = CompiledSchedule()
        for document in dict(_documents(edition, releases[edition].release, moved)).values():
            (made.frames if isinstance(document, Frame) else made.locals)[document.region] = document
        return made

    started = time.perf_counter()
    result = service.publish(database, config, store, now=NOW, by="bench", compile_schedule=compiled)
    return time.perf_counter() - started, result


def _prepare(database: Database) -> None:
    with database.write() as session:
        session.add(Region(code="13", parent=None, level="province", name="河北省"))
        session.flush()
        programmes.seed(session)


def _fill(database: Database, store: FolderStore) -> str:
    """20,000 reviewed editions of one small file, with their links in the audit chain; the first one's id."""
    media = b"a small film" * 1000
    layer = piece_layer_of(media)
    store.put_bytes(media_key(layer.sha256), media)
    store.put_bytes(pieces_key(layer.root), layer.layer)
    tables: dict[type[Base], list[dict[str, Any]]] = {}
    chain = _Chain()
    first = ""
    for index in range(EDITIONS):
        rows = _rows(index, layer.sha256, layer.length, layer.root)
        for table, row in rows.items():
            tables.setdefault(table, []).append(row)
        chain.reviewed(rows)
        first = first or rows[catalog.Edition]["id"]
    tables[AuditEntry] = chain.rows
    with database.write() as session:
        for table, many in tables.items():
            session.execute(insert(table), many)
    return first


def _rows(index: int, sha256: str, length: int, root: str) -> dict[type[Base], dict[str, Any]]:
    programme, asset, edition = (uuid7(to_ms(NOW) + index * 3 + part) for part in range(3))
    editor = uuid7(1)
    return {
        catalog.Programme: {
            "id": programme, "title": f"节目 {index}", "section": "dangjian", "region": "13",
            "created_by": editor, "created_at": NOW,
        },
        catalog.Asset: {
            "id": asset, "filename": "a.mp4", "path": "a", "size": 1, "state": catalog.AssetState.READY,
            "sha256": hashlib.sha256(f"source {index}".encode()).hexdigest(), "duration_ms": ITEM_MS,
            "uploaded_by": editor, "created_at": NOW,
        },
        catalog.Rendition: {
            "asset_id": asset, "profile": "360p", "profile_version": 1, "sha256": sha256, "length": length,
            "pieces_root": root, "width": 640, "height": 360, "bitrate": 400_000, "duration_ms": ITEM_MS,
            "created_at": NOW,
        },
        catalog.Edition: {
            "id": edition, "programme_id": programme, "number": 1, "asset_id": asset,
            "state": catalog.EditionState.RELEASED, "contributor_id": editor, "created_at": NOW,
        },
    }  # fmt: skip


class _Chain:
    """Links as the application writes them: submitted, then three approvals by three people."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self._people = [uuid7(2 + number) for number in range(3)]
        self._before = audit.GENESIS_HASH

    def reviewed(self, rows: Mapping[type[Base], Mapping[str, Any]]) -> None:
        edition = rows[catalog.Edition]
        bound = {
            "source_sha256": rows[catalog.Asset]["sha256"],
            "recipe_sha256": catalog.EMPTY_RECIPE_SHA256,
            "contributor": edition["contributor_id"],
            "title": rows[catalog.Programme]["title"],
        }
        self._add(edition["id"], review.SUBMITTED, edition["contributor_id"], bound)
        for stage, person in zip(review.STAGES, self._people, strict=True):
            self._add(edition["id"], review.review_action(stage), person, {**bound, "approved": True})

    def _add(self, edition: str, action: str, actor: str, detail: dict[str, Any]) -> None:
        link = AuditEntry(
            seq=len(self.rows) + 1, at=NOW, actor_id=actor, actor_name="x", action=action,
            subject=f"edition:{edition}", detail=detail, prev_hash=self._before,
        )  # fmt: skip
        link.hash = self._before = audit.link_hash(link)
        fields = ("seq", "at", "actor_id", "actor_name", "action", "subject", "detail", "prev_hash", "hash")
        self.rows.append({field: getattr(link, field) for field in fields})
