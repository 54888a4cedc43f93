"""Pictures of 三会一课怎么开: the hall, the assembly, the committee's table, the group, the lecture."""

from __future__ import annotations

from server.console.films import motifs
from server.console.films.art import SCALE, Art, Colour, mix
from server.console.films.lettering import Weight, write

RED, DEEP, GOLD, IVORY = "#b01c1f", "#6d0e12", "#f2b544", "#fff7e8"
COATS = ("#33507a", "#4d6b57", "#7a4b3c", "#3b3f52", "#5b6f8f", "#8a6a3a")


def _say(
    art: Art,
    x: float,
    y: float,
    text: str,
    size: float,
    tint: Colour,
    weight: Weight = "bold",
    tracking: float = 0,
) -> None:
    write(
        art.sheet,
        (x * SCALE, y * SCALE),
        text,
        size * SCALE,
        tint,
        weight=weight,
        anchor="m",
        tracking=tracking * SCALE,
    )


def _curtain(art: Art, x: float, width: float, height: float, folds: int, tone: Colour) -> None:
    step = width / folds
    for index in range(folds):
        art.box(x + index * step, -10, step, height, mix(tone, "#000000", 0.16 if index % 2 else 0.0))
        art.box(x + index * step + step * 0.3, -10, step * 0.2, height, "#ffffff", alpha=0.07)


def _back_view(art: Art, x: float, y: float, size: float, coat: Colour, *, hand_up: bool = False) -> None:
    """A listener seen from behind; (x, y) the middle of the lower edge."""
    if hand_up:
        art.line([(x + size * 0.3, y - size * 0.2), (x + size * 0.4, y - size * 0.9)], coat, size * 0.16)
        art.disc(x + size * 0.4, y - size * 1.0, size * 0.1, "#e8b48c")
    art.blob(
        [
            (x - size * 0.46, y + size * 0.1),
            (x - size * 0.42, y - size * 0.3),
            (x - size * 0.16, y - size * 0.46),
            (x + size * 0.16, y - size * 0.46),
            (x + size * 0.42, y - size * 0.3),
            (x + size * 0.46, y + size * 0.1),
        ],
        coat,
    )
    art.box(x - size * 0.07, y - size * 0.56, size * 0.14, size * 0.16, "#cf9a74", radius=4)
    art.oval(x, y - size * 0.72, size * 0.2, size * 0.22, "#2b211c")


def _book(art: Art, x: float, y: float, size: float) -> None:
    art.poly(
        [
            (x - size, y - size * 0.14),
            (x, y),
            (x + size, y - size * 0.14),
            (x + size, y + size * 0.2),
            (x, y + size * 0.36),
            (x - size, y + size * 0.2),
        ],
        DEEP,
    )
    for side in (-1, 1):
        art.poly(
            [
                (x, y - size * 0.02),
                (x + side * size * 0.94, y - size * 0.2),
                (x + side * size * 0.94, y + size * 0.12),
                (x, y + size * 0.28),
            ],
            IVORY if side < 0 else "#f3e6cc",
        )
        for row in range(3):
            top = y + size * (0.02 + row * 0.075)
            art.line(
                [(x + side * size * 0.14, top), (x + side * size * 0.8, top - size * 0.14)], "#c9b48c", 2
            )


def _plate_shadow(art: Art, x: float, y: float) -> None:
    art.soft(lambda a: a.box(x - 2, y + 10, 250, 138, "#000000", radius=18, alpha=0.5), 12)


def title(art: Art) -> None:
    art.fade(["#b8191d", "#8f1518", "#5f0b0e"])
    for index in range(30):
        art.pie(970, 700, 1200, "#ffd98a", 180 + index * 6, 183 + index * 6, alpha=0.07)
    art.glow(970, 560, 520, "#ff9a5a", 0.5)
    _curtain(art, 1310, 70, 776, 3, "#7d0f13")
    plates = (
        ("支部党员大会", "每季度", 776, 188),
        ("支部委员会", "每月", 1050, 188),
        ("党小组会", "每月", 776, 352),
        ("党课", "定期", 1050, 352),
    )
    for name, when, x, y in plates:
        _plate_shadow(art, x, y)
        art.box(x, y, 250, 138, IVORY, radius=18)
        art.box(x, y + 94, 250, 44, GOLD, radius=18)
        art.box(x, y + 94, 250, 18, GOLD)
        _say(art, x + 125, y + 49, name, 36, "#8f1518", "black")
        _say(art, x + 125, y + 116, when, 26, DEEP)
    art.poly([(560, 640), (1360, 640), (1360, 776), (500, 776)], "#5a2b18")
    art.poly([(560, 640), (1360, 640), (1360, 654), (556, 654)], "#8a4a28")
    for index in range(5):
        x = 700 + index * 126
        motifs.person(art, x, 648, 104, coat=COATS[index % 6], grey=index == 2)
    art.poly([(540, 646), (1360, 646), (1360, 776), (500, 776)], "#5a2b18")
    art.poly([(560, 640), (1360, 640), (1360, 652), (553, 652)], "#8a4a28")


def assembly(art: Art) -> None:
    art.fade(["#d8bfa0", "#f0dfc4"], 0, 420)
    art.box(90, 78, 480, 92, RED, radius=6)
    _say(art, 330, 124, "支部党员大会", 50, "#ffe9b8", "black", 8)
    motifs.person(art, 330, 312, 124, coat="#33415c")
    art.box(236, 300, 188, 110, "#7a4528", radius=8)
    art.box(226, 296, 208, 24, "#95583a", radius=6)
    art.line([(378, 296), (372, 260)], "#2b211c", 4)
    art.disc(371, 256, 7, "#2b211c")
    art.fade(["#a06c48", "#7d4f32"], 400, 776)
    for row, (y, size, count) in enumerate(((470, 92, 6), (556, 112, 5), (660, 136, 4))):
        for index in range(count):
            x = 330 + (index - (count - 1) / 2) * size * 1.14
            _back_view(art, x, y, size, COATS[(index + row * 2) % 6], hand_up=(index + row) % 2 == 0)


def committee(art: Art) -> None:
    art.fade(["#efe0c8", "#dcc5a2"])
    art.box(120, 80, 420, 84, RED, radius=8)
    _say(art, 330, 122, "支部委员会", 48, "#ffe9b8", "black", 8)
    for x, tint in ((90, "#9cc3d8"), (450, "#9cc3d8")):
        art.box(x, 196, 120, 110, tint, edge="#8a6a4a", edge_width=6)
    for index, x in enumerate((170, 330, 490)):
        motifs.person(art, x, 426, 200 if index == 1 else 186, coat=COATS[index], grey=index == 1)
    art.soft(lambda a: a.oval(330, 640, 310, 40, "#4a2a14", 0.5), 14)
    art.oval(330, 500, 306, 130, "#7a4528")
    art.oval(330, 486, 306, 126, "#a9683f")
    art.oval(330, 482, 250, 96, "#b97a4e")
    for x, y in ((190, 452), (330, 436), (470, 452), (240, 520), (420, 520)):
        art.poly([(x - 36, y + 14), (x - 26, y - 12), (x + 28, y - 12), (x + 38, y + 14)], IVORY)
        for row in range(3):
            art.line([(x - 22, y - 4 + row * 6), (x + 24, y - 4 + row * 6)], "#b9a27c", 1.6)
    for x, y in ((262, 462), (398, 462), (330, 498)):
        art.box(x - 9, y - 16, 18, 24, "#e8f1f4", radius=5)
        art.oval(x, y - 16, 9, 4, "#b98a3f")
    for x, coat in ((206, COATS[3]), (456, COATS[4])):
        _back_view(art, x, 660, 190, coat)


def group(art: Art) -> None:
    art.fade(["#9ccbe2", "#e3f0e4"], 0, 470)
    motifs.hill(art, 470, 50, "#8fb884", phase=0.9)
    art.fade(["#b9a077", "#94794f"], 462, 776)
    motifs.house(art, 330, 480, 330, wall="#d9c7ac", roof="#8f4b3a", window="#7fa3b5", door="#7b3a2a")
    art.taper([(96, 520), (104, 380), (90, 250)], "#6d4c34", 44, 24)
    for x, y, size in ((40, 210, 80), (130, 150, 96), (210, 230, 72), (90, 90, 70), (10, 120, 60)):
        art.disc(x, y, size, "#5d8f4a")
    for x, y, size in ((110, 120, 50), (190, 200, 40), (30, 180, 42)):
        art.disc(x - 10, y - 14, size, "#74a85c")
    places = ((150, 560, 170), (300, 534, 164), (450, 540, 166), (570, 572, 172))
    for index, (x, y, size) in enumerate(places):
        motifs.person(
            art,
            x,
            y,
            size,
            coat=COATS[(index + 1) % 6],
            grey=index == 1,
            hat="#e0c27a" if index == 3 else None,
        )
    art.oval(340, 618, 120, 34, "#6b4328")
    art.oval(340, 608, 120, 33, "#9a6a44")
    _book(art, 340, 596, 52)
    art.box(236, 588, 18, 22, "#e8f1f4", radius=5)
    for x, coat in ((200, COATS[0]), (480, COATS[2])):
        _back_view(art, x, 740, 168, coat)


def lecture(art: Art) -> None:
    art.fade(["#f0e2ca", "#dcc6a4"])
    art.box(70, 96, 400, 250, "#5d3a24", radius=8)
    art.box(82, 108, 376, 226, "#2f5d4c")
    _say(art, 270, 168, "党 课", 66, "#fdf6e3", "black")
    _say(art, 270, 238, "联系实际讲", 32, "#f6e7b5", "medium")
    _say(art, 270, 286, "身边人讲身边事", 32, "#f6e7b5", "medium")
    motifs.person(art, 528, 420, 240, coat="#33415c", grey=True)
    art.line([(460, 380), (424, 330), (392, 300)], "#33415c", 32, smooth=True)
    art.disc(392, 298, 19, "#e8b48c")
    art.line([(390, 296), (340, 262)], "#7a4528", 6)
    art.poly([(420, 410), (640, 410), (620, 560), (440, 560)], "#8a4f30")
    art.box(408, 400, 244, 22, "#a9683f", radius=6)
    _book(art, 530, 388, 46)
    art.fade(["#a06c48", "#7d4f32"], 540, 776)
    for y, size, count, start in ((600, 112, 4, 0), (690, 134, 4, 2)):
        for index in range(count):
            _back_view(art, 84 + index * size * 1.22 + start * 14, y, size, COATS[(index + start) % 6])


SCENES = {"title": title, "assembly": assembly, "committee": committee, "group": group, "lecture": lecture}
