"""Fetching pieces from sources that nobody trusts."""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack
from dataclasses import replace

import pytest

from client_agent.downloader import Downloader
from client_agent.errors import StorageFailed
from client_agent.fetch import Http
from client_agent.line import Line
from client_agent.line_rules import LineRules, hour_of
from client_agent.planner import VIDEO, Wanted
from client_agent.sources import Sources
from protocol.pieces import PIECE_LENGTH, piece_layer_of
from protocol.times import DAY_MS, ms_to_text
from tests.client_agent.repository import NOON_MS, Source, made_bytes

DATA = made_bytes("film", 4 * PIECE_LENGTH + 777)
LAYER = piece_layer_of(DATA)
WANTED = Wanted(LAYER.sha256, LAYER.length, LAYER.root, "r", "冬小麦返青管理", VIDEO, NOON_MS, True)


class Fetching:
    def __init__(self, terminal, province) -> None:
        self.terminal = terminal
        self.province = province
        province.put_media(DATA)
        self.stack = ExitStack()
        self.slept: list[float] = []

    def source(self, spoil=None) -> Source:
        return self.stack.enter_context(Source(self.province.folder, spoil=spoil))

    def fetch(self, *sources: Source, wanted=(WANTED,), stop=lambda: False):
        urls = [s if isinstance(s, str) else s.url for s in sources]
        self.sources = Sources(self.terminal.database, urls, lambda: self.terminal.clock.now_ms()[0])
        downloader = Downloader(
            self.terminal.store, Http(), self.sources, self.terminal.line, self.slept.append
        )
        return downloader.fetch(list(wanted), set(), stop)

    def stored(self, wanted=WANTED) -> bytes:
        return self.terminal.store.open(wanted.sha256).read(0, wanted.length)


@pytest.fixture
def fetching(terminal, province):
    made = Fetching(terminal, province)
    with made.stack:
        yield made


def media_requests(source: Source) -> list[tuple[str, str | None]]:
    return [(r.path, r.range) for r in source.asked if r.path.startswith("/m/")]


def test_a_file_is_fetched_piece_by_piece_and_is_the_signed_one(fetching):
    source = fetching.source()
    summary = fetching.fetch(source)
    assert fetching.stored() == DATA
    assert (summary.files, summary.bytes, summary.failed) == (1, len(DATA), {})
    assert len(media_requests(source)) == 5
    assert media_requests(source)[-1][1] == f"bytes={4 * PIECE_LENGTH}-{len(DATA) - 1}"


def test_a_flipped_byte_is_refused_the_source_blamed_and_the_piece_fetched_elsewhere(fetching):
    def flip(_request, status, headers, body):
        return status, headers, bytes([body[0] ^ 1]) + body[1:] if len(body) == PIECE_LENGTH else body

    liar, honest = fetching.source(flip), fetching.source()
    summary = fetching.fetch(liar, honest)
    assert fetching.stored() == DATA
    assert summary.failed == {}
    assert list(fetching.sources.blamed()) == [liar.url]
    asked_of_liar = [span for _, span in media_requests(liar)]
    assert len(asked_of_liar) == 1, "nothing more after the lie"
    assert len(media_requests(honest)) + len(asked_of_liar) == 5 + 1


def wrong_answers(headers, body):
    """What a source may say instead of the piece it was asked for."""
    return {
        "the whole file instead of a range": (200, {}, DATA),
        "a short piece": (206, headers, body[:-1]),
        "a long piece": (206, headers, body + b"x"),
        "another range": (206, {**headers, "Content-Range": "bytes 0-9/10"}, body),
        "no range named": (206, {}, body),
        "a captive portal": (200, {}, b"<html>welcome</html>"),
        "a redirect": (302, {"Location": "/"}, b""),
        "an error": (500, {}, b""),
        "zeroes": (206, headers, bytes(len(body))),
        "a lying length": (206, {**headers, "Content-Length": "9"}, body),
    }


@pytest.mark.parametrize("kind", wrong_answers({}, b""))
def test_a_source_that_answers_wrongly_costs_time_and_nothing_else(fetching, kind):
    def spoil(request, status, headers, body):
        return (
            wrong_answers(headers, body)[kind] if request.path.startswith("/m/") else (status, headers, body)
        )

    liar, honest = fetching.source(spoil), fetching.source()
    assert fetching.fetch(liar, honest).failed == {}
    assert fetching.stored() == DATA
    assert liar.url in fetching.sources.blamed()


def test_a_wrong_layer_is_refused_and_fetched_elsewhere(fetching):
    liar = fetching.source(lambda r, s, h, b: (s, h, b[::-1] if r.path.startswith("/p/") else b))
    fetching.fetch(liar, fetching.source())
    assert fetching.stored() == DATA


def test_without_an_honest_source_nothing_is_served_and_the_reason_is_told(fetching):
    liar = fetching.source(lambda r, s, h, b: (s, h, bytes(len(b)) if r.path.startswith("/m/") else b))
    summary = fetching.fetch(liar)
    assert list(summary.failed) == [WANTED.sha256]
    assert not fetching.terminal.store.is_complete(WANTED.sha256)
    assert fetching.terminal.store.row(WANTED.sha256).missing == [0, 1, 2, 3, 4]
    assert 0 < len(fetching.slept) < 5, "a few rounds with pauses, then the next pass"


def test_a_stopped_download_goes_on_where_it_was(fetching):
    source = fetching.source()
    asked = iter([False] * 3)
    first = fetching.fetch(source, stop=lambda: next(asked, True))
    assert first.stopped
    assert len(media_requests(source)) == 2
    second = fetching.fetch(source)
    assert second.files == 1
    assert len(media_requests(source)) == 5


def test_one_file_that_nobody_has_does_not_hold_up_the_others(fetching):
    missing = Wanted("cd" * 32, 10, "ef" * 32, "r2", "没有", VIDEO, NOON_MS, False)
    summary = fetching.fetch(fetching.source(), wanted=(missing, WANTED))
    assert list(summary.failed) == [missing.sha256]
    assert fetching.stored() == DATA


def test_a_dead_line_ends_the_pass_at_the_first_file(fetching):
    other = Wanted("cd" * 32, 10, "ef" * 32, "r2", "另一个", VIDEO, NOON_MS, False)
    summary = fetching.fetch("http://127.0.0.1:9", wanted=(WANTED, other))
    assert list(summary.failed) == [WANTED.sha256]


def test_what_nobody_has_is_not_asked_for_again_and_again(fetching):
    missing = Wanted("cd" * 32, 10, "ef" * 32, "r2", "没有", VIDEO, NOON_MS, False)
    source = fetching.source()
    fetching.fetch(source, wanted=(missing,))
    assert source.paths() == [f"/p/{missing.pieces_root}"]


def test_a_dead_source_is_passed_over(fetching):
    summary = fetching.fetch("http://127.0.0.1:9", fetching.source())
    assert summary.failed == {}
    assert fetching.stored() == DATA


def test_a_file_that_does_not_fit_says_so_in_plain_words(fetching):
    fetching.terminal.store._disk_usage = lambda _: (10**12, 0, 10**11)
    summary = fetching.fetch(fetching.source())
    assert "冬小麦返青管理" in summary.failed[WANTED.sha256]
    assert "磁盘空间不足" in summary.failed[WANTED.sha256]


def test_the_library_never_pushes_out_what_is_stored(fetching):
    fetching.fetch(fetching.source())
    fetching.terminal.store._disk_usage = lambda _: (10**12, 0, 10**11)
    other = made_bytes("other", 1_000)
    layer = fetching.province.put_media(other)
    wish = Wanted(layer.sha256, layer.length, layer.root, "r2", "另一个", VIDEO, None, False, may_evict=False)
    assert list(fetching.fetch(fetching.source(), wanted=(wish,)).failed) == [layer.sha256]
    assert fetching.terminal.store.is_complete(WANTED.sha256)


def test_the_measured_speed_is_that_of_verified_bytes(fetching):
    source = fetching.source()
    source.piece_delay_s = 0.02
    bps = fetching.fetch(source).bps
    assert 0 < bps <= len(DATA) * 8 / (5 * 0.02)


def test_who_is_blamed_survives_the_process(fetching):
    liar = fetching.source(lambda r, s, h, b: (s, h, bytes(len(b)) if r.path.startswith("/m/") else b))
    fetching.fetch(liar)
    urls = json.loads(json.dumps([liar.url, "http://other"]))
    again = Sources(fetching.terminal.database, urls, lambda: NOON_MS)
    assert again.blamed()[liar.url].startswith("wrong-bytes")


# --- several sources at once ------------------------------------------------------------------------------------------
def test_several_sources_give_different_pieces_side_by_side_and_each_piece_comes_once(fetching):
    meeting = threading.Barrier(2, timeout=10)

    def meet(request, status, headers, body):
        if request.path.startswith("/m/") and request.range.startswith(
            ("bytes=0-", f"bytes={PIECE_LENGTH}-")
        ):
            meeting.wait()  # passes only when both sources are asked at the same time
        return status, headers, body

    one, other = fetching.source(meet), fetching.source(meet)
    assert fetching.fetch(one, other).failed == {}
    assert fetching.stored() == DATA
    asked = [span for source in (one, other) for _, span in media_requests(source)]
    assert len(asked) == len(set(asked)) == 5


def test_a_source_that_lacks_the_file_or_goes_away_leaves_its_piece_to_the_others(fetching):
    def absent(request, status, headers, body):
        return (404, {}, b"") if request.path.startswith("/m/") else (status, headers, body)

    without, whole = fetching.source(absent), fetching.source()
    summary = fetching.fetch(without, whole, "http://127.0.0.1:9")
    assert summary.failed == {}
    assert fetching.stored() == DATA
    assert len(media_requests(whole)) == 5
    assert without.url not in fetching.sources.blamed(), "what it has not got is no lie"


def test_a_full_disk_ends_every_source_s_work(fetching, monkeypatch):
    def broken(*_):
        raise StorageFailed

    monkeypatch.setattr(fetching.terminal.store, "put_piece", broken)
    summary = fetching.fetch(fetching.source(), fetching.source())
    assert list(summary.failed) == [WANTED.sha256]
    assert summary.bytes == 0


# --- what the line allows -----------------------------------------------------------------------------------------------
def closed_now() -> LineRules:
    hour = hour_of(NOON_MS)
    return LineRules(from_hour=(hour + 2) % 24, to_hour=(hour + 4) % 24)


def test_outside_the_allowed_hours_nothing_is_fetched_but_what_an_emergency_needs(fetching):
    fetching.terminal.line.set_rules(closed_now())
    source = fetching.source()
    summary = fetching.fetch(source)
    assert (summary.closed, summary.files, source.asked) == (True, 0, [])
    summary = fetching.fetch(source, wanted=(WANTED, replace(WANTED, urgent=True)))
    assert media_requests(source) == [], "an ordinary file that comes first ends the pass"
    assert fetching.fetch(source, wanted=(replace(WANTED, urgent=True),)).files == 1


def test_the_monthly_cap_holds_and_opens_with_the_next_month(fetching, machine):
    fetching.terminal.line.set_rules(LineRules(monthly_cap_bytes=2 * PIECE_LENGTH))
    source = fetching.source()
    summary = fetching.fetch(source)
    assert summary.closed
    assert len(media_requests(source)) == 2
    assert fetching.terminal.line.month_left() == 0
    assert ms_to_text(fetching.terminal.line.closed_until_ms()) == "2026-12-31T16:00:00.000Z"
    machine.pass_time(31 * DAY_MS)
    assert fetching.fetch(source).closed
    assert len(media_requests(source)) == 4


def test_the_hour_s_limit_is_kept(fetching):
    clock = [0.0]
    line = Line(
        fetching.terminal.database, "13", lambda: NOON_MS, sleep=lambda s: clock.__setitem__(0, clock[0] + s),
        monotonic=lambda: clock[0],
    )  # fmt: skip
    line.set_rules(LineRules(bytes_a_second=tuple([100_000] * 24)))
    with fetching.source() as source:
        sources = Sources(fetching.terminal.database, [source.url], lambda: NOON_MS)
        Downloader(fetching.terminal.store, Http(), sources, line).fetch([WANTED], set())
    assert len(DATA) / 100_000 - 2 <= clock[0] <= len(DATA) / 100_000 + 1
