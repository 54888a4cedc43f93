"""A day as people read it: programmes and windows in order, runs of fillers folded into one line. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from protocol.documents import Why, Window
from protocol.merge import ListedItem, Listing, Source
from protocol.times import SHANGHAI, from_ms, text_to_ms

_FOLDED = (Source.FILL, Source.FILLER, Source.SLATE)


class Kind(StrEnum):
    PROGRAMME = "programme"
    GAP = "gap"
    """Fillers or slate, folded."""
    WINDOW = "window"
    """A heading: from here to ``ends_at`` a lower level may speak."""


@dataclass(frozen=True)
class Entry:
    """One line of a day. Times are aware, in Asia/Shanghai."""

    kind: Kind
    starts_at: datetime
    ends_at: datetime
    source: str
    title: str = ""
    edition: str | None = None
    slot: str | None = None
    level: str | None = None
    in_window: bool = False
    required: bool = False
    why: Why | None = None

    @property
    def minutes(self) -> int:
        return round((self.ends_at - self.starts_at).total_seconds() / 60)

    @property
    def seconds(self) -> int:
        return round((self.ends_at - self.starts_at).total_seconds())


def agenda(listing: Listing, titles: Mapping[str, str], windows: Sequence[Window]) -> list[Entry]:
    """The entries of one day. A gap never crosses a window's edge, so an unfilled window shows as such."""
    spans = [(text_to_ms(w.starts_at), text_to_ms(w.ends_at), w) for w in windows]
    entries = [_heading(w) for w in windows]
    run: list[ListedItem] = []
    run_window: str | None = None
    for item in listing.items:
        window = _window_at(item.starts_ms, spans)
        if item.source in _FOLDED:
            if run and window != run_window:
                entries.append(_gap(run, run_window is not None))
                run = []
            run.append(item)
            run_window = window
            continue
        if run:
            entries.append(_gap(run, run_window is not None))
            run = []
        entries.append(_programme(item, titles, window is not None))
    if run:
        entries.append(_gap(run, run_window is not None))
    return sorted(entries, key=lambda e: (e.starts_at, e.kind is not Kind.WINDOW))


def _window_at(moment_ms: int, spans: Sequence[tuple[int, int, Window]]) -> str | None:
    return next((w.id for start, end, w in spans if start <= moment_ms < end), None)


def _heading(window: Window) -> Entry:
    return Entry(
        kind=Kind.WINDOW,
        starts_at=_wall(text_to_ms(window.starts_at)),
        ends_at=_wall(text_to_ms(window.ends_at)),
        source="window",
        level=window.level,
        in_window=True,
    )


def _gap(run: Sequence[ListedItem], in_window: bool) -> Entry:
    return Entry(
        kind=Kind.GAP,
        starts_at=_wall(run[0].starts_ms),
        ends_at=_wall(run[-1].ends_ms),
        source=Source.SLATE if all(i.source is Source.SLATE for i in run) else Source.FILLER,
        in_window=in_window,
    )


def _programme(item: ListedItem, titles: Mapping[str, str], in_window: bool) -> Entry:
    rule = item.why.rule if item.why else ""
    return Entry(
        kind=Kind.PROGRAMME,
        starts_at=_wall(item.starts_ms),
        ends_at=_wall(item.ends_ms),
        source=item.source.value,
        title=item.text or titles.get(item.edition or "", ""),
        edition=item.edition,
        slot=rule.removeprefix("slot:") if rule.startswith("slot:") else None,
        level=item.why.level if item.why else None,
        in_window=in_window,
        required=item.required,
        why=item.why,
    )


def _wall(ms: int) -> datetime:
    return from_ms(ms).astimezone(SHANGHAI)
