"""Ed25519 as base64: what fits, and everything that does not."""

from __future__ import annotations

import base64

import pytest

from protocol import keys
from protocol.errors import BadSignature

PRIVATE = keys.new_private_key()
PUBLIC = keys.public_text(PRIVATE)


def test_a_signature_fits_its_message_and_key_only():
    signature = keys.sign(PRIVATE, b"message")
    keys.verify(PUBLIC, b"message", signature)
    other = keys.public_text(keys.new_private_key())
    for public, message in ((PUBLIC, b"Message"), (PUBLIC, b""), (other, b"message")):
        with pytest.raises(BadSignature):
            keys.verify(public, message, signature)


def test_every_flipped_bit_of_a_signature_is_noticed():
    raw = bytearray(base64.b64decode(keys.sign(PRIVATE, b"message")))
    for place in range(0, len(raw) * 8, 7):
        flipped = bytearray(raw)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(BadSignature):
            keys.verify(PUBLIC, b"message", base64.b64encode(flipped).decode())


@pytest.mark.parametrize("text", ["", "====", "short", "é" * 88, "A" * 87, "A" * 88 + "\n", "A" * 92, "\x00"])
def test_what_is_no_signature_or_key_is_refused_not_a_crash(text):
    with pytest.raises(BadSignature):
        keys.verify(PUBLIC, b"message", text)
    with pytest.raises(BadSignature):
        keys.verify(text, b"message", keys.sign(PRIVATE, b"message"))


def test_a_key_has_a_short_name_of_its_own():
    assert keys.key_id(PUBLIC) == keys.key_id(PUBLIC)
    assert len(keys.key_id(PUBLIC)) == 16
    assert keys.key_id(PUBLIC) != keys.key_id(keys.public_text(keys.new_private_key()))


def test_the_test_vector_of_rfc_8032_holds():
    private = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    signature = (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b"
    )
    assert keys.public_text(private) == base64.b64encode(bytes.fromhex(public)).decode()
    assert keys.sign(private, b"") == base64.b64encode(bytes.fromhex(signature)).decode()
