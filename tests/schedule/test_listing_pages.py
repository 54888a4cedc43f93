"""What a viewer's phone gets without signing in: what was published, quickly, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from protocol.documents import Frame, FrameChannel, Item, LocalChannel, LocalDocument, StudyDay, Why, Window
from protocol.times import SHANGHAI, to_text
from server import clock
from server.app import create_app
from server.catalog.models import Asset, AssetState, Edition, EditionState, Programme, Rendition, Section
from server.config import Config
from server.db import Database, new_id
from server.identity.models import Account, RoleGrant
from server.identity.rules import Role
from server.identity.service import issue_token
from server.regions.models import Region
from server.schedule.models import Channel
from tests.schedule.guides import VILLAGE, serve

NOW = datetime(2026, 12, 5, 11, 10, tzinfo=UTC)
"""19:10 in Asia/Shanghai."""
EVENING = datetime(2026, 12, 5, 19, 0, tzinfo=SHANGHAI)
PLACES = {
    "13": "河北省", "1301": "石家庄市", "130123": "正定县", "130123105": "曲阳桥镇", VILLAGE: "曲阳桥村民委员会",
    "130123105202": "西洋村民委员会",
}  # fmt: skip
LEVELS = {2: "province", 4: "city", 6: "county", 9: "township", 12: "village"}
PARENTS = {4: 2, 6: 4, 9: 6, 12: 9}


@pytest.fixture(autouse=True)
def _time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture
def config(database: Database, tmp_path: Path) -> Config:
    made = Config(
        data=tmp_path / "data",
        database_url=database.url,
        jobs_database_url="sqlite://",
        console_url="http://yuanbo.example",
    )
    made.make_folders()
    return made


@pytest.fixture
def app(config: Config) -> Flask:
    return create_app(config)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def editions(database: Database) -> dict[str, str]:
    """{title: edition id} of released programmes, in a small province."""
    found = {}
    with database.write() as session:
        for code, name in PLACES.items():
            parent = code[: PARENTS[len(code)]] if len(code) > 2 else None
            session.add(Region(code=code, parent=parent, level=LEVELS[len(code)], name=name))
            session.flush()
        session.add(Section(slug="dangjian", name="党建时政", name_en="Party affairs", position=1))
        session.flush()
        for title in ("三会一课怎么开", "<script>alert(1)</script>", "正定县的节目"):
            programme, asset = new_id(), new_id()
            someone = new_id()
            session.add(
                Programme(
                    id=programme,
                    title=title,
                    section="dangjian",
                    region="13",
                    created_by=someone,
                    created_at=NOW,
                )
            )
            session.add(
                Asset(
                    id=asset, filename="a", path="a", size=1, sha256="0" * 64, state=AssetState.READY,
                    duration_ms=1_500_000, uploaded_by=someone, created_at=NOW,
                )
            )  # fmt: skip
            session.flush()
            found[title] = new_id()
            session.add(
                Edition(
                    id=found[title], programme_id=programme, number=1, asset_id=asset,
                    state=EditionState.RELEASED, contributor_id=someone, created_at=NOW,
                )
            )  # fmt: skip
            session.flush()
    return found


def item(edition: str, at: datetime, level: str = "province", region: str = "13", **more: object) -> Item:
    return Item(
        id=new_id(), starts_at=to_text(at), duration_ms=1_500_000, edition=edition, release="a" * 64,
        why=Why(rule="slot:x", level=level, region=region, by="编辑"), **more,
    )  # fmt: skip


def publish(config: Config, editions: dict[str, str], number: int = 7) -> None:
    span = {"valid_from": to_text(NOW - timedelta(days=1)), "valid_until": to_text(NOW + timedelta(days=13))}
    lesson, script, local = editions.values()
    window = Window(
        id="w1",
        starts_at=to_text(EVENING + timedelta(hours=1)),
        ends_at=to_text(EVENING + timedelta(hours=2)),
        level="county",
    )
    frame = Frame(
        region="13",
        serial=1,
        **span,
        channels=[
            FrameChannel(
                id="main",
                name="综合频道",
                items=[item(lesson, EVENING, required=True), item(script, EVENING + timedelta(days=1))],
                windows=[window],
            )
        ],
        study=[study(EVENING + timedelta(days=3))],
    )
    county = LocalDocument(
        region="130123",
        serial=1,
        **span,
        channels=[
            LocalChannel(
                id="main",
                items=[item(local, EVENING + timedelta(hours=1), "county", "130123", window="w1")],
            )
        ],
        study=[study(EVENING + timedelta(days=2))],
    )
    roles = {"frame": {"frame/13.json": frame}, "local-1301": {"local/1301/130123.json": county}}
    serve(config.read, number, roles)


def study(at: datetime) -> StudyDay:
    return StudyDay(
        id=new_id(), channel="main", starts_at=to_text(at), ends_at=to_text(at + timedelta(hours=2)),
        why=Why(rule="study:x", level="county", region="130123"),
    )  # fmt: skip


def test_before_anything_was_published_the_page_says_so(
    client: FlaskClient, editions: dict[str, str]
) -> None:
    page = client.get(f"/listings/{VILLAGE}")
    assert page.status_code == 200
    assert "还没有公布" in page.text
    refused = client.get(f"/listings/{VILLAGE}/listing.ics")
    assert refused.status_code == 404


def test_a_village_sees_the_frame_its_countys_window_and_what_plays_now(
    client: FlaskClient, config: Config, editions: dict[str, str]
) -> None:
    publish(config, editions)
    page = client.get(f"/listings/{VILLAGE}").text
    assert "曲阳桥村" in page
    assert "正在播出</em><strong>三会一课怎么开" in page
    assert "正定县节目" in page
    assert "接下来" in page
    assert "集中学习日" in page
    other = client.get("/listings/1301").text
    assert "正定县的节目" not in other


def test_a_countys_own_study_days_stand_instead_of_the_provinces(
    client: FlaskClient, config: Config, editions: dict[str, str]
) -> None:
    publish(config, editions)
    (mine,) = client.get(f"/listings/{VILLAGE}/listing.json").get_json()["study_days"]
    (theirs,) = client.get("/listings/13/listing.json").get_json()["study_days"]
    assert mine["starts_at"] == "2026-12-07T11:00:00.000Z"
    assert theirs["starts_at"] == "2026-12-08T11:00:00.000Z"


def test_a_title_is_never_markup(client: FlaskClient, config: Config, editions: dict[str, str]) -> None:
    publish(config, editions)
    page = client.get(f"/listings/{VILLAGE}").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_pages_may_be_cached_and_unchanged_ones_cost_no_body(
    client: FlaskClient, config: Config, editions: dict[str, str]
) -> None:
    publish(config, editions)
    for path in ("/listings", f"/listings/{VILLAGE}", f"/listings/{VILLAGE}/listing.xml"):
        first = client.get(path)
        assert first.headers["Cache-Control"].startswith("public, max-age=")
        assert "Set-Cookie" not in first.headers
        again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")


def test_a_new_publication_is_seen_at_once(
    client: FlaskClient, config: Config, editions: dict[str, str]
) -> None:
    publish(config, editions, 7)
    before = client.get(f"/listings/{VILLAGE}/listing.json")
    publish(config, editions, 8)
    after = client.get(f"/listings/{VILLAGE}/listing.json", headers={"If-None-Match": before.headers["ETag"]})
    assert after.get_json()["publication"] == 8


KINDS = [
        ("listing.xml", "application/xml"), ("listing.ics", "text/calendar"), ("listing.m3u8", "audio/x-mpegurl"),
        ("listing.rss", "application/rss+xml"), ("listing.json", "application/json"), ("listing.pdf", "application/pdf"),
        ("listing.png", "image/png"), ("listing.txt", "text/plain"),
    ]  # fmt: skip


def test_every_form_can_be_fetched_by_anybody(
    client: FlaskClient, config: Config, editions: dict[str, str]
) -> None:
    publish(config, editions)
    for name, kind in KINDS:
        answer = client.get(f"/listings/{VILLAGE}/{name}")
        assert (answer.status_code, answer.mimetype) == (200, kind)
        assert answer.data == client.get(f"/listings/{VILLAGE}/{name}").data


REFUSED = [
        (f"/listings/{VILLAGE}/listing.exe", 404), (f"/listings/{VILLAGE}/secret.pdf", 404),
        (f"/listings/{VILLAGE}/listing.pdf?paper=A5", 422), (f"/listings/{VILLAGE}/listing.ics?days=99", 422),
        (f"/listings/{VILLAGE}/listing.ics?days=x", 422), (f"/listings/{VILLAGE}/listing.ics?day=2026-02-30", 422),
        ("/listings/999999", 404), ("/listings/../13", 404), ("/listings/%00", 422), ("/listings/abc", 422),
        ("/listings?at=zz", 422),
    ]  # fmt: skip


def test_what_is_not_there_is_refused_in_words(
    client: FlaskClient, config: Config, editions: dict[str, str]
) -> None:
    publish(config, editions)
    assert [(path, client.get(path).status_code) for path, _ in REFUSED] == REFUSED


def test_a_village_is_found_by_initials_name_path_or_code(
    client: FlaskClient, editions: dict[str, str]
) -> None:
    for typed in ("qyqc", "QYQ", "曲阳桥村", "正定 曲阳桥村", VILLAGE):
        answer = client.get("/listings", query_string={"q": typed})
        found = answer.location if answer.status_code == 302 else answer.text
        assert f"/listings/{VILLAGE}" in found


def test_a_search_for_nothing_known_answers_kindly(client: FlaskClient, editions: dict[str, str]) -> None:
    for typed in ("%", "_", "'; drop table regions", "\x00", "没有这个村", "x" * 500):
        answer = client.get("/listings", query_string={"q": typed})
        assert answer.status_code == 200
        assert "没有找到" in answer.text


def test_the_tree_can_be_walked_down_to_a_village(client: FlaskClient, editions: dict[str, str]) -> None:
    assert 'href="/listings?at=1301"' in client.get("/listings").text
    page = client.get("/listings?at=130123105").text
    assert f'href="/listings/{VILLAGE}"' in page
    assert 'href="/listings?at=130123"' in page


def test_the_playlist_names_the_rendition_that_fits_best(
    client: FlaskClient, config: Config, editions: dict[str, str], database: Database
) -> None:
    publish(config, editions)
    with database.write() as session:
        edition = session.get(Edition, editions["三会一课怎么开"])
        assert edition is not None
        for profile, sha256 in (("720p", "7" * 64), ("576p", "5" * 64), ("review", "0" * 64)):
            session.add(
                Rendition(
                    asset_id=edition.asset_id, profile=profile, profile_version=1, sha256=sha256, length=1,
                    pieces_root="0" * 64, width=1, height=1, bitrate=1, duration_ms=1_500_000, created_at=NOW,
                )
            )  # fmt: skip
    lines = client.get(f"/listings/{VILLAGE}/listing.m3u8").text.splitlines()
    assert [line for line in lines if not line.startswith("#")] == [f"{config.read_urls[0]}/m/{'5' * 64}"], (
        "what has no rendition is left out"
    )


def test_english_readers_get_english(client: FlaskClient, config: Config, editions: dict[str, str]) -> None:
    publish(config, editions)
    page = client.get(f"/listings/{VILLAGE}?lang=en").text
    assert "Now on" in page
    assert "Party affairs" in page


def test_the_api_exports_drafts_and_what_was_published_to_who_may_see_it(
    client: FlaskClient, config: Config, editions: dict[str, str], database: Database
) -> None:
    path = f"/api/v1/listings/export?region={VILLAGE}&format=json"
    assert client.get(path).status_code == 401
    with database.write() as session:
        account = Account(
            username="zhang", name="张", password_hash="-", locale="zh_CN", is_active=True, created_at=NOW,
            grants=[RoleGrant(role=Role.COUNTY_EDITOR, region="130123")],
        )  # fmt: skip
        session.add(account)
        session.flush()
        _, token = issue_token(session, account, "测试", now=NOW)
        session.add(Channel(id="main", name="综合频道", name_en="General", position=1))
    bearer = {"Authorization": f"Bearer {token}"}
    assert client.get(path, headers=bearer).get_json()["code"] == "not_published"
    draft = client.get(f"{path}&draft=true", headers=bearer).get_json()
    assert (draft["publication"], [c["id"] for c in draft["channels"]]) == (None, ["main"])
    publish(config, editions)
    assert client.get(path, headers=bearer).get_json()["publication"] == 7
    assert client.get(path.replace("json", "docx"), headers=bearer).get_json()["code"] == "format"
