"""What the schedule of a whole province costs: 1 province, 11 cities, 190 counties, 400 townships with exceptions of their
own, 2 channels, 14 days; from the rules in the database (SQLite) to renamed, signed files with demo keys, every fsync and
every signer's own look included.

One edit is a county's slot that is moved inside its window. The baseline is the same edit where every document is made
and examined anew, which is what a publication without fingerprints does.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from bench.bench_publish import _Chain, _rows
from protocol.documents import encode
from protocol.identifiers import uuid7
from protocol.pieces import piece_layer_of
from protocol.regions import level_of
from protocol.times import SHANGHAI, to_ms
from server import config as settings
from server.catalog import models as catalog
from server.catalog import service as programmes
from server.config import Config
from server.db import Base, Database
from server.identity.models import AuditEntry
from server.publish import service as publishing
from server.publish.models import Release, ServedDocument
from server.publish.rules import CITIES
from server.regions.models import Region
from server.schedule import models
from server.schedule import service as schedule
from server.schedule.explaining import explain_at
from server.schedule.resolve import Resolver
from server.storage import FolderStore, media_key, pieces_key

BASELINE = "the same edit with every document of the province made and examined anew"
LIMITS = {"full_compile_s": 5.0, "one_edit_ms": 400.0, "explain_ms": 20.0}
NOW = datetime(2026, 12, 5, 4, 0, tzinfo=UTC)
EVENING = datetime(2026, 12, 5, 20, 0, tzinfo=SHANGHAI)
COUNTIES, TOWNSHIPS = 190, 400
EDITIONS = 300
SLOTS_A_DAY = 10
"""Of the province on each channel: morning, noon and evening blocks; fillers between them."""
LENGTH_MS = 600_000
CHANNELS = ("main", "agri")
ROUNDS = 7


@dataclass
class _Province:
    config: Config
    database: Database
    store: FolderStore
    counties: list[str]
    townships: list[str]
    programmes: list[str]
    county_slot: str


def run() -> dict[str, float]:
    """Times in the units their names say; medians where a thing is done more than once."""
    with tempfile.TemporaryDirectory() as folder:
        config = replace(
            settings.load(Path(folder) / "data", environ={}), database_url=f"sqlite:///{folder}/bench.sqlite"
        )
        config.make_folders()
        with closing(Database(config.database_url)) as database:
            return _measured(_prepared(config, database))


def _measured(province: _Province) -> dict[str, float]:
    figures = _whole(province)
    edits = [_edit(province, minute) for minute in range(1, ROUNDS + 1)]
    explained = [_explained(province, n) for n in range(ROUNDS * 3)]
    figures["one_edit_ms"] = median(edits) * 1000
    figures["explain_ms"] = median(explained) * 1000
    figures["baseline_one_edit_ms"] = median(_edit(province, m, forget=True) for m in range(11, 14)) * 1000
    return figures


def _whole(province: _Province) -> dict[str, float]:
    """The first publication that has a schedule: resolving, making, signing and writing every document."""
    started = time.perf_counter()
    result = _publish(province)
    took = time.perf_counter() - started
    if result.held_back:
        raise RuntimeError(f"held back: {result.held_back[:3]}")
    with province.database.write() as session:
        refs = _refs(session)
        compiled = schedule.compile_documents(session, releases=refs, now=NOW)
        documents = [*compiled.frames.values(), *compiled.locals.values()]
        begin, end = schedule.horizon(NOW)
        started = time.perf_counter()
        resolver = Resolver(schedule.load_rules(session, refs, begin), begin, end)
        for region in resolver.frame_regions:
            resolver.frame(region)
        for region in resolver.local_regions:
            resolver.local(region)
        resolve_s = time.perf_counter() - started
    return {
        "full_compile_s": took,
        "resolve_s": resolve_s,
        "documents": len(documents),
        "bytes": sum(len(encode(document)) for document in documents),
    }


def _edit(province: _Province, minute: int, *, forget: bool = False) -> float:
    """A county's slot moves by some minutes; seconds until the timestamp that says so is in its place."""
    with province.database.write() as session:
        session.execute(
            update(models.Slot)
            .where(models.Slot.id == province.county_slot)
            .values(starts_at=EVENING + timedelta(minutes=minute), version=models.Slot.version + 1)
        )
        if forget:
            _forget(session)
    started = time.perf_counter()
    result = _publish(province)
    took = time.perf_counter() - started
    if not result.changed:
        raise RuntimeError("the edit did not go out")
    return took


def _forget(session: Any) -> None:
    session.execute(update(models.DocumentSerial).values(fingerprint=""))
    session.execute(update(ServedDocument).values(fingerprint=""))


def _explained(province: _Province, number: int) -> float:
    village = province.townships[number * 7 % len(province.townships)]
    at = NOW + timedelta(hours=2 + number % 12, minutes=5)
    with province.database.read() as session:
        started = time.perf_counter()
        explain_at(session, village, at)
        return time.perf_counter() - started


def _publish(province: _Province) -> publishing.PublicationResult:
    return publishing.publish(province.database, province.config, province.store, now=NOW, by="bench")


def _refs(session: Any) -> dict[str, schedule.ReleaseRef]:
    rows = session.execute(select(Release.edition_id, Release.sha256, Release.duration_ms))
    return {row[0]: schedule.ReleaseRef(row[1], row[2]) for row in rows}


# --- a province ------------------------------------------------------------------------------------------------------------
def _prepared(config: Config, database: Database) -> _Province:
    Base.metadata.create_all(database.engine)
    store = FolderStore(config.media)
    cities = list(CITIES)
    counties = [f"{cities[n % 11]}{21 + n // 11:02d}" for n in range(COUNTIES)]
    townships = [f"{counties[n % COUNTIES]}{100 + n // COUNTIES:03d}" for n in range(TOWNSHIPS)]
    with database.write() as session:
        for code, parent in _tree(cities, counties, townships):
            session.execute(
                insert(Region), {"code": code, "parent": parent, "level": level_of(code).value, "name": code}
            )
        programmes.seed(session)
        schedule.seed(session)
        session.add(models.Channel(id="agri", name="农业频道", name_en="Farming", position=2))
    publishing.initialise(config, database, now=NOW)
    ids = _released(database, store)
    publishing.publish(database, config, store, now=NOW, by="bench")  # the catalogue, before any schedule
    with database.write() as session:
        session.execute(delete(models.WindowRule))
        session.execute(insert(models.WindowRule), list(_windows()))
        rows = list(_slots(cities, counties, townships, ids))
        session.execute(insert(models.Slot), rows)
        mine = next(row["id"] for row in rows if row["level"] == "county")
        session.execute(delete(models.DocumentSerial))
        assert session.scalar(select(func.count()).select_from(models.Slot)) == len(rows)
    return _Province(config, database, store, counties, townships, ids, mine)


def _tree(cities: list[str], counties: list[str], townships: list[str]) -> Iterator[tuple[str, str | None]]:
    yield "13", None
    yield from ((code, "13") for code in cities)
    yield from ((code, code[:4]) for code in sorted(set(counties)))
    yield from ((code, code[:6]) for code in sorted(set(townships)))


def _released(database: Database, store: FolderStore) -> list[str]:
    """Reviewed editions of one small file, with their links in the audit chain; their programmes."""
    media = b"a small film" * 1000
    layer = piece_layer_of(media)
    store.put_bytes(media_key(layer.sha256), media)
    store.put_bytes(pieces_key(layer.root), layer.layer)
    tables: dict[type[Base], list[dict[str, Any]]] = {}
    chain = _Chain()
    for index in range(EDITIONS):
        rows = _rows(index, layer.sha256, layer.length, layer.root)
        rows[catalog.Asset]["duration_ms"] = rows[catalog.Rendition]["duration_ms"] = (
            LENGTH_MS if index else 30_000
        )
        for table, row in rows.items():
            tables.setdefault(table, []).append(row)
        chain.reviewed(rows)
    tables[AuditEntry] = chain.rows
    with database.write() as session:
        for table, many in tables.items():
            session.execute(insert(table), many)
    return [row["id"] for row in tables[catalog.Programme]]


def _windows() -> Iterator[dict[str, Any]]:
    for number, (channel, level, hour) in enumerate(
        [("main", "county", 20), ("main", "city", 21), ("agri", "county", 12), ("agri", "city", 13)]
    ):
        yield {
            "id": uuid7(to_ms(NOW) + number), "channel": channel, "region": "13", "level": level,
            "starts_at": EVENING.replace(hour=hour), "duration_ms": 3_600_000, "rrule": "FREQ=DAILY",
            "admits": [], "created_by_name": "省编",
        }  # fmt: skip


def _slots(
    cities: list[str], counties: list[str], townships: list[str], ids: list[str]
) -> Iterator[dict[str, Any]]:
    number = 0

    def slot(channel: str, region: str, level: str, at: datetime, rrule: str | None) -> Mapping[str, Any]:
        nonlocal number
        number += 1
        return {
            "id": uuid7(to_ms(NOW) + 1_000 + number), "channel": channel, "region": region, "level": level,
            "programme_id": ids[1 + number % (len(ids) - 1)], "starts_at": at, "rrule": rrule, "required": False,
            "created_by": uuid7(1), "created_by_name": "编辑", "created_at": NOW,
        }  # fmt: skip

    monday = EVENING.replace(hour=7) - timedelta(days=5)
    for channel in CHANNELS:
        for day in range(7):
            for place in range(SLOTS_A_DAY):
                at = monday + timedelta(
                    days=day, minutes=30 * place if place < 6 else 60 * 9 + 30 * (place - 6)
                )
                yield dict(slot(channel, "13", "province", at, "FREQ=WEEKLY"))
    for region in (*cities, *counties):
        level = level_of(region).value
        for channel, hour in (("main", 20), ("agri", 12)):
            start = EVENING.replace(hour=hour + (level == "city"))
            for weekday in range(3):
                at = start + timedelta(days=weekday)
                yield dict(slot(channel, region, level, at, "FREQ=WEEKLY"))
    for place, region in enumerate(townships):
        at = EVENING.replace(hour=19) + timedelta(days=place % 10)
        yield dict(slot("main", region, "province", at, None))
