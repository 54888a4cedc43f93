"""Places by the initials of their names."""

from __future__ import annotations

from server.regions.initials import InitialsIndex, initials


def test_a_name_that_may_be_read_in_two_ways_is_found_by_both():
    index = InitialsIndex([("130726", "蔚县"), ("130123105", "曲阳桥镇"), ("130102", "长安区")])
    assert initials("蔚县") == ["wx", "yx"]
    assert index.find("yx", 5) == index.find("WX", 5) == ["130726"]
    assert index.find("ca", 5) == index.find("za", 5) == ["130102"]
    assert index.find("qyq", 5) == ["130123105"]


def test_larger_places_come_first_and_no_more_than_asked_for():
    index = InitialsIndex([("130123105201", "东庄村"), ("130123", "东城"), ("130124105", "丹东镇")])
    assert index.find("d", 2) == ["130123", "130124105"]
