"""Stolen keys and hostile relays against a real python-tuf client: what is refused, and by which rule."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import (
    BadVersionNumberError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    UnsignedMetadataError,
)
from tuf.api.metadata import Metadata, MetaFile, TargetFile

from protocol.documents import LocalDocument, decode, encode
from protocol.names import frame_target, local_target, release_target
from server.publish.keys import read_key
from server.publish.rules import bin_of
from tests.publish.conftest import COUNTY, EVENING, Installation

COUNTY_TARGET = local_target("130123")


@dataclass
class Attacker:
    """Somebody who can change every file on the way, and stole some keys."""

    province: Installation
    stolen: tuple[str, ...]

    @property
    def metadata(self):
        return self.province.config.read / "r" / "metadata"

    def load(self, role: str) -> Metadata:
        name = "timestamp.json" if role == "timestamp" else f"{self.version(role)}.{role}.json"
        return Metadata.from_file(str(self.metadata / name))

    def version(self, role: str) -> int:
        if role == "snapshot":
            return self.load("timestamp").signed.snapshot_meta.version
        return self.load("snapshot").signed.meta[f"{role}.json"].version

    def sign(self, metadata: Metadata) -> bytes:
        """With every stolen key."""
        metadata.signatures.clear()
        for name in self.stolen:
            private = Ed25519PrivateKey.from_private_bytes(read_key(self.province.config.keys, name).private)
            metadata.sign(CryptoSigner(private), append=True)
        return metadata.to_bytes()

    def put(self, role: str, version: int, data: bytes) -> None:
        (self.metadata / f"{version}.{role}.json").write_bytes(data)

    def put_target(self, name: str, data: bytes) -> TargetFile:
        info = TargetFile.from_data(name, data, ["sha256"])
        folder, _, base = name.rpartition("/")
        place = self.province.config.read / "r" / "targets" / folder
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{info.hashes['sha256']}.{base}").write_bytes(data)
        return info

    def serve(self, role: str, data: bytes, version: int) -> None:
        """A new snapshot and timestamp that name a role's file, signed with what was stolen."""
        self.put(role, version, data)
        snapshot, timestamp = self.load("snapshot"), self.load("timestamp")
        snapshot.signed.meta[f"{role}.json"] = MetaFile.from_data(version, data, ["sha256"])
        snapshot.signed.version += 1
        snapshot_data = self.sign(snapshot)
        self.put("snapshot", snapshot.signed.version, snapshot_data)
        timestamp.signed.version += 1
        timestamp.signed.snapshot_meta = MetaFile.from_data(
            snapshot.signed.version, snapshot_data, ["sha256"]
        )
        (self.metadata / "timestamp.json").write_bytes(self.sign(timestamp))


@pytest.fixture
def province(sqlite_province):
    """A county's evening is published."""
    edition = sqlite_province.release("蔚县剪纸")
    sqlite_province.place(edition, at=EVENING.replace(hour=20), region="130123", by=COUNTY)
    assert sqlite_province.publish().held_back == ()
    return sqlite_province


def swapped_document(attacker: Attacker, terminal) -> Metadata:
    """The city's role with another document under the county's name."""
    role = attacker.load("local-1301")
    document = decode(terminal.fetch(COUNTY_TARGET), LocalDocument)
    evil = encode(LocalDocument(**{**_fields(document), "channels": []}))
    role.signed.targets[COUNTY_TARGET] = attacker.put_target(COUNTY_TARGET, evil)
    return role


def _fields(document: LocalDocument) -> dict:
    return {name: getattr(document, name) for name in document.__struct_fields__}


def test_a_stolen_city_key_cannot_swap_its_document_at_the_same_version(province, terminal):
    attacker = Attacker(province, ("local-1301",))
    role = swapped_document(attacker, terminal)
    terminal.home = terminal.home.with_name("fresh")  # a client that lacks this version
    terminal.__post_init__()

    attacker.put("local-1301", role.signed.version, attacker.sign(role))

    with pytest.raises(LengthOrHashMismatchError):
        terminal.fetch(COUNTY_TARGET)


def test_a_stolen_city_key_cannot_bring_a_new_version(province, terminal):
    attacker = Attacker(province, ("local-1301",))
    role = swapped_document(attacker, terminal)
    before = terminal.fetch(COUNTY_TARGET)

    role.signed.version += 1
    attacker.put("local-1301", role.signed.version, attacker.sign(role))

    assert terminal.fetch(COUNTY_TARGET) == before


def test_stolen_city_and_online_keys_lack_the_policys_signature(province, terminal):
    attacker = Attacker(province, ("local-1301", "snapshot", "timestamp"))
    role = swapped_document(attacker, terminal)
    role.signed.version += 1

    attacker.serve("local-1301", attacker.sign(role), role.signed.version)

    with pytest.raises(UnsignedMetadataError, match="1/2"):
        terminal.fetch(COUNTY_TARGET)


def test_stolen_policy_and_online_keys_cannot_admit_a_release(province, terminal):
    attacker = Attacker(province, ("policy", "snapshot", "timestamp"))
    target = release_target("01a20000-0000-7000-8000-000000000001")
    bin_ = attacker.load(bin_of(target))
    bin_.signed.targets[target] = attacker.put_target(target, b"{}")
    bin_.signed.version += 1

    attacker.serve(bin_of(target), attacker.sign(bin_), bin_.signed.version)

    with pytest.raises(UnsignedMetadataError, match="1/2"):
        terminal.fetch(target)


def test_stolen_policy_and_online_keys_cannot_change_a_frame(province, terminal):
    attacker = Attacker(province, ("policy", "snapshot", "timestamp"))
    frame = attacker.load("frame")
    frame.signed.targets[frame_target("13")] = attacker.put_target(frame_target("13"), b"{}")
    frame.signed.version += 1

    attacker.serve("frame", attacker.sign(frame), frame.signed.version)

    with pytest.raises(UnsignedMetadataError, match="1/2"):
        terminal.fetch(frame_target("13"))


def test_one_citys_keys_say_nothing_in_another_city(province, terminal):
    """City 1307's key and the policy's together still cannot speak for a county of 1301."""
    before = terminal.fetch(COUNTY_TARGET)
    attacker = Attacker(province, ("local-1307", "policy", "snapshot", "timestamp"))
    role = attacker.load("local-1307")
    role.signed.targets[COUNTY_TARGET] = attacker.put_target(COUNTY_TARGET, b"{}")
    role.signed.version += 1

    attacker.serve("local-1307", attacker.sign(role), role.signed.version)

    assert terminal.fetch(COUNTY_TARGET) == before


@pytest.mark.parametrize(
    "pattern", ["r/targets/frame/*.13.json", "r/metadata/*.frame.json", "r/metadata/timestamp.json"]
)
def test_a_byte_flipped_on_the_way_is_refused(province, terminal, pattern):
    path = max(province.config.read.glob(pattern), key=lambda found: found.stat().st_mtime_ns)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)

    with pytest.raises((RepositoryError, ValueError)):
        terminal.fetch(frame_target("13"))


def test_a_replayed_past_is_noticed(province, terminal):
    timestamp = province.config.read / "r" / "metadata" / "timestamp.json"
    past = timestamp.read_bytes()
    province.release("新的一期")
    province.publish()
    terminal.poll()

    timestamp.write_bytes(past)

    with pytest.raises(BadVersionNumberError):
        terminal.poll()


def test_a_relay_that_freezes_is_noticed_when_the_timestamp_runs_out(province, terminal):
    terminal.poll()
    terminal.now = province.now.replace(day=province.now.day + 4)

    with pytest.raises(ExpiredMetadataError):
        terminal.poll()


def test_every_key_says_that_it_is_for_demonstration(province):
    attacker = Attacker(province, ())
    files = [json.loads((attacker.metadata / "1.root.json").read_bytes())["signed"]["keys"]]
    files += [
        json.loads(attacker.load(role).to_bytes())["signed"]["delegations"]["keys"]
        for role in ("targets", "catalogue")
    ]

    labels = [key["x-yuanbo-label"] for keys in files for key in keys.values()]

    assert set(labels) == {"demo"}
    assert len(labels) == 3 + 2 + (5 + 11 + 3 + 1) + 5


def test_public_keys_in_the_metadata_are_those_of_the_files(province):
    root = Attacker(province, ()).metadata / "1.root.json"
    signed = json.loads(root.read_bytes())["signed"]
    stamp = signed["keys"][signed["roles"]["timestamp"]["keyids"][0]]

    mine = read_key(province.config.keys, "timestamp").public.public

    assert base64.b64encode(bytes.fromhex(stamp["keyval"]["public"])).decode() == mine
