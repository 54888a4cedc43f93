"""Photos and spoken minutes: from a station's disk to the object store, and to nobody who may not see them."""

from __future__ import annotations

import hashlib
import os
import random
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from client_agent.book import Book
from client_agent.evidence import MOST_TRIES, Evidence, EvidencePost, EvidenceRefused
from client_agent.outbox import Outbox, Stamp
from client_agent.reporter import Answer, NoAnswer
from protocol import evidence as wire
from protocol import keys
from protocol.batch import ClockState, EvidenceKind
from protocol.errors import MalformedBatch
from protocol.times import from_ms, ms_to_text
from server.app import create_app
from server.errors import Conflict, Forbidden, Invalid, TooLarge, TooMany, Unauthenticated, YuanboError
from server.identity.rules import Role
from server.receiptkey import receipt_public
from server.stations.models import Station, Terminal
from server.stats import evidence
from server.stats.models import EvidenceFile, EvidencePiece
from server.storage import FolderStore, evidence_key
from tests.stations.office import add_person, caller, make_config
from tests.stats.simulator import START_MS, Device, World

OCTETS = "application/octet-stream"


def photo(length: int = 300_000, seed: int = 1) -> bytes:
    return b"\xff\xd8\xff\xe0" + random.Random(seed).randbytes(length - 4)


def sound(length: int = 700_000, seed: int = 2) -> bytes:
    return b"OggS" + random.Random(seed).randbytes(length - 4)


class Field:
    """A station's evidence and a province with an object store; the line may be made bad."""

    def __init__(self, province, folder: Path) -> None:
        self.province, self.folder = province, folder
        self.store = FolderStore(folder / "objects")
        self.now = START_MS
        self.terminal, self.private = province.add_terminal()
        self.receipt_keys = (province.public,)
        self.incarnation = "0" * 16
        self.lost_answers = 0
        self.status = 200
        self.open()

    def open(self) -> None:
        self.book = Book(self.folder / "book.sqlite")
        self.outbox = Outbox(self.folder / "outbox.sqlite", stamp=self.stamp)
        self.evidence = Evidence(
            self.folder / "evidence", self.book, self.outbox, lambda: self.now, quota_bytes=2_000_000
        )
        self.post = EvidencePost(
            self.evidence, lambda: self, self, lambda: self.now, lambda: self.now, fraction=lambda: 0.5
        )

    def close(self) -> None:
        self.outbox.close()
        self.book.close()

    def stamp(self) -> Stamp:
        return Stamp(self.now, "boot", self.now - START_MS, ClockState.KNOWN)

    def put(self, path: str, body: bytes, content_type: str) -> Answer:
        assert (path.partition("/")[0], content_type) == ("evidence", OCTETS)
        if self.status != 200:
            return Answer(self.status, b"{}")
        try:
            receipt = self.receive(path.partition("/")[2], body)
        except YuanboError as error:
            return Answer(error.status, b"{}")
        if self.lost_answers:
            self.lost_answers -= 1
            raise NoAnswer("cut off")
        return Answer(200, receipt)

    def receive(self, sha256: str, body: bytes) -> bytes:
        return evidence.receive(
            self.province.database, self.store, self.province.private, sha256, body, now=from_ms(self.now)
        )

    def piece(self, data: bytes, body: bytes | None = None, **changed) -> bytes:
        """The request of a piece; the whole of ``data`` where no body is named."""
        body = data[: wire.PIECE_BYTES] if body is None else body
        header = wire.PieceHeader(
            terminal=self.terminal, sha256=hashlib.sha256(data).hexdigest(), length=len(data), media_type="image/jpeg",
            what=EvidenceKind.PHOTO, session="s", offset=0, piece=hashlib.sha256(body).hexdigest(),
            wall=ms_to_text(self.now),
        )  # fmt: skip
        return wire.write_piece(msgspec.structs.replace(header, **changed), body, self.private)

    def send(self, data: bytes, body: bytes | None = None, **changed) -> wire.EvidenceReceipt:
        request = self.piece(data, body, **changed)
        sha256 = changed.get("sha256") or hashlib.sha256(data).hexdigest()
        return wire.read_receipt(self.receive(sha256, request), request=request, trusted=self.receipt_keys)

    def files(self) -> list[EvidenceFile]:
        return self.province.rows(EvidenceFile)


@pytest.fixture
def field(province, tmp_path):
    made = Field(province, tmp_path)
    yield made
    made.close()


# --- the whole way ------------------------------------------------------------------------------------------------------
def test_a_photo_and_spoken_minutes_reach_the_province_byte_for_byte(field):
    data, minutes = photo(), sound()
    names = [
        field.evidence.keep(EvidenceKind.PHOTO, data, "image/jpeg", session="s"),
        field.evidence.keep(EvidenceKind.MINUTES_AUDIO, minutes, "audio/ogg;codecs=opus", session="s"),
    ]
    assert field.post.send_all() == 0
    assert [b"".join(field.store.chunks(evidence_key(name))) for name in names] == [data, minutes]
    assert {(f.sha256, f.media_type, f.session, f.held == f.length) for f in field.files()} == {
        (names[0], "image/jpeg", "s", True),
        (names[1], "audio/ogg", "s", True),
    }
    assert field.province.rows(EvidencePiece) == []
    assert field.outbox.uncut() == 2


def test_what_was_cut_off_goes_on_where_it_stopped(field):
    field.evidence.keep(EvidenceKind.MINUTES_AUDIO, sound(), session="s")
    field.post.tick()
    field.lost_answers = 1
    field.post.tick()
    (file,) = field.files()
    assert file.held == 2 * wire.PIECE_BYTES
    field.close()
    field.open()
    field.now += 3_600_000
    assert field.post.send_all() == 0
    assert field.files()[0].complete_at is not None


def test_a_province_that_lost_what_came_gets_it_from_the_beginning(field):
    data = sound()
    name = field.evidence.keep(EvidenceKind.MINUTES_AUDIO, data)
    field.post.tick()
    with field.province.database.write() as session:
        session.query(EvidencePiece).delete()
        session.query(EvidenceFile).delete()
    assert field.post.send_all() == 0
    assert b"".join(field.store.chunks(evidence_key(name))) == data


def test_a_province_restored_from_a_backup_is_asked_and_gets_what_it_lost(field):
    kept, lost = photo(300_000, 1), photo(300_000, 2)
    names = [field.evidence.keep(EvidenceKind.PHOTO, data) for data in (kept, lost)]
    life = ["first"]
    field.post.incarnation = lambda: life[0]
    assert field.post.send_all() == 0
    with field.province.database.write() as session:
        session.query(EvidenceFile).filter_by(sha256=names[1]).delete()
    field.store.delete(evidence_key(names[1]))
    assert field.post.send_all() == 0
    life[0] = "second"
    for _ in range(6):
        field.post.tick()
        field.now += 3_600_000
    assert field.evidence.unsent() == []
    assert b"".join(field.store.chunks(evidence_key(names[1]))) == lost
    assert field.evidence.meet("second") == 0


def test_nothing_goes_while_the_line_is_closed(field):
    field.evidence.keep(EvidenceKind.PHOTO, photo())
    field.post.allowed = lambda: False
    assert field.post.send_all() == 1
    assert field.files() == []
    field.evidence.keep(EvidenceKind.SCREENSHOT, photo(90_000, 3), session="command")
    assert field.post.send_all() == 1
    assert [file.what for file in field.files()] == ["screenshot"], "somebody waits for it"


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503, 202])
def test_what_the_province_cannot_take_now_stays(field, status):
    name = field.evidence.keep(EvidenceKind.PHOTO, photo())
    field.status = status
    for _ in range(2 * MOST_TRIES):
        field.post.tick()
        field.now += 12 * 3_600_000
    assert field.evidence.find(name).sent_ms is None
    field.status = 200
    assert field.post.send_all() == 0


def test_what_is_refused_again_and_again_is_given_up_with_a_fault(field):
    name = field.evidence.keep(EvidenceKind.PHOTO, photo())
    field.status = 422
    for _ in range(MOST_TRIES):
        field.post.tick()
        field.now += 3_600_000
    assert field.evidence.unsent() == []
    assert field.evidence.find(name).sent_ms == 0
    assert field.outbox.uncut() == 2


def test_a_receipt_of_another_key_proves_nothing(field):
    field.evidence.keep(EvidenceKind.PHOTO, photo(1_000))
    field.receipt_keys = (keys.public_text(keys.new_private_key()),)
    assert field.post.send_all() == 1


def test_a_file_damaged_on_the_disk_is_told_not_sent(field):
    name = field.evidence.keep(EvidenceKind.PHOTO, photo())
    path = field.folder / "evidence" / name
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert field.post.send_all() == 0
    assert field.files() == []
    assert field.evidence.find(name) is None


# --- keeping at the station ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("kind", "data", "reason"),
    [
        (EvidenceKind.PHOTO, b"", "empty"),
        (EvidenceKind.PHOTO, photo(400_001), "size"),
        (EvidenceKind.MINUTES_AUDIO, sound(3_000_001), "size"),
        (EvidenceKind.PHOTO, sound(9_000), "type"),
        (EvidenceKind.MINUTES_AUDIO, photo(), "type"),
        (EvidenceKind.PHOTO, b"<svg xmlns='http://www.w3.org/2000/svg'>", "type"),
        (EvidenceKind.PHOTO, b"<!doctype html><script>", "type"),
        (EvidenceKind.PHOTO, b"GIF89a" + bytes(100), "type"),
        (EvidenceKind.MINUTES_AUDIO, b"\x1a\x45\xdf\xa3" + b"matroska" + bytes(90), "type"),
    ],
)
def test_what_is_no_photo_or_sound_is_refused_and_leaves_nothing(field, kind, data, reason):
    with pytest.raises(EvidenceRefused) as refused:
        field.evidence.keep(kind, data, "image/jpeg")
    assert refused.value.reason == reason
    assert list((field.folder / "evidence").iterdir()) == []
    assert field.outbox.uncut() == 0


def test_the_same_photo_twice_is_one_file_and_one_record(field):
    data = photo()
    assert field.evidence.keep(EvidenceKind.PHOTO, data, session="s") == field.evidence.keep(
        EvidenceKind.PHOTO, data, session="s"
    )
    assert (field.evidence.total_bytes(), field.outbox.uncut()) == (len(data), 1)


def test_over_the_quota_what_was_sent_longest_ago_goes_first_and_nothing_unsent(field):
    first = field.evidence.keep(EvidenceKind.PHOTO, photo(400_000, 1))
    field.post.send_all()
    for seed in range(2, 6):
        field.now += 1
        field.evidence.keep(EvidenceKind.PHOTO, photo(400_000, seed))
    field.evidence.keep(EvidenceKind.PHOTO, photo(400_000, 6))
    assert field.evidence.find(first) is None
    with pytest.raises(EvidenceRefused, match="full"):
        field.evidence.keep(EvidenceKind.PHOTO, photo(400_000, 7))
    assert len(field.evidence.unsent()) == 5


def test_after_a_power_cut_the_file_is_there_with_its_record_or_neither(field):
    name = field.evidence.keep(EvidenceKind.PHOTO, photo())
    field.book.execute("UPDATE evidence SET told = 0")
    (field.folder / "evidence" / f".{'a' * 64}.new").write_bytes(b"half")
    (field.folder / "evidence" / ("b" * 64)).write_bytes(b"nobody knows it")
    field.close()
    field.open()
    assert [path.name for path in (field.folder / "evidence").iterdir()] == [name]
    assert field.outbox.uncut() == 2, "told again: the same bytes count once"


def test_a_full_disk_says_so_and_leaves_nothing(field, monkeypatch):
    def no_space(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("client_agent.durable.os.fsync", no_space)
    with pytest.raises(Exception, match="No space"):
        field.evidence.keep(EvidenceKind.PHOTO, photo())
    monkeypatch.undo()
    assert list((field.folder / "evidence").iterdir()) == []
    assert field.evidence.keep(EvidenceKind.PHOTO, photo())


# --- hostile terminals --------------------------------------------------------------------------------------------------
def test_bytes_that_are_not_what_was_announced_are_forgotten(field):
    honest, other = photo(1_000, 1), photo(1_000, 2)
    with pytest.raises(Invalid) as refused:
        field.send(honest, other)
    assert refused.value.code == "evidence_wrong"
    assert field.province.rows(EvidencePiece) == []
    assert not field.store.exists(evidence_key(hashlib.sha256(honest).hexdigest()))
    assert field.send(honest).complete, "the right bytes are taken after all"


@pytest.mark.parametrize(
    "data", [b"<svg onload='alert(1)'/>" * 9, b"<html><script>alert(1)</script>", b"%PDF-1.7 x"]
)
def test_a_page_called_a_photo_never_becomes_an_object(field, data):
    with pytest.raises(Invalid) as refused:
        field.send(data)
    assert refused.value.code == "evidence_wrong"
    assert not field.store.exists(evidence_key(hashlib.sha256(data).hexdigest()))


def test_the_kind_is_read_off_the_bytes_whatever_is_claimed(field):
    field.send(photo(500), media_type="image/png")
    assert field.files()[0].media_type == "image/jpeg"


@pytest.mark.parametrize(
    "changed",
    [
        {"length": 400_001},
        {"media_type": "text/html"},
        {"media_type": "audio/ogg"},
        {"what": EvidenceKind.MINUTES_AUDIO},
        {"offset": 999_999},
        {"piece": "0" * 64},
        {"v": 2},
        {"session": "a\x00b"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_header_that_does_not_fit_is_refused_before_anything_is_kept(field, changed):
    with pytest.raises(Invalid):
        field.send(photo(1_000), **changed)
    assert field.files() == []


def test_an_address_that_names_another_file_is_refused(field):
    request = field.piece(photo(1_000))
    with pytest.raises(Invalid):
        field.receive("0" * 64, request)


def test_only_the_terminals_own_key_counts_and_a_revoked_one_not_at_all(field):
    data = photo(1_000)
    right, field.private = field.private, keys.new_private_key()
    with pytest.raises(Unauthenticated):
        field.send(data)
    field.private = right
    with field.province.database.write() as session:
        session.get_one(Terminal, field.terminal).revoked_at = from_ms(START_MS)
    with pytest.raises(Forbidden):
        field.send(data)
    assert field.files() == []


def test_a_piece_twice_or_out_of_order_changes_nothing(field):
    data = sound(700_000)
    name = hashlib.sha256(data).hexdigest()
    said = {"what": EvidenceKind.MINUTES_AUDIO, "media_type": "audio/ogg"}
    size = wire.PIECE_BYTES
    assert field.send(data, data[size : 2 * size], offset=size, **said).held == 0
    assert field.send(data, data[:size], **said).held == size
    assert field.send(data, data[:size], **said).held == size
    assert field.send(data, b"", offset=0, **said).held == size
    field.send(data, data[size : 2 * size], offset=size, **said)
    assert field.send(data, data[2 * size :], offset=2 * size, **said).complete
    assert field.send(data, data[:size], **said).complete, "again, long after"
    assert b"".join(field.store.chunks(evidence_key(name))) == data


def test_announced_differently_before_is_a_conflict(field):
    data = sound(700_000)
    said = {"what": EvidenceKind.MINUTES_AUDIO, "media_type": "audio/ogg"}
    field.send(data, data[: wire.PIECE_BYTES], **said)
    with pytest.raises(Conflict):
        field.send(data, b"", length=800_000, **said)


def test_a_terminal_cannot_fill_the_provinces_disk(field, monkeypatch):
    monkeypatch.setattr(evidence, "BYTES_A_DAY", 1_000_000)
    for seed in range(2):
        field.send(photo(400_000, seed), offset=0)
    with pytest.raises(TooMany):
        field.send(photo(400_000, 3))
    monkeypatch.setattr(evidence, "FILES_A_DAY", 2)
    with pytest.raises(TooMany):
        field.send(photo(10, 4))
    field.now += 25 * 3_600_000
    assert field.send(photo(400_000, 3)).held == wire.PIECE_BYTES


@pytest.mark.parametrize(
    "data",
    [b"", b"\n\n", b"{}\nsig\nbody", os.urandom(300), b"[" * 1_000 + b"\n\n", b"x" * (wire.MAX_REQUEST + 1)],
    ids=["nothing", "lines", "empty", "noise", "deep", "long"],
)
def test_noise_is_malformed(data):
    with pytest.raises(MalformedBatch):
        wire.read_piece(data)


# --- who sees it ----------------------------------------------------------------------------------------------------------
@pytest.fixture
def web(province, tmp_path, database_url):
    config = make_config(tmp_path / "data", database_url)
    app = create_app(config)
    return app.test_client(), config, app


def told(web, province, device: Device, data: bytes, session: str = "s") -> None:
    """The record goes as a batch, the bytes by PUT."""
    from protocol import batch as batches

    sha256 = hashlib.sha256(data).hexdigest()
    record = batches.Evidence(
        seq=1, at=ms_to_text(START_MS), boot="b", mono_ms=7, sha256=sha256, length=len(data), media_type="image/jpeg",
        what=EvidenceKind.PHOTO, session=session,
    )  # fmt: skip
    device.disk.epochs[device.epoch].records[1] = record
    client, config, _ = web
    client.post("/api/v1/batches", data=device.cut(device.epoch, [1]))
    header = wire.PieceHeader(
        terminal=device.terminal, sha256=sha256, length=len(data), media_type="image/jpeg", what=EvidenceKind.PHOTO,
        session=session, offset=0, piece=sha256, wall=ms_to_text(START_MS),
    )  # fmt: skip
    request = wire.write_piece(header, data, device.private)
    answer = client.put(f"/api/v1/evidence/{sha256}", data=request, content_type=OCTETS)
    assert answer.status_code == 200
    receipt = wire.read_receipt(answer.data, request=request, trusted=[receipt_public(config)])
    assert receipt.complete


def test_the_county_office_sees_a_photo_and_the_next_county_does_not(web, province, database):
    client, _, _ = web
    data = photo(200_000)
    told(web, province, Device(World(5), *province.add_terminal()), data)
    near = add_person(database, Role.COUNTY_OFFICE, "130123")
    far = add_person(database, Role.COUNTY_OFFICE, "130726")
    editor = add_person(database, Role.PROVINCE_EDITOR, "13")
    (shown,) = client.get("/api/v1/evidence?session=s", headers=near).json["items"]
    assert (shown["what"], shown["length"], shown["media_type"]) == ("photo", 200_000, "image/jpeg")
    answer = client.get(shown["file"], headers=near)
    assert (answer.status_code, answer.data) == (200, data)
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Content-Disposition"].endswith('.jpg"')
    assert client.get("/api/v1/evidence", headers=far).json["items"] == []
    assert client.get(shown["file"], headers=far).status_code == 404
    assert client.get(shown["file"], headers=editor).status_code == 403
    assert client.get(shown["file"]).status_code in (302, 401)


def test_a_record_whose_bytes_are_on_the_way_is_shown_without_a_file(web, province, database, device):
    from protocol import batch as batches

    record = batches.Evidence(
        seq=1, at=ms_to_text(START_MS), boot="b", mono_ms=7, sha256="a" * 64, length=10, media_type="image/jpeg",
        what=EvidenceKind.PHOTO,
    )  # fmt: skip
    device.disk.epochs[device.epoch].records[1] = record
    province.receipt(device.cut(device.epoch, [1]))
    office = add_person(database, Role.COUNTY_OFFICE, "130123")
    (shown,) = web[0].get("/api/v1/evidence", headers=office).json["items"]
    assert shown.get("file") is None


def test_too_much_in_one_request_is_refused_unread(web):
    answer = web[0].put("/api/v1/evidence/" + "a" * 64, data=b"x" * (wire.MAX_REQUEST + 1))
    assert answer.status_code == 413


# --- pages of ours and keeping house ----------------------------------------------------------------------------------
def test_bytes_from_a_page_of_ours_are_checked_like_a_terminals(field):
    with field.province.database.write() as session:
        terminal = session.get_one(Terminal, field.terminal)
        station = session.get_one(Station, terminal.station_id)
        now = from_ms(field.now)

        def keep(kind: EvidenceKind, data: bytes) -> EvidenceFile:
            return evidence.keep_whole(
                session, field.store, terminal, station, kind, data, of_session="s", now=now
            )

        made = keep(EvidenceKind.PHOTO, photo(1_000))
        assert keep(EvidenceKind.PHOTO, photo(1_000)).id == made.id
        with pytest.raises(TooLarge):
            keep(EvidenceKind.PHOTO, photo(500_000))
        with pytest.raises(Invalid):
            keep(EvidenceKind.PHOTO, b"<svg/>")
        _, data = evidence.open_file(session, caller(Role.COUNTY_OFFICE, "130123"), field.store, made.id)
        assert data == photo(1_000)


def test_two_years_later_a_photo_goes_unless_another_station_has_the_same(field):
    data = photo(1_000)
    field.send(data)
    other = replace_station(field)
    other.send(data)
    key = evidence_key(hashlib.sha256(data).hexdigest())
    later = from_ms(field.now) + evidence.KEEP + timedelta(days=1)
    with field.province.database.write() as session:
        file = session.query(EvidenceFile).filter_by(terminal_id=field.terminal).one()
        other_file = session.query(EvidenceFile).filter_by(terminal_id=other.terminal).one()
        other_file.complete_at = later
        assert evidence.sweep(session, field.store, now=later) == 1
        assert session.get(EvidenceFile, file.id) is None
    assert field.store.exists(key)
    with field.province.database.write() as session:
        assert evidence.sweep(session, field.store, now=later + evidence.KEEP + timedelta(days=1)) == 1
    assert not field.store.exists(key)


def replace_station(field: Field) -> Field:
    """The same province seen from another station."""
    other = Field.__new__(Field)
    other.__dict__.update(field.__dict__)
    other.terminal, other.private = field.province.add_terminal("130726100201", "前堡村站点")
    return other


def test_what_stopped_coming_a_week_ago_goes(field):
    data = sound()
    field.send(data, data[: wire.PIECE_BYTES], what=EvidenceKind.MINUTES_AUDIO, media_type="audio/ogg")
    with field.province.database.write() as session:
        assert evidence.sweep(session, field.store, now=from_ms(field.now) + timedelta(days=6)) == 0
        assert evidence.sweep(session, field.store, now=from_ms(field.now) + timedelta(days=8)) == 1
    assert field.province.rows(EvidencePiece) == []
