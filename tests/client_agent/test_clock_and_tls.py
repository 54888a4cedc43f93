"""A dead clock and real TLS, end to end: at 1970, in 2099 and after a step back a terminal refreshes, stores, shows the
right programme and reports; a certificate's dates are none of its business, whose certificate it is, is."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from client_agent.errors import RefreshFailed
from client_agent.refresh import refresh
from client_agent.reporting import open_outbox, open_reporter
from protocol import batch as wire
from protocol.batch import ClockState, Fault
from protocol.keys import public_text
from protocol.times import ms_to_text, text_to_ms
from tests.client_agent import ingest
from tests.client_agent.conftest import Machine, make_terminal, take
from tests.client_agent.ingest import Province as Ingest
from tests.client_agent.repository import DAY_MS, HOUR_MS, NOON_MS, Province, Source

YEAR_2099_MS = 4_070_908_800_000
RAN_OUT = (datetime(1971, 1, 1, tzinfo=UTC), datetime(1971, 12, 31, tzinfo=UTC))
NOT_YET = (datetime(2090, 1, 1, tzinfo=UTC), datetime(2091, 1, 1, tzinfo=UTC))


class Authority:
    """A network's own CA, and a server's certificate by it, both valid in the same years."""

    def __init__(self, folder: Path, years: tuple[datetime, datetime]) -> None:
        folder.mkdir()
        key, self._years = ec.generate_private_key(ec.SECP256R1()), years
        authority = self._made("Yuanbo CA", "Yuanbo CA", key.public_key(), key, is_ca=True)
        self.pem = authority.public_bytes(serialization.Encoding.PEM).decode()
        own = ec.generate_private_key(ec.SECP256R1())
        certificate = self._made("127.0.0.1", "Yuanbo CA", own.public_key(), key, is_ca=False)
        private = own.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / "tls.pem").write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / "tls.pem")

    def _made(self, name, by, public, key, *, is_ca):
        def named(text):
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

        builder = (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named(by))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._years[0])
            .not_valid_after(self._years[1])
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        )
        if not is_ca:
            address = x509.IPAddress(ip_address("127.0.0.1"))
            builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
        return builder.sign(key, hashes.SHA256())


class World:
    """A province behind TLS that also takes in reports, and a terminal whose machine the test sets."""

    def __init__(
        self,
        folder: Path,
        province: Province,
        source: Source,
        authority: Authority,
        patch: pytest.MonkeyPatch,
    ) -> None:
        self._patch = patch
        source._server.socket = authority.context.wrap_socket(source._server.socket, server_side=True)
        self.province, self.machine = province, Machine()
        self.url = source.url.replace("http://", "https://")
        self.terminal = make_terminal(folder / "terminal", province, [self.url], self.machine)
        self.terminal.database.execute("UPDATE identity SET ca_pem = ?", (authority.pem,))
        self.terminal.database.execute("UPDATE identity SET api = ?", (f"{self.url}/api/v1",))
        self.reports = Ingest(public_text(self.terminal.identity.private))
        self.reports.private = province.receipt_private
        self.reports.public = public_text(province.receipt_private)
        source.answer_post = self._answer
        self.headers: list[wire.BatchHeader] = []
        province.network([self.url], api=f"{self.url}/api/v1", ca_pem=authority.pem)

    def _answer(self, path: str, body: bytes) -> tuple[int, bytes]:
        if path.endswith("/batches"):
            self.headers.append(wire.read_batch(body).header)
        self._patch.setattr(ingest, "TIME", ms_to_text(self.province.now_ms))
        answer = self.reports(path.removeprefix("/api/v1/"), body, "application/octet-stream")
        return answer.status, answer.body

    def evening(self, title: str) -> None:
        """The province puts a programme on air now, the one before it an hour earlier, and publishes."""
        before, shown = self.province.release(f"{title}之前"), self.province.release(title)
        self.province.frame(
            [before.item(self.province.now_ms), shown.item(self.province.now_ms + HOUR_MS)],
            fillers=[before.ref()],
        )
        self.province.publish()

    def on_air(self) -> str:
        agent, now_ms = self.terminal, self.terminal.clock.now_ms()[0]
        item = agent.guide.on_air(now_ms).item
        manifest = agent.guide.manifest(item.release) if item is not None else None
        return manifest.title if manifest is not None else ""

    def report(self, text: str):
        outbox = open_outbox(self.terminal)
        outbox.append(Fault, code="no_signal", text=text)
        done = open_reporter(self.terminal, outbox).send_all()
        outbox.close()
        return done

    def works(self, title: str) -> None:
        """Everything a terminal is for."""
        take(self.terminal)
        assert self.terminal.clock.now_ms()[1] is ClockState.KNOWN
        assert abs(self.terminal.clock.now_ms()[0] - self.province.now_ms) < HOUR_MS
        assert self.on_air() == title
        assert self.report(title).acknowledged == 1
        assert [r.text for r in self.reports.facts.values()][-1] == title
        assert self.headers[-1].clock_state is ClockState.KNOWN
        assert abs(text_to_ms(self.headers[-1].wall) - self.province.now_ms) < HOUR_MS


@pytest.fixture(params=[RAN_OUT, NOT_YET], ids=["certificate of 1971", "certificate of 2090"])
def world(request, tmp_path, province, source, monkeypatch) -> Iterator[World]:
    made = World(tmp_path, province, source, Authority(tmp_path / "ca", request.param), monkeypatch)
    yield made
    made.terminal.close()


@pytest.mark.parametrize(
    "rtc_ms",
    [0, 86_400_000, YEAR_2099_MS, NOON_MS - 30 * DAY_MS],
    ids=["1970", "1970 too", "2099", "a month ago"],
)
def test_whatever_the_machine_believes_the_evening_goes_on(world, rtc_ms):
    world.machine.reboot("boot-2", rtc_ms)
    world.evening("冬小麦返青管理")
    world.works("冬小麦返青管理")


def test_a_clock_that_jumps_forth_and_back_under_way_changes_nothing(world):
    world.evening("第一晚")
    world.works("第一晚")
    for n, rtc_ms in enumerate((YEAR_2099_MS, 0, NOON_MS - DAY_MS), 2):
        world.machine.set_rtc(rtc_ms)
        world.machine.pass_time(HOUR_MS)
        world.evening(f"第{n}晚")
        world.works(f"第{n}晚")


def test_a_reboot_without_a_line_at_1970_does_not_go_back_before_what_was_signed(world):
    world.evening("冬小麦返青管理")
    world.works("冬小麦返青管理")
    heard_ms = world.terminal.clock.now_ms()[0]
    world.machine.reboot("boot-3", 0)
    now_ms, state = world.terminal.clock.now_ms()
    assert now_ms >= heard_ms - HOUR_MS
    assert state is not ClockState.KNOWN


def test_another_ca_is_refused_and_nothing_is_taken_or_told(tmp_path, province, source, monkeypatch):
    world = World(tmp_path, province, source, Authority(tmp_path / "ca", RAN_OUT), monkeypatch)
    stranger = Authority(tmp_path / "stranger", RAN_OUT)
    world.terminal.database.execute("UPDATE identity SET ca_pem = ?", (stranger.pem,))
    world.machine.reboot("boot-2", 0)
    world.evening("冬小麦返青管理")
    before = world.terminal.clock.now_ms()
    with pytest.raises(RefreshFailed):
        refresh(world.terminal)
    assert world.report("x").trouble == "no line"
    assert world.reports.requests == []
    assert world.terminal.clock.now_ms() == before
    assert source.asked == []
    world.terminal.close()
