"""What `up` refuses before anything is made."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from server.console import up
from server.errors import UsageError


def test_a_disk_without_room_is_said_and_nothing_is_left(
    tmp_path: Path, free_ports: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(up, "SPACE_NEEDED", 10**18)
    with pytest.raises(UsageError, match="空间不足"):
        up.run(tmp_path / "new" / "data", free_ports, demo=False)
    assert not (tmp_path / "new" / "data").exists()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path, free_ports: int) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="不能写入"):
        up.run(tmp_path / "file" / "data", free_ports, demo=False)


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_any_of_the_three_ports_being_taken_is_said(tmp_path: Path, free_ports: int, taken: int) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", free_ports + taken))
        holder.listen()
        with pytest.raises(UsageError, match=str(free_ports + taken)):
            up.run(tmp_path / "data", free_ports, demo=False)
    assert not (tmp_path / "data").exists()


def test_a_port_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="70000"):
        up.run(tmp_path / "data", 70_000, demo=False)


def test_two_on_one_folder_are_refused(tmp_path: Path) -> None:
    config = up.load(tmp_path / "data")
    with up._claimed(config), pytest.raises(UsageError, match="已在运行"):
        up._claimed(config)
