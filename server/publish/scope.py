"""What a signer looks for in a document before he puts his name to it: admitted releases, rights, windows, places.

Pure. Each function returns every problem it finds; none means that the document may be signed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from protocol.documents import (
    Commands,
    Deed,
    Emergency,
    Frame,
    Item,
    LocalDocument,
    Notice,
    Recall,
    Ref,
    ReleaseManifest,
    Window,
)
from protocol.regions import level_of, within
from protocol.times import from_text, text_to_ms
from server.i18n import N_

LONGEST_VALIDITY = timedelta(days=46)
"""A document that stays valid for longer would outlive its role's signature (45 days, and the day before today)."""

LONGEST_COMMAND_MS = 24 * 60 * 60 * 1000


@dataclass(frozen=True)
class Problem:
    """Why something is not signed: a stable code and a Chinese source text with its places."""

    code: str
    message: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        return self.message % self.params if self.params else self.message


@dataclass(frozen=True)
class Admitted:
    """A release as the signed catalogue has it."""

    sha256: str
    manifest: ReleaseManifest


Catalogue = Callable[[str], Admitted | None]
"""Looks an edition up in the signed catalogue."""


def frame_problems(frame: Frame, catalogue: Catalogue, *, now: datetime) -> list[Problem]:
    """Problems of the province's document for a region."""
    found = [*_validity(frame, now), *_notices(frame.notices, frame.region)]
    for channel in frame.channels:
        for item in channel.items:
            found += _item(item, frame.region, catalogue)
        for ref in (*channel.fillers, *(ref for window in channel.windows for ref in window.fill)):
            found += _ref(ref, frame.region, catalogue)
    for entry in frame.library:
        found += _named(entry.edition, entry.release, frame.region, catalogue)
    return found


def local_problems(
    local: LocalDocument, frame: Frame | None, catalogue: Catalogue, *, now: datetime
) -> list[Problem]:
    """Problems of a city's or county's document; ``frame`` is the one that stations of its region follow."""
    found = [*_validity(local, now), *_notices(local.notices, local.region)]
    for channel in local.channels:
        windows = _windows_of(frame, channel.id)
        for item in channel.items:
            found += _item(item, local.region, catalogue)
            found += _in_window(item, windows.get(item.window or ""), local.region, catalogue)
    return found


def emergency_problems(emergency: Emergency, catalogue: Catalogue) -> list[Problem]:
    """Problems of an emergency: it may only show what the catalogue has admitted, or plain text."""
    found: list[Problem] = []
    for item in emergency.items:
        if item.ref is not None:
            found += _ref(item.ref, None, catalogue)
        elif not item.text:
            found.append(Problem("empty", N_("应急插播没有内容")))
    return found


def recall_problems(recall: Recall, before: Recall | None) -> list[Problem]:
    """Recalls are cumulative: what was recalled once stays recalled."""
    still = {entry.release for entry in recall.recalled}
    return [
        Problem("recall_lifted", N_("停止撤播不能靠删除撤播记录：%(edition)s"), {"edition": entry.edition})
        for entry in (before.recalled if before else [])
        if entry.release not in still
    ]


def command_problems(commands: Commands) -> list[Problem]:
    """A command asks for what we know, of terminals by name, for a day at most."""
    return [
        Problem("command", N_("远程命令不合规：%(item)s"), {"item": command.id})
        for command in commands.items
        if command.do not in set(Deed)
        or not 0 < text_to_ms(command.until) - text_to_ms(command.at) <= LONGEST_COMMAND_MS
    ]


# --- parts --------------------------------------------------------------------------------------------------------
def _validity(document: Frame | LocalDocument, now: datetime) -> Iterator[Problem]:
    begins, ends = from_text(document.valid_from), from_text(document.valid_until)
    if ends <= begins or ends <= now or ends - now > LONGEST_VALIDITY:
        yield Problem("validity", N_("播出单的有效期不对：%(until)s"), {"until": document.valid_until})


def _notices(notices: Iterable[Notice], region: str) -> Iterator[Problem]:
    for notice in notices:
        if not within(notice.region, region):
            yield Problem("notice_region", N_("通知不属于本地区：%(text)s"), {"text": notice.text})


def _item(item: Item, region: str, catalogue: Catalogue) -> Iterator[Problem]:
    yield from _named(item.edition, item.release, region, catalogue)
    admitted = catalogue(item.edition)
    if admitted is None or admitted.sha256 != item.release:
        return
    title = admitted.manifest.title
    if item.duration_ms > admitted.manifest.duration_ms:
        yield Problem("duration", N_("《%(title)s》排得比节目长"), {"title": title})
    rights = admitted.manifest.rights
    if rights.valid_from is None and rights.valid_until is None:
        return
    starts = text_to_ms(item.starts_at)
    too_early = rights.valid_from is not None and starts < text_to_ms(rights.valid_from)
    too_late = rights.valid_until is not None and starts >= text_to_ms(rights.valid_until)
    if too_early or too_late:
        yield Problem(
            "rights_time", N_("《%(title)s》在 %(at)s 没有播出权"), {"title": title, "at": item.starts_at}
        )


def _ref(ref: Ref, region: str | None, catalogue: Catalogue) -> Iterator[Problem]:
    yield from _named(ref.edition, ref.release, region, catalogue)
    admitted = catalogue(ref.edition)
    if admitted and admitted.sha256 == ref.release and admitted.manifest.duration_ms != ref.duration_ms:
        yield Problem("duration", N_("《%(title)s》的时长不符"), {"title": admitted.manifest.title})


def _named(edition: str, release: str, region: str | None, catalogue: Catalogue) -> Iterator[Problem]:
    admitted = catalogue(edition)
    if admitted is None or admitted.sha256 != release:
        yield Problem("not_admitted", N_("节目目录里没有这个版本：%(edition)s"), {"edition": edition})
        return
    allowed = admitted.manifest.rights.regions
    if region and allowed and not any(within(region, area) for area in allowed):
        yield Problem(
            "rights_region", N_("《%(title)s》在本地区没有播出权"), {"title": admitted.manifest.title}
        )


def _windows_of(frame: Frame | None, channel: str) -> dict[str, Window]:
    lines = frame.channels if frame else []
    return {window.id: window for line in lines if line.id == channel for window in line.windows}


def _in_window(item: Item, window: Window | None, region: str, catalogue: Catalogue) -> Iterator[Problem]:
    starts = text_to_ms(item.starts_at)
    if (
        window is None
        or window.level != level_of(region)
        or starts < text_to_ms(window.starts_at)
        or starts + item.duration_ms > text_to_ms(window.ends_at)
    ):
        yield Problem("outside_window", N_("%(at)s 的节目不在地方窗口内"), {"at": item.starts_at})
        return
    admitted = catalogue(item.edition)
    if window.admits and admitted and admitted.manifest.section not in window.admits:
        yield Problem("section", N_("窗口不接受《%(title)s》所属的板块"), {"title": admitted.manifest.title})
