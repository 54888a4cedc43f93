"""加急: from an upload to a village's TV within half an hour, by four people who stay four.

Real parts but for time, which moves only when told to: the reviews with phones and their codes, the publisher with its
signers and the officer's key, the read plane behind a socket, a station's agent that polls every five minutes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pyotp
import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from client_agent.clock import Reading
from protocol.keys import new_private_key
from protocol.times import to_ms
from server.catalog import duty, review, review_jobs, rounds, service
from server.catalog.models import Edition, Stage
from server.db import Database
from server.errors import Forbidden, YuanboError
from server.identity import second_factor
from server.identity.messages import inbox
from server.identity.models import Account, RoleGrant, SecondFactor
from server.identity.rules import Caller, Role
from server.identity.service import caller_of
from server.publish.rules import OFFICERS
from server.readplane import newest_root
from server.readplane_process import create_app
from tests.client_agent.conftest import Machine, make_terminal, take
from tests.publish.conftest import (  # noqa: F401 (fixtures)
    NOW,
    Installation,
    initialised_sqlite,
    sqlite_province,
)

MINUTE = timedelta(minutes=1)
POLL = timedelta(minutes=5)
ENCODING = timedelta(minutes=6)
"""How long a short film's ladder takes on a slow machine."""
LIMIT = timedelta(minutes=30)


@dataclass
class Phone:
    """A reviewer away from his desk, with his phone."""

    who: Caller
    totp: pyotp.TOTP

    def decide(self, province: Installation, edition: str, stage: Stage) -> None:
        second_factor.check(province.database, self.who, self.totp.at(province.now), now=province.now)
        with province.database.write() as session:
            service.decide(session, self.who, edition, stage, approve=True, stepped_up=True, now=province.now)


def account(database: Database, username: str, role: Role) -> Caller:
    with database.write() as session:
        row = Account(
            username=username,
            name=f"{username} 同志",
            password_hash="",
            department=None,
            locale="zh_CN",
            is_active=True,
            created_at=NOW,
            grants=[RoleGrant(role=role, region="13")],
        )
        session.add(row)
        session.flush()
        return caller_of(row)


def phone(database: Database, username: str, role: Role) -> Phone:
    """An account whose phone was enrolled an hour ago."""
    who, at = account(database, username, role), NOW - timedelta(hours=1)
    with database.write() as session:
        second_factor.begin(session, who, now=at)
        totp = pyotp.TOTP(session.get_one(SecondFactor, who.id).secret)
        second_factor.confirm(session, who, totp.at(at), now=at)
    return Phone(who, totp)


@pytest.fixture
def province(sqlite_province: Installation) -> Installation:  # noqa: F811
    return sqlite_province


@pytest.fixture
def read_plane(province: Installation) -> Iterator[str]:
    server = make_server(
        "127.0.0.1", 0, create_app(province.config), threaded=True, request_handler=KeepsLinesOpen
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    province.config = replace(province.config, read_urls=(url,))
    yield url
    server.shutdown()
    thread.join()
    server.server_close()


class KeepsLinesOpen(WSGIRequestHandler):
    """As any web server before a read plane does."""

    protocol_version = "HTTP/1.1"


class Station:
    """A village's agent that polls every five minutes of the simulated clock."""

    def __init__(self, province: Installation, read_plane: str, folder: Path) -> None:
        self.province, self.machine = province, Machine()
        self.machine.reading = Reading("boot-1", 1_000_000, to_ms(province.now))
        known = SimpleNamespace(
            receipt_private=new_private_key(),
            roots=[newest_root(province.config.read)],
            now_ms=to_ms(province.now),
        )
        self.agent = make_terminal(folder, known, [read_plane], self.machine, region="130123")
        self.polled_at = province.now

    def catch_up(self) -> None:
        """Poll if five minutes have passed."""
        if self.province.now - self.polled_at < POLL:
            return
        self.machine.pass_time(int((self.province.now - self.polled_at).total_seconds() * 1000))
        self.polled_at = self.province.now
        take(self.agent)

    def has(self, title: str) -> bool:
        """Whether the programme is there, verified and whole, to be shown when its time comes."""
        shown = self.agent.guide.readiness(to_ms(self.province.now), 24 * 3_600_000)
        return any(item.title == title and item.ready for item in shown)


def roster(province: Installation, admin: Caller, *shifts: tuple[Stage, str, str | None]) -> None:
    with province.database.write() as session:
        for stage, on, deputy in shifts:
            duty.set_shift(
                session,
                admin,
                stage=stage,
                starts_at=province.now - MINUTE,
                ends_at=province.now + timedelta(hours=12),
                username=on,
                deputy=deputy,
                now=province.now,
            )


def test_an_urgent_programme_is_on_the_tv_within_half_an_hour(
    province: Installation, read_plane: str, tmp_path: Path
) -> None:
    database, began = province.database, province.now
    editor = account(database, "editor-4", Role.PROVINCE_EDITOR)
    first, second, final = (
        phone(database, f"{stage.value}-4", role)
        for stage, role in zip(
            review.STAGES, (Role.FIRST_REVIEWER, Role.SECOND_REVIEWER, Role.FINAL_REVIEWER), strict=True
        )
    )
    admin = account(database, "admin-4", Role.PROVINCE_ADMIN)
    roster(province, admin, *((s, f"{s.value}-4", None) for s in review.STAGES))
    station = Station(province, read_plane, tmp_path / "agent")

    edition = province.upload("防汛避险", by=editor)
    with database.write() as session:
        service.submit(session, editor, edition, urgent_reason="今晚暴雨", now=province.now)

    for stage, officer, answers_after in (
        (Stage.FIRST, first, 4 * MINUTE),
        (Stage.SECOND, second, 5 * MINUTE),
        (Stage.FINAL, final, 4 * MINUTE),
    ):
        assert called(database, officer.who, stage)
        with pytest.raises(YuanboError), database.write() as session:
            service.decide(session, officer.who, edition, stage, approve=True, now=province.now)
        province.now += answers_after
        officer.decide(province, edition, stage)
    assert province.now - began >= ENCODING  # meanwhile the ladder was made
    province.place(edition, at=province.now + timedelta(minutes=20), by=editor)
    province.now += MINUTE
    published = province.publish()
    assert OFFICERS[0] in signers_of_catalogue(province)

    while not station.has("防汛避险"):
        assert province.now - began < LIMIT
        province.now += MINUTE
        station.catch_up()
    assert province.now - began <= LIMIT
    assert published.number > 0
    assert four_people(database, edition) == {editor.id, first.who.id, second.who.id, final.who.id}


def test_a_silent_person_on_duty_is_passed_over_after_fifteen_minutes_and_nobody_decides_twice(
    province: Installation,
) -> None:
    database = province.database
    editor, admin = (
        account(database, "editor-4", Role.PROVINCE_EDITOR),
        account(database, "admin-4", Role.PROVINCE_ADMIN),
    )
    silent = phone(database, "silent", Role.FIRST_REVIEWER)
    deputy = phone(database, "deputy", Role.FIRST_REVIEWER)
    with database.write() as session:
        session.add(RoleGrant(account_id=deputy.who.id, role=Role.SECOND_REVIEWER, region="13"))
    second = phone(database, "second-4", Role.SECOND_REVIEWER)
    roster(province, admin, (Stage.FIRST, "silent", "deputy"), (Stage.SECOND, "deputy", "second-4"))
    edition = province.upload("防汛避险", by=editor)
    with database.write() as session:
        service.submit(session, editor, edition, urgent_reason="今晚暴雨", now=province.now)
    assert called(database, silent.who, Stage.FIRST)
    province.now += 14 * MINUTE
    with database.write() as session:
        review_jobs.remind(session, now=province.now)
    assert inbox_of(database, deputy.who) == []
    province.now += MINUTE
    with database.write() as session:
        review_jobs.remind(session, now=province.now)
    assert "加急审核转到替补：%(title)s" in inbox_of(database, deputy.who)
    deputy.who = with_all_grants(database, deputy.who)
    deputy.decide(province, edition, Stage.FIRST)
    # The deputy of the first review is on duty for the second too: whoever holds one stage holds no other.
    assert called(database, second.who, Stage.SECOND)
    province.now += MINUTE
    with pytest.raises(Forbidden):
        deputy.decide(province, edition, Stage.SECOND)
    second.decide(province, edition, Stage.SECOND)


# --- looking ----------------------------------------------------------------------------------------------------------
def inbox_of(database: Database, who: Caller) -> list[str]:
    with database.read() as session:
        return [row.title for row in inbox(session, who)[0]]


def called(database: Database, who: Caller, stage: Stage) -> bool:
    """Whether this person was called to this stage of the urgent review."""
    words = {Stage.FIRST: "加急初审", Stage.SECOND: "加急复审", Stage.FINAL: "加急终审"}
    return any(title.startswith(words[stage]) for title in inbox_of(database, who))


def with_all_grants(database: Database, who: Caller) -> Caller:
    with database.read() as session:
        return caller_of(session.get_one(Account, who.id))


def four_people(database: Database, edition_id: str) -> set[str]:
    with database.read() as session:
        edition = session.get_one(Edition, edition_id)
        return rounds.authors(session, edition) | rounds.reviewers(session, edition)


def signers_of_catalogue(province: Installation) -> set[str]:
    """Whose keys signed the served catalogue."""
    import json

    from server.publish.keys import public_keys
    from server.publish.trust_roles import key_ids

    folder = province.config.read / "r" / "metadata"
    newest = max(folder.glob("*.catalogue.json"), key=lambda path: int(path.name.split(".")[0]))
    ids = {one["keyid"] for one in json.loads(newest.read_text("utf-8"))["signatures"]}
    return {name for name, keyid in key_ids(public_keys(province.config.keys)).items() if keyid in ids}
