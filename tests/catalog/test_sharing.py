"""Others harvest us: OAI-PMH 2.0 verb by verb, Media RSS, and our own harvester at our own door."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import etree
from sqlalchemy import select

from server.catalog import feeds, oai, oai_records
from server.catalog.feeds import NewSource
from server.catalog.feeds_fetch import Fetcher
from server.catalog.feeds_harvest import Harvester
from server.catalog.feeds_models import FeedItem
from server.catalog.feeds_parse import read_feed, read_oai
from server.catalog.models import Asset, AssetState, Edition, EditionState, Programme, Rendition
from server.catalog.programmes import Changes, NewProgramme, Rights, create_programme
from server.config import Config
from server.db import Database
from server.errors import Forbidden, Invalid
from server.identity.rules import Caller
from tests.catalog.conftest import NOW, Server
from tests.catalog.oai_rules import check
from tests.catalog.partner import Partner

People = dict[str, Caller]
N = {"o": oai.OAI, "dc": oai.DC, "lom": oai.LOM_NAMESPACE}
FILM = b"film" * 1000


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def share(database: Database, people: People, asset: Callable[..., str]) -> Callable[..., str]:
    """``share(title, …)``: a released programme with one rendition; its id."""

    def make(title: str, at: datetime = NOW, **more: Any) -> str:
        editor = people["editor"]
        given = {"section": "nongji", "department": "nongye", "summary": "浇水 & 追肥 <重点>"}
        new = NewProgramme(title=title, asset_id=asset(editor, AssetState.READY), **given | more)
        with database.write() as session:
            programme = create_programme(session, editor, new, now=at)
            edition = programme.editions[0]
            edition.state, edition.released_at = EditionState.RELEASED, at
            session.add(_rendition(edition.asset_id, at))
            return programme.id

    return make


def _rendition(asset_id: str, at: datetime) -> Rendition:
    return Rendition(
        asset_id=asset_id, profile="576p", profile_version=1, sha256=hashlib.sha256(FILM).hexdigest(), length=len(FILM),
        pieces_root="0" * 64, width=1024, height=576, bitrate=1_000_000, duration_ms=61_000, created_at=at,
    )  # fmt: skip


Share = Callable[..., str]


def ask(client: FlaskClient, **arguments: str) -> Any:
    answer = client.get("/oai", query_string={name.rstrip("_"): value for name, value in arguments.items()})
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/xml")
    assert "max-age" in answer.headers["Cache-Control"]
    return check(answer.data)


def error(client: FlaskClient, **arguments: str) -> str:
    return str(ask(client, **arguments).find("o:error", N).get("code"))


def titles(root: Any) -> list[str]:
    return [node.text for node in root.iterfind(".//dc:title", N)]


# ---------------------------------------------------------------- the verbs


def test_identify_formats_and_sets(client: FlaskClient, share: Share) -> None:
    share("冬小麦")
    who = ask(client, verb="Identify").find("o:Identify", N)
    assert who.findtext("o:repositoryName", namespaces=N) == "河北省党员干部现代远程教育节目库"
    assert who.findtext("o:earliestDatestamp", namespaces=N) == "2026-12-05T11:00:00Z"
    formats = ask(client, verb="ListMetadataFormats")
    assert [node.text for node in formats.iterfind(".//o:metadataPrefix", N)] == ["oai_dc", "lom"]
    sets = ask(client, verb="ListSets")
    assert len(sets.findall(".//o:set", N)) == 12


def test_a_record_in_dublin_core_and_in_lom(client: FlaskClient, share: Share) -> None:
    one = share(
        "冬小麦返青管理",
        more=Changes(tags=["小麦"], months=[3], sections=["kepu"]),
        rights=Rights("省农业厅", "全国使用"),
    )
    plain = ask(client, verb="GetRecord", identifier=f"urn:uuid:{one}", metadataPrefix="oai_dc")
    assert titles(plain) == ["冬小麦返青管理"]
    said = {(node.tag.partition("}")[2], node.text) for node in plain.find(".//o:metadata", N)[0]}
    assert {
        ("creator", "省农业厅"), ("subject", "小麦"), ("subject", "农业科技"), ("subject", "科普健康"), ("type", "MovingImage"),
        ("description", "浇水 & 追肥 <重点>"), ("format", "video/mp4"), ("rights", "全国使用"), ("date", "2026-12-05"),
        ("identifier", f"http://127.0.0.1:8080/shared/{one}.mp4"),
    } <= said  # fmt: skip
    assert [node.text for node in plain.iterfind(".//o:setSpec", N)] == ["nongji", "kepu"]
    lom = ask(client, verb="GetRecord", identifier=f"urn:uuid:{one}", metadataPrefix="lom")
    assert lom.findtext(".//lom:general/lom:title/lom:string", namespaces=N) == "冬小麦返青管理"
    assert lom.findtext(".//lom:technical/lom:duration/lom:duration", namespaces=N) == "PT1M1S"


def test_lists_are_narrowed_by_set_and_time(client: FlaskClient, share: Share) -> None:
    share("早", NOW - timedelta(days=2))
    share("晚", section="fazhi")
    everything = {"verb": "ListRecords", "metadataPrefix": "oai_dc"}
    assert titles(ask(client, **everything)) == ["早", "晚"]
    assert titles(ask(client, **everything, set="fazhi")) == ["晚"]
    assert titles(ask(client, **everything, from_="2026-12-04")) == ["晚"]
    assert titles(ask(client, **everything, from_="2026-12-05T11:00:00Z")) == ["晚"]
    assert titles(ask(client, **everything, until="2026-12-03")) == ["早"]
    assert titles(ask(client, **everything, from_="2026-12-03", until="2026-12-03")) == ["早"]
    assert titles(ask(client, **everything, until="2026-12-05T10:59:59Z")) == ["早"]
    names = ask(client, verb="ListIdentifiers", metadataPrefix="lom")
    assert len(names.findall(".//o:header", N)) == 2
    assert names.find(".//o:metadata", N) is None


def test_what_is_no_longer_shared_is_a_deleted_record(
    client: FlaskClient, database: Database, share: Share, people: People
) -> None:
    gone, expired, local = (
        share("撤下"),
        share("到期", rights=Rights(valid_until=NOW + timedelta(days=1))),
        share("本地"),
    )
    with database.write() as session:
        edition = session.scalars(select(Edition).where(Edition.programme_id == gone)).one()
        edition.state = EditionState.WITHDRAWN
        session.get_one(Programme, local).rights_regions = ["1301"]
        create_programme(
            session,
            people["editor"],
            NewProgramme(title="草稿", section="kepu", asset_id=edition.asset_id),
            now=NOW,
        )
    with database.read() as session:
        later = NOW + timedelta(days=2)
        asked = oai.read_request([("verb", "ListRecords"), ("metadataPrefix", "oai_dc")])
        records, is_more = oai_records.page(session, asked, media="http://x", now=later)
    assert not is_more
    assert {record.programme_id: record.item for record in records} == dict.fromkeys([gone, expired, local])
    stamps = {record.programme_id: record.stamp for record in records}
    assert stamps[expired] == NOW + timedelta(days=1)
    page = check(oai.answer(oai.Repository("http://x/oai", "x", "a@b.c", NOW), asked, [oai.list_records(asked, records, is_more=False)], NOW))  # fmt: skip
    assert [node.get("status") for node in page.iterfind(".//o:header", N)] == ["deleted"] * 3


def test_long_lists_come_in_pages_and_each_record_once(
    client: FlaskClient, share: Share, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oai, "PAGE", 2)
    made = [share(f"第 {n} 个", NOW + timedelta(seconds=n // 2)) for n in range(5)]
    seen, cursors, arguments = [], [], {"metadataPrefix": "oai_dc", "set": "nongji"}
    for _page in range(3):
        root = ask(client, verb="ListIdentifiers", **arguments)
        seen += [node.text for node in root.iterfind(".//o:identifier", N)]
        token = root.find(".//o:resumptionToken", N)
        cursors.append(token.get("cursor"))
        arguments = {"resumptionToken": token.text}
    assert seen == [f"urn:uuid:{one}" for one in made]
    assert cursors == ["0", "2", "4"]
    assert token.text is None


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({}, "badVerb"),
        ({"verb": "Delete"}, "badVerb"),
        ({"verb": "ListRecords"}, "badArgument"),
        ({"verb": "GetRecord", "metadataPrefix": "oai_dc"}, "badArgument"),
        ({"verb": "Identify", "set": "x"}, "badArgument"),
        ({"verb": "ListRecords", "metadataPrefix": "marc"}, "cannotDisseminateFormat"),
        ({"verb": "ListRecords", "metadataPrefix": "oai_dc", "from_": "gestern"}, "badArgument"),
        ({"verb": "ListRecords", "metadataPrefix": "oai_dc", "from_": "2026-13-01"}, "badArgument"),
        ({"verb": "ListRecords", "metadataPrefix": "oai_dc", "from_": "2026-1-1"}, "badArgument"),
        (
            {"verb": "ListRecords", "metadataPrefix": "oai_dc", "from_": "2026-12-05", "until": "2026-12-04"},
            "badArgument",
        ),
        (
            {"verb": "ListRecords", "metadataPrefix": "oai_dc", "from_": "2026-12-05", "until": "2026-12-06T00:00:00Z"},
            "badArgument",
        ),
        ({"verb": "ListRecords", "metadataPrefix": "oai_dc", "set": "nowhere"}, "noRecordsMatch"),
        ({"verb": "ListRecords", "metadataPrefix": "oai_dc", "until": "9999-12-31", "set": "fazhi"}, "noRecordsMatch"),
        ({"verb": "ListRecords", "metadataPrefix": "oai_dc", "until": "2001-01-01"}, "noRecordsMatch"),
        ({"verb": "ListRecords", "resumptionToken": "x"}, "badResumptionToken"),
        ({"verb": "ListRecords", "resumptionToken": "W10"}, "badResumptionToken"),
        ({"verb": "ListRecords", "resumptionToken": "WyJvYWlfZGMiLG51bGwsbnVsbCxudWxsLDFlOTksIngiLDBd"}, "badResumptionToken"),
        ({"verb": "ListRecords", "resumptionToken": "a" * 5_000}, "badResumptionToken"),
        ({"verb": "ListRecords", "resumptionToken": "x", "metadataPrefix": "oai_dc"}, "badArgument"),
        ({"verb": "ListSets", "resumptionToken": "x"}, "badResumptionToken"),
        ({"verb": "GetRecord", "metadataPrefix": "oai_dc", "identifier": "urn:x"}, "idDoesNotExist"),
        ({"verb": "GetRecord", "metadataPrefix": "oai_dc", "identifier": "urn:uuid:'"}, "idDoesNotExist"),
        ({"verb": "ListMetadataFormats", "identifier": "urn:uuid:1"}, "idDoesNotExist"),
    ],
)  # fmt: skip
def test_the_errors_of_the_protocol(
    client: FlaskClient, people: People, arguments: dict[str, str], code: str
) -> None:
    assert error(client, **arguments) == code


def test_a_made_up_token_with_an_odd_id_is_refused(client: FlaskClient, people: People) -> None:
    asked = oai.read_request([("verb", "ListRecords"), ("metadataPrefix", "oai_dc")])
    token = oai.token_of(asked, oai.Place(NOW, "' OR 1", 2))
    assert error(client, verb="ListRecords", resumptionToken=token) == "badResumptionToken"


def test_repeated_arguments_are_refused_and_a_post_is_as_good_as_a_get(
    client: FlaskClient, share: Share
) -> None:
    share("冬小麦")
    twice = client.get("/oai?verb=ListRecords&metadataPrefix=oai_dc&metadataPrefix=lom")
    assert check(twice.data).find("o:error", N).get("code") == "badArgument"
    posted = client.post("/oai", data={"verb": "ListRecords", "metadataPrefix": "oai_dc"})
    assert titles(check(posted.data)) == ["冬小麦"]


def test_sharing_can_be_switched_off_and_named(
    client: FlaskClient, database: Database, people: People, share: Share
) -> None:
    one = share("冬小麦")

    def change(by: str = "admin", **more: Any) -> None:
        with database.write() as session:
            given: dict[str, Any] = {"name": "冀远程", "email": "oai@example.org", "is_off": False}
            oai_records.change_sharing(session, people[by], **given | more, now=NOW)

    change()
    who = ask(client, verb="Identify").find("o:Identify", N)
    assert who.findtext("o:repositoryName", namespaces=N) == "冀远程"
    change(is_off=True)
    for path in ("/oai?verb=Identify", "/feeds/released.xml", f"/shared/{one}.mp4"):
        assert client.get(path).status_code == 404
    with pytest.raises(Invalid):
        change(email="nobody")
    with pytest.raises(Forbidden):
        change(by="editor")


# ---------------------------------------------------------------- Media RSS


def test_media_rss_is_paged_and_may_be_kept(
    client: FlaskClient, share: Share, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.catalog.sharing_api.FEED_ITEMS", 2)
    for n in range(3):
        share(f"第 {n} 个")
    share("法治", section="fazhi")
    first = client.get("/feeds/released.xml")
    assert first.content_type.startswith("application/rss+xml")
    entries = read_feed(first.data, "http://x/")
    assert [entry.title for entry in entries] == ["法治", "第 2 个"]
    assert entries[0].media_url is not None
    assert entries[0].size == len(FILM)
    link = etree.fromstring(first.data).find(".//{*}link[@rel='next']")
    second = client.get(link.get("href").removeprefix("http://127.0.0.1:8080"))
    assert [entry.title for entry in read_feed(second.data, "http://x/")] == ["第 1 个", "第 0 个"]
    assert (
        client.get("/feeds/released.xml", headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    )
    narrow = client.get("/feeds/released.xml?section=fazhi")
    assert [entry.title for entry in read_feed(narrow.data, "http://x/")] == ["法治"]
    assert client.get("/feeds/released.xml?section=nowhere").status_code == 422
    assert client.get("/feeds/released.xml?before=x").status_code == 404


def test_a_shared_file_is_found_on_the_read_plane_and_others_are_not(
    client: FlaskClient, database: Database, share: Share
) -> None:
    one = share("冬小麦")
    answer = client.get(f"/shared/{one}.mp4")
    assert answer.headers["Location"] == f"http://127.0.0.1:8081/m/{hashlib.sha256(FILM).hexdigest()}"
    with database.write() as session:
        session.scalars(select(Edition)).one().state = EditionState.WITHDRAWN
    assert client.get(f"/shared/{one}.mp4").status_code == 404
    assert client.get("/shared/x.mp4").status_code == 404


# ---------------------------------------------------------------- one platform harvests another


@pytest.fixture
def read_plane() -> Iterator[Partner]:
    running = Partner()
    running.put_file(f"/m/{hashlib.sha256(FILM).hexdigest()}", FILM)
    yield running
    running.close()


def test_one_platform_harvests_another(
    database: Database, config: Config, people: People, share: Share, free_port: int, read_plane: Partner
) -> None:
    """Our own harvester asks our own server over real sockets, by OAI-PMH in both formats and by Media RSS."""
    share("冬小麦返青管理", more=Changes(tags=["小麦"]))
    here = replace(config, console_url=f"http://127.0.0.1:{free_port}", read_urls=(read_plane.url,))
    running = Server(here, free_port)
    try:
        fetcher = Fetcher((f"127.0.0.1:{free_port}", *read_plane.allowed))
        for kind, path, prefix in (
            ("oai", "/oai", "oai_dc"),
            ("oai", "/oai", "lom"),
            ("rss", "/feeds/released.xml", ""),
        ):
            with database.write() as session:
                session.query(FeedItem).delete()
                session.query(Asset).filter(Asset.sha256 == hashlib.sha256(FILM).hexdigest()).update(
                    {"sha256": "0" * 64}
                )
                new = NewSource(kind, kind, running.url + path, "kepu", "邻省", "协议", oai_prefix=prefix)
                source = feeds.add_source(session, people["editor"], new, now=NOW)
            done = Harvester(here, database, fetcher, now=lambda: NOW).run_now(source.id)
            assert (done.error, done.taken) == (None, 1), (kind, prefix)
    finally:
        running.stop()
    with database.read() as session:
        copies = session.scalars(select(Programme).where(Programme.section == "kepu")).all()
        assert [(row.title, row.rights_source) for row in copies] == [("冬小麦返青管理", "邻省")] * 3
        assert all([tag.tag for tag in row.tags] == ["小麦"] or row.tags for row in copies)


def test_what_we_say_we_can_read(client: FlaskClient, share: Share) -> None:
    share("甲")
    for prefix in ("oai_dc", "lom"):
        answer = client.get("/oai", query_string={"verb": "ListRecords", "metadataPrefix": prefix})
        (entry,) = read_oai(answer.data).entries
        assert entry.title == "甲"
        assert str(entry.media_url).endswith(".mp4")
