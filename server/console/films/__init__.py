"""Six short public-service films made on the spot: our own drawings, lettering, music and motion.

They are sources like any editor's: what comes out is uploaded, reviewed, transcoded and signed like everything else.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from server.console.films.encode import FilmNotMade, write_film
from server.console.films.lettering import missing_glyphs
from server.console.films.motion import FPS, frame_count, frames
from server.console.films.music import write_music
from server.console.films.scripts import MARK, SCRIPTS, Script, words
from server.console.films.shots import storyboard
from server.console.films.subtitles import cues, srt, vtt
from server.supervisor import die_with_parent

__all__ = [
    "CLIP",
    "FILMS",
    "Film",
    "FilmInfo",
    "FilmNotMade",
    "make",
    "make_all",
    "missing_glyphs",
    "text_of",
]

Progress = Callable[[str, int, int], None]

ROOT = Path(__file__).resolve().parents[3]
AT_ONCE = 2
POLL_S = 0.1
_WORK_PREFIX = ".making-"
_SCRIPTS = {script.title: script for script in SCRIPTS}


@dataclass(frozen=True)
class FilmInfo:
    """A demonstration programme before its file is made. `file` is the file's name."""

    title: str
    section_slug: str
    department_slug: str | None
    summary: str
    file: str
    rights_source: str
    rights_licence: str


@dataclass(frozen=True)
class Film:
    """A demonstration programme with its source file and the subtitles beside it."""

    title: str
    section_slug: str
    department_slug: str | None
    summary: str
    path: Path
    subtitles_path: Path | None
    rights_source: str
    rights_licence: str


FILMS: tuple[FilmInfo, ...] = tuple(
    FilmInfo(
        script.title,
        script.section_slug,
        script.department_slug,
        script.summary,
        f"{script.key}.mp4",
        f"远播平台{MARK}",
        "平台自制，可自由使用",
    )
    for script in SCRIPTS
)

CLIP = FilmInfo(
    "大雄兔 Big Buck Bunny（预告片）",
    "wenyu",
    None,
    "开源动画短片《Big Buck Bunny》的预告片，不到一分钟。",
    "trailer_bbb.mp4",
    "© Blender Foundation | www.blender.org",
    "CC BY 3.0",
)
"""A real clip under its own name and credit, shipped with the tests."""


def text_of(title: str) -> str:
    """Every word that the film of this title shows. Raises KeyError for an unknown title."""
    return words(_SCRIPTS[title])


def make_all(
    folder: Path,
    on_progress: Progress = lambda _title, _done, _total: None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> list[Film]:
    """Make every film that `folder` does not hold yet, two at a time; the same bytes every time.

    `on_progress(title, done, total)` is told of each film that stands, those found included. A kill at any moment,
    or `is_stopping` turning true, leaves whole films only; the films that stand are returned.
    Raises FilmNotMade.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.glob(f"{_WORK_PREFIX}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    waiting = [info for info in FILMS if not _is_made(folder, info)]
    standing = [info for info in FILMS if info not in waiting]
    for number, info in enumerate(standing, 1):
        on_progress(info.title, number, len(FILMS))
    at_work: dict[subprocess.Popen[bytes], FilmInfo] = {}
    try:
        while (waiting or at_work) and not is_stopping():
            while waiting and len(at_work) < AT_ONCE:
                info = waiting.pop(0)
                at_work[_start(folder, info)] = info
            finished = _finished(at_work)
            if finished is None:
                time.sleep(POLL_S)
                continue
            standing.append(at_work.pop(finished))
            on_progress(standing[-1].title, len(standing), len(FILMS))
    finally:
        for process in at_work:
            process.kill()
            process.wait()
    return [_film(folder, info) for info in FILMS if info in standing]


def _start(folder: Path, info: FilmInfo) -> subprocess.Popen[bytes]:
    """A process of its own for one film: drawing keeps a core busy."""
    command = [sys.executable, "-m", "server.console.films", info.title, str(folder.resolve())]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=die_with_parent,  # noqa: PLW1509 -- we have no threads when children start
    )


def _finished(at_work: Iterable[subprocess.Popen[bytes]]) -> subprocess.Popen[bytes] | None:
    """One that has ended, if any. Raises FilmNotMade with its last words when it failed."""
    for process in at_work:
        if process.poll() is None:
            continue
        if process.returncode:
            complaint = process.stderr.read() if process.stderr else b""
            raise FilmNotMade(complaint.decode("utf-8", "replace").strip().rpartition("\n")[2])
        return process
    return None


def make(title: str, folder: Path) -> Film:
    """One film with `.srt` and `.vtt` beside it; a film already there is left alone.

    Raises FilmNotMade, and KeyError for an unknown title.
    """
    script = _SCRIPTS[title]
    info = next(info for info in FILMS if info.title == title)
    if not _is_made(folder, info):
        with tempfile.TemporaryDirectory(dir=folder, prefix=_WORK_PREFIX) as work:
            _render(script, Path(work), folder / info.file)
    return _film(folder, info)


def _render(script: Script, work: Path, target: Path) -> None:
    scenes = storyboard(script)
    lengths = [frame_count(shot) / FPS for shot in scenes]
    music = work / "music.wav"
    write_music(script, sum(lengths), music)
    film = write_film(frames(scenes), music, work)
    lines = cues(script, lengths)
    for suffix, text in ((".srt", srt(lines)), (".vtt", vtt(lines))):
        target.with_suffix(suffix).write_text(text, encoding="utf-8")
    os.replace(film, target)


def _is_made(folder: Path, info: FilmInfo) -> bool:
    """The film comes last, so it stands for all three files."""
    return (folder / info.file).is_file()


def _film(folder: Path, info: FilmInfo) -> Film:
    path = folder / info.file
    return Film(
        info.title,
        info.section_slug,
        info.department_slug,
        info.summary,
        path,
        path.with_suffix(".vtt"),
        info.rights_source,
        info.rights_licence,
    )
