"""The ground of a film's pages and the window through which a page's picture is seen, each film with its own."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PIL import Image

from server.console.films import motifs
from server.console.films.art import HEIGHT, WIDTH, Art, mix, seeded
from server.console.films.scripts import Script

Box = tuple[float, float, float, float]

# x, y, width, height of each window.
WINDOWS: dict[str, tuple[int, int, int, int]] = {
    "bolt": (0, 0, 640, 720),
    "field": (650, 0, 630, 720),
    "round": (56, 72, 580, 560),
    "phone": (690, 100, 524, 532),
    "window": (64, 74, 566, 556),
    "arch": (684, 92, 532, 540),
}


@dataclass(frozen=True)
class Drift:
    """A picture seen through a window of (x, y, w, h); what is seen runs from one crop to another."""

    picture: Image.Image
    x: int
    y: int
    size: tuple[int, int]
    first: Box
    last: Box
    mask: Image.Image | None = None


def page_ground(script: Script) -> Image.Image:
    """The page behind everything: the film's colour with a quiet pattern of its own."""
    look = script.identity
    art = Art(WIDTH, HEIGHT)
    art.fade([look.ground, look.deep])
    faint = "#ffffff" if look.dark else look.accent
    if script.panel == "bolt":
        for index in range(9):
            motifs.bolt(
                art,
                760 + index % 3 * 220 + index // 3 * 60,
                120 + index // 3 * 260,
                150,
                mix(look.ground, faint, 0.05),
            )
    elif script.panel == "field":
        for index in range(14):
            art.line(
                [(-20 + index * 70, 740), (240 + index * 24, 560)], mix(look.deep, look.accent, 0.12), 10
            )
    elif script.panel == "round":
        dice = seeded(12)
        for _ in range(70):
            art.disc(dice.uniform(0, WIDTH), dice.uniform(0, HEIGHT), dice.uniform(2, 7), "#ffffff", 0.75)
    elif script.panel == "phone":
        for x in range(0, WIDTH, 44):
            for y in range(0, HEIGHT, 44):
                art.disc(x + 10, y + 12, 1.8, faint, 0.13)
    elif script.panel == "window":
        _paper(art)
    else:
        for index in range(40):
            art.pie(340, 900, 1200, "#ffd98a", 180 + index * 4.5, 182.2 + index * 4.5, alpha=0.05)
    _frame(art, script)
    return art.finished()


def _paper(art: Art) -> None:
    """Rice paper: short fibres, and a red border line."""
    dice = seeded(4)
    for _ in range(900):
        x, y = dice.uniform(0, WIDTH), dice.uniform(0, HEIGHT)
        art.line([(x, y), (x + dice.uniform(-10, 10), y + dice.uniform(-4, 4))], "#b98a52", 0.8, alpha=0.2)
    art.box(20, 20, WIDTH - 40, HEIGHT - 40, (0, 0, 0, 0), radius=4, edge="#c5161d", edge_width=2.4)
    art.box(28, 28, WIDTH - 56, HEIGHT - 56, (0, 0, 0, 0), radius=2, edge="#c5161d", edge_width=1)


def _outline(panel: str, grow: float = 0.0) -> list[tuple[float, float]]:
    """The window's shape on the page, `grow` pixels larger all round."""
    x, y, w, h = WINDOWS[panel]
    left, top, right, low = x - grow, y - grow, x + w + grow, y + h + grow
    if panel == "bolt":
        return [(0, 0), (right, 0), (right - 62, 330), (right - 22, 330), (right - 100, 720), (0, 720)]
    if panel == "field":
        wave = [
            (left + 34 + 26 * math.sin(step / 720 * math.tau * 1.1), step) for step in range(-10, 740, 10)
        ]
        return [*wave, (WIDTH, 730), (WIDTH, -10)]
    if panel == "round":
        return [
            (
                x + w / 2 + _power(math.cos(a), 0.55) * (w / 2 + grow),
                y + h / 2 + _power(math.sin(a), 0.55) * (h / 2 + grow),
            )
            for a in (math.tau * k / 120 for k in range(120))
        ]
    if panel == "window":
        cut = 56.0
        corners = [
            (left + cut, top),
            (right - cut, top),
            (right - cut, top + cut),
            (right, top + cut),
            (right, low - cut),
            (right - cut, low - cut),
            (right - cut, low),
            (left + cut, low),
            (left + cut, low - cut),
            (left, low - cut),
            (left, top + cut),
            (left + cut, top + cut),
        ]
        return [(float(a), float(b)) for a, b in corners]
    if panel == "arch":
        rise = w * 0.34 + grow
        bow = [
            (x + w / 2 - math.cos(a) * (w / 2 + grow), top + rise - math.sin(a) * rise)
            for a in (math.pi * k / 60 for k in range(61))
        ]
        return [*bow, (right, low), (left, low)]
    radius = 46 + grow
    return [
        (cx + radius * math.cos(math.radians(a)), cy + radius * math.sin(math.radians(a)))
        for cx, cy, start in (
            (right - radius, low - radius, 0),
            (left + radius, low - radius, 90),
            (left + radius, top + radius, 180),
            (right - radius, top + radius, 270),
        )
        for a in range(start, start + 91, 6)
    ]


def _power(value: float, exponent: float) -> float:
    return math.copysign(abs(value) ** exponent, value)


def _frame(art: Art, script: Script) -> None:
    """The window's rim and shadow, painted into the ground."""
    look, panel = script.identity, script.panel
    if panel not in ("bolt", "field"):
        art.soft(lambda a: a.poly([(x, y + 14) for x, y in _outline(panel, 8)], "#000000", 0.42), 16)
    rims = {
        "bolt": (("#ffc93c", 12),),
        "field": (("#c9dd96", 14), ("#ffffff", 6)),
        "round": (("#ffffff", 12),),
        "phone": (("#050f12", 14), ("#24424a", 5)),
        "window": ((look.accent, 13), (look.ground, 8), (look.accent, 4)),
        "arch": ((look.accent, 12), (look.deep, 6), (look.accent, 2.5)),
    }
    for tint, grow in rims[panel]:
        outline = [(x + grow, y) for x, y in _outline(panel)] if panel == "bolt" else _outline(panel, grow)
        art.poly(outline, tint)


def seen_through(panel: str, picture: Image.Image, *, outward: bool) -> Drift:
    x, y, w, h = WINDOWS[panel]
    sheet = Art(WIDTH, HEIGHT, "#000000")
    sheet.poly(_outline(panel), "#ffffff")
    mask = sheet.finished().convert("L").crop((x, y, x + w, y + h))
    wide = 654.0
    tall = wide * h / w
    if tall > 760:
        wide, tall = 760 * w / h, 760.0
    top = max(3.0, min(348 - tall / 2, 763 - tall))
    near = (330 - wide / 2, top, 330 + wide / 2, top + tall)
    margin = 0.045
    far = (near[0] + wide * margin, near[1] + tall * margin, near[2] - wide * margin, near[3] - tall * margin)
    first, last = (far, near) if outward else (near, far)
    return Drift(picture, x, y, (w, h), first, last, mask)
