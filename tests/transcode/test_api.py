"""Jobs over HTTP and on pages."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from server.app import create_app
from server.catalog.models import Asset
from server.db import Database, new_id
from server.identity.rules import Role
from server.transcode import commands, queueing
from tests.stations.office import NOW, add_person, add_regions, make_config


@pytest.fixture
def app(database: Database, database_url: str, tmp_path: Path) -> Flask:
    add_regions(database)
    return create_app(make_config(tmp_path / "data", database_url))


@pytest.fixture
def job_id(app: Flask, database: Database) -> str:
    with database.write() as session:
        asset = Asset(
            filename="冬小麦.mp4",
            path="uploads/x",
            size=5_000_000,
            sha256="0" * 64,
            uploaded_by=new_id(),
            created_at=NOW,
        )
        session.add(asset)
        session.flush()
        (made,) = queueing.take_uploads(session, now=NOW)
    return made


def test_a_job_is_read_cancelled_and_retried(app: Flask, database: Database, job_id: str) -> None:
    client, admin = app.test_client(), add_person(database, Role.PROVINCE_ADMIN, "13")
    job = client.get(f"/api/v1/jobs/{job_id}", headers=admin).get_json()
    assert (job["filename"], job["state"], job["percent"], job["steps"]) == ("冬小麦.mp4", "queued", 0.0, [])
    listed = client.get("/api/v1/jobs?state=queued", headers=admin).get_json()
    assert [one["id"] for one in listed["items"]] == [job_id]
    assert client.post(f"/api/v1/jobs/{job_id}/urgent", headers=admin).get_json()["priority"] == 1
    assert client.post(f"/api/v1/jobs/{job_id}/cancel", headers=admin).get_json()["state"] == "cancelled"
    assert client.post(f"/api/v1/jobs/{job_id}/cancel", headers=admin).status_code == 409
    assert client.post(f"/api/v1/jobs/{job_id}/retry", headers=admin).get_json()["state"] == "queued"
    assert (
        client.post(f"/api/v1/jobs/{job_id}/priority", json={"level": "low"}, headers=admin).get_json()[
            "level"
        ]
        == "low"
    )
    nonsense = client.post(f"/api/v1/jobs/{job_id}/priority", json={"level": "first"}, headers=admin)
    assert nonsense.status_code == 422
    for method in (client.get, client.post):
        assert method("/api/v1/jobs/outdated", headers=admin).get_json()["items"] == []
    assert client.get("/api/v1/jobs?state=nonsense", headers=admin).status_code == 422
    assert client.get("/api/v1/executors", headers=admin).get_json()["items"] == []


def test_another_countys_people_do_not_learn_of_a_job(app: Flask, database: Database, job_id: str) -> None:
    client, editor = app.test_client(), add_person(database, Role.COUNTY_EDITOR, "130726")
    assert client.get(f"/api/v1/jobs/{job_id}", headers=editor).status_code == 404
    assert client.get("/api/v1/jobs", headers=editor).get_json()["items"] == []
    assert client.post(f"/api/v1/jobs/{job_id}/cancel", headers=editor).status_code == 403
    assert client.get(f"/api/v1/jobs/{job_id}").status_code == 401


def test_the_pages_show_the_queue_and_a_job(app: Flask, database: Database, job_id: str) -> None:
    client, admin = app.test_client(), add_person(database, Role.PROVINCE_ADMIN, "13")
    paths = ("/jobs", "/jobs?state=queued", "/jobs/fragment", f"/jobs/{job_id}", f"/jobs/{job_id}/fragment")
    for path in paths:
        page = client.get(path, headers=admin)
        assert page.status_code == 200
        assert "冬小麦.mp4" in page.text


def test_a_job_is_a_bar_in_the_terminal() -> None:
    job = {
        "percent": 50.0,
        "step": "encode",
        "state": "running",
        "fps": 71.6,
        "eta_s": 65,
        "filename": "片.mp4",
    }
    assert commands.draw_bar(job) == f"{'█' * 12}{'░' * 12}  50.0 %  encode  72 fps  1:05  片.mp4"
