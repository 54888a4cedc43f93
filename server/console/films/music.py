"""A quiet music bed of our own: plucked strings on a five-tone scale over a soft drone.

The pluck is the Karplus–Strong string (a burst of noise in a delay line that averages itself);
the tune is a walk on the pentatonic scale, the same every time for the same film.
"""

from __future__ import annotations

import math
import wave
from array import array
from operator import add
from pathlib import Path

from server.console.films.art import seeded
from server.console.films.scripts import Script

RATE = 24_000
PENTATONIC = (0, 2, 4, 7, 9)
# Set by listening to the encoded result: about -24 LUFS, peaks far from full scale.
TARGET_RMS = 0.079
PEAK = 0.5
FADE_IN_S, FADE_OUT_S = 0.6, 1.8


def write_music(script: Script, seconds: float, path: Path) -> None:
    """A mono WAV of `seconds` for a film."""
    tune = _tune(script, seconds)
    samples = array("h", (round(32767 * value) for value in _levelled(tune)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())


def _tune(script: Script, seconds: float) -> array[float]:
    total = round(seconds * RATE)
    bed = array("d", bytes(8 * total))
    dice = seeded(script.tempo_bpm * 1000 + len(script.title))
    beat_s = 60 / script.tempo_bpm
    step, at_s = 5, 0.15
    while at_s < seconds - 1.4:
        bar = round(at_s / beat_s) % 4
        _mix(bed, _pluck(_pitch(script, step), 1.7), at_s, 0.55 if bar == 0 else 0.42)
        if bar == 0:
            _mix(bed, _pluck(_pitch(script, step % 5 - 5), 2.6), at_s, 0.5)
            _mix(bed, _pluck(_pitch(script, step % 5 - 3), 2.2), at_s + beat_s * 0.5, 0.26)
        if bar == 2 and dice.random() < 0.6:
            _mix(bed, _pluck(_pitch(script, step + 2), 1.2), at_s + beat_s * 0.5, 0.22)
        step = max(2, min(11, step + dice.choice((-2, -1, -1, 1, 1, 2))))
        at_s += beat_s * (1, 1, 1, 2)[dice.randrange(4)] * 0.75
    _drone(bed, script.tonic_hz / 2)
    return bed


def _pitch(script: Script, step: int) -> float:
    octave, place = divmod(step, len(PENTATONIC))
    return script.tonic_hz * 2.0 ** (octave + PENTATONIC[place] / 12)


def _pluck(hertz: float, seconds: float) -> array[float]:
    """One plucked string, duller as it rings."""
    period = max(2, round(RATE / hertz))
    dice = seeded(period)
    line = [dice.uniform(-1, 1) for _ in range(period)]
    line = [(a + b + c) / 3 for a, b, c in zip(line, line[1:] + line[:1], line[2:] + line[:2], strict=True)]
    out = array("d")
    keep = 0.996
    for _ in range(round(seconds * RATE / period)):
        out.extend(line)
        following = [keep * 0.5 * (a + b) for a, b in zip(line, line[1:] + line[:1], strict=True)]
        line = following
    return out


def _mix(bed: array[float], note: array[float], at_s: float, gain: float) -> None:
    start = round(at_s * RATE)
    note = note[: max(0, len(bed) - start)]
    bed[start : start + len(note)] = array(
        "d", map(add, bed[start : start + len(note)], (gain * value for value in note))
    )


def _drone(bed: array[float], hertz: float) -> None:
    """A breathing fifth far below the tune: one second of it, repeated."""
    turn = [
        0.03 * math.sin(math.tau * round(hertz) * k / RATE)
        + 0.02 * math.sin(math.tau * round(hertz * 1.5) * k / RATE)
        for k in range(RATE)
    ]
    for start in range(0, len(bed), RATE):
        piece = turn[: len(bed) - start]
        bed[start : start + len(piece)] = array("d", map(add, bed[start : start + len(piece)], piece))


def _levelled(bed: array[float]) -> array[float]:
    """The tune at its level, faded at both ends, never above `PEAK`."""
    rms = math.sqrt(sum(value * value for value in bed) / len(bed))
    gain = min(TARGET_RMS / rms, PEAK / max(map(abs, bed)))
    out = array("d", (gain * value for value in bed))
    for k in range(round(FADE_IN_S * RATE)):
        out[k] *= k / (FADE_IN_S * RATE)
    for k in range(round(FADE_OUT_S * RATE)):
        out[-1 - k] *= k / (FADE_OUT_S * RATE)
    return out
