"""Loudness by EBU R 128 / ITU-R BS.1770: measure first, then one gain for the whole programme. Pure.

Target −24 LUFS, which is what GY/T 282-2014 asks of digital television, ±2 LU (as quoted by Liu Li, 中国传媒科技 2018
no. 6; we have not had the standard's text and claim no conformance), with true peaks at or below −2 dBTP. The gain is
constant, so the dynamics stay as they were; only where it would lift peaks above the limit, a limiter (at four times
the sample rate) holds those peaks down.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

TARGET_LUFS = -24.0
TRUE_PEAK_DBTP = -2.0
CODING_MARGIN_DB = 1.0
"""AAC moves peaks a little: the limiter works this far below the limit."""
SILENCE_LUFS = -60.0
"""Below this there is nothing to hear, only noise that a gain would lift."""


@dataclass(frozen=True)
class Loudness:
    """What was measured: integrated loudness (LUFS), loudness range (LU), true peak (dBTP)."""

    integrated: float
    range_lu: float
    true_peak: float


def read_summary(log: str) -> Loudness | None:
    """The summary that ffmpeg's ebur128 filter prints; None when it measured silence."""
    summary = log[log.rfind("Summary:") :]
    integrated = re.search(r"\bI:\s+(-?[\d.]+|-inf) LUFS", summary)
    spread = re.search(r"\bLRA:\s+(-?[\d.]+) LU", summary)
    peak = re.search(r"\bPeak:\s+(-?[\d.]+|-inf) dBFS", summary)
    if not integrated or not peak or "inf" in integrated[1] + peak[1]:
        return None
    measured = Loudness(float(integrated[1]), float(spread[1]) if spread else 0.0, float(peak[1]))
    return measured if measured.integrated > SILENCE_LUFS else None


def gain_db(measured: Loudness) -> float:
    """The constant gain that brings a programme to the target."""
    return TARGET_LUFS - measured.integrated


def filters_for(measured: Loudness | None) -> list[tuple[str, dict[str, Any]]]:
    """The filters, in order, as (name, options). Silence is left alone."""
    if measured is None:
        return []
    gain = gain_db(measured)
    filters: list[tuple[str, dict[str, Any]]] = [("volume", {"volume": f"{gain:.2f}dB"})]
    ceiling = TRUE_PEAK_DBTP - CODING_MARGIN_DB
    if measured.true_peak + gain > ceiling:
        filters += [
            ("aresample", {"sample_rate": 192_000}),
            (
                "alimiter",
                {
                    "limit": round(10 ** (ceiling / 20), 4),
                    "level": 0,
                    "attack": 5,
                    "release": 50,
                    "latency": 1,
                },
            ),
            ("aresample", {"sample_rate": 48_000}),
        ]
    return filters
