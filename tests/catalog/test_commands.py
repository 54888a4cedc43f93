"""``yuanbo catalog …`` against a running server, as a script would use it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from server import clock
from server.catalog import commands, renditions
from server.catalog.renditions import NewRendition
from server.cli import main
from server.db import Database

Bearer = Callable[[str], dict[str, str]]
SHA = "ab" * 32
REFUSAL = ("not_media", "文件“坏.mp4”被拒收：不是可识别的音视频文件。", "File “坏.mp4” was refused.")


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What is looked at here is the line, not SQL: test_uploads.py and test_api.py run on both databases."""
    return sqlite_url


@pytest.fixture
def yuanbo(
    server: Any, bearer: Bearer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """``yuanbo("county", "catalog", "list")``: exit status, stdout, stderr."""
    monkeypatch.setattr(commands, "POLL_S", 0.02)
    monkeypatch.delenv("YUANBO_SERVER", raising=False)

    def run(username: str, *words: str) -> tuple[int, str, str]:
        token = bearer(username)["Authorization"].removeprefix("Bearer ")
        status = main([*words, "--server", server.url, "--token", token])
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.fixture
def worker(database: Database) -> Iterator[None]:
    """Stands where the transcoder does: a file that begins with ``film`` is encoded, any other is refused."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.02):
            with database.write() as session:
                for asset in renditions.claim_uploaded(session):
                    finish(session, asset)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stop.set()
    thread.join()


def finish(session: Any, asset: renditions.UploadedAsset) -> None:
    if asset.filename.startswith("坏"):
        renditions.record_refused(session, asset.id, *REFUSAL)
        return
    rendition = NewRendition(
        profile="360p", profile_version=1, sha256=SHA, length=1_000, pieces_root=SHA,
        width=640, height=360, bitrate=400_000, duration_ms=5_000,
    )  # fmt: skip
    renditions.record_ready(session, asset.id, [rendition], [], 5_000, {}, now=clock.now())


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "用电.mp4"
    path.write_bytes(b"film" * 1_000)
    return path


ADD = ("--title", "农村安全用电", "--section", "科普健康")


def test_a_programme_is_added_and_printed_with_its_renditions(yuanbo: Any, worker: None, film: Path) -> None:
    status, out, err = yuanbo("county", "catalog", "add", str(film), *ADD, "--wait", "--json")
    assert (status, err) == (0, "")
    programme = json.loads(out)
    assert (programme["title"], programme["region"], programme["state"]) == (
        "农村安全用电",
        "130123",
        "draft",
    )
    (rendition,) = programme["renditions"]
    assert {"profile", "sha256", "bytes", "width", "height", "duration_ms", "bitrate"} <= rendition.keys()
    assert (rendition["sha256"], rendition["bytes"]) == (SHA, 1_000)


def test_without_json_it_is_readable(yuanbo: Any, worker: None, film: Path) -> None:
    status, out, _ = yuanbo("county", "catalog", "add", str(film), *ADD, "--wait")
    assert status == 0
    assert "农村安全用电" in out
    assert "640×360" in out
    assert SHA in out


def test_the_whole_chain_runs_from_the_command_line(yuanbo: Any, worker: None, film: Path) -> None:
    _, out, _ = yuanbo("county", "catalog", "add", str(film), *ADD, "--wait", "--json")
    programme = json.loads(out)["id"]
    assert yuanbo("county", "catalog", "submit", programme)[0] == 0
    for stage in ("first", "second", "final"):
        status, out, err = yuanbo(
            stage, "catalog", "review", programme, "--stage", stage, "--approve", "--json"
        )
        assert (status, err) == (0, "")
    assert json.loads(out)["state"] == "released"
    _, out, _ = yuanbo("admin", "catalog", "list", "--state", "released", "--json")
    assert [item["id"] for item in json.loads(out)["items"]] == [programme]
    _, out, _ = yuanbo("admin", "catalog", "show", programme)
    assert "released" in out


def test_a_returned_edition_names_its_reason(yuanbo: Any, film: Path) -> None:
    _, out, _ = yuanbo("county", "catalog", "add", str(film), *ADD, "--json")
    edition = json.loads(out)["edition"]
    yuanbo("county", "catalog", "submit", edition)
    review = ("catalog", "review", edition, "--stage", "first", "--return")
    status, _, err = yuanbo("first", *review)
    assert (status, err) == (1, "yuanbo: 退回时请写明原因\n")
    assert yuanbo("first", *review, "--comment", "声音太小")[0] == 0


def test_a_refused_file_ends_with_its_reason_in_one_line(yuanbo: Any, worker: None, tmp_path: Path) -> None:
    bad = tmp_path / "坏.mp4"
    bad.write_bytes(b"MZ\x90\x00" * 100)
    words = ("catalog", "add", str(bad), *ADD, "--wait")
    status, out, err = yuanbo("county", *words)
    assert (status, out, err) == (1, "", f"yuanbo: {REFUSAL[1]}\n")
    status, out, err = yuanbo("county", *words, "--json")
    answer = json.loads(out)
    assert status == 1
    assert (answer["job"]["state"], answer["job"]["error"]["code"]) == ("refused", "not_media")
    assert answer["renditions"] == []


REFUSALS = {
    ("--title", "x", "--section", "不存在"): "没有板块“不存在”",
    ("--title", "", "--section", "kepu"): "请填写节目名称",
    ("--title", "x", "--section", "kepu", "--region", "130131"): "没有这项权限",
    ("--title", "x", "--section", "kepu", "--department", "x"): "没有资源单位",
}


def test_what_the_server_refuses_is_said_in_one_line(yuanbo: Any, film: Path) -> None:
    for words, said in REFUSALS.items():
        status, out, err = yuanbo("county", "catalog", "add", str(film), *words)
        assert (status, out) == (1, "")
        assert said in err
        assert err.count("\n") == 1


def test_a_missing_file_or_server_is_wrong_usage(
    yuanbo: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, _, err = yuanbo("county", "catalog", "add", str(tmp_path / "no.mp4"), *ADD)
    assert status == 2
    assert "no.mp4" in err
    monkeypatch.delenv("YUANBO_TOKEN", raising=False)
    assert main(["catalog", "list"]) == 2
    assert "--server" in capsys.readouterr().err


def test_a_wrong_token_is_said_so(server: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalog", "list", "--server", server.url, "--token", "nonsense"]) == 1
    assert capsys.readouterr().err == "yuanbo: 请先登录\n"
