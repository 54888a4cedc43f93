"""The roles as they are served are those of the rules: who may say what, how many must agree, how long it holds."""

from __future__ import annotations

from datetime import timedelta

import pytest

from protocol import names
from server.publish import rules
from tests.publish.test_attacks import Attacker

POLICY_OR_OFFICERS = 5
TABLE = {
    "catalogue": (POLICY_OR_OFFICERS, 2, 180),
    "catalogue-00": (POLICY_OR_OFFICERS, 2, 45),
    "frame": (POLICY_OR_OFFICERS, 2, 45),
    "local-1301": (2, 2, 45),
    "local-1311": (2, 2, 45),
    "recall": (POLICY_OR_OFFICERS, 1, 45),
    "emergency": (POLICY_OR_OFFICERS, 2, 45),
    "network": (POLICY_OR_OFFICERS, 2, 90),
    "agent": (3, 2, 365),
    "rollout": (1, 1, 14),
}


@pytest.mark.parametrize("role", TABLE)
def test_a_delegated_role_is_as_the_rules_say(sqlite_province, role):
    keys, threshold, days = TABLE[role]
    reader = Attacker(sqlite_province, ())
    above = reader.load("catalogue" if role.startswith("catalogue-") else "targets").signed.delegations
    rule = above.succinct_roles if role.startswith("catalogue-") else above.roles[role]

    assert (len(rule.keyids), rule.threshold) == (keys, threshold)
    assert reader.load(role).signed.expires == sqlite_province.now + timedelta(days=days)


@pytest.mark.parametrize(
    ("role", "keys", "threshold", "days"),
    [("root", 3, 2, 365), ("targets", 3, 2, 365), ("snapshot", 1, 1, 14), ("timestamp", 1, 1, 3)],
)
def test_a_top_level_role_is_as_the_rules_say(sqlite_province, role, keys, threshold, days):
    reader = Attacker(sqlite_province, ())
    root = reader.metadata / "1.root.json"
    signed = reader.load("targets").from_file(str(root)).signed

    assert len(signed.roles[role].keyids) == keys
    assert signed.roles[role].threshold == threshold
    expires = signed.expires if role == "root" else reader.load(role).signed.expires
    assert expires == sqlite_province.now + timedelta(days=days)


def test_a_command_role_is_delegated_for_a_day_and_has_nothing_to_say_yet(sqlite_province):
    reader = Attacker(sqlite_province, ())
    role = reader.load("targets").signed.delegations.roles["command"]

    assert (len(role.keyids), role.threshold) == (POLICY_OR_OFFICERS, 1)
    assert rules.rule_of("command").valid == timedelta(hours=24)
    assert "command.json" not in reader.load("snapshot").signed.meta


def test_a_snapshot_names_every_role_with_its_hash(sqlite_province):
    meta = Attacker(sqlite_province, ()).load("snapshot").signed.meta

    assert (
        len(meta) == 1 + 1 + 256 + 1 + 11 + 3 + 2
    )  # targets, catalogue, bins, frame, cities, three, agent, rollout
    assert all(entry.hashes["sha256"] for entry in meta.values())


def test_each_target_belongs_to_one_role_and_tuf_agrees(sqlite_province):
    delegations = Attacker(sqlite_province, ()).load("targets").signed.delegations
    for target, role in {
        "frame/13.json": "frame",
        "frame/130123105201.json": "frame",
        "local/1301/130123.json": "local-1301",
        "recall.json": "recall",
        "emergency.json": "emergency",
        "network.json": "network",
    }.items():
        assert rules.role_of_target(target) == role
        assert [name for name, _ in delegations.get_roles_for_target(target)] == [role]


def test_a_bin_is_found_as_tuf_finds_it(sqlite_province):
    succinct = Attacker(sqlite_province, ()).load("catalogue").signed.delegations.succinct_roles
    for number in range(300):
        target = names.release_target(f"01a20000-0000-7000-8000-{number:012d}")
        assert rules.bin_of(target) == succinct.get_role_for_target(target)
    assert list(rules.bin_names()) == list(succinct.get_roles())


@pytest.mark.parametrize(
    "target", ["frame.json", "local/9999/99.json", "other/13.json", "x.json", "/etc/passwd"]
)
def test_a_name_that_nobody_may_use_has_no_role(target):
    with pytest.raises(KeyError):
        rules.rule_of(rules.role_of_target(target))


def test_the_timestamp_says_when_it_was_issued(sqlite_province):
    timestamp = Attacker(sqlite_province, ()).load("timestamp").signed

    assert timestamp.unrecognized_fields[names.TIMESTAMP_ISSUED_FIELD] == "2026-12-05T04:00:00.000Z"
