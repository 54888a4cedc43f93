"""Pictures of 苹果冬剪: the orchard in snow, marking what goes, light into the crown, the cut, clearing up."""

from __future__ import annotations

import math

from server.console.films import motifs
from server.console.films.art import SCALE, Art, Colour, Point, seeded
from server.console.films.lettering import write

BARK, LIT_BARK, TWIG, RED = "#5a4334", "#7a5c47", "#6d5140", "#c8372d"


def tree(
    art: Art,
    x: float,
    y: float,
    size: float,
    *,
    snow: bool = False,
    bark: Colour = BARK,
    seed: int = 5,
    dense: bool = True,
) -> None:
    """A bare apple tree with an open crown: trunk, main limbs, side shoots; (x, y) the foot of its trunk."""
    dice = seeded(seed)
    crotch = (x, y - size * 0.34)
    flare = [
        (-0.13, 0.012),
        (-0.075, -0.02),
        (-0.055, -0.1),
        (-0.045, -0.2),
        (-0.05, -0.36),
        (0.05, -0.36),
        (0.062, -0.2),
        (0.06, -0.1),
        (0.08, -0.02),
        (0.13, 0.012),
        (0.04, 0.004),
        (-0.04, 0.004),
    ]
    art.blob([(x + dx * size, y + dy * size) for dx, dy in flare], bark)
    for lean, reach in ((-0.5, 0.42), (-0.24, 0.62), (0.04, 0.66), (0.3, 0.58), (0.54, 0.4)):
        tip = (x + lean * size, crotch[1] - reach * size)
        bend = (x + lean * size * 0.62, crotch[1] - reach * size * 0.42)
        art.taper([crotch, bend, tip], bark, size * 0.062, size * 0.012)
        for share in (0.35, 0.5, 0.64, 0.78, 0.9) if dense else (0.5, 0.8):
            at = _along(crotch, bend, tip, share)
            side = 1 if dice.random() > 0.5 else -1
            length = size * dice.uniform(0.1, 0.2)
            shoot = (at[0] + side * length * 0.7, at[1] - length * 0.8)
            art.taper(
                [at, ((at[0] + shoot[0]) / 2 + side * 3, (at[1] + shoot[1]) / 2 + 3), shoot],
                bark,
                size * 0.018,
                1.4,
            )
            for bud in (0.5, 0.8):
                art.disc(
                    at[0] + (shoot[0] - at[0]) * bud,
                    at[1] + (shoot[1] - at[1]) * bud,
                    size * 0.009,
                    "#8d5a45",
                )
        if snow:
            top = [
                (_along(crotch, bend, tip, s)[0], _along(crotch, bend, tip, s)[1] - size * 0.02)
                for s in (0.15, 0.35, 0.55)
            ]
            art.line(top, "#ffffff", size * 0.02, smooth=True)


def _along(a: Point, b: Point, c: Point, t: float) -> Point:
    """A point on the limb from `a` over `b` to `c`."""
    if t < 0.5:
        return a[0] + (b[0] - a[0]) * t * 2, a[1] + (b[1] - a[1]) * t * 2
    return b[0] + (c[0] - b[0]) * (t - 0.5) * 2, b[1] + (c[1] - b[1]) * (t - 0.5) * 2


def shears(art: Art, x: float, y: float, size: float, degrees: float) -> None:
    """Pruning shears, open, the joint at (x, y), the blades pointing up before turning."""
    tool = Art(size * 2.4, size * 2.4, None)
    cx = cy = size * 1.2
    for side in (-1, 1):
        tool.taper(
            [
                (cx, cy),
                (cx + side * size * 0.2, cy + size * 0.4),
                (cx + side * size * 0.26, cy + size * 1.02),
            ],
            RED,
            size * 0.15,
            size * 0.13,
        )
    tool.poly(
        [
            (cx - size * 0.1, cy + size * 0.12),
            (cx - size * 0.34, cy - size * 0.3),
            (cx - size * 0.28, cy - size * 0.84),
            (cx - size * 0.06, cy - size * 0.4),
            (cx + size * 0.1, cy - size * 0.02),
        ],
        "#c5ced8",
    )
    tool.poly(
        [
            (cx - size * 0.34, cy - size * 0.3),
            (cx - size * 0.28, cy - size * 0.84),
            (cx - size * 0.22, cy - size * 0.42),
        ],
        "#8e9cab",
    )
    tool.poly(
        [
            (cx + size * 0.1, cy + size * 0.12),
            (cx + size * 0.3, cy - size * 0.24),
            (cx + size * 0.3, cy - size * 0.62),
            (cx + size * 0.14, cy - size * 0.34),
            (cx - size * 0.08, cy),
        ],
        "#9aa7b5",
    )
    tool.disc(cx, cy, size * 0.1, "#4c5763")
    tool.disc(cx, cy, size * 0.045, "#c5ced8")
    art.place(tool, x, y, degrees)


def title(art: Art) -> None:
    art.fade(["#86aac9", "#c4d8e6", "#f6e6da"], 0, 560)
    art.glow(330, 430, 330, "#ffe3bd", 0.75)
    motifs.hill(art, 520, 120, "#b6cbdc", phase=0.3)
    motifs.hill(art, 548, 70, "#d3e1ec", phase=2.4, waves=1.6)
    for x, y, size in (
        (640, 560, 120),
        (520, 566, 130),
        (1330, 562, 140),
        (400, 560, 120),
        (280, 566, 126),
        (1200, 560, 120),
    ):
        tree(art, x, y, size, bark="#8c8a94", seed=x)
    art.fade(["#eef4f9", "#ffffff", "#dbe6ef"], 552, 776)
    art.soft(lambda a: a.oval(1010, 664, 260, 22, "#7f95ab", 0.55), 10)
    tree(art, 1010, 660, 560, snow=True, seed=11)
    motifs.house(art, 90, 574, 110, wall="#e2d5c6", roof="#f6fafd", window="#f2c15c", door="#8a5a44")
    dice = seeded(4)
    for _ in range(110):
        art.disc(
            dice.uniform(0, 1360),
            dice.uniform(0, 740),
            dice.uniform(1.2, 3.6),
            "#ffffff",
            dice.uniform(0.5, 0.95),
        )
    art.line([(1192, 664), (1120, 470)], "#b9834a", 7)
    for step in range(5):
        y = 640 - step * 38
        art.line([(1186 - step * 14, y), (1236 - step * 14, y)], "#b9834a", 5)
    art.line([(1240, 664), (1168, 470)], "#b9834a", 7)


def look(art: Art) -> None:
    art.fade(["#bcd3e4", "#eef4f8"], 0, 600)
    art.fade(["#f8fbfd", "#dce7ef"], 590, 776)
    art.soft(lambda a: a.oval(330, 622, 220, 18, "#7f95ab", 0.55), 8)
    tree(art, 330, 618, 510, seed=5)
    for x, y, name in ((160, 286, "病枝"), (462, 210, "徒长枝"), (258, 150, "枯枝")):
        art.hoop(x, y, 44, RED, 5)
        art.line([(x - 22, y + 22), (x + 22, y - 22)], RED, 5)
        art.box(x - 52, y + 52, 104, 40, RED, radius=10)
        write(
            art.sheet, (x * SCALE, (y + 72) * SCALE), name, 26 * SCALE, "#ffffff", weight="bold", anchor="m"
        )
    shears(art, 516, 480, 96, -38)


def light(art: Art) -> None:
    art.fade(["#8fc1e3", "#d9ebf5"], 0, 600)
    motifs.sun(art, 560, 110, 58, "#ffcf48", "#fff0b8")
    for index in range(5):
        angle = math.radians(118 + index * 11)
        start = (560 + 80 * math.cos(angle), 110 + 80 * math.sin(angle))
        end = (560 + 640 * math.cos(angle), 110 + 640 * math.sin(angle))
        art.poly(
            [
                (start[0] - 8, start[1]),
                (start[0] + 8, start[1]),
                (end[0] + 34, end[1]),
                (end[0] - 34, end[1]),
            ],
            "#fff3c0",
            0.26,
        )
    motifs.hill(art, 600, 60, "#a9cf9a", phase=0.7)
    art.fade(["#8cbf6d", "#6ea354"], 596, 776)
    art.soft(lambda a: a.oval(320, 632, 220, 18, "#3f6b30", 0.55), 8)
    tree(art, 320, 628, 560, seed=9, dense=False)
    dice = seeded(2)
    for x, y in (
        (110.0, 318.0),
        (168, 250),
        (214, 180),
        (350, 132),
        (438, 200),
        (520, 300),
        (250, 330),
        (420, 350),
        (580, 330),
        (70, 260),
        (300, 210),
    ):
        for _ in range(15):
            tone = ("#5f9e3f", "#74b04c", "#8cc25f")[dice.randrange(3)]
            motifs.leaf(
                art,
                x + dice.uniform(-34, 34),
                y + dice.uniform(-26, 30),
                32,
                dice.uniform(0, 360),
                tone,
                plump=0.7,
            )
    for x, y in ((132, 300), (222, 178), (352, 150), (470, 236), (556, 330)):
        art.disc(x, y, 19, RED)
        art.disc(x - 6, y - 7, 5, "#ffffff", 0.55)
        art.line([(x, y - 18), (x + 3, y - 28)], BARK, 3)
        motifs.leaf(art, x + 2, y - 24, 20, 60, "#6fae4a", plump=0.6)


def cut(art: Art) -> None:
    art.fade(["#dfe9f1", "#f7efe6"])
    art.taper([(-20, 640), (240, 560), (470, 420), (700, 330)], BARK, 150, 96)
    for offset, tone in ((-36, LIT_BARK), (4, "#4c382b"), (34, LIT_BARK)):
        art.line(
            [(-20, 640 + offset), (240, 560 + offset), (470, 420 + offset * 0.8), (700, 330 + offset * 0.7)],
            tone,
            5,
            smooth=True,
        )
    art.taper([(300, 520), (268, 430), (258, 366)], BARK, 92, 74)
    art.oval(258, 330, 37, 17, "#efd4a8")
    for radius in (28, 19, 10):
        art.oval(258, 330, radius, radius * 0.45, "#d9b27c" if radius != 19 else "#e8c795")
    art.poly([(222, 328), (294, 328), (290, 368), (262, 356), (244, 376), (226, 360)], "#3d8f86")
    art.oval(258, 328, 37, 17, "#4fae9f")
    art.oval(250, 324, 16, 5, "#a8e0d3", 0.8)
    art.line([(470, 96), (300, 296)], "#a8743b", 15)
    art.poly([(318, 262), (340, 282), (300, 318), (280, 304)], "#e9dcc2")
    art.poly([(300, 318), (280, 304), (266, 326), (282, 332)], "#4fae9f")
    shears(art, 500, 540, 104, -52)
    art.box(60, 120, 220, 72, "#ffffff", radius=36)
    motifs.tick(art, 98, 156, 24, "#2f9e63", "#ffffff")
    write(art.sheet, (136 * SCALE, 156 * SCALE), "剪口平滑", 30 * SCALE, "#2c2622", weight="bold")


def clean(art: Art) -> None:
    art.fade(["#a9c6dc", "#eaf2f7"], 0, 460)
    motifs.hill(art, 440, 60, "#cfdde8", phase=1.2)
    for x, size in ((90, 220), (560, 230), (330, 190)):
        tree(art, x, 468, size, bark="#7d7470", seed=x, dense=False)
    art.fade(["#e9e2d6", "#cfc2ae"], 460, 776)
    art.soft(lambda a: a.oval(330, 584, 230, 22, "#5d4a38", 0.55), 10)
    dice = seeded(8)
    for _ in range(34):
        foot, angle = dice.uniform(220, 440), math.radians(dice.uniform(-35, 35))
        top = dice.uniform(334, 404)
        reach = dice.uniform(60, 120) * math.sin(angle)
        art.taper(
            [(foot, 454), (foot + reach * 0.5, (top + 454) / 2), (foot + reach * 1.5, top - 40)],
            TWIG if dice.random() > 0.5 else BARK,
            7,
            2,
        )
    art.poly([(180, 420), (480, 420), (446, 560), (214, 560)], "#3f7f6b")
    art.poly([(180, 420), (480, 420), (474, 444), (186, 444)], "#56a189")
    art.line([(446, 494), (600, 434)], "#2f5f50", 12)
    art.line([(446, 534), (604, 474)], "#2f5f50", 12)
    art.disc(252, 574, 42, "#2c2622")
    art.disc(252, 574, 22, "#cfc6ba")
    art.disc(252, 574, 7, "#2c2622")
    art.line([(392, 558), (404, 610)], "#2f5f50", 12)
    for _ in range(16):
        motifs.leaf(
            art, dice.uniform(60, 600), dice.uniform(600, 640), 24, dice.uniform(0, 360), "#a9743f", plump=0.6
        )


SCENES = {"title": title, "look": look, "light": light, "cut": cut, "clean": clean}
