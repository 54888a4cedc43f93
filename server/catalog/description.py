"""What is said about an edition: the words that reviewers approve and stations show. Pure.

A description is bound at submission: its SHA-256 over the canonical bytes stands in the audit chain beside the source's
and the recipe's, and a signer computes it again from the release manifest. So neither a new title nor another tag
reaches a television without three reviews.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from protocol.documents import Chapter, CourseRef, FileKind, ProgrammeKind, ReleaseManifest, Rights
from server.errors import Invalid
from server.i18n import N_

MAX_TAGS = 20
MAX_TAG = 20
MAX_AUDIENCE = 60
MAX_CHAPTERS = 200
MAX_CHAPTER = 100
MAX_SECTIONS = 6
MAX_REGIONS = 200


class LocalType(StrEnum):
    """The three local types 本土资源."""

    ACHIEVEMENTS = "achievements"
    CUSTOMS = "customs"
    ARTS = "arts"


LOCAL_TYPE_NAMES: dict[LocalType, str] = {
    LocalType.ACHIEVEMENTS: N_("新农村建设成就"),
    LocalType.CUSTOMS: N_("风土人情专题"),
    LocalType.ARTS: N_("地方特色文艺"),
}
KIND_NAMES: dict[ProgrammeKind, str] = {
    ProgrammeKind.VIDEO: N_("视频"),
    ProgrammeKind.AUDIO: N_("音频"),
    ProgrammeKind.COURSEWARE: N_("课件"),
}


class BoundFile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Subtitles or an attachment, as stations get it."""

    kind: FileKind
    sha256: str
    title: str = ""
    language: str | None = None
    order: int = 0


class Description(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything that is said; the fields are those of the release manifest, ``files`` what was sent in beside the
    source file."""

    title: str
    initials: str = ""
    summary: str = ""
    section: str
    sections: tuple[str, ...] = ()
    department: str | None = None
    place: str | None = None
    kind: ProgrammeKind = ProgrammeKind.VIDEO
    local_type: str | None = None
    audience: str = ""
    months: tuple[int, ...] = ()
    tags: tuple[str, ...] = ()
    course: CourseRef | None = None
    chapters: tuple[Chapter, ...] = ()
    rights: Rights = Rights()
    files: tuple[BoundFile, ...] = ()

    def plain(self) -> dict[str, Any]:
        """The object that is stored with an edition."""
        return msgspec.to_builtins(self)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()


def parse(plain: object) -> Description:
    """A description from what is stored."""
    return msgspec.convert(plain, Description)


def described_by(manifest: ReleaseManifest) -> Description:
    """The description that a manifest carries, without files: a manifest also lists the companions of the encoding."""
    return Description(
        title=manifest.title,
        initials=manifest.initials,
        summary=manifest.summary,
        section=manifest.section,
        sections=tuple(manifest.sections),
        department=manifest.department,
        place=manifest.place,
        kind=manifest.kind,
        local_type=manifest.local_type,
        audience=manifest.audience,
        months=tuple(manifest.months),
        tags=tuple(manifest.tags),
        course=manifest.course,
        chapters=tuple(manifest.chapters),
        rights=manifest.rights,
    )


def words_sha256(description: Description) -> str:
    """SHA-256 of a description without its files: what a signer can compute from a manifest alone."""
    return msgspec.structs.replace(description, files=()).sha256


# --- what people type -------------------------------------------------------------------------------------------------
def plain_line(text: str) -> str:
    """One line without control characters, blanks run together."""
    letters = "".join(
        letter if letter.isprintable() else " " for letter in unicodedata.normalize("NFC", text)
    )
    return " ".join(letters.split())


def clean_tags(tags: Iterable[str]) -> list[str]:
    """At most 20 tags of 1–20 characters, each once, sorted. Raises Invalid."""
    found = sorted({tag for tag in (plain_line(text).lstrip("#＃").strip() for text in tags) if tag})
    if len(found) > MAX_TAGS:
        raise Invalid(N_("标签最多 %(most)d 个"), code="tags", most=MAX_TAGS)
    for tag in found:
        if len(tag) > MAX_TAG:
            raise Invalid(N_("标签“%(tag)s”超过 %(most)d 个字"), code="tags", tag=tag, most=MAX_TAG)
    return found


def clean_months(months: Iterable[int]) -> list[int]:
    """Months 1–12, each once, in order. Raises Invalid."""
    found = sorted(set(months))
    if any(month not in range(1, 13) for month in found):
        raise Invalid(N_("农时月份应在 1 到 12 之间"), code="months")
    return found if len(found) < 12 else []


def clean_audience(text: str) -> str:
    """One line. Raises Invalid."""
    line = plain_line(text)
    if len(line) > MAX_AUDIENCE:
        raise Invalid(N_("适用对象不能超过 %(most)d 个字"), code="audience", most=MAX_AUDIENCE)
    return line


def clean_local_type(text: str) -> str | None:
    """A local type by its code or name; none for an empty text. Raises Invalid."""
    wanted = text.strip()
    if not wanted:
        return None
    for kind, name in LOCAL_TYPE_NAMES.items():
        if wanted in (kind.value, name):
            return kind.value
    raise Invalid(N_("没有本土类型“%(name)s”"), code="local_type", name=wanted)


def clean_kind(text: str) -> str:
    """A kind of programme by its code or name. Raises Invalid."""
    for kind, name in KIND_NAMES.items():
        if text.strip() in (kind.value, name):
            return kind.value
    raise Invalid(N_("没有节目类型“%(name)s”"), code="kind", name=text)


def clean_chapters(chapters: Sequence[tuple[int, str]]) -> list[dict[str, Any]]:
    """Named places in order of time, one at an instant. Raises Invalid."""
    if len(chapters) > MAX_CHAPTERS:
        raise Invalid(N_("章节最多 %(most)d 个"), code="chapters", most=MAX_CHAPTERS)
    found: dict[int, str] = {}
    for at_ms, text in chapters:
        title = plain_line(text)
        if at_ms < 0 or not title or len(title) > MAX_CHAPTER or at_ms in found:
            raise Invalid(
                N_("章节要有 1 到 %(most)d 个字的名称和各不相同的时间"), code="chapters", most=MAX_CHAPTER
            )
        found[at_ms] = title
    return [{"at_ms": at_ms, "title": found[at_ms]} for at_ms in sorted(found)]


def as_chapters(plain: Sequence[dict[str, Any]]) -> tuple[Chapter, ...]:
    """Chapters as they are stored, in the manifest's form."""
    return tuple(Chapter(at_ms=one["at_ms"], title=one["title"]) for one in plain)
