"""What may be chosen, as the page is told: shelves, topics, what was begun, the past week, numbers. Plain JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from client_agent.book import Book
from client_agent.guide import Guide
from client_agent.planner import pages_of
from client_agent.store import Store
from protocol.documents import FileKind, Picture, ReleaseManifest, SectionName
from protocol.merge import ListedItem, Listing, Source
from protocol.times import day_of_ms

REPLAY_DAYS = 7
DAY_MS = 86_400_000
SECTIONS = {
    "dangjian": ("党建时政", "Party building"),
    "zhengce": ("政策法规", "Policies"),
    "dangshi": ("党史党性", "Party history"),
    "xianfeng": ("先锋风采", "Pioneers"),
    "zhifu": ("致富信息", "Ways to earn"),
    "nongji": ("农业科技", "Farming"),
    "shichang": ("市场行情", "Market prices"),
    "wenyu": ("文化娱乐", "Culture"),
    "kepu": ("科普健康", "Health and science"),
    "fazhi": ("法治课堂", "Law class"),
    "qingnian": ("青年创业", "Young founders"),
    "xiangtu": ("燕赵乡土", "Home soil"),
}
"""Names of the shelves every installation starts with, for a frame that names none; another slug shows as it is."""
BETWEEN = frozenset({Source.FILLER, Source.FILL, Source.SLATE})
"""Sources that stand between programmes; a listing shows a run of them as one line."""
NOTE_EVERY_MS = 60_000
Json = dict[str, Any]


class Shelves:
    """Answers for the page about the library. Safe from any thread."""

    def __init__(self, guide: Guide, store: Store, book: Book) -> None:
        self._guide = guide
        self._store = store
        self._book = book
        self._named: tuple[str, dict[str, Json]] = ("", {})
        self._noted_ms = 0

    # --- names --------------------------------------------------------------------------------------------------------
    def _sections(self) -> dict[str, Json]:
        """Slug → names, in the order shelves are shown; remembered until the documents change."""
        version = self._guide.version
        if self._named[0] != version:
            named = self._guide.sections() or [
                SectionName(slug=slug, name=zh, name_en=en) for slug, (zh, en) in SECTIONS.items()
            ]
            self._named = (version, {s.slug: {"zh": s.name, "en": s.name_en or s.name} for s in named})
        return self._named[1]

    def section_names(self, slug: str) -> Json:
        """A shelf's name in both languages; a shelf nobody named shows its slug."""
        return self._sections().get(slug, {"zh": slug, "en": slug})

    # --- one programme ------------------------------------------------------------------------------------------------
    def card(self, release: str, manifest: ReleaseManifest, stored: bool) -> Json:
        """What a programme is, on a shelf."""
        return {
            "release": release,
            "title": manifest.title,
            "number": manifest.number,
            "initials": manifest.initials,
            "section": manifest.section,
            "section_names": self.section_names(manifest.section),
            "duration_ms": manifest.duration_ms,
            "stored": stored,
            "poster": self.poster(release, manifest),
        }

    def picture(self, picture: Picture | None) -> str | None:
        """Where the page finds a logo or a topic's poster, once it is stored."""
        stored = self._guide.stored_picture(picture)
        return f"/pictures/{stored.sha256}" if stored else None

    def poster(self, release: str, manifest: ReleaseManifest) -> str | None:
        complete = self._store.is_complete
        has = any(f.kind is FileKind.POSTER and complete(f.sha256) for f in manifest.files)
        return f"/files/{release}/poster" if has else None

    def pages(self, release: str, manifest: ReleaseManifest) -> list[Json]:
        """The pages of a courseware in their order; of one that is not stored only that there is one."""
        return [
            {
                "title": page.title,
                "at_ms": page.at_ms,
                "url": f"/files/{release}/page/{page.order}"
                if self._store.is_complete(page.sha256)
                else None,
            }
            for page in pages_of(manifest)
        ]

    def card_of(self, release: str, now_ms: int) -> Json | None:
        """The card of a release that may be played now, or None."""
        manifest = self._guide.manifest(release)
        if manifest is None or self._guide.play_allowed(release, now_ms) is not None:
            return None
        return self.card(release, manifest, self._guide.playable(release) is not None)

    # --- the library --------------------------------------------------------------------------------------------------
    def library(self, now_ms: int) -> Json:
        """Topics that run, what was begun, and shelf by shelf what may be chosen; empty shelves are left out."""
        begun = self._book.positions()
        shelves: dict[str, list[Json]] = {}
        for entry in self._guide.library():
            card = self.card(entry.release, entry.manifest, entry.stored) | {
                "resume_ms": begun.get(entry.release, 0)
            }
            for slug in dict.fromkeys((entry.manifest.section, *entry.manifest.sections)):
                shelves.setdefault(slug, []).append(card)
        known = self._sections()
        order = [slug for slug in known if slug in shelves] + [slug for slug in shelves if slug not in known]
        return {
            "topics": list(self._topics(now_ms)),
            "begun": list(self._begun(begun, now_ms)),
            "sections": [
                {"slug": slug, "names": self.section_names(slug), "programmes": shelves[slug]}
                for slug in order
            ],
        }

    def _begun(self, positions: dict[str, int], now_ms: int) -> Iterator[Json]:
        for release, position_ms in positions.items():
            card = self.card_of(release, now_ms)
            if card is not None and card["stored"]:
                yield card | {"resume_ms": position_ms}

    def _topics(self, now_ms: int) -> Iterator[Json]:
        for topic in self._guide.topics(now_ms):
            cards = [card for ref in topic.programmes if (card := self.card_of(ref.release, now_ms))]
            if cards:
                yield {
                    "id": topic.id,
                    "title": topic.title,
                    "summary": topic.summary,
                    "required": topic.required,
                    "poster": self.picture(topic.poster),
                    "programmes": cards,
                }

    def numbered(self, number: int, now_ms: int) -> Json | None:
        """The programme with this number among everything the documents name, or None."""
        release = self._guide.numbered(number)
        return self.card_of(release, now_ms) if release else None

    # --- the past week ------------------------------------------------------------------------------------------------
    def note_aired(self, now_ms: int) -> None:
        """Write down what began on air since the last look: frames say nothing of days gone by."""
        if 0 <= now_ms - self._noted_ms < NOTE_EVERY_MS:
            return
        self._noted_ms = now_ms
        since = max(self._book.aired_until(), now_ms - REPLAY_DAYS * DAY_MS)
        day, aired = day_of_ms(since), list[tuple[str, int]]()
        while day <= day_of_ms(now_ms):
            placed = (i for i in self._guide.listing(day).items if i.source not in BETWEEN)
            aired += [(i.release, i.starts_ms) for i in placed if i.release and since < i.starts_ms <= now_ms]
            day += timedelta(days=1)
        if aired:
            self._book.note_aired(aired, forget_before_ms=now_ms - REPLAY_DAYS * DAY_MS)

    def replay(self, now_ms: int) -> Json:
        """回看: what was on air in the past seven days and is stored, the latest first, each programme once."""
        rows: list[Json] = []
        for release, starts_ms in self._book.aired(now_ms - REPLAY_DAYS * DAY_MS):
            card = self.card_of(release, now_ms)
            if card is not None and card["stored"] and starts_ms + card["duration_ms"] <= now_ms:
                rows.append(card | {"starts_ms": starts_ms})
        return {"now_ms": now_ms, "rows": rows}


def collapsed(listing: Listing) -> Iterable[ListedItem | Json]:
    """A listing in which each run of what stands between programmes is one line with its span."""
    run: list[ListedItem] = []
    for item in listing.items:
        if item.source in BETWEEN:
            run.append(item)
            continue
        yield from _line(run)
        run = []
        yield item
    yield from _line(run)


def _line(run: list[ListedItem]) -> Iterable[Json]:
    if run:
        slate = all(item.source is Source.SLATE for item in run)
        yield {
            "kind": "slate" if slate else "between",
            "starts_ms": run[0].starts_ms,
            "ends_ms": run[-1].ends_ms,
            "count": len({item.release for item in run if item.release}),
        }
