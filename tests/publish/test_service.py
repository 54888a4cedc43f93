"""Publishing: from reviewed rows to documents that a terminal accepts."""

from __future__ import annotations

import hashlib

import pytest

from protocol.documents import Frame, LocalDocument, Network, Recall, ReleaseManifest, decode
from protocol.names import frame_target, local_target, release_target
from server.catalog import service as programmes
from server.catalog.models import Edition, EditionState
from server.publish import service
from server.publish.models import Publication, PublicationState, Release
from tests.publish.conftest import ADMIN, COUNTY, EVENING


def test_a_terminal_reads_what_was_reviewed_scheduled_and_published(province, terminal):
    edition = province.release("冬小麦返青管理")
    province.place(edition)

    result = province.publish()

    assert result.changed
    assert result.new_releases == 1
    assert result.held_back == ()
    manifest_bytes = terminal.fetch(release_target(edition))
    frame = decode(terminal.fetch(frame_target("13")), Frame)
    [item] = frame.channels[0].items
    assert item.edition == edition
    assert item.release == hashlib.sha256(manifest_bytes).hexdigest()
    manifest = decode(manifest_bytes, ReleaseManifest)
    assert manifest.title == "冬小麦返青管理"
    assert (
        province.config.media / "m" / manifest.renditions[0].sha256
    ).stat().st_size == manifest.renditions[0].length


def test_an_installation_without_programmes_serves_signed_documents_from_the_start(province, terminal):
    assert decode(terminal.fetch("recall.json"), Recall) == Recall(serial=1, recalled=[])
    network = decode(terminal.fetch("network.json"), Network)
    assert network.endpoints.api == f"{province.config.console_url}/api/v1"
    assert len(network.receipt_keys) == 1
    assert decode(terminal.fetch(frame_target("13")), Frame).serial == 1


def test_publishing_without_a_change_makes_nothing_new(province, terminal):
    province.place(province.release("苹果冬剪"))
    first = province.publish()

    again = province.publish()

    assert (again.changed, again.number, again.roles) == (False, first.number, 0)
    assert terminal.versions()[1] == first.number


def test_a_county_speaks_in_its_window_with_its_citys_signature(province, terminal):
    edition = province.release("蔚县剪纸")
    province.place(edition, at=EVENING.replace(hour=20), region="130123", by=COUNTY)

    assert province.publish().held_back == ()

    document = decode(terminal.fetch(local_target("130123")), LocalDocument)
    assert [item.edition for item in document.channels[0].items] == [edition]
    assert document.serial == 1


def test_a_row_set_to_released_by_sql_is_held_back_and_the_rest_goes_out(province, terminal):
    honest, forged = province.release("三会一课怎么开"), province.upload("没有审过的节目")
    with province.database.write() as session:
        session.get(Edition, forged).state = EditionState.RELEASED

    result = province.publish()

    assert [(held.kind, held.subject) for held in result.held_back] == [("edition", forged)]
    assert result.held_back[0].problems[0].code == "not_reviewed"
    assert terminal.fetch(release_target(forged)) is None
    assert terminal.fetch(release_target(honest)) is not None
    with province.database.read() as session:
        row = session.get(Publication, result.number)
        assert row.held_back[0]["title"] == "没有审过的节目"
        assert row.held_back[0]["reasons"][0]["text"]


def test_a_withdrawn_edition_leaves_the_catalogue(province, terminal):
    edition = province.release("农村安全用电")
    province.publish()
    with province.database.write() as session:
        programmes.withdraw(session, ADMIN, edition, now=province.now)

    province.publish()

    assert terminal.fetch(release_target(edition)) is None


def test_an_admitted_manifest_never_changes(province, terminal):
    edition = province.release("防电信诈骗")
    province.publish()
    before = terminal.fetch(release_target(edition))
    with province.database.write() as session:
        session.get(Edition, edition).programme.summary = "改过的简介"

    result = province.publish()

    assert not result.changed
    assert terminal.fetch(release_target(edition)) == before


def test_the_rows_say_which_publication_admitted_an_edition(province):
    edition = province.release("农村安全用电")

    number = province.publish().number
    province.place(edition)
    province.publish()

    with province.database.read() as session:
        assert session.get(Edition, edition).admitted_in == number
        assert session.get(Release, edition).admitted_in == number


def test_a_recall_is_published_and_stays(province, terminal):
    edition = province.release("农村安全用电")
    province.publish()
    with province.database.write() as session:
        service.recall(session, ADMIN, edition, reason="内容有误", now=province.now)

    province.publish()
    with province.database.write() as session:
        service.recall(session, ADMIN, edition, reason="又一次", now=province.now)

    assert not province.publish().changed
    recall = decode(terminal.fetch("recall.json"), Recall)
    assert recall.serial == 2
    assert [(entry.edition, entry.reason) for entry in recall.recalled] == [(edition, "内容有误")]


def test_what_was_never_published_cannot_be_recalled(province):
    edition = province.release("农村安全用电")
    with province.database.write() as session, pytest.raises(service.NotFound):
        service.recall(session, ADMIN, edition, reason="", now=province.now)


def test_numbers_only_rise_and_every_publication_is_remembered(province):
    numbers = []
    for title in ("一", "二", "三"):
        province.release(title)
        numbers.append(province.publish().number)

    assert numbers == sorted(set(numbers))
    with province.database.read() as session:
        listed = service.list_publications(session, ADMIN)
        assert [row.number for row in listed][:3] == numbers[::-1]
        assert {row.state for row in listed} == {PublicationState.DONE}
