"""May a change go out by itself? The one rule, which every signer applies for itself.

Pure. A county's (or city's) edit inside its own window, of released items, with a clean report, goes out at once;
anything else waits for a second person, with the reasons found here. In a protected period everything waits.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from protocol.documents import Frame, LocalDocument
from protocol.regions import Level, level_of
from protocol.times import text_to_ms
from server.i18n import N_
from server.publish.changes import Deed, DocumentChange, Part
from server.publish.scope import Problem

OWN_LEVELS = (Level.CITY, Level.COUNTY)

PROTECTED = Problem("protected", N_("重要保障期内，所有改动须经另一人批准"))
ROLLED_BACK = Problem("rolled_back", N_("已回退到以前的发布；要恢复按编排发布，请点“发布”"))
RETURNED = Problem("returned", N_("这项改动已被退回"))

_PEOPLES = {
    Part.NOTICE: Problem("notice", N_("滚动字幕须经另一人批准")),
    Part.PUSH: Problem("push", N_("推送须经另一人批准")),
    Part.LIBRARY: Problem("push", N_("推送须经另一人批准")),
    Part.TOPIC: Problem("topic", N_("专题须经另一人批准")),
    Part.STUDY: Problem("study", N_("学习日的改动须经另一人批准")),
    Part.SETTINGS: Problem("study", N_("学习日的改动须经另一人批准")),
}


def may_publish_unattended(
    change: DocumentChange,
    document: LocalDocument | Frame,
    frame: Frame | None,
    *,
    report: Sequence[Problem] = (),
    protected: Sequence[tuple[str, str]] = (),
    now: str,
    is_rolled_back: bool = False,
) -> list[Problem]:
    """Every reason why a change must wait for a second person; none means that it may go out now.

    ``document`` is what would be published, ``frame`` the one that its stations follow now, ``report`` what the
    conflict report says against the region, ``protected`` the periods (Timestamps, the end not included) of which none
    may hold now or touch what changes. A change without lines, only days passing, is never held for what it leaves
    as it was.
    """
    found: list[Problem] = []
    moments = [now, *(moment for line in change.lines for moment in (line.at, line.to) if moment)]
    if change.lines and any(begin <= moment < end for begin, end in protected for moment in moments):
        found.append(PROTECTED)
    if is_rolled_back and change.lines:
        found.append(ROLLED_BACK)
    if change.is_frame or not isinstance(document, LocalDocument):
        found.append(Problem("frame", N_("省级播出框架由省级编辑发布")))
        return found
    if level_of(document.region) not in OWN_LEVELS:
        found.append(Problem("level", N_("只有市、县的编排可以自动发布")))
    for line in change.lines:
        reason = _PEOPLES.get(line.part)
        if reason is not None and reason not in found:
            found.append(reason)
    found += _overlaps(document)
    found += _outside(document, frame)
    if any(line.deed is not Deed.REMOVED for line in change.lines):
        # What only takes away (a programme was withdrawn, an item cancelled) makes nothing worse.
        found += [problem for problem in report if problem not in found]
    return found


def _outside(document: LocalDocument, frame: Frame | None) -> list[Problem]:
    lines = {channel.id: {w.id: w for w in channel.windows} for channel in frame.channels} if frame else {}
    found = []
    for channel in document.channels:
        for item in channel.items:
            window = lines.get(channel.id, {}).get(item.window or "")
            if window is None or window.level != level_of(document.region):
                found.append(
                    Problem("outside_window", N_("%(at)s 的节目不在地方窗口内"), {"at": item.starts_at})
                )
    return found


def _overlaps(document: LocalDocument) -> list[Problem]:
    found = []
    for channel in document.channels:
        ends = 0
        for item in sorted(channel.items, key=lambda one: one.starts_at):
            starts = text_to_ms(item.starts_at)
            if starts < ends:
                found.append(Problem("overlap", N_("%(at)s 的节目与前一个重叠"), {"at": item.starts_at}))
            ends = max(ends, starts + item.duration_ms)
    return found


def fit_to(document: LocalDocument, frame: Frame | None) -> LocalDocument:
    """What of a local document its stations can take now: nothing beyond the frame that they follow.

    A frame reaches two weeks ahead and moves on only when people sign it, so the last days of a local document wait
    for it; its validity ends with the frame's.
    """
    if frame is None:
        return document
    until = min(document.valid_until, frame.valid_until)
    channels = [
        msgspec.structs.replace(channel, items=[i for i in channel.items if i.starts_at < until])
        for channel in document.channels
    ]
    return msgspec.structs.replace(document, channels=[c for c in channels if c.items], valid_until=until)
