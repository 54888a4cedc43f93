"""Compiles the translation catalogues: `python -m tools.translations compile`.

The `.po` files are ours and tracked; the `.mo` files that gettext reads are made from them at set-up.
"""

from __future__ import annotations

import sys
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parent.parent


def catalogues() -> list[Path]:
    """Every tracked `.po` file."""
    return sorted(
        path
        for side in ("server", "client_agent")
        for path in ROOT.glob(f"{side}/translations/*/LC_MESSAGES/*.po")
    )


def compile_catalogue(source: Path) -> None:
    """Write the compiled form beside SOURCE; it appears whole."""
    with source.open("rb") as file:
        catalogue = read_po(file, locale=source.parent.parent.name)
    target = source.with_suffix(".mo")
    beside = target.with_suffix(".mo.part")
    with beside.open("wb") as file:
        write_mo(file, catalogue)
    beside.replace(target)


def main(arguments: list[str]) -> int:
    if arguments != ["compile"]:
        sys.stderr.write("usage: python -m tools.translations compile\n")
        return 2
    for source in catalogues():
        compile_catalogue(source)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
