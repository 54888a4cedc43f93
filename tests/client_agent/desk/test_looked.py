"""Commands on the station's book: a forgotten PIN, and whether the log is whole."""

from __future__ import annotations

import json
import sqlite3

import pytest

from client_agent.book import Book
from client_agent.cli import main
from client_agent.clock import read_machine
from client_agent.desk.log_lines import LogKind
from client_agent.desk.logbook import Logbook
from client_agent.desk.people import People
from protocol.batch import ClockState
from tests.client_agent.station import Station

NOW_MS = 1_795_320_000_000


@pytest.fixture
def folder(tmp_path):
    """A station whose administrator A has a PIN and whose log has two lines."""
    station = Station(tmp_path / "station", NOW_MS)
    book = Book(station.paths.book)
    People(book, read_machine).keep("A", "张三", "2580")
    log = Logbook(book, lambda: (NOW_MS, ClockState.KNOWN))
    for title in ("A 张三", "A 张三丰"):
        log.write(LogKind.EVENT, reason="person", title=title)
    book.close()
    return station.folder


def test_a_technician_takes_a_forgotten_pin_away_and_types_a_name(folder, capsys):
    assert main(["people", "--data", str(folder), "--reset", "A", "--name", "A", "张三丰", "--json"]) == 0
    [person] = json.loads(capsys.readouterr().out)["people"]
    assert person == {"post": "A", "name": "张三丰", "pin": False, "wait_ms": 0}


def test_a_person_that_is_not_there_is_refused_in_one_line(folder, capsys):
    assert main(["people", "--data", str(folder), "--reset", "B"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_doctor_tells_of_an_altered_log(folder, capsys):
    main(["doctor", "--data", str(folder), "--json"])
    assert "收看记录" not in capsys.readouterr().out
    with sqlite3.connect(folder / "book.sqlite") as book:
        book.execute("UPDATE log SET line = replace(CAST(line AS TEXT), '张三丰', '李四') WHERE n = 2")
    assert main(["doctor", "--data", str(folder), "--json"]) == 1
    assert "收看记录第 2 行" in capsys.readouterr().out
