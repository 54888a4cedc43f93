"""Stations and enrolment as programs and terminals meet them."""

from __future__ import annotations

import base64

import msgspec
import pytest

from protocol import enrolment as wire
from protocol import keys
from protocol.enrolment import agent_proof, derive_key, read_code
from server.identity.rules import Role
from server.readplane import metadata_folder
from server.receiptkey import receipt_public
from tests.stations.office import OTHER_VILLAGE, ROOT, VILLAGE, add_person

STATIONS = "/api/v1/stations"
ENROL = "/api/v1/enrolments"
NOBODY = "01930000-0000-7000-8000-000000000000"


def add_station(web, headers, region=VILLAGE):
    return web.post(STATIONS, json={"region": region, "name": "曲阳桥村站点"}, headers=headers)


@pytest.fixture
def station(web, admin) -> str:
    return add_station(web, admin).get_json()["id"]


@pytest.fixture
def code(web, admin, station) -> str:
    return web.post(f"{STATIONS}/{station}/invitations", headers=admin).get_json()["code"]


def enrol(web, text: str, secret: str | None = None, public: str | None = None):
    code = read_code(text)
    key = derive_key(wire.Code(id=code.id, secret=secret or code.secret))
    public = public or keys.public_text(keys.new_private_key())
    nonce = "ab" * 32
    return web.post(
        ENROL,
        json={
            "id": code.id,
            "public": public,
            "nonce": nonce,
            "proof": agent_proof(key, code.id, public, nonce),
        },
    )


def test_a_county_adds_a_station_and_enrols_its_terminal(web, zhengding, config):
    answer = add_station(web, zhengding)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    station = answer.get_json()
    assert (station["region"], station["kind"], station["terminals"]) == (VILLAGE, "village", [])
    invitation = web.post(f"{STATIONS}/{station['id']}/invitations", headers=zhengding)
    assert invitation.status_code == 201

    enrolled = enrol(web, invitation.get_json()["code"])
    assert enrolled.status_code == 201
    body = msgspec.json.decode(enrolled.get_json()["body"], type=wire.EnrolmentBody)
    assert base64.b64decode(body.root) == ROOT
    assert body.endpoints.api == f"{config.console_url}/api/v1"
    assert body.endpoints.read == list(config.read_urls)
    assert body.receipt_keys == [receipt_public(config)]

    (terminal,) = web.get("/api/v1/terminals", headers=zhengding).get_json()["items"]
    assert (terminal["id"], terminal["station"]) == (body.terminal, station["id"])


def test_another_regions_account_neither_sees_nor_touches(web, station, admin, yuxian):
    assert add_station(web, yuxian).status_code == 403
    assert web.get(STATIONS, headers=yuxian).get_json()["items"] == []
    assert web.get(f"{STATIONS}?region=130123", headers=yuxian).status_code == 403
    assert web.get(f"{STATIONS}/{station}", headers=yuxian).status_code == 404
    assert web.post(f"{STATIONS}/{station}/invitations", headers=yuxian).status_code == 404
    assert web.get("/api/v1/terminals?region=13", headers=yuxian).status_code == 403
    assert web.get(f"/api/v1/terminals?station={station}", headers=yuxian).get_json()["items"] == []
    assert web.get(f"{STATIONS}/{station}", headers=admin).status_code == 200


def test_a_partner_sees_no_stations_and_strangers_nothing(web, places, station):
    partner = add_person(places, Role.PARTNER, "13")
    assert web.get(STATIONS, headers=partner).status_code == 403
    assert web.get(STATIONS).status_code == 401


def test_a_station_or_terminal_that_is_not_there_is_not_found(web, admin):
    for what in ("nonsense", NOBODY):
        assert web.get(f"{STATIONS}/{what}", headers=admin).status_code == 404
        assert web.post(f"{STATIONS}/{what}/invitations", headers=admin).status_code == 404
        assert web.post(f"/api/v1/terminals/{what}/revocation", headers=admin).status_code == 404


def test_a_list_asked_for_wrongly_is_refused_in_plain_words(web, admin):
    for query in ("after=x", "limit=0", "limit=201", "region=13012x", "limit=many"):
        answer = web.get(f"{STATIONS}?{query}", headers=admin)
        assert answer.status_code == 422, query
        assert answer.content_type == "application/problem+json"


def test_lists_page_through(web, admin):
    ids = [add_station(web, admin).get_json()["id"] for _ in range(3)]
    add_station(web, admin, OTHER_VILLAGE)
    first = web.get(f"{STATIONS}?limit=2&region=1301", headers=admin).get_json()
    rest = web.get(f"{STATIONS}?limit=2&region=1301&after={first['next']}", headers=admin).get_json()
    assert [s["id"] for s in first["items"] + rest["items"]] == ids
    assert rest["next"] is None


def test_each_refusal_of_a_code_says_what_to_do(web, code, admin, station):
    assert enrol(web, code, secret="0" * 12).get_json()["code"] == "enrolment_wrong"
    assert enrol(web, code).status_code == 201
    used = enrol(web, code)
    assert used.status_code == 410
    assert used.get_json()["code"] == "enrolment_used"
    assert "注册码已被另一台终端使用" in used.get_json()["detail"]


def test_wrong_tries_stay_counted_though_they_are_refused(web, code):
    for _ in range(wire.CODE_TRIES):
        assert enrol(web, code, secret="0" * 12).status_code == 403
    exhausted = enrol(web, code)
    assert exhausted.status_code == 410
    assert exhausted.get_json()["code"] == "enrolment_exhausted"


def test_before_the_first_publication_a_code_waits_unused(web, code, config):
    root = metadata_folder(config.read) / "1.root.json"
    root.unlink()
    answer = enrol(web, code)
    assert answer.status_code == 503
    root.write_bytes(ROOT)
    assert enrol(web, code).status_code == 201


def test_an_enrolment_that_is_none_is_refused(web):
    for body in ({}, {"id": "AB"}, {"id": "ABCD", "public": "x", "nonce": "y", "proof": "z"}, [], "x"):
        assert web.post(ENROL, json=body).status_code == 422


def test_a_revoked_terminal_is_shown_as_such(web, admin, code):
    enrol(web, code)
    (terminal,) = web.get("/api/v1/terminals", headers=admin).get_json()["items"]
    revoked = web.post(f"/api/v1/terminals/{terminal['id']}/revocation", headers=admin)
    assert revoked.status_code == 200
    assert revoked.get_json()["revoked_at"]
    assert web.post(f"/api/v1/terminals/{terminal['id']}/revocation", headers=admin).status_code == 409
