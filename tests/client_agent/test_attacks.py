"""Sources that lie at random: whatever they send, a terminal keeps a state that was verified, and heals."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest

from client_agent.errors import RefreshFailed
from client_agent.refresh import refresh
from client_agent.sync import Syncer
from protocol.times import day_of_ms
from tests.client_agent.conftest import take
from tests.client_agent.repository import HOUR_MS, NOON_MS

EVENING_MS = NOON_MS + 7 * HOUR_MS
SEEDS = range(8)


class Liar:
    """Spoils about every third answer in a way of its own, the same for the same seed."""

    def __init__(self, seed: int, old: dict[str, bytes]) -> None:
        self.draw = random.Random(seed)
        self.old = old
        self.honest = False

    def __call__(self, request, status, headers, body):
        if self.honest or self.draw.random() > 0.35:
            return status, headers, body
        return self.draw.choice(
            [
                lambda: (status, headers, self.flipped(body)),
                lambda: (status, headers, body[: self.draw.randrange(len(body) + 1)]),
                lambda: (status, headers, body + b" "),
                lambda: (200, {}, self.old.get(request.path, b"{}")),
                lambda: (
                    200,
                    {},
                    self.draw.choice([b"", b"{}", b"[]", b"null", b'{"signed":{}}', b"{" * 3000]),
                ),
                lambda: (200, {}, self.draw.choice(list(self.old.values()))),
                lambda: (200, {}, b"<html>welcome</html>"),
                lambda: (self.draw.choice([301, 403, 404, 500, 503]), {}, b"no"),
                lambda: (
                    status,
                    {**headers, "Content-Length": str(len(body) + 5), "Connection": "close"},
                    body,
                ),
                lambda: (206, {"Content-Range": f"bytes 0-{len(body)}/{len(body) + 1}"}, body),
                lambda: (200, {}, self.without_signatures(body)),
            ]
        )()

    def flipped(self, body: bytes) -> bytes:
        if not body:
            return b"x"
        at = self.draw.randrange(len(body))
        return body[:at] + bytes([body[at] ^ (1 << self.draw.randrange(8))]) + body[at + 1 :]

    @staticmethod
    def without_signatures(body: bytes) -> bytes:
        head, found, tail = body.partition(b'"signatures"')
        return head + b'"signatures":[],"ignored"' + tail if found else body


@pytest.mark.parametrize("seed", SEEDS)
def test_a_source_that_lies_at_random_never_leaves_anything_unverified(province, source, terminal, seed):
    old, new, extra = (province.release(title) for title in ("旧", "新", "库"))
    province.frame([old.item(EVENING_MS)])
    province.network([source.url])
    province.publish(hours=0)
    take(terminal)
    files = {
        f"/{path.relative_to(province.folder)}": path.read_bytes()
        for path in (province.folder / "r").rglob("*.json")
    }
    province.frame([new.item(EVENING_MS)], library=[extra.entry()])
    province.recall(extra)
    province.publish()

    source.spoil = liar = Liar(seed, files)
    admitted = {old.sha256: old.manifest, new.sha256: new.manifest, extra.sha256: extra.manifest}
    for _ in range(4):
        with suppress(RefreshFailed):
            refresh(terminal)
        syncer = Syncer(terminal)
        syncer.download(*syncer.plan())
        syncer.close()
        item = terminal.guide.listing(day_of_ms(EVENING_MS)).at(EVENING_MS)
        assert item.release in (old.sha256, new.sha256)
        for release, manifest in admitted.items():
            assert terminal.guide.manifest(release) in (None, manifest)
        for release in (old, new):
            play = terminal.guide.playable(release.sha256)
            if play is not None:
                assert (
                    terminal.store.open(play.rendition.sha256).read(0, play.rendition.length) == release.data
                )

    liar.honest = True
    take(terminal)
    assert terminal.guide.on_air(EVENING_MS).manifest == new.manifest
    assert terminal.guide.library() == []
