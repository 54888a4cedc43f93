"""Files that travel between workers through the object store."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta

import pytest

from server import clock
from server.config import load
from server.storage import S3Store
from server.transcode.exchange import KEPT_IN_STORE, ThroughStore
from server.transcode.files import WorkLost


@pytest.fixture
def shared(tmp_path, s3_settings):
    return S3Store(replace(load(tmp_path / "data", environ={}), s3=s3_settings))


def machine(shared, folder):
    folder.mkdir()
    (folder / "run").mkdir()
    return ThroughStore(shared, folder, folder / "run")


def test_what_lies_in_the_store_for_long_is_deleted_and_nothing_else(shared, tmp_path):
    one = machine(shared, tmp_path / "one")
    piece = tmp_path / "one" / "run" / "job" / "piece.mp4"
    piece.parent.mkdir()
    piece.write_bytes(os.urandom(1000))
    one.offer([piece])
    shared.put_bytes("m/" + "a" * 64, b"a rendition")

    one.forget(clock.now())
    assert shared.exists("work/job/piece.mp4")

    one.forget(clock.now() + KEPT_IN_STORE + timedelta(minutes=1))
    assert not shared.exists("work/job/piece.mp4")
    assert shared.exists("m/" + "a" * 64)


def test_a_piece_reaches_another_machine_and_one_that_is_nowhere_is_said_to_be_lost(shared, tmp_path):
    one, other = machine(shared, tmp_path / "one"), machine(shared, tmp_path / "other")
    piece = tmp_path / "one" / "run" / "job2" / "piece.mp4"
    piece.parent.mkdir()
    piece.write_bytes(os.urandom(1000))
    one.offer([piece])
    there = tmp_path / "other" / "run" / "job2" / "piece.mp4"
    other.fetch([there])
    assert there.read_bytes() == piece.read_bytes()
    with pytest.raises(WorkLost):
        other.fetch([there.with_name("other.mp4")])
