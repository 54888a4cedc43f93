"""Restored or cloned, one device or two: what the order of epochs gives away."""

from __future__ import annotations

from server.stats.forks import Life, judge


def life(epoch, prev=None, prev_last=0, hwm=10, span=(0, 1)):
    return Life(epoch, prev, prev_last, hwm, span)


def verdict(*lives, after=None):
    """``after``: (epoch, number) → span of the records beyond."""
    return judge(lives, lambda epoch, number: (after or {}).get((epoch, number)))


def test_a_line_of_restarts_is_nothing_special():
    found = verdict(life("a", hwm=50), life("b", "a", 50), life("c", "b", 10))
    assert not found.copied
    assert found.disputed == {}


def test_a_successor_that_forgot_numbers_shows_a_restored_disk():
    found = verdict(life("a", hwm=80), life("b", "a", 50, span=(100, 200)), after={("a", 50): (50, 80)})
    assert found.copied
    assert found.disputed == {}


def test_two_successors_one_after_the_other_show_a_restored_disk():
    found = verdict(life("a", hwm=50), life("b", "a", 50, span=(60, 90)), life("c", "a", 50, span=(100, 200)))
    assert found.copied
    assert found.disputed == {}


def test_two_successors_at_once_are_disputed_with_all_that_follows():
    found = verdict(
        life("a", hwm=50),
        life("b", "a", 50, span=(60, 90)),
        life("c", "a", 50, span=(70, 80)),
        life("d", "c", 10, span=(95, 99)),
    )
    assert found.disputed == {"b": 0, "c": 0, "d": 0}


def test_an_epoch_that_goes_on_beside_its_copy_is_disputed_from_where_they_part():
    found = verdict(
        life("a", hwm=80, span=(0, 150)), life("b", "a", 50, span=(100, 200)), after={("a", 50): (51, 150)}
    )
    assert found.disputed == {"a": 50, "b": 0}


def test_the_continued_line_counts_with_its_restarts():
    found = verdict(
        life("a", hwm=80, span=(0, 60)),
        life("copy", "a", 50, span=(100, 200)),
        life("next", "a", 80, span=(150, 160)),
        after={("a", 50): (51, 60)},
    )
    assert found.copied
    assert found.disputed == {"a": 50, "copy": 0, "next": 0}


def test_two_first_lives_are_a_wiped_or_copied_disk():
    assert verdict(life("a", span=(0, 5)), life("b", span=(10, 20))).copied
    assert verdict(life("a", span=(0, 15)), life("b", span=(10, 20))).disputed == {"a": 0, "b": 0}


def test_an_epoch_whose_predecessor_is_not_here_yet_waits():
    assert not verdict(life("b", "a", 50)).copied
    assert verdict(life("b", "a", 50), life("c", "a", 50, span=(5, 6))).copied


def test_epochs_without_facts_dispute_nothing():
    found = verdict(life("a", hwm=50), life("b", "a", 50, span=None), life("c", "a", 50))
    assert found.copied
    assert found.disputed == {}


def test_a_circle_that_only_a_liar_can_draw_comes_to_an_end():
    found = verdict(life("a", "c", 1), life("b", "a", 1), life("c", "b", 1), life("d", "d", 1))
    assert found.copied
