"""Publications over HTTP: who may, what comes back, what is said when it cannot be."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from flask import Flask

from server import lease as leases
from server import web
from server.catalog.models import Edition, EditionState
from server.identity.rules import Caller
from server.publish import service
from server.publish.api import blueprint
from tests.publish.conftest import ADMIN, COUNTY, EDITOR, REVIEWERS

PEOPLE: Mapping[str, Caller] = {
    "admin": ADMIN,
    "editor": EDITOR,
    "county": COUNTY,
    "reviewer": next(iter(REVIEWERS.values())),
}


class ByName:
    """Everybody's token is his name."""

    def by_token(self, token: str) -> Caller | None:
        return PEOPLE.get(token)

    def by_session(self) -> Caller | None:
        return None


@pytest.fixture
def client(province):
    app = Flask("server.app")
    app.config.update(SECRET_KEY="test", WTF_CSRF_CHECK_DEFAULT=False)
    app.extensions["yuanbo.config"] = province.config
    app.extensions["yuanbo.database"] = province.database
    app.extensions["yuanbo.store"] = province.store
    app.extensions["yuanbo.authenticator"] = ByName()
    web.init_app(app)
    app.register_blueprint(blueprint)
    return app.test_client()


def as_(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}"}


def publish(province, client, person: str) -> dict:
    """Order a publication, let the worker take its step, look at the order."""
    asked = client.post("/api/v1/publications", headers=as_(person))
    assert asked.status_code == 202
    assert asked.get_json()["state"] == "queued"
    assert province.worker().step()
    return client.get(f"/api/v1/publications/orders/{asked.get_json()['id']}", headers=as_(person)).get_json()


def test_an_editor_publishes_and_hears_what_came_of_it(province, client):
    province.release("冬小麦返青管理")

    order = publish(province, client, "editor")

    assert (order["state"], order["by"]) == ("done", EDITOR.name)
    body = order["answer"]
    assert (body["changed"], body["new_releases"], body["held_back"]) == (True, 1, [])
    assert body["bytes"] > 0
    again = publish(province, client, "editor")["answer"]
    assert (again["changed"], again["number"]) == (False, body["number"])


def test_asking_twice_orders_once(province, client):
    key = {**as_("editor"), "Idempotency-Key": "晚上八点".encode().hex()}
    first = client.post("/api/v1/publications", headers=key).get_json()
    province.worker().step()
    again = client.post("/api/v1/publications", headers=key).get_json()

    assert again["id"] == first["id"]
    assert again["state"] == "done"
    waiting = [client.post("/api/v1/publications", headers=as_("editor")).get_json()["id"] for _ in range(2)]
    assert waiting[0] == waiting[1]
    assert waiting[0] != first["id"]
    others = {**as_("admin"), "Idempotency-Key": key["Idempotency-Key"]}
    assert client.post("/api/v1/publications", headers=others).get_json()["id"] != first["id"]


def test_what_was_held_back_is_said_in_plain_words_of_the_readers_language(province, client):
    forged = province.upload("没有审过的节目")
    with province.database.write() as session:
        session.get(Edition, forged).state = EditionState.RELEASED

    body = publish(province, client, "admin")["answer"]

    [held] = body["held_back"]
    assert (held["kind"], held["subject"], held["title"]) == ("edition", forged, "没有审过的节目")
    assert held["reasons"] == [{"code": "not_reviewed", "text": "审计链里没有三审通过的记录"}]


@pytest.mark.parametrize("person", ["county", "reviewer"])
def test_others_may_look_but_not_publish(client, person):
    assert client.post("/api/v1/publications", headers=as_(person)).status_code == 403
    assert client.get("/api/v1/publications", headers=as_(person)).status_code == 200


def test_strangers_see_nothing(client):
    assert client.post("/api/v1/publications").status_code == 401
    assert client.get("/api/v1/publications").status_code == 401


def test_publications_are_listed_newest_first_page_by_page(province, client, monkeypatch):
    monkeypatch.setattr(service, "PAGE", 2)
    for title in ("一", "二", "三"):
        province.release(title)
        province.publish()

    first = client.get("/api/v1/publications", headers=as_("admin")).get_json()
    second = client.get("/api/v1/publications", query_string={"after": first["next"]}, headers=as_("admin"))

    numbers = [item["number"] for item in first["items"] + second.get_json()["items"]]
    assert len(numbers) == 4
    assert numbers == sorted(numbers, reverse=True)
    assert first["items"][0]["by"] == "测试"
    assert first["items"][0]["summary"]["new_releases"] == 1


def test_one_publication_can_be_looked_at(province, client):
    province.release("一")
    number = province.publish().number

    found = client.get(f"/api/v1/publications/{number}", headers=as_("admin")).get_json()

    assert (found["number"], found["state"], found["snapshot_version"]) == (number, "done", number)
    missing = client.get("/api/v1/publications/99999", headers=as_("admin"))
    assert missing.status_code == 404
    assert missing.content_type == "application/problem+json"


def test_an_order_waits_while_somebody_else_publishes(province, client):
    asked = client.post("/api/v1/publications", headers=as_("admin")).get_json()
    with leases.held(province.database, service.LEASE, lasts_ms=60_000):
        assert not province.worker().step()
    look = f"/api/v1/publications/orders/{asked['id']}"
    assert client.get(look, headers=as_("admin")).get_json()["state"] == "queued"

    assert province.worker().step()

    assert client.get(look, headers=as_("admin")).get_json()["state"] == "done"


def test_a_damaged_read_plane_is_said_in_words(province, client):
    for path in province.config.read.glob("r/metadata/*.snapshot.json"):
        path.write_bytes(b"{}")

    order = publish(province, client, "admin")

    assert order["state"] == "failed"
    assert (order["problem"]["status"], order["problem"]["code"]) == (503, "read_plane_damaged")
    assert order["problem"]["detail"]


def test_two_publications_are_compared_in_words(province, client):
    first = province.publish().number
    edition = province.release("冬小麦返青管理")
    province.place(edition)
    second = province.publish().number

    found = client.get(
        "/api/v1/publications/compare", query_string={"first": second, "second": first}, headers=as_("county")
    ).get_json()

    assert found["admitted"] == [{"edition": edition, "title": "冬小麦返青管理"}]
    [frame] = found["documents"]
    assert frame["region"] == "13"
    assert "12-05 19:00 新增《冬小麦返青管理》" in [line["text"] for line in frame["lines"]]


@pytest.mark.parametrize(("first", "second", "status"), [(1, 1, 422), (1, 99_999, 404)])
def test_what_cannot_be_compared_is_said(province, client, first, second, status):
    answer = client.get(
        "/api/v1/publications/compare", query_string={"first": first, "second": second}, headers=as_("admin")
    )
    assert answer.status_code == status


def test_the_queue_is_worked_over_http(province, client):
    edition = province.release("冬小麦返青管理")
    province.publish()
    province.place(edition)
    province.worker().step()
    [waiting] = client.get("/api/v1/publications/queue", headers=as_("admin")).get_json()["items"]
    assert [reason["code"] for reason in waiting["reasons"]] == ["frame"]
    path = f"/api/v1/publications/queue/{waiting['id']}"

    own = client.post(f"{path}/approve", json={}, headers=as_("editor"))
    speechless = client.post(f"{path}/return", json={}, headers=as_("admin"))
    approved = client.post(f"{path}/approve", json={"comment": "好"}, headers=as_("admin"))

    assert (own.status_code, speechless.status_code, approved.status_code) == (403, 422, 200)
    assert approved.get_json()["state"] == "approved"
    assert client.post(f"{path}/return", json={"comment": "不"}, headers=as_("admin")).status_code == 409
    assert client.get("/api/v1/publications/queue", headers=as_("county")).get_json()["items"] == []
