"""Courseware: pages and a film of PDF, presentations and 三分屏 folders; damaged ones are refused by name."""

from __future__ import annotations

import hashlib
import io
import random
import stat
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from fpdf import FPDF
from PIL import Image

from protocol.documents import FileKind, ProgrammeKind
from server.catalog import documents, preparing, programmes, slideshow
from server.catalog.archive import Archive
from server.catalog.courseware import PAGE_MS, is_courseware, read_folder
from server.catalog.files import moved_pages
from server.catalog.models import Asset, AssetState, RenditionFile
from server.catalog.preparing import Preparer, make
from server.catalog.programmes import NewProgramme
from server.config import Config
from server.db import Database
from server.errors import Invalid
from server.identity.rules import Caller
from server.storage import FolderStore, media_key
from server.transcode.probe import inspect

NOW = datetime(2026, 12, 5, 11, 0, tzinfo=UTC)
MEDIA = Path(__file__).parent.parent / "media"
People = dict[str, Caller]


def pdf_of(pages: int, **encryption: str) -> bytes:
    made = FPDF(format=(160, 90))
    made.set_font("helvetica", size=20)
    for number in range(pages):
        made.add_page()
        made.cell(text=f"page {number + 1}")
    if encryption:
        made.set_encryption(owner_password="o", **encryption)
    return bytes(made.output())


def slide(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (400, 300), colour).save(out, "JPEG")
    return out.getvalue()


def packed(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


FILM = (MEDIA / "old.wmv").read_bytes()
INDEX = '<lesson><slide time="00:00:00" src="slides\\1.jpg" title="开头"/><slide time="0:05" src="slides\\2.jpg"/></lesson>'
FOLDER = {
    "课件/video.wmv": FILM,
    "课件/slides/1.jpg": slide("red"),
    "课件/slides/2.jpg": slide("blue"),
    "课件/index.xml": INDEX.encode("gbk"),
}


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def made_of(data: bytes, tmp_path: Path, work: Path, name: str = "课件.pdf") -> preparing.Made:
    source = tmp_path / "source"
    source.write_bytes(data)
    return make(source, name, work)


def test_a_pdf_becomes_pages_and_a_film_that_the_encoder_accepts(tmp_path: Path, work: Path) -> None:
    made = made_of(pdf_of(3), tmp_path, work)
    assert [at for _, at, _ in made.pages] == [0, PAGE_MS, 2 * PAGE_MS]
    with Image.open(made.pages[1][0]) as page:
        assert page.size == (1920, 1080)
    found = inspect(made.film, tmp_path / "probe")
    assert found.video is not None
    assert round(found.duration_ms / 1000) == 60


def test_the_films_index_names_its_frames(tmp_path: Path) -> None:
    pages = [tmp_path / name for name in ("a", "b")]
    for page, colour in zip(pages, ("red", "blue"), strict=True):
        page.write_bytes(slide(colour))
    film = tmp_path / "film.avi"
    assert slideshow.write(film, pages, width=400, height=300, page_ms=20_000) == 40_000
    data = film.read_bytes()
    assert int.from_bytes(data[4:8], "little") == len(data) - 8
    movi, index = data.index(b"movi"), data.index(b"idx1")
    offset, size = (
        int.from_bytes(data[index + at : index + at + 4], "little")
        for at in (8 + 16 * 4 + 8, 8 + 16 * 4 + 12)
    )
    assert data[movi + offset : movi + offset + 4] == b"00dc"
    assert data[movi + offset + 8 :][:size] == pages[1].read_bytes()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"%PDF-1.7 nothing more", "损坏"),
        (pdf_of(2)[: len(pdf_of(2)) // 3], "损坏"),
        (pdf_of(1, user_password="secret"), "密码"),
        (b"MZ\x90\x00 renamed program", "不是课件"),
        (packed({"[Content_Types].xml": b"<x/>", "word/document.xml": b"<x/>"}), "不是课件"),
        (packed(FOLDER)[:3_000], "损坏"),
        (packed({"a.jpg": slide("red"), "index.xml": INDEX.encode()}), "应有一个视频"),
        (packed({"a.wmv": FILM, "b.wmv": FILM, "a.jpg": slide("red")}), "应有一个视频"),
        (packed({"a.wmv": FILM, "index.xml": INDEX.encode()}), "没有幻灯片"),
        (packed({"a.wmv": FILM, "1.jpg": slide("red")}), "索引"),
        (packed({name: data for name, data in FOLDER.items() if "2.jpg" not in name}), r"缺少幻灯片 2\.jpg"),
        (packed({**FOLDER, "课件/slides/2.jpg": b"no picture"}), "第 2 张幻灯片"),
        (packed({**FOLDER, "zeros.jpg": bytes(50_000_000)}), "太大"),
        (packed({**FOLDER, "../../etc/passwd": b"x"}), "不安全"),
        (packed({**FOLDER, "/etc/passwd": b"x"}), "不安全"),
    ],
)
def test_a_damaged_or_hostile_file_is_refused_by_its_name(
    tmp_path: Path, work: Path, data: bytes, reason: str
) -> None:
    with pytest.raises(Invalid, match=reason) as refused:
        made_of(data, tmp_path, work, "坏课件.zip")
    assert "坏课件.zip" in str(refused.value)


def test_a_link_in_an_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        entry = zipfile.ZipInfo("link")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(Invalid, match="不安全"):
        Archive(path, "a.zip")


def test_a_byte_changed_in_an_archive_is_found_or_harmless(tmp_path: Path) -> None:
    chance, whole = random.Random(20261122), packed(FOLDER)
    path = tmp_path / "a.zip"
    for _ in range(60):
        data = bytearray(whole)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(bytes(data))
        try:
            archive = Archive(path, "a.zip")
            for name in archive.names:
                target = tmp_path / "out"
                target.unlink(missing_ok=True)
                archive.unpack(name, target)
        except Invalid:
            continue  # its words are those of the tests above


def test_names_that_chinese_windows_packed_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(packed({"xx.jpg": b"1"}).replace(b"xx.jpg", "课".encode("gbk") + b".jpg"))
    assert Archive(path, "a.zip").names == ["课.jpg"]


def test_a_three_screen_folder_keeps_its_film_its_slides_and_their_moments(
    tmp_path: Path, work: Path
) -> None:
    made = made_of(packed(FOLDER), tmp_path, work)
    assert made.film.read_bytes() == FILM
    assert [(at, title) for _, at, title in made.pages] == [(0, "开头"), (5_000, "")]
    with Image.open(made.pages[1][0]) as page:
        assert page.getpixel((960, 540))[2] > 200  # type: ignore[index]


@pytest.mark.parametrize(
    "index",
    [
        '[{"time": 0, "image": "1.jpg"}, {"time": 65.5, "image": "2.jpg"}]',
        '{"slides": [{"start_ms": 0, "image": "1.jpg"}, {"start_ms": 65500, "image": "2.jpg"}]}',
        "0,1.jpg\n65.5,2.jpg\n",
        "00:00:00 1.jpg\n00:01:05.500 2.jpg\n",
        "AddSlide('1.jpg', 0);\nAddSlide('2.jpg', 65500);\n",
        '<ppt><page begin="0" file="ppt/1.jpg"/><page begin="65500" file="ppt/2.jpg"/></ppt>',
    ],
)
def test_indexes_of_several_makes_say_the_same(index: str) -> None:
    found = read_folder(["a.wmv", "ppt/1.jpg", "ppt/2.jpg"], {"index.txt": index}, file="课件")
    assert [(page.file, page.at_ms) for page in found.pages] == [("ppt/1.jpg", 0), ("ppt/2.jpg", 65_500)]


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "<" * 100_000, "{" * 50_000, "1.jpg " * 20_000, "9" * 100_000]
)
def test_a_hostile_index_is_read_in_no_time(text: str) -> None:
    with pytest.raises(Invalid):
        read_folder(["a.wmv", "1.jpg"], {"index.js": text}, file="课件")


def test_without_libreoffice_a_presentation_is_refused_with_what_to_do(
    tmp_path: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "office", lambda: None)
    for data in (packed({"ppt/presentation.xml": b"<x/>"}), b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100)):
        with pytest.raises(Invalid, match="另存为 PDF"):
            made_of(data, tmp_path, work, "讲稿.pptx")
        (work / "office").rmdir()


def test_with_libreoffice_a_presentation_becomes_the_pdf_it_makes(
    tmp_path: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for LibreOffice, which few machines have: the same command line, the same outcome."""
    (tmp_path / "made.pdf").write_bytes(pdf_of(2))
    office = tmp_path / "soffice"
    office.write_text(
        '#!/bin/sh\nwhile [ "$1" != --outdir ]; do shift; done\ncp '
        f'{tmp_path}/made.pdf "$2/$(basename "${{3%.*}}").pdf"\n'
    )
    office.chmod(0o755)
    monkeypatch.setattr(documents, "office", lambda: str(office))
    made = made_of(packed({"ppt/presentation.xml": b"<x/>"}), tmp_path, work, "讲稿.pptx")
    assert len(made.pages) == 2


def test_a_document_that_takes_too_long_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "CHECK_S", 0.001)  # no process begins and ends in that
    with pytest.raises(Invalid, match="时间太长"):
        documents.check_pdf(pdf_of(1), "慢.pdf")


def test_what_is_courseware_shows_in_its_first_bytes() -> None:
    assert is_courseware(b"\n%PDF-1.4", "a.mp4")
    assert is_courseware(b"PK\x03\x04", "a")
    assert not is_courseware(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "thumbs.db")
    assert not is_courseware(b"\0\0\0\x18ftypmp42", "a.pdf")


def test_pages_move_with_the_cut() -> None:
    assert moved_pages([0, 20_000, 40_000], [(5_000, 30_000)], lead_ms=1_000) == [1_000, 16_000, None]
    assert moved_pages([0, 20_000], [(0, 10_000), (50_000, 60_000)]) == [0, 10_000]


# --- in the background --------------------------------------------------------------------------------------------
@pytest.fixture
def uploaded(database: Database, people: People, config: Config) -> Callable[[bytes, str], str]:
    def make_asset(data: bytes, name: str) -> str:
        (config.uploads / "x").write_bytes(data)
        with database.write() as session:
            row = Asset(
                filename=name,
                path="uploads/x",
                size=len(data),
                sha256="a" * 64,
                state=AssetState.PREPARING,
                uploaded_by=people["county"].id,
                created_at=NOW,
            )
            session.add(row)
            session.flush()
            return row.id

    return make_asset


def test_courseware_is_prepared_and_then_waits_for_encoding(
    database: Database, people: People, config: Config, uploaded: Callable[[bytes, str], str]
) -> None:
    asset, store = uploaded(pdf_of(2), "讲义.pdf"), FolderStore(config.media)
    with database.write() as session:
        new = NewProgramme(title="讲义", section="kepu", asset_id=asset)
        programme = programmes.create_programme(session, people["county"], new, now=NOW)
        assert programme.kind == ProgrammeKind.COURSEWARE
    assert Preparer(database, config.data, store).tick(now=NOW) == 1
    with database.read() as session:
        row = session.get_one(Asset, asset)
        assert (row.state, row.original, row.path) == (AssetState.UPLOADED, "uploads/x", "uploads/x.film")
        film = (config.data / row.path).read_bytes()
        assert row.encoded_sha256 == hashlib.sha256(film).hexdigest()
        pages = session.query(RenditionFile).filter_by(kind=FileKind.PAGE).order_by(RenditionFile.order).all()
        assert [page.at_ms for page in pages] == [0, PAGE_MS]
        assert all(store.exists(media_key(page.sha256)) for page in pages)
    assert film[:4] == b"RIFF"
    assert list((config.data / "run").iterdir()) == []


def test_damaged_courseware_is_refused_in_two_languages_and_leaves_nothing(
    database: Database, config: Config, uploaded: Callable[[bytes, str], str]
) -> None:
    asset = uploaded(b"%PDF-1.4 cut", "坏的.pdf")
    Preparer(database, config.data, FolderStore(config.media)).tick(now=NOW)
    with database.read() as session:
        row = session.get_one(Asset, asset)
        assert row.state == AssetState.REFUSED
        assert "坏的.pdf" in str(row.error_text)
        assert str(row.error_text_en).startswith("“坏的.pdf” is damaged")
    assert [path.name for path in config.uploads.iterdir()] == ["x"]


def test_a_pdf_is_attached_and_what_is_none_is_refused(
    app: Flask,
    database: Database,
    bearer: Callable[[str], dict[str, str]],
    people: People,
    asset: Callable[..., str],
) -> None:
    with database.write() as session:
        new = NewProgramme(title="节目", section="kepu", asset_id=asset(people["county"]))
        edition = programmes.create_programme(session, people["county"], new, now=NOW).editions[0].id
    client, county = app.test_client(), bearer("county")
    path = f"/api/v1/editions/{edition}/attachments?filename=讲义.pdf"
    answer = client.post(path, data=pdf_of(1), headers=county)
    assert answer.status_code == 200, answer.json
    (file,) = answer.json["files"]
    assert (file["kind"], file["title"]) == ("attachment", "讲义")
    assert client.post(path, data=b"MZ not a pdf", headers=county).json["code"] == "not_pdf"
    assert client.post(path, data=b"", headers=county).json["code"] == "empty"
    assert client.post(path, data=pdf_of(1), headers=bearer("neighbour")).status_code == 404
    subtitles = f"/api/v1/editions/{edition}/subtitles?filename=a.srt"
    cues = "1\n00:00:01,000 --> 00:00:02,000\n你好\n".encode("gbk")
    assert client.post(subtitles, data=cues, headers=county).status_code == 200
    removed = client.delete(f"/api/v1/editions/{edition}/files/{file['id']}", headers=county)
    assert [one["kind"] for one in removed.json["files"]] == ["subtitles"]
