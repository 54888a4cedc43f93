"""Enrolment: a code typed once, no trust on first use."""

from __future__ import annotations

import base64
import json
import stat

import msgspec
import pytest

from client_agent.agent import open_agent
from client_agent.config import AgentPaths
from client_agent.database import Database
from client_agent.enrol import enrol
from client_agent.errors import (
    AlreadyEnrolled,
    BadAnswer,
    EnrolmentRefused,
    ForgedAnswer,
    NotEnrolled,
    Unreachable,
)
from protocol.batch import ClockState
from protocol.documents import Endpoints
from protocol.enrolment import (
    EnrolmentAnswer,
    EnrolmentBody,
    EnrolmentRequest,
    agent_proof,
    derive_key,
    new_code,
    same,
    server_proof,
)
from protocol.keys import public_text
from protocol.times import ms_to_text
from tests.client_agent.conftest import Machine
from tests.client_agent.repository import NOON_MS, REGION, Source


class Office:
    """The province's side of the exchange, by the protocol's own functions."""

    def __init__(self, province) -> None:
        self.province = province
        self.code = new_code()
        self.secret = derive_key(self.code)
        self.bound_to: str | None = None
        self.requests: list[EnrolmentRequest] = []
        self.lose_next_answer = False

    def __call__(self, path: str, body: bytes) -> tuple[int, bytes]:
        assert path == "/api/v1/enrolments"
        request = msgspec.json.decode(body, type=EnrolmentRequest)
        self.requests.append(request)
        proof = agent_proof(self.secret, self.code.id, request.public, request.nonce)
        if request.id != self.code.id or not same(request.proof, proof):
            return 403, json.dumps({"status": 403, "title": "注册码不对", "detail": "还可再试 4 次"}).encode()
        if self.bound_to not in (None, request.public):
            return 409, json.dumps({"status": 409, "title": "注册码已使用"}).encode()
        self.bound_to = request.public
        if self.lose_next_answer:
            self.lose_next_answer = False
            return 502, b"<html>bad gateway</html>"
        return 201, self.answer(request, self.secret)

    def answer(self, request: EnrolmentRequest, secret: bytes) -> bytes:
        body = EnrolmentBody(
            terminal="01890000-0000-7000-8000-000000000001",
            station="01890000-0000-7000-8000-000000000002",
            station_name="正定站",
            region=REGION,
            root=base64.b64encode(self.province.roots[0]).decode(),
            endpoints=Endpoints(api="http://127.0.0.1:9/api/v1", read=["http://127.0.0.1:9/"]),
            ca_pem=None,
            receipt_keys=[public_text(self.province.receipt_private)],
            time=ms_to_text(NOON_MS),
            incarnation="incarnation-1",
        )
        text = msgspec.json.encode(body).decode()
        proof = server_proof(secret, text, request.public, request.nonce)
        return msgspec.json.encode(EnrolmentAnswer(body=text, proof=proof))


@pytest.fixture
def office(province):
    return Office(province)


@pytest.fixture
def desk(province, office):
    with Source(province.folder, answer_post=office) as serving:
        yield serving


def stored_bytes(paths: AgentPaths) -> bytes:
    return b"".join(path.read_bytes() for path in paths.data.iterdir() if path.is_file())


def test_a_terminal_enrols_once_and_knows_who_it_is(tmp_path, office, desk, province):
    paths = AgentPaths(tmp_path / "agent")
    enrol(desk.url, str(office.code).lower(), paths)
    with open_agent(paths.data) as agent:
        assert agent.identity.station_name == "正定站"
        assert agent.identity.region == REGION
        assert agent.identity.public == office.bound_to
        assert agent.database.row("SELECT version, bytes FROM roots") == (1, province.roots[0])


def test_the_secret_never_crosses_the_line_and_is_not_kept(tmp_path, office, desk):
    paths = AgentPaths(tmp_path / "agent")
    enrol(desk.url, str(office.code), paths)
    sent = msgspec.json.encode(office.requests[0])
    assert office.code.secret.encode() not in sent
    assert office.code.secret.encode() not in stored_bytes(paths)


def test_the_key_is_readable_by_its_owner_only(tmp_path, office, desk):
    paths = AgentPaths(tmp_path / "agent")
    enrol(desk.url, str(office.code), paths)
    assert stat.S_IMODE(paths.data.stat().st_mode) == 0o700
    assert stat.S_IMODE(paths.database.stat().st_mode) == 0o600


def test_a_lost_answer_is_asked_for_again_with_the_same_key(tmp_path, office, desk):
    paths = AgentPaths(tmp_path / "agent")
    office.lose_next_answer = True
    with pytest.raises(Unreachable, match="502"):
        enrol(desk.url, str(office.code), paths)
    enrol(desk.url, str(office.code), paths)
    first, second = office.requests
    assert (first.public, first.nonce) == (second.public, second.nonce)


def test_an_answer_by_someone_who_does_not_know_the_code_is_refused_and_nothing_is_stored(
    tmp_path, office, desk
):
    paths = AgentPaths(tmp_path / "agent")
    forger = derive_key(new_code())
    desk.answer_post = lambda _, body: (
        201,
        office.answer(msgspec.json.decode(body, type=EnrolmentRequest), forger),
    )
    with pytest.raises(ForgedAnswer):
        enrol(desk.url, str(office.code), paths)
    database = Database(paths.database)
    for table in ("identity", "roots", "anchor"):
        assert database.rows(f"SELECT * FROM {table}") == []
    database.close()


def test_a_root_swapped_on_the_way_is_refused(tmp_path, office, desk):
    paths = AgentPaths(tmp_path / "agent")

    def swap(path: str, body: bytes) -> tuple[int, bytes]:
        status, answer = office(path, body)
        decoded = msgspec.json.decode(answer, type=EnrolmentAnswer)
        other = decoded.body.replace('"root":"ey', '"root":"eX')
        return status, msgspec.json.encode(EnrolmentAnswer(body=other, proof=decoded.proof))

    desk.answer_post = swap
    with pytest.raises(ForgedAnswer):
        enrol(desk.url, str(office.code), paths)
    with pytest.raises(NotEnrolled):
        open_agent(paths.data)


def test_the_province_s_words_reach_the_person(tmp_path, office, desk):
    wrong = str(new_code())
    with pytest.raises(EnrolmentRefused, match="注册码不对 — 还可再试 4 次"):
        enrol(desk.url, wrong, AgentPaths(tmp_path / "agent"))


def test_a_second_enrolment_is_refused_with_the_station_s_name(tmp_path, office, desk):
    paths = AgentPaths(tmp_path / "agent")
    enrol(desk.url, str(office.code), paths)
    with pytest.raises(AlreadyEnrolled, match="正定站"):
        enrol(desk.url, str(office.code), paths)
    assert len(office.requests) == 1


def test_a_mistyped_code_is_refused_before_anything_is_sent(tmp_path, office, desk):
    for text in ("", "1234", "UUUU-UUUU-UUUU-UUUU", "国" * 16):
        with pytest.raises(EnrolmentRefused, match="XXXX"):
            enrol(desk.url, text, AgentPaths(tmp_path / "agent"))
    assert office.requests == []


def test_garbage_and_silence_are_told_apart(tmp_path, desk, office):
    desk.answer_post = lambda *_: (200, b"<html>welcome to the hotel</html>")
    with pytest.raises(BadAnswer):
        enrol(desk.url, str(office.code), AgentPaths(tmp_path / "agent"))
    with pytest.raises(Unreachable):
        enrol("http://127.0.0.1:9", str(office.code), AgentPaths(tmp_path / "agent"))


def test_enrolment_sets_a_clock_that_said_1970(tmp_path, office, desk):
    paths = AgentPaths(tmp_path / "agent")
    enrol(desk.url, str(office.code), paths)
    machine = Machine()
    machine.reboot("another", 3_600_000)
    with open_agent(paths.data, machine) as agent:
        now_ms, state = agent.clock.now_ms()
    assert now_ms >= NOON_MS
    assert state is ClockState.UNCERTAIN
