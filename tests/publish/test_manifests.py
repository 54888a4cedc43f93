"""Release manifests: equal rows give equal bytes, and everything a terminal needs is in them."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from protocol.documents import FileKind, ReleaseManifest, decode
from server.publish.manifests import build_manifest

UNTIL = datetime(2027, 6, 30, 16, 0, tzinfo=UTC)


def rows(**programme):
    edition = SimpleNamespace(
        id="01a20000-0000-7000-8000-000000000001",
        recipe_sha256="4" * 64,
        asset=SimpleNamespace(sha256="5" * 64),
        programme=SimpleNamespace(
            **{
                "id": "01a20000-0000-7000-8000-000000000002",
                "number": 12,
                "title": "苹果冬剪",
                "summary": "",
                "section": "nongye",
                "department": None,
                "rights_source": "省农科院",
                "rights_licence": "授权",
                "rights_from": None,
                "rights_until": UNTIL,
                **programme,
            }
        ),
    )
    return (
        edition,
        [rendition("720p", 720), rendition("360p", 360)],
        [file("playlist", "720p"), file("poster")],
    )


def rendition(profile: str, height: int, duration_ms: int = 25_000):
    return SimpleNamespace(
        profile=profile,
        profile_version=1,
        sha256=f"{height:064d}",
        length=height * 1000,
        pieces_root=f"{height + 1:064d}",
        width=height * 16 // 9,
        height=height,
        bitrate=height * 1000,
        duration_ms=duration_ms,
    )


def file(kind: str, profile: str | None = None, order: int = 0):
    return SimpleNamespace(
        kind=kind,
        profile=profile,
        order=order,
        language=None,
        sha256="6" * 64,
        length=10,
        pieces_root="7" * 64,
    )


def test_a_manifest_says_what_the_rows_say():
    manifest = decode(build_manifest(*rows()), ReleaseManifest)

    assert (manifest.title, manifest.number, manifest.duration_ms) == ("苹果冬剪", 12, 25_000)
    assert manifest.rights.valid_until == "2027-06-30T16:00:00.000Z"
    assert [r.profile for r in manifest.renditions] == ["360p", "720p"]
    assert [f.kind for f in manifest.files] == [FileKind.PLAYLIST, FileKind.POSTER]


def test_the_order_in_which_rows_come_does_not_matter():
    edition, renditions, files = rows()

    assert build_manifest(edition, renditions[::-1], files[::-1]) == build_manifest(
        edition, renditions, files
    )


def test_a_programme_without_a_number_has_number_0():
    assert decode(build_manifest(*rows(number=None)), ReleaseManifest).number == 0


def test_without_a_rendition_there_is_nothing_to_play():
    edition, _, files = rows()

    with pytest.raises(ValueError, match="no rendition"):
        build_manifest(edition, [], files)
