"""The station's web server: verified bytes by ranges, to its own page only."""

from __future__ import annotations

import http.client
import json
import os
import threading
from datetime import datetime

import pytest

from client_agent import httpd, reporting
from client_agent.projector import remembered
from client_agent.ranges import Unsatisfiable, read_range
from protocol.documents import Emergency, EmergencyItem, ProgrammeKind
from protocol.pieces import PIECE_LENGTH
from protocol.times import SHANGHAI, ms_to_text, to_ms
from tests.client_agent.station import Machine, Page, Station

NOW = to_ms(datetime(2026, 11, 22, 18, 43, 10, tzinfo=SHANGHAI))
MEDIA = os.urandom(2 * PIECE_LENGTH + 777)
POSTER = b"\xff\xd8\xff\xe0" + bytes(2000)


class Served:
    """A running server and what stands behind it."""

    def __init__(self, agent, outbox, player, server):
        self.agent, self.outbox, self.player, self.server = agent, outbox, player, server
        self.port = server.server_address[1]

    def ask(self, path, method="GET", body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        data = None if body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json"} if body is not None else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body=data, headers=sent)
        answer = connection.getresponse()
        answer.data = answer.read()
        connection.close()
        return answer

    def json(self, path, method="GET", body=None):
        answer = self.ask(path, method, body)
        return json.loads(answer.data)


@pytest.fixture
def station(tmp_path):
    made = Station(tmp_path / "station", NOW)
    made.wheat = made.add("冬小麦返青管理", "nongji", 60_000, MEDIA, POSTER)
    made.fraud = made.add("防电信诈骗", "fazhi", 30_000, MEDIA[:5000])
    made.absent = made.add("苹果冬剪", "nongji", 60_000, None)
    made.fillers = [made.ref(made.fraud)]
    made.place(made.wheat, -20)
    made.place(made.absent, 600)
    made.place(made.wheat, 1200, required=True)
    return made


@pytest.fixture
def machine():
    return Machine(NOW)


@pytest.fixture
def serve(station, machine):
    opened = []

    def start():
        station.publish()
        agent = station.open(machine)
        outbox = reporting.open_outbox(agent)
        player, server = reporting.open_tv(agent, outbox, 0)
        server.start()
        opened.append((agent, outbox, player, server))
        return Served(*opened[-1])

    yield start
    for agent, outbox, player, server in opened:
        server.stop()
        player.stop()
        outbox.close()
        agent.close()


# --- what is on --------------------------------------------------------------------------------------------------------
def test_the_page_is_told_what_is_on_at_which_offset_and_what_follows(serve, station):
    state = serve().json("/api/state")
    assert state["station"] == station.name
    assert state["clock"] == "known"
    assert (state["play"]["title"], state["play"]["offset_ms"]) == ("冬小麦返青管理", 20_000)
    assert state["play"]["ends_ms"] == NOW + 40_000
    assert state["play"]["url"] == f"/media/{station.wheat.release}/576p.mp4"
    assert state["then"]["title"] == "防电信诈骗"
    assert state["then"]["starts_ms"] == NOW + 40_000
    assert [row["title"] for row in state["upcoming"]] == ["苹果冬剪", "冬小麦返青管理"]
    assert state["tonight"] == {"wanted": 2, "ready": 1, "missing": ["苹果冬剪"]}


def test_with_an_uncertain_clock_there_is_no_time_and_no_line_but_the_library_plays(station, serve):
    station.known_clock = False
    served = serve()
    state = served.json("/api/state")
    assert (state["clock"], state["now_ms"], state["play"], state["refusal"]) == (
        "uncertain",
        None,
        None,
        "clock",
    )
    assert served.json("/api/listing") == {"day": None, "now_ms": None, "rows": []}
    refused = served.ask("/api/plays", "POST", {"mode": "linear", "release": station.wheat.release})
    assert (refused.status, json.loads(refused.data)) == (409, {"error": "clock"})
    assert (
        served.ask("/api/plays", "POST", {"mode": "library", "release": station.wheat.release}).status == 201
    )


def test_a_run_of_fillers_is_one_line_of_the_listing(serve):
    rows = serve().json("/api/listing?day=0")["rows"]
    assert [row["kind"] for row in rows] == [
        "between",
        "programme",
        "between",
        "programme",
        "between",
        "programme",
        "between",
    ]
    assert [row.get("stored") for row in rows if row["kind"] == "programme"] == [True, False, True]
    assert rows[0]["starts_ms"] < rows[0]["ends_ms"] == rows[1]["starts_ms"]


def test_the_library_is_shelved_in_the_sections_order_with_their_names(serve, station):
    sections = serve().json("/api/library")["sections"]
    assert [(s["names"]["zh"], [p["title"] for p in s["programmes"]]) for s in sections] == [
        ("农业科技", ["冬小麦返青管理", "苹果冬剪"]), ("法治课堂", ["防电信诈骗"]),
    ]  # fmt: skip
    wheat = sections[0]["programmes"][0]
    assert wheat["poster"] == f"/files/{station.wheat.release}/poster"
    assert [p["stored"] for p in sections[0]["programmes"]] == [True, False]


def test_an_emergencys_text_is_told(serve, station):
    item = EmergencyItem(
        id="e1",
        starts_at=ms_to_text(NOW - 1000),
        ends_at=ms_to_text(NOW + 60_000),
        regions=["13"],
        text="请立即转移",
    )
    station.emergency = Emergency(serial=1, items=[item])
    state = serve().json("/api/state")
    assert (state["emergency"], state["play"]) == ("请立即转移", None)


def test_a_programme_in_full(serve, station):
    served = serve()
    found = served.json(f"/api/programme?release={station.wheat.release}")
    assert (found["title"], found["refusal"], found["stored"]) == ("冬小麦返青管理", None, True)
    assert served.ask("/api/programme?release=" + "0" * 64).status == 404


# --- media -------------------------------------------------------------------------------------------------------------
def media(station):
    return f"/media/{station.wheat.release}/576p.mp4"


def test_the_whole_file_and_any_range_of_it_are_the_stored_bytes(serve, station):
    served = serve()
    whole = served.ask(media(station))
    assert (whole.status, whole.getheader("Accept-Ranges"), whole.data) == (200, "bytes", MEDIA)
    for asked, start, end in [
        ("bytes=0-0", 0, 1), ("bytes=5-9", 5, 10), ("bytes=1048570-1048580", 1048570, 1048581),
        (f"bytes={len(MEDIA) - 3}-", len(MEDIA) - 3, len(MEDIA)), ("bytes=-100", len(MEDIA) - 100, len(MEDIA)),
        ("bytes=2000000-99999999", 2000000, len(MEDIA)),
    ]:  # fmt: skip
        part = served.ask(media(station), Range=asked)
        assert part.status == 206
        assert part.getheader("Content-Range") == f"bytes {start}-{end - 1}/{len(MEDIA)}"
        assert part.data == MEDIA[start:end]


def test_a_range_beyond_the_file_is_416_and_head_sends_no_body(serve, station):
    served = serve()
    beyond = served.ask(media(station), Range=f"bytes={len(MEDIA)}-")
    assert (beyond.status, beyond.getheader("Content-Range")) == (416, f"bytes */{len(MEDIA)}")
    head = served.ask(media(station), "HEAD")
    assert (head.status, head.getheader("Content-Length"), head.data) == (200, str(len(MEDIA)), b"")


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (None, None), ("bytes=0-4", (0, 5)), ("bytes=5-", (5, 10)), ("bytes=-3", (7, 10)), ("bytes=-30", (0, 10)),
        ("bytes=0-1,4-5", None), ("items=0-1", None), ("bytes=4-2", None), ("bytes=-", None), ("rubbish", None),
    ],
)  # fmt: skip
def test_one_plain_range_is_read_and_anything_odd_is_ignored(header, span):
    assert read_range(header, 10) == span


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=-0"])
def test_a_range_without_a_byte_is_refused(header):
    with pytest.raises(Unsatisfiable):
        read_range(header, 10)


def flip(served, station, offset):
    sha256 = station.wheat.manifest.renditions[0].sha256
    with (station.paths.media / sha256).open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 1]))
    served.agent.store.trim()


def test_a_flipped_byte_in_the_first_piece_is_never_sent(serve, station):
    served = serve()
    flip(served, station, 100)
    answer = served.ask(media(station))
    assert (answer.status, json.loads(answer.data)) == (503, {"error": "not-stored"})


def test_a_flipped_byte_further_on_ends_the_answer_before_it_and_is_recorded(serve, station):
    served = serve()
    flip(served, station, PIECE_LENGTH + 5)
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
    connection.request("GET", media(station))
    answer = connection.getresponse()
    with pytest.raises(http.client.IncompleteRead) as cut:
        answer.read()
    assert cut.value.partial == MEDIA[:PIECE_LENGTH]
    assert not served.agent.store.is_complete(station.wheat.manifest.renditions[0].sha256)
    assert served.json("/api/state")["play"]["title"] == "防电信诈骗"
    data = served.outbox._db.execute("SELECT data FROM records").fetchone()[0]
    assert b"piece_corrupt" in data


def test_a_dying_disk_does_not_fill_the_outbox(serve, station, machine):
    served = serve()
    for piece in range(100):
        served.agent.store.on_corrupt("0" * 64, piece)
    assert served.outbox.length() == reporting.FAULTS_AN_HOUR
    machine.pass_s(3600)
    served.agent.store.on_corrupt("0" * 64, 1)
    assert served.outbox.length() == reporting.FAULTS_AN_HOUR + 1


def test_a_recalled_programme_is_not_sent_any_more_and_cannot_be_started(serve, station):
    served = serve()
    assert served.ask(media(station)).status == 200
    station.recall(station.wheat)
    answer = served.ask(media(station))
    assert (answer.status, json.loads(answer.data)) == (403, {"error": "recalled"})
    assert (
        served.ask("/api/plays", "POST", {"mode": "library", "release": station.wheat.release}).status == 409
    )
    assert served.ask(f"/files/{station.wheat.release}/poster").status == 403


def test_posters_say_what_they_are_and_nothing_is_guessed(serve, station):
    served = serve()
    poster = served.ask(f"/files/{station.wheat.release}/poster")
    assert (poster.status, poster.getheader("Content-Type"), poster.data) == (200, "image/jpeg", POSTER)
    assert poster.getheader("X-Content-Type-Options") == "nosniff"
    assert served.ask(f"/files/{station.fraud.release}/poster").status == 404


@pytest.mark.parametrize(
    "path",
    ["/media/../agent.sqlite", "/fonts/../../etc/passwd", "/fonts/..", "/files/x/poster", "/tv/index.html", "/agent.sqlite",
     "/media/" + "0" * 64 + "/576p.mp4.part", "//etc/passwd"],
)  # fmt: skip
def test_nothing_else_lies_here(serve, path):
    assert serve().ask(path).status in (403, 404)


def test_fonts_come_from_the_folder_set_up_made(serve, tmp_path, monkeypatch):
    (tmp_path / "fonts" / "files").mkdir(parents=True)
    (tmp_path / "fonts" / "noto-sans-sc.css").write_text("@font-face {}")
    (tmp_path / "fonts" / "files" / "a.woff2").write_bytes(b"wOF2")
    (tmp_path / "fonts" / "secret.txt").write_text("no")
    monkeypatch.setenv("YUANBO_FONTS", str(tmp_path / "fonts"))
    served = serve()
    assert served.ask("/fonts/noto-sans-sc.css").getheader("Content-Type").startswith("text/css")
    assert served.ask("/fonts/files/a.woff2").data == b"wOF2"
    assert served.ask("/fonts/secret.txt").status == 404


# --- only its own page -------------------------------------------------------------------------------------------------
def test_another_name_in_the_host_header_is_refused(serve):
    served = serve()
    assert served.ask("/api/state", Host="evil.example").status == 421
    assert served.ask("/api/state", Host=f"localhost:{served.port}").status == 200


def test_another_site_cannot_post(serve, station):
    served = serve()
    body = {"mode": "library", "release": station.wheat.release}
    assert served.ask("/api/plays", "POST", body, Origin="http://evil.example").status == 403
    assert served.ask("/api/plays", "POST", body, Content_Type="text/plain").status == 415
    own = f"http://127.0.0.1:{served.port}"
    assert served.ask("/api/plays", "POST", body, Origin=own).status == 201


@pytest.mark.parametrize(
    "body", [{}, {"mode": "library"}, {"mode": "x", "release": "0" * 64}, [], "x" * 5000]
)
def test_a_request_that_makes_no_sense_is_refused(serve, body):
    assert serve().ask("/api/plays", "POST", body).status in (400, 413)


def test_every_answer_forbids_foreign_scripts_and_frames(serve):
    served = serve()
    for path in ("/", "/api/state", "/nowhere"):
        policy = served.ask(path).getheader("Content-Security-Policy")
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy


def test_the_page_is_sent_once_and_then_by_its_tag(serve):
    served = serve()
    tag = served.ask("/tv.js").getheader("ETag")
    assert served.ask("/tv.js", If_None_Match=tag).status == 304


def test_connections_are_bounded_and_the_server_lives_on(serve, monkeypatch):
    served = serve()
    held = [
        http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
        for _ in range(httpd.MOST_CONNECTIONS)
    ]
    for connection in held:
        connection.request("GET", "/api/library")
        connection.getresponse().read()
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        served.ask("/api/library")
    for connection in held:
        connection.close()
    for _ in range(100):
        try:
            assert served.ask("/api/library").status == 200
            break
        except (http.client.HTTPException, ConnectionError):
            threading.Event().wait(0.05)
    else:
        pytest.fail("the server did not come back")


# --- accounts ----------------------------------------------------------------------------------------------------------
def positions(served, machine, play, *moves):
    for seconds, position, state in moves:
        machine.pass_s(seconds)
        answer = served.json(
            "/api/positions", "POST", {"play": play, "position_ms": position, "state": state}
        )
    return answer


def test_a_play_through_the_api_becomes_one_viewing_record(serve, station, machine):
    served = serve()
    play = served.json("/api/plays", "POST", {"mode": "linear", "release": station.wheat.release})["play"]
    told = positions(served, machine, play, (0, 20_000, "playing"), (2, 22_000, "playing"), (2, 24_000, "paused"),
                     (30, 24_000, "playing"), (2, 26_000, "ended"))  # fmt: skip
    assert told == {"counted_ms": 6_000, "ask_ms": 0}
    [[data]] = served.outbox._db.execute("SELECT data FROM records").fetchall()
    record = json.loads(data)
    assert (record["kind"], record["mode"], record["title"]) == ("viewing", "linear", "冬小麦返青管理")
    assert (record["item"], record["channel"], record["profile"]) == ("item-1", "main", "576p")
    assert record["watched"] == [[20_000, 24_000], [24_000, 26_000]] or record["watched"] == [
        [20_000, 26_000]
    ]


def test_what_the_line_does_not_show_cannot_be_counted_as_the_line(serve, station):
    refused = serve().ask("/api/plays", "POST", {"mode": "linear", "release": station.absent.release})
    assert refused.status == 409


def test_an_unknown_play_is_404_and_one_that_another_ended_409(serve, station, machine):
    served = serve()
    first = served.json("/api/plays", "POST", {"mode": "library", "release": station.wheat.release})["play"]
    served.json("/api/plays", "POST", {"mode": "library", "release": station.fraud.release})
    body = {"position_ms": 1, "state": "playing"}
    assert served.ask("/api/positions", "POST", {"play": first, **body}).status == 409
    assert served.ask("/api/positions", "POST", {"play": "nobody", **body}).status == 404


def test_what_is_played_is_evicted_later(serve, station):
    served = serve()
    served.json("/api/plays", "POST", {"mode": "library", "release": station.fraud.release})
    [[watched]] = served.agent.database.rows(
        "SELECT watched_ms FROM files WHERE sha256 = ?", (station.fraud.manifest.renditions[0].sha256,)
    )
    assert watched == NOW


# --- pages, pictures, volume ---------------------------------------------------------------------------------------------
PNG = b"\x89PNG\r\n\x1a\n" + bytes(500)


def test_pages_of_a_courseware_are_named_and_sent_and_a_missing_one_says_so(serve, station):
    lesson = station.add(
        "苹果冬剪", "nongji", 60_000, MEDIA[:4000], kind=ProgrammeKind.COURSEWARE,
        pages=[Page(PNG + b"1", "看树形", 0), Page(PNG + b"2", "下剪", 9_000), Page(PNG + b"3", stored=False)],
    )  # fmt: skip
    served = serve()
    started = served.json("/api/plays", "POST", {"mode": "library", "release": lesson.release})
    url = f"/files/{lesson.release}/page/"
    assert started["pages"] == [
        {"title": "看树形", "at_ms": 0, "url": url + "0"},
        {"title": "下剪", "at_ms": 9_000, "url": url + "1"},
        {"title": "", "at_ms": None, "url": None},
    ]
    page = served.ask(url + "1")
    assert (page.status, page.getheader("Content-Type"), page.data) == (200, "image/png", PNG + b"2")
    assert [served.ask(url + wrong).status for wrong in ("2", "7", "99999", "x")] == [404] * 4


def test_captions_are_offered_in_every_language_there_is(serve, station):
    bilingual = station.add("防火", "kepu", 60_000, MEDIA[:3000], subtitles=b"WEBVTT\n")
    served = serve()
    started = served.json("/api/plays", "POST", {"mode": "library", "release": bilingual.release})
    assert started["captions"] == [{"language": "zh", "url": f"/files/{bilingual.release}/subtitles/0"}]
    assert served.ask(started["captions"][0]["url"]).data == b"WEBVTT\n"


def test_only_pictures_that_a_document_names_are_sent(serve, station):
    station.logo = station.picture(PNG)
    other = station.picture(PNG + b"of nobody")
    served = serve()
    url = served.json("/api/state")["logo"]
    assert url == f"/pictures/{station.logo.sha256}"
    assert (served.ask(url).getheader("Content-Type"), served.ask(url).data) == ("image/png", PNG)
    assert served.ask(f"/pictures/{other.sha256}").status == 404


def test_a_logo_that_is_not_here_yet_is_not_named(serve, station):
    station.logo = station.picture(PNG, stored=False)
    served = serve()
    assert served.json("/api/state")["logo"] is None
    assert served.ask(f"/pictures/{station.logo.sha256}").status == 404


def test_volume_and_captions_are_kept_and_mpv_has_the_same(serve):
    served = serve()
    assert served.json("/api/watching") == {"volume": 80, "captions": True, "language": "zh"}
    served.ask("/api/watching", "POST", {"volume": 35})
    served.ask("/api/watching", "POST", {"captions": False, "language": "en"})
    assert served.json("/api/watching") == {"volume": 35, "captions": False, "language": "en"}
    assert remembered(served.agent.database) == (35.0, False)
    for wrong in ({"volume": 101}, {"volume": -1}, {"language": "zh-Hans-x"}, {"captions": 3}):
        assert served.ask("/api/watching", "POST", wrong).status == 400
    assert served.json("/api/watching")["volume"] == 35
