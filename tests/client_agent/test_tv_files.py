"""The TV page's own files: what old engines can read, and both languages whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import client_agent

TV = Path(client_agent.__file__).parent / "tv"
SCRIPTS = sorted(TV.glob("*.js"))


def without_text(source: str) -> str:
    """A script without comments and strings."""
    source = re.sub(r"/\*.*?\*/", "", source, flags=re.DOTALL)
    return re.sub(r"'(?:\\.|[^'\\])*'", "''", source)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_speak_the_language_of_old_engines(script):
    code = without_text(script.read_text("utf-8"))
    for modern in (
        r"=>",
        r"\blet\b",
        r"\bconst\b",
        r"`",
        r"\bclass\b(?!\w)",
        r"\.\.\.",
        r"\basync\b",
        r"\?\.",
        r"\?\?",
        r"\bfetch\(",
    ):
        assert not re.search(modern, code), modern


def test_styles_use_nothing_that_old_engines_drop():
    code = re.sub(r"/\*.*?\*/", "", (TV / "tv.css").read_text("utf-8"), flags=re.DOTALL)
    for modern in (
        r"\bgap\s*:",
        r"\binset\s*:",
        r"aspect-ratio",
        r"display:\s*grid",
        r":is\(",
        r":where\(",
        r"clamp\(",
    ):
        assert not re.search(modern, code), modern


def test_nothing_on_the_page_comes_from_elsewhere_or_stands_inline():
    page = (TV / "index.html").read_text("utf-8")
    assert not re.search(r"https?://|//[a-z]", page)
    assert not re.search(r"\sstyle=|\son[a-z]+=|<script>|<style", page)
    for script in SCRIPTS:
        assert "http:" not in script.read_text("utf-8")
        assert "innerHTML" not in script.read_text("utf-8")


def test_every_word_there_is_in_both_languages_and_every_word_used_exists():
    words = (TV / "words.js").read_text("utf-8")
    chinese, english = re.findall(r"^  (?:zh|en): \{(.*?)^  \}", words, flags=re.DOTALL | re.MULTILINE)
    names = [set(re.findall(r"\b([a-z_]+): ['\[]", part)) for part in (chinese, english)]
    assert names[0] == names[1]
    used = set()
    for script in SCRIPTS:
        used |= set(re.findall(r"TV\.say\('([a-z_]+)'[,)]", script.read_text("utf-8")))
    assert used <= names[0]
