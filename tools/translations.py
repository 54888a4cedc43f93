"""The translation catalogues: source texts are Chinese, English stands in `server/translations/en`.

    python -m tools.translations compile   makes the .mo files that gettext reads (set-up does it)
    python -m tools.translations update    brings the .po files up to date with the texts in use

Texts in use are those in templates, those marked in Python (`_`, `gettext`, `N_`, …), and Chinese texts of raised
errors, which the web layer translates when it knows who reads them.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
SIDES = ("server",)  # the agent speaks both languages in one line, and its TV page Chinese
LANGUAGES = ("en",)

HEADER = "# Texts of Yuanbo 远播: the source texts are Chinese. `./yuanbo check --fix` adds new ones and drops old ones."
DATES_AND_NAMES = r'^"(POT-Creation-Date|PO-Revision-Date|Generated-By|Last-Translator|Language-Team|Project-Id|Report-Msgid).*\n'
CHINESE = re.compile(r"[\u3400-\u9fff]")
MARKERS = frozenset({"_", "N_", "gettext", "lazy_gettext", "_l"})
PLURAL_MARKERS = frozenset({"ngettext", "lazy_ngettext"})
JINJA_OPTIONS = {
    "extensions": "jinja2.ext.i18n,jinja2.ext.do,jinja2.ext.loopcontrols",
    "silent": "false",
    "trimmed": "true",
}


# ---------------------------------------------------------------- which texts are in use


def texts_in_use(side: str) -> Catalog:
    """Every text of one side that somebody may read translated, with its places, as an empty catalogue."""
    catalogue = Catalog(charset="utf-8")
    for path in sorted((ROOT / side).rglob("*")):
        place = str(path.relative_to(ROOT))
        if path.suffix == ".py":
            for line, text in python_texts(path.read_text("utf-8")):
                catalogue.add(text, locations=[(place, line)])
        elif path.suffix in (".html", ".txt", ".xml") and "templates" in path.parts:
            with path.open("rb") as file:
                for line, text, _comments, _context in extract(
                    "jinja2", file, DEFAULT_KEYWORDS, (), JINJA_OPTIONS
                ):
                    catalogue.add(text, locations=[(place, line)])
    return catalogue


def python_texts(source: str) -> Iterator[tuple[int, str | tuple[str, ...]]]:
    """(line, text) of marked texts and of the Chinese texts of raised errors; a plural is a pair."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            texts = [
                arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
            ]
            if function_name(node) in MARKERS and texts:
                yield node.lineno, texts[0]
            elif function_name(node) in PLURAL_MARKERS and len(texts) >= 2:
                yield node.lineno, (texts[0], texts[1])
        elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            for argument in node.exc.args:
                if (
                    isinstance(argument, ast.Constant)
                    and isinstance(argument.value, str)
                    and CHINESE.search(argument.value)
                ):
                    yield argument.lineno, argument.value


def function_name(call: ast.Call) -> str:
    """The last word of what is called."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


# ---------------------------------------------------------------- catalogues on disk


def catalogue_path(side: str, language: str) -> Path:
    return ROOT / side / "translations" / language / "LC_MESSAGES" / "messages.po"


def load(path: Path) -> Catalog:
    """The catalogue, empty when there is no such file."""
    if not path.exists():
        return Catalog(locale=path.parent.parent.name, charset="utf-8")
    with path.open("rb") as file:
        return read_po(file, locale=path.parent.parent.name)


def problems(side: str, language: str) -> list[str]:
    """What keeps the catalogue from being complete and exact: one line a text."""
    wanted, have = texts_in_use(side), load(catalogue_path(side, language))
    found = [
        f"{_place(message)}: no {language} text for {message.id!r}"
        for message in wanted
        if message.id and not _translated(have, message)
    ]
    for message in have:
        if not message.id:
            continue
        if message.fuzzy:
            found.append(f"{language}: only guessed: {message.id!r}")
        elif message.id not in wanted:
            found.append(f"{language}: no longer in use: {message.id!r}")
        else:
            found += [f"{language}: {message.id!r}: {error}" for error in message.check(have)]
    return found


def _translated(catalogue: Catalog, wanted: Message) -> bool:
    message = catalogue.get(wanted.id)
    if message is None:
        return False
    texts = message.string if isinstance(message.string, (tuple, list)) else (message.string,)
    return all(texts)


def _place(message: Message) -> str:
    path, line = message.locations[0]
    return f"{path}:{line}"


def update(side: str, language: str) -> None:
    """Add texts in use that the catalogue lacks (untranslated) and drop those no longer in use."""
    wanted = texts_in_use(side)
    if not len(wanted):
        return
    path = catalogue_path(side, language)
    have = load(path)
    have.update(wanted, no_fuzzy_matching=True)
    have.obsolete.clear()
    have.header_comment, have.fuzzy = HEADER, False
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".po.part")
    with beside.open("wb") as file:
        write_po(file, have, width=110, omit_header=False, sort_output=True, no_location=True)
    # The header's dates would make every update a change.
    text = re.sub(DATES_AND_NAMES, "", beside.read_text("utf-8"), flags=re.MULTILINE)
    beside.write_text(text, "utf-8")
    beside.replace(path)


def compile_catalogue(source: Path) -> None:
    """Write the compiled form beside SOURCE; it appears whole."""
    beside = source.with_suffix(".mo.part")
    with beside.open("wb") as file:
        write_mo(file, load(source))
    beside.replace(source.with_suffix(".mo"))


def compile_stale() -> None:
    """Compile every catalogue that is newer than its compiled form."""
    for source in sorted(
        path for side in SIDES for path in ROOT.glob(f"{side}/translations/*/LC_MESSAGES/*.po")
    ):
        compiled = source.with_suffix(".mo")
        if not compiled.exists() or compiled.stat().st_mtime < source.stat().st_mtime:
            compile_catalogue(source)


def main(arguments: list[str]) -> int:
    if arguments == ["compile"]:
        compile_stale()
    elif arguments == ["update"]:
        for side in SIDES:
            for language in LANGUAGES:
                update(side, language)
    else:
        sys.stderr.write("usage: python -m tools.translations compile|update\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
