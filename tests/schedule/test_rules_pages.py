"""编排规则: the pages on which editors keep study days, tickers and the other rules."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import select

from server import clock
from server.app import create_app
from server.config import Config
from server.db import Database
from server.identity.models import Account, RoleGrant
from server.identity.rules import Role
from server.identity.service import session_key
from server.schedule import service
from server.schedule.models import (
    AirtimeRight,
    Channel,
    NoticeRule,
    PushRule,
    StudyEvening,
    StudyRule,
    WindowRule,
)
from tests.schedule.conftest import NOW, add_programme, prepare

PEOPLE = {
    "sheng": ("省编", Role.PROVINCE_EDITOR, "13"),
    "xian": ("县编", Role.COUNTY_EDITOR, "130123"),
    "ban": ("县办", Role.COUNTY_OFFICE, "130123"),
    "lin": ("邻县", Role.COUNTY_EDITOR, "130124"),
    "zhan": ("站管", Role.STATION_ADMIN, "130123105201"),
}


class Editor:
    """Somebody signed in who reads pages and sends their forms."""

    def __init__(self, client: FlaskClient, key: str) -> None:
        self._client = client
        with client.session_transaction() as cookie:
            cookie["_user_id"] = key

    def reads(self, path: str) -> str:
        answer = self._client.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.get_data(as_text=True)

    def sends(self, path: str, form: dict[str, object], *, to: str = "/schedule/rules") -> tuple[int, str]:
        """The status and the page that follows."""
        token = re.search(r'name="csrf-token" content="([^"]+)"', self.reads(to))
        assert token
        answer = self._client.post(path, data={**form, "csrf_token": token[1]}, follow_redirects=True)
        return answer.status_code, answer.get_data(as_text=True)


@pytest.fixture
def app(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    config = Config(
        data=tmp_path / "data",
        database_url=database.url,
        jobs_database_url="sqlite://",
        console_url="http://yuanbo.example",
    )
    config.make_folders()
    with database.write() as session:
        prepare(session)
        add_programme(session, "党史故事")
        for username, (name, role, region) in PEOPLE.items():
            session.add(
                Account(
                    username=username, name=name, password_hash="!", locale="zh_CN", is_active=True, created_at=NOW,
                    grants=[RoleGrant(role=role, region=region)],
                )
            )  # fmt: skip
    return create_app(config)


@pytest.fixture
def sit(app: Flask, database: Database) -> Callable[[str], Editor]:
    def seated(username: str) -> Editor:
        with database.read() as session:
            key = session_key(session.scalars(select(Account).where(Account.username == username)).one())
        return Editor(app.test_client(), key)

    return seated


STUDY = {
    "region": "130123",
    "rrule": "FREQ=MONTHLY;BYMONTHDAY=6,16,26",
    "at": "2026-12-06T19:30",
    "minutes": "90",
}


def only(database: Database, model: type, **where: str) -> object:
    """A rule in force, the one that fits if any does."""
    with database.read() as session:
        query = select(model).where(model.removed_at.is_(None)).filter_by(**where)
        return session.scalars(query.order_by(model.id.desc())).first()


# --- study days -------------------------------------------------------------------------------------------------------
def test_a_county_lays_down_its_study_days_changes_and_removes_them(
    sit: Callable[[str], Editor], database: Database
) -> None:
    county = sit("xian")
    status, page = county.sends("/schedule/rules/study", STUDY)
    assert status == 200
    assert "每月 6、16、26 日" in page
    rule = only(database, StudyRule, region="130123")
    change = {**STUDY, "days": "8、18", "version": rule.version, "shown": "130123"}
    _, page = county.sends(f"/schedule/rules/study/{rule.id}", change)
    assert "每月 8、18 日" in page
    status, page = county.sends(f"/schedule/rules/study/{rule.id}", change)
    assert status == 409
    assert "刚刚改过" in page
    status, page = county.sends(
        f"/schedule/rules/study/{rule.id}/remove", {"version": rule.version + 1, "shown": "130123"}
    )
    assert status == 200
    assert "每月 8、18 日" not in page


def test_a_date_moves_only_with_a_reason_and_the_form_keeps_what_was_typed(
    sit: Callable[[str], Editor], database: Database
) -> None:
    province = sit("sheng")
    rule = only(database, StudyRule)
    path = f"/schedule/rules/study/{rule.id}/evenings/2026-12-15"
    page = province.reads(f"/schedule/rules?evening={rule.id}@2026-12-15")
    programme = re.search(r'<option value="([^"]+)">党史故事', page)
    assert programme
    form = {"programme": programme[1], "discussion_min": "15", "moved_to": "2026-12-17T19:00", "version": 0}
    status, page = province.sends(path, form)
    assert status == 422
    assert "请写明原因" in page
    assert 'value="2026-12-17T19:00"' in page
    status, page = province.sends(path, {**form, "reason": "春耕大忙"})
    assert status == 200
    assert "改到 2026-12-17 19:00" in page
    assert "《党史故事》" in page
    evening = only(database, StudyEvening)
    assert (evening.discussion_min, evening.reason) == (15, "春耕大忙")
    status, page = province.sends(f"/schedule/rules/study/{rule.id}/evenings/2026-12-16", form)
    assert status == 422
    assert "不是学习日" in page


def test_a_neighbour_may_not_lay_down_study_days_and_hears_why(
    sit: Callable[[str], Editor], database: Database
) -> None:
    before = only(database, StudyRule).id
    status, page = sit("lin").sends("/schedule/rules/study", STUDY)
    assert status == 403
    assert "alert-danger" in page
    status, _ = sit("zhan").sends("/schedule/rules/study", STUDY)
    assert status == 403
    assert only(database, StudyRule).id == before


@pytest.mark.parametrize(
    "wrong",
    [{"at": "morgen"}, {"minutes": "-5"}, {"minutes": "9999"}, {"days": "32"}, {"rrule": "FREQ=SECONDLY"}],
)
def test_a_study_form_with_nonsense_is_refused_in_words(sit: Callable[[str], Editor], wrong: dict) -> None:
    status, page = sit("xian").sends("/schedule/rules/study", {**STUDY, **wrong})
    assert status == 422
    assert "alert-danger" in page


# --- tickers ----------------------------------------------------------------------------------------------------------
TICKER = {"region": "130123", "text": "明天停水", "until": "2026-12-06T18:00"}


def test_a_ticker_is_written_approved_by_another_changed_and_taken_off(
    sit: Callable[[str], Editor], database: Database
) -> None:
    county, office = sit("xian"), sit("ban")
    status, page = county.sends("/schedule/rules/tickers", TICKER)
    assert status == 200
    assert "须由另一人批准" in page
    notice = only(database, NoticeRule)
    path = f"/schedule/rules/tickers/{notice.id}"
    status, page = office.sends(f"{path}/approve", {"version": 1})
    assert status == 200
    assert "正在播" in page
    status, page = county.sends(path, {**TICKER, "text": "后天停水", "version": 1})
    assert status == 409
    assert "县办刚刚改过" in page
    assert "后天停水" in page
    county.sends(path, {**TICKER, "text": "后天停水", "version": 2})
    changed = only(database, NoticeRule)
    assert (changed.text, changed.approved_at) == ("后天停水", None)
    status, page = county.sends(f"{path}/remove", {"version": 3})
    assert "现在没有滚动字幕" in page


def test_nobody_approves_his_own_ticker_and_a_long_one_is_refused(
    sit: Callable[[str], Editor], database: Database
) -> None:
    county = sit("xian")
    county.sends("/schedule/rules/tickers", TICKER)
    path = f"/schedule/rules/tickers/{only(database, NoticeRule).id}"
    status, page = county.sends(f"{path}/approve", {"version": 1})
    assert status == 403
    assert "须由另一人批准" in page
    status, page = county.sends("/schedule/rules/tickers", {**TICKER, "text": "长" * 61})
    assert status == 422
    assert "现有 61 个" in page
    assert "长" * 61 in page
    status, _ = sit("lin").sends(f"{path}/remove", {"version": 1})
    assert status == 403
    assert only(database, NoticeRule) is not None


# --- pushes -----------------------------------------------------------------------------------------------------------
def test_a_section_is_pushed_to_two_counties_in_its_season_and_stopped(
    sit: Callable[[str], Editor], database: Database
) -> None:
    province = sit("sheng")
    form = {"section": "nongye", "region": "130123 130227", "month": ["11", "12"]}
    status, page = province.sends("/schedule/rules/pushes", form)
    assert status == 200
    assert page.count("每年 11、12 月") == 2
    rule = only(database, PushRule)
    path = f"/schedule/rules/pushes/{rule.id}"
    change = {"month": ["3"], "until": "2027-04-01T00:00", "version": 1}
    status, page = province.sends(path, change)
    assert "每年 3 月" in page
    assert province.sends(path, change)[0] == 409
    assert sit("xian").sends(f"{path}/remove", {"version": 2})[0] == 403
    assert province.sends(f"{path}/remove", {"version": 2})[0] == 200
    assert only(database, PushRule).id != rule.id
    status, page = province.sends("/schedule/rules/pushes", {**form, "tag": "苹果", "region": "13"})
    assert status == 422
    assert "三者选一" in page


def test_a_push_to_a_region_that_does_not_exist_pushes_to_none_of_them(
    sit: Callable[[str], Editor], database: Database
) -> None:
    status, _ = sit("sheng").sends("/schedule/rules/pushes", {"section": "nongye", "region": "130123 139999"})
    assert status == 404
    assert only(database, PushRule) is None


# --- airtime rights ---------------------------------------------------------------------------------------------------
def test_the_province_limits_an_account_changes_and_lifts_the_limit(
    sit: Callable[[str], Editor], database: Database
) -> None:
    province = sit("sheng")
    form = {
        "username": "xian", "region": "130123", "weekday": ["0", "2"], "from": "19:00", "to": "21:30",
        "section": ["nongye"], "daily_min": "60",
    }  # fmt: skip
    status, page = province.sends("/schedule/rules/airtime", form)
    assert status == 200
    assert "19:00–21:30" in page
    right = only(database, AirtimeRight)
    assert (right.weekdays, right.from_minute, right.to_minute) == ([0, 2], 1140, 1290)
    path = f"/schedule/rules/airtime/{right.id}"
    province.sends(path, {"from": "18:00", "to": "24:00", "daily_min": "0", "version": 1})
    assert only(database, AirtimeRight).to_minute == 1440
    assert province.sends(path, {"version": 1})[0] == 409
    assert sit("xian").sends(f"{path}/remove", {"version": 2})[0] == 403
    assert province.sends(f"{path}/remove", {"version": 2})[0] == 200
    assert only(database, AirtimeRight) is None


@pytest.mark.parametrize(
    "wrong", [{"from": "spät"}, {"to": "24:30"}, {"role": "county_editor"}, {"weekday": "9"}]
)
def test_an_airtime_right_with_nonsense_is_refused_in_words(
    sit: Callable[[str], Editor], wrong: dict
) -> None:
    status, page = sit("sheng").sends(
        "/schedule/rules/airtime",
        {"username": "xian", "region": "130123", "from": "19:00", "to": "20:00", **wrong},
    )
    assert status == 422
    assert "alert-danger" in page


# --- windows ----------------------------------------------------------------------------------------------------------
def test_a_window_is_opened_changed_and_closed_by_the_province_alone(
    sit: Callable[[str], Editor], database: Database
) -> None:
    province, county = sit("sheng"), sit("xian")
    form = {
        "title": "农时", "level": "county", "region": "13", "at": "2026-12-07T18:00", "minutes": "30",
        "rrule": "FREQ=WEEKLY;BYDAY=SA,SU", "section": ["nongye"], "deadline_hours": "24", "excluded": "130124",
    }  # fmt: skip
    status, page = province.sends("/schedule/rules/windows", form)
    assert status == 200
    assert "提前 24 小时截止" in page
    window = only(database, WindowRule, title="农时")
    assert (window.admits, window.excluded) == (["nongye"], ["130124"])
    path = f"/schedule/rules/windows/{window.id}"
    province.sends(path, {**form, "minutes": "45", "version": 1})
    status, page = province.sends(path, {**form, "minutes": "50", "version": 1})
    assert status == 409
    assert 'value="50"' in page
    assert only(database, WindowRule, title="农时").duration_ms == 45 * 60_000
    assert county.sends("/schedule/rules/windows", form)[0] == 403
    assert county.sends(f"{path}/remove", {"version": 2})[0] == 403
    assert province.sends(f"{path}/remove", {"version": 2})[0] == 200
    assert only(database, WindowRule, title="农时") is None


# --- channel settings -------------------------------------------------------------------------------------------------
def test_a_channels_card_fillers_and_logo_are_set_by_the_province(
    sit: Callable[[str], Editor], database: Database
) -> None:
    province, path = sit("sheng"), "/schedule/rules/channels/main"
    page = province.reads("/schedule/rules/channels")
    programme = re.search(r'<option value="([^"]+)">党史故事', page)
    assert programme
    status, _ = province.sends(path, {"card_s": "12", "no_repeat_min": "60", "version": 1})
    assert status == 200
    fillers = {
        "programme": [programme[1], ""], "weight": ["3", "1"], "section": ["dangjian", "nongye"],
        "section_weight": ["0", "2"], "version": 2,
    }  # fmt: skip
    assert province.sends(f"{path}/fillers", fillers)[0] == 200
    status, page = province.sends(f"{path}/fillers", fillers)
    assert status == 409
    assert "刚刚有人改过" in page
    with database.read() as session:
        chosen = service.fillers(session, "main")
        assert session.get_one(Channel, "main").next_card_ms == 12_000
    assert (dict(chosen.programmes), dict(chosen.sections)) == ({programme[1]: 3}, {"nongye": 2})
    picture = io.BytesIO()
    Image.new("RGB", (800, 300), "green").save(picture, "PNG")
    picture.seek(0)
    status, page = province.sends(f"{path}/logo", {"logo": (picture, "logo.png"), "version": 3})
    assert status == 200
    assert "yb-logo" in page
    status, page = province.sends(
        f"{path}/logo", {"logo": (io.BytesIO(b"no picture"), "x.png"), "version": 4}
    )
    assert status == 422
    assert "台标须是" in page
    county = sit("xian")
    for form, where in (
        ({"version": 4}, path),
        (fillers, f"{path}/fillers"),
        ({"version": 4}, f"{path}/logo"),
    ):
        assert county.sends(where, form)[0] == 403
