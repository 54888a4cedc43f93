"""How long a search takes among 100,000 programmes, on SQLite and on PostgreSQL, and whether it finds everything.

Titles and summaries are made of the catalogue's own kind of words, common and rare ones (a word's frequency falls with
its rank, as in real texts). Queries are two-character words, half of them picked by how often they stand in titles,
half from anywhere in the vocabulary; what is timed is the service's own call for a page of 50, as an editor of the
province asks it, rows loaded. ``recall`` compares whole result lists with the substring truth in Python.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert, or_, select
from sqlalchemy.orm import Session

from protocol.identifiers import uuid7
from server.catalog import search, search_index, service
from server.catalog.models import Asset, Edition, EditionState, Programme
from server.catalog.search import Filters
from server.catalog.shelves import DEPARTMENTS, SECTIONS
from server.db import Database
from server.identity.rules import Caller, Role
from server.migrate import upgrade_engine
from server.regions.models import Region
from tools.postgres import Cluster

BASELINE = "LIKE '%…%' over title and summary, the newest 50, on the same databases in the same run"
LIMITS = {"p95_ms_sqlite": 20.0, "p95_ms_postgres": 20.0}

PROGRAMMES = 100_000
QUERIES = 200
TRUTHS = 60
BASELINE_QUERIES = 20
PAGE = 50
SEED = 20261205
NOW = datetime(2026, 12, 5, tzinfo=UTC)
PLACES = {"13": "河北省", "1301": "石家庄市", "130123": "正定县", "1302": "唐山市", "130227": "迁西县"}
EDITOR = Caller(id=uuid7(0), username="bench", name="bench", grants=((Role.PROVINCE_EDITOR, "13"),))

FIRST = "冬春夏秋早晚大小高优良新老山水田林果菜粮棉油麻桑茶药花草木禾"
SECOND = "麦稻粟豆薯瓜椒茄葱蒜姜梨桃杏枣栗柿莓菌菇牛羊猪鸡鸭鹅鱼虾蟹蜂蚕兔驴马"
THIRD = "种植养殖防治管理技术政策讲座问答示范推广加工储藏销售补贴合作培训卫生健康安全法律文化戏曲"


def vocabulary(dice: random.Random) -> list[str]:
    """Two- and three-character words, in the order of their frequency."""
    pairs = [a + b for a in FIRST for b in SECOND]
    crafts = [THIRD[at : at + 2] for at in range(0, len(THIRD), 2)]
    threes = [
        dice.choice(FIRST) + dice.choice(SECOND) + dice.choice("病苗园田场社户村") for _ in range(1_500)
    ]
    dice.shuffle(pairs)
    words = list(dict.fromkeys(pairs + threes))
    for at, craft in enumerate(crafts):
        words.insert(at * 2, craft)
    return words


class Texts:
    """A made-up library: titles and summaries, always the same for one seed."""

    def __init__(self, count: int) -> None:
        self.dice = random.Random(SEED)
        self.words = vocabulary(self.dice)
        self.weights = [1 / (rank + 10) for rank in range(len(self.words))]
        drawn = iter(self.dice.choices(self.words, self.weights, k=count * 14))
        self.titles = ["".join(next(drawn) for _ in range(4)) for _ in range(count)]
        self.summaries = ["，".join(next(drawn) for _ in range(10)) + "。" for _ in range(count)]

    def queries(self, count: int) -> list[str]:
        """Two-character words: half as people meet them in titles, half from the whole vocabulary."""
        pairs = [word for word in self.words if len(word) == 2]
        met = [title[at : at + 2] for title in self.dice.sample(self.titles, count // 2) for at in (0,)]
        return met + self.dice.sample(pairs, count - len(met))

    def holding(self, word: str) -> set[int]:
        return {
            at
            for at, (title, summary) in enumerate(zip(self.titles, self.summaries, strict=True))
            if word in title or word in summary
        }


def run() -> dict[str, float]:
    return measure(PROGRAMMES)


def measure(count: int) -> dict[str, float]:
    """All figures for a library of this size."""
    texts = Texts(count)
    figures: dict[str, float] = {}
    recalls = []
    with tempfile.TemporaryDirectory(prefix="yuanbo-bench-") as folder, closing(Cluster()) as cluster:
        cluster.create("bench")
        for name, url in (
            ("sqlite", f"sqlite:///{Path(folder) / 'bench.sqlite'}"),
            ("postgres", cluster.url("bench")),
        ):
            with closing(Database(url)) as database:
                fill(database, texts)
                start = time.perf_counter()
                with database.write() as session:
                    search_index.rebuild(session)
                figures[f"build_s_{name}"] = time.perf_counter() - start
                figures[f"p95_ms_{name}"] = p95_ms(database, texts.queries(QUERIES), ours)
                figures[f"baseline_p95_ms_{name}"] = p95_ms(
                    database, texts.queries(BASELINE_QUERIES), by_like
                )
                recalls.append(recall(database, texts))
    figures["build_s"] = max(figures.pop("build_s_sqlite"), figures.pop("build_s_postgres"))
    figures["recall"] = min(recalls)
    return figures


def fill(database: Database, texts: Texts) -> None:
    """Places, shelves and released programmes, past the services: those would take an hour."""
    upgrade_engine(database.engine)
    with database.write() as session:
        for code, name in PLACES.items():
            session.add(Region(code=code, parent=None, level="county", name=name))
        service.seed(session)
    dice = random.Random(SEED)
    total = len(texts.titles)
    asset = uuid7(1)
    with database.write() as session:
        _insert(session, Asset, [_asset(asset)])
        for start in range(0, total, 5_000):
            numbers = range(start, min(start + 5_000, total))
            _insert(session, Programme, [_programme(n, texts, dice) for n in numbers])
            _insert(session, Edition, [_edition(n, asset) for n in numbers])
    _analyse(database.engine)


def _insert(session: Session, model: Any, rows: list[dict[str, Any]]) -> None:
    session.execute(insert(model.__table__), rows)


def _analyse(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("ANALYZE")


def _asset(asset_id: str) -> dict[str, Any]:
    return {
        "id": asset_id, "filename": "a.mp4", "path": "uploads/a", "size": 1, "sha256": "0" * 64, "state": "ready",
        "progress": 100, "duration_ms": 600_000, "uploaded_by": EDITOR.id, "created_at": NOW,
    }  # fmt: skip


def _programme(n: int, texts: Texts, dice: random.Random) -> dict[str, Any]:
    return {
        "id": _id(n), "title": texts.titles[n], "summary": texts.summaries[n], "number": None,
        "section": dice.choice(SECTIONS).slug, "department": dice.choice(DEPARTMENTS).slug,
        "region": dice.choice(list(PLACES)), "rights_source": "", "rights_licence": "",
        "created_by": EDITOR.id, "created_at": NOW + timedelta(seconds=n),
    }  # fmt: skip


def _edition(n: int, asset_id: str) -> dict[str, Any]:
    return {
        "id": uuid7(5_000_000_000 + n), "programme_id": _id(n), "number": 1, "asset_id": asset_id, "recipe": {},
        "recipe_sha256": "0" * 64, "state": EditionState.RELEASED, "contributor_id": EDITOR.id,
        "created_at": NOW, "released_at": NOW + timedelta(seconds=n),
    }  # fmt: skip


_ids: dict[int, str] = {}


def _id(n: int) -> str:
    """A programme's id: the same each time it is asked, later ones greater."""
    if n not in _ids:
        _ids[n] = uuid7(1_000_000_000 + n)
    return _ids[n]


# --- what is timed --------------------------------------------------------------------------------------------------
def ours(session: Session, query: str) -> Sequence[Any]:
    found, _ = search.list_programmes(session, EDITOR, Filters(q=query), limit=PAGE, now=NOW)
    return found


def by_like(session: Session, query: str) -> Sequence[Any]:
    fits = or_(Programme.title.contains(query), Programme.summary.contains(query))
    return session.scalars(
        select(Programme).where(service.visible_to(EDITOR), fits).order_by(Programme.id.desc()).limit(PAGE)
    ).all()


def p95_ms(database: Database, queries: list[str], search_for: Callable[[Session, str], Any]) -> float:
    """95th percentile over the queries, each the median of three."""
    return statistics.quantiles([_median_ms(database, query, search_for) for query in queries], n=20)[-1]


def _median_ms(database: Database, query: str, search_for: Callable[[Session, str], Any]) -> float:
    took = []
    for _ in range(3):
        with database.read() as session:
            start = time.perf_counter()
            search_for(session, query)
            took.append((time.perf_counter() - start) * 1000)
    return statistics.median(took)


def recall(database: Database, texts: Texts) -> float:
    """The share of what holds the word that is found; whole lists, page by page."""
    wanted = found = 0
    by_id = {_id(n): n for n in range(len(texts.titles))}
    with database.read() as session:
        for query in texts.queries(TRUTHS):
            truth = texts.holding(query)
            seen = {by_id[one] for one in search.all_ids(session, EDITOR, Filters(q=query), now=NOW)}
            wanted += len(truth)
            found += len(truth & seen)
    return found / wanted
