"""One evening, told by a real station's agent and by a phone on the province's page, in either order: one record."""

from __future__ import annotations

import pytest

from client_agent.evening import HeadCount
from client_agent.evidence import EvidencePost
from client_agent.reporter import Answer
from protocol.batch import Roll
from protocol.times import from_ms
from server import clock
from server.identity.rules import Role
from server.stations.models import Station, Terminal
from server.stats import evidence, ingest
from server.storage import FolderStore, evidence_key
from tests.client_agent.phone.conftest import NOW, Village, village  # noqa: F401
from tests.stations.office import add_person
from tests.stats.test_session_notes import Site, site  # noqa: F401

PHOTO = b"\xff\xd8\xff\xe0" + b"hall" * 5_000


class Line:
    """The station's line to the province: its batches and evidence, as they are."""

    def __init__(self, village: Village, site: Site, folder) -> None:  # noqa: F811
        self.village, self.site, self.who = village, site, village.agent.identity
        self.store = FolderStore(folder)
        with site.province.database.write() as session:
            station = Station(region="130123105201", name=self.who.station_name, created_at=from_ms(NOW))
            session.add(station)
            session.flush()
            session.add(
                Terminal(
                    id=self.who.terminal,
                    station_id=station.id,
                    public=self.who.public,
                    enrolled_at=from_ms(NOW),
                )
            )

    def report(self) -> None:
        """Everything the station has to say arrives."""
        outbox, province = self.village.outbox, self.site.province
        while outbox.cut_batch(self.who.terminal, self.who.private):
            pass
        for batch in outbox.waiting_batches():
            ingest.receive(
                province.database, province.private, outbox.batch_bytes(batch.id), now=from_ms(NOW)
            )
        post = EvidencePost(
            self.village.helper.evidence,
            lambda: self.who,
            self,
            lambda: NOW,
            lambda: NOW,
            fraction=lambda: 0.5,
        )
        post.tick()

    def put(self, path: str, body: bytes, content_type: str) -> Answer:
        assert content_type
        province, sha256 = self.site.province, path.partition("/")[2]
        receipt = evidence.receive(
            province.database, self.store, province.private, sha256, body, now=from_ms(NOW)
        )
        return Answer(200, receipt)


@pytest.fixture
def line(village, site, tmp_path):  # noqa: F811
    return Line(village, site, tmp_path / "objects")


def hold(village):  # noqa: F811
    """The evening at the station: names tapped, a photo, minutes, and its end."""
    phone = village.scan()
    phone.add("王建国 党员\n李秀英\n张伟 党员\n刘玉梅")
    phone.tap(1, 2, 3, done=True)
    village.do("begin")
    assert phone.file("photo", PHOTO)[0] == 200
    session = phone.state()["session"]["id"]
    minutes = {"deed": "01a202da-5062-4a3e-8a5e-b83b1f798d51", "session": session, "text": "讨论了春灌。"}
    assert phone.post("minutes", minutes)[0] == 200
    village.do("stop")
    village.evening.count_heads(HeadCount(present=2, expected=4))
    village.do("finish")
    return session


@pytest.mark.parametrize("station_first", [True, False])
def test_whoever_tells_first_it_is_one_record_with_both_sources(
    village,  # noqa: F811
    site,  # noqa: F811
    line,
    station_first,
    monkeypatch,
):
    monkeypatch.setattr(clock, "now", lambda: from_ms(NOW + 60_000))
    ticket = village.helper.told()["away"]["url"].rpartition("/")[2]
    session = hold(village)
    if station_first:
        line.report()
    assert site.tell("heads", ticket=ticket, roll="start", present=5, expected=4).status_code == 201
    assert site.tell("question", ticket=ticket, text="何时浇水？").status_code == 201
    if not station_first:
        line.report()
    office = add_person(site.province.database, Role.COUNTY_OFFICE, "130123")
    shown = site.get(office, f"/api/v1/sessions/{session}").get_json()
    assert (shown["title"], shown["completed"]) == ("第一次集中学习", False)
    start, end = shown["rolls"]
    assert (start["holds"]["source"], start["holds"]["present"], start["difference"]) == ("station", 3, 2)
    assert (start["holds"]["members"], start["holds"]["public"]) == (2, 1)
    assert (end["roll"], end["holds"]["present"]) == (Roll.END, 2)
    assert [one["text"] for one in shown["minutes"]] == ["讨论了春灌。"]
    assert [one["text"] for one in shown["questions"]] == ["何时浇水？"]
    [photo] = shown["files"]
    assert (photo["source"], photo["what"]) == ("station", "photo")
    assert photo["file"]
    assert (
        b"".join(line.store.chunks(evidence_key(village.helper.evidence.of_session(session)[0].sha256)))
        == PHOTO
    )
    everything = site.get(office, f"/sessions/{session}").get_data(as_text=True)
    assert not any(name in everything for name in ("王建国", "李秀英", "张伟", "刘玉梅"))
