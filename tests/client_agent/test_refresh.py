"""A pass over the signed state: what is taken over, and what no source can talk a terminal into."""

from __future__ import annotations

from client_agent.refresh import refresh
from tests.client_agent.repository import HOUR_MS, NOON_MS


def publish_something(province, source, *, hours=1.0):
    film = province.release("冬小麦返青管理")
    filler = province.release("蔚县剪纸", duration_ms=30_000, length=100_000)
    province.frame(
        [film.item(NOON_MS + 2 * HOUR_MS, required=True)], fillers=[filler.ref()], library=[film.entry()]
    )
    province.recall()
    province.emergency()
    province.network([source.url])
    province.publish(hours=hours)
    return film, filler


def test_a_verified_publication_is_taken_over(province, source, terminal):
    film, filler = publish_something(province, source)
    summary = refresh(terminal)
    assert summary.complete
    assert summary.changed
    assert not summary.problems
    assert terminal.guide.manifest(film.sha256) == film.manifest
    assert terminal.guide.manifest(filler.sha256) == filler.manifest
