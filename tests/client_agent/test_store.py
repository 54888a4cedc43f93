"""The store: no byte leaves it that was not checked as it was read."""

from __future__ import annotations

import os

import pytest

from client_agent.config import AgentPaths
from client_agent.database import Database
from client_agent.errors import NoSpace, NotStored, PieceCorrupt, PieceMissing, StorageFailed
from client_agent.store import FileName, Store
from protocol.errors import BadPieces
from protocol.pieces import PIECE_LENGTH, piece_layer_of
from tests.client_agent.repository import made_bytes

GIB = 2**30


class Shelf:
    """A store over a disk whose free space is the test's to set."""

    def __init__(self, folder) -> None:
        self.paths = AgentPaths(folder)
        self.paths.prepare()
        self.database = Database(self.paths.database)
        self.now_ms = 1_000
        self.free = 100 * GIB
        self.store = self.open()

    def open(self) -> Store:
        return Store(self.paths, self.database, lambda: self.now_ms, lambda _: (200 * GIB, 0, self.free))

    def put(self, data: bytes, pieces=None) -> FileName:
        layer = piece_layer_of(data)
        name = FileName(layer.sha256, layer.length, layer.root)
        self.store.begin(name, layer.layer)
        for index in pieces if pieces is not None else range(len(layer.layer) // 32):
            self.store.put_piece(name.sha256, index, data[index * PIECE_LENGTH : (index + 1) * PIECE_LENGTH])
        return name

    def flip(self, name: FileName, at: int) -> None:
        with (self.paths.media / name.sha256).open("r+b") as file:
            file.seek(at)
            byte = file.read(1)
            file.seek(at)
            file.write(bytes([byte[0] ^ 1]))


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "agent")


DATA = made_bytes("film", 3 * PIECE_LENGTH + 12_345)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (0, len(DATA)),
        (0, 1),
        (PIECE_LENGTH - 1, PIECE_LENGTH + 1),
        (5, 2_500_000),
        (len(DATA) - 1, len(DATA) + 10),
        (len(DATA), len(DATA) + 1),
    ],
)
def test_a_complete_file_reads_like_the_signed_one(shelf, start, end):
    file = shelf.store.open(shelf.put(DATA).sha256)
    assert file.read(start, end) == DATA[start:end]
    assert b"".join(file.stream(start, end)) == DATA[start:end]


def test_a_flipped_byte_in_a_stored_file_is_never_served_and_is_fetched_again(shelf):
    name = shelf.put(DATA)
    told = []
    shelf.store.on_corrupt = lambda sha256, piece: told.append((sha256, piece))
    shelf.flip(name, PIECE_LENGTH + 7)
    file = shelf.store.open(name.sha256)
    assert file.read(0, PIECE_LENGTH) == DATA[:PIECE_LENGTH]
    with pytest.raises(PieceCorrupt):
        file.read(PIECE_LENGTH, PIECE_LENGTH + 1)
    with pytest.raises(PieceMissing):
        file.read(PIECE_LENGTH, PIECE_LENGTH + 1)
    assert told == [(name.sha256, 1)]
    assert not shelf.store.is_complete(name.sha256)
    assert shelf.store.row(name.sha256).missing == [1]
    assert shelf.store.put_piece(name.sha256, 1, DATA[PIECE_LENGTH : 2 * PIECE_LENGTH])
    assert shelf.store.open(name.sha256).read(0, len(DATA)) == DATA


def test_a_truncated_or_vanished_file_is_never_served(shelf):
    name = shelf.put(DATA)
    os.truncate(shelf.paths.media / name.sha256, PIECE_LENGTH + 10)
    file = shelf.store.open(name.sha256)
    assert file.read(0, 10) == DATA[:10]
    for at in (PIECE_LENGTH, 2 * PIECE_LENGTH, 3 * PIECE_LENGTH):
        with pytest.raises(PieceCorrupt):
            file.read(at, at + 1)
    (shelf.paths.media / name.sha256).unlink()
    shelf.store.trim()
    with pytest.raises(PieceCorrupt):
        file.read(0, 1)


def test_a_stream_ends_at_the_first_wrong_piece(shelf):
    name = shelf.put(DATA)
    shelf.flip(name, 2 * PIECE_LENGTH)
    got = []
    with pytest.raises(PieceCorrupt):
        got.extend(shelf.store.open(name.sha256).stream(0, len(DATA)))
    assert b"".join(got) == DATA[: 2 * PIECE_LENGTH]


def test_a_wrong_piece_is_refused_before_it_touches_the_disk(shelf):
    name = shelf.put(DATA, pieces=[])
    for wrong in (b"", DATA[:PIECE_LENGTH][:-1], b"\0" * PIECE_LENGTH, DATA[PIECE_LENGTH : 2 * PIECE_LENGTH]):
        with pytest.raises(BadPieces):
            shelf.store.put_piece(name.sha256, 0, wrong)
    assert shelf.store.row(name.sha256).missing == [0, 1, 2, 3]


def test_a_layer_that_is_not_the_signed_one_is_refused(shelf):
    layer = piece_layer_of(DATA)
    name = FileName(layer.sha256, layer.length, layer.root)
    for wrong in (b"", layer.layer[:-32], layer.layer[::-1], layer.layer + bytes(32)):
        with pytest.raises(BadPieces):
            shelf.store.begin(name, wrong)
    assert not shelf.store.has(name.sha256)


def test_an_unfinished_file_cannot_be_opened(shelf):
    name = shelf.put(DATA, pieces=[0, 1, 2])
    with pytest.raises(NotStored):
        shelf.store.open(name.sha256)
    with pytest.raises(NotStored):
        shelf.store.open("../agent.sqlite")


def test_claimed_pieces_of_unfinished_files_are_hashed_again_at_start(shelf):
    name = shelf.put(DATA, pieces=[0, 1, 2])
    shelf.flip(name, 2 * PIECE_LENGTH)
    again = shelf.open()
    assert again.recheck_partial() == 1
    assert again.row(name.sha256).missing == [2, 3]


def test_a_file_whose_last_bit_was_set_before_a_power_cut_is_finished_at_start(shelf):
    name = shelf.put(DATA)
    shelf.database.execute("UPDATE files SET complete = 0")
    again = shelf.open()
    assert again.recheck_partial() == 0
    assert again.is_complete(name.sha256)


def test_files_that_nothing_speaks_of_are_deleted_at_start(shelf):
    name = shelf.put(DATA)
    (shelf.paths.media / ("ab" * 32)).write_bytes(b"left by a power cut")
    (shelf.paths.layers / f".{'cd' * 32}.new").write_bytes(b"left by another")
    shelf.open().recheck_partial()
    assert [path.name for path in shelf.paths.media.iterdir()] == [name.sha256]
    assert [path.name for path in shelf.paths.layers.iterdir()] == [name.pieces_root]


def test_a_manifest_that_contradicts_itself_is_never_used(shelf):
    layer = piece_layer_of(DATA)
    name = FileName("ab" * 32, layer.length, layer.root)
    shelf.store.begin(name, layer.layer)
    for index in range(4):
        piece = DATA[index * PIECE_LENGTH : (index + 1) * PIECE_LENGTH]
        assert not shelf.store.put_piece(name.sha256, index, piece)
    assert shelf.store.row(name.sha256).bad
    with pytest.raises(NotStored):
        shelf.store.open(name.sha256)


def test_a_lost_layer_makes_its_file_incomplete_until_it_is_there_again(shelf):
    name = shelf.put(DATA)
    shelf.store.trim()
    (shelf.paths.layers / name.pieces_root).write_bytes(b"nonsense")
    with pytest.raises(NotStored):
        shelf.store.open(name.sha256).read(0, 1)
    assert not shelf.store.is_complete(name.sha256)
    shelf.store.begin(name, piece_layer_of(DATA).layer)
    assert shelf.store.finish(name.sha256)


def test_an_empty_file_is_complete_at_once(shelf):
    name = shelf.put(b"")
    assert shelf.store.open(name.sha256).read(0, 10) == b""


def test_a_tenth_of_the_disk_stays_free(shelf):
    shelf.free = 20 * GIB + len(DATA) - 1
    with pytest.raises(NoSpace, match="磁盘空间不足"):
        shelf.put(DATA)
    assert list(shelf.paths.media.iterdir()) == []
    shelf.free += 1
    assert shelf.store.is_complete(shelf.put(DATA).sha256)


def test_what_was_watched_longest_ago_goes_first_and_what_is_to_air_never(shelf):
    names = []
    for number in range(4):
        shelf.now_ms += 1_000
        names.append(shelf.put(made_bytes(str(number), 1_000)).sha256)
    shelf.store.watched(names[0], shelf.now_ms + 5_000)
    shelf.free = 20 * GIB - 1

    def usage(_):
        here = len(list(shelf.paths.media.iterdir()))
        return 200 * GIB, 0, shelf.free + (4 - here) * 1_000

    shelf.store._disk_usage = usage
    assert shelf.store.make_room(1_500, keep={names[1]})
    assert [shelf.store.has(name) for name in names] == [True, True, False, False]
    assert not shelf.store.make_room(10 * GIB, keep={names[1]})
    assert [shelf.store.has(name) for name in names] == [True, True, False, False], "in vain nothing goes"


def test_a_failed_sync_discards_the_file(shelf, monkeypatch):
    name = shelf.put(DATA, pieces=[0])

    def refuse(_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", refuse)
    with pytest.raises(StorageFailed):
        shelf.store.put_piece(name.sha256, 1, DATA[PIECE_LENGTH : 2 * PIECE_LENGTH])
    assert not shelf.store.has(name.sha256)
    assert list(shelf.paths.media.iterdir()) == []


def test_memory_for_verified_pieces_is_bounded_and_given_back(shelf):
    big = made_bytes("big", 8 * PIECE_LENGTH)
    file = shelf.store.open(shelf.put(big).sha256)
    for _ in file.stream(0, len(big)):
        pass
    assert sum(map(len, shelf.store._pieces.values())) <= 3 * PIECE_LENGTH
    shelf.store.trim()
    assert not shelf.store._pieces
