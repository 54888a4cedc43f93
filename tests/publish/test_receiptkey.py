"""The receipt key: one per installation, readable by its owner alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from protocol import keys
from server import config as settings
from server.receiptkey import receipt_private, receipt_public


@pytest.fixture
def config(tmp_path):
    return settings.load(tmp_path, environ={})


def test_the_first_use_makes_the_key_and_later_uses_find_it(config):
    first = receipt_private(config)

    assert receipt_private(config) == first
    assert receipt_public(config) == keys.public_text(first)
    assert (config.keys / "receipt.key").stat().st_mode & 0o777 == 0o600


def test_makers_at_the_same_moment_agree_on_one_key(config):
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: receipt_private(config), range(32)))

    assert len(found) == 1
    assert [path.name for path in config.keys.iterdir()] == ["receipt.key"]


def test_a_damaged_key_is_refused(config):
    config.keys.mkdir(parents=True)
    (config.keys / "receipt.key").write_bytes(b"short")

    with pytest.raises(ValueError, match="no receipt key"):
        receipt_private(config)
