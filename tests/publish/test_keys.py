"""Key files: readable by their owner alone, each under its own name, never shown by accident."""

from __future__ import annotations

import pytest

from server.publish import keys


@pytest.fixture
def folder(tmp_path):
    keys.make_demo_keys(tmp_path / "keys")
    return tmp_path / "keys"


def test_only_the_owner_reads_them(folder):
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_making_them_again_keeps_them_and_replaces_what_is_missing(folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "build-2.key").unlink()

    keys.make_demo_keys(folder)

    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} == {"build-2.key"}


def test_all_keys_differ(folder):
    public = keys.public_keys(folder)

    assert len({key.public for key in public.values()}) == len(public) == 25


def test_a_key_under_another_name_is_refused(folder):
    (folder / "policy.key").write_bytes((folder / "snapshot.key").read_bytes())

    with pytest.raises(keys.KeysMissing, match="snapshot"):
        keys.read_key(folder, "policy")


def test_a_damaged_key_file_is_refused(folder):
    (folder / "policy.key").write_bytes(b"{")

    with pytest.raises(keys.KeysMissing, match="policy"):
        keys.read_key(folder, "policy")


def test_a_private_key_does_not_print_itself(folder):
    key = keys.read_key(folder, "policy")

    assert repr(key) == "PrivateKey(policy)"
