"""Pictures of 蔚县剪纸: symmetric cut-paper ornaments made by geometry, the knife, the dyes, the motifs."""

from __future__ import annotations

import math

from server.console.films import motifs
from server.console.films.art import SCALE, Art, Colour, Point, curve, moved, ring, seeded, turned
from server.console.films.lettering import write

RED, DEEP, PAPER, CREAM = "#c5161d", "#8f0f14", "#fbf1e0", "#fff6e6"


def _drop(length: float, width: float) -> list[Point]:
    """A petal from the origin upwards."""
    return curve(
        [(0, 0), (-width * 0.5, -length * 0.55), (0, -length), (width * 0.5, -length * 0.55)], steps=8
    )


def _crescents(
    art: Art, cx: float, cy: float, radius: float, count: int, length: float, width: float, hole: Colour
) -> None:
    """The moon-shaped slits (月牙纹) of cut paper, on a circle."""
    shape = curve([(-width / 2, 0), (0, -length * 0.42), (width / 2, 0), (0, -length * 0.16)], steps=6)
    for (x, y), angle in ring(cx, cy, radius, count):
        art.poly(moved(turned(shape, angle + 90), x, y), hole)


def _petals(
    art: Art, cx: float, cy: float, radius: float, count: int, length: float, width: float, fill: Colour
) -> None:
    for (x, y), angle in ring(cx, cy, radius, count):
        art.poly(moved(turned(_drop(length, width), angle + 90), x, y), fill)


def _teeth(art: Art, cx: float, cy: float, radius: float, count: int, length: float, fill: Colour) -> None:
    """The saw-tooth rim (锯齿纹)."""
    half = math.pi * radius / count * 0.9
    for (x, y), angle in ring(cx, cy, radius, count):
        art.poly(moved(turned([(-half, 0), (0, -length), (half, 0)], angle + 90), x, y), fill)


def _lobe(art: Art, cx: float, cy: float, size: float, angle: float, paper: Colour, ink: Colour) -> None:
    """One eighth of a window flower: a lotus petal with its veins, a bud and leaves beside it."""

    def put(points: list[Point], about: float, reach: float, lean: float = 0.0) -> list[Point]:
        at = turned([(0, -size * reach)], angle + about)[0]
        return moved(turned(points, angle + about + lean), cx + at[0], cy + at[1])

    art.poly(put(_drop(size * 0.34, size * 0.21), 0, 0.335), paper)
    art.poly(put(_drop(size * 0.27, size * 0.14), 0, 0.36), ink)
    for lean in (-13, 0, 13):
        art.poly(put(_drop(size * 0.17, size * 0.028), 0, 0.375, lean), paper)
    art.poly(put(_drop(size * 0.14, size * 0.1), 22.5, 0.545), paper)
    art.poly(put(_drop(size * 0.08, size * 0.045), 22.5, 0.565), ink)
    for side in (-1, 1):
        art.poly(put(_drop(size * 0.17, size * 0.065), 22.5 + side * 2.5, 0.43, side * 34), paper)
        art.poly(put(_drop(size * 0.1, size * 0.045), 22.5 + side * 9.5, 0.61, side * 30), paper)
    art.disc(*put([(0.0, 0.0)], 22.5, 0.39)[0], size * 0.022, paper)


def flower(
    art: Art, cx: float, cy: float, size: float, paper: Colour, *, ink: Colour = RED, middle: str = ""
) -> None:
    """A round window flower (团花) of eightfold symmetry, cut from `ink` paper over `paper`."""
    count = 8
    _teeth(art, cx, cy, size * 0.955, 72, size * 0.05, ink)
    art.disc(cx, cy, size * 0.96, ink)
    _crescents(art, cx, cy, size * 0.87, 32, size * 0.16, size * 0.1, paper)
    art.hoop(cx, cy, size * 0.8, paper, size * 0.016)
    for step, (x, y) in enumerate(place for place, _ in ring(cx, cy, size * 0.745, 48)):
        art.disc(x, y, size * (0.018 if step % 2 else 0.011), paper)
    art.hoop(cx, cy, size * 0.7, paper, size * 0.016)
    for turn in range(count):
        _lobe(art, cx, cy, size, 360 / count * turn, paper, ink)
    art.disc(cx, cy, size * 0.33, ink)
    if middle:
        art.disc(cx, cy, size * 0.3, paper)
        _teeth(art, cx, cy, size * 0.29, 40, -size * 0.028, ink)
        write(art.sheet, (cx * SCALE, cy * SCALE), middle, size * 0.4 * SCALE, ink, weight="bold", anchor="m")
    else:
        art.hoop(cx, cy, size * 0.305, paper, size * 0.014)
        _petals(art, cx, cy, size * 0.06, 8, size * 0.2, size * 0.11, paper)
        art.disc(cx, cy, size * 0.085, ink)
        art.disc(cx, cy, size * 0.045, paper)


def _corner(art: Art, x: float, y: float, size: float, degrees: float, ink: Colour) -> None:
    """A corner ornament (角花): a fan of petals growing out of a corner."""
    for lean in (0, 22.5, 45, 67.5, 90):
        art.poly(
            moved(turned(_drop(size * (1.0 if lean % 45 == 0 else 0.78), size * 0.22), degrees + lean), x, y),
            ink,
        )
    art.pie(x, y, size * 0.34, ink, degrees - 90, degrees)


def _lattice(art: Art, x: float, y: float, width: float, height: float) -> None:
    """A paper window of an old house: wooden lattice, warm light behind."""
    art.box(x - 22, y - 22, width + 44, height + 44, "#5a3320", radius=6)
    art.box(x - 12, y - 12, width + 24, height + 24, "#7a4a30", radius=4)
    art.box(x, y, width, height, "#fff3d8")
    art.glow(x + width / 2, y + height / 2, min(width, height) * 0.75, "#ffd98a", 0.75)
    step = width / 8
    for index in range(1, 8):
        art.line([(x + index * step, y), (x + index * step, y + height)], "#8a5a3c", 3)
    rows = round(height / step)
    for index in range(1, rows):
        art.line([(x, y + index * height / rows), (x + width, y + index * height / rows)], "#8a5a3c", 3)


def title(art: Art) -> None:
    art.fade(["#fdf4e4", "#f6e2c0"])
    dice = seeded(2)
    for _ in range(700):
        x, y = dice.uniform(0, 1360), dice.uniform(0, 766)
        art.line([(x, y), (x + dice.uniform(-9, 9), y + dice.uniform(-4, 4))], "#b98a52", 0.8, alpha=0.2)
    _corner(art, 0, 0, 190, 90, RED)
    _corner(art, 1360, 766, 190, 270, RED)
    art.soft(lambda a: a.disc(992, 396, 302, "#7a3a1a", 0.5), 16)
    flower(art, 986, 384, 306, CREAM, middle="福")
    for x, y, size in ((1290, 110, 74), (684, 690, 70)):
        flower(art, x, y, size, CREAM)


def carving(art: Art) -> None:
    art.fade(["#8a5a38", "#6b4126"])
    for row in range(7):
        art.line([(0, row * 118 + 20), (660, row * 118 + 8)], "#5a3520", 3)
    art.soft(lambda a: a.box(110, 130, 440, 440, "#000000", alpha=0.6), 16)
    for layer in range(7):
        art.box(
            96 + layer * 2,
            132 - layer * 3,
            440,
            440,
            "#f6e3e0" if layer < 6 else "#fff7f0",
            edge="#d8b7ad",
            edge_width=1,
        )
    flower(art, 328, 334, 196, "#fff7f0")
    art.poly([(524, 114), (548, 114), (548, 128)], "#d8b7ad")
    knife = Art(460, 60, None)
    knife.poly([(0, 40), (78, 16), (96, 22), (96, 40)], "#d9e0e8")
    knife.poly([(0, 40), (96, 34), (96, 40)], "#8f9cab")
    knife.box(92, 12, 340, 34, "#a8432c", radius=14)
    knife.box(92, 12, 340, 12, "#c96048", radius=6)
    knife.box(96, 10, 26, 38, "#d8b25a", radius=6)
    art.soft(lambda a: a.line([(400, 480), (640, 690)], "#000000", 26, alpha=0.5), 9)
    art.place(knife, 560, 560, 40)
    dice = seeded(6)
    for _ in range(26):
        x, y = dice.uniform(340, 560), dice.uniform(500, 630)
        art.poly(moved(turned(_drop(dice.uniform(10, 22), 7), dice.uniform(0, 360)), x, y), RED)


def colours(art: Art) -> None:
    art.fade(["#fdf4e4", "#f3ddb6"])
    tints = ("#d61f26", "#f39a1f", "#f2c500", "#3d9a3a", "#2277c9", "#b23a9a")
    art.soft(lambda a: a.disc(336, 312, 214, "#7a3a1a", 0.5), 14)
    art.disc(330, 300, 216, DEEP)
    _teeth(art, 330, 300, 212, 64, 12, DEEP)
    for index in range(12):
        for (x, y), angle in (ring(330, 300, 92, 12)[index],):
            art.poly(moved(turned(_drop(108, 56), angle + 90), x, y), CREAM)
            art.poly(moved(turned(_drop(98, 46), angle + 90), x, y), tints[index % 6])
            art.poly(moved(turned(_drop(56, 22), angle + 90), x, y), "#ffffff", 0.4)
    _petals(art, 330, 300, 22, 8, 66, 42, CREAM)
    for index, ((x, y), angle) in enumerate(ring(330, 300, 24, 8)):
        art.poly(moved(turned(_drop(58, 33), angle + 90), x, y), tints[(index * 2) % 6])
    art.disc(330, 300, 26, CREAM)
    art.disc(330, 300, 19, "#f2c500")
    for index, tint in enumerate(tints):
        x = 116 + index * 86
        _shadow_under(art, x)
        art.oval(x, 590, 42, 24, "#ffffff")
        art.oval(x, 586, 42, 22, "#f4efe6")
        art.oval(x, 588, 33, 15, tint)
        art.oval(x - 10, 584, 10, 3.5, "#ffffff", 0.6)
    art.line([(620, 130), (500, 352)], "#a8743b", 13)
    art.taper([(500, 352), (486, 380), (474, 412)], "#3b2a20", 20, 3)
    art.taper([(484, 386), (474, 412)], RED, 11, 2)


def _shadow_under(art: Art, x: float) -> None:
    art.soft(lambda a: a.oval(x, 606, 40, 12, "#7a4a20", 0.55), 5)


def _fish(art: Art, cx: float, cy: float, size: float, paper: Colour, flip: int) -> None:
    def put(points: list[Point]) -> list[Point]:
        return [(cx + x * size * flip, cy + y * size) for x, y in points]

    art.poly(put(curve([(-0.9, 0.02), (-0.4, -0.34), (0.2, -0.3), (0.62, 0), (0.2, 0.3), (-0.4, 0.32)])), RED)
    art.poly(put(curve([(0.5, 0), (0.8, -0.2), (1.15, -0.46), (1.05, -0.1), (1.15, 0.42), (0.8, 0.2)])), RED)
    art.poly(put(curve([(-0.3, -0.3), (-0.02, -0.62), (0.32, -0.56), (0.2, -0.26)])), RED)
    art.poly(put(curve([(-0.2, 0.28), (0.0, 0.54), (0.24, 0.5), (0.14, 0.26)])), RED)
    for column in range(5):
        for row in range(3):
            x, y = -0.22 + column * 0.16, -0.16 + row * 0.16 + (0.08 if column % 2 else 0)
            if abs(y) < 0.25 - column * 0.012:
                art.poly(
                    put(curve([(x - 0.05, y), (x, y - 0.07), (x + 0.05, y), (x, y - 0.02)], steps=5)), paper
                )
    eye = put([(-0.62, -0.06)])[0]
    art.disc(*eye, size * 0.085, paper)
    art.disc(*eye, size * 0.045, RED)
    art.line(put([(-0.44, -0.26), (-0.36, 0), (-0.44, 0.26)]), paper, size * 0.03, smooth=True)
    for step in range(3):
        art.line(put([(0.78, -0.02 + step * 0.02), (1.02, -0.28 + step * 0.26)]), paper, size * 0.026)


def motifs_page(art: Art) -> None:
    art.fade(["#5a3320", "#43240f"])
    _lattice(art, 60, 84, 540, 540)
    art.box(92, 116, 218, 218, "#fff8ea", alpha=0.0)
    for x, y in ((196, 218), (464, 218), (196, 490), (464, 490)):
        art.disc(x, y, 124, "#fff6e2")
    _fish(art, 184, 218, 92, "#fff6e2", 1)
    flower(art, 464, 218, 116, "#fff6e2", middle="喜")
    _mask(art, 196, 490, 112)
    _vase(art, 464, 490, 116)


def _mask(art: Art, cx: float, cy: float, size: float) -> None:
    """An opera face (戏曲脸谱), symmetric like everything folded and cut."""
    paper = "#fff6e2"

    def both(points: list[Point], fill: Colour) -> None:
        for side in (-1, 1):
            art.poly([(cx + x * size * side, cy + y * size) for x, y in curve(points, steps=6)], fill)

    both([(0, -0.62), (0.42, -0.56), (0.6, -0.2), (0.54, 0.3), (0.3, 0.72), (0, 0.86), (-0.02, 0.1)], RED)
    for index in range(5):
        x = -0.56 + index * 0.28
        art.disc(cx + x * size, cy - (0.78 - abs(x) * 0.3) * size, size * 0.14, RED)
        art.disc(cx + x * size, cy - (0.78 - abs(x) * 0.3) * size, size * 0.06, paper)
    both([(0.06, -0.3), (0.28, -0.46), (0.5, -0.4), (0.3, -0.32)], paper)
    both([(0.1, -0.1), (0.28, -0.24), (0.48, -0.12), (0.28, 0.0)], paper)
    both([(0.2, -0.11), (0.28, -0.17), (0.36, -0.11), (0.28, -0.05)], RED)
    both([(0.12, 0.18), (0.34, 0.04), (0.48, 0.2), (0.3, 0.38), (0.2, 0.3)], paper)
    both([(0.22, 0.2), (0.33, 0.13), (0.4, 0.22), (0.3, 0.29)], RED)
    both([(0, 0.1), (0.08, 0.26), (0, 0.32)], paper)
    both([(0, 0.44), (0.16, 0.4), (0.26, 0.48), (0.12, 0.56), (0, 0.54)], paper)
    both([(0, -0.54), (0.07, -0.42), (0, -0.26)], paper)


def _vase(art: Art, cx: float, cy: float, size: float) -> None:
    """A vase with peonies (富贵平安)."""
    paper = "#fff6e2"
    for dx, dy, radius in ((0, -0.5, 0.34), (-0.44, -0.2, 0.24), (0.44, -0.2, 0.24)):
        _teeth(art, cx + dx * size, cy + dy * size, radius * size * 0.94, 22, size * 0.07, RED)
        art.disc(cx + dx * size, cy + dy * size, radius * size, RED)
        _petals(
            art,
            cx + dx * size,
            cy + dy * size,
            radius * size * 0.3,
            8,
            radius * size * 0.56,
            radius * size * 0.3,
            paper,
        )
        art.disc(cx + dx * size, cy + dy * size, radius * size * 0.16, paper)
    for side in (-1, 1):
        art.line([(cx, cy + 0.2 * size), (cx + side * 0.3 * size, cy - 0.06 * size)], RED, size * 0.05)
        motifs.leaf(art, cx + side * 0.1 * size, cy + 0.12 * size, size * 0.34, side * 76, RED, plump=0.6)
    outline = [
        (-0.16, 0.14),
        (-0.12, 0.26),
        (-0.32, 0.48),
        (-0.28, 0.76),
        (-0.14, 0.88),
        (0.14, 0.88),
        (0.28, 0.76),
        (0.32, 0.48),
        (0.12, 0.26),
        (0.16, 0.14),
    ]
    art.poly([(cx + x * size, cy + y * size) for x, y in curve(outline, steps=5)], RED)
    art.line([(cx - 0.2 * size, cy + 0.42 * size), (cx + 0.2 * size, cy + 0.42 * size)], paper, size * 0.03)
    _petals(art, cx, cy + 0.62 * size, size * 0.03, 6, size * 0.14, size * 0.09, paper)


def heritage(art: Art) -> None:
    art.fade(["#a81218", "#7d0c12"])
    for (x, y), _ in ring(330, 330, 420, 40):
        art.disc(x, y, 4, "#f2b544", 0.5)
    art.soft(lambda a: a.disc(336, 330, 246, "#000000", 0.5), 16)
    art.disc(330, 316, 248, "#fff6e6")
    flower(art, 330, 316, 232, "#fff6e6", middle="蔚")
    for side in (-1, 1):
        art.poly(
            [
                (330 + side * 130, 560),
                (330 + side * 300, 540),
                (330 + side * 268, 582),
                (330 + side * 300, 624),
                (330 + side * 130, 624),
            ],
            "#d99a2b",
        )
    art.box(150, 556, 360, 78, "#f2b544", radius=8)
    write(
        art.sheet,
        (330 * SCALE, 595 * SCALE),
        "国家级非遗",
        44 * SCALE,
        "#6d0e12",
        weight="black",
        anchor="m",
        tracking=3 * SCALE,
    )


SCENES = {"title": title, "carving": carving, "colours": colours, "motifs": motifs_page, "heritage": heritage}
