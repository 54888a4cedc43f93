"""The read plane's process: files as they are, byte ranges, how long to keep them, and nothing else."""

from __future__ import annotations

import hashlib

import pytest
from werkzeug.test import Client

from server import config as settings
from server.readplane_process import create_app

CONTENT = b"\x00\x00\x00\x18ftypisom" + bytes(range(256)) * 8
NAME = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def client(tmp_path):
    config = settings.load(tmp_path / "data", environ={})
    config.make_folders()
    (config.media / "m" / NAME).write_bytes(CONTENT)
    (config.media / "p" / NAME).write_bytes(b"\x01" * 32)
    metadata = config.read / "r" / "metadata"
    (metadata / "timestamp.json").write_text("{}")
    (metadata / "1.root.json").write_text("{}")
    target = config.read / "r" / "targets" / "local" / "1301"
    target.mkdir(parents=True)
    (target / f"{NAME}.130123.json").write_text("{}")
    (config.keys / "policy.key").write_text("secret")
    (config.read / "r" / "metadata" / ".timestamp.json.0a1b.part").write_text("half")
    return Client(create_app(config))


def test_what_a_name_fixes_may_be_kept_for_ever_and_the_timestamp_not_at_all(client):
    for path in (
        f"/m/{NAME}",
        f"/p/{NAME}",
        "/r/metadata/1.root.json",
        f"/r/targets/local/1301/{NAME}.130123.json",
    ):
        assert "immutable" in client.get(path).headers["Cache-Control"], path
    assert client.get("/r/metadata/timestamp.json").headers["Cache-Control"] == "no-cache"


def test_a_root_that_is_not_there_yet_is_a_short_lived_plain_404(client):
    response = client.get("/r/metadata/2.root.json")

    assert response.status_code == 404
    assert response.mimetype == "text/plain"
    assert response.headers["Cache-Control"] == "public, max-age=30"


def test_one_byte_range_is_answered_with_exactly_those_bytes(client):
    response = client.get(f"/m/{NAME}", headers={"Range": "bytes=100-199"})

    assert response.status_code == 206
    assert response.data == CONTENT[100:200]
    assert response.headers["Content-Range"] == f"bytes 100-199/{len(CONTENT)}"


@pytest.mark.parametrize(("asked", "begin"), [("bytes=-5", -5), (f"bytes={len(CONTENT) - 5}-", -5)])
def test_the_end_of_a_file_can_be_asked_for(client, asked, begin):
    assert client.get(f"/m/{NAME}", headers={"Range": asked}).data == CONTENT[begin:]


def test_a_range_beyond_the_end_is_refused(client):
    response = client.get(f"/m/{NAME}", headers={"Range": f"bytes={len(CONTENT)}-"})

    assert response.status_code == 416
    assert response.headers["Content-Range"] == f"bytes */{len(CONTENT)}"


def test_several_ranges_at_once_get_the_whole_file(client):
    response = client.get(f"/m/{NAME}", headers={"Range": "bytes=0-1,5-6"})

    assert response.status_code == 200
    assert response.data == CONTENT


def test_a_file_that_the_asker_has_is_not_sent_again(client):
    tag = client.get(f"/m/{NAME}").headers["ETag"]

    assert client.get(f"/m/{NAME}", headers={"If-None-Match": tag}).status_code == 304


def test_a_page_of_the_console_may_play_media_and_read_nothing_else(client):
    assert client.get(f"/m/{NAME}").headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Origin" not in client.get("/r/metadata/timestamp.json").headers


def test_media_say_what_they_are(client):
    assert client.get(f"/m/{NAME}").mimetype == "video/mp4"
    assert client.get(f"/p/{NAME}").mimetype == "application/octet-stream"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/m/",
        "/m/..%2f..%2fkeys%2fpolicy.key",
        "/m/../../keys/policy.key",
        "/r/metadata/../../../keys/policy.key",
        "/r/metadata/.timestamp.json.0a1b.part",
        "/r/targets/",
        "/keys/policy.key",
        f"/m/{NAME}/",
        f"/m/{NAME[:-1]}\n",
    ],
)
def test_no_path_leads_out_of_the_served_folders(client, path):
    response = client.get(path)

    assert response.status_code == 404
    assert b"secret" not in response.data


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_written(client, method):
    response = client.open("/r/metadata/timestamp.json", method=method)

    assert response.status_code == 405
    assert response.mimetype == "text/plain"


def test_head_tells_the_length_without_the_bytes(client):
    response = client.head(f"/m/{NAME}")

    assert response.headers["Content-Length"] == str(len(CONTENT))
    assert response.data == b""
