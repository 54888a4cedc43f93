"""How names and rows of the tree are read."""

from __future__ import annotations

import pytest

from server.regions.codes import Row, parent_code, read_rows, short_name

HEADING = "code,parent,level,name"


@pytest.mark.parametrize(
    ("official", "written"),
    [
        ("曲阳桥村民委员会", "曲阳桥村"),
        ("解放路社区居民委员会", "解放路社区"),
        ("西大街居民委员会", "西大街居委会"),
        ("正定县", "正定县"),
        ("村民委员会", "村民委员会"),
    ],
)
def test_a_place_is_written_as_people_write_it(official: str, written: str) -> None:
    assert short_name(official) == written


def test_the_parent_is_one_level_up() -> None:
    codes = ["130123105201", "130123105", "130123", "1301", "13"]
    assert [parent_code(code) for code in codes] == [*codes[1:], None]


def test_rows_are_read_with_their_parents() -> None:
    rows = list(read_rows([HEADING, "13,,province,河北省", "1301,13,city,石家庄市"]))
    assert rows == [Row("13", None, "province", "河北省"), Row("1301", "13", "city", "石家庄市")]


@pytest.mark.parametrize(
    "line",
    [
        "1301,13,county,石家庄市",
        "1301,,city,石家庄市",
        "1301,14,city,石家庄市",
        "13011,13,city,石家庄市",
        "130１,13,city,石家庄市",
        "1301,13,city, ",
        "1301,13,city",
        "1301,13,city,石家庄市,more",
    ],
)
def test_a_row_that_does_not_fit_is_named_by_its_line(line: str) -> None:
    with pytest.raises(ValueError, match="line 3"):
        list(read_rows([HEADING, "13,,province,河北省", line]))


def test_a_file_with_another_heading_is_refused() -> None:
    with pytest.raises(ValueError, match="heading"):
        list(read_rows(["name,code", "河北省,13"]))
