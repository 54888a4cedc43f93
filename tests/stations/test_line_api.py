"""Rules of lines, looks and replacement codes over HTTP and on the command line, each within one's own regions."""

from __future__ import annotations

import pytest

from server.app import create_app
from server.identity.rules import Role
from tests.stations.office import VILLAGE, add_person, make_config
from tests.stations.test_replacing import add_station, enrol

RULE = {
    "from_hour": 22,
    "to_hour": 6,
    "bytes_a_second": [0] * 8 + [250_000] * 14,
    "monthly_cap_bytes": 10**10,
}


@pytest.fixture
def web(places, tmp_path, database_url):
    return create_app(make_config(tmp_path / "data", database_url)).test_client()


def test_a_rule_is_set_seen_changed_and_dropped(web, places):
    office = add_person(places, Role.COUNTY_OFFICE, "130123")
    made = web.put("/api/v1/lines/130123", json=RULE, headers=office)
    assert (made.status_code, made.json["version"]) == (200, 1)
    assert web.put("/api/v1/lines/130123", json=RULE, headers=office).status_code == 409
    (row,) = web.get("/api/v1/lines", headers=office).json["items"]
    assert (row["region"], row["to_hour"], row["bytes_a_second"][9]) == ("130123", 6, 250_000)
    for bad in (
        {"from_hour": 25},
        {"bytes_a_second": [-1]},
        {"from_hour": 3, "to_hour": 3},
        {"monthly_cap_bytes": -1},
    ):
        assert (
            web.put("/api/v1/lines/130123", json=RULE | bad | {"version": 1}, headers=office).status_code
            == 422
        )
    assert web.put("/api/v1/lines/130726", json=RULE, headers=office).status_code == 403
    assert web.put("/api/v1/network/poll", json={"poll_s": 300}, headers=office).status_code == 403
    assert web.post("/api/v1/lines/130123/removal", json={"version": 1}, headers=office).status_code == 200
    assert web.get("/api/v1/lines", headers=office).json["items"] == []


def test_a_look_and_a_replacement_code_are_asked_for_by_who_answers_for_the_place(web, places):
    terminal = enrol(places, add_station(places, VILLAGE))
    near, far = (add_person(places, Role.COUNTY_OFFICE, region) for region in ("130123", "130726"))
    asked = web.post(f"/api/v1/terminals/{terminal}/looks", headers=near)
    assert (asked.status_code, asked.json["terminal"]) == (201, terminal)
    assert web.post(f"/api/v1/terminals/{terminal}/looks", headers=near).json["id"] == asked.json["id"]
    assert web.post(f"/api/v1/terminals/{terminal}/looks", headers=far).status_code == 403
    code = web.post(f"/api/v1/terminals/{terminal}/replacement", headers=near)
    assert (code.status_code, len(code.json["code"])) == (201, 19)
    assert web.post(f"/api/v1/terminals/{terminal}/replacement", headers=far).status_code == 404
    assert web.post(f"/api/v1/terminals/{VILLAGE.zfill(32)}/looks", headers=near).status_code == 404
