"""Who is asked first, and who is left alone for a while."""

from __future__ import annotations

from client_agent.config import AgentPaths
from client_agent.database import Database
from client_agent.sources import LONGEST_COOLDOWN_MS, Blame, Sources, cooldown_ms

URLS = ["http://province/", "http://relay/", "http://neighbour/"]


def made(tmp_path, urls=URLS, now_ms=None):
    paths = AgentPaths(tmp_path / "agent")
    paths.prepare()
    now = now_ms if now_ms is not None else [1_000]
    return Sources(Database(paths.database), urls, lambda: now[0], lambda: 0.99), now


def test_sources_take_turns(tmp_path):
    sources, _ = made(tmp_path)
    assert [sources.in_turn()[0] for _ in range(4)] == [URLS[0], URLS[1], URLS[2], URLS[0]]


def test_a_blamed_source_is_asked_last_and_never_not_at_all(tmp_path):
    sources, now = made(tmp_path)
    sources.blame(URLS[0], Blame.WRONG_BYTES)
    assert sources.order() == [URLS[1], URLS[2], URLS[0]]
    assert all(sources.in_turn()[-1] == URLS[0] for _ in range(3))
    now[0] += LONGEST_COOLDOWN_MS
    assert sources.order() == URLS


def test_a_source_that_delivers_is_forgiven(tmp_path):
    sources, _ = made(tmp_path)
    sources.blame(URLS[0], Blame.STALE)
    sources.praise(URLS[0])
    assert sources.order() == URLS
    assert sources.blamed() == {}


def test_a_clock_set_back_ends_every_cool_down(tmp_path):
    sources, now = made(tmp_path, now_ms=[10**12])
    sources.blame(URLS[0], Blame.STALE)
    now[0] = 1_000
    assert sources.order() == URLS


def test_pauses_double_with_full_jitter_up_to_a_quarter_of_an_hour():
    assert [cooldown_ms(Blame.UNREACHABLE, n, 0.5) for n in (0, 1, 2)] == [1_000, 2_000, 4_000]
    assert cooldown_ms(Blame.UNREACHABLE, 99, 0.999) < LONGEST_COOLDOWN_MS
    assert cooldown_ms(Blame.UNREACHABLE, 5, 0.0) == 0
    assert cooldown_ms(Blame.STALE, 1, 0.0) == LONGEST_COOLDOWN_MS


def test_the_same_address_twice_is_one_source(tmp_path):
    sources, _ = made(tmp_path, urls=[URLS[0], URLS[0]])
    assert sources.order() == [URLS[0]]
