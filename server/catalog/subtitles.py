"""Subtitles: SRT, ASS/SSA or WebVTT as people send them, to the WebVTT that stations show. Pure.

Text only: styles, positions and drawings are left out. Whatever the encoding says it is, Chinese Windows writes GB 18030.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from server.catalog.description import plain_line
from server.errors import Invalid
from server.i18n import N_

MAX_BYTES = 4 * 1024 * 1024
MAX_CUES = 20_000
MAX_CUE = 600
SHORTEST_MS = 40
"""A cue shorter than a frame is not worth showing."""
FORMATS = {".srt": "srt", ".ass": "ass", ".ssa": "ass", ".vtt": "vtt"}
LANGUAGES = re.compile(r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}$")


@dataclass(frozen=True)
class Cue:
    """One subtitle from ``begin_ms`` to ``end_ms``; ``text`` may have several lines."""

    begin_ms: int
    end_ms: int
    text: str


def decode_text(data: bytes, name: str) -> str:
    """Text in UTF-8, UTF-16 with its mark, or GB 18030; failing these, what it most probably is. Raises Invalid."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return _strictly(data, encoding, name)
    for encoding in ("utf-8", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    from charset_normalizer import from_bytes

    best = from_bytes(data[:200_000]).best()
    if best is None:
        raise Invalid(N_("看不懂“%(file)s”的文字编码，请另存为 UTF-8"), code="encoding", file=name)
    return _strictly(data, best.encoding, name)


def _strictly(data: bytes, encoding: str, name: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise Invalid(N_("看不懂“%(file)s”的文字编码，请另存为 UTF-8"), code="encoding", file=name) from error


def parse(data: bytes, name: str) -> list[Cue]:
    """The cues of a subtitle file, in order. Raises Invalid naming the file and the reason."""
    if len(data) > MAX_BYTES:
        raise Invalid(
            N_("字幕文件“%(file)s”超过 %(most)d MB"), code="subtitles", file=name, most=MAX_BYTES >> 20
        )
    if b"\0" in data[:4096] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Invalid(N_("“%(file)s”不是 SRT、ASS 或 VTT 字幕"), code="subtitles", file=name)
    text = decode_text(data, name).replace("\r\n", "\n").replace("\r", "\n")
    cues = _read(text, name)
    if not cues:
        raise Invalid(N_("字幕文件“%(file)s”里没有一条字幕"), code="subtitles", file=name)
    if len(cues) > MAX_CUES:
        raise Invalid(N_("字幕文件“%(file)s”超过 %(most)d 条"), code="subtitles", file=name, most=MAX_CUES)
    return sorted(cues, key=lambda cue: (cue.begin_ms, cue.end_ms))


def _read(text: str, name: str) -> list[Cue]:
    import pysubs2

    suffix = "." + name.rpartition(".")[2].lower()
    if suffix not in FORMATS:
        raise Invalid(N_("“%(file)s”不是 SRT、ASS 或 VTT 字幕"), code="subtitles", file=name)
    try:
        events = pysubs2.SSAFile.from_string(text, format_=_format(text, FORMATS[suffix])).events
        return [cue for event in events if not event.is_comment and (cue := _cue(event))]
    except (pysubs2.exceptions.Pysubs2Error, ValueError, KeyError, IndexError, OverflowError) as error:
        raise Invalid(N_("字幕文件“%(file)s”读不出来：格式不对"), code="subtitles", file=name) from error


def _format(text: str, by_name: str) -> str:
    """What it really is: a file is often called .srt and is something else."""
    head = text.lstrip("\ufeff \n")[:2_000]
    if head.startswith("WEBVTT"):
        return "vtt"
    return "ass" if "[Script Info]" in head or "[Events]" in head else by_name if by_name != "ass" else "srt"


def _cue(event: object) -> Cue | None:
    begin, end = int(event.start), int(event.end)  # type: ignore[attr-defined]
    if getattr(event, "is_drawing", False) or begin < 0 or end - begin < SHORTEST_MS:
        return None
    lines = [plain_line(line) for line in str(event.plaintext).split("\n")]  # type: ignore[attr-defined]
    text = "\n".join(line for line in lines if line)[:MAX_CUE]
    return Cue(begin, end, text) if text else None


def to_vtt(cues: Sequence[Cue]) -> bytes:
    """WebVTT with nothing but times and text."""
    blocks = [f"{_stamp(cue.begin_ms)} --> {_stamp(cue.end_ms)}\n{_escaped(cue.text)}" for cue in cues]
    return ("WEBVTT\n\n" + "\n\n".join(blocks) + "\n").encode()


def _stamp(ms: int) -> str:
    seconds, milli = divmod(ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{milli:03}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def retimed(cues: Sequence[Cue], kept: Sequence[tuple[int, int]], *, lead_ms: int = 0) -> list[Cue]:
    """The cues of a source on the time line of a cut: ``kept`` are the spans [from, to) that remain, in order, after
    an intro of ``lead_ms``. A cue over a cut is shortened, or shown in two parts."""
    found = []
    at = lead_ms
    for begin, end in kept:
        for cue in cues:
            first, last = max(cue.begin_ms, begin), min(cue.end_ms, end)
            if last - first >= SHORTEST_MS:
                found.append(Cue(at + first - begin, at + last - begin, cue.text))
        at += end - begin
    return sorted(found, key=lambda cue: (cue.begin_ms, cue.end_ms))


def clean_language(text: str) -> str:
    """A language tag such as ``zh`` or ``zh-Hant``. Raises Invalid."""
    tag = text.strip()
    if not LANGUAGES.match(tag):
        raise Invalid(N_("语言代码“%(tag)s”不对，例：zh、en"), code="language", tag=tag[:20])
    return tag
