"""Files of an import by what a list calls them: names, paths, and folders of old discs joined in order. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

JOINABLE = (".vob", ".dat", ".mpg", ".mpeg", ".m2v", ".ts", ".m2ts", ".mts")
"""Program and transport streams: several end to end are one."""
MEDIA = (
    *JOINABLE,
    *(".mp4", ".m4v", ".mov", ".mkv", ".avi", ".wmv", ".asf", ".flv", ".f4v", ".rm", ".rmvb", ".3gp"),
    *(".mp3", ".wav", ".aac", ".m4a", ".wma", ".ogg", ".flac", ".pdf", ".pptx", ".ppt", ".zip"),
)
PROGRAMS = (b"MZ", b"\x7fELF", b"\xca\xfe\xba\xbe", b"#!", b"\xcf\xfa\xed\xfe")
"""First bytes of what runs on a computer, whatever it is called."""
_TITLE_SET = re.compile(r"vts_(\d\d)_([1-9])\.vob$", re.IGNORECASE)


@dataclass(frozen=True)
class Listed:
    """A file that is there: its path below the folder with ``/``, its size, its first bytes in hex."""

    path: str
    size: int
    head: str = ""

    @property
    def is_program(self) -> bool:
        try:
            return bytes.fromhex(self.head[:32]).startswith(PROGRAMS)
        except ValueError:
            return False


@dataclass(frozen=True)
class Match:
    """The files that a row means, in the order in which they are joined; or a problem's code."""

    files: tuple[Listed, ...] = ()
    problem: str | None = None

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


class Shelf:
    """Files by path, by name, and by folder, without regard to case or to the kind of slash."""

    def __init__(self, files: Sequence[Listed]) -> None:
        self._by_path = {_key(file.path): file for file in files}
        self._by_name: dict[str, list[Listed]] = {}
        for file in files:
            self._by_name.setdefault(PurePosixPath(_key(file.path)).name, []).append(file)

    def find(self, said: str) -> Match:
        """What ``said`` means: a path or name, several of them with semicolons, or a folder of a disc."""
        names = [name.strip() for name in re.split(r"[;；]", said) if name.strip()]
        if not names:
            return Match(problem="no_file")
        found: list[Listed] = []
        for name in names:
            one = self._one(name)
            if one.problem:
                return one
            found += one.files
        return _checked(found)

    def _one(self, name: str) -> Match:
        key = _key(name)
        if file := self._by_path.get(key):
            return Match((file,))
        same = self._by_name.get(key, [])
        if len(same) == 1:
            return Match((same[0],))
        if len(same) > 1:
            return Match(problem="ambiguous")
        inside = [file for path, file in self._by_path.items() if path.startswith(key.rstrip("/") + "/")]
        return disc(inside) if inside else Match(problem="missing")


def disc(files: Sequence[Listed]) -> Match:
    """The film in a disc's folder: the longest title of a DVD, the tracks of a video CD, or its only media file."""
    titles: dict[str, list[Listed]] = {}
    for file in files:
        if match := _TITLE_SET.search(file.path):
            titles.setdefault(match.group(1), []).append(file)
    if titles:
        longest = max(titles.values(), key=lambda parts: sum(part.size for part in parts))
        return _checked(sorted(longest, key=lambda part: _natural(part.path)))
    media = sorted((f for f in files if f.path.lower().endswith(MEDIA)), key=lambda f: _natural(f.path))
    tracks = [f for f in media if f.path.lower().endswith(".dat")]
    if tracks:
        return _checked(tracks)
    return _checked(media) if media else Match(problem="no_media")


def _checked(files: Sequence[Listed]) -> Match:
    if any(file.size == 0 for file in files):
        return Match(tuple(files), "empty")
    if any(file.is_program for file in files):
        return Match(tuple(files), "program")
    if len(files) > 1:
        endings = {PurePosixPath(file.path.lower()).suffix for file in files}
        if len(endings) > 1 or not endings <= set(JOINABLE):
            return Match(tuple(files), "not_joinable")
    return Match(tuple(files))


def _key(path: str) -> str:
    return path.replace("\\", "/").removeprefix("./").casefold()


def _natural(text: str) -> list[tuple[int, str]]:
    """For sorting: 第2集 before 第10集."""
    return [
        (int(part), "") if part.isdigit() else (0, part.casefold())
        for part in re.split(r"(\d+)", text)
        if part
    ]
