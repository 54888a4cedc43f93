"""The one Chinese font: pictures and pages can write every character there is in the region tree and in GB 2312."""

from __future__ import annotations

import gzip
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont

from server.fonts import font_path
from tests.glyphs import fonts_of_the_machine
from tools.fontfaces import STYLE_SHEET, characters_in, css_ranges

REGIONS = Path(__file__).resolve().parents[2] / "server" / "regions" / "regions-13.csv.gz"
RARE_IN_VILLAGE_NAMES = "䌷咇哱圐坥堼峧崶杴泜溹澬磂窎舠蔄虸蚄蹅鄚酄鶖"


def gb2312() -> str:
    """The 7,445 characters of GB 2312."""
    pairs = (bytes([row, cell]) for row in range(0xA1, 0xF8) for cell in range(0xA1, 0xFF))
    return "".join(pair.decode("gb2312", "ignore") for pair in pairs)


def village_names() -> str:
    """Every character in the names of the province's regions."""
    return "".join(set(gzip.decompress(REGIONS.read_bytes()).decode()) - set("\r\n"))


@pytest.mark.parametrize("weight", ["regular", "bold"])
def test_whole_faces_write_every_chinese_character(weight):
    with TTFont(font_path(weight), lazy=True) as font:
        has = set(font.getBestCmap())
    assert {ord(character) for character in gb2312() + village_names()} <= has


def test_the_rare_characters_are_really_in_the_names():
    assert set(RARE_IN_VILLAGE_NAMES) <= set(village_names())


def test_page_font_names_a_piece_for_every_chinese_character():
    covered = characters_in(STYLE_SHEET.read_text("utf-8"))
    assert {ord(character) for character in gb2312() + village_names()} <= covered


def test_bold_is_bolder():
    def ink(weight: str) -> int:
        picture = Image.new("L", (120, 120))
        ImageDraw.Draw(picture).text((4, 0), "播", font=ImageFont.truetype(font_path(weight), 90), fill=255)
        return sum(picture.histogram()[128:])

    assert ink("bold") > 1.2 * ink("regular")


def test_bold_made_from_the_japanese_build_has_the_simplified_shape_of_every_character():
    with TTFont(font_path("regular"), lazy=True) as regular, TTFont(font_path("bold"), lazy=True) as bold:
        shapes, bold_shapes = regular.getBestCmap(), bold.getBestCmap()
    hanzi = [ord(character) for character in gb2312() if character >= "一"]
    # The two packages carry releases a little apart, which chose otherwise for these two.
    assert {chr(code) for code in hanzi if shapes[code] != bold_shapes[code]} <= {"郎", "朐"}


def test_ranges_are_written_shortest():
    assert css_ranges([0x41, 0x42, 0x43, 0x4E2D]) == "U+41-43,U+4e2d"


@pytest.fixture
def served_fonts():
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=STYLE_SHEET.parent))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.browser
def test_a_text_drawn_with_a_font_of_the_machine_is_found(page, served_fonts):
    page.goto(f"{served_fonts}/LICENSE.txt")
    page.set_content(
        f"<link rel=stylesheet href='{served_fonts}/noto-sans-sc.css'>"
        "<p style='font-family: \"Noto Sans SC\"'>好</p><p style='font-family: serif'>不好</p>"
    )
    (texts,) = fonts_of_the_machine(page).values()
    assert '<p style="font-family: serif">不好</p>' in texts
    assert not any(text.endswith(">好</p>") for text in texts)


@pytest.mark.browser
def test_a_page_loads_only_the_pieces_it_needs_and_shows_no_missing_glyph(page, served_fonts):
    asked: list[str] = []
    page.on("request", lambda request: asked.append(Path(request.url).name))
    page.goto(f"{served_fonts}/LICENSE.txt")
    page.set_content(
        f"<link rel=stylesheet href='{served_fonts}/noto-sans-sc.css'>"
        f"<body style='font-family: \"Noto Sans SC\"'>农村安全用电 {RARE_IN_VILLAGE_NAMES}</body>"
    )
    assert fonts_of_the_machine(page) == {}
    page.wait_for_function(
        "document.fonts.status == 'loaded' && document.fonts.check('16px \"Noto Sans SC\"', '鄚农')"
    )
    loaded = page.evaluate("[...document.fonts].filter(f => f.status == 'loaded').length")
    assert loaded == len([name for name in asked if name.endswith(("woff", "woff2"))])
    assert 2 <= loaded <= 20
