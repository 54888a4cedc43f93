"""Uploads that resume: parts at their offset, bad input, full disks, damage, the same file again."""

from __future__ import annotations

import hashlib
import io
import os
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from server.catalog import completing, uploads
from server.catalog.models import Asset, AssetState, Upload, UploadPart, UploadState
from server.config import Config
from server.db import Database
from server.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge, TooMany, YuanboError
from server.identity import audit
from server.identity.rules import Caller

NOW = datetime(2026, 12, 5, 11, 0, tzinfo=UTC)
MIB = 1024 * 1024
People = dict[str, Caller]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of 1,000 bytes, so that a small file has several."""
    monkeypatch.setattr(uploads, "part_size_for", lambda _size: 1_000)


@pytest.fixture
def folder(config: Config) -> Path:
    return config.uploads


class Sender:
    """Somebody who uploads."""

    def __init__(self, database: Database, caller: Caller, folder: Path) -> None:
        self.database, self.caller, self.folder = database, caller, folder

    def open(self, size: int, filename: str = "用电.mp4") -> str:
        with self.database.write() as session:
            upload = uploads.create(session, self.caller, self.folder, filename=filename, size=size, now=NOW)
            return upload.id

    def part(self, upload: str, number: int, data: bytes) -> str:
        with self.database.write() as session:
            span = uploads.begin_part(session, self.caller, self.folder, upload, number)
        etag = uploads.write_part(span, io.BytesIO(data).read)
        with self.database.write() as session:
            return uploads.record_part(session, self.caller, span, etag).etag

    def parts(self, upload: str, data: bytes) -> None:
        for number, start in enumerate(range(0, len(data), 1_000), start=1):
            self.part(upload, number, data[start : start + 1_000])

    def complete(self, upload: str, sha256: str | None = None) -> completing.Completed:
        return completing.complete(self.database, self.caller, self.folder, upload, sha256=sha256, now=NOW)

    def whole(self, data: bytes, filename: str = "用电.mp4") -> completing.Completed:
        upload = self.open(len(data), filename)
        self.parts(upload, data)
        return self.complete(upload)

    def arrived(self, upload: str) -> list[int]:
        with self.database.read() as session:
            return [part.number for part in uploads.get(session, self.caller, upload).parts]


@pytest.fixture
def county(database: Database, people: People, folder: Path) -> Sender:
    return Sender(database, people["county"], folder)


@pytest.fixture
def nongye(database: Database, people: People, folder: Path) -> Sender:
    return Sender(database, people["nongye"], folder)


FILM = random.Random(7).randbytes(2_500)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ---------------------------------------------------------------- the plain way


def test_a_file_sent_in_parts_becomes_an_asset_of_the_same_bytes(county: Sender, folder: Path) -> None:
    upload = county.open(2_500)
    assert county.part(upload, 1, FILM[:1_000]) == hashlib.sha256(FILM[:1_000]).hexdigest()
    county.part(upload, 3, FILM[2_000:])
    county.part(upload, 2, FILM[1_000:2_000])
    done = county.complete(upload, hashlib.sha256(FILM).hexdigest())
    assert not done.known
    asset = done.asset
    assert (asset.size, asset.sha256) == (2_500, hashlib.sha256(FILM).hexdigest())
    assert (asset.filename, asset.state) == ("用电.mp4", AssetState.UPLOADED)
    assert (folder.parent / asset.path).read_bytes() == FILM
    assert files(folder) == [upload]
    with county.database.read() as session:
        (link,) = audit.entries_of(session, f"asset:{asset.id}")
        assert link.detail["sha256"] == asset.sha256


def test_completing_twice_gives_the_same_asset(county: Sender) -> None:
    upload = county.open(2_500)
    county.parts(upload, FILM)
    assert county.complete(upload).asset.id == county.complete(upload).asset.id


def test_completing_twice_at_once_gives_one_asset(county: Sender, folder: Path) -> None:
    upload = county.open(2_500)
    county.parts(upload, FILM)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: county.complete(upload).asset.id, range(2))
    assert first == second
    assert files(folder) == [upload]


def test_parts_are_big_enough_for_any_file_in_ten_thousand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert uploads.part_size_for(1) == 8 * MIB
    for size in (20 * 1024 * MIB, 64 * 1024 * MIB, 100 * 1024 * MIB):
        part = uploads.part_size_for(size)
        assert part % MIB == 0
        assert uploads.part_count(size, part) <= 10_000


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("用电.mp4", "用电.mp4"),
        (r"C:\fakepath\用电.mp4", "用电.mp4"),
        ("../../etc/passwd", "passwd"),
        ("/a/b/c.mov", "c.mov"),
        ("a\x00b\n.mp4", "ab.mp4"),
        ("长" * 300 + ".mp4", "长" * 251 + ".mp4"),
        (" 空格 .mp4 ", "空格 .mp4"),
    ],
)
def test_a_filename_is_kept_without_its_path(sent: str, kept: str) -> None:
    assert uploads.plain_filename(sent) == kept


@pytest.mark.parametrize("name", ["", " ", "\x00", "..", ".", "/", "a/.."])
def test_a_filename_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(Invalid):
        uploads.plain_filename(name)


# ---------------------------------------------------------------- resuming


def test_what_arrived_is_known_and_the_rest_is_sent_later(county: Sender) -> None:
    upload = county.open(2_500)
    county.part(upload, 2, FILM[1_000:2_000])
    with county.database.read() as session:
        (found,) = uploads.open_uploads(session, county.caller, filename="用电.mp4", size=2_500)
        assert found.id == upload
        assert uploads.open_uploads(session, county.caller, filename="别的.mp4") == []
        assert uploads.open_uploads(session, county.caller, size=2_501) == []
    assert county.arrived(upload) == [2]
    with pytest.raises(Invalid, match="1、3") as refusal:
        county.complete(upload)
    assert refusal.value.code == "parts_missing"
    county.part(upload, 1, FILM[:1_000])
    county.part(upload, 3, FILM[2_000:])
    assert county.complete(upload).asset.sha256 == hashlib.sha256(FILM).hexdigest()


def test_a_part_may_be_sent_again(county: Sender) -> None:
    upload = county.open(2_500)
    county.parts(upload, b"x" * 2_500)
    county.parts(upload, FILM)
    assert county.complete(upload).asset.sha256 == hashlib.sha256(FILM).hexdigest()


def test_a_part_cut_off_does_not_count_even_where_it_once_had_arrived(county: Sender) -> None:
    upload = county.open(2_500)
    county.parts(upload, FILM)
    with pytest.raises(Invalid, match="只收到 400") as refusal:
        county.part(upload, 2, b"y" * 400)
    assert refusal.value.code == "part_size"
    assert county.arrived(upload) == [1, 3]
    county.part(upload, 2, FILM[1_000:2_000])
    assert county.complete(upload).asset.sha256 == hashlib.sha256(FILM).hexdigest()


def test_a_line_that_breaks_in_the_middle_of_a_part_loses_only_that_part(county: Sender) -> None:
    upload = county.open(2_500)
    county.part(upload, 1, FILM[:1_000])
    with county.database.write() as session:
        span = uploads.begin_part(session, county.caller, county.folder, upload, 2)
    stream = io.BytesIO(FILM[1_000:1_300])

    def read(count: int) -> bytes:
        if data := stream.read(min(count, 100)):
            return data
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        uploads.write_part(span, read)
    assert county.arrived(upload) == [1]
    county.part(upload, 2, FILM[1_000:2_000])
    county.part(upload, 3, FILM[2_000:])
    assert county.complete(upload).asset.sha256 == hashlib.sha256(FILM).hexdigest()


def test_a_crash_between_renaming_and_recording_is_mended_by_completing_again(
    county: Sender, folder: Path
) -> None:
    upload = county.open(2_500)
    county.parts(upload, FILM)
    os.replace(uploads.open_path(folder, upload), uploads.kept_path(folder, upload))
    assert county.complete(upload).asset.sha256 == hashlib.sha256(FILM).hexdigest()
    assert files(folder) == [upload]


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("size", "kind", "code"),
    [(0, Invalid, "empty"), (-1, Invalid, "empty"), (2**40, TooLarge, "too_large")],
)
def test_an_upload_of_nothing_or_too_much_is_refused(
    county: Sender, folder: Path, size: int, kind: type[YuanboError], code: str
) -> None:
    with pytest.raises(kind, match="用电") as refusal:
        county.open(size)
    assert refusal.value.code == code
    assert files(folder) == []


def test_a_part_longer_than_it_should_be_is_refused(county: Sender, folder: Path) -> None:
    upload = county.open(2_500)
    for number, data in ((1, b"x" * 1_001), (3, b"x" * 501), (3, b"x" * 5_000)):
        with pytest.raises(Invalid, match="更多"):
            county.part(upload, number, data)
    assert county.arrived(upload) == []
    path = uploads.open_path(folder, upload)
    assert not path.exists() or path.stat().st_size <= 2_500


def test_a_part_that_the_file_has_not_is_refused(county: Sender) -> None:
    upload = county.open(2_500)
    for number in (0, 4, 10_001):
        with pytest.raises(Invalid, match="第 1 到第 3 段"):
            county.part(upload, number, b"x")


def test_a_lying_size_is_found_out(county: Sender, folder: Path) -> None:
    """However the file came to be longer or shorter than was claimed."""
    upload = county.open(2_500)
    county.parts(upload, FILM)
    for size in (2_499, 2_501):
        os.truncate(uploads.open_path(folder, upload), size)
        with pytest.raises(Invalid, match="2500 字节") as refusal:
            county.complete(upload)
        assert refusal.value.code == "size"


def test_a_claimed_hash_that_does_not_fit_is_refused_and_the_upload_stays(county: Sender) -> None:
    upload = county.open(2_500)
    county.parts(upload, FILM)
    with pytest.raises(Invalid) as refusal:
        county.complete(upload, "0" * 64)
    assert refusal.value.code == "sha256"
    assert county.complete(upload).asset.size == 2_500


def test_a_byte_lost_on_disk_is_found_and_only_its_part_is_sent_again(county: Sender, folder: Path) -> None:
    upload = county.open(2_500)
    county.parts(upload, FILM)
    with uploads.open_path(folder, upload).open("r+b") as file:
        file.seek(1_500)
        file.write(bytes([FILM[1_500] ^ 1]))
    with pytest.raises(completing.PartDamaged, match="第 2 段"):
        county.complete(upload)
    assert county.arrived(upload) == [1, 3]
    county.part(upload, 2, FILM[1_000:2_000])
    assert county.complete(upload).asset.sha256 == hashlib.sha256(FILM).hexdigest()


def test_a_file_that_vanished_is_said_so(county: Sender, folder: Path) -> None:
    upload = county.open(2_500)
    county.parts(upload, FILM)
    uploads.open_path(folder, upload).unlink()
    with pytest.raises(Invalid) as refusal:
        county.complete(upload)
    assert refusal.value.code == "lost"


def test_a_full_disk_is_said_so_and_the_part_does_not_count(county: Sender, folder: Path) -> None:
    upload = county.open(2_500)
    uploads.open_path(folder, upload).symlink_to("/dev/full")
    with pytest.raises(uploads.DiskFull) as refusal:
        county.part(upload, 1, FILM[:1_000])
    assert refusal.value.status == 507
    assert county.arrived(upload) == []
    uploads.open_path(folder, upload).unlink()
    county.parts(upload, FILM)
    assert county.complete(upload).asset.size == 2_500


def test_an_upload_that_cannot_fit_is_refused_before_a_byte_is_sent(
    county: Sender, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MAX_SIZE", 2**62)
    with pytest.raises(uploads.DiskFull, match="用电"):
        county.open(2**60)
    with county.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Upload)) == 0


def test_a_person_has_only_so_many_uploads_open(county: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_OPEN", 2)
    county.open(10)
    county.open(10)
    with pytest.raises(TooMany):
        county.open(10)


def test_a_part_is_streamed_in_small_pieces(tmp_path: Path) -> None:
    asked: list[int] = []
    left = 5 * MIB

    def read(count: int) -> bytes:
        nonlocal left
        asked.append(count)
        data = b"\0" * min(count, left)
        left -= len(data)
        return data

    span = uploads.Span("x", 1, tmp_path / "x.part", offset=MIB, length=5 * MIB)
    assert uploads.write_part(span, read) == hashlib.sha256(b"\0" * 5 * MIB).hexdigest()
    assert max(asked) <= 256 * 1024
    assert (tmp_path / "x.part").stat().st_size == 6 * MIB


# ---------------------------------------------------------------- whose is it


def test_an_upload_is_nobody_elses(county: Sender, nongye: Sender, folder: Path) -> None:
    upload = county.open(2_500)
    county.part(upload, 1, FILM[:1_000])
    attempts: list[Callable[[], object]] = [
        lambda: nongye.part(upload, 1, FILM[:1_000]),
        lambda: nongye.complete(upload),
        lambda: nongye.arrived(upload),
        lambda: abort(nongye, upload),
    ]
    for attempt in attempts:
        with pytest.raises(NotFound):
            attempt()
    assert county.arrived(upload) == [1]
    with nongye.database.read() as session:
        assert uploads.open_uploads(session, nongye.caller) == []


def test_somebody_who_only_watches_uploads_nothing(database: Database, people: People, folder: Path) -> None:
    for username in ("station", "first", "leader"):
        with pytest.raises(Forbidden):
            Sender(database, people[username], folder).open(10)


# ---------------------------------------------------------------- the same file again


def test_the_same_file_again_is_recognised_and_stored_once(
    county: Sender, nongye: Sender, folder: Path
) -> None:
    first = county.whole(FILM)
    again = nongye.whole(FILM, "另一个名字.mp4")
    assert again.known
    assert again.asset.id == first.asset.id
    assert len(files(folder)) == 1
    assert county.whole(b"z" * 2_500).asset.id != first.asset.id


def test_the_same_file_sent_twice_at_once_is_stored_once(
    county: Sender, nongye: Sender, folder: Path
) -> None:
    ids = [(sender, sender.open(2_500)) for sender in (county, nongye)]
    for sender, upload in ids:
        sender.parts(upload, FILM)
    together = threading.Barrier(2)

    def press(pair: tuple[Sender, str]) -> str:
        together.wait()
        return pair[0].complete(pair[1]).asset.id

    with ThreadPoolExecutor(2) as pool:
        assets = set(pool.map(press, ids))
    assert len(assets) == 1
    assert len(files(folder)) == 1


def test_a_known_file_that_had_failed_is_encoded_anew(county: Sender) -> None:
    asset = county.whole(FILM).asset.id
    with county.database.write() as session:
        session.execute(update(Asset).values(state=AssetState.FAILED, error_code="worker", progress=40))
    again = county.whole(FILM)
    assert (again.asset.id, again.asset.state, again.asset.progress) == (asset, AssetState.UPLOADED, 0)
    assert again.asset.error_code is None


def test_a_known_file_that_is_gone_from_the_disk_is_kept_from_the_new_copy(
    county: Sender, folder: Path
) -> None:
    lost = county.whole(FILM).asset
    (folder.parent / lost.path).unlink()
    again = county.whole(FILM)
    assert not again.known
    assert (folder.parent / again.asset.path).read_bytes() == FILM


# ---------------------------------------------------------------- giving up and tidying


def abort(sender: Sender, upload: str) -> None:
    with sender.database.write() as session:
        uploads.abort(session, sender.caller, sender.folder, upload)


def test_an_upload_given_up_leaves_nothing_and_takes_no_more(county: Sender, folder: Path) -> None:
    upload = county.open(2_500)
    county.parts(upload, FILM)
    abort(county, upload)
    abort(county, upload)
    assert files(folder) == []
    assert county.arrived(upload) == []
    for attempt in (lambda: county.part(upload, 1, FILM[:1_000]), lambda: county.complete(upload)):
        with pytest.raises(Conflict, match="已取消"):
            attempt()


def test_a_finished_upload_is_not_given_up(county: Sender, folder: Path) -> None:
    upload = county.open(2_500)
    county.parts(upload, FILM)
    county.complete(upload)
    with pytest.raises(Conflict, match="已经上传完成"):
        abort(county, upload)
    with pytest.raises(Conflict):
        county.part(upload, 1, FILM[:1_000])
    assert files(folder) == [upload]


def test_sweeping_takes_what_belongs_to_nothing_and_nothing_else(county: Sender, folder: Path) -> None:
    kept = county.whole(FILM).asset
    running = county.open(2_500)
    county.part(running, 1, FILM[:1_000])
    stale = county.open(1_000)
    county.part(stale, 1, b"x" * 1_000)
    later = NOW + timedelta(days=8)
    with county.database.write() as session:
        session.execute(update(Upload).where(Upload.id == running).values(created_at=later))
    orphan = "01935d5e-7c00-7000-8000-0000000000ff"
    for name in (f"{orphan}.part", orphan, "README.txt"):
        (folder / name).write_bytes(b"x")
    with county.database.write() as session:
        assert uploads.sweep(session, folder, now=later) == 3
    assert files(folder) == sorted([Path(kept.path).name, f"{running}.part", "README.txt"])
    with county.database.read() as session:
        assert session.get_one(Upload, stale).state == UploadState.ABORTED
        numbers = session.scalars(select(UploadPart.upload_id)).all()
        assert stale not in numbers
