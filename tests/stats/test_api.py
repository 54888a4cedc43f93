"""Reports over HTTP, as terminals send them, and the figures, as programs ask for them."""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO

import pytest
from sqlalchemy.exc import OperationalError

from protocol import batch as wire
from protocol.times import SHANGHAI
from server import clock
from server.app import create_app
from server.identity.rules import Role
from server.receiptkey import receipt_public
from server.stats import api, ingest
from tests.stations.office import add_person, make_config
from tests.stats.simulator import Device, World, make_viewing

BATCHES = "/api/v1/batches"
MARKS = "/api/v1/batches/marks"
VIEWING = "/api/v1/stats/viewing"


@pytest.fixture
def config(tmp_path, database_url):
    return make_config(tmp_path / "data", database_url)


@pytest.fixture
def web(province, config):
    return create_app(config).test_client()


@pytest.fixture
def terminal(province) -> Device:
    return Device(World(5), *province.add_terminal())


def test_a_terminal_reports_and_reads_a_signed_receipt(web, province, terminal, config):
    terminal.write(3)
    data = terminal.cut(terminal.epoch, [1, 2, 3])
    answer = web.post(BATCHES, data=data, content_type="application/octet-stream")

    assert answer.status_code == 200
    assert answer.content_type == "application/octet-stream"
    receipt = wire.read_receipt(answer.data, request=data, trusted=[receipt_public(config)])
    assert receipt.epochs[terminal.epoch].hwm == 3
    assert len(province.tokens()) == 3

    question = terminal.marks_request()
    marks = web.post(MARKS, data=question)
    assert marks.status_code == 200
    answered = wire.read_receipt(marks.data, request=question, trusted=[receipt_public(config)])
    assert answered.epochs[terminal.epoch].hwm == 3
    assert answered.incarnation == receipt.incarnation


def test_a_fork_is_409_with_a_signed_receipt(web, terminal, config):
    terminal.write(2)
    web.post(BATCHES, data=terminal.cut(terminal.epoch, [1, 2]))
    twin = Device(terminal.world, terminal.terminal, terminal.private)
    twin.disk.epochs = {terminal.epoch: twin.disk.epochs.pop(twin.epoch)}
    twin.epoch = terminal.epoch
    twin.write(2)
    data = twin.cut(twin.epoch, [1, 2])
    answer = web.post(BATCHES, data=data)

    assert answer.status_code == 409
    receipt = wire.read_receipt(answer.data, request=data, trusted=[receipt_public(config)])
    assert receipt.epochs[terminal.epoch].hwm == 0
    assert [entry.reason for entry in receipt.set_aside] == ["fork", "fork"]


def test_what_is_no_batch_is_answered_with_problem_details(web, terminal):
    for path in (BATCHES, MARKS):
        answer = web.post(path, data=b"nonsense")
        assert answer.status_code == 422
        assert answer.content_type == "application/problem+json"
        assert answer.get_json()["code"] == "malformed"
    terminal.write()
    stranger = Device(terminal.world, "01930000-0000-7000-8000-000000000009", terminal.private)
    stranger.write()
    answer = web.post(BATCHES, data=stranger.cut(stranger.epoch, [1]))
    assert (answer.status_code, answer.get_json()["code"]) == (401, "unknown_terminal")


class Endless(BytesIO):
    """A body that must not be read to its end."""

    def __init__(self) -> None:
        super().__init__()
        self.given = 0

    def read(self, size: int | None = -1) -> bytes:
        assert size is not None
        assert size >= 0, "the whole body was asked for"
        self.given += size
        return b"x" * size


def test_a_body_over_the_cap_is_refused_before_it_is_read(web):
    body = Endless()
    declared = web.post(BATCHES, input_stream=body, environ_overrides={"CONTENT_LENGTH": str(10**12)})
    assert declared.status_code == 413
    assert body.given == 0

    undeclared = web.post(BATCHES, input_stream=body, environ_overrides={"wsgi.input_terminated": True})
    assert undeclared.status_code == 413
    assert body.given <= 2 * api.MAX_BATCH


def test_while_the_database_is_away_a_terminal_is_told_when_to_come_again(web, terminal, monkeypatch):
    def away(*_args, **_kwargs):
        raise OperationalError("select", {}, Exception("away"))

    monkeypatch.setattr(ingest, "receive", away)
    terminal.write()
    answer = web.post(BATCHES, data=terminal.cut(terminal.epoch, [1]))
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


def test_viewing_is_counted_for_the_last_thirty_days_and_ones_own_region(web, province, terminal):
    now = clock.now()
    epoch = terminal.disk.epochs[terminal.epoch]
    started = int((now - timedelta(hours=1)).timestamp() * 1000)
    epoch.records[1] = make_viewing(started, "s1", minutes=12, seq=1)
    web.post(BATCHES, data=terminal.cut(terminal.epoch, [1]))

    county = add_person(province.database, Role.COUNTY_OFFICE, "130123")
    elsewhere = add_person(province.database, Role.COUNTY_OFFICE, "130726")
    report = web.get(VIEWING, headers=county).get_json()
    assert report["regions"] == ["130123"]
    assert report["total"]["played_minutes"] == 12
    assert len(report["days"]) == 30
    assert report["programmes"][0]["title"] == "冬小麦返青管理"
    assert web.get(VIEWING, headers=elsewhere).get_json()["total"]["played_minutes"] == 0
    assert web.get(f"{VIEWING}?region=130123", headers=elsewhere).status_code == 403
    assert web.get(VIEWING).status_code == 401

    today = now.astimezone(SHANGHAI).date()
    answer = web.get(
        f"{VIEWING}?from={today - timedelta(days=2)}&to={today}&region=130123105", headers=county
    )
    assert [day["day"] for day in answer.get_json()["days"]][-1] == today.isoformat()
    for query in ("from=yesterday", "from=2026-02-30", "from=2027-01-02&to=2027-01-01", "top=0", "region=1"):
        assert web.get(f"{VIEWING}?{query}", headers=county).status_code == 422, query


def test_reports_are_described_for_programs(web):
    paths = web.get("/api/openapi.json").get_json()["paths"]
    assert "signed receipt" in paths[BATCHES]["post"]["responses"]["200"]["description"]
    assert "gzip" in paths[BATCHES]["post"]["description"]
    names = {parameter["name"] for parameter in paths[VIEWING]["get"]["parameters"]}
    assert {"region", "from", "to"} <= names
