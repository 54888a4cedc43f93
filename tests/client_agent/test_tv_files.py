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
    code = re.sub(
        r"/\*.*?\*/", "", "".join(p.read_text("utf-8") for p in sorted(TV.glob("*.css"))), flags=re.DOTALL
    )
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


def words_of(source: str, language: str) -> set[str]:
    """The names of a script's words: those of words.js, and those a file adds with TV.words({zh}, {en})."""
    found = re.findall(rf"^  {language}: \{{(.*?)^  \}}", source, flags=re.DOTALL | re.MULTILINE)
    pairs = re.findall(r"TV\.words\(\{(.*?)^  \}, \{(.*?)^  \}\);", source, flags=re.DOTALL | re.MULTILINE)
    found += [pair[language == "en"] for pair in pairs]
    return set(re.findall(r"\b([a-z_]+): ['\[]", "".join(without_values(part) for part in found)))


def without_values(words: str) -> str:
    return re.sub(r"'(?:\\.|[^'\\])*'", "''", words)


def test_every_word_there_is_in_both_languages_and_every_word_used_exists():
    chinese, english, used = set(), set(), set()
    for script in SCRIPTS:
        source = script.read_text("utf-8")
        assert words_of(source, "zh") == words_of(source, "en"), script.name
        assert not chinese & words_of(source, "zh"), f"{script.name}: a word has one file"
        chinese |= words_of(source, "zh")
        english |= words_of(source, "en")
        used |= set(re.findall(r"TV\.say\('([a-z_]+)'[,)]", source))
    assert chinese == english
    assert used <= chinese


def test_every_script_and_style_is_on_the_page():
    page = (TV / "index.html").read_text("utf-8")
    named = set(re.findall(r'(?:src|href)="/([a-z-]+\.(?:js|css))"', page))
    assert named == {path.name for path in [*SCRIPTS, *TV.glob("*.css")]}
