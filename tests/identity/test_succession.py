"""Regions that were merged: said once, by who may, and heard by everybody who must."""

from __future__ import annotations

import pytest

from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.identity import succession
from server.identity.rules import Caller, Role
from server.regions import service as regions
from tests.identity.conftest import NOW

ADMIN = Caller("01890000-0000-7000-8000-0000000000aa", "admin", "管理员", ((Role.PROVINCE_ADMIN, "13"),))
EDITOR = Caller("01890000-0000-7000-8000-0000000000ab", "zd", "编辑", ((Role.COUNTY_EDITOR, "130123"),))


def test_a_merger_said_twice_is_one(database, places):
    with database.write() as session:
        succession.merge(session, ADMIN, "130131", "130123", now=NOW)
        succession.merge(session, ADMIN, "130131", "130123", now=NOW)
        assert regions.successors(session) == {"130131": "130123"}


def test_only_the_province_may_say_so(database, places):
    with database.write() as session, pytest.raises(Forbidden):
        succession.merge(session, EDITOR, "130131", "130123", now=NOW)


@pytest.mark.parametrize(
    ("code", "into", "error"),
    [
        ("130123", "130123", Invalid),
        ("130123", "1301", Invalid),
        ("130123105", "130131", Invalid),
        ("130999", "130123", NotFound),
        ("130123", "130999", NotFound),
    ],
)
def test_what_cannot_be_a_merger_is_refused(database, places, code, into, error):
    with database.write() as session, pytest.raises(error):
        succession.merge(session, ADMIN, code, into, now=NOW)


def test_nobody_merges_into_what_is_merged_nor_in_a_ring(database, places):
    with database.write() as session:
        succession.merge(session, ADMIN, "130131", "130123", now=NOW)
        with pytest.raises(Conflict):
            succession.merge(session, ADMIN, "130123", "130131", now=NOW)
