"""台标: a channel's logo, from whatever picture was sent to a small PNG of our own making among the media objects."""

from __future__ import annotations

import io
import warnings

from PIL import Image

from protocol.pieces import piece_layer_of
from server.errors import Invalid, TooLarge
from server.i18n import N_
from server.storage import Store, media_key, pieces_key

MOST_BYTES = 1024 * 1024
MOST_PIXELS = 16_000_000
WIDEST, HIGHEST = 400, 200
FORMATS = ("PNG", "JPEG", "WEBP")


def keep_logo(store: Store, data: bytes) -> tuple[str, int, str]:
    """Store a logo; its SHA-256, length in bytes and pieces root. Raises Invalid, TooLarge."""
    drawn = redrawn(data)
    layer = piece_layer_of(drawn)
    store.put_bytes(pieces_key(layer.root), layer.layer)
    store.put_bytes(media_key(layer.sha256), drawn)
    return layer.sha256, layer.length, layer.root


def redrawn(data: bytes) -> bytes:
    """The picture as a PNG of at most 400×200 without anything but its pixels. Raises Invalid, TooLarge."""
    if len(data) > MOST_BYTES:
        raise TooLarge(N_("台标最大 1 MB"))
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            if picture.width * picture.height > MOST_PIXELS:
                raise Invalid(N_("台标的像素太多"))
            plain = picture.convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Warning) as error:
        raise Invalid(N_("台标须是 PNG、JPEG 或 WebP 图片"), code="picture") from error
    plain.thumbnail((WIDEST, HIGHEST))
    out = io.BytesIO()
    plain.save(out, "PNG", optimize=True)
    return out.getvalue()
