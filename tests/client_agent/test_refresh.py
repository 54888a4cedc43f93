"""A pass over the signed state: what is taken over, and what no source can talk a terminal into."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest
from securesystemslib.signer import CryptoSigner

from client_agent.agent import open_agent
from client_agent.errors import RefreshFailed
from client_agent.floors import Floors
from client_agent.guide import Refusal
from client_agent.refresh import DISAGREE, NOT_ADMITTED, refresh
from protocol import names
from protocol.batch import ClockState
from protocol.documents import EmergencyItem, Succession, Window
from protocol.merge import Source as ItemSource
from protocol.times import day_of_ms, ms_to_text
from tests.client_agent.conftest import make_terminal
from tests.client_agent.repository import DAY_MS, HOUR_MS, NOON_MS, Source

EVENING_MS = NOON_MS + 7 * HOUR_MS


def publish_something(province, source, *, hours=0.0):
    film = province.release("冬小麦返青管理")
    filler = province.release("蔚县剪纸", duration_ms=30_000, length=100_000)
    province.frame([film.item(EVENING_MS, required=True)], fillers=[filler.ref()], library=[film.entry()])
    province.recall()
    province.emergency()
    province.network([source.url])
    province.publish(hours=hours)
    return film, filler


def releases_on(terminal, ms):
    return {item.release for item in terminal.guide.listing(day_of_ms(ms)).items}


@contextmanager
def only_source(terminal, folder, **more):
    """The terminal knows this one source only, and nothing else was ever wrong."""
    with Source(folder, **more) as serving:
        terminal.database.execute("UPDATE identity SET read = ?", (json.dumps([serving.url]),))
        terminal.database.execute("DELETE FROM sources")
        yield serving


# --- what is taken over -------------------------------------------------------------------------------------------
def test_a_verified_publication_is_taken_over(province, source, terminal):
    film, filler = publish_something(province, source)
    summary = refresh(terminal)
    assert summary.complete
    assert summary.changed
    assert summary.problems == []
    assert terminal.guide.manifest(film.sha256) == film.manifest
    assert terminal.guide.manifest(filler.sha256) == filler.manifest
    assert terminal.guide.listing(day_of_ms(EVENING_MS)).at(EVENING_MS).release == film.sha256


def test_nothing_is_asked_for_twice(province, source, terminal):
    publish_something(province, source)
    refresh(terminal)
    source.asked.clear()
    province.sign_timestamp()
    assert refresh(terminal).changed is False
    assert source.paths("/r/targets") == []
    assert sorted(source.paths("/r/metadata")) == ["/r/metadata/2.root.json", "/r/metadata/timestamp.json"]


def test_a_terminal_takes_its_nearest_ancestor_s_frame_and_falls_back_when_that_is_gone(
    province, source, terminal
):
    film, filler = publish_something(province, source)
    own = province.release("正定古城")
    province.frame([own.item(EVENING_MS)], region="130123", fillers=[filler.ref()])
    province.publish()
    refresh(terminal)
    assert terminal.guide.listing(day_of_ms(EVENING_MS)).at(EVENING_MS).release == own.sha256
    province.remove(names.FRAME, names.frame_target("130123"))
    province.publish()
    refresh(terminal)
    assert terminal.guide.listing(day_of_ms(EVENING_MS)).at(EVENING_MS).release == film.sha256
    assert terminal.guide.manifest(own.sha256) is None


def test_a_county_fills_the_window_that_the_frame_opens(province, source, terminal):
    _, filler = publish_something(province, source)
    local = province.release("正定夜话")
    window = Window(
        id="w", starts_at=ms_to_text(EVENING_MS), ends_at=ms_to_text(EVENING_MS + HOUR_MS), level="county"
    )
    province.frame([], windows=[window], fillers=[filler.ref()])
    province.local([local.item(EVENING_MS + 60_000, window="w")])
    province.publish()
    refresh(terminal)
    item = terminal.guide.listing(day_of_ms(EVENING_MS)).at(EVENING_MS + 60_000)
    assert (item.release, item.source) == (local.sha256, ItemSource.LOCAL)
    province.expires[names.local_role("1301")] = timedelta(hours=-1)
    province.local([])
    province.publish()
    refresh(terminal)
    item = terminal.guide.listing(day_of_ms(EVENING_MS)).at(EVENING_MS + 60_000)
    assert item.source is ItemSource.FILLER


def test_the_network_document_moves_the_sources_and_the_successor_of_a_merged_region(
    tmp_path, province, source, terminal
):
    _, filler = publish_something(province, source)
    merged = province.release("合并后的节目")
    province.frame([merged.item(EVENING_MS)], region="130102", fillers=[filler.ref()])
    province.network(
        ["http://127.0.0.1:1/", source.url], successions=[Succession(merged="130123", into="130102")]
    )
    province.publish()
    refresh(terminal)
    assert terminal.identity.read == ("http://127.0.0.1:1/", source.url)
    assert terminal.guide.region == "130102"
    assert releases_on(terminal, EVENING_MS) == {merged.sha256, filler.sha256}
    assert refresh(terminal).complete


# --- catalogue and schedule ---------------------------------------------------------------------------------------
def test_a_signed_frame_that_names_an_unadmitted_release_is_refused(province, source, terminal):
    _, filler = publish_something(province, source)
    foreign = province.release("从未审过", admit=False)
    province.frame([foreign.item(EVENING_MS)], fillers=[filler.ref()], library=[foreign.entry()])
    province.publish()
    summary = refresh(terminal)
    path = names.release_target(foreign.edition)
    assert summary.refused == {path: NOT_ADMITTED}
    assert terminal.database.rows("SELECT subject, reason FROM refusals") == [(path, NOT_ADMITTED)]
    assert terminal.guide.play_allowed(foreign.sha256, EVENING_MS) is Refusal.NOT_ADMITTED
    assert terminal.guide.library() == []


def test_a_release_whose_hash_differs_between_catalogue_and_schedule_is_refused(province, source, terminal):
    film, filler = publish_something(province, source)
    swapped = film.item(EVENING_MS)
    other = province.release("另一个", admit=False)
    forged = swapped.__class__(
        **{name: getattr(swapped, name) for name in swapped.__struct_fields__} | {"release": other.sha256}
    )
    province.frame([forged], fillers=[filler.ref()])
    province.publish()
    assert refresh(terminal).refused == {names.release_target(film.edition): DISAGREE}
    assert terminal.guide.play_allowed(other.sha256, EVENING_MS) is Refusal.NOT_ADMITTED


def test_a_recalled_release_never_plays_again_even_when_the_recall_list_is_emptied(
    province, source, terminal
):
    film, _ = publish_something(province, source)
    province.recall(film)
    province.publish()
    refresh(terminal)
    assert terminal.guide.play_allowed(film.sha256, EVENING_MS) is Refusal.RECALLED
    assert film.sha256 not in releases_on(terminal, EVENING_MS)
    province.recall()
    province.publish()
    refresh(terminal)
    assert terminal.guide.play_allowed(film.sha256, EVENING_MS) is Refusal.RECALLED
    with open_agent(terminal.paths.data) as again:
        assert again.guide.play_allowed(film.sha256, EVENING_MS) is Refusal.RECALLED


def test_an_emergency_cuts_in_and_ends_when_its_role_is_emptied(province, source, terminal):
    film, _ = publish_something(province, source)
    item = EmergencyItem(
        id="e1",
        starts_at=ms_to_text(EVENING_MS),
        ends_at=ms_to_text(EVENING_MS + HOUR_MS),
        regions=["1301"],
        text="暴雪红色预警",
    )
    province.emergency(item)
    province.publish()
    refresh(terminal)
    assert terminal.guide.on_air(EVENING_MS).item.text == "暴雪红色预警"
    province.remove(names.EMERGENCY, names.EMERGENCY_TARGET)
    province.publish()
    refresh(terminal)
    assert terminal.guide.on_air(EVENING_MS).item.release == film.sha256


def test_a_new_schedule_is_followed_with_fillers_where_its_manifests_are_withheld(province, source, terminal):
    _, filler = publish_something(province, source)
    refresh(terminal)
    new = province.release("新节目")
    province.frame([new.item(EVENING_MS)], fillers=[filler.ref()])
    province.publish()
    source.spoil = lambda request, status, headers, body: (
        (404, {}, b"") if "catalogue-" in request.path else (status, headers, body)
    )
    assert not refresh(terminal).complete
    assert terminal.guide.on_air(EVENING_MS).item.release == new.sha256
    assert terminal.guide.on_air(EVENING_MS).refusal is Refusal.NOT_ADMITTED
    source.spoil = None
    assert refresh(terminal).complete
    assert terminal.guide.on_air(EVENING_MS).refusal is Refusal.NOT_STORED


def test_a_timestamp_issued_after_its_own_expiry_tells_no_time(province, source, terminal):
    publish_something(province, source)
    province.sign_timestamp(issued_ms=NOON_MS + 5000 * DAY_MS)
    assert refresh(terminal).complete
    assert terminal.clock.now_ms()[0] < NOON_MS + DAY_MS


# --- hostile sources ----------------------------------------------------------------------------------------------
def test_a_flipped_byte_in_any_file_on_the_way_is_refused_and_fetched_from_another_source(
    tmp_path, province, source, terminal
):
    film, _ = publish_something(province, source)

    def flip(request, status, headers, body):
        return status, headers, body[:-20] + bytes([body[-20] ^ 1]) + body[-19:] if status == 200 else body

    with Source(province.folder, spoil=flip) as liar:
        terminal.database.execute("UPDATE identity SET read = ?", (json.dumps([liar.url, source.url]),))
        summary = refresh(terminal)
        assert summary.complete
        assert terminal.guide.manifest(film.sha256) == film.manifest
        assert liar.url in dict(terminal.database.rows("SELECT url, blame FROM sources"))


@pytest.mark.parametrize("part", ["timestamp", "snapshot", "targets", "frame", "r/targets/frame"])
def test_a_flipped_byte_from_the_only_source_leaves_what_was_verified(province, source, terminal, part):
    film, filler = publish_something(province, source)
    refresh(terminal)
    before = dict(terminal.database.rows("SELECT target, sha256 FROM documents"))
    new = province.release("新节目")
    province.frame([new.item(EVENING_MS)], fillers=[filler.ref()])
    province.publish()

    def flip(request, status, headers, body):
        at = len(body) // 2
        spoiled = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        return status, headers, spoiled if part in request.path and status == 200 else body

    source.spoil = flip
    with suppress(RefreshFailed):
        assert not refresh(terminal).complete
    frame = names.frame_target("13")
    assert dict(terminal.database.rows("SELECT target, sha256 FROM documents"))[frame] == before[frame]
    assert terminal.guide.listing(day_of_ms(EVENING_MS)).at(EVENING_MS).release == film.sha256
    source.spoil = None
    assert refresh(terminal).complete
    assert terminal.guide.listing(day_of_ms(EVENING_MS)).at(EVENING_MS).release == new.sha256


def test_an_old_mirror_is_refused(tmp_path, province, source, terminal):
    _, filler = publish_something(province, source)
    mirror = province.copy_to(tmp_path / "mirror")
    new = province.release("新节目")
    province.frame([new.item(EVENING_MS)], fillers=[filler.ref()])
    province.publish()
    refresh(terminal)
    with only_source(terminal, mirror), pytest.raises(RefreshFailed):
        refresh(terminal)
    assert terminal.guide.listing(day_of_ms(EVENING_MS)).at(EVENING_MS).release == new.sha256


def test_an_old_mirror_is_refused_though_tuf_s_own_cache_was_lost(tmp_path, province, source, terminal):
    _, filler = publish_something(province, source)
    mirror = province.copy_to(tmp_path / "mirror")
    new = province.release("新节目")
    province.frame([new.item(EVENING_MS)], fillers=[filler.ref()])
    province.publish()
    refresh(terminal)
    (terminal.paths.metadata / "timestamp.json").unlink()
    (terminal.paths.metadata / "snapshot.json").unlink()
    with only_source(terminal, mirror), pytest.raises(RefreshFailed, match="timestamp 1 < 2"):
        refresh(terminal)
    shutil.rmtree(terminal.paths.metadata)
    terminal.paths.metadata.mkdir()
    with only_source(terminal, mirror), pytest.raises(RefreshFailed, match="timestamp 1 < 2"):
        refresh(terminal)
    assert terminal.guide.listing(day_of_ms(EVENING_MS)).at(EVENING_MS).release == new.sha256


def test_a_frozen_source_is_noticed_when_its_timestamp_expires(province, source, terminal, machine):
    publish_something(province, source)
    refresh(terminal)
    machine.pass_time(3 * DAY_MS + HOUR_MS)
    with pytest.raises(RefreshFailed, match=r"timestamp\.json is expired"):
        refresh(terminal)
    assert "stale" in terminal.database.row("SELECT blame FROM sources")[0]


def test_another_snapshot_under_the_same_timestamp_version_is_refused(tmp_path, province, source, terminal):
    publish_something(province, source)
    refresh(terminal)
    shutil.rmtree(terminal.paths.metadata)
    terminal.paths.metadata.mkdir()
    province.versions["timestamp"] = 0
    province.sign_timestamp()
    with pytest.raises(RefreshFailed, match="two files under one version"):
        refresh(terminal)


def test_html_in_the_place_of_the_next_root_sends_the_terminal_to_the_next_source(province, source, terminal):
    publish_something(province, source)
    portal = (200, {"Content-Type": "text/html"}, b"<html>welcome</html>")

    def captive(request, status, headers, body):
        return portal if status == 404 else (status, headers, body)

    with Source(province.folder, spoil=captive) as hotel:
        terminal.database.execute("UPDATE identity SET read = ?", (json.dumps([hotel.url, source.url]),))
        assert refresh(terminal).complete


def test_a_new_root_is_followed_even_if_one_source_hides_it(tmp_path, province, source, terminal):
    publish_something(province, source)
    hiding = province.copy_to(tmp_path / "hiding")
    province.signers["timestamp"] = [CryptoSigner.generate_ed25519()]
    province.sign_root()
    province.publish()
    with Source(hiding) as relay:
        terminal.database.execute("UPDATE identity SET read = ?", (json.dumps([relay.url, source.url]),))
        assert refresh(terminal).timestamp == 2
    assert [v for (v,) in terminal.database.rows("SELECT version FROM roots ORDER BY version")] == [1, 2]


def test_a_redirect_is_not_followed(province, source, terminal):
    publish_something(province, source)
    with Source(
        province.folder, spoil=lambda r, *_: (302, {"Location": source.url + r.path}, b"")
    ) as pointing:
        terminal.database.execute("UPDATE identity SET read = ?", (json.dumps([pointing.url]),))
        with pytest.raises(RefreshFailed):
            refresh(terminal)
    assert source.asked == []


def test_a_withheld_document_leaves_the_old_one_and_is_asked_for_again(province, source, terminal):
    film, filler = publish_something(province, source)
    refresh(terminal)
    new = province.release("新节目")
    province.frame([new.item(EVENING_MS)], fillers=[filler.ref()])
    province.recall(film)
    province.publish()
    source.spoil = lambda request, status, headers, body: (
        (404, {}, b"") if "targets/frame" in request.path else (status, headers, body)
    )
    summary = refresh(terminal)
    assert not summary.complete
    assert terminal.guide.play_allowed(film.sha256, EVENING_MS) is Refusal.RECALLED
    assert terminal.database.setting("timestamp_done") == ""
    source.spoil = None
    assert refresh(terminal).complete
    assert terminal.guide.listing(day_of_ms(EVENING_MS)).at(EVENING_MS).release == new.sha256


# --- stolen keys --------------------------------------------------------------------------------------------------
def test_one_stolen_key_cannot_speak_for_two(province, source, terminal):
    film, filler = publish_something(province, source)
    refresh(terminal)
    delegations = province._targets_with_delegations()
    province._targets_with_delegations = lambda: delegations
    province.signers["officers"] = province.signers["policy"] * 4
    foreign = province.release("窃来的节目")
    province.frame([foreign.item(EVENING_MS)], fillers=[filler.ref()])
    province.publish()
    assert any("frame was signed by 1/2 keys" in problem for problem in refresh(terminal).problems)
    assert terminal.guide.listing(day_of_ms(EVENING_MS)).at(EVENING_MS).release == film.sha256
    assert terminal.guide.manifest(foreign.sha256) is None


def test_a_version_driven_to_the_sky_is_healed_by_new_keys(province, source, terminal):
    publish_something(province, source)
    province.sign_timestamp(version=2**31)
    assert refresh(terminal).timestamp == 2**31
    province.signers["timestamp"] = [CryptoSigner.generate_ed25519()]
    province.sign_root()
    province.sign_timestamp(version=5)
    assert refresh(terminal).timestamp == 5
    assert Floors(terminal.database).floor("timestamp").version == 5


def test_a_time_driven_to_the_future_is_healed_by_new_keys(province, source, terminal, machine):
    publish_something(province, source)
    far = NOON_MS + 200 * DAY_MS
    here_ms, province.now_ms = province.now_ms, far
    province.sign_timestamp(hours=0)
    refresh(terminal)
    assert terminal.clock.now_ms()[0] >= far
    province.now_ms = here_ms
    province.signers["timestamp"] = [CryptoSigner.generate_ed25519()]
    province.sign_root()
    province.sign_timestamp(hours=0)
    with pytest.raises(RefreshFailed):
        refresh(terminal)  # this pass still held it against the wrong time, but heard the right one
    assert terminal.clock.now_ms()[0] < NOON_MS + DAY_MS
    assert refresh(terminal).complete


def test_a_document_whose_serial_went_down_is_refused(province, source, terminal):
    film, filler = publish_something(province, source)
    province.serials[names.frame_target("13")] = 7
    province.frame([film.item(EVENING_MS)], fillers=[filler.ref()])
    province.publish()
    refresh(terminal)
    province.serials[names.frame_target("13")] = 3
    province.frame([], fillers=[filler.ref()])
    province.publish()
    summary = refresh(terminal)
    assert list(summary.refused) == [names.frame_target("13")]
    assert terminal.guide.listing(day_of_ms(EVENING_MS)).at(EVENING_MS).release == film.sha256


def test_a_frame_filed_under_another_region_is_refused(province, source, terminal):
    publish_something(province, source)
    foreign = province.files[names.FRAME][names.frame_target("13")]
    province.put(names.FRAME, names.frame_target("1301"), foreign)
    province.publish()
    assert list(refresh(terminal).refused) == [names.frame_target("1301")]


# --- time ---------------------------------------------------------------------------------------------------------
def test_a_machine_that_says_1970_after_a_boot_is_healed_by_the_next_timestamp(
    province, source, terminal, machine
):
    publish_something(province, source)
    refresh(terminal)
    machine.reboot("boot-2", rtc_ms=60_000)
    assert terminal.clock.now_ms()[1] is ClockState.UNCERTAIN
    assert terminal.guide.on_air().refusal is Refusal.CLOCK
    province.sign_timestamp(hours=2)
    refresh(terminal)
    now_ms, state = terminal.clock.now_ms()
    assert state is ClockState.KNOWN
    assert now_ms == province.now_ms
    assert terminal.guide.on_air().refusal is not Refusal.CLOCK


def test_a_replayed_timestamp_does_not_make_an_old_time_known_after_a_boot(
    province, source, terminal, machine
):
    publish_something(province, source)
    refresh(terminal)
    machine.reboot("boot-2", rtc_ms=60_000)
    refresh(terminal)
    assert terminal.clock.now_ms()[1] is ClockState.UNCERTAIN


def test_an_rtc_that_runs_ahead_is_healed_by_a_time_bound_to_our_nonce(province, source, terminal, machine):
    publish_something(province, source)
    refresh(terminal)
    machine.reboot("boot-2", rtc_ms=NOON_MS + 60 * DAY_MS)
    province.sign_timestamp()
    with pytest.raises(RefreshFailed, match="expired"):
        refresh(terminal)
    terminal.clock.hear_server_time(province.now_ms)
    assert terminal.clock.now_ms() == (province.now_ms, ClockState.KNOWN)
    assert refresh(terminal).complete


def test_the_reference_time_that_tuf_holds_expiry_against_is_ours(province, source, terminal, machine):
    """Holds the one private attribute of tuf that we set: with it unset, the machine's real clock would decide."""
    publish_something(province, source)
    machine.set_rtc(0)
    terminal.clock.hear_server_time(NOON_MS - 20 * 365 * DAY_MS)
    terminal.database.execute("UPDATE anchor SET passed_ms = 0, ms = 0")
    assert refresh(terminal).complete
    province.expires[names.FRAME] = timedelta(minutes=30)
    province.publish()
    terminal.clock.hear_server_time(NOON_MS + 2 * HOUR_MS)
    assert any("frame is expired" in problem for problem in refresh(terminal).problems)


# --- the state survives -------------------------------------------------------------------------------------------
def test_stored_documents_are_hashed_again_and_replaced_when_the_disk_lied(province, source, terminal):
    film, _ = publish_something(province, source)
    refresh(terminal)
    frame = names.frame_target("13")
    (data,) = terminal.database.row("SELECT bytes FROM documents WHERE target = ?", (frame,))
    spoiled = data.replace(b'"required":true', b'"required":null')
    terminal.database.execute("UPDATE documents SET bytes = ? WHERE target = ?", (spoiled, frame))
    with open_agent(terminal.paths.data) as again:
        assert film.sha256 not in releases_on(again, EVENING_MS)
        refresh(again)
        assert film.sha256 in releases_on(again, EVENING_MS)


def test_a_terminal_of_another_county_verifies_the_same_state(tmp_path, province, source, machine):
    film, _ = publish_something(province, source)
    with make_terminal(tmp_path / "other", province, [source.url], machine, region="130104") as other:
        assert refresh(other).complete
        assert film.sha256 in releases_on(other, EVENING_MS)
