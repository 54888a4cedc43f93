"""Lays a film's words and pictures out as shots: a title, its pages, a closing card.

A shot is data only: a ground, a picture that drifts slowly behind its mask, and sprites that come in
one after another. `motion` turns shots into frames.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field

from PIL import Image, ImageFilter

from server.console.films import motifs
from server.console.films.air import Mote, motes
from server.console.films.art import HEIGHT, SCALE, WIDTH, Art, colour, mix
from server.console.films.lettering import label, width, write
from server.console.films.panels import Drift, page_ground, seen_through
from server.console.films.scripts import MARK, Page, Script

TITLE_S, PAGE_S, CLOSING_S = 4.2, 4.6, 4.0
PICTURE, TITLE_PICTURE = (660, 766), (1360, 766)
RIGHT_HANDED = frozenset({"field", "phone", "arch"})
RED_CROSS = "#e5484d"


@dataclass(frozen=True)
class Sprite:
    """An image that slides and fades in at `start_s` from (dx, dy) away, then rests at (x, y)."""

    image: Image.Image
    x: int
    y: int
    start_s: float = 0.0
    dx: int = 0
    dy: int = 0


@dataclass(frozen=True)
class Shot:
    """`baked` sprites may be painted into the ground once they rest: nothing moves under them."""

    seconds: float
    ground: Image.Image
    drift: Drift
    baked: tuple[Sprite, ...] = ()
    sprites: tuple[Sprite, ...] = ()
    motes: tuple[Mote, ...] = field(default=())


def storyboard(script: Script) -> list[Shot]:
    """Every shot of a film, in order."""
    scenes: dict[str, Callable[[Art], None]] = importlib.import_module(
        f"server.console.films.scenes_{script.key}"
    ).SCENES
    cover = Art(*TITLE_PICTURE)
    scenes["title"](cover)
    title_picture = cover.finished()
    ground = page_ground(script)
    pages = [
        _page(script, number, page, _picture(scenes[page.scene]), ground)
        for number, page in enumerate(script.pages, 1)
    ]
    return [_title(script, title_picture), *pages, _closing(script, title_picture)]


def _picture(scene: Callable[[Art], None]) -> Image.Image:
    art = Art(*PICTURE)
    scene(art)
    return art.finished()


# ---------------------------------------------------------------- title


def _title(script: Script, picture: Image.Image) -> Shot:
    look = script.identity
    scrim = _scrim(0.72 if look.dark else 0.5)
    picture = picture.copy()
    picture.paste(
        Image.new("RGB", scrim.size, colour(look.deep if look.dark else "#ffffff")[:3]), (0, 0), scrim
    )
    size = min(116.0, 610 / len(script.title) - 4)
    shadow = "#000000" if look.dark else None
    title = label(script.title, size, look.ink, weight="black", tracking=4, shadow=shadow)
    tagline = label(script.tagline, 36, look.accent if look.dark else look.soft, weight="bold", tracking=3)
    sprites = (
        _at_left(title, 78, 240, 0.35, dx=-50),
        Sprite(_bar(170, 8, look.accent), 82, 322, 0.75, dx=-80),
        _at_left(tagline, 80, 374, 0.95, dx=-30),
        *_furniture(script, script.opening),
    )
    drift = Drift(picture, 0, 0, (WIDTH, HEIGHT), (0, 0, 1360, 765), (44, 30, 1324, 750))
    return Shot(
        TITLE_S, Image.new("RGB", (WIDTH, HEIGHT), look.deep), drift, sprites=sprites, motes=motes(script)
    )


def _scrim(strength: float) -> Image.Image:
    """A mask that is strong at the left edge and gone past the middle."""
    row = Image.new("L", (256, 1))
    for x in range(256):
        row.putpixel((x, 0), round(255 * strength * max(0.0, 1 - x / 150) ** 1.3))
    return row.resize(TITLE_PICTURE, Image.Resampling.BILINEAR)


# ---------------------------------------------------------------- pages


def _page(script: Script, number: int, page: Page, picture: Image.Image, ground: Image.Image) -> Shot:
    look = script.identity
    left = 76 if script.panel in RIGHT_HANDED else 690
    room = 560
    size = min(56.0, room / max(1, width(page.heading, 1.0, "black") if page.heading else 1))
    baked = [
        Sprite(_number(script, number), left, 112, 0.1, dy=24),
        _at_left(label(page.heading, size, look.ink, weight="black", tracking=1), left - 2, 256, 0.25, dx=40),
        Sprite(_bar(112, 7, look.accent), left + 2, 306, 0.45, dx=60),
    ]
    for row, point in enumerate(page.points):
        image = _point(script, point.text, room, do=point.do)
        baked.append(Sprite(image, left - 6, 346 + row * 76, 0.65 + row * 0.38, dx=50))
    drift = seen_through(script.panel, picture, outward=number % 2 == 0)
    return Shot(PAGE_S, ground, drift, baked=tuple(baked), sprites=_furniture(script, page.subtitle))


def _number(script: Script, number: int) -> Image.Image:
    """The page's number and, beside it, which film this is."""
    look = script.identity
    art = Art(420, 92, None)
    art.box(2, 6, 80, 80, look.accent, radius=22)
    write(
        art.sheet,
        (42 * SCALE, 46 * SCALE),
        str(number),
        54 * SCALE,
        look.on_accent,
        weight="black",
        anchor="m",
    )
    write(
        art.sheet,
        (104 * SCALE, 30 * SCALE),
        script.title,
        25 * SCALE,
        look.soft,
        weight="bold",
        tracking=2 * SCALE,
    )
    for index in range(len(script.pages)):
        art.box(
            104 + index * 46,
            60,
            38,
            8,
            look.accent if index < number else look.soft,
            radius=4,
            alpha=1.0 if index < number else 0.35,
        )
    return art.finished()


def _point(script: Script, text: str, room: int, *, do: bool) -> Image.Image:
    look = script.identity
    art = Art(room + 20, 68, None)
    if do:
        motifs.tick(art, 26, 34, 20, look.accent, look.on_accent)
    else:
        motifs.cross(art, 26, 34, 20, RED_CROSS if look.accent != RED_CROSS else "#8a1d1d", "#ffffff")
    size = min(35.0, (room - 62) / max(1.0, width(text, 1.0, "medium")))
    write(art.sheet, (62 * SCALE, 34 * SCALE), text, size * SCALE, look.ink, weight="medium", tracking=SCALE)
    return art.finished()


# ---------------------------------------------------------------- closing card


def _closing(script: Script, picture: Image.Image) -> Shot:
    look = script.identity
    veil = Image.new("RGB", picture.size, colour(look.deep)[:3])
    soft = Image.blend(picture.filter(ImageFilter.GaussianBlur(7)), veil, 0.62 if look.dark else 0.55)
    card = Art(860, 470, None)
    card.box(
        4,
        4,
        852,
        462,
        mix(look.ground, "#ffffff", 0.0 if look.dark else 0.55),
        radius=34,
        edge=look.accent,
        edge_width=4,
    )
    write(
        card.sheet,
        (430 * SCALE, 80 * SCALE),
        script.closing,
        52 * SCALE,
        look.accent,
        weight="black",
        anchor="m",
        tracking=6 * SCALE,
    )
    card.box(370, 128, 120, 6, look.accent, radius=3)
    sprites = [Sprite(card.finished(), 210, 112, 0.1, dy=40)]
    indent = 210 + (860 - max(width(line, 46, "bold", 2) for line in script.recap) - 84) / 2
    for row, line in enumerate(script.recap):
        sprites.append(
            Sprite(_recap(script, row + 1, line), round(indent), 268 + row * 96, 0.5 + row * 0.4, dy=30)
        )
    drift = Drift(soft, 0, 0, (WIDTH, HEIGHT), (44, 30, 1324, 750), (0, 0, 1360, 765))
    return Shot(
        CLOSING_S,
        Image.new("RGB", (WIDTH, HEIGHT), look.deep),
        drift,
        sprites=(*sprites, *_furniture(script, script.goodbye)),
        motes=motes(script),
    )


def _recap(script: Script, number: int, line: str) -> Image.Image:
    look = script.identity
    art = Art(width(line, 46, "bold", 2) + 110, 84, None)
    art.disc(34, 42, 29, look.accent)
    write(
        art.sheet,
        (34 * SCALE, 42 * SCALE),
        str(number),
        34 * SCALE,
        look.on_accent,
        weight="black",
        anchor="m",
    )
    write(art.sheet, (84 * SCALE, 42 * SCALE), line, 46 * SCALE, look.ink, weight="bold", tracking=2 * SCALE)
    return art.finished()


# ---------------------------------------------------------------- what every shot carries


def _furniture(script: Script, subtitle: str) -> tuple[Sprite, ...]:
    """The mark in the corner, there from the first frame, and the subtitle."""
    mark = Art(158, 52, None)
    mark.box(3, 3, 152, 46, (12, 16, 24, 178), radius=23, edge="#ffffff", edge_width=1.6)
    mark.disc(28, 26, 6, script.identity.accent)
    write(mark.sheet, (44 * SCALE, 26 * SCALE), MARK, 24 * SCALE, "#ffffff", weight="bold")
    line = _subtitle(subtitle)
    return (
        Sprite(mark.finished(), WIDTH - 158 - 40, 28, -1.0),
        Sprite(line, (WIDTH - line.width) // 2, 648, 0.15),
    )


def _subtitle(text: str) -> Image.Image:
    art = Art(width(text, 33, "medium", 1) + 64, 54, None)
    art.box(0, 0, art.width, 54, (8, 12, 18, 190), radius=14)
    write(
        art.sheet,
        (art.width / 2 * SCALE, 27 * SCALE),
        text,
        33 * SCALE,
        "#ffffff",
        weight="medium",
        anchor="m",
        tracking=SCALE,
    )
    return art.finished()


def _at_left(image: Image.Image, x: float, middle: float, start_s: float, dx: int) -> Sprite:
    """A label whose first letter (not its margin) stands at `x` and whose middle line is `middle`."""
    margin = (image.height / (1.3 + 2 * 0.28)) * 0.28
    return Sprite(image, round(x - margin), round(middle - image.height / 2), start_s, dx)


def _bar(length: int, height: int, tint: str) -> Image.Image:
    art = Art(length, height, None)
    art.box(0, 0, length - 0.4, height - 0.4, tint, radius=height / 2)
    return art.finished()
