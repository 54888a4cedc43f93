"""Release manifests: equal rows give equal bytes, and everything a terminal needs is in them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from protocol.documents import Chapter, CourseRef, FileKind, ProgrammeKind, ReleaseManifest, Rights, decode
from server.catalog.description import Description, described_by, words_sha256
from server.publish.manifests import build_manifest


def rows(number: int | None = 12, poster: int = 0, **said):
    edition = SimpleNamespace(
        id="01a20000-0000-7000-8000-000000000001",
        recipe_sha256="4" * 64,
        poster=poster,
        asset=SimpleNamespace(sha256="5" * 64),
        programme=SimpleNamespace(id="01a20000-0000-7000-8000-000000000002", number=number),
    )
    description = Description(
        **{
            "title": "苹果冬剪",
            "section": "nongji",
            "rights": Rights(source="省农科院", licence="授权", valid_until="2027-06-30T16:00:00.000Z"),
            **said,
        }
    )
    return (
        edition,
        description,
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
        title="",
        at_ms=None,
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
    edition, description, renditions, files = rows()

    assert build_manifest(edition, description, renditions[::-1], files[::-1]) == build_manifest(
        edition, description, renditions, files
    )


def test_a_programme_without_a_number_has_number_0():
    assert decode(build_manifest(*rows(number=None)), ReleaseManifest).number == 0


def test_without_a_rendition_there_is_nothing_to_play():
    edition, description, _, files = rows()

    with pytest.raises(ValueError, match="no rendition"):
        build_manifest(edition, description, [], files)


def test_everything_that_was_said_is_in_the_manifest_and_can_be_hashed_again_from_it():
    said = {
        "initials": "pgdj",
        "sections": ("kepu", "zhifu"),
        "tags": ("冬剪", "苹果"),
        "kind": ProgrammeKind.COURSEWARE,
        "course": CourseRef(id="01a20000-0000-7000-8000-000000000003", title="果树四季", order=2),
        "place": "130123",
        "local_type": "customs",
        "audience": "果农",
        "months": (1, 2, 12),
        "chapters": (Chapter(at_ms=0, title="准备"),),
    }
    _, description, _, _ = rows(**said)
    manifest = decode(build_manifest(*rows(**said)), ReleaseManifest)

    assert described_by(manifest) == description
    assert words_sha256(described_by(manifest)) == words_sha256(description)


def test_the_chosen_poster_comes_first():
    edition, description, renditions, _ = rows(poster=2)
    stills = [file("poster", order=order) for order in (0, 1, 2)]

    manifest = decode(build_manifest(edition, description, renditions, stills), ReleaseManifest)
    assert [still.order for still in manifest.files] == [2, 0, 1]


def test_subtitles_that_somebody_wrote_replace_those_found_in_the_source():
    edition, description, renditions, _ = rows()
    found, written = file("subtitles"), file("subtitles")
    found.language = written.language = "zh"
    written.sha256 = "8" * 64

    manifest = decode(build_manifest(edition, description, renditions, [found], [written]), ReleaseManifest)
    assert [one.sha256 for one in manifest.files] == ["8" * 64]
