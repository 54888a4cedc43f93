"""The films' subtitles beside the picture: the same sentences as SubRip and WebVTT."""

from __future__ import annotations

from dataclasses import dataclass

from server.console.films.scripts import Script

LEAD_S = 0.15
TAIL_S = 0.1


@dataclass(frozen=True)
class Cue:
    start_s: float
    end_s: float
    text: str


def cues(script: Script, seconds: list[float]) -> list[Cue]:
    """One cue for each shot; `seconds` are the shots' lengths in order."""
    texts = [script.opening, *(page.subtitle for page in script.pages), script.goodbye]
    out, at_s = [], 0.0
    for text, length in zip(texts, seconds, strict=True):
        out.append(Cue(at_s + LEAD_S, at_s + length - TAIL_S, text))
        at_s += length
    return out


def srt(lines: list[Cue]) -> str:
    """SubRip: numbered, comma before the milliseconds."""
    return "\n".join(
        f"{number}\n{_clock(cue.start_s, ',')} --> {_clock(cue.end_s, ',')}\n{cue.text}\n"
        for number, cue in enumerate(lines, 1)
    )


def vtt(lines: list[Cue]) -> str:
    """WebVTT, as browsers read it."""
    return "WEBVTT\n\n" + "\n".join(
        f"{_clock(cue.start_s, '.')} --> {_clock(cue.end_s, '.')}\n{cue.text}\n" for cue in lines
    )


def _clock(at_s: float, point: str) -> str:
    milliseconds = round(at_s * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}{point}{rest % 1000:03d}"
