"""The administrative tree on both databases."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from server.db import Database
from server.errors import Invalid, NotFound
from server.regions import service

SMALL = """\
code,parent,level,name
13,,province,河北省
1301,13,city,石家庄市
1302,13,city,唐山市
130123,1301,county,正定县
130227,1302,county,迁西县
130123105,130123,township,曲阳桥镇
130227105,130227,township,三屯营镇
130123105201,130123105,village,曲阳桥村民委员会
130123105202,130123105,village,上曲阳村民委员会
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.csv"
    path.write_text(SMALL, encoding="utf-8")
    return path


@pytest.fixture
def session(database: Database, small: Path) -> Iterator[Session]:
    with database.write() as writing:
        service.import_tree(writing, small)
    with database.read() as reading:
        yield reading


def test_the_whole_province_is_imported_once_and_again_changes_nothing(database: Database) -> None:
    with database.write() as session:
        assert service.import_tree(session) == service.Imported(total=56_712, added=56_712, renamed=0)
    with database.write() as session:
        again = service.import_tree(session)
        assert again == service.Imported(total=56_712, added=0, renamed=0)
        assert not again
    with database.read() as session:
        assert len(service.children(session, "13")) == 11
        assert service.full_name(session, "130123105201") == "河北省石家庄市正定县曲阳桥镇曲阳桥村"


def test_a_newer_tree_adds_and_renames_and_deletes_nothing(database: Database, small: Path) -> None:
    with database.write() as session:
        service.import_tree(session, small)
    newer = SMALL.replace("130227105,130227,township,三屯营镇\n", "").replace("迁西县", "迁西区")
    small.write_text(newer + "1303,13,city,秦皇岛市\n", encoding="utf-8")
    with database.write() as session:
        assert service.import_tree(session, small) == service.Imported(total=9, added=1, renamed=1)
    with database.read() as session:
        assert service.get(session, "130227").name == "迁西区"
        assert service.get(session, "130227105").name == "三屯营镇"


def test_parents_are_stored_before_children_whatever_the_order(database: Database, tmp_path: Path) -> None:
    heading, *rows = SMALL.strip().split("\n")
    path = tmp_path / "turned.csv.gz"
    path.write_bytes(gzip.compress("\n".join([heading, *reversed(rows)]).encode()))
    with database.write() as session:
        assert service.import_tree(session, path).added == 9


@pytest.mark.parametrize("content", [b"no,tree\n", b"code,parent,level,name\n1301,13,city\n", b"\xff\xfe"])
def test_a_broken_file_is_refused_by_name_and_leaves_nothing(
    sqlite_url: str, tmp_path: Path, content: bytes
) -> None:
    database, path = Database(sqlite_url), tmp_path / "broken.csv"
    path.write_bytes(content)
    with pytest.raises(Invalid, match=r"broken\.csv"), database.write() as session:
        service.import_tree(session, path)
    with database.read() as session:
        assert service.find(session, "13") is None


def test_a_cut_off_archive_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(gzip.compress(SMALL.encode())[:-20])
    with pytest.raises(Invalid, match=r"cut\.csv\.gz"), Database(sqlite_url).write() as session:
        service.import_tree(session, path)


def test_children_are_listed_by_code_and_paged(session: Session) -> None:
    assert [r.code for r in service.children(session, None)] == ["13"]
    assert [r.code for r in service.children(session, "13", limit=1)] == ["1301"]
    assert [r.code for r in service.children(session, "13", after="1301")] == ["1302"]


def test_an_unknown_place_is_not_found(session: Session) -> None:
    for code in ("99", "130199", "", "x", "' or 1=1"):
        with pytest.raises(NotFound):
            service.path_of(session, code)


def test_full_names_of_many_places_leave_unknown_ones_out(session: Session) -> None:
    assert service.full_names(session, ["130123105202", "130227", "99", "nonsense"]) == {
        "130123105202": "河北省石家庄市正定县曲阳桥镇上曲阳村",
        "130227": "河北省唐山市迁西县",
    }


FOUND = {
    "曲阳": ["130123105", "130123105201", "130123105202"],
    "正定 曲阳桥": ["130123105", "130123105201"],
    "唐山 曲阳桥": [],
    "正定县曲阳桥镇": ["130123105"],
    "河北省石家庄市正定县曲阳桥镇曲阳桥村": ["130123105201"],
    "曲阳桥镇上曲阳": ["130123105202"],
    "130227": ["130227", "130227105"],
    "%": [],
    "_": [],
    "": [],
    "   ": [],
    "火星": [],
}


def test_places_are_found_by_name_code_and_written_path(session: Session) -> None:
    found = {text: [region.code for region in service.search(session, text)] for text in FOUND}
    assert found == FOUND


def test_a_search_stays_within_a_region(session: Session) -> None:
    assert service.search(session, "三屯营", within="1301") == []
    assert [r.code for r in service.search(session, "三屯营", within="1302")] == ["130227105"]
