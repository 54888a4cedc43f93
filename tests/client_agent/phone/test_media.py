"""Photos, spoken and written minutes of a session, from a phone."""

from __future__ import annotations

import hashlib

import pytest

from client_agent.errors import StorageFailed
from protocol.batch import Evidence, EvidenceKind, Minutes

JPEG = b"\xff\xd8\xff\xe0" + b"picture" * 1_000
WEBM = b"\x1a\x45\xdf\xa3\x01\x00\x00\x00\x00\x00\x00\x1f\x42\x82\x84webm" + b"sound" * 1_000


def test_a_photo_and_spoken_minutes_are_kept_with_their_session_and_told(village):
    phone = village.scan()
    session = phone.state()["session"]["id"]
    assert phone.file("photo", JPEG)[0] == 200
    status, answer = phone.file("voice", WEBM, "audio/webm")
    assert (status, answer["session"]["kept"]) == (200, {"photo": 1, "voice": 1})
    told = [(e.what, e.session, e.sha256, e.media_type) for e in village.records(Evidence)]
    assert told == [
        (EvidenceKind.PHOTO, session, hashlib.sha256(JPEG).hexdigest(), "image/jpeg"),
        (EvidenceKind.MINUTES_AUDIO, session, hashlib.sha256(WEBM).hexdigest(), "audio/webm"),
    ]


def test_the_same_photo_sent_again_is_kept_once(village):
    phone = village.scan()
    for _ in range(2):
        assert phone.file("photo", JPEG)[1]["session"]["kept"]["photo"] == 1
    assert len(village.records(Evidence)) == 1


@pytest.mark.parametrize(
    ("path", "data", "content_type", "status", "error"),
    [
        ("photo", b"<html><script>alert(1)</script>", "image/jpeg", 415, "type"),
        ("photo", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", 415, "type"),
        ("photo", JPEG, "multipart/form-data", 415, "type"),
        ("photo", JPEG, "text/plain", 415, "type"),
        ("photo", WEBM, "audio/webm", 415, "type"),
        ("voice", JPEG, "image/jpeg", 415, "type"),
        ("voice", b"#!AMR\n" + bytes(100), "audio/amr", 415, "type"),
        ("photo", b"", "image/jpeg", 415, "empty"),
        ("photo", JPEG + bytes(400_000), "image/jpeg", 413, "length"),
    ],
)
def test_what_is_no_photo_or_recording_is_refused_whatever_it_is_called(
    village, path, data, content_type, status, error
):
    phone = village.scan()
    assert phone.file(path, data, content_type) == (status, {"error": error})
    assert village.records(Evidence) == []


def test_a_file_of_no_session_of_ours_or_without_the_secret_is_refused(village):
    phone = village.scan()
    assert phone.file("photo", JPEG, session="01890000-0000-7000-8000-000000000009")[0] == 409
    assert phone.file("photo", JPEG, session="")[0] == 409
    assert phone.file("photo", JPEG, **{"Yuanbo-Secret": "x" * 16})[0] == 403
    assert phone.file("photo", JPEG, Origin="http://evil.example")[0] == 403
    assert village.records(Evidence) == []


def test_minutes_are_written_once_and_also_after_the_session(village, deed):
    phone = village.scan()
    session = phone.state()["session"]["id"]
    village.do("begin")
    village.do("stop")
    village.do("finish")
    body = {"deed": deed(), "session": session, "text": " 讨论了春灌的轮次。\n第一组先浇。 "}
    for _ in range(2):
        assert phone.post("minutes", body)[0] == 200
    [minutes] = village.records(Minutes)
    assert (minutes.session, minutes.text) == (session, "讨论了春灌的轮次。\n第一组先浇。")
    assert phone.post("minutes", {**body, "deed": deed(), "text": "长" * 2_001})[0] == 400
    assert phone.post("minutes", {**body, "deed": deed(), "text": " \n"})[0] == 400
    assert phone.file("photo", JPEG, session=session)[0] == 200


def test_a_full_disk_keeps_no_half_photo_and_says_so(village, monkeypatch):
    phone = village.scan()

    def full(*_args, **_more):
        raise StorageFailed

    monkeypatch.setattr(village.helper.evidence, "_write", full)
    assert phone.file("photo", JPEG) == (507, {"error": "disk"})
    monkeypatch.undo()
    monkeypatch.setattr(village.helper.evidence, "_quota", 100)
    assert phone.file("photo", JPEG) == (507, {"error": "disk"})
    assert village.helper.evidence.total_bytes() == 0
    assert village.records(Evidence) == []
