"""A small drawing kit over Pillow: smooth flat shapes by supersampling.

Coordinates are logical pixels of the finished picture (floats); the sheet is drawn `SCALE` times
larger and reduced once at the end, so every edge comes out smooth without a vector library.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from random import Random

from PIL import Image, ImageColor, ImageDraw, ImageFilter

WIDTH, HEIGHT = 1280, 720
"""A film's frame."""
SCALE = 3
Point = tuple[float, float]
Colour = str | tuple[int, int, int] | tuple[int, int, int, int]


def seeded(seed: int) -> Random:
    """Dice that always fall alike, so that a film is the same on every machine."""
    return Random(seed)  # noqa: S311 - scatters leaves and stars, keeps no secret


def colour(value: Colour, alpha: float = 1.0) -> tuple[int, int, int, int]:
    """RGBA of a hex or tuple colour; `alpha` (0..1) multiplies the colour's own."""
    if isinstance(value, str):
        value = ImageColor.getrgb(value)
    red, green, blue = value[:3]
    own = value[3] if len(value) == 4 else 255
    return red, green, blue, round(own * alpha)


def mix(first: Colour, second: Colour, share: float) -> tuple[int, int, int, int]:
    """`first` with `share` (0..1) of `second` in it."""
    a, b = colour(first), colour(second)
    red, green, blue, alpha = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return red, green, blue, alpha


def curve(points: Sequence[Point], *, closed: bool = True, steps: int = 10) -> list[Point]:
    """A Catmull-Rom curve through `points`, `steps` points for each span."""
    count = len(points)
    out: list[Point] = []
    for index in range(count if closed else count - 1):
        around = [
            points[(index + k) % count] if closed else points[min(max(index + k, 0), count - 1)]
            for k in (-1, 0, 1, 2)
        ]
        out.extend(_span(around, step / steps) for step in range(steps))
    if not closed:
        out.append(points[-1])
    return out


def _span(around: Sequence[Point], t: float) -> Point:
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = around

    def axis(a: float, b: float, c: float, d: float) -> float:
        return 0.5 * (
            2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
        )

    return axis(x0, x1, x2, x3), axis(y0, y1, y2, y3)


def turned(points: Iterable[Point], degrees: float, about: Point = (0, 0)) -> list[Point]:
    """`points` turned clockwise on the screen by `degrees` about a point."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    cx, cy = about
    return [
        (cx + (x - cx) * cosine - (y - cy) * sine, cy + (x - cx) * sine + (y - cy) * cosine)
        for x, y in points
    ]


def moved(points: Iterable[Point], dx: float, dy: float, scale: float = 1.0) -> list[Point]:
    """`points` scaled about the origin, then moved."""
    return [(x * scale + dx, y * scale + dy) for x, y in points]


def ring(cx: float, cy: float, radius: float, count: int, start: float = -90.0) -> list[tuple[Point, float]]:
    """`count` places on a circle with the angle (degrees) at which each one stands."""
    places = []
    for index in range(count):
        angle = start + 360 * index / count
        places.append(
            (
                (cx + radius * math.cos(math.radians(angle)), cy + radius * math.sin(math.radians(angle))),
                angle,
            )
        )
    return places


class Art:
    """One picture in the making. `ground=None` gives a transparent sheet (a sprite)."""

    def __init__(self, width: float, height: float, ground: Colour | None = "#ffffff") -> None:
        self.width, self.height = width, height
        size = (round(width * SCALE), round(height * SCALE))
        if ground is None:
            self.sheet = Image.new("RGBA", size, (0, 0, 0, 0))
        else:
            self.sheet = Image.new("RGB", size, colour(ground)[:3])
        self.pen = ImageDraw.Draw(self.sheet, "RGBA")

    def finished(self) -> Image.Image:
        """The picture at its logical size."""
        return self.sheet.reduce(SCALE)

    @staticmethod
    def _up(points: Iterable[Point]) -> list[Point]:
        return [(x * SCALE, y * SCALE) for x, y in points]

    def poly(self, points: Sequence[Point], fill: Colour, alpha: float = 1.0) -> None:
        self.pen.polygon(self._up(points), fill=colour(fill, alpha))

    def blob(self, points: Sequence[Point], fill: Colour, alpha: float = 1.0) -> None:
        """A closed smooth shape through `points`."""
        self.poly(curve(points), fill, alpha)

    def line(
        self, points: Sequence[Point], fill: Colour, width: float, *, smooth: bool = False, alpha: float = 1.0
    ) -> None:
        """A line with round ends and joints."""
        path = curve(points, closed=False) if smooth else list(points)
        tint = colour(fill, alpha)
        up = self._up(path)
        self.pen.line(up, fill=tint, width=max(1, round(width * SCALE)), joint="curve")
        if tint[3] == 255:
            half = width * SCALE / 2
            for x, y in (up[0], up[-1]):
                self.pen.ellipse((x - half, y - half, x + half, y + half), fill=tint)

    def taper(self, points: Sequence[Point], fill: Colour, start: float, end: float) -> None:
        """A smooth limb whose width goes from `start` to `end`: branches, stalks, tails."""
        path = curve(points, closed=False, steps=8)
        left, right = [], []
        for index, (x, y) in enumerate(path):
            x0, y0 = path[max(index - 1, 0)]
            x1, y1 = path[min(index + 1, len(path) - 1)]
            length = math.hypot(x1 - x0, y1 - y0) or 1.0
            half = (start + (end - start) * index / (len(path) - 1)) / 2
            nx, ny = -(y1 - y0) / length * half, (x1 - x0) / length * half
            left.append((x + nx, y + ny))
            right.append((x - nx, y - ny))
        self.poly(left + right[::-1], fill)
        self.disc(*path[0], start / 2, fill)
        self.disc(*path[-1], end / 2, fill)

    def disc(self, cx: float, cy: float, radius: float, fill: Colour, alpha: float = 1.0) -> None:
        self.oval(cx, cy, radius, radius, fill, alpha)

    def oval(self, cx: float, cy: float, rx: float, ry: float, fill: Colour, alpha: float = 1.0) -> None:
        box = [(cx - rx) * SCALE, (cy - ry) * SCALE, (cx + rx) * SCALE, (cy + ry) * SCALE]
        self.pen.ellipse(box, fill=colour(fill, alpha))

    def hoop(
        self,
        cx: float,
        cy: float,
        radius: float,
        fill: Colour,
        width: float,
        *,
        start: float = 0,
        end: float = 360,
        alpha: float = 1.0,
    ) -> None:
        """An arc of a circle, angles in degrees clockwise from three o'clock."""
        outer = radius + width / 2
        box = [(cx - outer) * SCALE, (cy - outer) * SCALE, (cx + outer) * SCALE, (cy + outer) * SCALE]
        self.pen.arc(box, start, end, fill=colour(fill, alpha), width=max(1, round(width * SCALE)))

    def pie(
        self, cx: float, cy: float, radius: float, fill: Colour, start: float, end: float, alpha: float = 1.0
    ) -> None:
        box = [(cx - radius) * SCALE, (cy - radius) * SCALE, (cx + radius) * SCALE, (cy + radius) * SCALE]
        self.pen.pieslice(box, start, end, fill=colour(fill, alpha))

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: Colour,
        *,
        radius: float = 0,
        alpha: float = 1.0,
        edge: Colour | None = None,
        edge_width: float = 0,
    ) -> None:
        """A rectangle, rounded by `radius`, with an optional border."""
        corners = [x * SCALE, y * SCALE, (x + width) * SCALE, (y + height) * SCALE]
        outline = colour(edge) if edge is not None else None
        self.pen.rounded_rectangle(
            corners,
            radius * SCALE,
            fill=colour(fill, alpha),
            outline=outline,
            width=round(edge_width * SCALE),
        )

    def fade(self, stops: Sequence[Colour], top: float = 0, bottom: float | None = None) -> None:
        """Fill the rows from `top` to `bottom` with a vertical run through `stops`."""
        bottom = self.height if bottom is None else bottom
        strip = Image.new("RGB", (1, 256))
        last = len(stops) - 1
        for row in range(256):
            place = row / 255 * last
            index = min(int(place), last - 1)
            strip.putpixel((0, row), mix(stops[index], stops[index + 1], place - index)[:3])
        size = (self.sheet.width, round((bottom - top) * SCALE))
        self.sheet.paste(strip.resize(size, Image.Resampling.BILINEAR), (0, round(top * SCALE)))

    def glow(self, cx: float, cy: float, radius: float, fill: Colour, strength: float = 1.0) -> None:
        """A soft round light, strongest in the middle."""
        size = max(2, round(radius * 2 * SCALE))
        mask = Image.radial_gradient("L").point(_fall_off(strength))
        mask = mask.resize((size, size), Image.Resampling.BILINEAR)
        self.sheet.paste(colour(fill)[:3], (round((cx - radius) * SCALE), round((cy - radius) * SCALE)), mask)

    def soft(self, draw: Callable[[Art], None], blur: float) -> None:
        """What `draw` draws, blurred by `blur` pixels: shadows and mist.

        Drawn at the logical size: a blur hides the difference and costs a ninth.
        """
        layer = Art(self.width / SCALE, self.height / SCALE, None)
        layer.pen = _Shrunk(layer.sheet)  # type: ignore[assignment]
        draw(layer)
        small = layer.sheet.filter(ImageFilter.GaussianBlur(blur))
        big = small.resize(self.sheet.size, Image.Resampling.BILINEAR)
        self.sheet.paste(big, (0, 0), big)

    def place(self, sprite: Art, x: float, y: float, degrees: float = 0.0) -> None:
        """Another sheet on this one, its middle at (x, y)."""
        image = sprite.sheet
        if degrees:
            image = image.rotate(-degrees, Image.Resampling.BICUBIC, expand=True)
        corner = (round(x * SCALE - image.width / 2), round(y * SCALE - image.height / 2))
        self.sheet.paste(image, corner, image if image.mode == "RGBA" else None)


class _Shrunk:
    """A pen whose strokes, given at `SCALE`, land at the logical size."""

    def __init__(self, sheet: Image.Image) -> None:
        self._pen = ImageDraw.Draw(sheet, "RGBA")

    def __getattr__(self, name: str) -> Callable[..., None]:
        stroke = getattr(self._pen, name)

        def drawn(shape: Sequence[float] | Sequence[Point], *args: float, **options: float) -> None:
            smaller = [(p[0] / SCALE, p[1] / SCALE) if isinstance(p, tuple) else p / SCALE for p in shape]
            if "width" in options:
                options["width"] = max(1, round(options["width"] / SCALE))
            stroke(smaller, *args, **options)

        return drawn


def _fall_off(strength: float) -> list[int]:
    """Table for `Image.radial_gradient`, which runs from 0 in the middle to 255 at the corners' edge."""
    table = []
    for value in range(256):
        near = max(0.0, 1 - value / 180)
        table.append(round(255 * strength * near * near))
    return table
