"""Pictures that we draw or judge ourselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageStat

from server.transcode import encode
from server.transcode.encode import CARD_NAME, CARD_SIZE, Scene
from server.transcode.ladder import SpritePlan

_GROUND, _MARK, _SHADE = (24, 58, 92), (245, 240, 225), (60, 110, 150)


def make_card(scene: Scene) -> None:
    """The still picture under a programme that is sound alone: the cover inside it, else one that we draw."""
    if not encode.take_cover(scene):
        draw_sound_card(scene.folder / CARD_NAME)


def draw_sound_card(path: Path) -> None:
    """The still picture of a programme that is sound alone: a loudspeaker with waves; no text, so no language."""
    width, height = CARD_SIZE
    card = Image.new("RGB", CARD_SIZE, _GROUND)
    draw = ImageDraw.Draw(card)
    middle_x, middle_y = width // 2 - 60, height // 2
    draw.rectangle((0, height - 24, width, height), fill=_SHADE)
    draw.polygon(
        [
            (middle_x - 110, middle_y - 50), (middle_x - 50, middle_y - 50), (middle_x + 30, middle_y - 120),
            (middle_x + 30, middle_y + 120), (middle_x - 50, middle_y + 50), (middle_x - 110, middle_y + 50),
        ],
        fill=_MARK,
    )  # fmt: skip
    for radius in (80, 140, 200):
        box = (middle_x + 30 - radius, middle_y - radius, middle_x + 30 + radius, middle_y + radius)
        draw.arc(box, -40, 40, fill=_MARK, width=18)
    card.save(path, "JPEG", quality=92)


def join_tiles(tiles: Sequence[Path], plan: SpritePlan, path: Path) -> None:
    """The storyboard: small pictures in reading order, each centred in its cell."""
    sheet = Image.new("RGB", (plan.columns * plan.tile.width, plan.rows * plan.tile.height))
    for number, tile in enumerate(tiles[: plan.tiles]):
        with Image.open(tile) as picture:
            left = number % plan.columns * plan.tile.width + (plan.tile.width - picture.width) // 2
            top = number // plan.columns * plan.tile.height + (plan.tile.height - picture.height) // 2
            sheet.paste(picture, (left, top))
    sheet.save(path, "JPEG", quality=70, optimize=True)


def best_first(posters: Sequence[Path]) -> list[Path]:
    """The posters, the one that shows most first: detail counts, near-black and near-white frames come last."""

    def worth(path: Path) -> float:
        with Image.open(path) as picture:
            picture.draft("L", (160, 90))  # a JPEG is read at an eighth, not whole
            grey = picture.convert("L").resize((160, 90))
        mean = ImageStat.Stat(grey).mean[0]
        return grey.entropy() - (4.0 if mean < 24 or mean > 232 else 0.0)

    return sorted(posters, key=worth, reverse=True)
