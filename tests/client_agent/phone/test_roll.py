"""Reading a list of names, and whose tap counts."""

from __future__ import annotations

from client_agent.phone.roll import Counts, Mark, Person, clean_name, count, newest, read_names

PEOPLE = [Person(1, "王建国", True), Person(2, "李秀英", False), Person(3, "张伟", True)]


def test_a_pasted_list_is_read_with_numbers_commas_and_what_each_one_is():
    text = "1. 王建国 党员\n2、李秀英（群众）\r\n（3）张 伟\n\n赵桂兰，刘志强(党员)；欧阳娜仁"
    assert read_names(text) == [
        ("王建国", True),
        ("李秀英", False),
        ("张 伟", False),
        ("赵桂兰", False),
        ("刘志强", True),
        ("欧阳娜仁", False),
    ]


def test_where_a_list_says_nothing_the_choice_holds():
    assert read_names("王建国\n李秀英 群众", party=True) == [("王建国", True), ("李秀英", False)]


def test_a_name_keeps_its_letters_whatever_they_are_and_loses_what_cannot_be_seen():
    assert clean_name("<b>王</b>\u0000\u202e \t 五") == "<b>王</b> 五"
    assert clean_name("长" * 50) == "长" * 20
    assert clean_name(" \u200b\n") == ""


def test_of_one_person_the_last_tap_counts_in_whatever_order_the_taps_arrive():
    kept = {1: Mark(1, present=True, at_ms=100)}
    news = newest(kept, [Mark(1, False, 90), Mark(2, True, 50), Mark(2, False, 60), Mark(2, True, 55)])
    assert news == {2: Mark(2, False, 60)}
    assert newest(kept, [Mark(1, False, 101)]) == {1: Mark(1, False, 101)}


def test_members_and_others_are_counted_and_who_stands_on_no_list_is_of_the_public():
    marks = {1: Mark(1, True, 1), 2: Mark(2, True, 1), 3: Mark(3, False, 2)}
    assert count(PEOPLE, marks, others=4) == Counts(expected=3, present=6, members=1, public=5)
    assert count([], {}, others=31) == Counts(0, 31, 0, 31)
