"""What documents ask of a station, and by when."""

from __future__ import annotations

from client_agent.demand import demand
from client_agent.refresh import refresh
from client_agent.sync import Syncer
from protocol.documents import EmergencyItem, LibraryEntry, Picture, StudyDay, Why
from protocol.times import DAY_MS, ms_to_text
from tests.client_agent.conftest import take
from tests.client_agent.repository import HOUR_MS, NOON_MS

WEEK_MS = 7 * DAY_MS


def asked(terminal):
    return demand(terminal.guide.programme(), NOON_MS + HOUR_MS, WEEK_MS)


def test_what_is_scheduled_in_the_week_comes_by_air_time_then_pushes_then_the_shelf(
    province, source, terminal
):
    soon, later, next_month, pushed, old_push, shelf, filler = (
        province.release(title) for title in ("今晚", "后天", "下月", "推送", "旧推送", "书架", "垫片")
    )
    province.frame(
        [later.item(NOON_MS + 50 * HOUR_MS), soon.item(NOON_MS + 7 * HOUR_MS, required=True),
         next_month.item(NOON_MS + 10 * DAY_MS)],
        fillers=[filler.ref()],
        library=[
            shelf.entry(), soon.entry(),
            LibraryEntry(edition=pushed.edition, release=pushed.sha256, section="x", pushed=True,
                         until=ms_to_text(NOON_MS + DAY_MS)),
            LibraryEntry(edition=old_push.edition, release=old_push.sha256, section="x", pushed=True,
                         until=ms_to_text(NOON_MS - DAY_MS)),
        ],
    )  # fmt: skip
    province.publish()
    refresh(terminal)
    found = asked(terminal)
    assert [a.release for a in found.airings] == [filler.sha256, soon.sha256, later.sha256]
    assert [a.required for a in found.airings] == [True, True, False]
    assert found.pushed == (pushed.sha256,)
    assert found.library == (shelf.sha256, old_push.sha256)
    assert found.releases == [filler.sha256, soon.sha256, later.sha256, pushed.sha256]


def test_a_study_day_s_programmes_are_required_by_its_beginning(province, source, terminal):
    first, second = province.release("学习一"), province.release("学习二")
    evening = StudyDay(
        id="s1", channel="main", starts_at=ms_to_text(NOON_MS + 8 * HOUR_MS), ends_at=ms_to_text(NOON_MS + 10 * HOUR_MS),
        programmes=[first.ref(), second.ref()], why=Why(rule="study", level="province", region="13"),
    )  # fmt: skip
    province.frame(study=[evening])
    province.publish()
    refresh(terminal)
    found = asked(terminal).airings
    assert {a.release for a in found} == {first.sha256, second.sha256}
    assert all(a.required and a.starts_ms == NOON_MS + 8 * HOUR_MS for a in found)


def test_an_emergency_is_urgent_and_what_is_recalled_is_not_asked_for(province, source, terminal):
    flood, bad = province.release("防汛"), province.release("错误")
    province.frame([bad.item(NOON_MS + 5 * HOUR_MS)], library=[bad.entry()])
    province.emergency(
        EmergencyItem(id="e", starts_at=ms_to_text(NOON_MS), ends_at=ms_to_text(NOON_MS + 9 * HOUR_MS), regions=["13"],
                      ref=flood.ref())
    )  # fmt: skip
    province.recall(bad)
    province.publish()
    refresh(terminal)
    found = asked(terminal)
    assert [(a.release, a.urgent) for a in found.airings] == [(flood.sha256, True)]
    assert found.library == ()


def test_the_logo_is_fetched_verified_like_all_and_never_given_up(province, source, terminal):
    drawn = province.put_media(b"\x89PNG" + bytes(3_000))
    logo = Picture(sha256=drawn.sha256, length=drawn.length, pieces_root=drawn.root)
    film = province.release("今晚")
    province.frame([film.item(NOON_MS + 7 * HOUR_MS)], logo=logo)
    province.network([source.url])
    province.publish()
    take(terminal)
    assert terminal.guide.logo() == logo
    syncer = Syncer(terminal)
    _, keep = syncer.plan()
    syncer.close()
    assert logo.sha256 in keep
