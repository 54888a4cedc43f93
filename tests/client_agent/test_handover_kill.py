"""The power goes while a terminal takes over or keeps a photo: afterwards everything is there, or nothing, and a second
try brings the rest."""

from __future__ import annotations

import json

import pytest

from client_agent.book import Book
from client_agent.handover import Carrier
from client_agent.phone.people import People
from protocol.batch import EvidenceKind, Fault
from tests.client_agent.faults import agent_process, injected
from tests.client_agent.test_handover import NEW_TERMINAL, PHOTO, make, write_line

MOMENTS = [
    ("fdatasync", 2),
    ("fdatasync", 4),
    ("fsync", 1),
    ("fsync", 2),
    ("pwrite64", 25),
    ("rename", 1),
    ("unlink", 6),
]
EVERY = [
    (call, when) for call in ("fdatasync", "fsync", "pwrite64", "rename", "unlink") for when in range(1, 30)
]


def stick_of(tmp_path, province):
    """An old terminal's stick and its phrase."""
    folder = tmp_path / "stick"
    folder.mkdir()
    old = make(tmp_path, province, "old")
    for n in range(3):
        old.outbox.append(Fault, code="no_signal", text=f"old {n}")
    write_line(old, "看了两场")
    old.people.add([("赵一", True), ("钱二", False)])
    old.evidence.keep(EvidenceKind.PHOTO, PHOTO, session="s")
    phrase = old.export(folder).phrase
    old.close()
    return folder, phrase


def standing(data) -> tuple[int, int, int, int]:
    """(names, lines of the log, batches, files) that the book speaks of; each file is whole."""
    book = Book(data / "book.sqlite")
    people = len(People(book).everybody())
    batches = Carrier.count(book)
    tables = {name for (name,) in book.rows("SELECT name FROM sqlite_master")}
    lines = book.rows("SELECT count(*) FROM log")[0][0] if "log" in tables else 0
    files = [sha256 for (sha256,) in book.rows("SELECT sha256 FROM evidence")] if "evidence" in tables else []
    book.close()
    for sha256 in files:
        assert (data / "evidence" / sha256).read_bytes() == PHOTO
    return people, lines, batches, len(files)


@pytest.mark.parametrize(
    ("call", "when"),
    [*MOMENTS, *(pytest.param(*one, marks=pytest.mark.full) for one in EVERY if one not in MOMENTS)],
)
def test_killed_while_taking_over_it_is_all_there_or_nothing_and_a_second_try_ends_it(
    tmp_path, province, call, when
):
    folder, phrase = stick_of(tmp_path, province)
    make(tmp_path, province, "new", NEW_TERMINAL).close()
    data = tmp_path / "new"
    words = ("handover", "restore", str(folder), "--phrase", phrase)
    killed = agent_process(*words, data=data, under=injected(call, "signal=SIGKILL", when))
    killed.communicate(timeout=120)
    assert standing(data) in ((0, 0, 0, 0), (2, 1, 1, 1))
    again = agent_process(*words, "--json", data=data)
    said, error = again.communicate(timeout=120)
    assert again.returncode == 0 or b"already" in error, error
    assert standing(data) == (2, 1, 1, 1)
    assert [path for path in data.iterdir() if path.name.startswith("handover")] == []
    if again.returncode == 0:
        assert json.loads(said)["people"] == 2
