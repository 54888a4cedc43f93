"""Pictures of 农村安全用电: a night village, the breaker, the sockets, a fallen wire, the rescue."""

from __future__ import annotations

import math
from itertools import pairwise

from server.console.films import motifs
from server.console.films.art import SCALE, Art, curve
from server.console.films.lettering import write

NAVY, YELLOW, STEEL, RED = "#0f1e3d", "#ffc93c", "#8fa3c8", "#e5484d"


def title(art: Art) -> None:
    art.fade(["#071029", "#12285a", "#2c4a86", "#e08a4a"], 0, 640)
    motifs.stars(art, 150, 380, 7)
    art.glow(1080, 150, 190, "#fff3c4", 0.8)
    art.disc(1080, 150, 46, "#fff6d8")
    motifs.hill(art, 560, 90, "#1b2f5e", phase=0.6)
    motifs.hill(art, 600, 70, "#13244c", phase=2.6, waves=1.8)
    near = [
        motifs.pole(art, 760, 650, 490, "#0b1733"),
        motifs.pole(art, 1240, 620, 310, "#0b1733"),
        motifs.pole(art, 1480, 612, 210, "#0b1733"),
    ]
    for first, second in pairwise(near):
        for start, end in zip(first, second, strict=True):
            motifs.wire(art, start, end, 40, "#0b1733", 2.2)
    for start in near[0]:
        motifs.wire(art, (-60, start[1] - 120), start, 66, "#0b1733", 2.6)
    motifs.hill(art, 660, 46, "#0b1733", phase=1.0, waves=1.1)
    for x, y, size in ((862, 630, 180), (1080, 636, 205), (676, 650, 160)):
        art.glow(x + size * 0.5, y - 40, size * 0.9, "#ffb84d", 0.45)
        motifs.house(art, x, y, size, wall="#2b3a63", roof="#0e1a38", window="#ffd36b", door="#4b3a44")
    art.box(0, 655, 1360, 120, "#0a1530")


def breaker(art: Art) -> None:
    art.fade(["#1b3160", "#2a4781"])
    for row in range(9):
        for column in range(7):
            shift = 50 if row % 2 else 0
            art.box(column * 110 - 60 + shift, row * 88, 104, 82, "#ffffff", alpha=0.035, radius=3)
    art.soft(lambda a: a.box(112, 132, 460, 470, "#000000", radius=26, alpha=0.55), 20)
    art.box(100, 112, 460, 470, "#e9eef7", radius=24)
    art.box(100, 112, 460, 62, "#cdd7ea", radius=24)
    art.box(100, 150, 460, 26, "#cdd7ea")
    for x in (126, 534):
        art.disc(x, 143, 9, "#93a4c4")
        art.line([(x - 5, 143), (x + 5, 143)], "#6d7fa3", 2)
    write(
        art.sheet,
        (330 * SCALE, 144 * SCALE),
        "漏电保护器",
        27 * SCALE,
        "#2a3c66",
        weight="bold",
        anchor="m",
        tracking=4 * SCALE,
    )
    art.box(138, 206, 384, 336, "#f8fafe", radius=16, edge="#b9c6df", edge_width=3)
    for x in (196, 330, 464):
        art.box(x - 16, 176, 32, 30, "#b87333")
        art.box(x - 16, 542, 32, 40, "#b87333")
    art.box(176, 236, 132, 276, "#31456f", radius=14)
    art.box(200, 262, 84, 132, "#1a2848", radius=12)
    art.box(208, 268, 68, 66, YELLOW, radius=10)
    art.box(208, 290, 68, 6, "#d99e12")
    art.box(208, 302, 68, 6, "#d99e12")
    write(art.sheet, (242 * SCALE, 430 * SCALE), "合", 34 * SCALE, "#ffffff", weight="bold", anchor="m")
    art.disc(242, 476, 12, "#3ccf7c")
    art.glow(242, 476, 34, "#3ccf7c", 0.6)
    art.disc(416, 320, 62, "#d7deec")
    art.disc(416, 316, 54, "#f2c230")
    art.disc(416, 312, 48, YELLOW)
    write(art.sheet, (416 * SCALE, 312 * SCALE), "试验", 29 * SCALE, "#5a3d00", weight="bold", anchor="m")
    art.box(352, 420, 130, 84, "#eef2fa", radius=10, edge="#b9c6df", edge_width=2)
    write(art.sheet, (417 * SCALE, 446 * SCALE), "动作电流", 19 * SCALE, "#52648d", anchor="m")
    write(art.sheet, (417 * SCALE, 478 * SCALE), "30 mA", 26 * SCALE, "#31456f", weight="bold", anchor="m")
    for radius, alpha in ((78, 0.8), (96, 0.5), (114, 0.28)):
        art.hoop(416, 314, radius, YELLOW, 4, start=200, end=340, alpha=alpha)
    motifs.hand(art, 440, 330, 150, -24, sleeve="#d9803a")


def _socket(art: Art, x: float, y: float) -> None:
    art.box(x, y, 92, 112, "#f7f9fd", radius=12, edge="#c3cee3", edge_width=2)
    for dx in (31, 61):
        art.box(x + dx - 4, y + 22, 8, 22, "#3b4865", radius=2)
    art.line([(x + 46, y + 62), (x + 46, y + 84)], "#3b4865", 7)
    art.line([(x + 30, y + 84), (x + 38, y + 72)], "#3b4865", 7)
    art.line([(x + 62, y + 84), (x + 54, y + 72)], "#3b4865", 7)


def sockets(art: Art) -> None:
    art.fade(["#3a2340", "#7a3442", "#b04a3c"])
    art.glow(330, 380, 380, "#ff9a4a", 0.55)
    art.soft(lambda a: a.box(50, 342, 496, 150, "#000000", radius=24, alpha=0.6), 18)
    art.box(40, 320, 516, 150, "#dfe5f0", radius=24)
    art.box(40, 440, 516, 30, "#b9c3d6", radius=14)
    for index in range(5):
        _socket(art, 58 + index * 98, 336)
    cables = [
        ("#2f7de1", 104, 40),
        ("#2bb673", 202, 160),
        ("#8b5cf6", 300, 300),
        ("#e5484d", 398, 420),
        ("#f2a33a", 496, 540),
    ]
    for tint, x, top in cables:
        path = [(x, 350), (x, 250), (top + (x - top) * 0.2, 190), (top, 60), (top, -10)]
        art.line(path, tint, 13, smooth=True)
        art.box(x - 30, 318, 60, 66, tint, radius=12)
        art.box(x - 22, 326, 44, 12, "#ffffff", radius=5, alpha=0.28)
    flame = [
        (0, -1.0),
        (0.32, -0.42),
        (0.55, -0.1),
        (0.42, 0.38),
        (0, 0.55),
        (-0.42, 0.38),
        (-0.52, -0.05),
        (-0.22, -0.35),
    ]
    for size, tint, dy in ((120, "#ff6a2b", 0), (82, "#ffb02e", 22), (46, "#fff0a8", 40)):
        art.blob([(398 + x * size, 310 + dy + y * size) for x, y in flame], tint)
    for index in range(8):
        angle = math.radians(-160 + index * 20)
        art.line(
            [
                (398 + 150 * math.cos(angle), 300 + 150 * math.sin(angle)),
                (398 + 176 * math.cos(angle), 300 + 176 * math.sin(angle)),
            ],
            YELLOW,
            6,
        )
    art.line([(42, 440), (14, 480), (36, 560), (-10, 610)], "#222c44", 16, smooth=True)
    art.box(176, 504, 240, 76, "#fff4e0", radius=16)
    write(
        art.sheet, (296 * SCALE, 542 * SCALE), "超载会起火", 36 * SCALE, "#b3261e", weight="bold", anchor="m"
    )


def fallen(art: Art) -> None:
    art.fade(["#22345f", "#5a74a8", "#c9d3e0"], 0, 560)
    motifs.cloud(art, 420, 110, 62, "#45609a")
    motifs.cloud(art, 540, 160, 70, "#5672aa")
    motifs.hill(art, 470, 60, "#55704f", phase=1.1)
    art.fade(["#6d8a52", "#49663b"], 470, 766)
    art.poly([(250, 766), (340, 470), (410, 470), (640, 766)], "#a79a86")
    hangs = motifs.pole(art, 150, 600, 470, "#3d434f")
    for at in hangs[:2]:
        motifs.wire(art, at, (700, at[1] - 40), 50, "#20252f", 3)
    art.line(
        [hangs[2], (236, 240), (262, 370), (290, 470), (346, 516), (410, 510)], "#15181f", 5, smooth=True
    )
    for radius, alpha in ((60, 0.95), (112, 0.75), (164, 0.5), (214, 0.32)):
        corners = [
            (410 - radius) * SCALE,
            (514 - radius * 0.34) * SCALE,
            (410 + radius) * SCALE,
            (514 + radius * 0.34) * SCALE,
        ]
        art.pen.ellipse(corners, outline=(229, 72, 77, round(255 * alpha)), width=5 * SCALE)
    art.glow(410, 510, 80, "#fff2a8", 0.95)
    for angle in range(0, 360, 45):
        reach = 40 if angle % 90 else 58
        art.line(
            [
                (410 + 14 * math.cos(math.radians(angle)), 506 + 12 * math.sin(math.radians(angle))),
                (
                    410 + reach * math.cos(math.radians(angle)),
                    506 + reach * 0.8 * math.sin(math.radians(angle)),
                ),
            ],
            "#fff7c9",
            4,
        )
    art.poly([(420, 190), (516, 360), (324, 360)], "#20252f")
    art.poly(curve([(420, 202), (506, 353), (334, 353)], steps=1), YELLOW)
    motifs.bolt(art, 422, 300, 96, "#20252f")
    art.line([(150, 592), (380, 592)], "#ffffff", 5)
    for x, way in ((150, 1), (380, -1)):
        art.line([(x, 592), (x + way * 16, 580)], "#ffffff", 5)
        art.line([(x, 592), (x + way * 16, 604)], "#ffffff", 5)
    art.box(194, 564, 142, 56, "#e5484d", radius=14)
    write(art.sheet, (265 * SCALE, 592 * SCALE), "8 米以外", 30 * SCALE, "#ffffff", weight="bold", anchor="m")


def rescue(art: Art) -> None:
    art.fade(["#e7eefb", "#c3d3ef"])
    art.box(60, 120, 210, 270, "#f7f9fd", radius=18, edge="#a9bbdc", edge_width=4)
    art.box(84, 146, 162, 218, "#33476f", radius=14)
    art.box(128, 176, 74, 160, "#18233d", radius=12)
    art.box(136, 252, 58, 74, RED, radius=10)
    write(art.sheet, (165 * SCALE, 290 * SCALE), "断", 36 * SCALE, "#ffffff", weight="black", anchor="m")
    art.line([(165, 400), (165, 500)], "#9fb2d6", 6)
    art.line([(300, 190), (300, 316)], RED, 12)
    art.poly([(274, 306), (326, 306), (300, 346)], RED)
    motifs.person(art, 470, 560, 300, coat="#2f6fb3", hat="#f2b632")
    art.box(0, 560, 660, 210, "#9db0d3")
    art.box(0, 556, 660, 10, "#8a9fc6")
    art.line([(410, 460), (330, 480), (240, 540)], "#2f6fb3", 46, smooth=True)
    art.disc(238, 542, 24, "#e8b48c")
    art.line([(300, 500), (60, 640)], "#a8743b", 15)
    art.line([(300, 498), (62, 636)], "#c99554", 5)
    art.line([(-10, 600), (40, 610), (72, 636), (120, 690), (230, 700)], "#15181f", 6, smooth=True)
    motifs.bolt(art, 246, 668, 62, YELLOW)
    art.box(356, 84, 250, 76, "#ffffff", radius=38)
    motifs.tick(art, 396, 122, 25, "#2bb673", "#ffffff")
    write(art.sheet, (436 * SCALE, 122 * SCALE), "先断电", 38 * SCALE, "#1d3566", weight="black")


SCENES = {"title": title, "breaker": breaker, "sockets": sockets, "fallen": fallen, "rescue": rescue}
