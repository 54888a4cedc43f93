"""The phone page's own files: what old phones can read, both languages whole, nothing from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import client_agent

PAGE = Path(client_agent.__file__).parent / "phone" / "page"
SCRIPTS = sorted(PAGE.glob("*.js"))
SOURCES = "".join(path.read_text("utf-8") for path in SCRIPTS)


def without_text(source: str) -> str:
    """A script without comments and strings."""
    source = re.sub(r"/\*.*?\*/", "", source, flags=re.DOTALL)
    return re.sub(r"'(?:\\.|[^'\\])*'", "''", source)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_speak_the_language_of_old_phones(script):
    code = without_text(script.read_text("utf-8"))
    for modern in (r"=>", r"\blet\b", r"\bconst\b", r"`", r"\basync\b", r"\?\.", r"\?\?", r"\bfetch\("):
        assert not re.search(modern, code), modern


def test_nothing_comes_from_elsewhere_stands_inline_or_is_made_of_text():
    page = (PAGE / "index.html").read_text("utf-8")
    styles = (PAGE / "phone.css").read_text("utf-8")
    assert not re.search(r"https?://|//[a-z]|url\(", page.replace("data:,", "") + styles)
    assert not re.search(r"\sstyle=|\son[a-z]+=|<script>|<style", page)
    assert "innerHTML" not in SOURCES
    assert "http:" not in SOURCES
    asked = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert {name for name in asked if not name.startswith("data:")} == {
        path.name for path in PAGE.iterdir() if path.suffix != ".html"
    }


def test_every_word_there_is_in_both_languages_and_every_word_said_exists():
    words = (PAGE / "words.js").read_text("utf-8")
    found = {}
    for language in ("zh", "en"):
        part = re.search(rf"^  {language}: \{{(.*?)^  \}}", words, flags=re.DOTALL | re.MULTILINE)
        found[language] = set(re.findall(r"\b([a-z_]+): '", re.sub(r"'(?:\\.|[^'\\])*'", "''", part[1])))
    assert found["zh"] == found["en"]
    said = {name for name in re.findall(r"say\('([a-z_]+)'", SOURCES) if not name.endswith("_")}
    assert said <= found["zh"]
    views = {"roll", "photo", "voice", "minutes", "question", "fault"}
    assert {f"{view}_about" for view in views} | {"roll_start", "roll_end", "roll_late"} <= found["zh"]
