"""What the TV page is told: plain JSON made from the guide's answers. Times are ms since 1970, spans in ms."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from client_agent import VERSION
from client_agent.book import Book
from client_agent.clock import Clock
from client_agent.config import READY_HORIZON_MS
from client_agent.evening import Evening
from client_agent.guide import Guide, OnAir, Playable, Refusal
from client_agent.sessions import Subject
from client_agent.shelves import Json, Shelves, collapsed
from client_agent.store import Store
from protocol.batch import ClockState, Mode
from protocol.merge import ListedItem, Source
from protocol.times import day_of_ms

UPCOMING = 4
READINESS_FOR_MS = 60_000


class CannotPlay(RuntimeError):
    """This cannot be played now; ``reason`` is a Refusal."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Start:
    """A play that may begin: what counts, the stored file, and what the page is told."""

    subject: Subject
    sha256: str
    answer: Json


class TvData:
    """Answers for the page. Safe from any thread."""

    def __init__(
        self,
        guide: Guide,
        store: Store,
        clock: Clock,
        book: Book,
        evening: Evening,
        station: Callable[[], str],
    ) -> None:
        self._guide = guide
        self._clock = clock
        self._page_seen_ns = time.monotonic_ns()
        self._book = book
        self._evening = evening
        self._shelves = Shelves(guide, store, book)
        self._station = station
        self._rows: dict[date, tuple[str, list[Json]]] = {}
        self._ready: tuple[str, int, Json] | None = None

    # --- now ----------------------------------------------------------------------------------------------------------
    def alive(self) -> Json:
        """How long ago a page last asked how things are (at first: since the agent started), for who watches it."""
        return {"page_seen_ms_ago": (time.monotonic_ns() - self._page_seen_ns) // 1_000_000}

    def state(self) -> Json:
        """What is on, what comes next, and how this terminal is."""
        self._page_seen_ns = time.monotonic_ns()
        now_ms, clock = self._clock.for_programmes()
        known = clock is not ClockState.UNCERTAIN
        on_air = self._guide.on_air(now_ms)
        item = on_air.item
        if known:
            self._shelves.note_aired(now_ms)
        return {
            "version": VERSION,
            "documents": self._guide.version,
            "station": self._station(),
            "clock": clock,
            "now_ms": now_ms if known else None,
            "item": self._listed(item) if item is not None and known else None,
            "play": self._on_screen(on_air, now_ms) if known else None,
            "then": self._then(on_air) if known else None,
            "refusal": on_air.refusal,
            "upcoming": self._upcoming(now_ms) if known else [],
            "notices": [notice.text for notice in self._guide.notices(now_ms)] if known else [],
            "emergency": item.text
            if item is not None and known and item.source is Source.EMERGENCY
            else None,
            "tonight": self._readiness(now_ms) if known else None,
            "next_card_ms": self._guide.next_card_ms(),
            "logo": self._shelves.picture(self._guide.logo(on_air.channel)),
            "study": self.study(),
        }

    def _on_screen(self, on_air: OnAir, now_ms: int) -> Json | None:
        if on_air.play is None or on_air.item is None:
            return None
        return {
            "key": f"{on_air.item.id}@{on_air.ends_ms}",
            "item": on_air.item.id,
            "starts_ms": now_ms - on_air.offset_ms,
            "offset_ms": on_air.offset_ms,
            "ends_ms": on_air.ends_ms,
            "source": on_air.item.source if on_air.refusal is None else Source.FILLER,
            **self._medium(on_air.play),
        }

    def _medium(self, play: Playable) -> Json:
        return (
            medium(play)
            | {"section_names": self._shelves.section_names(play.manifest.section)}
            | {"pages": self._shelves.pages(play.release, play.manifest)}
        )

    def _then(self, on_air: OnAir) -> Json | None:
        """What follows on the screen, so that the page can load it ahead."""
        following = self._guide.on_air(on_air.ends_ms, on_air.channel)
        return self._on_screen(following, on_air.ends_ms)

    def _upcoming(self, now_ms: int) -> list[Json]:
        """The next placed programmes, tonight's or tomorrow's."""
        today = day_of_ms(now_ms)
        found: list[Json] = []
        for day in (today, today + timedelta(days=1)):
            found += [r for r in self.rows(day) if r["kind"] == "programme" and r["starts_ms"] > now_ms]
            if len(found) >= UPCOMING:
                break
        return found[:UPCOMING]

    def _readiness(self, now_ms: int) -> Json:
        """Of the different programmes of the next 24 h, how many are stored and verified; the first ones missing."""
        version = self._guide.version
        if self._ready and self._ready[0] == version and 0 <= now_ms - self._ready[1] < READINESS_FOR_MS:
            return self._ready[2]
        items = {item.release: item for item in self._guide.readiness(now_ms, READY_HORIZON_MS)}
        missing = [item.title for item in items.values() if not item.ready]
        answer = {"wanted": len(items), "ready": len(items) - len(missing), "missing": missing[:5]}
        self._ready = (version, now_ms, answer)
        return answer

    # --- the listing --------------------------------------------------------------------------------------------------
    def listing(self, step: int) -> Json:
        """The listing of a day, counted from today; runs of fillers are one line each."""
        now_ms, clock = self._clock.for_programmes()
        if clock is ClockState.UNCERTAIN:
            return {"day": None, "now_ms": None, "rows": []}
        day = day_of_ms(now_ms) + timedelta(days=step)
        rows = [{**row, "stored": self._stored(row.get("release"))} for row in self.rows(day)]
        return {"day": day.isoformat(), "now_ms": now_ms, "rows": rows}

    def rows(self, day: date) -> list[Json]:
        """A day's lines, remembered until the documents change."""
        version = self._guide.version
        known = self._rows.get(day)
        if known is None or known[0] != version:
            lines = list(collapsed(self._guide.listing(day)))
            known = (
                version,
                [self._listed(line) if isinstance(line, ListedItem) else line for line in lines],
            )
            while len(self._rows) >= 3:
                self._rows.pop(next(iter(self._rows)))
            self._rows[day] = known
        return known[1]

    def _listed(self, item: ListedItem) -> Json:
        manifest = self._guide.manifest(item.release) if item.release else None
        starts = item.starts_ms
        return {
            "kind": "programme",
            "id": item.id,
            "starts_ms": starts,
            "ends_ms": starts + item.duration_ms,
            "source": item.source,
            "required": item.required,
            "release": item.release,
            "title": manifest.title if manifest else "",
            "section": manifest.section if manifest else None,
            "section_names": self._shelves.section_names(manifest.section) if manifest else None,
            "poster": self._shelves.poster(item.release, manifest) if item.release and manifest else None,
            "level": item.why.level if item.why else None,
            "text": item.text,
        }

    def _stored(self, release: str | None) -> bool:
        return release is not None and self._guide.playable(release) is not None

    # --- the library --------------------------------------------------------------------------------------------------
    def library(self) -> Json:
        """Topics, what was begun, and what may be chosen at any time, shelf by shelf."""
        return self._shelves.library(self._clock.for_programmes()[0])

    def replay(self) -> Json:
        """What was on air in the past seven days and is stored; nothing while the clock is a guess."""
        now_ms, clock = self._clock.for_programmes()
        return {"now_ms": None, "rows": []} if clock is ClockState.UNCERTAIN else self._shelves.replay(now_ms)

    def study(self) -> Json | None:
        """The evening's session, or the study day to offer; None while the clock is a guess and no session runs."""
        now_ms, clock = self._clock.for_programmes()
        told = self._evening.told(now_ms, lambda release: self._shelves.card_of(release, now_ms))
        return told if told["session"] or clock is not ClockState.UNCERTAIN else None

    def numbered(self, number: int) -> Json | None:
        """The programme with this number, or None."""
        return self._shelves.numbered(number, self._clock.for_programmes()[0])

    def programme(self, release: str) -> Json | None:
        """One programme in full, or None where no current document names it."""
        manifest = self._guide.manifest(release)
        if manifest is None:
            return None
        now_ms, _ = self._clock.for_programmes()
        return {
            **self._shelves.card(release, manifest, self._guide.playable(release) is not None),
            "summary": manifest.summary,
            "source": manifest.rights.source,
            "licence": manifest.rights.licence,
            "refusal": self._guide.play_allowed(release, now_ms),
        }

    # --- starting to play -----------------------------------------------------------------------------------------------
    def start(self, mode: Mode, release: str) -> Start:
        """What begins when the page plays a release, in the channel's line or chosen. Raises CannotPlay."""
        now_ms, clock = self._clock.for_programmes()
        refusal = self._guide.play_allowed(release, now_ms)
        if refusal is not None:
            raise CannotPlay(refusal)
        on_air = self._on_air_with(release, now_ms, clock) if mode is Mode.LINEAR else None
        play = on_air.play if on_air else self._guide.playable(release)
        if play is None:
            raise CannotPlay(Refusal.NOT_STORED)
        manifest = play.manifest
        named = on_air is not None and on_air.item is not None and on_air.item.release == release
        subject = Subject(
            mode=mode,
            programme=manifest.programme,
            edition=manifest.edition,
            release=release,
            title=manifest.title,
            section=manifest.section,
            duration_ms=manifest.duration_ms,
            channel=on_air.channel if on_air else None,
            item=on_air.item.id if on_air and on_air.item and named else None,
            profile=play.rendition.profile,
            filler=on_air is not None and is_filler(on_air),
        )
        resume_ms = self._book.positions().get(release, 0) if mode is Mode.LIBRARY else 0
        answer = self._medium(play) | self._shelves.card(release, manifest, True) | {"from_ms": resume_ms}
        return Start(subject, play.rendition.sha256, answer)

    def _on_air_with(self, release: str, now_ms: int, clock: ClockState) -> OnAir:
        """The line at this moment, or at the next change when the page is a moment ahead. Raises CannotPlay."""
        if clock is ClockState.UNCERTAIN:
            raise CannotPlay(Refusal.CLOCK)
        on_air = self._guide.on_air(now_ms)
        if release_of(on_air) != release:
            on_air = self._guide.on_air(on_air.ends_ms, on_air.channel)
        if release_of(on_air) != release:
            raise CannotPlay(Refusal.NO_SCHEDULE)
        return on_air


def is_filler(on_air: OnAir) -> bool:
    """Whether what plays only fills the time, by the listing or in place of what cannot play."""
    return on_air.item is None or on_air.refusal is not None or on_air.item.source is Source.FILLER


def release_of(on_air: OnAir) -> str | None:
    """The release on the screen: the item's, or the filler's in its stead."""
    return on_air.play.release if on_air.play else None


def medium(play: Playable) -> Json:
    """Where a player finds a medium and its companions."""
    return {
        "release": play.release,
        "title": play.manifest.title,
        "section": play.manifest.section,
        "media_ms": play.manifest.duration_ms,
        "url": f"/media/{play.release}/{play.rendition.profile}.mp4",
        "poster": f"/files/{play.release}/poster" if play.poster else None,
        "subtitles": f"/files/{play.release}/subtitles" if play.subtitles else None,
        "captions": [
            {"language": file.language or "zh", "url": f"/files/{play.release}/subtitles/{file.order}"}
            for file in play.subtitles
        ],
    }
