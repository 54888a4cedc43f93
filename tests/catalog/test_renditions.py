"""The hand-over to transcode, schedule and publish on both databases."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select, update

from server.catalog import renditions, views
from server.catalog.models import Asset, AssetState, Edition, EditionState, Rendition, RenditionFile
from server.catalog.programmes import NewProgramme, create_programme
from server.catalog.renditions import NewFile, NewRendition
from server.db import Database
from server.errors import Conflict, NotFound
from server.identity.rules import Caller

NOW = datetime(2026, 12, 5, 11, 0, tzinfo=UTC)
People = dict[str, Caller]


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def output(profile: str, height: int, **changes: Any) -> NewRendition:
    values: dict[str, Any] = {
        "profile": profile,
        "profile_version": 1,
        "sha256": sha(profile),
        "length": 1_000,
        "pieces_root": sha(f"{profile} pieces"),
        "width": height * 16 // 9,
        "height": height,
        "bitrate": 400_000,
        "duration_ms": 20_000,
    }
    return NewRendition(**{**values, **changes})


OUTPUTS = [output("720p", 720), output("360p", 360)]
POSTER = NewFile("poster", sha("poster"), 10, sha("poster pieces"))
PLAYLIST = NewFile("playlist", sha("list"), 10, sha("list pieces"), profile="360p")


@pytest.fixture
def source(people: People, asset: Callable[..., str]) -> str:
    return asset(people["county"])


def state_of(database: Database, asset_id: str) -> tuple[str, int, str | None]:
    with database.read() as session:
        row = session.get_one(Asset, asset_id)
        return row.state, row.progress, row.error_code


def claim(database: Database) -> list[str]:
    with database.write() as session:
        return [asset.id for asset in renditions.claim_uploaded(session)]


def record_ready(database: Database, asset_id: str, outputs: list[NewRendition] = OUTPUTS) -> None:
    with database.write() as session:
        renditions.record_ready(session, asset_id, outputs, [POSTER, PLAYLIST], 20_000, {"a": 1}, now=NOW)


def test_a_file_is_claimed_once_and_told_whole(database: Database, source: str) -> None:
    with database.write() as session:
        (found,) = renditions.claim_uploaded(session)
    assert (found.id, found.path, found.filename) == (source, "uploads/film-1", "film-1.mp4")
    assert claim(database) == []
    assert state_of(database, source) == ("processing", 0, None)


def test_two_claimers_at_once_share_the_files(
    database: Database, people: People, asset: Callable[..., str]
) -> None:
    files = {asset(people["county"]) for _ in range(6)}
    with ThreadPoolExecutor(3) as pool:
        claimed = [asset_id for ids in pool.map(lambda _: claim(database), range(3)) for asset_id in ids]
    assert sorted(claimed) == sorted(files)


def test_what_was_encoded_is_recorded_and_again_changes_nothing(database: Database, source: str) -> None:
    claim(database)
    record_ready(database, source)
    record_ready(database, source)
    assert state_of(database, source) == ("ready", 100, None)
    with database.read() as session:
        assert [row.profile for row in renditions.renditions_of(session, source)] == ["360p", "720p"]
        assert [row.kind for row in renditions.files_of(session, source)] == ["playlist", "poster"]
        assert len(session.scalars(select(Rendition)).all()) == 2
        assert len(session.scalars(select(RenditionFile)).all()) == 2
        assert session.get_one(Asset, source).probe == {"a": 1}


def test_a_file_that_nobody_claimed_does_not_become_ready(database: Database, source: str) -> None:
    with pytest.raises(Conflict):
        record_ready(database, source)
    with database.read() as session:
        assert session.scalars(select(Rendition)).all() == []


def test_a_refusal_is_final_and_names_its_reason(database: Database, source: str) -> None:
    claim(database)
    with database.write() as session:
        renditions.record_refused(session, source, "not_media", "不是视频", "not media")
    assert state_of(database, source) == ("refused", 0, "not_media")
    with database.write() as session:
        renditions.record_failed(session, source, "late", "迟", "late")
        assert not renditions.retry_failed(session, source)
    with pytest.raises(Conflict):
        record_ready(database, source)
    assert state_of(database, source) == ("refused", 0, "not_media")


def test_a_failure_may_be_tried_again(database: Database, source: str) -> None:
    claim(database)
    with database.write() as session:
        renditions.record_progress(session, source, 40)
        renditions.record_failed(session, source, "worker", "出错", "failed")
    assert state_of(database, source) == ("failed", 40, "worker")
    with database.write() as session:
        assert renditions.retry_failed(session, source)
    assert state_of(database, source) == ("uploaded", 0, None)
    assert claim(database) == [source]


def test_progress_is_kept_between_nothing_and_all_and_only_while_it_runs(
    database: Database, source: str
) -> None:
    for percent, expected in ((50, 0), (-5, 0), (250, 100), (33, 33)):
        if percent == -5:
            claim(database)
        with database.write() as session:
            renditions.record_progress(session, source, percent)
        assert state_of(database, source)[1] == expected


@pytest.mark.parametrize(
    ("state", "code", "job"),
    [
        (AssetState.UPLOADED, None, "queued"),
        (AssetState.PROCESSING, None, "running"),
        (AssetState.READY, None, "done"),
        (AssetState.REFUSED, "not_media", "refused"),
        (AssetState.FAILED, "worker", "failed"),
        (AssetState.FAILED, "cancelled", "cancelled"),
    ],
)
def test_the_encoding_is_shown_in_the_words_of_a_job(state: AssetState, code: str | None, job: str) -> None:
    assert views.job_view(Asset(state=state, progress=7, error_code=code)).state == job


def test_an_unknown_file_is_not_found(database: Database) -> None:
    with database.read() as session, pytest.raises(NotFound):
        renditions.get_asset(session, "01935d5e-7c00-7000-8000-000000000001")


# ---------------------------------------------------------------- for schedule and publish


@pytest.fixture
def editions(database: Database, people: People, asset: Callable[..., str]) -> list[str]:
    """Three editions: released and ready, released and not ready, ready and not released."""
    made = []
    for _ in range(3):
        with database.write() as session:
            new = NewProgramme(title="节目", section="kepu", asset_id=asset(people["county"]))
            programme = create_programme(session, people["county"], new, now=NOW)
            made.append((programme.editions[0].id, programme.editions[0].asset_id))
    claim(database)
    for _, asset_id in (made[0], made[2]):
        record_ready(database, asset_id, [output("360p", 360)])
    ids = [edition for edition, _ in made]
    with database.write() as session:
        session.execute(update(Edition).where(Edition.id.in_(ids[:2])).values(state=EditionState.RELEASED))
    return ids


def test_released_editions_come_with_their_encoded_files(database: Database, editions: list[str]) -> None:
    with database.read() as session:
        (found,) = renditions.released_editions(session)
        assert renditions.released_editions(session, only=editions[1:]) == []
        assert len(renditions.released_editions(session, only=editions)) == 1
    assert (found.edition.id, found.edition.programme.title) == (editions[0], "节目")
    assert [row.profile for row in found.renditions] == ["360p"]
    assert [row.kind for row in found.files] == ["playlist", "poster"]
    assert found.edition.asset.sha256


def test_the_first_publication_that_signed_an_edition_stays(database: Database, editions: list[str]) -> None:
    for publication in (5, 6):
        with database.write() as session:
            renditions.mark_admitted(session, editions[:1], publication)
    with database.read() as session:
        assert [session.get_one(Edition, id_).admitted_in for id_ in editions] == [5, None, None]
