"""Codes as people type them, and proofs that neither a relay nor a guesser can make."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.enrolment import (
    Code,
    agent_proof,
    derive_key,
    new_code,
    read_code,
    same,
    server_proof,
)
from protocol.errors import BadCode
from protocol.identifiers import CROCKFORD

CODE = Code(id="7KQ2", secret="M3X9TBV4HJ0P")
KEY = derive_key(CODE)


def test_a_code_reads_back_as_it_was_printed():
    code = new_code()
    assert read_code(str(code)) == code
    assert str(CODE) == "7KQ2-M3X9-TBV4-HJ0P"


@pytest.mark.parametrize(
    "typed", ["7kq2-m3x9-tbv4-hj0p", "7KQ2M3X9TBV4HJ0P", " 7KQ2 M3X9 TBV4 HJOP ", "7kq2-m3x9-tbv4-hjop"]
)
def test_a_code_is_read_as_people_type_it(typed):
    assert read_code(typed) == CODE


@pytest.mark.parametrize(
    "typed", ["", "7KQ2", "7KQ2-M3X9-TBV4", "7KQ2-M3X9-TBV4-HJ0P-X", "7KQ2-M3X9-TBV4-HJ0!", "注册码"]
)
def test_what_is_no_code_is_said_so(typed):
    with pytest.raises(BadCode):
        read_code(typed)


@given(st.text(max_size=40))
def test_any_text_is_a_code_or_a_plain_refusal(typed):
    try:
        code = read_code(typed)
    except BadCode:
        return
    assert len(code.id + code.secret) == 16
    assert set(code.id + code.secret) <= set(CROCKFORD)


def test_codes_do_not_repeat_and_use_their_whole_alphabet():
    codes = [new_code() for _ in range(300)]
    assert len({code.secret for code in codes}) == 300
    assert set("".join(code.secret for code in codes)) == set(CROCKFORD)


def test_the_key_depends_on_the_secret_and_on_the_codes_number():
    assert len(KEY) == 32
    assert derive_key(CODE) == KEY
    assert derive_key(Code(id="7KQ3", secret=CODE.secret)) != KEY
    assert derive_key(Code(id=CODE.id, secret="M3X9TBV4HJ0Q")) != KEY


def test_a_proof_binds_every_part_and_the_direction():
    proof = agent_proof(KEY, "7KQ2", "public", "nonce")
    others = {
        agent_proof(derive_key(new_code()), "7KQ2", "public", "nonce"),
        agent_proof(KEY, "7KQ3", "public", "nonce"),
        agent_proof(KEY, "7KQ2", "publik", "nonce"),
        agent_proof(KEY, "7KQ2", "public", "nonse"),
        server_proof(KEY, "body", "public", "nonce"),
        server_proof(KEY, "bodi", "public", "nonce"),
        server_proof(KEY, "body", "public", "nonse"),
    }
    assert len(others) == 7
    assert proof not in others
    assert same(proof, agent_proof(KEY, "7KQ2", "public", "nonce"))
    assert not same(proof, proof[:-1])
