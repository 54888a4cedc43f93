"""The one table of role × action × region, cell by cell."""

from __future__ import annotations

import itertools

import pytest

from server.errors import Forbidden
from server.identity.rules import ROLE_NAMES, TABLE, Action, Caller, Role, outermost

COLUMNS = (
    Role.PROVINCE_ADMIN, Role.PROVINCE_EDITOR, Role.CITY_EDITOR, Role.COUNTY_EDITOR, Role.PARTNER,
    Role.FIRST_REVIEWER, Role.SECOND_REVIEWER, Role.FINAL_REVIEWER, Role.COUNTY_OFFICE, Role.TOWNSHIP_ADMIN,
    Role.STATION_ADMIN, Role.TUTOR, Role.TECHNICIAN, Role.LEADER,
)  # fmt: skip

#                              pa pe ci co pn r1 r2 r3 of to st tu te le
EXPECTED = """
home.view                       x  x  x  x  x  x  x  x  x  x  x  x  x  x
regions.view                    x  x  x  x  x  x  x  x  x  x  x  x  x  x
regions.manage                  x  .  .  .  .  .  .  .  .  .  .  .  .  .
accounts.manage                 x  .  .  .  .  .  .  .  .  .  .  .  .  .
audit.view                      x  .  .  .  .  .  .  .  .  .  .  .  .  .
catalog.view                    x  x  x  x  x  x  x  x  x  x  x  x  x  x
catalog.view_unreleased         x  x  x  x  .  x  x  x  .  .  .  .  .  x
catalog.upload                  x  x  x  x  x  .  .  .  .  .  .  .  .  .
catalog.submit                  x  x  x  x  x  .  .  .  .  .  .  .  .  .
catalog.withdraw                x  x  x  x  .  .  .  .  .  .  .  .  .  .
catalog.review                  .  .  .  .  .  x  x  x  .  .  .  .  .  .
catalog.settings                x  .  .  .  .  .  .  .  .  .  .  .  .  .
catalog.feeds                   x  x  x  .  .  .  .  .  .  .  .  .  .  .
review.first                    .  .  .  .  .  x  .  .  .  .  .  .  .  .
review.second                   .  .  .  .  .  .  x  .  .  .  .  .  .  .
review.final                    .  .  .  .  .  .  .  x  .  .  .  .  .  .
review.urgent                   x  x  x  x  .  .  .  .  .  .  .  .  .  .
review.countersign              x  .  .  .  .  .  .  x  .  .  .  .  .  .
review.proofread                x  x  x  x  .  x  x  x  .  .  .  .  .  .
duty.view                       x  x  x  x  .  x  x  x  .  .  .  .  .  x
duty.manage                     x  .  .  .  .  .  .  .  .  .  .  .  .  .
protection.view                 x  x  x  x  .  x  x  x  .  .  .  .  .  x
protection.manage               x  .  .  .  .  .  .  .  .  .  .  .  .  .
jobs.view                       x  x  x  x  x  .  .  .  .  .  .  .  x  .
jobs.manage                     x  x  .  .  .  .  .  .  .  .  .  .  x  .
schedule.view                   x  x  x  x  x  x  x  x  x  x  x  x  x  x
schedule.edit                   x  x  x  x  .  .  .  .  .  .  .  .  .  .
notice.approve                  x  x  x  x  .  x  x  x  x  .  .  .  .  .
emergency.propose               x  x  .  .  .  .  .  .  .  .  .  .  .  .
emergency.approve               x  x  .  .  .  .  .  x  .  .  .  .  .  .
schedule.approve                x  x  x  .  .  .  .  .  x  .  .  .  .  x
publish.view                    x  x  x  x  .  x  x  x  x  .  .  .  .  x
publish.run                     x  x  .  .  .  .  .  .  .  .  .  .  .  .
publish.approve                 x  x  x  .  .  .  .  .  x  .  .  .  .  x
stations.view                   x  x  x  x  .  x  x  x  x  x  x  x  x  x
stations.manage                 x  .  .  .  .  .  .  .  x  x  .  .  .  .
stations.look                   x  .  .  .  .  .  .  .  x  .  .  .  .  .
lines.manage                    x  .  .  .  .  .  .  .  x  .  .  .  .  .
evidence.view                   x  .  .  .  .  .  .  .  x  x  x  .  .  x
stats.view                      x  x  x  x  x  x  x  x  x  x  x  x  x  x
"""


def expected() -> dict[tuple[Action, Role], bool]:
    cells = {}
    for line in EXPECTED.strip().splitlines():
        name, *marks = line.split()
        assert len(marks) == len(COLUMNS), name
        for role, mark in zip(COLUMNS, marks, strict=True):
            cells[Action(name), role] = mark == "x"
    return cells


def caller(*grants: tuple[Role, str]) -> Caller:
    return Caller(id="1", username="a", name="a", grants=grants)


def test_every_role_and_action_stands_in_the_table_as_written_here() -> None:
    cells = expected()
    assert set(COLUMNS) == set(Role) == set(ROLE_NAMES)
    assert {action for action, _ in cells} == set(Action) == set(TABLE)
    for action, role in itertools.product(Action, Role):
        who = caller((role, "130123"))
        allowed = cells[action, role]
        assert who.can(action) is allowed, (action, role)
        for region, inside in (
            ("130123", True), ("130123105", True), ("130123105201", True),
            ("13", False), ("1301", False), ("130131", False), ("130124", False),
        ):  # fmt: skip
            assert who.can(action, region) is (allowed and inside), (action, role, region)


def test_a_grant_reaches_down_and_never_up_or_sideways() -> None:
    who = caller((Role.CITY_EDITOR, "1301"))
    assert who.can(Action.SCHEDULE_EDIT, "130123105201")
    assert not who.can(Action.SCHEDULE_EDIT, "13")
    assert not who.can(Action.SCHEDULE_EDIT, "1302")


def test_grants_do_not_mix_one_role_with_the_region_of_another() -> None:
    who = caller((Role.COUNTY_EDITOR, "130123"), (Role.LEADER, "13"))
    assert who.can(Action.STATS_VIEW, "1302")
    assert not who.can(Action.SCHEDULE_EDIT, "1302")
    assert who.scopes(Action.SCHEDULE_EDIT) == ("130123",)
    assert who.scopes(Action.STATS_VIEW) == ("13",)


def test_nobody_may_do_anything_without_a_grant() -> None:
    assert not any(caller().can(action) for action in Action)
    with pytest.raises(Forbidden):
        caller().require(Action.HOME_VIEW)


def test_scopes_inside_others_are_left_out() -> None:
    assert outermost(["130123", "1301", "1302", "130123105"]) == ("1301", "1302")
