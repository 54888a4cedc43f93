"""Harvesting partner feeds: read a feed, note what is new, download it, hand it in for review.

No transaction is open while something is fetched. A feed is claimed by a conditional update, so that of several
workers one harvests it; what a worker leaves half-done when it dies (a claim, half a file) is taken up by the next.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from server import clock
from server.catalog import feeds, service
from server.catalog.description import clean_tags
from server.catalog.feeds_fetch import FEED_LIMITS, MIB, Fetcher, FetchFailed, Limits
from server.catalog.feeds_media import Download, adopt, download
from server.catalog.feeds_models import FeedItem, FeedKind, FeedSource, ItemState
from server.catalog.feeds_parse import Entry, FeedUnreadable, read_feed, read_granularity, read_oai
from server.catalog.models import Edition, EditionState
from server.catalog.programmes import Changes, NewProgramme, Rights, create_programme
from server.config import Config
from server.db import Database
from server.errors import Conflict, Invalid, YuanboError
from server.i18n import N_
from server.identity.models import Account
from server.identity.service import caller_of

log = logging.getLogger(__name__)

CLAIM = timedelta(minutes=30)
"""How long a feed stays claimed without a sign of life."""
MAX_PAGES = 200
MAX_RECORDS = 10_000
"""Pages and records of one OAI-PMH harvest; a repository that has more is asked on from there the next time."""
MAX_ITEMS = 50_000
"""Items that are kept of one feed."""
MEDIA_LIMITS = Limits(bytes=8 * 1024 * MIB, seconds=15 * 60)
MEDIA_A_RUN = 20
MAX_TRIES = 8
PAUSE_S = 20.0


@dataclass(frozen=True)
class Harvested:
    """What one pass over a feed brought."""

    source: str
    found: int = 0
    taken: int = 0
    known: int = 0
    refused: int = 0
    waiting: int = 0
    error: str | None = None


@dataclass
class _Reading:
    """What a feed said, and from where to ask the next time."""

    entries: list[Entry]
    since: str | None = None
    etag: str | None = None
    modified: str | None = None


class Harvester:
    """Harvests the feeds of one installation. ``now`` is asked often: a download takes minutes."""

    def __init__(
        self,
        config: Config,
        database: Database,
        fetcher: Fetcher | None = None,
        *,
        now: Callable[[], datetime] = clock.now,
        feed_limits: Limits = FEED_LIMITS,
        media_limits: Limits = MEDIA_LIMITS,
    ) -> None:
        self._config, self._database, self._now = config, database, now
        self._fetcher = fetcher or Fetcher()
        self._feed_limits, self._media_limits = feed_limits, media_limits
        self._folder = config.run / "feeds"

    # --- which ---
    def run_due(self, stop: threading.Event | None = None) -> list[Harvested]:
        """Harvest every feed whose time has come."""
        done = []
        for source_id in self._due():
            if stop is not None and stop.is_set():
                break
            if self._claim(source_id):
                try:
                    done.append(self._harvest(source_id, stop))
                except (
                    Exception
                ):  # one feed, whatever it brought, does not keep the others from being harvested
                    log.exception("feed %s", source_id)
                    self._record_reading(source_id, Invalid(N_("采集时出错，已记录"), code="internal"))
        return done

    def run_now(self, source_id: str) -> Harvested:
        """Harvest one feed whatever its time. Raises Conflict when somebody is at it."""
        if not self._claim(source_id):
            raise Conflict(N_("另一个进程正在采集这个来源"))
        return self._harvest(source_id, None)

    def _due(self) -> Sequence[str]:
        now = self._now()
        waits = select(FeedItem.source_id).where(
            FeedItem.state == ItemState.FOUND, FeedItem.next_try_at <= now
        )
        with self._database.read() as session:
            return session.scalars(
                select(FeedSource.id)
                .where(FeedSource.is_active, or_(FeedSource.next_at <= now, FeedSource.id.in_(waits)))
                .order_by(FeedSource.next_at)
            ).all()

    def _claim(self, source_id: str) -> bool:
        now = self._now()
        with self._database.write() as session:
            is_free = or_(FeedSource.busy_until.is_(None), FeedSource.busy_until <= now)
            done = session.execute(
                update(FeedSource).where(FeedSource.id == source_id, is_free).values(busy_until=now + CLAIM)
            )
            return bool(done.rowcount == 1)  # type: ignore[attr-defined]

    # --- one feed ---
    def _harvest(self, source_id: str, stop: threading.Event | None) -> Harvested:
        found, error = 0, None
        with self._database.read() as session:
            source = session.get_one(FeedSource, source_id)
        try:
            if source.next_at <= self._now():
                found = self._read(source)
        except YuanboError as reason:
            error = reason
            log.warning("feed %s: %s", source.url, reason)
        self._record_reading(source_id, error)
        counts = self._take_items(source, stop)
        with self._database.write() as session:
            session.execute(update(FeedSource).where(FeedSource.id == source_id).values(busy_until=None))
        return Harvested(source_id, found=found, error=error.text() if error else None, **counts)

    def _record_reading(self, source_id: str, error: YuanboError | None) -> None:
        now = self._now()
        with self._database.write() as session:
            source = session.get_one(FeedSource, source_id)
            source.last_at, source.next_at = now, max(source.next_at, feeds.next_time(source, now))
            source.error_code = error.code[:40] if error else None
            source.error_text = error.text()[:1_000] if error else None
            if error is None:
                source.last_ok_at = now

    def _read(self, source: FeedSource) -> int:
        """Note what is new; how much that is. Raises FetchRefused, FetchFailed, FeedUnreadable."""
        reading = self._read_oai(source) if source.kind == FeedKind.OAI else self._read_rss(source)
        with self._database.write() as session:
            row = session.get_one(FeedSource, source.id)
            row.etag, row.modified = reading.etag, reading.modified
            row.since = reading.since or row.since
            return _note(session, row, reading.entries, self._now())

    def _read_rss(self, source: FeedSource) -> _Reading:
        asks = {"If-None-Match": source.etag, "If-Modified-Since": source.modified}
        headers = {name: value for name, value in asks.items() if value}
        answer, content = self._fetcher.get_whole(source.url, self._feed_limits, headers)
        if answer.status == 304:
            return _Reading([], etag=source.etag, modified=source.modified)
        return _Reading(
            read_feed(content, answer.url),
            etag=(answer.headers.get("etag") or "")[:300] or None,
            modified=(answer.headers.get("last-modified") or "")[:100] or None,
        )

    def _read_oai(self, source: FeedSource) -> _Reading:
        """Everything since the last complete harvest. Raises FeedUnreadable when the pages never end."""
        arguments = {"verb": "ListRecords", "metadataPrefix": source.oai_prefix}
        if source.oai_set:
            arguments["set"] = source.oai_set
        if source.since:
            arguments["from"] = source.since
        began: str | None = None
        entries: dict[str, Entry] = {}
        tokens: set[str] = set()
        for _page in range(MAX_PAGES):
            page = read_oai(self._ask(source, arguments))
            began = began or page.response_date
            fresh = {entry.key: entry for entry in page.entries}
            if page.token and (page.token in tokens or fresh.keys() <= entries.keys()):
                raise _endless()
            entries |= fresh
            if page.token is None:
                return _Reading(list(entries.values()), since=self._asked_from(source, began))
            if len(entries) > MAX_RECORDS:
                break
            tokens.add(page.token)
            arguments = {"verb": "ListRecords", "resumptionToken": page.token}
        raise _endless()

    def _asked_from(self, source: FeedSource, began: str | None) -> str | None:
        """Where the next harvest begins: when this one did, by the partner's clock and to his grain of time."""
        if began is None:
            return None
        to_the_second = read_granularity(self._ask(source, {"verb": "Identify"})).endswith("ssZ")
        return began[:20] if to_the_second else began[:10]

    def _ask(self, source: FeedSource, arguments: dict[str, str]) -> bytes:
        joint = "&" if urlsplit(source.url).query else "?"
        _answer, content = self._fetcher.get_whole(
            source.url + joint + urlencode(arguments), self._feed_limits
        )
        return content

    # --- items ---
    def _take_items(self, source: FeedSource, stop: threading.Event | None) -> dict[str, int]:
        """Download and hand in what waits."""
        counts = {"taken": 0, "known": 0, "refused": 0, "waiting": 0}
        with self._database.read() as session:
            waiting = session.scalars(
                select(FeedItem)
                .where(
                    FeedItem.source_id == source.id,
                    FeedItem.state == ItemState.FOUND,
                    FeedItem.next_try_at <= self._now(),
                )
                .order_by(FeedItem.id)
                .limit(MEDIA_A_RUN)
            ).all()
        for item in waiting:
            if stop is not None and stop.is_set():
                break
            self._stay_claimed(source.id)
            state = self._take(source, item)
            counts["waiting" if state is ItemState.FOUND else state.value] += 1
        return counts

    def _stay_claimed(self, source_id: str) -> None:
        with self._database.write() as session:
            until = self._now() + CLAIM
            session.execute(update(FeedSource).where(FeedSource.id == source_id).values(busy_until=until))

    def _take(self, source: FeedSource, item: FeedItem) -> ItemState:
        """One item: what became of it."""
        try:
            file = self._fetch(item)
            with self._database.write() as session:
                return _hand_in(session, self._config, source, item, file, self._now())
        except (FetchFailed, OSError) as error:
            text = error.text() if isinstance(error, FetchFailed) else str(error)
            return self._put_off(item, text)
        except YuanboError as error:
            self._forget_file(item)
            with self._database.write() as session:
                return _end(session, item.id, ItemState.REFUSED, self._now(), reason=error.text())

    def _fetch(self, item: FeedItem) -> Download:
        if item.media_url is None:
            raise Invalid(N_("条目里没有视频或音频文件"), code="no_media")
        if not item.title:
            raise Invalid(N_("条目没有标题"), code="no_title")
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / item.id

        def started(validator: str | None, size: int | None) -> None:
            with self._database.write() as session:
                row = session.get_one(FeedItem, item.id)
                row.validator, row.size = validator, size

        return download(self._fetcher, item.media_url, path, item.validator, self._media_limits, started)

    def _put_off(self, item: FeedItem, reason: str) -> ItemState:
        """Try again later, more and more seldom; after eight times it is refused."""
        with self._database.write() as session:
            row = session.get_one(FeedItem, item.id)
            row.tries += 1
            if row.tries >= MAX_TRIES:
                self._forget_file(item)
                return _end(session, item.id, ItemState.REFUSED, self._now(), reason=reason)
            row.reason = reason[:1_000]
            row.next_try_at = self._now() + timedelta(minutes=5 * 2**row.tries)
            return ItemState.FOUND

    def _forget_file(self, item: FeedItem) -> None:
        (self._folder / item.id).unlink(missing_ok=True)

    def tidy(self) -> int:
        """Delete halves of files whose items no longer wait; how many."""
        gone = 0
        for path in self._files():
            with self._database.read() as session:
                item = session.get(FeedItem, path.name)
            if item is None or item.state != ItemState.FOUND:
                path.unlink(missing_ok=True)
                gone += 1
        return gone

    def _files(self) -> Iterator[Path]:
        if self._folder.is_dir():
            yield from self._folder.iterdir()


def _endless() -> FeedUnreadable:
    return FeedUnreadable(N_("对方的续传标记没有尽头，已停止；已采集的不受影响"), code="endless")


# --- in the database --------------------------------------------------------------------------------------------------
def _note(session: Session, source: FeedSource, entries: Sequence[Entry], now: datetime) -> int:
    """Add what is new, correct what still waits, mark what the partner deleted; how many are new."""
    keys = [entry.key for entry in entries]
    rows: dict[str, FeedItem] = {}
    for start in range(0, len(keys), 500):
        found = session.scalars(
            select(FeedItem).where(
                FeedItem.source_id == source.id, FeedItem.key.in_(keys[start : start + 500])
            )
        )
        rows |= {row.key: row for row in found}
    room = MAX_ITEMS - (
        session.scalar(select(func.count()).select_from(FeedItem).where(FeedItem.source_id == source.id)) or 0
    )
    added = 0
    for entry in entries:
        row = rows.get(entry.key)
        if row is not None:
            _correct(row, entry, now)
        elif not entry.is_deleted and added < room:
            session.add(_item(source, entry, now))
            added += 1
    return added


def _item(source: FeedSource, entry: Entry, now: datetime) -> FeedItem:
    item = FeedItem(source_id=source.id, key=entry.key, first_seen_at=now, changed_at=now, next_try_at=now)
    item.state, item.tries, item.reason = ItemState.FOUND, 0, ""
    _correct(item, entry, now)
    return item


def _correct(item: FeedItem, entry: Entry, now: datetime) -> None:
    if item.state != ItemState.FOUND:
        return
    if entry.is_deleted:
        item.state, item.changed_at = ItemState.GONE, now
        return
    if item.media_url != entry.media_url:
        item.validator = None
    item.title, item.summary, item.rights = entry.title, entry.summary, entry.rights
    item.page_url, item.media_url, item.size = entry.page_url, entry.media_url, entry.size
    item.tags, item.published_at = list(entry.tags), entry.published_at


def _end(
    session: Session, item_id: str, state: ItemState, now: datetime, *, reason: str = "", **values: str
) -> ItemState:
    item = session.get_one(FeedItem, item_id)
    item.state, item.reason, item.changed_at = state, reason[:1_000], now
    for name, value in values.items():
        setattr(item, name, value)
    return state


def _hand_in(
    session: Session, config: Config, source: FeedSource, item: FeedItem, file: Download, now: datetime
) -> ItemState:
    """A programme of the downloaded file, in the queue for the first review; or the programme that has these bytes."""
    row = session.get_one(FeedItem, item.id, with_for_update=True, populate_existing=True)
    if row.state != ItemState.FOUND:
        return ItemState(row.state)
    account = session.get(Account, source.owner_id)
    if account is None or not account.is_active:
        raise Invalid(N_("登记这个来源的人已停用，请由别人重新登记"), code="owner")
    who = caller_of(account)
    asset = adopt(session, who, config.uploads, file, name=_filename(row), now=now)
    used = session.scalar(select(Edition.programme_id).where(Edition.asset_id == asset.id).limit(1))
    if used is not None:
        return _end(session, row.id, ItemState.KNOWN, now, sha256=file.sha256, programme_id=used)
    programme = create_programme(
        session,
        who,
        NewProgramme(
            title=row.title,
            section=source.section,
            department=source.department,
            region=source.region,
            summary=_summary(row),
            asset_id=asset.id,
            rights=Rights(
                source=source.rights_source,
                licence="；".join(filter(None, [source.rights_licence, row.rights]))[:200],
            ),
            more=Changes(tags=clean_tags(row.tags)),
        ),
        now=now,
    )
    edition = programme.editions[-1]
    if edition.state == EditionState.DRAFT:
        service.submit(session, who, edition.id, now=now)
    return _end(session, row.id, ItemState.TAKEN, now, sha256=file.sha256, programme_id=programme.id)


def _summary(item: FeedItem) -> str:
    return "\n".join(filter(None, [item.summary[:4_000], item.page_url or ""]))


def _filename(item: FeedItem) -> str:
    name = urlsplit(item.media_url or "").path.rpartition("/")[2]
    return name[-200:] or "media"
