"""The review desk by page and API: what it shows, what a phone decides, what reviewers are told of a cut."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from server import clock
from server.catalog import desk, programmes, rereviews, review_jobs, service, termlists
from server.catalog.airings import record_airing
from server.catalog.models import Asset, AssetState, Edition, Rendition, Stage, TermScan
from server.catalog.programmes import NewProgramme
from server.catalog.rereview import Reason
from server.catalog.terms import Term
from server.db import Database
from server.errors import Conflict, Forbidden
from server.identity import second_factor
from server.identity.messages import inbox
from server.identity.models import Account, SecondFactor
from server.identity.rules import Caller
from server.identity.service import hash_password
from server.storage import FolderStore, media_key
from tests.catalog.conftest import NOW

People = dict[str, Caller]
Bearer = Callable[[str], dict[str, str]]
PASSWORD = "correct horse 电池"


def nothing(_sha256: str) -> str | None:
    return None


@pytest.fixture
def draft(database: Database, people: People, asset: Callable[..., str]) -> str:
    new = NewProgramme(
        title="冬小麦返青管理",
        section="kepu",
        summary="保证高产",
        asset_id=asset(people["county"], AssetState.READY),
    )
    with database.write() as session:
        edition = programmes.create_programme(session, people["county"], new, now=NOW).editions[0]
        session.execute(update(Asset).values(duration_ms=600_000))
        session.add(
            Rendition(
                asset_id=edition.asset_id,
                profile="review",
                profile_version=1,
                sha256="ab" * 32,
                length=1,
                pieces_root="cd" * 32,
                width=640,
                height=360,
                bitrate=1,
                duration_ms=600_000,
                created_at=NOW,
            )
        )
        session.flush()
        return edition.id


def submit(database: Database, who: Caller, edition: str) -> None:
    with database.write() as session:
        service.submit(session, who, edition, now=NOW)


def release(database: Database, people: People, edition: str) -> None:
    submit(database, people["county"], edition)
    for stage in ("first", "second", "final"):
        with database.write() as session:
            service.decide(session, people[stage], edition, Stage(stage), approve=True, now=NOW)


# --- the API ----------------------------------------------------------------------------------------------------------
def test_the_desk_is_worked_over_http(
    app: Flask, database: Database, people: People, bearer: Bearer, draft: str
) -> None:
    submit(database, people["county"], draft)
    client, first = app.test_client(), bearer("first")

    def post(path: str, body: Any, who: dict[str, str] = first) -> Any:
        return client.post(f"/api/v1/editions/{draft}{path}", json=body, headers=who)

    (row,) = client.get("/api/v1/reviews", headers=first).get_json()["items"]
    assert (row["edition"], row["stage"], row["has_copy"]) == (draft, "first", True)
    made = post("/comments", {"text": "字幕错字", "at_ms": 61_000})
    assert made.status_code == 201
    solved = client.post(
        f"/api/v1/comments/{made.get_json()['id']}/resolve", json={}, headers=bearer("county")
    )
    assert solved.get_json()["resolved"] is True
    assert post("/watched", {"spans": [[0, 15_000]]}).get_json() == {"watched": 0.025}
    assert post("/watched", {"spans": [[0, -5]]}).status_code == 200
    assert post("/watched", {"spans": "all"}).status_code == 422
    assert post("/proofreadings", {"found": ""}).status_code == 201
    shown = client.get(f"/api/v1/editions/{draft}/review", headers=first).get_json()
    assert shown["media"]["profile"] == "review"
    assert shown["may"] == ["comment", "review:first"]
    assert [one["text"] for one in shown["comments"]] == ["字幕错字"]
    assert shown["proofreadings"][0]["number"] == 1
    assert shown["checklist"]["version"] == 0
    refused = post("/reviews", {"stage": "first", "approve": True, "checks": {}})
    assert (refused.status_code, refused.get_json()["code"]) == (422, "checklist")
    yes = {item["id"]: True for item in shown["checklist"]["items"]}
    assert post("/reviews", {"stage": "first", "approve": True, "checks": yes}).status_code == 200
    after = client.get(f"/api/v1/editions/{draft}/review", headers=bearer("second")).get_json()
    assert after["decisions"][0]["watched"] == 0.025
    assert post("/urgent", {"reason": "今晚"}, bearer("editor")).status_code == 200
    urgent = post("/reviews", {"stage": "second", "approve": True}, bearer("second"))
    assert (urgent.status_code, urgent.get_json()["code"]) == (403, "second_factor_needed")
    assert client.get(f"/api/v1/editions/{draft}/review", headers=bearer("station")).status_code == 404
    assert client.get(f"/api/v1/editions/{draft}/review", headers=bearer("leader")).status_code == 403


def test_settings_are_read_by_reviewers_and_changed_by_the_administrator(app: Flask, bearer: Bearer) -> None:
    client, admin, first = app.test_client(), bearer("admin"), bearer("first")
    items = [{"id": "sound", "text": "声音清楚"}]
    path = "/api/v1/review/checklists/first"
    assert client.put(path, json={"items": items}, headers=first).status_code == 403
    assert client.put(path, json={"items": items}, headers=admin).get_json()["version"] == 1
    assert (
        client.put("/api/v1/review/checklists/none", json={"items": items}, headers=admin).status_code == 404
    )
    assert client.put(path, json={"items": items * 2}, headers=admin).status_code == 422
    assert len(client.get("/api/v1/review/checklists", headers=first).get_json()["items"]) == 3
    assert client.put("/api/v1/review/policy", json={"first_hours": 0}, headers=admin).status_code == 422
    changed = client.put("/api/v1/review/policy", json={"first_hours": 2}, headers=admin).get_json()
    assert (changed["first_hours"], changed["second_hours"]) == (2, 24)
    terms = {"items": [{"text": "包治"}, {"text": "包治 "}]}
    assert client.put("/api/v1/review/terms", json=terms, headers=admin).get_json()["version"] == 1
    listed = client.get("/api/v1/review/terms", headers=first).get_json()
    assert [one["text"] for one in listed["items"]] == ["包治"]


def test_the_roster_is_kept_over_http(app: Flask, bearer: Bearer) -> None:
    client, admin = app.test_client(), bearer("admin")
    shift = {
        "stage": "final",
        "starts_at": "2099-01-01T00:00:00.000Z",
        "ends_at": "2099-01-02T00:00:00.000Z",
        "username": "final",
    }
    assert client.post("/api/v1/duty", json=shift, headers=bearer("final")).status_code == 403
    made = client.post("/api/v1/duty", json=shift, headers=admin)
    assert made.status_code == 201
    assert client.post("/api/v1/duty", json=shift, headers=admin).status_code == 409
    (row,) = client.get("/api/v1/duty", headers=bearer("first")).get_json()["items"]
    assert client.delete(f"/api/v1/duty/{row['id']}", headers=admin).status_code == 204
    assert client.delete(f"/api/v1/duty/{row['id']}", headers=admin).status_code == 404


# --- pages ------------------------------------------------------------------------------------------------------------
@pytest.fixture
def browser(app: Flask, database: Database, people: People) -> Callable[[str], FlaskClient]:
    """``browser("first")``: somebody signed in by the page."""
    with database.write() as session:
        session.execute(update(Account).values(password_hash=hash_password(PASSWORD)))

    def make(username: str) -> FlaskClient:
        client = app.test_client()
        form = {"username": username, "password": PASSWORD, "csrf_token": csrf(client, "/sign-in")}
        assert client.post("/sign-in", data=form).status_code == 302
        return client

    return make


def csrf(client: FlaskClient, path: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get(path).get_data(as_text=True))
    assert found
    return found[1]


def test_a_reviewer_returns_on_the_page_and_the_contributor_reads_why(
    browser: Callable[[str], FlaskClient], database: Database, people: People, draft: str
) -> None:
    submit(database, people["county"], draft)
    first = browser("first")
    assert "冬小麦返青管理" in first.get("/review").get_data(as_text=True)
    page = first.get(f"/review/{draft}").get_data(as_text=True)
    assert "保证高产" in page
    assert "词表命中" in page
    form = {
        "csrf_token": csrf(first, f"/review/{draft}"),
        "stage": "first",
        "decision": "return",
        "comment": "声音太小",
    }
    assert first.post(f"/review/{draft}/decide", data=form).location == "/review"
    county = browser("county")
    assert "声音太小" in county.get("/messages").get_data(as_text=True)
    assert "声音太小" in county.get(f"/review/{draft}").get_data(as_text=True)
    assert county.get(f"/editions/{draft}/cut").status_code == 200


def test_a_phone_decides_an_urgent_review_with_its_code(
    browser: Callable[[str], FlaskClient], database: Database, people: People, draft: str
) -> None:
    submit(database, people["county"], draft)
    with database.write() as session:
        service.hurry(session, people["editor"], draft, reason="今晚暴雨", now=NOW)
        an_hour_ago = clock.now() - timedelta(hours=1)
        second_factor.begin(session, people["first"], now=an_hour_ago)
        totp = pyotp.TOTP(session.get_one(SecondFactor, people["first"].id).secret)
        second_factor.confirm(session, people["first"], totp.at(an_hour_ago), now=an_hour_ago)
    phone = browser("first")
    page = phone.get(f"/review/{draft}").get_data(as_text=True)
    assert "今晚暴雨" in page
    token = csrf(phone, f"/review/{draft}")
    ids = re.findall(r'name="(check_[a-z]+)"', page)
    form = {"csrf_token": token, "stage": "first", "decision": "approve", **dict.fromkeys(ids, "on")}
    phone.post(f"/review/{draft}/decide", data={**form, "code": "000000"})
    with database.read() as session:
        assert session.get_one(Edition, draft).state == "first_review"
    phone.post(f"/review/{draft}/decide", data={**form, "code": totp.at(clock.now())})
    with database.read() as session:
        assert session.get_one(Edition, draft).state == "second_review"


def test_every_page_of_the_desk_opens_in_both_languages(
    browser: Callable[[str], FlaskClient], database: Database, people: People, draft: str
) -> None:
    release(database, people, draft)
    admin, final = browser("admin"), browser("final")
    for path in (
        "/review/settings",
        "/review/terms",
        "/duty",
        "/accounts",
        "/accounts/new",
        "/accounts/roles",
        "/account",
        "/messages",
        "/protected-periods",
        "/authorisations",
    ):
        for language in ("zh_CN", "en"):
            assert admin.get(f"{path}?lang={language}").status_code == 200, path
    for path in ("/review", f"/review/{draft}", "/account"):
        assert final.get(path).status_code == 200, path


# --- the clock's part -------------------------------------------------------------------------------------------------
def told(database: Database, who: Caller) -> list[str]:
    with database.read() as session:
        return [row.title for row in inbox(session, who)[0]]


def test_reminders_come_once_before_and_after_the_due_time(
    database: Database, people: People, draft: str
) -> None:
    submit(database, people["county"], draft)

    def remind(hours: float) -> int:
        with database.write() as session:
            return review_jobs.remind(session, now=NOW + timedelta(hours=hours))

    assert remind(19) == 0
    assert remind(20) == 1
    assert remind(21) == 0
    assert remind(24) == 2  # the reviewer and the contributor
    assert remind(25) == 0
    assert "审核已超时：%(title)s" in told(database, people["county"])


def test_after_fifteen_minutes_without_an_answer_the_deputy_is_called(
    database: Database, people: People, draft: str
) -> None:
    submit(database, people["county"], draft)
    with database.write() as session:
        service.hurry(session, people["editor"], draft, reason="今晚暴雨", now=NOW)
        assert review_jobs.remind(session, now=NOW + timedelta(minutes=14)) == 0
        assert review_jobs.remind(session, now=NOW + timedelta(minutes=15)) >= 1
        assert review_jobs.remind(session, now=NOW + timedelta(minutes=16)) == 0
    assert "加急审核转到替补：%(title)s" in told(database, people["first"])


# --- the term list and re-review --------------------------------------------------------------------------------------
def look(database: Database, edition: str) -> None:
    with database.write() as session:
        seen = termlists.look(session, session.get_one(Edition, edition), nothing)
        if seen is not None:
            termlists.keep(session, edition, seen, now=NOW)


def due(database: Database, edition: str, after: timedelta = timedelta()) -> list[Reason]:
    with database.read() as session:
        return rereviews.needs_rereview(session, [edition], NOW + after).get(edition, [])


def test_a_word_that_the_list_learns_asks_for_another_look_by_two(
    database: Database, people: People, draft: str
) -> None:
    release(database, people, draft)
    look(database, draft)
    assert due(database, draft) == []  # what the list knew at the final approval was seen then
    with database.write() as session:
        _number, listed = termlists.current(session)
        termlists.replace(session, people["admin"], [*listed, Term(text="返青")], now=NOW)
        assert [edition.id for edition in termlists.stale(session, limit=10)] == [draft]
    look(database, draft)
    assert due(database, draft) == [Reason.TERMS]
    with database.write() as session:
        for who in ("second", "final"):
            assert [one.edition.id for one in rereviews.due(session, people[who], now=NOW)] == [draft]
        with pytest.raises(Forbidden):
            rereviews.approve(session, people["first"], draft, Stage.SECOND, now=NOW)
        assert not rereviews.approve(session, people["second"], draft, Stage.SECOND, now=NOW).completes
        with pytest.raises(Conflict):
            rereviews.approve(session, people["second"], draft, Stage.SECOND, now=NOW)
        assert rereviews.approve(session, people["final"], draft, Stage.FINAL, now=NOW).completes
    assert due(database, draft) == []


def test_a_year_without_being_shown_asks_for_another_look_by_one(
    database: Database, people: People, draft: str
) -> None:
    release(database, people, draft)
    year = timedelta(days=365)
    assert due(database, draft, year - timedelta(days=1)) == []
    assert due(database, draft, year) == [Reason.NOT_AIRED]
    with database.write() as session:
        record_airing(session, draft, last_at=NOW + timedelta(days=30), next_at=None, regions=[])
    assert due(database, draft, year) == []
    later = NOW + year + timedelta(days=30)
    with database.write() as session:
        assert rereviews.approve(session, people["final"], draft, Stage.FINAL, now=later).completes
    assert due(database, draft, later - NOW + timedelta(days=364)) == []


def test_a_re_review_that_says_no_withdraws(database: Database, people: People, draft: str) -> None:
    release(database, people, draft)
    later = NOW + timedelta(days=400)
    with database.write() as session:
        gone = rereviews.refuse(session, people["final"], draft, reason="技术已过时", now=later)
        assert gone.state == "withdrawn"
    assert due(database, draft, timedelta(days=400)) == []
    assert "已撤下：%(title)s" in told(database, people["county"])


def test_hits_in_subtitles_have_their_time_and_block_nothing(
    database: Database, people: People, draft: str, tmp_path: Path
) -> None:
    from server.catalog import texts
    from server.catalog.files import add_subtitles

    store = FolderStore(tmp_path / "media")
    with database.write() as session:
        add_subtitles(
            session,
            people["county"],
            store,
            session.get_one(Edition, draft),
            filename="zh.srt",
            data="1\n00:00:05,000 --> 00:00:07,000\n这个方法包治百病\n".encode(),
            now=NOW,
        )
    release(database, people, draft)
    with database.write() as session:
        seen = termlists.look(session, session.get_one(Edition, draft), texts.reader(store))
        assert seen is not None
    hits = {(hit.field, hit.term, hit.at_ms) for hit in seen.hits}
    assert hits == {("summary", "保证高产", None), ("subtitles", "包治", 5_000)}


def test_words_of_a_pdf_are_read_by_a_process_of_its_own(tmp_path: Path) -> None:
    from fpdf import FPDF

    from server.catalog import texts

    document = FPDF()
    document.add_page()
    document.set_font("Helvetica")
    document.cell(text="guaranteed harvest")
    data = bytes(document.output())
    assert "guaranteed harvest" in (texts.pdf_text(data) or "")
    assert texts.pdf_text(b"%PDF-1.7 this is none") is None
    store = FolderStore(tmp_path / "media")
    store.put_bytes(media_key("ab" * 32), b"\0\0\0\x18ftypmp42")
    assert texts.reader(store)("ab" * 32) is None
    assert texts.reader(store)("cd" * 32) is None


def test_rows_of_scans_are_written_once(database: Database, people: People, draft: str) -> None:
    submit(database, people["county"], draft)
    look(database, draft)
    with database.read() as session:
        assert termlists.look(session, session.get_one(Edition, draft), nothing) is None
        assert session.get_one(TermScan, draft).list_version == 0
        assert [hit.term for hit in termlists.hits_of(session, draft)] == ["保证高产"]


def test_the_desk_plays_the_review_copy_before_any_other(database: Database, draft: str) -> None:
    with database.write() as session:
        edition = session.get_one(Edition, draft)
        session.add(
            Rendition(
                asset_id=edition.asset_id,
                profile="360p",
                profile_version=1,
                sha256="ef" * 32,
                length=0,
                pieces_root="cd" * 32,
                width=640,
                height=360,
                bitrate=1,
                duration_ms=600_000,
                created_at=NOW,
            )
        )
        session.flush()
        copy = desk.review_copy(session, edition)
        assert copy is not None
        assert copy.profile == "review"
