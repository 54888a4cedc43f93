"""Importing a folder or a disc through the HTTP API: a dry run, then row by row; again at any time without doubles."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from server.catalog.discs import MEDIA
from server.catalog.sending import Joined, send_file
from server.catalog.sheets import COLUMNS
from server.client import ApiClient
from server.errors import UsageError, YuanboError
from server.i18n import N_
from server.sheets import to_csv

SHEETS = (".xlsx", ".csv")
DISC_FOLDERS = ("video_ts", "mpegav")
MAX_FILES = 50_000

Say = Callable[[str], None]


@dataclass
class Outcome:
    """What became of every row. ``state``: new (dry run), created, exists, bad, failed."""

    rows: list[dict[str, Any]] = field(default_factory=list)

    def count(self, state: str) -> int:
        return sum(row["state"] == state for row in self.rows)

    @property
    def is_clean(self) -> bool:
        return not self.count("bad") and not self.count("failed")


def import_folder(
    api: ApiClient,
    folder: Path,
    *,
    sheet: Path | None = None,
    section: str | None = None,
    dry_run: bool = False,
    say: Say = lambda _text: None,
) -> Outcome:
    """Import what a list in the folder names, or, without a list, every film and disc into one ``section``.

    Raises UsageError (no such folder, no list), ApiError when the list itself is refused. A row that fails says so and
    the next one is taken.
    """
    if not folder.is_dir():
        raise UsageError(N_("%(folder)s 不是文件夹"), folder=folder)
    files = list(_files(folder))
    name, content = _list(folder, files, sheet, section)
    plan = api.post(
        "/api/v1/imports/check",
        {
            "filename": name,
            "content": base64.b64encode(content).decode(),
            "files": [_listed(folder, path) for path in files],
        },
    )
    outcome = Outcome(rows=plan["items"])
    for row in outcome.rows:
        if row["state"] == "new" and not dry_run:
            _import_row(api, folder, row)
        say(_line(row))
    return outcome


def _import_row(api: ApiClient, folder: Path, row: dict[str, Any]) -> None:
    """Send, make the programme, add what goes beside it; the row says how it went."""
    try:
        paths = tuple(folder / name for name in row["files"])
        joined_name = f"{paths[0].stem}{paths[0].suffix}" if paths else ""
        source = paths[0] if len(paths) == 1 else Joined(paths, joined_name)
        sent = send_file(api, source, name=joined_name)
        made = api.post("/api/v1/programmes", {**row["programme"], "upload": sent["upload"]})
        row["id"], row["state"] = made["id"], "created"
        for kind in ("subtitles", "attachments"):
            for name in row[kind]:
                _send_companion(api, made["edition"], kind, folder / name)
    except (YuanboError, OSError) as error:
        code = error.code if isinstance(error, YuanboError) else "file"
        row["problems"].append({"code": code, "text": str(error)})
        row["state"] = "failed"


def _send_companion(api: ApiClient, edition: str, kind: str, path: Path) -> None:
    asked = urlencode({"filename": path.name})
    api.post_raw(f"/api/v1/editions/{edition}/{kind}?{asked}", path.read_bytes())


# --- the folder -------------------------------------------------------------------------------------------------------
def _files(folder: Path) -> Iterator[Path]:
    """Every file below, without hidden ones and without following links."""
    found = 0
    for place, folders, names in os.walk(folder, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(place) / name
            if name.startswith((".", "~$")) or path.is_symlink() or not path.is_file():
                continue
            found += 1
            if found > MAX_FILES:
                raise UsageError(N_("文件夹里超过 %(most)d 个文件"), most=MAX_FILES)
            yield path


def _listed(folder: Path, path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        head = file.read(16)
    return {"path": path.relative_to(folder).as_posix(), "size": path.stat().st_size, "head": head.hex()}


def _list(folder: Path, files: list[Path], sheet: Path | None, section: str | None) -> tuple[str, bytes]:
    """The list's name and bytes: the one named, the only one in the folder, or one made of the files there are."""
    if sheet is None and section is not None:
        return "清单.csv", _made_list(folder, files, section)
    lists = (
        [sheet]
        if sheet
        else [path for path in files if path.parent == folder and path.suffix.lower() in SHEETS]
    )
    if len(lists) != 1:
        raise UsageError(
            N_(
                "%(folder)s 里应有一个 xlsx 或 csv 清单（用 --sheet 指明，或用 --section 不要清单；模板：--template）"
            ),
            folder=folder,
        )
    try:
        return lists[0].name, lists[0].read_bytes()
    except OSError as error:
        raise UsageError(N_("读不了文件 %(file)s"), file=lists[0]) from error


def _made_list(folder: Path, files: list[Path], section: str) -> bytes:
    """One row for each film that lies alone, one for each disc's folder; titles are their names."""
    discs: dict[Path, None] = {}
    films: list[Path] = []
    for path in files:
        disc = next((parent for parent in path.parents if parent.name.lower() in DISC_FOLDERS), None)
        if disc is not None and disc.is_relative_to(folder):
            discs[disc] = None
        elif path.suffix.lower() == ".dat":
            discs[path.parent] = None
        elif path.suffix.lower() in MEDIA:
            films.append(path)
    rows = [(disc.relative_to(folder).as_posix(), _disc_title(folder, disc)) for disc in discs]
    rows += [(film.relative_to(folder).as_posix(), film.stem) for film in films]
    headings = [column.heading for column in COLUMNS[:3]]
    return to_csv([headings, *((name, title, section) for name, title in sorted(rows))])


def _disc_title(folder: Path, disc: Path) -> str:
    named = disc.parent if disc.name.lower() in DISC_FOLDERS else disc
    return named.name if named != folder else folder.resolve().name


def _line(row: dict[str, Any]) -> str:
    marks = {"new": "○", "created": "✓", "exists": "=", "bad": "×", "failed": "×"}
    why = "；".join(problem["text"] for problem in row["problems"])
    return f"{marks[row['state']]} {row['row']:>4}  {row['title']}" + (f"  {why}" if why else "")
