"""Pictures of 冬小麦返青管理: the field in early spring, the hoe, three kinds of seedlings, water, care."""

from __future__ import annotations

import math

from server.console.films import motifs
from server.console.films.art import SCALE, Art, mix, seeded
from server.console.films.lettering import write

GREENS = ("#3f7d2a", "#5c9e38", "#7fbc4a")
SOIL, DARK_SOIL = "#8a5f3c", "#6e4a2e"


def _rows(art: Art, horizon: float, vanish_x: float, count: int, spread: float) -> None:
    """Green rows running to a vanishing point, as one sees a field from its edge."""
    bottom = art.height + 10
    for index in range(-count, count + 1):
        near = vanish_x + index * spread
        far = vanish_x + index * spread * 0.045
        tone = GREENS[index % 3]
        art.poly(
            [
                (far - 1.4, horizon),
                (far + 1.4, horizon),
                (near + spread * 0.3, bottom),
                (near - spread * 0.3, bottom),
            ],
            tone,
        )
        art.poly(
            [
                (far, horizon),
                (far + 1.2, horizon),
                (near + spread * 0.3, bottom),
                (near + spread * 0.12, bottom),
            ],
            mix(tone, "#23471a", 0.45),
        )


def title(art: Art) -> None:
    art.fade(["#8fc9ea", "#cfe9f2", "#fdf3cf"], 0, 470)
    motifs.sun(art, 1060, 170, 62, "#ffd24d", "#ffe9a0")
    motifs.cloud(art, 760, 120, 54, "#ffffff")
    motifs.cloud(art, 1240, 270, 46, "#ffffff")
    motifs.cloud(art, 240, 90, 40, "#f4fbff")
    motifs.hill(art, 470, 74, "#a9c9b5", phase=0.4)
    motifs.hill(art, 480, 44, "#86b48c", phase=2.2, waves=1.8)
    for x in range(30, 1360, 66):
        size = 22 + (x * 7 % 13)
        art.line([(x, 474), (x, 474 - size)], "#6d5a48", 3)
        art.oval(x, 474 - size * 1.4, size * 0.5, size * 0.85, "#6f9a5d" if x % 4 else "#86ad63")
    for x, y, size in ((980, 480, 92), (1090, 482, 104)):
        motifs.house(art, x, y, size, wall="#e7d9c4", roof="#a65a44", window="#5d7f96", door="#7b4a34")
    art.fade([SOIL, DARK_SOIL], 474, 776)
    _rows(art, 474, 900, 18, 96)
    for index in range(15):
        motifs.wheat_clump(art, 30 + index * 96, 776, 108, index, GREENS)


def hoeing(art: Art) -> None:
    art.fade(["#bfe2ee", "#eef4d8"], 0, 380)
    motifs.sun(art, 520, 120, 44, "#ffd24d", "#ffe9a0")
    motifs.hill(art, 390, 40, "#9cc39a", phase=1.5)
    art.fade(["#a87a50", SOIL, DARK_SOIL], 380, 776)
    dice = seeded(3)
    for y in (420.0, 480.0, 548.0, 626.0, 716.0):
        size = 34 + (y - 420) * 0.24
        for x in range(-20, 700, round(size * 1.25)):
            motifs.wheat_clump(art, x + dice.uniform(-5, 5), y, size, x + round(y), GREENS)
    for _ in range(90):
        y = dice.uniform(430, 740)
        art.oval(
            dice.uniform(170, 470),
            y,
            dice.uniform(4, 13),
            dice.uniform(3, 7),
            mix(DARK_SOIL, SOIL, dice.random()),
        )
    art.soft(lambda a: a.oval(300, 594, 150, 20, "#2c1b0e", 0.6), 8)
    art.line([(610, 60), (300, 560)], "#b9834a", 17)
    art.line([(606, 58), (298, 554)], "#d9a86c", 5)
    art.poly([(250, 520), (350, 582), (334, 606), (196, 592), (180, 566)], "#56606c")
    art.poly([(180, 566), (196, 592), (334, 606), (330, 614), (190, 602), (172, 572)], "#aab4c0")
    for x, y in ((150, 560), (176, 536), (360, 622), (392, 596), (140, 592)):
        art.blob([(x - 12, y), (x, y - 9), (x + 13, y - 2), (x + 6, y + 9), (x - 8, y + 8)], DARK_SOIL)


def seedlings(art: Art) -> None:
    art.fade(["#f7f3d6", "#e9ecc4"])
    for index, (name, when, tint, size) in enumerate(
        (
            ("弱苗", "返青期", "#e0a528", 74),
            ("一般苗", "起身期", "#7cb342", 96),
            ("壮苗", "拔节期", "#2e7d32", 112),
        )
    ):
        x = 150 + index * 182
        _card_shadow(art, x)
        art.box(x - 82, 116, 164, 480, "#fffdf2", radius=24)
        art.box(x - 82, 116, 164, 74, tint, radius=24)
        art.box(x - 82, 160, 164, 30, tint)
        write(art.sheet, (x * SCALE, 154 * SCALE), name, 36 * SCALE, "#ffffff", weight="bold", anchor="m")
        art.poly([(x - 82, 430), (x + 82, 430), (x + 82, 500), (x - 82, 500)], SOIL)
        art.poly([(x - 82, 426), (x + 82, 426), (x + 82, 440), (x - 82, 440)], "#a87a50")
        for offset in (-0.3, 0.3) if index == 2 else (0.0,):
            motifs.wheat_clump(art, x + offset * 50, 432, size, index * 7 + 3, GREENS)
        for root in range(-2, 3):
            art.taper(
                [(x, 436), (x + root * 13, 462), (x + root * (16 + 5 * index), 480 + 4 * index)],
                "#e9d3b0",
                4,
                1.2,
            )
        write(art.sheet, (x * SCALE, 528 * SCALE), when, 32 * SCALE, "#33441f", weight="bold", anchor="m")
        write(art.sheet, (x * SCALE, 568 * SCALE), "追肥浇水", 25 * SCALE, "#6d7a55", anchor="m")


def _card_shadow(art: Art, x: float) -> None:
    art.soft(lambda a: a.box(x - 82, 128, 164, 480, "#4d5a2c", radius=24, alpha=0.35), 12)


def watering(art: Art) -> None:
    art.fade(["#9fd4ee", "#e4f4f4"], 0, 420)
    motifs.sun(art, 150, 140, 52, "#ffd24d", "#ffe9a0")
    motifs.cloud(art, 480, 110, 50, "#ffffff")
    motifs.hill(art, 430, 36, "#9cc39a", phase=0.2)
    art.fade([SOIL, DARK_SOIL], 420, 776)
    _rows(art, 420, 250, 12, 84)
    art.poly([(372, 420), (388, 420), (640, 776), (330, 776)], "#5a3f28")
    art.poly([(375, 420), (386, 420), (600, 776), (366, 776)], "#3f9fd6")
    for y, start, end in ((520, 384, 440), (580, 384, 470), (650, 390, 520), (712, 400, 560)):
        art.line([(start, y), ((start + end) / 2, y - 7), (end, y)], "#c9ecfb", 4, smooth=True)
    art.soft(lambda a: a.box(432, 178, 150, 356, "#24506b", radius=40, alpha=0.35), 12)
    art.box(428, 168, 150, 356, "#ffffff", radius=40)
    art.box(488, 200, 30, 250, "#e6edf3", radius=15)
    art.box(494, 330, 18, 140, "#e5533d", radius=9)
    art.disc(503, 466, 34, "#e5533d")
    art.disc(494, 456, 9, "#ffffff", 0.45)
    for step in range(9):
        y = 212 + step * 26
        art.line([(526, y), (540 if step % 2 else 550, y)], "#93a5b5", 3)
    art.line([(452, 330), (484, 330)], "#2e7d32", 5)
    art.poly([(484, 320), (484, 340), (470, 330)], "#2e7d32")
    write(art.sheet, (462 * SCALE, 296 * SCALE), "3℃", 30 * SCALE, "#2e7d32", weight="bold", anchor="m")


def guarding(art: Art) -> None:
    art.fade(["#5b7fa6", "#a9c6d8", "#e4edda"])
    for x, y, size in (
        (90, 120, 26),
        (210, 70, 18),
        (330, 150, 22),
        (520, 90, 28),
        (590, 210, 18),
        (60, 260, 16),
    ):
        for turn in range(3):
            angle = math.radians(turn * 60 + 30)
            dx, dy = size * math.cos(angle), size * math.sin(angle)
            art.line([(x - dx, y - dy), (x + dx, y + dy)], "#ffffff", 4)
    art.fade([SOIL, DARK_SOIL], 560, 776)
    for index in range(7):
        motifs.wheat_clump(art, 30 + index * 102, 600, 84, index, GREENS)
    shield = [(330, 150), (480, 200), (474, 380), (412, 476), (330, 524), (248, 476), (186, 380), (180, 200)]
    art.soft(lambda a: a.poly([(x, y + 16) for x, y in shield], "#1d3b1a", 0.6), 16)
    art.poly(shield, "#ffffff")
    inner = [(330 + (x - 330) * 0.9, 330 + (y - 330) * 0.92) for x, y in shield]
    art.poly(inner, "#4f8f2f")
    art.poly([point for point in inner if point[0] >= 329], "#44802a")
    motifs.wheat_clump(art, 330, 450, 200, 21, ("#d7efb0", "#ffffff", "#bfe38c"))
    art.box(240, 446, 180, 14, "#2f5f1d", radius=7)
    for index in range(8):
        motifs.wheat_clump(art, -10 + index * 98, 700, 124, 40 + index, GREENS)


SCENES = {
    "title": title,
    "hoeing": hoeing,
    "seedlings": seedlings,
    "watering": watering,
    "guarding": guarding,
}
