"""A channel's logo: any picture in, a small one of ours out, into the frame."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from sqlalchemy.orm import Session

from server.errors import Invalid, TooLarge
from server.schedule import service
from server.schedule.logos import MOST_BYTES, keep_logo, redrawn
from server.storage import Store, media_key, pieces_key
from tests.schedule.conftest import NOW, PROVINCE


def picture(width: int, height: int, form: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "#14532d").save(out, form)
    return out.getvalue()


def test_a_large_picture_becomes_a_small_one_of_the_same_shape() -> None:
    with Image.open(io.BytesIO(redrawn(picture(2000, 500, "JPEG")))) as made:
        assert (made.format, made.size) == ("PNG", (400, 100))


@pytest.mark.parametrize("data", [b"", b"<svg onload='x'/>", picture(10, 10)[:40], picture(5000, 5000)])
def test_what_is_no_picture_or_a_bomb_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid):
        redrawn(data)


def test_too_many_bytes_are_refused() -> None:
    with pytest.raises(TooLarge):
        redrawn(bytes(MOST_BYTES + 1))


@pytest.mark.parametrize("store", ["folder"], indirect=True)
def test_the_frame_names_the_logo_among_the_media(province: Session, store: Store) -> None:
    logo = keep_logo(store, picture(200, 100))
    service.set_channel(province, PROVINCE, "main", version=1, logo=logo)
    shown = service.compile_documents(province, releases={}, now=NOW).frames["13"].channels[0].logo
    assert shown is not None
    assert (shown.sha256, shown.length) == logo[:2]
    assert store.exists(media_key(shown.sha256))
    assert store.exists(pieces_key(shown.pieces_root))
