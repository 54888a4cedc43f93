"""A study session told by phones on the province's page and by the station: one record, and nothing for strangers."""

from __future__ import annotations

import json
import uuid

import pytest

from protocol import batch as wire
from protocol import keys
from protocol.batch import ClockState, Roll
from protocol.ticket import Ticket, write_ticket
from protocol.times import from_ms, ms_to_text, to_ms
from server import clock
from server.app import create_app
from server.identity.rules import Role
from server.stations.models import Terminal
from server.stats import session_notes
from server.stats.models import EvidenceFile, MinutesFact, SessionNote
from tests.stations.office import VILLAGE, add_person, make_config
from tests.stats.simulator import START_MS

SESSION = "01a202da-5062-7a3e-8a5e-b83b1f798d51"
HOUR = 3_600_000
PHOTO = b"\xff\xd8\xff\xe0" + b"hall" * 5_000


class Site:
    """The web application and one terminal that signs tickets."""

    def __init__(self, province, device, app):
        self.province, self.device, self.app, self.client = province, device, app, app.test_client()
        self.seq = 0

    def ticket(
        self, *, private=None, begins_ms=None, terminal=None, session=SESSION, title="十二月第一次集中学习"
    ):
        begins_ms = to_ms(clock.now()) // 1000 * 1000 if begins_ms is None else begins_ms
        made = Ticket(terminal or self.device.terminal, session, begins_ms, begins_ms + 2 * HOUR, title)
        return write_ticket(made, private or self.device.private)

    def tell(self, kind, ticket=None, note=None, **said):
        note = {"kind": kind, "id": note or str(uuid.uuid4()), **said}
        return self.client.post(f"/api/v1/tickets/{ticket or self.ticket()}/notes", json={"note": note})

    def file(self, data, kind="photo", ticket=None, note=None, **more):
        headers = {"Yuanbo-Note": note or str(uuid.uuid4())} | more
        path = f"/api/v1/tickets/{ticket or self.ticket()}/files/{kind}"
        return self.client.post(path, data=data, headers=headers)

    def station_says(self, kind, **fields):
        """A record of the station arrives."""
        self.seq += 1
        at = {"seq": self.seq, "at": ms_to_text(START_MS + self.seq * 1000), "boot": "b", "mono_ms": self.seq}
        self.device.disk.epochs[self.device.epoch].records[self.seq] = kind(**at, **fields)
        self.province.receipt(self.device.cut(self.device.epoch, [self.seq]))

    def attendance(self, present, roll=Roll.START, session=SESSION, **more):
        self.station_says(wire.Attendance, session=session, expected=42, present=present, roll=roll, **more)

    def get(self, who, path=f"/api/v1/sessions/{SESSION}"):
        return self.client.get(path, headers=who)


@pytest.fixture
def site(province, device, tmp_path, database_url):
    return Site(province, device, create_app(make_config(tmp_path / "data", database_url)))


@pytest.fixture
def office(province):
    return add_person(province.database, Role.COUNTY_OFFICE, "130123")


def study(**more):
    programme = wire.Studied(
        programme=str(uuid.uuid4()), edition=str(uuid.uuid4()), release="a" * 64, title="家乡党史故事", section="dangjian",
        duration_ms=1_800_000, played_ms=1_740_000,
    )  # fmt: skip
    return {
        "session": SESSION, "day": "d", "title": "十二月第一次集中学习", "planned_at": ms_to_text(START_MS),
        "started_at": ms_to_text(START_MS + 60_000), "ended_at": ms_to_text(START_MS + 2 * HOUR),
        "clock": ClockState.KNOWN, "programmes": [programme], "discussion_ms": 600_000, "led_by": "A",
    } | more  # fmt: skip


# --- one record --------------------------------------------------------------------------------------------------------
def test_a_phone_may_tell_before_the_station_has_reported_anything(site, office):
    assert site.tell("heads", roll="start", present=33, expected=42, members=20, public=13).status_code == 201
    shown = site.get(office).get_json()
    assert (shown["title"], shown["started_at"]) == ("十二月第一次集中学习", None)
    [roll] = shown["rolls"]
    assert (roll["holds"]["source"], roll["holds"]["present"], roll["difference"]) == ("phone", 33, 0)


def test_the_stations_last_count_holds_and_the_phones_stays_beside_it(site, office):
    site.tell("heads", roll="start", present=33, expected=42)
    site.attendance(30, members=18, public=12)
    site.attendance(31, members=18, public=13)
    site.station_says(wire.Study, **study())
    shown = site.get(office).get_json()
    [roll] = shown["rolls"]
    assert (roll["holds"]["source"], roll["holds"]["present"], roll["difference"]) == ("station", 31, 2)
    assert sorted((c["source"], c["present"]) for c in roll["counts"]) == [
        ("phone", 33), ("station", 30), ("station", 31),
    ]  # fmt: skip
    assert shown["programmes"][0]["played_ms"] == 1_740_000
    page = site.get(office, f"/sessions/{SESSION}").get_data(as_text=True)
    assert "两处相差 2 人" in page
    assert "家乡党史故事" in page


def test_minutes_of_both_ways_stand_in_one_list_and_markup_is_text(site, office):
    site.station_says(wire.Minutes, session=SESSION, text="讨论了春灌。")
    site.tell("minutes", text="<script>alert(1)</script>\x00 谢谢")
    [fact] = site.province.rows(MinutesFact)
    assert (fact.session, fact.text) == (SESSION, "讨论了春灌。")
    shown = site.get(office).get_json()["minutes"]
    assert [(m["source"], m["text"]) for m in shown] == [
        ("station", "讨论了春灌。"),
        ("phone", "<script>alert(1)</script> 谢谢"),
    ]
    assert "<script>alert" not in site.get(office, f"/sessions/{SESSION}").get_data(as_text=True)


def test_questions_and_faults_are_kept_with_the_session(site, office):
    site.tell("question", text=" 冬小麦何时浇水？ ")
    site.tell("fault", code="no_sound")
    shown = site.get(office).get_json()
    assert ([q["text"] for q in shown["questions"]], [f["what"] for f in shown["faults"]]) == (
        ["冬小麦何时浇水？"],
        ["no_sound"],
    )
    assert "没有声音" in site.get(office, f"/sessions/{SESSION}").get_data(as_text=True)


def test_a_photo_is_shown_to_who_may_see_photos_and_to_nobody_else(site, province, office):
    assert site.file(PHOTO).status_code == 201
    [file] = site.get(office).get_json()["files"]
    assert (file["source"], file["what"]) == ("phone", "photo")
    assert site.client.get(file["file"], headers=office).data == PHOTO
    editor = add_person(province.database, Role.PROVINCE_EDITOR, "13")
    assert site.get(editor).get_json()["files"] == []
    assert "您的岗位不能看照片和录音" in site.get(editor, f"/sessions/{SESSION}").get_data(as_text=True)


def test_a_station_lists_its_sessions_the_newest_first(site, province, office):
    site.station_says(wire.Study, **study())
    site.attendance(31)
    other = "01a202da-5062-7a3e-8a5e-b83b1f798d52"
    site.tell("heads", ticket=site.ticket(session=other, title="补课"), roll="start", present=7)
    with province.database.read() as session:
        station = session.get(Terminal, site.device.terminal).station_id
    page = site.get(office, f"/stations/{station}/sessions").get_data(as_text=True)
    assert page.index("补课") < page.index("十二月第一次集中学习")
    assert "31 / 42" in page
    assert f"/stations/{station}/sessions" in site.get(office, f"/stations/{station}").get_data(as_text=True)


def test_what_was_said_afterwards_is_shown_as_said_afterwards(site, province, office):
    site.station_says(wire.Study, **study())
    site.attendance(31)
    times = {
        "started_at": ms_to_text(START_MS),
        "ended_at": ms_to_text(START_MS + HOUR),
        "title": "第一次集中学习",
    }
    site.station_says(wire.LateEntry, session=SESSION, reason="数错了", by="A", **times)
    site.attendance(33, Roll.LATE, taken_by="A")
    shown = site.get(office).get_json()
    assert [(one["reason"], one["by"], one["manual"]) for one in shown["late"]] == [("数错了", "A", False)]
    assert [(roll["roll"], roll["holds"]["present"]) for roll in shown["rolls"]] == [
        ("start", 31),
        ("late", 33),
    ]
    page = site.get(office, f"/sessions/{SESSION}").get_data(as_text=True)
    assert "迟录" in page
    assert "数错了" in page
    manual = "01a202da-5062-7a3e-8a5e-b83b1f798d53"
    site.station_says(wire.LateEntry, session=manual, manual=True, reason="停电", by="B", **times)
    assert "停电" in site.get(office, f"/sessions/{manual}").get_data(as_text=True)
    site.station_says(wire.LateEntry, session=SESSION, void=True, reason="试机", by="A", **times)
    assert site.get(office).get_json()["void"] is True
    with province.database.read() as session:
        station = session.get(Terminal, site.device.terminal).station_id
    listed = site.get(office, f"/stations/{station}/sessions").get_data(as_text=True)
    assert "不算" in listed
    assert "迟录" in listed


# --- nothing for strangers -----------------------------------------------------------------------------------------------
def test_who_has_no_right_in_that_county_finds_no_session(site, province):
    site.tell("heads", roll="start", present=33)
    stranger = add_person(province.database, Role.COUNTY_OFFICE, "130726")
    for path in (f"/api/v1/sessions/{SESSION}", f"/sessions/{SESSION}"):
        assert site.get(stranger, path).status_code == 404
    assert site.client.get(f"/api/v1/sessions/{SESSION}").status_code == 401


def test_a_terminal_of_another_station_cannot_speak_into_this_session(site, province, office):
    site.attendance(31)
    terminal, private = province.add_terminal("130726100201", "前堡站点")
    forged = site.ticket(terminal=terminal, private=private)
    assert site.tell("heads", ticket=forged, roll="start", present=999).status_code == 201
    [roll] = site.get(office).get_json()["rolls"]
    assert [c["present"] for c in roll["counts"]] == [31]


def test_tickets_that_are_expired_forged_or_of_a_revoked_terminal_open_nothing(site, province):
    now_ms = to_ms(clock.now()) // 1000 * 1000
    cases = {
        410: [site.ticket(begins_ms=now_ms - 3 * HOUR), site.ticket(begins_ms=now_ms + 2 * HOUR)],
        404: [
            site.ticket(private=keys.new_private_key()),
            site.ticket(terminal="01890000-0000-7000-8000-000000000009"),
            site.ticket()[:-3] + "abc",
            "nonsense",
            "A" * 230,
            "A" * 5_000,
        ],
    }
    for status, tickets in cases.items():
        for ticket in tickets:
            assert site.client.get(f"/s/{ticket}").status_code == status
            assert site.tell("heads", ticket=ticket, roll="start", present=3).status_code == status
            assert site.file(PHOTO, ticket=ticket).status_code == status
    good = site.ticket()
    with province.database.write() as session:
        session.get(Terminal, site.device.terminal).revoked_at = from_ms(START_MS)
    assert site.client.get(f"/s/{good}").status_code == 403
    assert site.tell("heads", ticket=good, roll="start", present=3).status_code == 403
    assert province.rows(SessionNote) == []


def test_the_same_thing_told_twice_is_told_once(site, province):
    ticket, note = site.ticket(), str(uuid.uuid4())
    answers = [site.tell("heads", ticket=ticket, note=note, roll="start", present=33) for _ in range(2)]
    assert [answer.get_json()["again"] for answer in answers] == [False, True]
    photo = str(uuid.uuid4())
    assert [site.file(PHOTO, note=photo).get_json()["again"] for _ in range(2)] == [False, True]
    assert (len(province.rows(SessionNote)), len(province.rows(EvidenceFile))) == (2, 1)
    other = site.ticket(session="01a202da-5062-7a3e-8a5e-b83b1f798d52")
    assert site.tell("heads", ticket=other, note=note, roll="start", present=1).status_code == 409


def test_one_session_cannot_fill_the_table(site, province, monkeypatch):
    monkeypatch.setattr(session_notes, "NOTES_AN_HOUR", 3)
    answers = [site.tell("question", text=f"{n}?") for n in range(5)]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 429, 429]
    assert answers[-1].headers["Retry-After"]
    other = site.ticket(session="01a202da-5062-7a3e-8a5e-b83b1f798d52")
    assert site.tell("question", ticket=other, text="?").status_code == 201


@pytest.mark.parametrize(
    ("kind", "data", "status"),
    [
        ("photo", b"<html>", 422),
        ("photo", b"", 422),
        ("photo", b"<svg xmlns='http://www.w3.org/2000/svg'/>", 422),
        ("voice", PHOTO, 422),
        ("photo", PHOTO + bytes(400_000), 413),
        ("programme", PHOTO, 404),
    ],
)
def test_what_is_no_photo_or_recording_is_refused(site, province, kind, data, status):
    assert site.file(data, kind).status_code == status
    assert province.rows(SessionNote) == []
    assert province.rows(EvidenceFile) == []


def test_fifty_megabytes_are_refused_by_their_announcement(site):
    path = f"/api/v1/tickets/{site.ticket()}/files/photo"
    headers, announced = {"Yuanbo-Note": str(uuid.uuid4())}, {"CONTENT_LENGTH": "52428800"}
    answer = site.client.post(path, headers=headers, data=b"\xff\xd8\xff", environ_overrides=announced)
    assert answer.status_code == 413
    words = json.dumps({"note": {"kind": "minutes", "id": str(uuid.uuid4()), "text": "x" * 1_000_000}})
    notes = f"/api/v1/tickets/{site.ticket()}/notes"
    assert site.client.post(notes, data=words, content_type="application/json").status_code == 413


@pytest.mark.parametrize(
    "note",
    [
        {"kind": "heads", "roll": "start", "present": -1},
        {"kind": "heads", "roll": "noon", "present": 1},
        {"kind": "heads", "roll": "start", "present": 10_000},
        {"kind": "minutes", "text": "长" * 2_001},
        {"kind": "minutes", "text": ""},
        {"kind": "question", "text": " \n "},
        {"kind": "fault", "code": "explosion"},
        {"kind": "names", "text": "王建国"},
        {"kind": "heads", "roll": "start", "present": 1, "id": "../../x"},
    ],
)
def test_a_note_that_does_not_fit_its_form_is_refused(site, province, note):
    note = {"id": str(uuid.uuid4())} | note
    answer = site.client.post(
        f"/api/v1/tickets/{site.ticket()}/notes",
        data=json.dumps({"note": note}),
        content_type="application/json",
    )
    assert answer.status_code == 422
    assert province.rows(SessionNote) == []


def test_the_phones_page_names_the_station_and_asks_for_no_names_in_both_languages(site):
    answer = site.client.get(f"/s/{site.ticket(title='<b>党史</b>')}")
    page = answer.get_data(as_text=True)
    assert "曲阳桥村站点" in page
    assert "不填名字" in page
    assert "<b>党史" not in page
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "unsafe-eval" not in answer.headers["Content-Security-Policy"]
    assert "no names" in site.client.get(f"/s/{site.ticket()}?lang=en").get_data(as_text=True)
    assert VILLAGE not in page
