"""`./yuanbo test` on a machine that lacks something: as root it installs, otherwise it names the one command."""

from __future__ import annotations

import os

import pytest

from tools import test as command

FAKE_APT = """#!/bin/sh
echo "$@ policy=$(cat {policy} 2>/dev/null | tail -1)" >> {log}
{then}
"""


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine without nginx, whose apt-get writes down what it was asked."""
    log, policy = tmp_path / "apt.log", tmp_path / "policy-rc.d"
    (tmp_path / "bin").mkdir()

    def prepare(root: bool, then: str = "") -> None:
        apt = tmp_path / "bin" / "apt-get"
        apt.write_text(FAKE_APT.format(log=log, policy=policy, then=then))
        apt.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
        monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
        monkeypatch.setattr(command, "POLICY", policy)
        monkeypatch.setattr(command, "NEEDED", {"nginx-light": lambda: False, "chromium": lambda: True})

    prepare.log = log
    prepare.policy = policy
    return prepare


def test_root_installs_what_is_missing_and_starts_no_service(machine):
    machine(root=True)
    command.install_missing()
    assert machine.log.read_text().splitlines() == [
        "-q update policy=",
        "-q install --yes --no-install-recommends nginx-light policy=exit 101",
    ]
    assert not machine.policy.exists()


def test_an_administrators_own_policy_is_left_alone(machine):
    machine(root=True)
    machine.policy.write_text("exit 0")
    command.install_missing()
    assert machine.policy.read_text() == "exit 0"


def test_anybody_else_is_told_the_one_command(machine, capsys):
    machine(root=False)
    assert command.main([]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "yuanbo test: 测试需要先安装 / the tests need, as root: apt-get install --no-install-recommends nginx-light"
    ]
    assert not machine.log.exists()


def test_a_refusal_of_the_package_system_is_passed_on_in_one_line(machine, capsys):
    machine(root=True, then="echo 'E: Unable to locate package' >&2; exit 100")
    assert command.main([]) == 2
    assert (
        capsys.readouterr().err.splitlines()[-1] == "yuanbo test: apt-get update: E: Unable to locate package"
    )


def test_what_tests_write_goes_to_memory_where_there_is_room_and_is_gone_afterwards(monkeypatch, tmp_path):
    monkeypatch.setattr(command, "MEMORY", str(tmp_path))
    monkeypatch.setattr(command, "MEMORY_NEEDED_BYTES", 1)
    with command.fast_folder() as folder:
        assert folder.startswith(str(tmp_path))
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(command, "MEMORY_NEEDED_BYTES", 2**60)
    with command.fast_folder() as folder:
        assert folder is None
    monkeypatch.setattr(command, "MEMORY", str(tmp_path / "not-there"))
    with command.fast_folder() as folder:
        assert folder is None


@pytest.mark.parametrize(
    "chosen", [["tests/tools"], ["tests/tools/test_setup.py::test_x"], ["-n", "0"], ["--pdb"]]
)
def test_a_part_or_an_own_choice_runs_as_asked(chosen):
    assert command.side_by_side(chosen, cores=8) == []


def test_everything_runs_side_by_side_on_every_core_but_never_on_many():
    assert command.side_by_side(["-q", "-m", "not browser"], cores=2)[:2] == ["-n", "2"]
    assert command.side_by_side([], cores=64)[:2] == ["-n", "4"]
    assert command.side_by_side([], cores=1) == []
