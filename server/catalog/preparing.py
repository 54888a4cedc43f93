"""Courseware in the background: from what was uploaded to pages and a film, which is encoded like any other.

Pages are objects and rows of kind ``page``, each with the moment of the film to which it belongs. Nothing is recorded
before everything is stored; killed anywhere, the file waits as before and is taken again.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import delete, select, update

from protocol.documents import FileKind, ProgrammeKind
from protocol.pieces import piece_layer
from server.catalog import courseware, documents, slideshow
from server.catalog.archive import Archive
from server.catalog.courseware import OLE_MARK, PDF_MARK, ZIP_MARK
from server.catalog.courseware_child import HEIGHT, WIDTH
from server.catalog.models import Asset, AssetState, Edition, Programme, RenditionFile
from server.catalog.subtitles import decode_text
from server.db import Database
from server.errors import Invalid, YuanboError
from server.i18n import N_, english
from server.readplane import sync_folder
from server.storage import S3Store, Store, media_key, pieces_key, source_file

log = logging.getLogger(__name__)

FILM_SUFFIX = ".film"
MAX_TRIES = 3


@dataclass(frozen=True)
class Made:
    """What courseware became: the film's file, and the pages with their moments and names."""

    film: Path
    pages: tuple[tuple[Path, int, str], ...]


class Preparer:
    """Takes courseware that waits, one after another. A file at which we fail is tried three times."""

    def __init__(self, database: Database, data: Path, store: Store) -> None:
        self._database, self._data, self._store = database, data, store
        self._tries: Counter[str] = Counter()

    def tick(self, *, now: datetime) -> int:
        """One round; how many files came to an end."""
        with self._database.read() as session:
            waiting = session.scalars(
                select(Asset).where(Asset.state == AssetState.PREPARING).order_by(Asset.id).limit(10)
            ).all()
        return sum(self._prepare(asset, now) for asset in waiting)

    def _prepare(self, asset: Asset, now: datetime) -> bool:
        self._tries[asset.id] += 1
        try:
            with tempfile.TemporaryDirectory(prefix="courseware-", dir=self._work()) as folder:
                made = make(source_file(self._store, self._data, asset.path), asset.filename, Path(folder))
                self._record(asset, made, now)
            return True
        except Invalid as error:
            self._refuse(asset, error)
            return True
        except Exception:
            log.exception("courseware %s", asset.id)
            if self._tries[asset.id] < MAX_TRIES:
                return False
            self._refuse(asset, Invalid(N_("课件“%(file)s”处理不了"), code="courseware", file=asset.filename))
            return True

    def _work(self) -> Path:
        folder = self._data / "run"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _record(self, asset: Asset, made: Made, now: datetime) -> None:
        """Objects, then the film's name, then the rows."""
        stored = [self._store_page(path) for path, _, _ in made.pages]
        film = self._data / f"{asset.path}{FILM_SUFFIX}"
        os.replace(_beside(made.film, film), film)
        sync_folder(film.parent)
        film_sha256 = piece_layer(film).sha256
        if isinstance(self._store, S3Store):
            self._store.put(f"{asset.path}{FILM_SUFFIX}", film)  # where other machines' workers find it
        with self._database.write() as session:
            done = session.execute(
                update(Asset)
                .where(Asset.id == asset.id, Asset.state == AssetState.PREPARING)
                .values(
                    state=AssetState.UPLOADED,
                    original=asset.path,
                    film_sha256=film_sha256,
                    path=f"{asset.path}{FILM_SUFFIX}",
                    progress=0,
                )
            )
            if done.rowcount != 1:  # type: ignore[attr-defined]
                return  # another worker was faster, with the same outcome
            of_asset = (RenditionFile.asset_id == asset.id, RenditionFile.kind == FileKind.PAGE)
            session.execute(delete(RenditionFile).where(*of_asset))
            session.add_all(
                RenditionFile(
                    asset_id=asset.id,
                    kind=FileKind.PAGE,
                    order=order,
                    at_ms=at_ms,
                    title=title[:100],
                    sha256=sha256,
                    length=length,
                    pieces_root=root,
                    created_at=now,
                )
                for order, ((_, at_ms, title), (sha256, length, root)) in enumerate(
                    zip(made.pages, stored, strict=True)
                )
            )
            of_editions = select(Edition.programme_id).where(Edition.asset_id == asset.id)
            session.execute(
                update(Programme)
                .where(Programme.id.in_(of_editions))
                .values(kind=ProgrammeKind.COURSEWARE)
                .execution_options(synchronize_session=False)
            )

    def _store_page(self, path: Path) -> tuple[str, int, str]:
        layer = piece_layer(path)
        self._store.put(media_key(layer.sha256), path)
        self._store.put_bytes(pieces_key(layer.root), layer.layer)
        return layer.sha256, layer.length, layer.root

    def _refuse(self, asset: Asset, error: YuanboError) -> None:
        with self._database.write() as session:
            session.execute(
                update(Asset)
                .where(Asset.id == asset.id, Asset.state == AssetState.PREPARING)
                .values(
                    state=AssetState.REFUSED,
                    error_code=error.code[:40],
                    error_text=error.text(),
                    error_text_en=english(error.message, error.params),
                )
            )


def _beside(made: Path, target: Path) -> Path:
    """The same file on the target's disk, its bytes certain."""
    beside = target.with_name(f".{target.name}.part")
    shutil.move(made, beside)
    with beside.open("rb") as file:
        os.fsync(file.fileno())
    return beside


# --- one file ---------------------------------------------------------------------------------------------------------
def make(source: Path, name: str, work: Path) -> Made:
    """Pages and film of a courseware file, in ``work``. Raises Invalid naming the file and the reason."""
    with source.open("rb") as file:
        head = file.read(4_096)
    if head.startswith(ZIP_MARK):
        archive = Archive(source, name)
        try:
            if courseware.is_powerpoint(head, archive.names):
                return _of_powerpoint(source, name, work)
            if "[Content_Types].xml" in archive.names:
                raise Invalid(
                    N_("“%(file)s”不是课件：请上传 PDF、演示文稿或三分屏压缩包"), code="courseware", file=name
                )
            return _of_folder(archive, name, work)
        finally:
            archive.close()
    if head.startswith(OLE_MARK):
        return _of_powerpoint(source, name, work)
    if PDF_MARK not in head[:1024]:
        raise Invalid(
            N_("“%(file)s”不是课件：请上传 PDF、演示文稿或三分屏压缩包"), code="courseware", file=name
        )
    return _of_pdf(source, name, work)


def _of_pdf(source: Path, name: str, work: Path) -> Made:
    pages = documents.render_pdf(source, _folder(work, "pages"), name).files
    film = work / "film.avi"
    try:
        slideshow.write(film, pages, width=WIDTH, height=HEIGHT, page_ms=courseware.PAGE_MS)
    except ValueError as error:
        raise Invalid(N_("“%(file)s”的页面太大，打不开"), code="too_large", file=name) from error
    return Made(film, tuple((page, at * courseware.PAGE_MS, "") for at, page in enumerate(pages)))


def _of_powerpoint(source: Path, name: str, work: Path) -> Made:
    return _of_pdf(documents.powerpoint_to_pdf(source, _folder(work, "office"), name), name, work)


def _of_folder(archive: Archive, name: str, work: Path) -> Made:
    """三分屏: film, slides and when each is shown."""
    found = courseware.read_folder(archive.names, _indexes(archive), file=name)
    film = work / "film"
    archive.unpack(found.film, film)
    slides = _unpacked(archive, [page.file for page in found.pages], _folder(work, "slides"))
    pages = documents.render_slides(slides, _folder(work, "pages"), name).files
    return Made(
        film,
        tuple((path, page.at_ms, page.title) for path, page in zip(pages, found.pages, strict=True)),
    )


def _indexes(archive: Archive) -> dict[str, str]:
    texts = {}
    for name in archive.names:
        if name.lower().endswith(courseware.INDEXES):
            data = archive.read(name, courseware.MAX_INDEX)
            if b"\0" not in data[:1024] or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
                texts[name] = decode_text(data, name)
    return texts


def _unpacked(archive: Archive, names: Sequence[str], folder: Path) -> list[Path]:
    """The files of these names, each once; a slide may be shown several times."""
    places = {name: folder / f"{at:04}" for at, name in enumerate(dict.fromkeys(names))}
    for name, place in places.items():
        archive.unpack(name, place)
    return [places[name] for name in names]


def _folder(work: Path, name: str) -> Path:
    folder = work / name
    folder.mkdir()
    return folder
