"""Every character that a user can be shown is in the shipped font: in pictures and PDF, on pages, on the TV page.

Every text of every source file counts, so that none escapes for standing in an unexpected place; comments and
docstrings, which draw with arrows, do not.
"""

from __future__ import annotations

import ast
import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.console import films
from tools.fontfaces import STYLE_SHEET, characters_in

ROOT = Path(__file__).resolve().parents[2]
TREE = ROOT / "server" / "regions" / "regions-13.csv.gz"
SHOWN = {
    "server": (".py", ".html", ".js", ".css", ".po"),
    "client_agent": (".py", ".html", ".js", ".css", ".po"),
}
COMMENTS = re.compile(r"/\*.*?\*/|\{#.*?#\}|<!--.*?-->|(?<![:\"'])//[^\n]*", re.DOTALL)
NEVER_DRAWN = {"\u200d", "\ufe0f", "\ufeff", "\u200b", "\u2028", "\u2029"}


def files(room: str) -> Iterator[Path]:
    for path in sorted((ROOT / room).rglob("*")):
        if path.suffix in SHOWN[room] and "__pycache__" not in path.parts:
            yield path


def characters(text: str) -> set[str]:
    """What needs a glyph: everything beyond ASCII but spaces and joiners."""
    return {char for char in text if ord(char) > 0x7E and not char.isspace()} - NEVER_DRAWN


def texts(path: Path) -> str:
    """What of a source file may reach a screen."""
    source = path.read_text("utf-8")
    if path.suffix == ".py":
        return "".join(literals(ast.parse(source)))
    return source if path.suffix == ".po" else COMMENTS.sub("", source)


def literals(tree: ast.AST) -> Iterator[str]:
    """The strings of a module, without those that stand alone as statements: docstrings."""
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.value


def test_comments_are_no_texts_and_texts_are_no_comments(tmp_path: Path):
    (tmp_path / "a.py").write_text('"""►"""\nsay("远播")  # ◄\n', "utf-8")
    (tmp_path / "a.js").write_text('say("播") // ►\n/* ◄ */ go("http://远")', "utf-8")
    assert texts(tmp_path / "a.py") == "远播"
    assert characters(texts(tmp_path / "a.js")) == {"播", "远"}


@pytest.mark.parametrize("room", SHOWN)
def test_every_character_of_every_text_is_in_the_whole_faces(room: str):
    missing = {
        str(path.relative_to(ROOT)): sorted(found)
        for path in files(room)
        if (found := films.missing_glyphs("".join(characters(texts(path)))))
    }
    assert missing == {}


@pytest.mark.parametrize("room", SHOWN)
def test_every_character_of_every_text_has_a_piece_of_the_page_font(room: str):
    covered = characters_in(STYLE_SHEET.read_text("utf-8"))
    missing = {
        str(path.relative_to(ROOT)): sorted(lacking)
        for path in files(room)
        if (lacking := {char for char in characters(texts(path)) if ord(char) not in covered})
    }
    assert missing == {}


def test_every_region_can_be_lettered_in_a_picture():
    assert films.missing_glyphs(gzip.decompress(TREE.read_bytes()).decode("utf-8")) == set()
