"""Packed folders from outside: looked through before anything is written, then unpacked within strict bounds."""

from __future__ import annotations

import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from server.errors import Invalid
from server.i18n import N_

MAX_ENTRIES = 3_000
MAX_BYTES = 8 * 1024**3
MAX_RATIO = 200
"""Beyond this and a megabyte an entry is a bomb: neither films nor pictures pack so well."""
CHUNK = 1024 * 1024
UTF8_NAME = 0x800


class Archive:
    """A zip file whose entries were found harmless. ``names`` are clean relative paths."""

    def __init__(self, path: Path, file: str) -> None:
        """Raises Invalid naming ``file`` and what is wrong."""
        self._file = file
        try:
            self._zip = zipfile.ZipFile(path)
            entries = [entry for entry in self._zip.infolist() if not entry.is_dir()]
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise Invalid(N_("压缩包“%(file)s”已损坏或不完整"), code="archive", file=file) from error
        self._check(entries)
        self._entries = {_name(entry): entry for entry in entries}
        for name in self._entries:
            if not _is_clean(name):
                raise Invalid(N_("压缩包“%(file)s”里有不安全的文件名"), code="archive", file=file)

    def _check(self, entries: list[zipfile.ZipInfo]) -> None:
        whole = sum(entry.file_size for entry in entries)
        if len(entries) > MAX_ENTRIES or whole > MAX_BYTES:
            raise Invalid(N_("压缩包“%(file)s”展开后太大"), code="archive_bomb", file=self._file)
        for entry in entries:
            if entry.file_size > CHUNK and entry.file_size > MAX_RATIO * max(1, entry.compress_size):
                raise Invalid(N_("压缩包“%(file)s”展开后太大"), code="archive_bomb", file=self._file)
            if entry.flag_bits & 0x1:
                raise Invalid(
                    N_("压缩包“%(file)s”有密码，请去掉密码后再上传"), code="archive", file=self._file
                )
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise Invalid(N_("压缩包“%(file)s”里有不安全的文件名"), code="archive", file=self._file)

    @property
    def names(self) -> list[str]:
        return list(self._entries)

    def read(self, name: str, most: int) -> bytes:
        """The first ``most`` bytes of an entry. Raises Invalid."""
        try:
            with self._zip.open(self._entries[name]) as source:
                return source.read(most)
        except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError, zlib.error) as error:
            raise self._damaged(name) from error

    def unpack(self, name: str, target: Path) -> None:
        """Write an entry to ``target``, never more than it said it has. Raises Invalid."""
        entry, written = self._entries[name], 0
        try:
            with self._zip.open(entry) as source, target.open("xb") as file:
                while chunk := source.read(CHUNK):
                    written += len(chunk)
                    if written > entry.file_size:
                        raise self._damaged(name)
                    file.write(chunk)
        except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, zlib.error) as error:
            raise self._damaged(name) from error
        if written != entry.file_size:
            raise self._damaged(name)

    def _damaged(self, name: str) -> Invalid:
        return Invalid(N_("压缩包“%(file)s”里的 %(name)s 已损坏"), code="archive", file=self._file, name=name)

    def close(self) -> None:
        self._zip.close()


def _name(entry: zipfile.ZipInfo) -> str:
    """The path, as Chinese Windows packs it: GBK without saying so."""
    name = entry.filename.replace("\\", "/")
    if entry.flag_bits & UTF8_NAME:
        return name
    try:
        return name.encode("cp437").decode("gb18030")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return name


def _is_clean(name: str) -> bool:
    path = PurePosixPath(name)
    return (
        not path.is_absolute()
        and ".." not in path.parts
        and "\0" not in name
        and len(name) < 500
        and ":" not in name
    )
