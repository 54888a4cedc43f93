"""Piece layers: the same root however a file is read, and no wrong piece or layer passes."""

from __future__ import annotations

import hashlib
import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import pieces as p
from protocol.errors import BadPieces

ONE = p.PIECE_LENGTH


def content(length: int) -> bytes:
    """Bytes of which no two pieces are alike."""
    return random.Random(length).randbytes(length)


@pytest.mark.parametrize("length", [0, 1, ONE - 1, ONE, ONE + 1, 3 * ONE, 5 * ONE + 7])
def test_leaves_and_root_are_what_the_definition_says(length):
    data = content(length)
    layer = p.piece_layer_of(data)

    leaves = [hashlib.sha256(data[at : at + ONE]).digest() for at in range(0, length, ONE)]
    assert layer.layer == b"".join(leaves)
    assert layer.length == length
    assert layer.sha256 == hashlib.sha256(data).hexdigest()
    assert layer.root == root_by_recursion(leaves).hex()
    assert p.piece_count(length) == len(leaves)


def root_by_recursion(leaves: list[bytes]) -> bytes:
    """BEP 52's shape, written the other way round: from the root down."""
    if not leaves:
        return bytes(32)
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    right = leaves[half:] + [bytes(32)] * (2 * half - len(leaves))
    return hashlib.sha256(root_by_recursion(leaves[:half]) + full_root(right)).digest()


def full_root(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    half = len(leaves) // 2
    return hashlib.sha256(full_root(leaves[:half]) + full_root(leaves[half:])).digest()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(min_value=0, max_value=ONE + 9), max_size=5))
def test_the_chunks_a_file_arrives_in_do_not_matter(sizes):
    data = content(sum(sizes))
    hasher, at = p.PieceHasher(), 0
    for size in sizes:
        hasher.update(data[at : at + size])
        at += size

    assert hasher.finish() == p.piece_layer_of(data)


def test_a_file_on_disk_has_the_layer_of_its_bytes(tmp_path):
    data = content(2 * ONE + 5)
    path = tmp_path / "file"
    path.write_bytes(data)

    assert p.piece_layer(path) == p.piece_layer_of(data)


def test_a_layer_is_read_back_and_its_pieces_recognised():
    data = content(2 * ONE + 5)
    layer = p.piece_layer_of(data)

    leaves = p.read_layer(layer.layer, root=layer.root, length=layer.length)

    for index, leaf in enumerate(leaves):
        start, end = p.piece_span(index, layer.length)
        piece = data[start:end]
        assert p.is_piece(piece, leaf)
        assert not p.is_piece(piece[:-1] + bytes([piece[-1] ^ 1]), leaf)
        assert not p.is_piece(piece[:-1], leaf)


@pytest.mark.parametrize(
    "change", [lambda b: b[:-1], lambda b: b + bytes(32), lambda b: b[32:] + b[:32], lambda _: b""]
)
def test_a_layer_that_is_not_the_signed_one_is_refused(change):
    layer = p.piece_layer_of(content(3 * ONE))

    with pytest.raises(BadPieces):
        p.read_layer(change(layer.layer), root=layer.root, length=layer.length)


def test_a_layer_padded_with_zero_leaves_does_not_pass_for_a_longer_file():
    layer = p.piece_layer_of(content(3 * ONE))

    with pytest.raises(BadPieces):
        p.read_layer(layer.layer + bytes(32), root=layer.root, length=layer.length)


def test_spans_cover_the_file_without_gap():
    length = 3 * ONE + 17
    spans = [p.piece_span(index, length) for index in range(p.piece_count(length))]

    assert spans[0][0] == 0
    assert spans[-1][1] == length
    assert all(left[1] == right[0] for left, right in pairwise(spans))


@pytest.mark.parametrize(
    ("have", "runs"),
    [
        ([], []),
        ([True, True], []),
        ([False, False, True], [(0, 2)]),
        ([False, True, False, False], [(0, 1), (2, 4)]),
    ],
)
def test_missing_pieces_are_asked_for_in_runs(have, runs):
    assert p.missing_runs(have) == runs
