"""From catalogue rows to release manifests. Pure: rows in, bytes out."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.documents import (
    FileKind,
    ReleaseFile,
    ReleaseManifest,
    Rendition,
    Rights,
    encode,
)
from protocol.times import to_text
from server.catalog import models as catalog


def build_manifest(
    edition: catalog.Edition,
    renditions: Sequence[catalog.Rendition],
    files: Sequence[catalog.RenditionFile],
) -> bytes:
    """The canonical bytes of an edition's manifest; equal rows give equal bytes.

    ``edition`` has its programme and asset loaded. Raises ValueError where there is nothing to play.
    """
    if not renditions:
        raise ValueError("no rendition")
    programme = edition.programme
    return encode(
        ReleaseManifest(
            edition=edition.id,
            programme=programme.id,
            number=programme.number or 0,
            title=programme.title,
            summary=programme.summary,
            section=programme.section,
            department=programme.department,
            duration_ms=max(rendition.duration_ms for rendition in renditions),
            rights=_rights(programme),
            source_sha256=edition.asset.sha256,
            recipe_sha256=edition.recipe_sha256,
            renditions=[_rendition(row) for row in sorted(renditions, key=_rendition_order)],
            files=[_file(row) for row in sorted(files, key=_file_order)],
        )
    )


def _rights(programme: catalog.Programme) -> Rights:
    return Rights(
        source=programme.rights_source,
        licence=programme.rights_licence,
        valid_from=to_text(programme.rights_from) if programme.rights_from else None,
        valid_until=to_text(programme.rights_until) if programme.rights_until else None,
    )


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
    )


def _rendition_order(row: catalog.Rendition) -> tuple[int, str, int]:
    return row.height, row.profile, row.profile_version


def _file_order(row: catalog.RenditionFile) -> tuple[str, str, int, str, str]:
    return row.kind, row.profile or "", row.order, row.language or "", row.sha256
