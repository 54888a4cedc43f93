"""Figures that several films share: hills, houses, poles and wires, people, hands, weather, plants."""

from __future__ import annotations

import math

from server.console.films.art import Art, Colour, Point, curve, mix, moved, seeded, turned


def hill(
    art: Art, base: float, height: float, fill: Colour, *, phase: float = 0.0, waves: float = 1.3
) -> None:
    """A rolling ridge across the sheet whose crest moves around `base`."""
    crest = [
        (x, base - height * (0.5 + 0.5 * math.sin(phase + x / art.width * waves * math.tau)))
        for x in range(-20, int(art.width) + 41, 20)
    ]
    art.poly([*crest, (art.width + 40, art.height + 10), (-20, art.height + 10)], fill)


def sun(art: Art, cx: float, cy: float, radius: float, fill: Colour, glow: Colour) -> None:
    art.glow(cx, cy, radius * 4, glow, 0.55)
    art.glow(cx, cy, radius * 2.2, glow, 0.7)
    art.disc(cx, cy, radius, fill)


def cloud(art: Art, cx: float, cy: float, size: float, fill: Colour) -> None:
    for dx, dy, radius in ((-0.9, 0.12, 0.42), (-0.35, -0.15, 0.6), (0.35, -0.08, 0.52), (0.95, 0.15, 0.38)):
        art.disc(cx + dx * size, cy + dy * size, radius * size, fill)
    art.box(cx - 1.28 * size, cy + 0.1 * size, 2.6 * size, 0.44 * size, fill, radius=0.22 * size)


def stars(art: Art, count: int, below: float, seed: int, tint: Colour = "#ffffff") -> None:
    dice = seeded(seed)
    for _ in range(count):
        x, y = dice.uniform(0, art.width), dice.uniform(0, below)
        art.disc(x, y, dice.uniform(0.6, 1.7), tint, dice.uniform(0.25, 0.85))


def house(
    art: Art, x: float, y: float, width: float, *, wall: Colour, roof: Colour, window: Colour, door: Colour
) -> None:
    """A north-China brick house: low gable roof, a door between two windows; (x, y) its lower left corner."""
    height = width * 0.42
    eave = y - height
    art.box(x, eave, width, height, wall)
    art.box(x, y - height * 0.16, width, height * 0.16, mix(wall, "#000000", 0.18))
    art.poly(
        [
            (x - width * 0.06, eave),
            (x + width * 0.1, eave - width * 0.2),
            (x + width * 0.9, eave - width * 0.2),
            (x + width * 1.06, eave),
        ],
        roof,
    )
    for line in range(1, 14):
        at = x + width * line / 14
        art.line(
            [(at, eave - 2), (x + width * 0.1 + (at - x) * 0.8, eave - width * 0.195)],
            mix(roof, "#000000", 0.22),
            1.2,
        )
    art.box(x - width * 0.06, eave - 3, width * 1.12, 6, mix(roof, "#000000", 0.35), radius=2)
    art.box(x + width * 0.42, y - height * 0.72, width * 0.16, height * 0.72, door)
    art.line([(x + width * 0.5, y - height * 0.7), (x + width * 0.5, y)], mix(door, "#000000", 0.35), 1.5)
    for left in (0.1, 0.67):
        _window(art, x + width * left, y - height * 0.76, width * 0.23, height * 0.48, window)


def _window(art: Art, x: float, y: float, width: float, height: float, glass: Colour) -> None:
    frame = "#5b4332"
    art.box(x, y, width, height, glass, edge=frame, edge_width=2.4)
    for share in (1 / 3, 2 / 3):
        art.line([(x + width * share, y), (x + width * share, y + height)], frame, 1.6)
    art.line([(x, y + height * 0.42), (x + width, y + height * 0.42)], frame, 1.6)


def pole(art: Art, x: float, ground: float, height: float, tint: Colour) -> list[Point]:
    """A concrete pole with one cross-arm; returns where its three wires hang."""
    art.poly(
        [
            (x - height * 0.016, ground),
            (x - height * 0.01, ground - height),
            (x + height * 0.01, ground - height),
            (x + height * 0.016, ground),
        ],
        tint,
    )
    arm = ground - height * 0.9
    art.box(x - height * 0.16, arm, height * 0.32, height * 0.022, tint, radius=2)
    hangs = []
    for share in (-0.145, 0.0, 0.145):
        at = x + share * height
        top = arm if share else ground - height
        art.box(
            at - height * 0.009,
            top - height * 0.035,
            height * 0.018,
            height * 0.04,
            mix(tint, "#ffffff", 0.45),
            radius=2,
        )
        hangs.append((at, top - height * 0.035))
    return hangs


def wire(art: Art, start: Point, end: Point, sag: float, tint: Colour, width: float = 1.6) -> None:
    """A hanging wire, drawn as the parabola it nearly is."""
    path = [
        (start[0] + (end[0] - start[0]) * t, start[1] + (end[1] - start[1]) * t + sag * 4 * t * (1 - t))
        for t in (k / 24 for k in range(25))
    ]
    art.line(path, tint, width)


def bolt(art: Art, cx: float, cy: float, size: float, fill: Colour) -> None:
    """A lightning flash, `size` high."""
    shape = [
        (0.08, -0.5),
        (-0.3, 0.06),
        (-0.05, 0.06),
        (-0.14, 0.5),
        (0.3, -0.12),
        (0.04, -0.12),
        (0.24, -0.5),
    ]
    art.poly(moved(shape, cx, cy, size), fill)


def tick(art: Art, cx: float, cy: float, size: float, fill: Colour, ink: Colour) -> None:
    art.disc(cx, cy, size, fill)
    art.line(
        [
            (cx - size * 0.45, cy + size * 0.02),
            (cx - size * 0.1, cy + size * 0.36),
            (cx + size * 0.48, cy - size * 0.34),
        ],
        ink,
        size * 0.2,
    )


def cross(art: Art, cx: float, cy: float, size: float, fill: Colour, ink: Colour) -> None:
    art.disc(cx, cy, size, fill)
    reach = size * 0.38
    art.line([(cx - reach, cy - reach), (cx + reach, cy + reach)], ink, size * 0.2)
    art.line([(cx - reach, cy + reach), (cx + reach, cy - reach)], ink, size * 0.2)


def person(
    art: Art,
    x: float,
    y: float,
    size: float,
    *,
    coat: Colour,
    skin: Colour = "#e8b48c",
    hair: Colour = "#2b211c",
    hat: Colour | None = None,
    grey: bool = False,
) -> None:
    """Head and shoulders seen from the front; (x, y) the middle of the coat's lower edge, `size` the height."""
    head = y - size * 0.72
    art.blob(
        [
            (x - size * 0.44, y),
            (x - size * 0.4, y - size * 0.3),
            (x - size * 0.17, y - size * 0.46),
            (x + size * 0.17, y - size * 0.46),
            (x + size * 0.4, y - size * 0.3),
            (x + size * 0.44, y),
            (x, y + size * 0.02),
        ],
        coat,
    )
    art.box(
        x - size * 0.07,
        y - size * 0.56,
        size * 0.14,
        size * 0.18,
        mix(skin, "#000000", 0.12),
        radius=size * 0.05,
    )
    art.poly(
        [(x - size * 0.12, y - size * 0.46), (x, y - size * 0.28), (x + size * 0.12, y - size * 0.46)],
        mix(coat, "#ffffff", 0.75),
    )
    art.oval(x, head, size * 0.19, size * 0.225, skin)
    for side in (-1, 1):
        art.disc(x + side * size * 0.19, head + size * 0.02, size * 0.04, skin)
        art.disc(x + side * size * 0.075, head + size * 0.01, size * 0.018, "#2b211c")
    art.hoop(x, head + size * 0.06, size * 0.06, "#9c5a44", size * 0.016, start=25, end=155)
    art.pie(x, head - size * 0.03, size * 0.215, "#b9b4ae" if grey else hair, 180, 360)
    art.box(
        x - size * 0.213, head - size * 0.05, size * 0.05, size * 0.09, "#b9b4ae" if grey else hair, radius=4
    )
    art.box(
        x + size * 0.163, head - size * 0.05, size * 0.05, size * 0.09, "#b9b4ae" if grey else hair, radius=4
    )
    if hat is not None:
        art.pie(x, head - size * 0.06, size * 0.22, hat, 180, 360)
        art.box(
            x - size * 0.29,
            head - size * 0.09,
            size * 0.58,
            size * 0.055,
            mix(hat, "#000000", 0.15),
            radius=size * 0.03,
        )


def leaf(
    art: Art, x: float, y: float, length: float, degrees: float, fill: Colour, *, plump: float = 0.3
) -> None:
    """A pointed leaf that starts at (x, y) and points `degrees` clockwise from straight up."""
    shape = curve([(0, 0), (-plump * 0.5, -0.35), (0, -1), (plump * 0.5, -0.35)], steps=6)
    art.poly(moved(turned([(px * length, py * length) for px, py in shape], degrees), x, y), fill)


def blade(art: Art, x: float, y: float, height: float, lean: float, fill: Colour, width: float) -> None:
    """A grass blade that bends by `lean` pixels at the tip."""
    art.taper([(x, y), (x + lean * 0.2, y - height * 0.55), (x + lean, y - height)], fill, width, 0.6)


def wheat_clump(art: Art, x: float, y: float, size: float, seed: int, greens: tuple[Colour, ...]) -> None:
    """A tillering wheat plant of early spring: short blades in a fan."""
    dice = seeded(seed)
    for index in range(9):
        lean = (index - 4) / 4 * size * 0.62 + dice.uniform(-0.06, 0.06) * size
        height = size * (1.0 - abs(index - 4) * 0.1) * dice.uniform(0.86, 1.08)
        blade(art, x + (index - 4) * size * 0.03, y, height, lean, greens[index % len(greens)], size * 0.085)


def ear(art: Art, x: float, y: float, size: float, degrees: float, fill: Colour) -> None:
    """A ripe wheat ear with its stalk's end at (x, y)."""

    def put(px: float, py: float) -> Point:
        return moved(turned([(px * size, py * size)], degrees), x, y)[0]

    art.line([put(0, 0.9), put(0, 0)], fill, size * 0.03)
    for row in range(6):
        for side in (-1, 1):
            px, py = put(side * 0.05, -0.1 - row * 0.13)
            leaf(art, px, py, size * 0.26, degrees + side * 26, fill, plump=0.55)
            tip = put(side * (0.16 + row * 0.012), -0.42 - row * 0.14)
            art.line([(px, py), tip], mix(fill, "#ffffff", 0.25), 1.1)
    px, py = put(0, -0.84)
    leaf(art, px, py, size * 0.26, degrees, fill, plump=0.5)


def hand(
    art: Art,
    x: float,
    y: float,
    size: float,
    degrees: float,
    *,
    skin: Colour = "#e8b48c",
    sleeve: Colour = "#3a5a8c",
) -> None:
    """A hand with a pointing finger whose tip is at (x, y), coming from the direction `degrees` (0 = below)."""

    def put(points: list[Point]) -> list[Point]:
        return moved(turned([(px * size, py * size) for px, py in points], degrees), x, y)

    art.poly(put([(-0.34, 1.15), (0.42, 1.15), (0.5, 2.3), (-0.42, 2.3)]), sleeve)
    art.poly(put([(-0.36, 1.1), (0.44, 1.1), (0.45, 1.26), (-0.37, 1.26)]), mix(sleeve, "#ffffff", 0.35))
    art.blob(
        put([(-0.3, 0.62), (0.1, 0.5), (0.44, 0.62), (0.46, 0.95), (0.36, 1.2), (-0.28, 1.2), (-0.36, 0.9)]),
        skin,
    )
    for start, end, width in (
        ((-0.18, 0.75), (-0.0, 0.08), 0.19),
        ((0.06, 0.62), (0.1, 0.48), 0.2),
        ((0.24, 0.64), (0.26, 0.52), 0.19),
        ((0.39, 0.7), (0.4, 0.6), 0.17),
    ):
        art.line(put([start, end]), skin, width * size)
    art.line(put([(-0.28, 0.85), (-0.42, 0.6)]), skin, size * 0.17)
    for px in (0.0, 0.17, 0.33):
        art.line(put([(px + 0.0, 0.66), (px + 0.02, 0.8)]), mix(skin, "#000000", 0.16), size * 0.025)
