"""Pictures of 防电信诈骗: the phone and the shield, the false call, the code, the transfer, the hotline."""

from __future__ import annotations

from server.console.films import motifs
from server.console.films.art import SCALE, Art, Colour, ring
from server.console.films.lettering import Weight, write

TEAL, ORANGE, RED, CYAN = "#0d3b45", "#ff7a45", "#e5484d", "#3fd0c9"


def _shield(art: Art, cx: float, cy: float, size: float, left: Colour, right: Colour, edge: Colour) -> None:
    outline = [
        (0, -1),
        (0.42, -0.82),
        (0.86, -0.74),
        (0.84, 0.05),
        (0.56, 0.62),
        (0, 1),
        (-0.56, 0.62),
        (-0.84, 0.05),
        (-0.86, -0.74),
        (-0.42, -0.82),
    ]
    art.soft(lambda a: a.poly([(cx + x * size, cy + y * size + 18) for x, y in outline], "#000000", 0.6), 18)
    art.poly([(cx + x * size * 1.1, cy + y * size * 1.1) for x, y in outline], edge)
    art.poly([(cx + x * size, cy + y * size) for x, y in outline], left)
    art.poly([(cx + x * size, cy + y * size) for x, y in outline if x >= 0], right)


def _phone(art: Art, x: float, y: float, width: float, height: float, screen: Colour) -> None:
    art.soft(lambda a: a.box(x + 8, y + 20, width, height, "#000000", radius=40, alpha=0.6), 18)
    art.box(x, y, width, height, "#101820", radius=42)
    art.box(x + 4, y + 4, width - 8, height - 8, "#2a3944", radius=39)
    art.box(x + 12, y + 12, width - 24, height - 24, screen, radius=32)
    art.box(x + width / 2 - 38, y + 22, 76, 16, "#101820", radius=8)


def _say(
    art: Art,
    x: float,
    y: float,
    text: str,
    size: float,
    tint: Colour,
    weight: Weight = "bold",
    anchor: str = "m",
) -> None:
    write(art.sheet, (x * SCALE, y * SCALE), text, size * SCALE, tint, weight=weight, anchor=anchor)


def _bubble(
    art: Art, x: float, y: float, width: float, text: str, fill: Colour, ink: Colour, *, left: bool = True
) -> None:
    art.box(x, y, width, 62, fill, radius=22)
    foot = x + 26 if left else x + width - 26
    art.poly([(foot - 12, y + 56), (foot + 14, y + 56), (foot + (-22 if left else 22), y + 80)], fill)
    _say(art, x + width / 2, y + 31, text, 27, ink)


def title(art: Art) -> None:
    art.fade(["#06222a", "#0f4a55", "#17626a"])
    for (x, y), _ in ring(1000, 380, 330, 26):
        art.disc(x, y, 3, CYAN, 0.5)
    for radius, alpha in ((250, 0.4), (330, 0.25), (410, 0.15)):
        art.hoop(1000, 380, radius, CYAN, 2.5, alpha=alpha)
    art.glow(1000, 380, 440, "#35c4bd", 0.55)
    _phone(art, 850, 110, 300, 560, "#0c2f38")
    art.disc(1000, 250, 62, "#3a5560")
    art.disc(1000, 232, 24, "#9fb4ba")
    art.pie(1000, 292, 44, "#9fb4ba", 180, 360)
    _say(art, 1000, 346, "未知来电", 34, "#ffffff")
    _say(art, 1000, 390, "疑似诈骗", 26, ORANGE)
    art.disc(928, 580, 40, RED)
    art.disc(1072, 580, 40, "#2fb36a")
    for x, turn in ((928, 135), (1072, 0)):
        _handset(art, x, 580, turn)
    _shield(art, 1180, 560, 128, "#28b7b0", "#1a938f", "#ffffff")
    art.line([(1122, 562), (1166, 608), (1246, 506)], "#ffffff", 26)
    for x, y, size in ((772, 176, 44), (1262, 230, 38)):
        art.box(x - size, y - size * 0.7, size * 2, size * 1.4, "#f4d9b0", radius=8)
        art.line(
            [(x - size * 0.9, y - size * 0.6), (x, y + size * 0.1), (x + size * 0.9, y - size * 0.6)],
            "#b98d56",
            4,
        )
        motifs.cross(art, x + size * 0.9, y + size * 0.6, 20, RED, "#ffffff")


def _handset(art: Art, x: float, y: float, degrees: float) -> None:
    piece = Art(64, 64, None)
    piece.hoop(32, 52, 28, "#ffffff", 9, start=205, end=335)
    piece.box(3, 36, 17, 14, "#ffffff", radius=4)
    piece.box(44, 36, 17, 14, "#ffffff", radius=4)
    art.place(piece, x, y, degrees or -30)


def call(art: Art) -> None:
    art.fade(["#15525e", "#0c333d"])
    for (x, y), _ in ring(330, 760, 480, 60):
        art.disc(x, y, 2.5, CYAN, 0.35)
    _bubble(art, 60, 96, 420, "你涉嫌洗钱，要配合调查！", "#ffe3d6", "#9c2f12")
    _bubble(art, 190, 196, 420, "钱转到“安全账户”里来", "#ffe3d6", "#9c2f12", left=False)
    art.blob(
        [
            (330, 330),
            (424, 400),
            (440, 520),
            (560, 600),
            (600, 776),
            (60, 776),
            (100, 600),
            (220, 520),
            (236, 400),
        ],
        "#0a1c22",
    )
    art.oval(330, 440, 74, 86, "#1d3b44")
    art.box(262, 416, 136, 40, "#05090b", radius=18)
    for x in (300, 360):
        art.oval(x, 436, 20, 13, ORANGE)
        art.disc(x, 436, 5, "#2b0f05")
    art.blob([(250, 410), (280, 346), (330, 326), (380, 346), (410, 410), (330, 388)], "#0a1c22")
    art.box(410, 470, 40, 110, "#20313a", radius=10)
    art.box(415, 480, 30, 84, "#3fd0c9", radius=5, alpha=0.85)
    art.disc(430, 560, 26, "#1d3b44")
    stamp = Art(260, 120, None)
    stamp.box(6, 6, 248, 108, (0, 0, 0, 0), radius=16, edge=RED, edge_width=8)
    write(stamp.sheet, (130 * SCALE, 60 * SCALE), "诈 骗", 66 * SCALE, RED, weight="black", anchor="m")
    art.place(stamp, 480, 330, -14)


def secrets(art: Art) -> None:
    art.fade(["#0f4550", "#0a2c35"])
    art.glow(330, 340, 360, "#2a8f95", 0.5)
    _phone(art, 180, 86, 300, 520, "#eef6f6")
    art.box(192, 138, 276, 60, "#dcebea")
    _say(art, 330, 168, "短信验证码", 27, "#24505a")
    for index, digit in enumerate("＊＊＊＊"):
        x = 226 + index * 54
        art.box(x, 226, 46, 62, "#ffffff", radius=10, edge="#9cc1c4", edge_width=2.5)
        _say(art, x + 23, 258, digit, 34, "#24505a")
    art.box(214, 316, 232, 52, "#ffdfd2", radius=14)
    _say(art, 330, 342, "请勿告诉任何人", 26, "#b23a14")
    art.box(254, 436, 152, 116, ORANGE, radius=18)
    art.hoop(330, 436, 46, "#c9d6da", 18, start=180, end=360)
    art.box(254, 428, 152, 124, "#ffb066", radius=18)
    art.disc(330, 480, 17, "#7a3410")
    art.poly([(322, 486), (338, 486), (344, 526), (316, 526)], "#7a3410")
    art.box(20, 300, 150, 96, "#f2c14e", radius=12)
    art.box(20, 320, 150, 20, "#4a3410")
    art.box(34, 358, 70, 12, "#fff3d1", radius=4)
    motifs.cross(art, 152, 302, 27, RED, "#ffffff")
    art.box(500, 220, 134, 58, "#ffffff", radius=14)
    _say(art, 567, 249, "链接", 29, "#2467b3")
    art.line([(534, 270), (600, 270)], "#2467b3", 2.5)
    motifs.cross(art, 622, 222, 27, RED, "#ffffff")
    art.box(506, 430, 124, 84, "#24505a", radius=8, edge="#dcebea", edge_width=5)
    _say(art, 568, 472, "共享屏幕", 23, "#ffffff", "medium")
    motifs.cross(art, 622, 428, 27, RED, "#ffffff")


def transfer(art: Art) -> None:
    art.fade(["#e4f3f1", "#bfe0dd"])
    art.disc(330, 360, 250, "#d2ebe8")
    motifs.person(art, 170, 600, 330, coat="#3a7f6f", grey=True)
    motifs.person(art, 486, 600, 340, coat="#d96b3f")
    art.box(0, 590, 660, 190, "#8fc3bd")
    _bubble(art, 40, 108, 280, "是你要借钱吗？", "#ffffff", "#0d3b45", left=True)
    _bubble(art, 352, 178, 260, "不是我，别转！", ORANGE, "#ffffff", left=False)
    art.box(258, 470, 60, 116, "#101820", radius=12)
    art.box(263, 477, 50, 100, CYAN, radius=7)
    art.line([(262, 572), (214, 600)], "#3a7f6f", 40)
    art.disc(272, 560, 22, "#e8b48c")


def hotline(art: Art) -> None:
    art.fade(["#0f4a55", "#08282f"])
    for index in range(24):
        angle = index * 15
        art.pie(330, 330, 620, "#ffffff", angle, angle + 7.5, alpha=0.035)
    art.glow(330, 310, 360, "#35c4bd", 0.7)
    _shield(art, 330, 316, 216, "#28b7b0", "#1a938f", "#ffffff")
    _say(art, 330, 256, "96110", 96, "#ffffff", "black")
    art.box(214, 318, 232, 4, "#ffffff", alpha=0.6)
    _say(art, 330, 362, "反诈预警", 44, "#ffffff", "bold")
    _say(art, 330, 420, "劝阻专线", 44, "#ffffff", "bold")
    for x, number, words, tint in ((60, "110", "报警求助", RED), (352, "取证", "留好记录", ORANGE)):
        art.box(x, 552, 252, 76, "#f2fbfa", radius=20)
        art.box(x, 552, 108, 76, tint, radius=20)
        art.box(x + 84, 552, 24, 76, tint)
        _say(art, x + 54, 590, number, 40, "#ffffff", "black")
        _say(art, x + 180, 590, words, 30, TEAL)


SCENES = {"title": title, "call": call, "secrets": secrets, "transfer": transfer, "hotline": hotline}
