"""Objects in the media folder and in a real S3 service: the same promises."""

from __future__ import annotations

import hashlib
import os

import pytest

from server.storage import FolderStore, media_key


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(os.urandom(3_000_000))
    return path


def key_of(path) -> str:
    return media_key(hashlib.sha256(path.read_bytes()).hexdigest())


def test_what_was_put_comes_back_byte_for_byte(store, clip):
    store.put(key_of(clip), clip)
    assert b"".join(store.chunks(key_of(clip))) == clip.read_bytes()


def test_putting_again_changes_nothing(store):
    key = media_key("a" * 64)
    store.put_bytes(key, b"first")
    store.put_bytes(key, b"other")
    assert b"".join(store.chunks(key)) == b"first"


def test_an_absent_object_is_absent(store):
    key = media_key("b" * 64)
    assert not store.exists(key)
    with pytest.raises(FileNotFoundError):
        list(store.chunks(key))
    store.delete(key)


def test_a_deleted_object_is_gone(store):
    key = media_key("c" * 64)
    store.put_bytes(key, b"bytes")
    store.delete(key)
    assert not store.exists(key)


@pytest.mark.parametrize("key", ["m/../../keys", "x/abc", "m/", "m/a/b", "/etc/passwd"])
def test_a_folder_store_takes_no_key_that_leaves_it(tmp_path, key):
    with pytest.raises(ValueError, match="not an object key"):
        FolderStore(tmp_path).put_bytes(key, b"x")


def test_a_failed_copy_leaves_nothing_behind(tmp_path):
    store = FolderStore(tmp_path / "media")
    with pytest.raises(FileNotFoundError):
        store.put(media_key("d" * 64), tmp_path / "not-there")
    assert [path for path in (tmp_path / "media").rglob("*") if path.is_file()] == []
