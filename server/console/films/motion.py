"""Turns shots into frames: drifting pictures, sprites that slide in, cross-fades."""

from __future__ import annotations

import math
from collections.abc import Iterator

from PIL import Image

from server.console.films.air import Mote
from server.console.films.art import HEIGHT, WIDTH
from server.console.films.panels import Drift
from server.console.films.shots import Shot, Sprite

FPS = 25
FADE_FRAMES = 12
ENTRY_S = 0.55
# A drift moves well under a pixel a frame: composing every other frame cannot be seen and halves the work.
SLOW_EVERY = 2


def frame_count(shot: Shot) -> int:
    return round(shot.seconds * FPS)


def frames(shots: list[Shot]) -> Iterator[Image.Image]:
    """All frames of a film, in order; each shot fades in over the last picture of the one before it."""
    before: Image.Image | None = None
    for shot in shots:
        image: Image.Image | None = None
        for number, image in enumerate(_shot_frames(shot)):
            if before is not None and number < FADE_FRAMES:
                yield Image.blend(before, image, (number + 1) / (FADE_FRAMES + 1))
            else:
                yield image
        before = image


def _shot_frames(shot: Shot) -> Iterator[Image.Image]:
    ground = shot.ground.copy()
    waiting = list(shot.baked)
    count = frame_count(shot)
    frame: Image.Image | None = None
    for number in range(count):
        at_s = number / FPS
        if frame is not None and number % SLOW_EVERY and not _anything_enters(shot, at_s):
            yield frame
            continue
        for sprite in [s for s in waiting if at_s >= s.start_s + ENTRY_S]:
            ground.paste(sprite.image, (sprite.x, sprite.y), sprite.image)
            waiting.remove(sprite)
        frame = ground.copy()
        frame.paste(
            _seen(shot.drift, number / max(1, count - 1)), (shot.drift.x, shot.drift.y), shot.drift.mask
        )
        for mote in shot.motes:
            _float(frame, mote, at_s)
        for sprite in (*waiting, *shot.sprites):
            _enter(frame, sprite, at_s)
        yield frame


def _anything_enters(shot: Shot, at_s: float) -> bool:
    return any(0 < at_s - sprite.start_s <= ENTRY_S + 1 / FPS for sprite in (*shot.baked, *shot.sprites))


def _seen(drift: Drift, share: float) -> Image.Image:
    """What the window shows at `share` (0..1) of the shot."""
    smooth = share * share * (3 - 2 * share)
    left, top, right, low = (
        a + (b - a) * (0.5 * share + 0.5 * smooth) for a, b in zip(drift.first, drift.last, strict=True)
    )
    return drift.picture.resize(drift.size, Image.Resampling.BILINEAR, box=(left, top, right, low))


def _enter(frame: Image.Image, sprite: Sprite, at_s: float) -> None:
    share = min(1.0, (at_s - sprite.start_s) / ENTRY_S)
    if share <= 0:
        return
    if share >= 1:
        frame.paste(sprite.image, (sprite.x, sprite.y), sprite.image)
        return
    eased = 1 - (1 - share) ** 3
    mask = sprite.image.getchannel("A").point([round(value * eased) for value in range(256)])
    place = (sprite.x + round(sprite.dx * (1 - eased)), sprite.y + round(sprite.dy * (1 - eased)))
    frame.paste(sprite.image.convert("RGB"), place, mask)


def _float(frame: Image.Image, mote: Mote, at_s: float) -> None:
    x = (mote.x + mote.vx * at_s + mote.sway * math.sin(at_s * 1.3 + mote.x)) % (WIDTH + 60) - 30
    y = (mote.y + mote.vy * at_s) % (HEIGHT + 60) - 30
    frame.paste(mote.image, (round(x), round(y)), mote.image)
