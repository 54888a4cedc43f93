"""From the time of a source to the time of its cut, on the 25 fps grid that pictures are cut on. Pure.

Subtitles, chapters, pages and comments are written in the source's time; what is shown follows the cut::

    cut = CutTime(recipe.kept(duration_ms), intro_ms)
    cut.at(91_000)              # None: this instant was cut away
    cut.spans(88_000, 97_000)   # where the stretch is shown: nowhere, in one piece or in several
    cut.source(12_040)          # the instant of the source that is shown there; None in an intro or outro
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FRAME_MS = 40


def on_grid(instant_ms: int) -> int:
    """The time of the frame nearest to an instant; halves go up."""
    return (instant_ms * 2 + FRAME_MS) // (2 * FRAME_MS) * FRAME_MS


@dataclass(frozen=True)
class CutTime:
    """``kept`` are the stretches [from, to) of the source that remain, in order; ``intro_ms`` is shown before them."""

    kept: Sequence[tuple[int, int]]
    intro_ms: int = 0

    @property
    def duration_ms(self) -> int:
        """Of intro and kept stretches, without an outro."""
        return on_grid(self.intro_ms) + sum(end - begin for begin, end in self._grid)

    def at(self, instant_ms: int) -> int | None:
        """When an instant of the source is shown; None when it was cut away."""
        shown_ms = on_grid(self.intro_ms)
        for begin, end in self._grid:
            if begin <= instant_ms < end:
                return shown_ms + instant_ms - begin
            shown_ms += end - begin
        return None

    def spans(self, from_ms: int, to_ms: int) -> list[tuple[int, int]]:
        """When a stretch of the source is shown. What lies on both sides of a removed stretch is one piece again."""
        shown_ms, found = on_grid(self.intro_ms), list[tuple[int, int]]()
        for begin, end in self._grid:
            first, last = max(from_ms, begin), min(to_ms, end)
            if last > first:
                piece = (shown_ms + first - begin, shown_ms + last - begin)
                if found and found[-1][1] == piece[0]:
                    piece = (found.pop()[0], piece[1])
                found.append(piece)
            shown_ms += end - begin
        return found

    def source(self, shown_at_ms: int) -> int | None:
        """Which instant of the source is shown then; None in an intro, an outro or after the end."""
        left = shown_at_ms - on_grid(self.intro_ms)
        for begin, end in self._grid if left >= 0 else ():
            if left < end - begin:
                return begin + left
            left -= end - begin
        return None

    @property
    def _grid(self) -> list[tuple[int, int]]:
        edges = [(on_grid(begin), on_grid(end)) for begin, end in self.kept]
        return [(begin, end) for begin, end in edges if end > begin]
