"""Large uploads: hashed while they arrive and in the background, recognised before they are sent, straight to S3."""

from __future__ import annotations

import hashlib
import io
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import urllib3
from flask import Flask

from server.app import create_app
from server.catalog import completing, uploads
from server.catalog.completing import Follower
from server.catalog.hashing import PartsHasher, parts_sha256
from server.catalog.models import Asset, AssetState, Upload, UploadState
from server.config import Config, S3Settings
from server.db import Database
from server.errors import Conflict, Invalid, YuanboError
from server.identity.rules import Caller
from server.storage import FolderStore, S3Store, source_file, upload_key

NOW = datetime(2026, 12, 5, 11, 0, tzinfo=UTC)
PART = 1_000
People = dict[str, Caller]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of 1,000 bytes, and what is larger than one is checked in the background."""
    monkeypatch.setattr(uploads, "part_size_for", lambda _size: PART)
    monkeypatch.setattr(completing, "INLINE_BYTES", PART)
    monkeypatch.setattr(completing, "MIB", 300)


@pytest.fixture
def folder(config: Config) -> Path:
    return config.uploads


@pytest.fixture
def follower(database: Database, folder: Path, config: Config) -> Follower:
    return Follower(database, folder, FolderStore(config.media))


def open_upload(database: Database, caller: Caller, folder: Path, size: int) -> str:
    with database.write() as session:
        return uploads.create(session, caller, folder, filename="片.mp4", size=size, now=NOW).id


def send(database: Database, caller: Caller, folder: Path, upload: str, data: bytes, *numbers: int) -> None:
    for number in numbers or range(1, -(-len(data) // PART) + 1):
        with database.write() as session:
            span = uploads.begin_part(session, caller, folder, upload, number)
        piece = data[(number - 1) * PART : number * PART]
        etag = uploads.write_part(span, io.BytesIO(piece).read)
        with database.write() as session:
            uploads.record_part(session, caller, span, etag)


def state(database: Database, upload: str) -> Upload:
    with database.read() as session:
        return session.get_one(Upload, upload)


def digest_of(data: bytes) -> str:
    return parts_sha256(
        [hashlib.sha256(data[at : at + PART]).hexdigest() for at in range(0, len(data), PART)]
    )


def bytes_of(size: int, seed: int = 7) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.mark.parametrize("size", [0, 1, 999, 1_000, 1_001, 5_000])
def test_a_file_is_hashed_whole_and_in_parts_however_its_bytes_come(size: int) -> None:
    data, chance = bytes_of(size), random.Random(size)
    hasher, at = PartsHasher(PART), 0
    while at < size:
        step = chance.randrange(1, 700)
        hasher.update(data[at : at + step])
        at += step
    assert hasher.finish() == hashlib.sha256(data).hexdigest()
    assert hasher.etags == [hashlib.sha256(data[at : at + PART]).hexdigest() for at in range(0, size, PART)]


def test_a_large_file_is_checked_after_the_request_and_becomes_an_asset(
    database: Database, people: People, folder: Path, follower: Follower
) -> None:
    county, data = people["county"], bytes_of(4_321)
    upload = open_upload(database, county, folder, len(data))
    send(database, county, folder, upload, data)
    claimed = hashlib.sha256(data).hexdigest()
    assert completing.complete(database, county, folder, upload, sha256=claimed, now=NOW) is None
    assert state(database, upload).state == UploadState.CHECKING
    assert completing.complete(database, county, folder, upload, now=NOW) is None
    with pytest.raises(Conflict), database.write() as session:
        uploads.abort(session, county, folder, upload)
    assert follower.tick(now=NOW) == 1
    done = completing.complete(database, county, folder, upload, now=NOW)
    assert done is not None
    assert (done.asset.sha256, done.asset.parts_sha256) == (claimed, digest_of(data))
    assert (folder.parent / done.asset.path).read_bytes() == data


def test_what_arrives_is_hashed_meanwhile_and_a_part_sent_again_is_not_missed(
    database: Database, people: People, folder: Path, follower: Follower
) -> None:
    county, data = people["county"], bytes_of(5_500)
    upload = open_upload(database, county, folder, len(data))
    send(database, county, folder, upload, data, 1, 2, 4)
    follower.tick(now=NOW)
    assert len(follower._begun[upload].etags) == 2
    other = bytearray(data)
    other[1_500] ^= 1
    send(database, county, folder, upload, bytes(other), 2, 3, 5, 6)
    completing.complete(database, county, folder, upload, now=NOW)
    follower.tick(now=NOW)
    done = completing.complete(database, county, folder, upload, now=NOW)
    assert done is not None
    assert done.asset.sha256 == hashlib.sha256(bytes(other)).hexdigest()


def test_a_byte_lost_on_disk_opens_the_upload_again_for_that_part_alone(
    database: Database, people: People, folder: Path, follower: Follower
) -> None:
    county, data = people["county"], bytes_of(3_000)
    upload = open_upload(database, county, folder, len(data))
    send(database, county, folder, upload, data)
    with uploads.open_path(folder, upload).open("r+b") as file:
        file.seek(1_200)
        file.write(bytes([data[1_200] ^ 255]))
    completing.complete(database, county, folder, upload, now=NOW)
    follower.tick(now=NOW)
    row = state(database, upload)
    assert (row.state, row.error_code) == (UploadState.OPEN, "part_damaged")
    send(database, county, folder, upload, data, 2)
    completing.complete(database, county, folder, upload, now=NOW)
    follower.tick(now=NOW)
    assert state(database, upload).state == UploadState.COMPLETE


def test_a_checker_that_died_is_followed_by_another(
    database: Database, people: People, folder: Path, follower: Follower
) -> None:
    county, data = people["county"], bytes_of(2_000)
    upload = open_upload(database, county, folder, len(data))
    send(database, county, folder, upload, data)
    completing.complete(database, county, folder, upload, now=NOW)
    assert follower._claim(NOW) is not None  # and dies
    assert follower.tick(now=NOW + timedelta(seconds=30)) == 0
    assert follower.tick(now=NOW + timedelta(minutes=3)) == 1
    assert state(database, upload).state == UploadState.COMPLETE


def test_the_same_file_is_recognised_before_a_byte_of_it_is_sent(
    database: Database, people: People, folder: Path, follower: Follower
) -> None:
    county, data = people["county"], bytes_of(2_500)
    first = open_upload(database, county, folder, len(data))
    send(database, county, folder, first, data)
    completing.complete(database, county, folder, first, now=NOW)
    follower.tick(now=NOW)
    nongye = people["nongye"]
    with database.write() as session:
        assert uploads.has_twin(session, len(data))
        assert not uploads.has_twin(session, len(data) + 1)
    again = open_upload(database, nongye, folder, len(data))
    with database.write() as session:
        other = digest_of(bytes_of(2_500, seed=8))
        assert completing.recognise(session, nongye, folder, again, other, None, now=NOW) is None
        done = completing.recognise(session, nongye, folder, again, digest_of(data), None, now=NOW)
        assert done is not None
        assert done.known
        assert session.query(Asset).count() == 1
    assert state(database, again).state == UploadState.COMPLETE


def test_what_is_gone_from_the_disk_is_not_recognised(
    database: Database, people: People, folder: Path, follower: Follower
) -> None:
    county, data = people["county"], bytes_of(2_500)
    first = open_upload(database, county, folder, len(data))
    send(database, county, folder, first, data)
    completing.complete(database, county, folder, first, now=NOW)
    follower.tick(now=NOW)
    uploads.kept_path(folder, first).unlink()
    again = open_upload(database, county, folder, len(data))
    with database.write() as session:
        assert completing.recognise(session, county, folder, again, digest_of(data), None, now=NOW) is None


def test_an_upload_cut_at_any_byte_is_taken_up_again_or_is_nothing(
    database: Database, people: People, folder: Path, follower: Follower
) -> None:
    """Whatever byte the line is cut at: what is recorded is whole, the rest is sent later, the file comes out right."""
    county, data = people["county"], bytes_of(3_456)
    chance = random.Random(20261122)
    cuts = {0, 1, 999, 1_000, 1_001, 3_455} | {chance.randrange(len(data)) for _ in range(12)}
    for cut in sorted(cuts):
        upload = open_upload(database, county, folder, len(data))
        number, left = 1, cut
        while True:
            piece = data[(number - 1) * PART : number * PART]
            with database.write() as session:
                span = uploads.begin_part(session, county, folder, upload, number)
            stream = io.BytesIO(piece[:left])
            try:
                etag = uploads.write_part(span, stream.read)
            except Invalid:
                break
            with database.write() as session:
                uploads.record_part(session, county, span, etag)
            number, left = number + 1, left - len(piece)
        with database.read() as session:
            arrived = {part.number for part in uploads.get(session, county, upload).parts}
        assert arrived == set(range(1, cut // PART + 1)), f"cut at byte {cut}"
        with pytest.raises(Invalid, match="还缺"):
            completing.complete(database, county, folder, upload, now=NOW)
        send(database, county, folder, upload, data, *(set(range(1, 5)) - arrived))
        completing.complete(database, county, folder, upload, now=NOW)
        follower.tick(now=NOW)
        done = completing.complete(database, county, folder, upload, now=NOW)
        assert done is not None
        assert done.asset.sha256 == hashlib.sha256(data).hexdigest()


def test_nothing_but_media_waits_for_encoding_at_once(
    database: Database, people: People, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completing, "INLINE_BYTES", 1_000_000)
    for data, expected in (
        (b"%PDF-1.7 " + bytes(90), AssetState.PREPARING),
        (bytes(99), AssetState.UPLOADED),
    ):
        upload = open_upload(database, people["county"], folder, len(data))
        send(database, people["county"], folder, upload, data)
        done = completing.complete(database, people["county"], folder, upload, now=NOW)
        assert done is not None
        assert done.asset.state == expected


# --- S3 -----------------------------------------------------------------------------------------------------------
@pytest.fixture
def cloudy(config: Config, s3_settings: S3Settings) -> Config:
    return replace(config, s3=s3_settings)


def test_parts_go_straight_to_s3_and_come_back_as_the_same_file(
    database: Database,
    people: People,
    cloudy: Config,
    bearer: Callable[[str], dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    size = 5 * 1024 * 1024
    monkeypatch.setattr(uploads, "part_size_for", lambda _size: size)  # S3 takes no smaller part but the last
    app: Flask = create_app(cloudy)
    client, headers = app.test_client(), bearer("county")
    data = bytes_of(size + 777)
    body = {"filename": "片.mp4", "size": len(data)}
    opened = client.post("/api/v1/uploads", json=body, headers=headers).json
    assert opened["direct"] is True
    path = f"/api/v1/uploads/{opened['id']}"
    assert client.put(f"{path}/parts/1", data=b"x", headers=headers).status_code == 422

    def put(number: int) -> None:
        url = client.get(f"{path}/parts/{number}/url", headers=headers).json["url"]
        answer = urllib3.request("PUT", url, body=data[(number - 1) * size : number * size])
        assert answer.status == 200, answer.data

    put(2)
    assert [part["number"] for part in client.get(path, headers=headers).json["parts"]] == [2]
    assert client.post(f"{path}/complete", json={}, headers=headers).status_code == 422
    put(1)
    answer = client.post(f"{path}/complete", json={}, headers=headers)
    assert (answer.status_code, answer.json["state"]) == (202, "checking")
    store = S3Store(cloudy)
    Follower(database, cloudy.uploads, store).tick(now=NOW)
    done = client.post(f"{path}/complete", json={}, headers=headers).json
    assert done["sha256"] == hashlib.sha256(data).hexdigest()
    assert list(cloudy.uploads.iterdir()) == []
    assert source_file(store, cloudy.data, f"uploads/{opened['id']}").read_bytes() == data

    again = client.post("/api/v1/uploads", json=body, headers=headers).json
    digest = parts_sha256([hashlib.sha256(data[:size]).hexdigest(), hashlib.sha256(data[size:]).hexdigest()])
    known = client.post(
        f"/api/v1/uploads/{again['id']}/recognise", json={"parts_sha256": digest}, headers=headers
    ).json
    assert again["twin"] is True
    assert known["asset"]["known"] is True


def test_an_upload_given_up_leaves_nothing_in_s3(
    database: Database, people: People, cloudy: Config, folder: Path
) -> None:
    store = S3Store(cloudy)
    with database.write() as session:
        upload = uploads.create(
            session, people["county"], folder, filename="a.mp4", size=9, cloud=store, now=NOW
        )
        uploads.abort(session, people["county"], folder, upload.id, store)
        with pytest.raises(FileNotFoundError):
            store.parts(upload_key(upload.id), str(upload.multipart_id))
        with pytest.raises(YuanboError):
            uploads.part_url(session, people["county"], store, upload.id, 1)
