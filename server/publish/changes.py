"""What one document says that another did not: items added, removed, moved; windows, notices and the rest.

Pure. Changes are found by comparing documents, the one that is served and the one that would take its place; nobody's
claim about what he edited is asked for. A document covers a span that moves on with time: what leaves it behind and
what enters it ahead, by a rule that was served already, is not a change but the passing of days.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from protocol import names
from protocol.documents import Frame, Item, LocalDocument, Ref
from protocol.regions import city_of
from protocol.times import text_to_ms

Timed = Frame | LocalDocument


class Deed(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    MOVED = "moved"
    CHANGED = "changed"


class Part(StrEnum):
    """What of a document a change is about."""

    ITEM = "item"
    WINDOW = "window"
    FILLER = "filler"
    NOTICE = "notice"
    PUSH = "push"
    LIBRARY = "library"
    TOPIC = "topic"
    STUDY = "study"
    SETTINGS = "settings"
    """A channel's name, picture or card; the shelves."""


class Line(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change. ``at`` and ``to`` are Timestamps: where something stands, and where it was moved to; ``by`` and
    ``rule`` say whose it is now, or was where it was removed."""

    deed: Deed
    part: Part
    id: str
    channel: str = ""
    at: str = ""
    to: str = ""
    edition: str = ""
    text: str = ""
    rule: str = ""
    by: str = ""
    level: str = ""
    content: str = ""
    """Names everything else that it says: two changes told alike are still two."""


class DocumentChange(Struct, frozen=True, kw_only=True):
    """Everything that differs, in order of time. ``rolled`` counts what came and went with the days alone."""

    target: str
    region: str
    lines: tuple[Line, ...]
    rolled: int = 0

    @property
    def fingerprint(self) -> str:
        """Names this very change: who approves it approves nothing else."""
        return hashlib.sha256(msgspec.json.encode([self.target, self.lines], order="sorted")).hexdigest()

    @property
    def is_frame(self) -> bool:
        return self.target.startswith("frame/")

    def of(self, *parts: Part) -> list[Line]:
        return [line for line in self.lines if line.part in parts]


def target_of(document: Timed) -> str:
    """The name a document is served under. A local document of no city is nobody's: an empty name."""
    if isinstance(document, Frame):
        return names.frame_target(document.region)
    return names.local_target(document.region) if city_of(document.region) else ""


def compare(before: Timed | None, after: Timed | None, *, since: str) -> DocumentChange:
    """What ``after`` says otherwise than ``before``, of the time from ``since`` on. At least one is there."""
    some = after or before
    assert some is not None
    until = before.valid_until if before is not None else ""
    span = _Span(text_to_ms(since), text_to_ms(until) if until else None, _rules(before))
    lines: list[Line] = []
    rolled = 0
    for old, new in (
        (_items(before), _items(after)),
        (_windows(before), _windows(after)),
        (_dated(before), _dated(after)),
        (_undated(before), _undated(after)),
    ):
        for line in _differences(old, new):
            if span.is_roll(line, old, new):
                rolled += 1
            else:
                lines.append(line)
    lines = _joined_moves(lines)
    lines.sort(key=lambda line: (line.at or "~", line.part, line.id, line.deed))
    return DocumentChange(target=target_of(some), region=some.region, lines=tuple(lines), rolled=rolled)


# --- what a document says, as things with a name -----------------------------------------------------------------------
class _Thing(Struct, frozen=True):
    """``content`` is what makes it the same or another; ``line`` is how it is told."""

    line: Line
    content: tuple[Any, ...]
    ends_ms: int | None = None

    def told(self, deed: Deed, **more: str) -> Line:
        digest = hashlib.sha256(msgspec.json.encode(self.content)).hexdigest()[:16]
        return msgspec.structs.replace(self.line, deed=deed, content=digest, **more)


_Things = Mapping[tuple[str, str, str], _Thing]


def _items(document: Timed | None) -> _Things:
    if document is None:
        return {}
    found: dict[tuple[str, str, str], _Thing] = {}
    for channel in document.channels:
        for item in channel.items:
            thing = _Thing(
                Line(
                    deed=Deed.ADDED,
                    part=Part.ITEM,
                    id=item.id,
                    channel=channel.id,
                    at=item.starts_at,
                    edition=item.edition,
                    rule=item.why.rule,
                    by=item.why.by,
                    level=item.why.level,
                ),
                (
                    item.starts_at,
                    item.duration_ms,
                    item.edition,
                    item.release,
                    item.required,
                    item.kind,
                    item.window,
                ),
                _ends(item),
            )
            found[Part.ITEM, channel.id, item.id] = thing
    return found


def _ends(item: Item) -> int:
    return text_to_ms(item.starts_at) + item.duration_ms


def _windows(document: Timed | None) -> _Things:
    if not isinstance(document, Frame):
        return {}
    return {
        (Part.WINDOW, channel.id, window.id): _Thing(
            Line(
                deed=Deed.ADDED,
                part=Part.WINDOW,
                id=window.id,
                channel=channel.id,
                at=window.starts_at,
                to="",
                rule=f"window:{window.id.partition('@')[0]}",
                level=window.level,
            ),
            (window.starts_at, window.ends_at, window.level, tuple(window.admits), _refs(window.fill)),
            text_to_ms(window.ends_at),
        )
        for channel in document.channels
        for window in channel.windows
    }


def _dated(document: Timed | None) -> _Things:
    """What has an end of its own: notices, topics, study days, pushes."""
    if document is None:
        return {}
    found: dict[tuple[str, str, str], _Thing] = {}
    for notice in document.notices:
        line = Line(deed=Deed.ADDED, part=Part.NOTICE, id=notice.id, at=notice.starts_at, text=notice.text)
        content: tuple[Any, ...] = (notice.text, notice.region, notice.starts_at, notice.until)
        found[Part.NOTICE, "", notice.id] = _Thing(line, content, text_to_ms(notice.until))
    for topic in document.topics:
        line = Line(deed=Deed.ADDED, part=Part.TOPIC, id=topic.id, at=topic.starts_at, text=topic.title)
        content = (
            topic.title,
            topic.summary,
            topic.starts_at,
            topic.until,
            topic.required,
            _picture(topic.poster),
            _refs(topic.programmes),
        )
        found[Part.TOPIC, "", topic.id] = _Thing(line, content, text_to_ms(topic.until))
    for study in document.study or ():
        line = Line(
            deed=Deed.ADDED,
            part=Part.STUDY,
            id=study.id,
            channel=study.channel,
            at=study.starts_at,
            text=study.title,
            rule=study.why.rule,
            by=study.why.by,
            level=study.why.level,
        )
        content = (
            study.starts_at,
            study.ends_at,
            study.title,
            _refs(study.programmes),
            study.discussion_ms,
            study.moved_from,
            study.reason,
        )
        found[Part.STUDY, study.channel, study.id] = _Thing(line, content, text_to_ms(study.ends_at))
    for entry in document.library:
        part = Part.PUSH if entry.pushed else Part.LIBRARY
        line = Line(deed=Deed.ADDED, part=part, id=entry.edition, edition=entry.edition)
        ends = text_to_ms(entry.until) if entry.until else None
        found[part, "", entry.edition] = _Thing(line, (entry.release, entry.section, entry.until), ends)
    return found


def _undated(document: Timed | None) -> _Things:
    """A frame's fillers and settings."""
    if document is None:
        return {}
    found: dict[tuple[str, str, str], _Thing] = {}
    if isinstance(document, Frame):
        for channel in document.channels:
            for ref in channel.fillers:
                line = Line(
                    deed=Deed.ADDED,
                    part=Part.FILLER,
                    id=ref.edition,
                    channel=channel.id,
                    edition=ref.edition,
                )
                count = sum(other == ref for other in channel.fillers)
                found[Part.FILLER, channel.id, ref.edition] = _Thing(line, (ref.release, count))
            settings = (channel.name, channel.name_en, _picture(channel.logo), channel.next_card_ms)
            found[Part.SETTINGS, channel.id, "channel"] = _settings(
                "channel", channel.id, channel.name, settings
            )
        shelves = tuple((shelf.slug, shelf.name, shelf.name_en) for shelf in document.sections)
        found[Part.SETTINGS, "", "sections"] = _settings("sections", "", "", shelves)
    elif document.study is not None:
        found[Part.SETTINGS, "", "study"] = _settings("study", "", "", ())
    return found


def _settings(id_: str, channel: str, text: str, content: tuple[Any, ...]) -> _Thing:
    return _Thing(
        Line(deed=Deed.ADDED, part=Part.SETTINGS, id=id_, channel=channel, text=text), (text, *content)
    )


def _refs(refs: Iterable[Ref]) -> tuple[tuple[str, str], ...]:
    return tuple((ref.edition, ref.release) for ref in refs)


def _picture(picture: Any) -> str:
    return picture.sha256 if picture is not None else ""


# --- differences -------------------------------------------------------------------------------------------------------
def _differences(old: _Things, new: _Things) -> Iterator[Line]:
    for key, thing in new.items():
        was = old.get(key)
        if was is None:
            yield thing.told(Deed.ADDED)
        elif was.content != thing.content:
            if was.line.at != thing.line.at:
                yield thing.told(Deed.MOVED, at=was.line.at, to=thing.line.at)
            else:
                yield thing.told(Deed.CHANGED)
    for key, thing in old.items():
        if key not in new:
            yield thing.told(Deed.REMOVED)


class _Span(Struct, frozen=True):
    """What of the differences the passing of days explains."""

    since_ms: int
    until_ms: int | None
    rules: frozenset[str]

    def is_roll(self, line: Line, old: _Things, new: _Things) -> bool:
        key = (line.part, line.channel if line.part in _BY_CHANNEL else "", line.id)
        thing = old.get(key) if line.deed is Deed.REMOVED else new.get(key)
        if thing is not None and thing.ends_ms is not None and thing.ends_ms <= self.since_ms:
            return True  # over; whether it is still listed makes no difference to anybody
        enters = line.deed is Deed.ADDED and self.until_ms is not None and bool(line.at)
        return enters and text_to_ms(line.at) >= (self.until_ms or 0) and line.rule in self.rules


_BY_CHANNEL = frozenset({Part.ITEM, Part.WINDOW, Part.FILLER, Part.STUDY, Part.SETTINGS})


def _rules(document: Timed | None) -> frozenset[str]:
    if document is None:
        return frozenset()
    found = {item.why.rule for channel in document.channels for item in channel.items}
    if isinstance(document, Frame):
        found |= {
            f"window:{w.id.partition('@')[0]}" for channel in document.channels for w in channel.windows
        }
    found |= {study.why.rule for study in document.study or ()}
    return frozenset(found)


def _joined_moves(lines: Sequence[Line]) -> list[Line]:
    """An item that left one place and came to another on the same rule and edition was moved."""
    kept = [line for line in lines if line.part is not Part.ITEM or line.deed in (Deed.MOVED, Deed.CHANGED)]
    gone = [line for line in lines if line.part is Part.ITEM and line.deed is Deed.REMOVED]
    for came in (line for line in lines if line.part is Part.ITEM and line.deed is Deed.ADDED):
        same = next(
            (g for g in gone if (g.rule, g.edition, g.at[:10]) == (came.rule, came.edition, came.at[:10])),
            None,
        )
        if same is None:
            kept.append(came)
        else:
            gone.remove(same)
            kept.append(msgspec.structs.replace(came, deed=Deed.MOVED, at=same.at, to=came.at))
    return kept + gone


# --- what follows from a change ------------------------------------------------------------------------------------------
def without_editions(document: Timed, gone: frozenset[str]) -> Timed:
    """The document without everything that names one of these editions: they were withdrawn, or recalled."""

    def still(refs: Iterable[Ref]) -> list[Ref]:
        return [ref for ref in refs if ref.edition not in gone]

    def topics() -> list[Any]:
        return [msgspec.structs.replace(t, programmes=still(t.programmes)) for t in document.topics]

    def study() -> list[Any] | None:
        if document.study is None:
            return None
        return [msgspec.structs.replace(s, programmes=still(s.programmes)) for s in document.study]

    common = {
        "library": [entry for entry in document.library if entry.edition not in gone],
        "topics": topics(),
        "study": study(),
    }
    if isinstance(document, Frame):
        channels = [
            msgspec.structs.replace(
                channel,
                items=[item for item in channel.items if item.edition not in gone],
                windows=[msgspec.structs.replace(w, fill=still(w.fill)) for w in channel.windows],
                fillers=still(channel.fillers),
            )
            for channel in document.channels
        ]
        return msgspec.structs.replace(document, channels=channels, **common)
    lines = [
        msgspec.structs.replace(channel, items=[i for i in channel.items if i.edition not in gone])
        for channel in document.channels
    ]
    return msgspec.structs.replace(document, channels=lines, **common)


def editions_in(document: Timed) -> frozenset[str]:
    """Every edition a document names."""
    found = {item.edition for channel in document.channels for item in channel.items}
    found |= {entry.edition for entry in document.library}
    found |= {ref.edition for topic in document.topics for ref in topic.programmes}
    found |= {ref.edition for study in document.study or () for ref in study.programmes}
    if isinstance(document, Frame):
        for channel in document.channels:
            found |= {ref.edition for ref in channel.fillers}
            found |= {ref.edition for window in channel.windows for ref in window.fill}
    return frozenset(found)
