"""The catalogue over HTTP: shapes, statuses, problems."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from server.catalog import renditions, uploads
from server.catalog.renditions import NewFile, NewRendition
from server.config import Config
from server.db import Database

Bearer = Callable[[str], dict[str, str]]
FILM = bytes(range(256)) * 10


class Program:
    """Somebody's program that calls the API."""

    def __init__(self, client: FlaskClient, headers: dict[str, str]) -> None:
        self._client, self._headers = client, headers

    def __call__(self, method: str, path: str, *, expect: int = 200, **kwargs: Any) -> Any:
        answer = self._client.open(f"/api/v1{path}", method=method, headers=self._headers, **kwargs)
        assert answer.status_code == expect, answer.get_data(as_text=True)
        if expect >= 400:
            assert answer.content_type == "application/problem+json"
        return answer.get_json() if answer.data else answer


@pytest.fixture
def call(app: Flask, bearer: Bearer) -> Callable[[str], Program]:
    """``call("county")("GET", "/programmes")``"""
    return lambda username: Program(app.test_client(), bearer(username))


@pytest.fixture
def county(call: Callable[[str], Program]) -> Program:
    return call("county")


def send(program: Program, data: bytes = FILM, filename: str = "用电.mp4") -> str:
    """A whole upload; its id."""
    upload = program("POST", "/uploads", json={"filename": filename, "size": len(data)}, expect=201)
    program("PUT", f"/uploads/{upload['id']}/parts/1", data=data)
    program("POST", f"/uploads/{upload['id']}/complete", json={})
    return upload["id"]


def create(program: Program, **fields: Any) -> Any:
    body = {"title": "农村安全用电", "section": "科普健康", **fields}
    if "upload" not in body and "asset" not in body:
        body["upload"] = send(program)
    return program("POST", "/programmes", json=body, expect=201)


def encode(database: Database) -> None:
    """What the transcoder does."""
    digest = hashlib.sha256(b"x").hexdigest()
    with database.write() as session:
        for asset in renditions.claim_uploaded(session):
            renditions.record_ready(
                session,
                asset.id,
                [
                    NewRendition(
                        profile="360p", profile_version=1, sha256=digest, length=1, pieces_root=digest,
                        width=640, height=360, bitrate=400_000, duration_ms=5_000,
                    )
                ],
                [NewFile("poster", digest, 1, digest)],
                5_000,
                {},
                now=uploads_now(),
            )  # fmt: skip


def uploads_now() -> Any:
    from server import clock

    return clock.now()


def test_shelves_are_listed(county: Program) -> None:
    assert len(county("GET", "/sections")["items"]) == 12
    assert county("GET", "/departments")["items"][4] == {
        "slug": "nongye",
        "name": "省农业厅",
        "name_en": "Department of Agriculture",
        "position": 5,
    }


def test_a_file_goes_up_in_parts_and_its_state_is_told(county: Program, config: Config) -> None:
    upload = county("POST", "/uploads", json={"filename": "用电.mp4", "size": len(FILM)}, expect=201)
    assert (upload["part_size"], upload["part_count"], upload["parts"]) == (8 * 1024 * 1024, 1, [])
    etag = hashlib.sha256(FILM).hexdigest()
    part = county("PUT", f"/uploads/{upload['id']}/parts/1", data=FILM)
    assert part == {"number": 1, "size": len(FILM), "etag": etag}
    assert county("GET", f"/uploads/{upload['id']}")["parts"] == [part]
    assert [u["id"] for u in county("GET", "/uploads")["items"]] == [upload["id"]]
    done = county("POST", f"/uploads/{upload['id']}/complete", json={"sha256": etag})
    assert (done["sha256"], done["known"], done["job"]["state"]) == (etag, False, "queued")
    assert county("GET", "/uploads")["items"] == []
    assert county("GET", f"/uploads/{upload['id']}")["asset"] == done["id"]
    assert uploads.kept_path(config.uploads, upload["id"]).read_bytes() == FILM


def test_a_part_answers_with_its_etag_as_s3_does(app: Flask, bearer: Bearer) -> None:
    headers, client = bearer("county"), app.test_client()
    upload = client.post("/api/v1/uploads", json={"filename": "a", "size": 1}, headers=headers).get_json()
    answer = client.put(f"/api/v1/uploads/{upload['id']}/parts/1", data=b"x", headers=headers)
    assert answer.headers["ETag"] == f'"{hashlib.sha256(b"x").hexdigest()}"'


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "application/json", "text/plain"])
def test_a_parts_bytes_are_bytes_whatever_they_are_called(app: Flask, bearer: Bearer, kind: str) -> None:
    headers, client = bearer("county"), app.test_client()
    upload = client.post("/api/v1/uploads", json={"filename": "a", "size": 9}, headers=headers).get_json()
    answer = client.put(
        f"/api/v1/uploads/{upload['id']}/parts/1", data=b"a=b&c={}!", headers=headers, content_type=kind
    )
    assert answer.status_code == 200, answer.get_data(as_text=True)


def test_an_upload_given_up_is_gone(county: Program, config: Config) -> None:
    upload = county("POST", "/uploads", json={"filename": "a", "size": 3}, expect=201)["id"]
    county("PUT", f"/uploads/{upload}/parts/1", data=b"abc")
    county("DELETE", f"/uploads/{upload}", expect=204)
    assert list(config.uploads.iterdir()) == []
    problem = county("PUT", f"/uploads/{upload}/parts/1", data=b"abc", expect=409)
    assert problem["code"] == "upload_aborted"


def test_bad_uploads_are_problems_in_words(county: Program, config: Config) -> None:
    for body, status, code in (
        ({"filename": "空.mp4", "size": 0}, 422, "empty"),
        ({"filename": "", "size": 1}, 422, "filename"),
        ({"filename": "大.mp4", "size": 2**50}, 413, "too_large"),
        ({"filename": "x"}, 422, "schema"),
        ({"filename": "x", "size": "big"}, 422, "schema"),
        ({"filename": "x" * 3_000, "size": 1}, 422, "schema"),
    ):
        assert county("POST", "/uploads", json=body, expect=status)["code"] == code, body
    upload = county("POST", "/uploads", json={"filename": "a.mp4", "size": 3}, expect=201)["id"]
    assert county("PUT", f"/uploads/{upload}/parts/1", data=b"ab", expect=422)["code"] == "part_size"
    assert county("PUT", f"/uploads/{upload}/parts/1", data=b"abcd", expect=422)["code"] == "part_size"
    assert county("PUT", f"/uploads/{upload}/parts/2", data=b"abc", expect=422)["code"] == "part_number"
    problem = county("POST", f"/uploads/{upload}/complete", json={}, expect=422)
    assert (problem["code"], problem["detail"]) == ("parts_missing", "“a.mp4”还缺第 1 段")
    uploads.open_path(config.uploads, upload).unlink()
    uploads.open_path(config.uploads, upload).symlink_to("/dev/full")
    assert county("PUT", f"/uploads/{upload}/parts/1", data=b"abc", expect=507)["code"] == "disk_full"
    for path in ("nonsense", "01935d5e-7c00-7000-8000-000000000001"):
        county("GET", f"/uploads/{path}", expect=404)


def test_an_upload_is_hidden_from_everybody_else(county: Program, call: Callable[[str], Program]) -> None:
    upload = county("POST", "/uploads", json={"filename": "a", "size": 3}, expect=201)["id"]
    for username in ("neighbour", "nongye", "admin"):
        other = call(username)
        other("GET", f"/uploads/{upload}", expect=404)
        other("PUT", f"/uploads/{upload}/parts/1", data=b"abc", expect=404)
        other("DELETE", f"/uploads/{upload}", expect=404)
    call("station")("POST", "/uploads", json={"filename": "a", "size": 3}, expect=403)


def test_a_programme_is_shown_with_its_renditions_once_encoded(county: Program, database: Database) -> None:
    programme = create(county)
    assert programme["section"]["name"] == "科普健康"
    assert (programme["state"], programme["job"]["state"], programme["renditions"]) == ("draft", "queued", [])
    encode(database)
    ready = county("GET", f"/programmes/{programme['id']}")
    assert (ready["job"]["state"], ready["job"]["progress"], ready["duration_ms"]) == ("done", 100, 5_000)
    (rendition,) = ready["renditions"]
    assert {name: rendition[name] for name in ("profile", "bytes", "width", "height", "duration_ms", "bitrate")} == {
        "profile": "360p", "bytes": 1, "width": 640, "height": 360, "duration_ms": 5_000, "bitrate": 400_000,
    }  # fmt: skip
    assert rendition["url"] == f"/m/{rendition['sha256']}"
    assert ready["files"][0]["kind"] == "poster"
    (listed,) = county("GET", "/programmes")["items"]
    assert listed["poster"] == ready["files"][0]["url"]


def test_a_programme_is_found_by_its_editions_id_too(county: Program) -> None:
    programme = create(county)
    assert county("GET", f"/programmes/{programme['edition']}")["id"] == programme["id"]
    assert county("GET", f"/editions/{programme['id']}")["id"] == programme["edition"]


def test_the_chain_of_reviews_runs_over_http(
    county: Program, call: Callable[[str], Program], database: Database
) -> None:
    programme = create(county)
    edition = programme["edition"]
    assert programme["editions"][0]["may"] == ["submit", "withdraw"]
    county("POST", f"/editions/{edition}/submit", json={})
    first = call("first")
    assert first("GET", f"/editions/{edition}")["may"] == ["review:first"]
    first("POST", f"/editions/{edition}/reviews", json={"stage": "first", "approve": True})
    call("second")("POST", f"/editions/{edition}/reviews", json={"stage": "second", "approve": True})
    final, decision = call("final"), {"stage": "final", "approve": True}
    assert final("POST", f"/editions/{edition}/reviews", json=decision, expect=409)["code"] == "not_ready"
    encode(database)
    released = final("POST", f"/editions/{edition}/reviews", json=decision)
    assert released["state"] == "released"
    assert [r["reviewer"]["name"] for r in released["reviews"]] == ["first 同志", "second 同志", "final 同志"]
    assert county("GET", f"/programmes/{programme['id']}")["number"] == 1
    county("POST", f"/editions/{edition}/withdraw", json={"reason": "过时"})


def test_wrong_moves_are_problems(county: Program, call: Callable[[str], Program]) -> None:
    edition = create(county)["edition"]
    path = f"/editions/{edition}/reviews"
    first = call("first")
    for body, status, code in (
        ({"stage": "first", "approve": True}, 409, "not_at_stage"),
        ({"stage": "third", "approve": True}, 422, "schema"),
        ({"stage": "first"}, 422, "schema"),
        ({}, 422, "schema"),
        ({"stage": "second", "approve": True}, 403, "forbidden"),
    ):
        assert first("POST", path, json=body, expect=status)["code"] == code, body
    county("POST", path, json={"stage": "first", "approve": True}, expect=403)
    county("POST", f"/editions/{edition}/submit", json={})
    county("POST", f"/editions/{edition}/submit", json={}, expect=409)
    no_reason = {"stage": "first", "approve": False}
    assert first("POST", path, json=no_reason, expect=422)["code"] == "no_comment"


def test_a_programme_names_one_source_that_is_complete(county: Program) -> None:
    half = county("POST", "/uploads", json={"filename": "a", "size": 3}, expect=201)["id"]
    base = {"title": "x", "section": "kepu"}
    for body, status in (
        (base, 422),
        ({**base, "upload": half}, 422),
        ({**base, "upload": half, "asset": half}, 422),
        ({**base, "upload": "nonsense"}, 404),
        ({**base, "asset": "nonsense"}, 404),
        ({**base, "title": 7, "upload": half}, 422),
    ):
        county("POST", "/programmes", json=body, expect=status)
    assert county("GET", "/programmes")["items"] == []


def test_rights_are_kept_and_a_date_that_is_none_is_refused(county: Program) -> None:
    rights = {"source": "县供电公司", "licence": "本网使用", "valid_until": "2027-12-31T16:00:00.000Z"}
    programme = create(county, rights=rights)
    assert programme["rights"] == {**rights, "valid_from": None, "regions": []}
    wrong = {"rights": {"valid_until": "2027-99-31T16:00:00.000Z"}}
    county("PATCH", f"/programmes/{programme['id']}", json=wrong, expect=422)


def test_words_are_changed_before_review_only(county: Program) -> None:
    programme = create(county)
    path = f"/programmes/{programme['id']}"
    assert county("PATCH", path, json={"title": "安全用电"})["title"] == "安全用电"
    county("POST", f"/editions/{programme['edition']}/submit", json={})
    county("PATCH", path, json={"title": "偷偷改"}, expect=409)


def test_a_second_edition_is_added_over_http(
    county: Program, call: Callable[[str], Program], database: Database
) -> None:
    programme = create(county)
    path = f"/programmes/{programme['id']}/editions"
    another = send(county, b"another film", "2.mp4")
    county("POST", path, json={"upload": another}, expect=409)
    county("POST", f"/editions/{programme['edition']}/withdraw", json={})
    assert county("POST", path, json={"upload": another}, expect=201)["number"] == 2


def test_another_regions_account_finds_nothing(county: Program, call: Callable[[str], Program]) -> None:
    programme = create(county)
    neighbour = call("neighbour")
    assert neighbour("GET", "/programmes")["items"] == []
    neighbour("GET", f"/programmes/{programme['id']}", expect=404)
    neighbour("GET", f"/editions/{programme['edition']}", expect=404)
    neighbour("POST", f"/editions/{programme['edition']}/submit", json={}, expect=404)
    neighbour("PATCH", f"/programmes/{programme['id']}", json={"title": "x"}, expect=404)


def test_lists_are_filtered_and_paged(county: Program) -> None:
    source = send(county)
    for title in ("一", "二", "三"):
        create(county, title=title, upload=source)
    page = county("GET", "/programmes?limit=2")
    assert [p["title"] for p in page["items"]] == ["三", "二"]
    rest = county("GET", f"/programmes?limit=2&after={page['next']}")
    assert ([p["title"] for p in rest["items"]], rest["next"]) == (["一"], None)
    assert [p["title"] for p in county("GET", "/programmes?q=二&state=draft")["items"]] == ["二"]
    county("GET", "/programmes?state=nonsense", expect=422)
    county("GET", "/programmes?after=nonsense", expect=404)
