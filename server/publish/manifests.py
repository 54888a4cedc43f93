"""From catalogue rows to release manifests. Pure: rows in, bytes out."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.documents import (
    FileKind,
    ReleaseFile,
    ReleaseManifest,
    Rendition,
    encode,
)
from server.catalog import models as catalog
from server.catalog.description import Description


def build_manifest(
    edition: catalog.Edition,
    description: Description,
    renditions: Sequence[catalog.Rendition],
    files: Sequence[catalog.RenditionFile],
    own_files: Sequence[catalog.EditionFile] = (),
) -> bytes:
    """The canonical bytes of an edition's manifest; equal rows give equal bytes.

    ``edition`` has its programme and asset loaded; ``description`` is what was reviewed, ``own_files`` what was sent in
    beside the source. Raises ValueError where there is nothing to play.
    """
    if not renditions:
        raise ValueError("no rendition")
    return encode(
        ReleaseManifest(
            edition=edition.id,
            programme=edition.programme.id,
            number=edition.programme.number or 0,
            title=description.title,
            initials=description.initials,
            summary=description.summary,
            section=description.section,
            sections=list(description.sections),
            department=description.department,
            kind=description.kind,
            tags=list(description.tags),
            course=description.course,
            place=description.place,
            local_type=description.local_type,
            audience=description.audience,
            months=list(description.months),
            chapters=list(description.chapters),
            duration_ms=max(rendition.duration_ms for rendition in renditions),
            rights=description.rights,
            source_sha256=edition.asset.sha256,
            recipe_sha256=edition.recipe_sha256,
            renditions=[_rendition(row) for row in sorted(renditions, key=_rendition_order)],
            files=_files(edition, files, own_files),
        )
    )


def _files(
    edition: catalog.Edition,
    files: Sequence[catalog.RenditionFile],
    own_files: Sequence[catalog.EditionFile],
) -> list[ReleaseFile]:
    """Companions of the encoding, the chosen poster before the others, and what was sent in: subtitles that somebody
    wrote take the place of those found in the source."""
    written = {row.language for row in own_files if row.kind == FileKind.SUBTITLES}
    found = [_file(row) for row in files if row.kind != FileKind.SUBTITLES or row.language not in written] + [
        _own_file(row) for row in own_files
    ]

    def place(file: ReleaseFile) -> tuple[str, bool, str, int, str, str]:
        later = file.kind == FileKind.POSTER and file.order != edition.poster
        return file.kind, later, file.profile or "", file.order, file.language or "", file.sha256

    return sorted(found, key=place)


def _rendition(row: catalog.Rendition) -> Rendition:
    return Rendition(
        profile=row.profile,
        profile_version=row.profile_version,
        sha256=row.sha256,
        length=row.length,
        pieces_root=row.pieces_root,
        width=row.width,
        height=row.height,
        bitrate=row.bitrate,
    )


def _file(row: catalog.RenditionFile) -> ReleaseFile:
    return ReleaseFile(
        kind=FileKind(row.kind),
        sha256=row.sha256,
        length=row.length,
        pieces_root=row.pieces_root,
        profile=row.profile,
        order=row.order,
        language=row.language,
        title=row.title,
        at_ms=row.at_ms,
    )


def _own_file(row: catalog.EditionFile) -> ReleaseFile:
    return ReleaseFile(
        kind=FileKind(row.kind),
        sha256=row.sha256,
        length=row.length,
        pieces_root=row.pieces_root,
        order=row.order,
        language=row.language,
        title=row.title,
    )


def _rendition_order(row: catalog.Rendition) -> tuple[int, str, int]:
    return row.height, row.profile, row.profile_version
