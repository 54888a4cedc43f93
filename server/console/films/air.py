"""What floats in the air of a title and a closing card: snow, seeds, fireflies, scraps of red paper."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageFilter

from server.console.films import motifs
from server.console.films.art import HEIGHT, WIDTH, Art, colour, seeded
from server.console.films.scripts import Script

AIR: dict[str, tuple[str, float, float, float]] = {
    # what it is, then its usual speed across, down (negative: up) and its size in pixels
    "power": ("firefly", 6, -14, 10),
    "wheat": ("seed", 26, -8, 8),
    "apple": ("snow", -12, 46, 8),
    "fraud": ("dot", 0, -26, 6),
    "papercut": ("scrap", -10, 40, 15),
    "meeting": ("firefly", 4, -18, 9),
}


@dataclass(frozen=True)
class Mote:
    """A small thing in the air: where it starts, its speed in pixels a second, how far it sways."""

    image: Image.Image
    x: float
    y: float
    vx: float
    vy: float
    sway: float


def motes(script: Script) -> tuple[Mote, ...]:
    kind, across, down, size = AIR[script.key]
    dice = seeded(len(script.title))
    images = [
        _mote(kind, size * share, script.identity.accent, turn)
        for share, turn in ((0.7, 20), (1.0, 75), (1.3, 140))
    ]
    return tuple(
        Mote(
            images[dice.randrange(3)],
            dice.uniform(0, WIDTH),
            dice.uniform(0, HEIGHT),
            across * dice.uniform(0.5, 1.5),
            down * dice.uniform(0.6, 1.4),
            dice.uniform(4, 22),
        )
        for _ in range(34)
    )


def _mote(kind: str, size: float, accent: str, turn: float) -> Image.Image:
    art = Art(size * 2, size * 2, None)
    middle = size
    if kind == "scrap":
        motifs.leaf(art, middle, middle + size * 0.6, size * 1.2, turn, accent, plump=0.6)
        return art.finished()
    tint = {"firefly": "#ffe08a", "seed": "#fff7c4", "snow": "#ffffff", "dot": "#6ff0e6"}[kind]
    art.disc(middle, middle, size * (0.75 if kind == "snow" else 0.45), tint, 0.85 if kind == "snow" else 0.7)
    shape = art.finished().getchannel("A").filter(ImageFilter.GaussianBlur(size * 0.16))
    image = Image.new("RGBA", shape.size, colour(tint))
    image.putalpha(shape)
    return image
