"""A publisher that is killed, stopped or overtaken: terminals see the old state or the new one, whole."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from protocol.documents import Frame, LocalDocument, decode
from protocol.names import frame_target, local_target
from server import readplane
from server.catalog.models import Edition
from server.db import Counter, Database
from server.lease import LeaseLost, LeaseRow, LeaseTaken
from server.publish import orders, service
from server.publish.models import OrderState, Publication, PublicationState, Release
from server.schedule.service import compile_documents
from tests.publish.conftest import ADMIN, COUNTY, EVENING

ROOT = Path(__file__).resolve().parents[2]


class PowerCut(BaseException):
    """The machine stops here."""


def cut_at(monkeypatch, step: int) -> None:
    """Fail at the step-th rename of this process."""
    calls = count(1)
    replace = readplane.os.replace

    def failing(source, target):
        if next(calls) == step:
            raise PowerCut
        replace(source, target)

    monkeypatch.setattr(readplane.os, "replace", failing)


def items_on_air(terminal) -> int:
    frame = decode(terminal.fetch(frame_target("13")), Frame)
    return len(frame.channels[0].items)


def test_failing_at_any_write_leaves_the_old_publication_and_the_next_one_succeeds(
    sqlite_province, terminal, monkeypatch, tmp_path
):
    province = sqlite_province
    province.place(province.release("农村安全用电"))
    before = province.publish()
    assert items_on_air(terminal) == 1
    province.place(province.release("冬小麦返青管理"), at=EVENING.replace(hour=21))
    province.database.close()
    everything = (province.config.data, terminal.home, tmp_path / "test.sqlite")
    saved = tmp_path / "saved"
    for place in everything:
        copy(place, saved / place.name)

    for step in count(1):
        for place in everything:
            copy(saved / place.name, place)
        with monkeypatch.context() as patched:
            cut_at(patched, step)
            try:
                province.publish()
            except PowerCut:
                pass
            else:
                break
        assert terminal.versions()[1] == before.number, f"after a failure at write {step}"
        assert items_on_air(terminal) == 1
        assert province.publish().number > before.number
        assert items_on_air(terminal) == 2, f"after going on from write {step}"
        states = states_of(province)
        assert states[0] == PublicationState.DONE
        assert PublicationState.RUNNING not in states
        province.database.close()

    assert step > 6  # two documents, two roles, snapshot, timestamp, and what the policy signer remembers


def local_items(terminal) -> int:
    data = terminal.fetch(local_target("130123"))
    if data is None:
        return 0
    return sum(len(channel.items) for channel in decode(data, LocalDocument).channels)


def test_what_goes_out_by_itself_may_fail_at_any_write_and_the_next_step_brings_it(
    sqlite_province, terminal, monkeypatch, tmp_path
):
    province = sqlite_province
    edition = province.release("农村安全用电")
    before = province.publish()
    province.place(edition, at=EVENING.replace(hour=20), region="130123", by=COUNTY)
    province.database.close()
    everything = (province.config.data, terminal.home, tmp_path / "test.sqlite")
    saved = tmp_path / "saved"
    for place in everything:
        copy(place, saved / place.name)

    for step in count(1):
        for place in everything:
            copy(saved / place.name, place)
        with monkeypatch.context() as patched:
            cut_at(patched, step)
            try:
                province.worker().step()
            except PowerCut:
                pass
            else:
                break
        assert terminal.versions()[1] == before.number, f"after a failure at write {step}"
        assert local_items(terminal) == 0
        assert province.worker().step()
        assert local_items(terminal) == 1, f"after going on from write {step}"
        assert PublicationState.RUNNING not in states_of(province)
        province.database.close()

    assert step > 4  # a document, its city's role, snapshot, timestamp, what the policy signer remembers


def test_an_order_killed_at_any_write_is_carried_out_by_the_next_worker(
    sqlite_province, terminal, monkeypatch, tmp_path
):
    province = sqlite_province
    province.place(province.release("农村安全用电"))
    with province.database.write() as session:
        order = orders.ask(session, ADMIN, now=province.now).id
    province.database.close()
    everything = (province.config.data, terminal.home, tmp_path / "test.sqlite")
    saved = tmp_path / "saved"
    for place in everything:
        copy(place, saved / place.name)

    for step in count(1):
        for place in everything:
            copy(saved / place.name, place)
        with monkeypatch.context() as patched:
            cut_at(patched, step)
            try:
                province.worker().step()
            except PowerCut:
                pass
            else:
                break
        with province.database.read() as session:
            assert orders.get(session, ADMIN, order).state == OrderState.RUNNING
        assert province.worker().step()
        with province.database.read() as session:
            done = orders.get(session, ADMIN, order)
            assert (done.state, done.answer["changed"]) == (OrderState.DONE, True)
        assert items_on_air(terminal) == 1, f"after going on from write {step}"
        province.database.close()

    assert step > 6


def test_what_goes_out_by_itself_is_fenced_off_when_it_slept_through_its_lease(province, terminal):
    edition = province.release("慢的")
    province.publish()
    province.place(edition, at=EVENING.replace(hour=20), region="130123", by=COUNTY)

    def overtaken(session, *, releases, now):
        compiled = compile_documents(session, releases=releases, now=now)
        session.commit()
        run_out(province.database)
        province.place(edition)
        overtaken.number = province.publish().number
        return compiled

    with pytest.raises(LeaseLost):
        service.publish_changes(
            province.database, province.config, province.store, now=province.now, compile_schedule=overtaken
        )

    assert terminal.versions()[1] == overtaken.number
    assert items_on_air(terminal) == 1


def states_of(province) -> list[str]:
    with province.database.read() as session:
        return [row.state for row in service.list_publications(session, ADMIN)]


def copy(source: Path, target: Path) -> None:
    """A file or folder in place of another, without leftovers (SQLite's log among them)."""
    for old in target.parent.glob(f"{target.name}*"):
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    target.parent.mkdir(exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)


KILLED = textwrap.dedent(
    """
    import os, signal, sys
    from dataclasses import replace
    from datetime import datetime
    from pathlib import Path
    from server import config as settings, readplane
    from server.db import Counter, Database
    from server.publish import service
    from server.storage import FolderStore

    data, url, now, step = Path(sys.argv[1]), sys.argv[2], datetime.fromisoformat(sys.argv[3]), int(sys.argv[4])
    config = replace(settings.load(data, environ={}), database_url=url)
    calls, move = 0, os.replace

    def counting(source, target):
        global calls
        calls += 1
        if calls == step:
            os.kill(os.getpid(), signal.SIGKILL)
        move(source, target)
        if step == 0 and str(target).endswith("timestamp.json"):
            os.kill(os.getpid(), signal.SIGKILL)

    readplane.os.replace = counting
    service.publish(Database(url), config, FolderStore(config.media), now=now, by="测试")
    """
)


def kill_while_publishing(province, *, step: int) -> None:
    """Publish in another process that is killed at its step-th rename; 0: just after the timestamp's."""
    killed = subprocess.run(
        [
            sys.executable, "-c", KILLED,
            str(province.config.data), province.database.url, province.now.isoformat(), str(step),
        ],
        cwd=ROOT,
        check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL


@pytest.mark.parametrize("step", [1, 5, 7])
def test_a_killed_publisher_leaves_nothing_behind_that_stops_the_next_one(sqlite_province, terminal, step):
    province = sqlite_province
    before = terminal.versions()
    province.place(province.release("苹果冬剪"))

    kill_while_publishing(province, step=step)

    assert terminal.versions() == before
    province.publish()
    assert items_on_air(terminal) == 1


def test_a_publisher_killed_after_its_last_write_is_put_right_by_the_next(sqlite_province, terminal):
    province = sqlite_province
    edition = province.release("蔚县剪纸")

    kill_while_publishing(province, step=0)

    number = terminal.versions()[1]
    assert service.compare_served(province.database, province.config, now=province.now) == "ahead"
    assert not province.publish().changed
    assert service.compare_served(province.database, province.config, now=province.now) == "same"
    with province.database.read() as session:
        assert session.get(Publication, number).state == PublicationState.DONE
        assert session.get(Release, edition).admitted_in == number
        assert session.get(Edition, edition).admitted_in == number


def test_a_publication_whose_commit_failed_is_known_to_be_served(province, terminal, monkeypatch):
    edition = province.release("蔚县剪纸")
    with monkeypatch.context() as patched:
        patched.setattr(service.Repository, "serve", _then_fail(service.Repository.serve))
        with pytest.raises(PowerCut):
            province.publish()

    assert service.compare_served(province.database, province.config, now=province.now) == "same"
    province.place(edition)
    assert province.publish().changed
    assert items_on_air(terminal) == 1


def _then_fail(serve):
    def served_then_cut(*args, **kwargs):
        serve(*args, **kwargs)
        raise PowerCut

    return served_then_cut


def test_two_publishers_never_work_at_once(province):
    for minute, title in enumerate(("一", "二", "三")):
        province.place(province.release(title), at=EVENING.replace(minute=minute))

    def publish(_):
        try:
            return province.publish()
        except LeaseTaken:
            return None

    with ThreadPoolExecutor(4) as pool:
        results = [result for result in pool.map(publish, range(4)) if result is not None]

    changed = [result for result in results if result.changed]
    assert len(changed) == 1
    assert all(result.number == changed[0].number for result in results)


def test_a_publisher_that_slept_through_its_lease_changes_nothing(province, terminal):
    slow_edition = province.release("慢的")

    def overtaken(session, *, releases, now):
        compiled = compile_documents(session, releases=releases, now=now)
        session.commit()
        run_out(province.database)
        province.release("快的")
        overtaken.number = province.publish().number
        return compiled

    with pytest.raises(LeaseLost):
        province.publish(compile_schedule=overtaken)

    assert terminal.versions()[1] == overtaken.number
    assert terminal.fetch(f"release/{slow_edition}.json") is not None
    assert service.compare_served(province.database, province.config, now=province.now) == "same"


def run_out(database: Database) -> None:
    with database.write() as session:
        session.get(LeaseRow, service.LEASE).expires_ms = 0


def test_numbers_go_on_above_what_is_served_when_the_database_was_restored(province, terminal):
    province.publish()
    province.release("一")
    province.publish()
    with province.database.write() as session:
        for counter in session.query(Counter).all():
            counter.value = 1
        session.query(Publication).delete()
    before = terminal.versions()
    province.release("二")

    result = province.publish()

    assert result.number > before[1]
    assert terminal.versions()[0] > before[0]
