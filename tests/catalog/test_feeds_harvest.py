"""Harvesting a real HTTP server: into the review queue once, resumed where a line broke, stopped where it never ends."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from server import cli
from server.catalog import feeds, feeds_harvest, review
from server.catalog.feeds import NewSource
from server.catalog.feeds_fetch import Fetcher, Limits
from server.catalog.feeds_harvest import MAX_TRIES, Harvested, Harvester
from server.catalog.feeds_models import FeedItem, FeedSource
from server.catalog.models import Asset, EditionState, Programme
from server.config import Config
from server.db import Database
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.identity import audit
from server.identity.models import Account
from server.identity.rules import Caller
from tests.catalog.conftest import NOW
from tests.catalog.partner import Partner, item, oai, record, rss

People = dict[str, Caller]
FILM = bytes(range(256)) * 400


@pytest.fixture
def partner() -> Iterator[Partner]:
    running = Partner()
    yield running
    running.close()


class Clock:
    def __init__(self) -> None:
        self.time = NOW

    def __call__(self) -> datetime:
        return self.time

    def pass_by(self, **much: float) -> None:
        self.time += timedelta(**much)


@pytest.fixture
def time() -> Clock:
    return Clock()


@pytest.fixture
def harvester(config: Config, database: Database, partner: Partner, time: Clock) -> Harvester:
    return Harvester(config, database, Fetcher(partner.allowed), now=time)


@pytest.fixture
def add(database: Database, people: People, partner: Partner) -> Callable[..., str]:
    """``add("/feed.xml", kind="oai")``: a registered feed; its id."""

    def make(path: str = "/feed.xml", by: str = "editor", **more: Any) -> str:
        given = {
            "name": "邻省",
            "kind": "rss",
            "section": "nongji",
            "rights_source": "邻省远程办",
            "rights_licence": "互通协议",
        }
        new = NewSource(url=partner.url + path, **given | more)
        with database.write() as session:
            return feeds.add_source(session, people[by], new, now=NOW).id

    return make


Add = Callable[..., str]


def items(database: Database) -> dict[str, tuple[str, str]]:
    """State and reason by title."""
    with database.read() as session:
        return {row.title: (row.state, row.reason) for row in session.scalars(select(FeedItem))}


def states(database: Database) -> dict[str, str]:
    return {title: state for title, (state, _reason) in items(database).items()}


def programmes(database: Database) -> list[Programme]:
    with database.read() as session:
        rows = session.scalars(select(Programme).order_by(Programme.id)).all()
        for row in rows:
            assert [edition.asset.size for edition in row.editions]
        return list(rows)


def test_a_feed_comes_into_the_review_queue_with_its_source_and_rights(
    database: Database, config: Config, partner: Partner, harvester: Harvester, add: Add, people: People
) -> None:
    partner.put("/feed.xml", rss(item("冬小麦返青", "/a.mp4", more="<description>浇水</description>")))
    partner.put_file("/a.mp4", FILM)
    source = add(department="农业厅")
    assert harvester.run_due() == [Harvested(source, found=1, taken=1)]
    (programme,) = programmes(database)
    assert (programme.title, programme.summary, programme.section) == ("冬小麦返青", "浇水", "nongji")
    assert (programme.department, programme.region) == ("nongye", "13")
    assert (programme.rights_source, programme.rights_licence) == ("邻省远程办", "互通协议")
    edition = programme.editions[-1]
    assert (edition.state, edition.contributor_id) == (EditionState.FIRST_REVIEW, people["editor"].id)
    assert (config.data / edition.asset.path).read_bytes() == FILM
    with database.read() as session:
        assert audit.verify_chain(session).seq > 0
        submitted = [entry.action for entry in audit.newest(session)]
    assert review.SUBMITTED in submitted


def test_harvesting_again_brings_nothing_twice(
    database: Database, partner: Partner, harvester: Harvester, add: Add, time: Clock
) -> None:
    partner.put("/feed.xml", rss(item("甲", "/a.mp4", "1")), ETag='"v1"')
    partner.put_file("/a.mp4", FILM)
    add()
    harvester.run_due()
    assert harvester.run_due() == []
    time.pass_by(hours=6)
    (again,) = harvester.run_due()
    assert (again.found, again.taken, again.error) == (0, 0, None)
    time.pass_by(hours=6)
    partner.put("/feed.xml", rss(item("甲 新标题", "/a.mp4", "1"), item("乙", "/copy.mp4", "2")), ETag='"v2"')
    partner.put_file("/copy.mp4", FILM)
    (third,) = harvester.run_due()
    assert (third.found, third.known) == (1, 1)
    assert states(database) == {"甲": "taken", "乙": "known"}
    assert len(programmes(database)) == 1
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Asset)) == 1


def test_a_broken_line_goes_on_where_it_stopped(
    database: Database, partner: Partner, harvester: Harvester, add: Add, time: Clock
) -> None:
    partner.put("/feed.xml", rss(item("长片", "/a.mp4")))
    partner.put_file("/a.mp4", FILM, breaks_after=40_000)
    add()
    assert harvester.run_due()[0].waiting == 1
    assert items(database)["长片"][0] == "found"
    for _ in range(3):
        time.pass_by(hours=1)
        harvester.run_due()
    assert states(database) == {"长片": "taken"}
    assert partner.ranges == ["", "bytes=40000-", "bytes=80000-"]
    (programme,) = programmes(database)
    assert programme.editions[0].asset.size == len(FILM)


def test_a_file_that_changed_in_between_is_fetched_from_its_beginning(
    database: Database, partner: Partner, harvester: Harvester, add: Add, time: Clock, config: Config
) -> None:
    partner.put("/feed.xml", rss(item("长片", "/a.mp4")))
    partner.put_file("/a.mp4", FILM, breaks_after=40_000)
    add()
    harvester.run_due()
    partner.put_file("/a.mp4", FILM[::-1], etag='"2"')
    time.pass_by(hours=1)
    harvester.run_due()
    (programme,) = programmes(database)
    assert (config.data / programme.editions[0].asset.path).read_bytes() == FILM[::-1]


def test_a_line_that_is_always_broken_is_given_up(
    database: Database, partner: Partner, harvester: Harvester, add: Add, time: Clock, config: Config
) -> None:
    partner.put("/feed.xml", rss(item("断线", "/a.mp4")))
    partner.put_file("/a.mp4", FILM, breaks_after=0)
    source = add()
    for _ in range(MAX_TRIES + 2):
        harvester.run_due()
        time.pass_by(days=2)
    assert states(database) == {"断线": "refused"}
    assert list((config.run / "feeds").iterdir()) == []
    with database.write() as session:
        (row,) = session.scalars(select(FeedItem)).all()
        feeds.try_again(session, caller_of_source(database, source), row.id, now=time())
    partner.put_file("/a.mp4", FILM)
    harvester.run_due()
    assert states(database) == {"断线": "taken"}


def caller_of_source(database: Database, source_id: str) -> Caller:
    from server.identity.service import caller_of

    with database.read() as session:
        return caller_of(session.get_one(Account, session.get_one(FeedSource, source_id).owner_id))


def test_what_cannot_be_used_is_refused_by_name_and_the_rest_is_taken(
    database: Database, config: Config, partner: Partner, add: Add, time: Clock
) -> None:
    entries = [
        item("没有文件", None), item("网页", "/page.mp4"), item("空的", "/empty.mp4"), item("太大", "/large.mp4"),
        item("内网", "http://10.0.0.1/a.mp4"), item("没了", "/nowhere.mp4"), item("好的", "/a.mp4"), item("", "/b.mp4"),
    ]  # fmt: skip
    partner.put("/feed.xml", rss(*entries))
    partner.put("/page.mp4", b"<html>", "text/html; charset=utf-8")
    partner.put("/empty.mp4", b"", "video/mp4")
    partner.put("/large.mp4", b"x" * 200_000, "video/mp4")
    partner.put_file("/a.mp4", FILM)
    add()
    harvester = Harvester(
        config, database, Fetcher(partner.allowed), now=time, media_limits=Limits(bytes=150_000, seconds=5)
    )
    (done,) = harvester.run_due()
    assert (done.taken, done.refused) == (1, 7)
    found = items(database)
    assert "没有视频" in found["没有文件"][1]
    assert "text/html" in found["网页"][1]
    assert "空" in found["空的"][1]
    assert "超过" in found["太大"][1]
    assert "内部网络" in found["内网"][1]
    assert "404" in found["没了"][1]
    assert list((config.run / "feeds").iterdir()) == []


def test_a_feed_that_cannot_be_read_says_why_and_is_tried_again_later(
    database: Database, partner: Partner, harvester: Harvester, add: Add, time: Clock
) -> None:
    partner.put("/feed.xml", b"<html>sorry</html>", "text/html")
    source = add()
    (done,) = harvester.run_due()
    assert done.error is not None
    assert "RSS" in done.error
    with database.read() as session:
        row = session.get_one(FeedSource, source)
        assert (row.error_code, row.busy_until, row.next_at) == (
            "feed_unreadable",
            None,
            NOW + timedelta(hours=6),
        )
    partner.put("/feed.xml", rss())
    time.pass_by(hours=6)
    assert harvester.run_due()[0].error is None
    with database.read() as session:
        assert session.get_one(FeedSource, source).error_text is None


def test_of_two_workers_one_harvests_a_feed_and_a_dead_ones_claim_ends(
    database: Database, config: Config, partner: Partner, harvester: Harvester, add: Add, time: Clock
) -> None:
    partner.put("/feed.xml", rss())
    source = add()
    with database.write() as session:
        session.get_one(FeedSource, source).busy_until = NOW + feeds_harvest.CLAIM
    assert harvester.run_due() == []
    with pytest.raises(Conflict):
        harvester.run_now(source)
    time.pass_by(minutes=31)
    assert len(harvester.run_due()) == 1


# ---------------------------------------------------------------- OAI-PMH


def pages(partner: Partner, *contents: bytes) -> None:
    """An OAI-PMH repository of these pages; their tokens are their numbers."""
    identify = oai(verb="Identify", inner="<granularity>YYYY-MM-DDThh:mm:ssZ</granularity>")

    def reply(handler: Any) -> None:
        if handler.query["verb"] == "Identify":
            content = identify
        else:
            content = contents[int(handler.query.get("resumptionToken", 0))]
        handler.plain(content, "text/xml", {})

    partner.put_reply("/oai", reply)


def test_an_oai_repository_is_harvested_page_by_page_and_then_from_where_it_was(
    database: Database, partner: Partner, harvester: Harvester, add: Add, time: Clock
) -> None:
    pages(
        partner,
        oai(record("urn:1", "甲", f"{partner.url}/a.mp4"), token="1"),
        oai(record("urn:2", "乙", f"{partner.url}/b.mp4"), record("urn:3", deleted=True)),
    )
    partner.put_file("/a.mp4", FILM)
    partner.put_file("/b.mp4", FILM[1:])
    add("/oai", kind="oai", oai_set="nongji")
    assert harvester.run_due()[0].taken == 2
    assert states(database) == {"甲": "taken", "乙": "taken"}
    assert "verb=ListRecords&metadataPrefix=oai_dc&set=nongji" in partner.asked[0]
    pages(partner, oai())
    time.pass_by(hours=6)
    assert harvester.run_due()[0].error is None
    assert any("from=2026-12-05T11%3A00%3A00Z" in asked for asked in partner.asked)


def test_what_the_partner_deleted_before_it_was_fetched_is_not_fetched(
    database: Database, partner: Partner, harvester: Harvester, add: Add, time: Clock
) -> None:
    pages(partner, oai(record("urn:1", "甲", f"{partner.url}/away.mp4")))
    partner.put_reply("/away.mp4", lambda handler: handler.send_error(503))
    add("/oai", kind="oai")
    harvester.run_due()
    pages(partner, oai(record("urn:1", deleted=True)))
    time.pass_by(hours=6)
    harvester.run_due()
    assert states(database) == {"甲": "gone"}


@pytest.mark.parametrize("changes", [False, True])
def test_resumption_tokens_that_never_end_are_stopped(
    database: Database, partner: Partner, harvester: Harvester, add: Add, changes: bool
) -> None:
    """The same token again, or ever new ones for the same records."""

    def reply(handler: Any) -> None:
        token = str(int(handler.query.get("resumptionToken", 0)) + 1) if changes else "7"
        handler.plain(oai(record("urn:1", "甲", f"{partner.url}/a.mp4"), token=token), "text/xml", {})

    partner.put_reply("/oai", reply)
    add("/oai", kind="oai")
    (done,) = harvester.run_due()
    assert done.error is not None
    assert "没有尽头" in done.error
    assert len(partner.asked) <= 3


def test_ever_new_records_are_stopped_too(
    partner: Partner, harvester: Harvester, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds_harvest, "MAX_PAGES", 10)

    def reply(handler: Any) -> None:
        at = int(handler.query.get("resumptionToken", 0))
        handler.plain(oai(record(f"urn:{at}", f"第 {at} 个"), token=str(at + 1)), "text/xml", {})

    partner.put_reply("/oai", reply)
    add("/oai", kind="oai")
    assert "没有尽头" in str(harvester.run_due()[0].error)
    assert len(partner.asked) == 10


# ---------------------------------------------------------------- who may


def test_feeds_belong_to_a_region(database: Database, people: People, add: Add) -> None:
    mine = add(by="city", region="1301")
    with database.write() as session:
        assert [row.id for row in feeds.list_sources(session, people["admin"])] == [mine]
        assert feeds.set_active(session, people["admin"], mine, is_active=False, now=NOW).is_active is False
        with pytest.raises(Conflict):
            feeds.run_soon(session, people["city"], mine, now=NOW)
        with pytest.raises(Forbidden):
            feeds.list_sources(session, people["county"])
    for who, region in (("city", "13"), ("city", "1302"), ("county", "130123")):
        with pytest.raises(Forbidden):
            add(by=who, region=region)
    province = add()
    with database.read() as session, pytest.raises(NotFound):
        feeds.get_source(session, people["city"], province)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "x"}, {"interval_minutes": 1}, {"interval_minutes": 10**6}, {"rights_source": " "}, {"name": ""},
        {"rights_licence": ""}, {"section": "x"}, {"department": "x"}, {"oai_prefix": "x"}, {"path": "x y"},
        {"path": "/" + "x" * 1_000},
    ],
)  # fmt: skip
def test_a_feed_that_is_not_described_rightly_is_refused(add: Add, wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        add(**wrong)


def test_a_place_that_does_not_exist_is_refused(add: Add) -> None:
    with pytest.raises(Invalid):
        add(region="130999")


def test_another_address_is_harvested_from_its_beginning(
    database: Database, people: People, partner: Partner, harvester: Harvester, add: Add, time: Clock
) -> None:
    partner.put("/feed.xml", rss(), ETag='"v1"')
    source = add()
    harvester.run_due()
    changed = NewSource("邻省", "rss", f"{partner.url}/new.xml", "kepu", "邻省", "协议")
    with database.write() as session:
        row = feeds.change_source(session, people["editor"], source, changed, now=time())
        assert (row.etag, row.section, row.next_at) == (None, "kepu", time())


def test_halves_of_files_that_nobody_waits_for_are_deleted(
    config: Config, database: Database, partner: Partner, harvester: Harvester, add: Add, time: Clock
) -> None:
    partner.put("/feed.xml", rss(item("长片", "/a.mp4")))
    partner.put_file("/a.mp4", FILM, breaks_after=10)
    add()
    harvester.run_due()
    stray = config.run / "feeds" / "0190a0a0-0000-7000-8000-000000000000"
    stray.write_bytes(b"x")
    assert harvester.tidy() == 1
    assert [path.stat().st_size for path in Path(config.run / "feeds").iterdir()] == [10]


def test_the_command_harvests_what_is_due(
    tmp_path: Path, migrated_sqlite: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is registered here; a folder without an installation is a wrong use."""
    (tmp_path / "data").mkdir()
    assert cli.main(["catalog", "harvest", "--data", str(tmp_path / "data")]) == 2
    shutil.copyfile(migrated_sqlite, tmp_path / "data" / "yuanbo.sqlite")
    assert cli.main(["catalog", "harvest", "--json", "--data", str(tmp_path / "data")]) == 0
    assert '{"items": []}' in capsys.readouterr().out
    assert cli.main(["catalog", "harvest", "x", "--data", str(tmp_path / "data")]) == 1
    assert cli.main(["catalog", "reindex", "--json", "--data", str(tmp_path / "data")]) == 0
    assert '"programmes": 0' in capsys.readouterr().out
