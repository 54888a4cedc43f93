"""Two administrators, their PINs, and who is signed in."""

from __future__ import annotations

import subprocess
import sys

import pytest

from client_agent.book import Book
from client_agent.desk.people import (
    AFTER_STUDY_MS,
    FIRST_WAIT_MS,
    IDLE_MS,
    LONGEST_WAIT_MS,
    NotAllowed,
    People,
    PinRefused,
    wait_after,
)
from tests.client_agent.station import Machine

NOON_MS = 1_795_320_000_000


@pytest.fixture
def machine():
    return Machine(NOON_MS)


@pytest.fixture
def book(tmp_path):
    made = Book(tmp_path / "book.sqlite")
    yield made
    made.close()


@pytest.fixture
def people(book, machine):
    made = People(book, machine)
    made.keep("A", "张三", "2580")
    return made


def tries(people, *pins, post="A"):
    """The words of what became of each try; "in" for one that was taken."""
    said = []
    for pin in pins:
        try:
            people.sign_in(post, pin)
            said.append("in")
        except PinRefused as refused:
            said.append(refused.word)
    return said


def test_the_first_person_is_a_and_sets_his_own_pin(book, machine):
    people = People(book, machine)
    with pytest.raises(NotAllowed):
        people.keep("B", "李四", "1470")
    people.keep("A", " 张  三 ", "2580")
    assert people.label("A") == "A 张 三"
    assert people.who() == ""
    assert tries(people, "2580") == ["in"]
    assert people.who() == "A"


def test_b_is_added_by_a_and_nobody_from_the_street(people):
    with pytest.raises(NotAllowed):
        people.keep("B", "李四", "1470")
    people.sign_in("A", "2580")
    people.keep("B", "李四", "1470")
    people.sign_in("B", "1470")
    assert people.who() == "B"


@pytest.mark.parametrize("pin", ["123", "1234567", "12a4", "１２３９", "", "3.14"])
def test_a_pin_is_four_to_six_digits(book, machine, pin):
    with pytest.raises(PinRefused, match="form"):
        People(book, machine).keep("A", "张三", pin)


@pytest.mark.parametrize("pin", ["0000", "1234", "987654"])
def test_what_everybody_guesses_first_is_no_pin(book, machine, pin):
    with pytest.raises(PinRefused, match="easy"):
        People(book, machine).keep("A", "张三", pin)


def test_the_pin_itself_stands_nowhere_and_equal_pins_look_different(people, book):
    people.sign_in("A", "2580")
    people.keep("B", "李四", "2580")
    rows = book.rows("SELECT salt, hash FROM people")
    assert len({bytes(hashed) for _, hashed in rows}) == 2
    assert b"2580" not in b"".join(bytes(part) for row in rows for part in row)


def test_after_five_wrong_tries_the_right_one_waits_too_and_the_wait_grows(people, machine):
    assert tries(people, *["1111"] * 5, "2580") == ["wrong"] * 5 + ["locked"]
    machine.pass_s(FIRST_WAIT_MS / 1000)
    assert tries(people, "1111", "2580") == ["wrong", "locked"]
    assert people.waits_ms("A") == 2 * FIRST_WAIT_MS
    machine.pass_s(2 * FIRST_WAIT_MS / 1000)
    assert tries(people, "2580") == ["in"]
    assert tries(people, *["1111"] * 4, "2580") == ["wrong"] * 4 + ["in"]


def test_the_wait_has_an_end():
    assert [wait_after(n) for n in (0, 4, 5, 6, 1_000)] == [
        0,
        0,
        FIRST_WAIT_MS,
        2 * FIRST_WAIT_MS,
        LONGEST_WAIT_MS,
    ]


def test_neither_a_restart_nor_another_boot_nor_a_clock_set_ahead_ends_the_wait(people, book, machine):
    tries(people, *["1111"] * 5)
    assert tries(People(book, machine), "2580") == ["locked"]
    machine.reading = machine.reading.__class__("boot-2", 5_000, NOON_MS + 90 * 86_400_000)
    again = People(book, machine)
    assert tries(again, "2580") == ["locked"]
    assert again.waits_ms("A") == FIRST_WAIT_MS
    machine.pass_s(FIRST_WAIT_MS / 1000 - 1)
    assert tries(again, "2580") == ["locked"]
    machine.pass_s(1)
    assert tries(again, "2580") == ["in"]


def test_the_plug_pulled_in_the_middle_of_a_try_does_not_give_it_back(people, book, machine, monkeypatch):
    class PowerCut(BaseException):
        pass

    def cut(*_):
        raise PowerCut

    with monkeypatch.context() as during:
        during.setattr("client_agent.desk.people.hashed", cut)
        for _ in range(5):
            with pytest.raises(PowerCut):
                people.sign_in("A", "2580")
    assert tries(People(book, machine), "2580") == ["locked"]


def test_a_pin_s_sixteen_megabytes_are_given_back():
    """Each PIN comes in a thread of its own, as from the page."""
    code = """
import resource, threading
from client_agent.desk.people import hashed
def used():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() / 1e6
def hash_one():
    thread = threading.Thread(target=hashed, args=("2580", b"salt" * 4))
    thread.start()
    thread.join()
hash_one()
before = used()
for _ in range(6):
    hash_one()
print(used() - before)
"""
    grown = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    assert float(grown.stdout) < 6


def test_a_wrong_try_of_one_does_not_lock_the_other(people):
    people.sign_in("A", "2580")
    people.keep("B", "李四", "1470")
    tries(people, *["1111"] * 6)
    assert tries(people, "1470", post="B") == ["in"]


def test_who_is_signed_in_is_forgotten_after_twenty_minutes_without_a_key(people, machine):
    people.sign_in("A", "2580")
    machine.pass_s(IDLE_MS / 1000 - 1)
    people.key()
    machine.pass_s(IDLE_MS / 1000 - 1)
    assert people.who() == "A"
    machine.pass_s(1)
    assert people.who() == ""
    people.key()
    assert people.who() == ""


def test_nobody_is_signed_out_in_a_session_and_everybody_five_minutes_after_it(people, machine):
    running = True
    people.studying = lambda: running
    people.sign_in("A", "2580")
    for _ in range(12):
        machine.pass_s(600)
        assert people.who() == "A"
    running = False
    assert people.who() == "A"
    machine.pass_s(AFTER_STUDY_MS / 1000 - 1)
    people.key()
    assert people.who() == "A"
    machine.pass_s(1)
    assert people.who() == ""


def test_a_restart_signs_out(people, book, machine):
    people.sign_in("A", "2580")
    assert People(book, machine).who() == ""


def test_whoever_takes_over_a_post_has_a_pin_of_his_own_and_signs_in_himself(people):
    people.sign_in("A", "2580")
    with pytest.raises(PinRefused):
        people.keep("A", "王五", "")
    assert people.keep("A", "王五", "3690") is True
    assert people.who() == ""
    assert tries(people, "2580", "3690") == ["wrong", "in"]


def test_one_may_change_his_own_pin_and_the_others(people):
    people.sign_in("A", "2580")
    people.keep("B", "李四", "1470")
    assert people.keep("B", "", "8520") is False
    assert people.keep("A", "", "9630") is False
    assert people.label("B") == "B 李四"
    assert tries(people, "9630") == ["in"]
    assert tries(people, "8520", post="B") == ["in"]


def test_a_technician_takes_a_forgotten_pin_away_and_a_new_one_is_set_at_the_set(people):
    tries(people, *["1111"] * 6)
    people.reset("A")
    with pytest.raises(NotAllowed):
        people.sign_in("A", "2580")
    people.keep("A", "", "4680")
    assert tries(people, "4680") == ["in"]
    assert people.label("A") == "A 张三"
    with pytest.raises(NotAllowed):
        people.reset("B")
