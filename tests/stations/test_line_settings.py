"""Rules of lines: whose region, seen before changed, and told to terminals as they read them."""

from __future__ import annotations

import pytest

from client_agent.line_rules import rules_for
from server.app import create_app
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.identity.rules import Role
from server.stations import line_settings
from server.stations.line_pages import limit_of
from server.stations.line_settings import Wanted, limited
from tests.stations.office import NOW, VILLAGE, add_person, caller, make_config

ADMIN = caller()
ZHENGDING = caller(Role.COUNTY_OFFICE, "130123")
NIGHTS = Wanted(22, 6, limited(2_000, 8, 22), 20_000_000_000)


def keep(database, region, wanted=NIGHTS, by=ADMIN, version=None):
    with database.write() as session:
        return line_settings.set_rule(session, by, region, wanted, version=version, now=NOW)


def test_the_nearest_rule_holds_here_and_at_the_terminal_alike(places):
    keep(places, "13", Wanted(1, 5))
    keep(places, "130123", by=ZHENGDING)
    with places.read() as session:
        row = line_settings.holding_in(session, VILLAGE)
        told = line_settings.line_rules(session)
        assert line_settings.holding_in(session, "130726100201").region == "13"
    assert row.region == "130123"
    rules = rules_for(VILLAGE, told)
    assert (rules.from_hour, rules.to_hour, rules.monthly_cap_bytes) == (22, 6, 20_000_000_000)
    assert (rules.limit(9), rules.limit(23)) == (250_000, 0)


def test_a_county_rules_its_own_region_only(places):
    with pytest.raises(Forbidden):
        keep(places, "13", by=ZHENGDING)
    with pytest.raises(Forbidden):
        keep(places, "130726", by=ZHENGDING)
    with pytest.raises(Forbidden):
        keep(places, "130123", by=caller(Role.STATION_ADMIN, "130123"))
    with pytest.raises(Forbidden), places.write() as session:
        line_settings.set_poll(session, ZHENGDING, 300, now=NOW)


def test_who_was_slower_is_told_and_changes_nothing(places):
    keep(places, "130123")
    with pytest.raises(Conflict):
        keep(places, "130123", Wanted(0, 24))
    assert keep(places, "130123", Wanted(0, 24), version=1).version == 2
    with pytest.raises(Conflict), places.write() as session:
        line_settings.drop_rule(session, ADMIN, "130123", version=1, now=NOW)
    with places.write() as session:
        line_settings.drop_rule(session, ADMIN, "130123", version=2, now=NOW)
    with pytest.raises(NotFound), places.write() as session:
        line_settings.drop_rule(session, ADMIN, "130123", version=2, now=NOW)


@pytest.mark.parametrize(
    "wanted",
    [Wanted(24, 3), Wanted(-1, 3), Wanted(3, 25), Wanted(3, 3), Wanted(0, 24, (-1,)), Wanted(0, 24, (1,) * 25),
     Wanted(0, 24, (), -1), Wanted(0, 24, (2**40,)), Wanted(0, 24, (), 2**60)],
)  # fmt: skip
def test_a_rule_that_no_terminal_could_follow_is_refused(places, wanted):
    with pytest.raises(Invalid):
        keep(places, "130123", wanted)


@pytest.mark.parametrize("seconds", [1, 59, 86_401, -60])
def test_an_interval_out_of_reason_is_refused(places, seconds):
    with pytest.raises(Invalid), places.write() as session:
        line_settings.set_poll(session, ADMIN, seconds, now=NOW)


@pytest.mark.parametrize("span", [(8, 22), (22, 6), (0, 24), (23, 1), (5, 24)])
def test_a_limit_for_some_hours_reads_back_as_it_was_said(span):
    assert limit_of(list(limited(2_000, *span))) == (2_000, *span)
    assert limit_of([]) is None
    assert limit_of([1_000, 2_000]) == (8, 0, 24)


def test_the_page_keeps_changes_and_drops_a_rule(places, tmp_path, database_url):
    web = create_app(make_config(tmp_path / "data", database_url)).test_client()
    office = add_person(places, Role.COUNTY_OFFICE, "130123")
    form = {"region": "130123", "from_hour": "22", "to_hour": "6", "kilobits": "2000", "limit_from": "8",
            "limit_to": "22", "gigabytes": "20", "version": ""}  # fmt: skip
    assert web.post("/lines", data=form, headers=office).status_code == 302
    page = web.get("/lines", headers=office).get_data(as_text=True)
    assert "正定县" in page
    assert "22:00–6:00 下载" in page
    assert "8:00–22:00 限 2000 千比特/秒" in page
    assert "每月 20.0 GB" in page
    assert 'name="poll_s"' not in page
    web.post("/lines", data=form | {"version": "1", "gigabytes": "x"}, headers=office)
    web.post("/lines/130123/removal", data={"version": "1"}, headers=office)
    assert "还没有规则" in web.get("/lines", headers=office).get_data(as_text=True)
    assert web.get("/lines", headers=add_person(places, Role.TUTOR, "130123")).status_code == 403
