"""Sending over real sockets: lines that break, servers that restart, files that were half sent."""

from __future__ import annotations

import hashlib
import random
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from server.catalog import sending, uploads
from server.catalog.models import Asset, UploadPart
from server.client import ApiClient, ApiError, ServerAway
from server.db import Database
from server.errors import UsageError

Bearer = Callable[[str], dict[str, str]]
PART = 8 * 1024 * 1024
FILM = random.Random(7).randbytes(2 * PART + 1_000)


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What is looked at here is the line, not SQL: test_uploads.py and test_api.py run on both databases."""
    return sqlite_url


@pytest.fixture
def token(bearer: Bearer) -> str:
    return bearer("county")["Authorization"].removeprefix("Bearer ")


@pytest.fixture
def api(server: Any, token: str) -> ApiClient:
    return ApiClient(server.url, token)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "用电.mp4"
    path.write_bytes(FILM)
    return path


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "RETRY_AFTER_S", (0.05,) * 40)


def stored(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(select(Asset.sha256)))


def arrived(database: Database) -> list[int]:
    with database.read() as session:
        return list(session.scalars(select(UploadPart.number).order_by(UploadPart.number)))


def test_a_file_is_sent_and_its_progress_told(api: ApiClient, film: Path, database: Database) -> None:
    told: list[tuple[int, int]] = []
    sent = sending.send_file(api, film, lambda done, size: told.append((done, size)))
    assert stored(database) == [hashlib.sha256(FILM).hexdigest()] == [sent["asset"]["sha256"]]
    assert told == [(PART, len(FILM)), (2 * PART, len(FILM)), (len(FILM), len(FILM))]


def test_the_same_file_again_is_recognised(api: ApiClient, film: Path, database: Database) -> None:
    first = sending.send_file(api, film)
    again = sending.send_file(api, film)
    assert again["asset"]["known"]
    assert again["asset"]["id"] == first["asset"]["id"]


def start_by_hand(api: ApiClient, film: Path) -> str:
    """An upload whose first part arrived; its id."""
    upload = api.post("/api/v1/uploads", {"filename": film.name, "size": len(FILM)})["id"]
    api.put(f"/api/v1/uploads/{upload}/parts/1", FILM[:PART])
    return str(upload)


def send_half_a_part(server: Any, token: str, upload: str, number: int, data: bytes) -> None:
    """Promise a whole part, send some of it, and let the line break."""
    with socket.create_connection(("127.0.0.1", server.port)) as line:
        head = (
            f"PUT /api/v1/uploads/{upload}/parts/{number} HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Bearer {token}\r\nContent-Length: {PART}\r\n\r\n"
        )
        line.sendall(head.encode() + data)


def test_a_broken_line_leaves_an_upload_that_is_taken_up_again(
    api: ApiClient, server: Any, token: str, film: Path, database: Database
) -> None:
    upload = start_by_hand(api, film)
    send_half_a_part(server, token, upload, 2, FILM[PART : PART + 300_000])
    sent = sending.send_file(api, film)
    assert sent["upload"] == upload
    assert stored(database) == [hashlib.sha256(FILM).hexdigest()]


def test_a_line_broken_in_a_part_that_had_arrived_takes_that_part_back(
    api: ApiClient, server: Any, token: str, film: Path, database: Database
) -> None:
    upload = start_by_hand(api, film)
    send_half_a_part(server, token, upload, 1, b"something else")
    deadline = time.monotonic() + 20
    while arrived(database) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert arrived(database) == []
    sending.send_file(api, film)
    assert stored(database) == [hashlib.sha256(FILM).hexdigest()]


def test_a_restart_in_the_middle_is_waited_out(
    api: ApiClient, server: Any, film: Path, database: Database
) -> None:
    restarts: list[threading.Thread] = []

    def restart(done: int, _size: int) -> None:
        if done == PART:
            server.stop()
            restarts.append(threading.Timer(0.2, server.start))
            restarts[0].start()

    sending.send_file(api, film, restart)
    restarts[0].join()
    assert stored(database) == [hashlib.sha256(FILM).hexdigest()]


def test_a_server_that_stays_away_is_said_so(
    token: str, film: Path, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "RETRY_AFTER_S", ())
    with pytest.raises(ServerAway):
        sending.send_file(ApiClient(f"http://127.0.0.1:{free_port}", token), film)


def test_another_file_of_the_same_name_and_size_is_sent_whole(
    api: ApiClient, film: Path, database: Database
) -> None:
    start_by_hand(api, film)
    other = bytes(len(FILM))
    film.write_bytes(other)
    sending.send_file(api, film)
    assert stored(database) == [hashlib.sha256(other).hexdigest()]


def test_a_part_damaged_on_the_servers_disk_is_sent_anew(
    api: ApiClient, server: Any, film: Path, database: Database
) -> None:
    upload = start_by_hand(api, film)
    with uploads.open_path(server.config.uploads, upload).open("r+b") as file:
        file.write(b"damage")
    assert sending.send_file(api, film)["upload"] == upload
    assert stored(database) == [hashlib.sha256(FILM).hexdigest()]


def test_an_empty_file_is_refused_by_the_server_in_words(api: ApiClient, tmp_path: Path) -> None:
    empty = tmp_path / "空.mp4"
    empty.touch()
    with pytest.raises(ApiError, match=r"空\.mp4") as refusal:
        sending.send_file(api, empty)
    assert refusal.value.code == "empty"


def test_what_is_no_file_is_wrong_usage(api: ApiClient, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.mp4"):
        with pytest.raises(UsageError):
            sending.send_file(api, path)
