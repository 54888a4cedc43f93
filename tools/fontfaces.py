"""Makes the Chinese faces that pages, pictures and documents use, out of the locked font packages.

Two needs, two sources of the same design (Noto Sans, simplified Chinese, SIL Open Font License):

- Pictures and PDF want one whole file a weight. The collection's simplified Chinese member is copied out as
  `sc-regular.otf`. The bold comes as the Japanese build, which holds every Chinese shape behind its `locl` feature;
  its character map is pointed at them: `sc-bold.otf`.
- A page wants little to load. `pieces.css` (from the web font package) has a hundred small variable-weight pieces
  chosen by `unicode-range`, but lacks rare characters, and our villages have them (泜, 峧, 鄚, 䌷). Those are cut from
  the whole face into `rare-*.woff`, and `noto-sans-sc.css` names both under the one family "Noto Sans SC".
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable, Mapping
from importlib.resources import files
from multiprocessing import Pool
from pathlib import Path
from typing import Any

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTCollection, TTFont
from fontTools.ttLib.sfnt import SFNTWriter

ROOT = Path(__file__).resolve().parent.parent
FONTS = ROOT / "web_dist" / "fonts"

REGULAR, BOLD = FONTS / "sc-regular.otf", FONTS / "sc-bold.otf"
STYLE_SHEET = FONTS / "noto-sans-sc.css"
FAMILY = "Noto Sans SC"

SIMPLIFIED_CHINESE_IN_COLLECTION = 2
CHARACTERS_A_PIECE = 1024
PROCESSES = 2

# Korean syllables and letters: the faces have them, nobody here writes them.
HANGUL = ((0x1100, 0x11FF), (0xA960, 0xA97F), (0xAC00, 0xD7FF))
LAST_OF_THE_BASIC_PLANE = 0xFFFF


def make_faces() -> None:
    """Write the two whole faces."""
    collection = TTCollection(str(files("noto_cjk_sans_otc") / "NotoSansCJK-Regular.ttc"), lazy=True)
    copy_tables(collection.fonts[SIMPLIFIED_CHINESE_IN_COLLECTION], REGULAR, {})
    bold = TTFont(str(files("noto_cjk_sans_jp_bold") / "NotoSansCJKjp-Bold.otf"), lazy=True)
    copy_tables(bold, BOLD, {"cmap": simplified_character_map(bold)})


def copy_tables(font: TTFont, target: Path, replaced: Mapping[str, bytes]) -> None:
    """Write FONT's tables byte for byte, but for the replaced ones. (Saving it would recompile 16 MB for 17 s.)"""
    tags = list(font.reader.keys())
    with target.open("wb") as file:
        writer = SFNTWriter(file, len(tags), font.sfntVersion)
        for tag in tags:
            writer[tag] = replaced.get(tag) or font.reader[tag]
        writer.close()


def simplified_character_map(font: TTFont) -> bytes:
    """FONT's character map with each glyph replaced by its simplified Chinese form where there is one."""
    forms = simplified_forms(font["GSUB"].table)
    table = font["cmap"]
    for encoding in table.tables:
        if encoding.format != 14:  # variation sequences name their glyphs explicitly
            encoding.cmap = {code: forms.get(glyph, glyph) for code, glyph in encoding.cmap.items()}
    compiled: bytes = table.compile(font)
    return compiled


def simplified_forms(substitutions: Any) -> dict[str, str]:
    """Glyph → its form for text marked as simplified Chinese (`hani`/`ZHS `, feature `locl`)."""
    forms: dict[str, str] = {}
    for script in substitutions.ScriptList.ScriptRecord:
        for language in script.Script.LangSysRecord:
            if (script.ScriptTag, language.LangSysTag) != ("hani", "ZHS "):
                continue
            for index in language.LangSys.FeatureIndex:
                record = substitutions.FeatureList.FeatureRecord[index]
                if record.FeatureTag == "locl":
                    for number in record.Feature.LookupListIndex:
                        for table in substitutions.LookupList.Lookup[number].SubTable:
                            forms.update(getattr(table, "ExtSubTable", table).mapping)
    return forms


def characters_in(style_sheet: str) -> set[int]:
    """The code points that the `unicode-range`s of a style sheet name."""
    covered: set[int] = set()
    for ranges in re.findall(r"unicode-range:\s*([^;]+);", style_sheet):
        for part in ranges.split(","):
            first, _, last = part.strip()[2:].partition("-")
            covered.update(range(int(first, 16), int(last or first, 16) + 1))
    return covered


def rare_characters(covered: set[int]) -> list[int]:
    """What the whole face can write and the pieces cannot: basic plane, no Korean."""
    with TTFont(REGULAR, lazy=True) as font:
        has = set(font.getBestCmap())
    return sorted(
        code
        for code in has - covered
        if code <= LAST_OF_THE_BASIC_PLANE and not any(first <= code <= last for first, last in HANGUL)
    )


def cut_piece(job: tuple[Path, list[int]]) -> None:
    """Write one web font with just these characters."""
    target, characters = job
    options = Options(layout_features=[], hinting=False, notdef_outline=True)
    options.drop_tables += ["BASE", "VORG", "vhea", "vmtx", "GPOS", "GSUB", "GDEF"]
    with TTFont(REGULAR, lazy=True, recalcBBoxes=False) as font:
        subsetter = Subsetter(options)
        subsetter.populate(unicodes=characters)
        subsetter.subset(font)
        font.flavor = "woff"
        font.save(target)


def css_ranges(characters: Iterable[int]) -> str:
    """Sorted code points as the value of `unicode-range`."""
    runs: list[list[int]] = []
    for code in characters:
        if runs and code == runs[-1][1] + 1:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    return ",".join(f"U+{first:x}" if first == last else f"U+{first:x}-{last:x}" for first, last in runs)


def make_style_sheet() -> None:
    """Cut the rare pieces and write the style sheet that names everything."""
    pieces = (FONTS / "pieces.css").read_text("utf-8")
    pieces = pieces.replace("Noto Sans SC Variable", FAMILY).replace("woff2-variations", "woff2")
    rare = rare_characters(characters_in(pieces))
    jobs = [
        (FONTS / f"rare-{start // CHARACTERS_A_PIECE:02d}.woff", rare[start : start + CHARACTERS_A_PIECE])
        for start in range(0, len(rare), CHARACTERS_A_PIECE)
    ]
    with Pool(PROCESSES) as pool:
        pool.map(cut_piece, jobs, chunksize=1)
    for target, characters in jobs:
        pieces += (
            f"\n@font-face {{ font-family: '{FAMILY}'; font-style: normal; font-display: swap; font-weight: 100 900;"
            f" src: url(./{target.name}) format('woff'); unicode-range: {css_ranges(characters)}; }}\n"
        )
    STYLE_SHEET.write_text(pieces, "utf-8")


def copy_licences() -> None:
    for package in ("noto_cjk_sans_otc", "noto_cjk_sans_jp_bold"):
        for info in Path(str(files(package))).parent.glob(f"{package}-*.dist-info"):
            shutil.copyfile(info / "licenses" / "LICENSE", FONTS / f"LICENSE-{package}.txt")


def main() -> int:
    make_faces()
    make_style_sheet()
    copy_licences()
    (FONTS / ".stamp").write_text(Path(__file__).read_text("utf-8"), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
