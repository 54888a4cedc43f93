"""What is fetched, and in which order."""

from __future__ import annotations

import hashlib

from client_agent.planner import SMALL_PICTURE, VIDEO, Airing, Holdings, lacking, plan, protected
from protocol.documents import FileKind, Picture, ReleaseFile, ReleaseManifest, Rendition
from protocol.identifiers import uuid7

NOW = 1_796_443_200_000
MINUTE = 60_000
ROOMY = Holdings(complete=set(), begun=set(), free_bytes=10**12)
LADDER = {"360p": 400_000, "576p": 1_000_000, "720p": 2_000_000}


def name(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def film(title: str, duration_s: int = 600, files=()) -> ReleaseManifest:
    return ReleaseManifest(
        edition=uuid7(NOW),
        programme=uuid7(NOW),
        number=0,
        title=title,
        section="agriculture",
        duration_ms=duration_s * 1000,
        source_sha256=name("source"),
        recipe_sha256=name("recipe"),
        renditions=[
            Rendition(
                profile=profile,
                profile_version=1,
                sha256=name(title + profile),
                length=bitrate // 8 * duration_s,
                pieces_root=name("root" + title + profile),
                width=1,
                height=int(profile.removesuffix("p")),
                bitrate=bitrate,
            )
            for profile, bitrate in LADDER.items()
        ],
        files=[
            ReleaseFile(
                kind=kind,
                sha256=name(f"{title}{kind}{profile}"),
                length=1_000,
                pieces_root=name("r"),
                profile=profile,
            )
            for kind, profile in files
        ],
    )


def airing(release: str, minutes: float, *, required: bool = False) -> Airing:
    starts = NOW + int(minutes * MINUTE)
    return Airing(release, starts, starts + 10 * MINUTE, required, False)


def made(airings, films, *, pushed=(), library=(), holdings=ROOMY, line_bps=100_000_000, may_upgrade=False):
    def by(moment_ms):
        return max(0, moment_ms - NOW) * line_bps // 8000

    return plan(airings, pushed, library, films.get, holdings, now_ms=NOW, by=by, may_upgrade=may_upgrade)


def planned(airings, films, **more):
    wanted = made(airings, films, **more).wanted
    return [(w.title, w.profile if w.what == VIDEO else str(w.what)) for w in wanted]


def test_the_earliest_air_time_comes_first_and_the_library_last():
    films = {title: film(title) for title in "abc"}
    order = planned([airing("b", 30), airing("a", 5)], films, library=["c", "a"])
    assert order == [("a", "576p"), ("b", "576p"), ("c", "576p")]


def test_pushes_come_after_what_airs_and_before_the_shelf():
    films = {title: film(title) for title in "abc"}
    order = planned([airing("b", 3000)], films, pushed=["c"], library=["a"])
    assert [title for title, _ in order] == ["b", "c", "a"]


def test_an_emergency_comes_first_of_all():
    films = {title: film(title) for title in "ab"}
    late = Airing("b", NOW + 50 * MINUTE, NOW + 60 * MINUTE, True, False, urgent=True)
    assert [title for title, _ in planned([airing("a", 5, required=True), late], films)] == ["b", "a"]


def test_at_equal_times_required_comes_before_optional():
    films = {title: film(title) for title in "ab"}
    assert planned([airing("a", 5), airing("b", 5, required=True)], films)[0][0] == "b"


def test_playlist_poster_and_subtitles_come_before_the_video_and_only_the_chosen_playlist():
    files = [
        (FileKind.SPRITE, None),
        (FileKind.SUBTITLES, None),
        (FileKind.POSTER, None),
        (FileKind.PLAYLIST, "360p"),
        (FileKind.PLAYLIST, "576p"),
    ]
    order = planned([airing("a", 60)], {"a": film("a", files=files)})
    assert [what for _, what in order] == ["playlist", "poster", "subtitles", "sprite", "576p"]


def test_the_smallest_adequate_rendition_comes_first_or_the_best_smaller_one_that_arrives_in_time():
    # 600 s of 720p at 2 Mbit/s take 20 minutes on a line of 1 Mbit/s, of 576p 10, of 360p 4.
    films = {"a": film("a")}
    for minutes, profile in ((21, "576p"), (11, "576p"), (9, "360p"), (1, "360p")):
        assert planned([airing("a", minutes)], films, line_bps=1_000_000) == [("a", profile)]


def test_better_renditions_follow_while_they_still_arrive_in_time():
    films = {title: film(title) for title in "abc"}
    all_of = [airing("a", 60), airing("b", 61), airing("c", 62, required=True)]
    assert planned(all_of, films, line_bps=1_000_000, may_upgrade=True) == [
        ("a", "576p"), ("b", "576p"), ("c", "576p"), ("c", "720p"),
    ]  # fmt: skip
    have = Holdings(complete={name("a576p")}, begun=set(), free_bytes=10**12)
    soon = [airing("a", 25)]
    assert planned(soon, films, holdings=have, line_bps=1_000_000, may_upgrade=True) == [("a", "720p")]
    assert planned(soon, films, holdings=have, line_bps=1_000_000, may_upgrade=False) == []
    tight = Holdings(complete={name("a576p")}, begun=set(), free_bytes=10**6, evictable_bytes=10**12)
    assert planned(soon, films, holdings=tight, line_bps=1_000_000, may_upgrade=True) == []


def test_what_airs_earlier_takes_its_share_of_the_line():
    films = {title: film(title) for title in "ab"}
    order = planned([airing("a", 11), airing("b", 15)], films, line_bps=1_000_000)
    assert order == [("a", "576p"), ("b", "360p")]


def test_nothing_optional_makes_something_required_late():
    films = {title: film(title) for title in "ab"}
    evening = airing("b", 7, required=True)  # takes 4 minutes as 360p
    assert planned([airing("a", 5), evening], films, line_bps=1_000_000)[0][0] == "b"
    assert planned([airing("a", 5), airing("b", 7)], films, line_bps=1_000_000)[0][0] == "a"
    assert planned([airing("a", 5), evening], films, line_bps=2_000_000)[0][0] == "a"


def test_an_optional_item_that_is_over_before_it_arrives_does_not_delay_the_evening():
    films = {title: film(title) for title in "ab"}
    now_on, tonight = airing("a", -8), airing("b", 60)
    assert planned([now_on, tonight], films, line_bps=1_000_000)[0][0] == "b"
    assert planned([now_on, tonight], films, line_bps=100_000_000)[0][0] == "a"
    must = airing("a", -8, required=True)
    assert planned([must, tonight], films, line_bps=1_000_000)[0][0] == "a"


def test_what_is_complete_is_not_wanted_again_and_what_is_begun_is_finished():
    films = {"a": film("a")}
    have = Holdings(complete={name("a360p")}, begun=set(), free_bytes=10**12)
    assert planned([airing("a", 60)], films, holdings=have) == []
    begun = Holdings(complete=set(), begun={name("a576p")}, free_bytes=10**12)
    assert planned([airing("a", 60)], films, holdings=begun) == [("a", "576p")]


def test_a_small_disk_takes_smaller_renditions_and_the_library_waits():
    films = {title: film(title) for title in "ab"}
    small = Holdings(complete=set(), begun=set(), free_bytes=80_000_000)
    assert planned([airing("a", 600)], films, library=["b"], holdings=small) == [("a", "576p")]
    tiny = Holdings(complete=set(), begun=set(), free_bytes=31_000_000)
    assert planned([airing("a", 600)], films, library=["b"], holdings=tiny) == [("a", "360p")]
    evictable = Holdings(complete=set(), begun=set(), free_bytes=0, evictable_bytes=200_000_000)
    assert planned([airing("a", 600)], films, library=["b"], holdings=evictable) == [("a", "576p")]


def test_what_finds_no_room_is_told():
    films = {title: film(title) for title in "ab"}
    none = Holdings(complete=set(), begun=set(), free_bytes=40_000_000)
    assert made([airing("a", 600), airing("b", 700)], films, holdings=none).short_bytes == 30_000_000
    assert made([airing("a", 600)], films).short_bytes == 0


def test_what_is_over_or_not_admitted_is_not_wanted():
    films = {"a": film("a")}
    assert planned([airing("a", -11), airing("unknown", 5)], films) == []


def test_nothing_of_what_is_to_air_or_about_to_be_fetched_may_be_evicted():
    films = {title: film(title) for title in "abc"}
    coming = [airing("a", 5)]
    wanted = made(coming, films, library=["b"]).wanted
    kept = protected(coming, ["c"], films.get, {name("c576p")}, wanted, now_ms=NOW)
    assert kept == {name("a360p"), name("a576p"), name("a720p"), name("b576p"), name("c576p")}


def test_once_a_better_rendition_is_stored_the_one_before_may_go_but_not_while_it_is_on_air():
    films = {"a": film("a")}
    both = {name("a360p"), name("a576p")}
    assert protected([airing("a", 5)], [], films.get, both, [], now_ms=NOW) == {name("a576p")}
    assert protected([airing("a", -5)], [], films.get, both, [], now_ms=NOW) == both


def test_a_small_logo_comes_first_a_large_poster_after_what_airs_and_what_no_set_shows_never():
    def picture(text, length):
        return Picture(sha256=name(text), length=length, pieces_root=name("root" + text))

    files = [(FileKind.PAGE, None), (FileKind.ATTACHMENT, None), (FileKind.PREVIEW, None)]
    made = plan(
        [airing("a", 60)], [], ["b"], {"a": film("a", files=files), "b": film("b")}.get, ROOMY, now_ms=NOW,
        by=lambda _: 10**12, may_upgrade=False,
        pictures=[picture("logo", 9_000), picture("poster", SMALL_PICTURE + 1), picture("logo", 9_000)],
    )  # fmt: skip
    assert [(item.title, item.what) for item in made.wanted] == [
        ("", "picture"), ("a", "page"), ("a", VIDEO), ("", "picture"), ("b", VIDEO),
    ]  # fmt: skip
    assert [item.length for item in made.wanted if item.what == "picture"] == [9_000, SMALL_PICTURE + 1]


def test_a_courseware_lacks_its_pages_too():
    lesson = film("a", files=[(FileKind.PAGE, None)])
    video = min(lesson.renditions, key=lambda r: r.bitrate)
    stored = {video.sha256: video.length}
    assert lacking(["a"], {"a": lesson}.get, stored) == [("a", 1_000)]
    assert lacking(["a"], {"a": lesson}.get, stored | {lesson.files[0].sha256: 1_000}) == []
    assert lacking(["x"], {}.get, {}) == [("x", 0)]
