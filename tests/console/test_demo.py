"""The demonstration is built through the public API, and a kill at any moment leaves no doubles."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from werkzeug.serving import make_server

from protocol.times import SHANGHAI
from server import clock
from server.app import create_app
from server.catalog import service as catalog
from server.catalog.models import Asset, AssetState, Edition, Programme, Review
from server.catalog.shelves import SECTIONS
from server.client import ApiClient
from server.config import Config, load
from server.console import films
from server.console.demo import Desk, programmes, schedule
from server.console.demo.errors import DemoFailed, Stopped
from server.console.demo.week import STUDY_DAYS, county, week
from server.db import Database
from server.identity import service as identity
from server.regions.models import Region
from server.schedule import service as schedules
from server.schedule.models import Slot
from server.schedule.recurrence import occurrences

PLACES = (
    ("13", None, "province", "河北省"),
    ("1301", "13", "city", "石家庄市"),
    ("130123", "1301", "county", "正定县"),
    ("130123105", "130123", "township", "曲阳桥镇"),
    ("130123105201", "130123105", "village", "曲阳桥村民委员会"),
)
ROLES = {"province_editor", "county_editor", "partner", "first_reviewer", "second_reviewer", "final_reviewer"}
AT_WORK = [spec for spec in identity.FIRST_ACCOUNTS if spec.role in ROLES]
MONDAY = date(2026, 11, 23)
LENGTH_MS = 26_600


# ---------------------------------------------------------------- the week, as data


def test_the_week_has_three_places_a_day_and_the_study_days():
    places = week(MONDAY + timedelta(days=3))
    weekly = [place for place in places if place.rrule.startswith("FREQ=WEEKLY")]
    assert Counter(place.starts_at.weekday() for place in weekly) == dict.fromkeys(range(7), 3)
    assert {place.starts_at.strftime("%H:%M") for place in weekly} == {"09:00", "15:00", "19:00"}
    (study,) = [place for place in places if place not in weekly]
    assert study.required
    assert {place.required for place in weekly} == {False}
    begin = study.starts_at.replace(tzinfo=SHANGHAI)
    found = occurrences(begin, study.rrule, begin, begin + timedelta(days=60))
    assert {start.astimezone(SHANGHAI).day for start in found} == set(STUDY_DAYS)


def test_the_week_shows_every_programme_and_never_the_same_one_twice_running():
    titles = [place.title for place in week(MONDAY)]
    assert set(titles) == {info.title for info in (*films.FILMS, films.CLIP)}
    assert all(one != following for one, following in pairwise(titles[:21]))


def test_the_series_begin_on_the_monday_of_the_week_whatever_the_day():
    assert week(MONDAY) == week(MONDAY + timedelta(days=6))
    assert week(MONDAY)[0].starts_at.date() == MONDAY
    assert county(MONDAY).region == "130123"


# ---------------------------------------------------------------- building it


@dataclass
class Province:
    """The real application behind a real port; only the encoder is played, by marking what arrived as ready."""

    config: Config
    database: Database
    accounts: list[dict[str, str]]
    refuses: str = ""

    def encode(self) -> None:
        with self.database.write() as session:
            done = {"state": AssetState.READY, "duration_ms": LENGTH_MS}
            refused = {"state": AssetState.REFUSED, "error_code": "not_media", "error_text": "不是音视频文件"}
            session.execute(update(Asset).where(Asset.filename == self.refuses).values(**refused))
            session.execute(update(Asset).where(Asset.filename != self.refuses).values(**done))

    def desk(self, patience: int | None = None) -> Desk:
        """A desk at which somebody stops after `patience` looks at the clock."""
        looks = 0

        def is_stopping() -> bool:
            nonlocal looks
            self.encode()
            looks += 1
            return patience is not None and looks > patience

        clients = {a["role"]: ApiClient(self.config.console_url, a["token"]) for a in self.accounts}
        return Desk(self.config, clients, said.append, is_stopping)


said: list[str] = []


@pytest.fixture
def province(tmp_path: Path, sqlite_url: str, free_port: int) -> Iterator[Province]:
    config = load(tmp_path / "data", {"YUANBO_DATABASE_URL": sqlite_url})
    config = replace(config, console_url=f"http://127.0.0.1:{free_port}")
    config.make_folders()
    database = Database(sqlite_url)
    with database.write() as session:
        for code, parent, level, name in PLACES:
            session.add(Region(code=code, parent=parent, level=level, name=name))
            session.flush()
        catalog.seed(session)
        schedules.seed(session)
        made = identity.ensure_accounts(session, AT_WORK, now=clock.now())
    accounts = [{"role": role, "token": token} for role, _name, _password, token in made]
    server = make_server("127.0.0.1", free_port, create_app(config), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    folder = config.data / "demo" / "films"
    folder.mkdir(parents=True)
    for info in films.FILMS:
        (folder / info.file).write_bytes(f"drawn before: {info.title}".encode())
    yield Province(config, database, accounts)
    server.shutdown()
    thread.join()
    database.close()


def build(desk: Desk) -> None:
    released = programmes.release_all(desk)
    schedule.fill_week(desk, released)
    schedule.use_window(desk, released)


def rows(province: Province, query: Any) -> list[Any]:
    with province.database.read() as session:
        return list(session.scalars(query))


def test_everything_is_uploaded_by_people_and_released_by_three_others(province: Province):
    build(province.desk())
    made = rows(province, select(Programme))
    assert {p.title for p in made} == {info.title for info in (*films.FILMS, films.CLIP)}
    assert {p.section for p in made} <= {shelf.slug for shelf in SECTIONS}
    assert {e.state for e in rows(province, select(Edition))} == {"released"}
    contributors = {e.id: e.contributor_id for e in rows(province, select(Edition))}
    by_edition: dict[str, list[str]] = {edition: [] for edition in contributors}
    for review in rows(province, select(Review)):
        by_edition[review.edition_id].append(review.reviewer_id)
    for edition, reviewers in by_edition.items():
        assert len(reviewers) == 3
        assert all(one != other for one, other in combinations([*reviewers, contributors[edition]], 2))


def test_the_county_speaks_in_its_own_window(province: Province):
    build(province.desk())
    answer = province.desk()["county_editor"].get("/api/v1/listings", region="130123105201")
    shown = [(item["why"]["level"], item["title"]) for item in answer["items"] if item["source"] == "local"]
    assert shown == [("county", county(MONDAY).title)]


def test_a_kill_at_any_moment_leaves_no_doubles(province: Province):
    def killed(patience: int) -> bool:
        try:
            build(province.desk(patience))
        except Stopped:
            return True
        return False

    patience, kills = 1, 0
    while killed(patience):
        patience, kills = patience + 3, kills + 1
    assert kills > 8
    build(province.desk())
    assert Counter(p.title for p in rows(province, select(Programme))).most_common(1)[0][1] == 1
    slots = Counter((s.region, s.starts_at, s.rrule) for s in rows(province, select(Slot)))
    assert len(slots) == len(week(MONDAY)) + 1
    assert set(slots.values()) == {1}
    assert len(rows(province, select(Review))) == 3 * 7


def test_a_refused_file_ends_the_demonstration_with_its_reason(province: Province):
    province.refuses = films.FILMS[2].file
    with pytest.raises(DemoFailed) as failed:
        build(province.desk())
    assert films.FILMS[2].title in str(failed.value)
    assert "不是音视频文件" in str(failed.value)
