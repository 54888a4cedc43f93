"""A terminal's word that a session takes place, short enough for a QR code."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import keys
from protocol.errors import BadSignature, MalformedBatch
from protocol.ticket import MOST_CHARACTERS, Ticket, check_ticket, read_ticket, write_ticket

TERMINAL = "01890000-0000-7000-8000-000000000001"
SESSION = "01a202da-5062-7a3e-8a5e-b83b1f798d51"
BEGINS = 1_780_000_000_000
HOUR = 3_600_000
PRIVATE = keys.new_private_key()
PUBLIC = keys.public_text(PRIVATE)
TICKET = Ticket(TERMINAL, SESSION, BEGINS, BEGINS + 12 * HOUR, "十二月第一次集中学习")


def test_what_was_signed_is_read_and_holds_from_an_hour_before_until_it_expires():
    text = write_ticket(TICKET, PRIVATE)
    found = read_ticket(text)
    assert found.ticket == TICKET
    assert len(text) <= 190
    holds = [
        check_ticket(found, PUBLIC, BEGINS + ms) for ms in (-HOUR - 1, -HOUR, 0, 12 * HOUR - 1, 12 * HOUR)
    ]
    assert holds == [False, True, True, True, False]


def test_a_long_title_is_cut_between_characters():
    text = write_ticket(Ticket(TERMINAL, SESSION, BEGINS, BEGINS + HOUR, "学" * 100), PRIVATE)
    assert read_ticket(text).ticket.title == "学" * 20
    assert len(text) <= MOST_CHARACTERS


def test_a_ticket_holds_at_most_twelve_hours():
    for length in (12 * HOUR + 60_000, 0, -HOUR, HOUR + 1):
        with pytest.raises(ValueError, match="twelve hours"):
            write_ticket(Ticket(TERMINAL, SESSION, BEGINS, BEGINS + length, ""), PRIVATE)
    data = bytearray(base64.urlsafe_b64decode(write_ticket(TICKET, PRIVATE) + "=="))
    data[37:39] = (13 * 60).to_bytes(2, "big")
    with pytest.raises(MalformedBatch):
        read_ticket(base64.urlsafe_b64encode(bytes(data)).decode().rstrip("="))


def test_a_ticket_of_another_key_or_with_any_bit_changed_proves_nothing():
    text = write_ticket(TICKET, PRIVATE)
    with pytest.raises(BadSignature):
        check_ticket(read_ticket(text), keys.public_text(keys.new_private_key()), BEGINS)
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1
        with pytest.raises((BadSignature, MalformedBatch)):
            check_ticket(
                read_ticket(base64.urlsafe_b64encode(bytes(changed)).decode().rstrip("=")), PUBLIC, BEGINS
            )


def test_a_signature_over_something_else_is_no_ticket():
    """A batch's header that happens to have a ticket's form is signed without the ticket's own word."""
    text = write_ticket(TICKET, PRIVATE)
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    forged = data[:-64] + base64.b64decode(keys.sign(PRIVATE, data[:-64]))
    with pytest.raises(BadSignature):
        check_ticket(read_ticket(base64.urlsafe_b64encode(forged).decode().rstrip("=")), PUBLIC, BEGINS)


@given(
    st.one_of(
        st.text(max_size=300), st.binary(max_size=300).map(lambda b: base64.urlsafe_b64encode(b).decode())
    )
)
def test_anything_else_is_refused_as_no_ticket(text):
    with pytest.raises(MalformedBatch):
        read_ticket(text)
