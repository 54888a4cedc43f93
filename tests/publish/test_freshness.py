"""What publishing does by itself: the hourly timestamp, renewal, and noticing what is served."""

from __future__ import annotations

import logging
import os
import shutil
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from protocol.documents import Frame, decode
from protocol.names import frame_target, release_target
from server import clock
from server import config as settings
from server.db import Database
from server.lease import LeaseTaken
from server.publish import jobs, service
from server.publish.keys import KeysMissing, make_demo_keys
from server.publish.publisher import KeysDiffer, RepositoryBroken
from server.publish.rules import bin_of
from server.publish.service import Verdict
from server.publish.trust_repository import Repository
from tests.publish.conftest import ADMIN, COUNTY, EVENING, NOW, make_initialised
from tests.publish.test_attacks import Attacker


def keep_fresh(province) -> None:
    service.keep_fresh(province.database, province.config, province.store, now=province.now)


def test_the_hourly_timestamp_changes_the_timestamp_alone(province, terminal):
    timestamp, snapshot = terminal.versions()
    province.later(hours=1)

    keep_fresh(province)

    assert terminal.versions() == (timestamp + 1, snapshot)
    assert Repository(province.config.read).served().issued == province.now
    assert service.compare_served(province.database, province.config, now=province.now) is Verdict.SAME


def test_a_province_where_nobody_publishes_stays_readable(sqlite_province, terminal):
    """Six weeks of nothing but the hourly job: snapshots, bins and documents would all have run out."""
    province = sqlite_province
    edition = province.release("冬小麦返青管理")
    province.publish()
    document = terminal.fetch(frame_target("13"))
    for _ in range(15):
        province.later(days=2, hours=22)
        keep_fresh(province)
        terminal.now = province.now

    assert terminal.fetch(frame_target("13")) == document
    assert terminal.fetch(release_target(edition)) is not None
    assert terminal.fetch("network.json") is not None


def test_bins_are_signed_anew_before_they_run_out_and_say_the_same(sqlite_province, terminal):
    province = sqlite_province
    edition = province.release("冬小麦返青管理")
    province.publish()
    role = bin_of(release_target(edition))
    before = Attacker(province, ()).load(role).signed
    province.later(days=16)

    keep_fresh(province)

    after = Attacker(province, ()).load(role).signed
    assert after.version > before.version
    assert after.targets == before.targets
    assert after.expires - province.now == timedelta(days=45)


def test_a_root_is_renewed_half_a_year_before_it_ends_and_terminals_follow(sqlite_province, terminal):
    sqlite_province.later(days=200)

    keep_fresh(sqlite_province)

    terminal.now = sqlite_province.now
    assert terminal.poll()._trusted_set.root.version == 2


def test_nothing_is_stamped_while_somebody_publishes(province):
    def stamped_meanwhile(session, *, releases, now):
        compiled = service.compile_documents(session, releases=releases, now=now)
        session.commit()
        with pytest.raises(LeaseTaken):
            keep_fresh(province)
        return compiled

    province.release("一")
    assert province.publish(compile_schedule=stamped_meanwhile).changed


# --- the jobs as the clock process calls them -------------------------------------------------------------------------
@pytest.fixture
def today(province):
    """An installation whose publication is of today by this machine's clock."""
    province.now = clock.now()
    province.release("今天的节目")
    province.publish()
    return province


def test_the_jobs_open_their_own_database_and_leave_things_fresh(today):
    jobs.resign_timestamp(today.config)

    assert jobs.check_served_timestamp(today.config) is Verdict.SAME


def test_an_old_timestamp_on_the_read_plane_is_reported_as_an_error(today, caplog):
    timestamp = today.config.read / "r" / "metadata" / "timestamp.json"
    old = timestamp.read_bytes()
    jobs.resign_timestamp(today.config)
    timestamp.write_bytes(old)

    with caplog.at_level(logging.WARNING):
        assert jobs.check_served_timestamp(today.config) is Verdict.BEHIND

    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_lost_read_plane_is_reported_as_an_error(today):
    shutil.rmtree(today.config.read)

    assert jobs.check_served_timestamp(today.config) is Verdict.BEHIND


def test_a_damaged_snapshot_is_reported_and_stops_publishing(today):
    snapshot = max(
        today.config.read.glob("r/metadata/*.snapshot.json"), key=lambda p: int(p.name.split(".")[0])
    )
    snapshot.write_bytes(snapshot.read_bytes()[:-10])

    assert jobs.check_served_timestamp(today.config) is Verdict.DAMAGED
    with pytest.raises(RepositoryBroken):
        today.publish()


def test_a_timestamp_that_nobody_renews_is_noticed(province):
    late = province.now + timedelta(hours=3)

    assert service.compare_served(province.database, province.config, now=late) is Verdict.STALE


def test_a_document_that_rotted_on_the_read_plane_is_written_again(sqlite_province, terminal):
    served = next(sqlite_province.config.read.glob("r/targets/frame/*.13.json"))
    served.write_bytes(b"rotten")

    assert not sqlite_province.publish().changed

    assert decode(terminal.fetch(frame_target("13")), Frame).region == "13"


def test_half_files_of_a_killed_publisher_are_swept_away_after_an_hour(sqlite_province):
    metadata = sqlite_province.config.read / "r" / "metadata"
    old, young = metadata / ".9.frame.json.0a1b2c3d.part", metadata / ".10.frame.json.0a1b2c3d.part"
    for path, age_s in ((old, 7200), (young, 60)):
        path.write_bytes(b"half")
        moment = sqlite_province.now.timestamp() - age_s
        os.utime(path, (moment, moment))

    keep_fresh(sqlite_province)

    assert not old.exists()
    assert young.exists()


# --- the beginning ----------------------------------------------------------------------------------------------------
def test_starting_again_changes_nothing(province, terminal):
    before = terminal.versions()

    province.initialise()

    assert terminal.versions() == before


def test_a_root_whose_keys_are_gone_is_not_replaced_by_another(province):
    (province.config.keys / "policy.key").unlink()

    with pytest.raises(KeysMissing, match="policy"):
        province.initialise()
    with pytest.raises(KeysMissing, match="policy"):
        province.publish()
    assert not (province.config.keys / "policy.key").exists()


@pytest.mark.parametrize("name", ["officer-1", "timestamp", "local-1301"])
def test_keys_that_the_published_roles_do_not_name_sign_nothing_that_is_served(
    sqlite_province, terminal, name
):
    """A key file was replaced: what it signs would be refused by every terminal, so it is never served."""
    province = sqlite_province
    before = terminal.versions()
    (province.config.keys / f"{name}.key").unlink()
    make_demo_keys(province.config.keys)
    edition = province.release("一")
    province.place(edition, at=EVENING.replace(hour=20), region="130123", by=COUNTY)

    with pytest.raises(KeysDiffer):
        province.publish()

    assert terminal.versions() == before
    with province.database.read() as session:
        assert service.list_publications(session, ADMIN)[0].state == "failed"


def test_a_start_that_was_cut_off_among_the_keys_is_finished_by_the_next(sqlite_url, tmp_path):
    folder = tmp_path / "other"
    make_initialised(sqlite_url, folder)
    for name in ("snapshot.key", "timestamp.key"):
        (folder / "keys" / name).unlink()
    shutil.rmtree(folder / "read")

    config = replace(settings.load(folder, environ={}), database_url=sqlite_url)
    with closing(Database(sqlite_url)) as database:
        service.initialise(config, database, now=NOW)

    assert (folder / "keys" / "snapshot.key").exists()
    assert Repository(folder / "read").served() is not None
