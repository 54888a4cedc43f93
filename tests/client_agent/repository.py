"""A small province for tests: a real TUF repository in the project's layout, served by a real loopback server.

``Province`` signs with real keys and thresholds; ``Source`` serves its folder and can be told to misbehave.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    SuccinctRoles,
    TargetFile,
    Targets,
    Timestamp,
)

from protocol import documents, names
from protocol.documents import (
    Emergency,
    Endpoints,
    Frame,
    FrameChannel,
    Item,
    LibraryEntry,
    LocalDocument,
    Network,
    Recall,
    ReceiptKey,
    Ref,
    ReleaseFile,
    ReleaseManifest,
    Rendition,
    Rights,
    Why,
)
from protocol.identifiers import uuid7
from protocol.keys import key_id, new_private_key, public_text
from protocol.pieces import piece_layer_of
from protocol.times import from_ms, ms_to_text, to_ms

NOON_MS = to_ms(datetime.fromisoformat("2026-12-05T12:00:00+08:00"))
"""A day in winter, noon in Shijiazhuang: the tests' now."""
HOUR_MS = 60 * 60 * 1000
DAY_MS = 24 * HOUR_MS
REGION = "130123105201"
BINS = 256


def made_bytes(seed: str, length: int) -> bytes:
    """Reproducible bytes that look like nothing."""
    out, counter = bytearray(), 0
    while len(out) < length:
        out += hashlib.sha256(f"{seed}|{counter}".encode()).digest()
        counter += 1
    return bytes(out[:length])


@dataclass(frozen=True)
class Release:
    """An edition as the catalogue would admit it."""

    manifest: ReleaseManifest
    data: bytes
    sha256: str

    @property
    def edition(self) -> str:
        return self.manifest.edition

    def ref(self) -> Ref:
        return Ref(edition=self.edition, release=self.sha256, duration_ms=self.manifest.duration_ms)

    def item(self, starts_ms: int, **more: Any) -> Item:
        return Item(
            id=f"item-{starts_ms}",
            starts_at=ms_to_text(starts_ms),
            duration_ms=self.manifest.duration_ms,
            edition=self.edition,
            release=self.sha256,
            why=Why(rule="slot", level="province", region="13"),
            **more,
        )

    def entry(self) -> LibraryEntry:
        return LibraryEntry(edition=self.edition, release=self.sha256, section=self.manifest.section)


@cache
def _keys() -> dict[str, list[CryptoSigner]]:
    """Keys made once a run: provinces that sign the same thing sign it with the same keys, and only once."""
    sizes = {
        "root": 3,
        "targets": 3,
        "snapshot": 1,
        "timestamp": 1,
        "policy": 1,
        "city-1301": 1,
        "officers": 4,
    }
    return {name: [CryptoSigner.generate_ed25519() for _ in range(size)] for name, size in sizes.items()}


_SIGNED: dict[tuple[str, int], bytes] = {}
"""What was signed before in this run: (content and keys, version) → bytes. 256 empty bins a province add up."""


class Province:
    """Signs and writes everything that a terminal reads, into ``folder`` (its ``r/``, ``m/`` and ``p/``)."""

    def __init__(self, folder: Path, now_ms: int = NOON_MS) -> None:
        self.folder = folder
        self.now_ms = now_ms
        self.signers = {
            name: [CryptoSigner.generate_ed25519() for _ in range(3)] for name in ("root", "targets")
        }
        for name in ("snapshot", "timestamp", "policy", "city-1301"):
            self.signers[name] = [CryptoSigner.generate_ed25519()]
        self.signers["officers"] = [CryptoSigner.generate_ed25519() for _ in range(4)]
        self.receipt_private = new_private_key()
        self.files: dict[str, dict[str, bytes]] = {}
        """Role → target path → bytes."""
        self.versions: dict[str, int] = {}
        self.expires: dict[str, timedelta] = {}
        """Role → how long after publishing it expires; the default is generous."""
        self.serials: dict[str, int] = {}
        self.root_version = 0
        self._written: dict[str, tuple[str, bytes]] = {}
        for part in ("r/metadata", "r/targets", "m", "p"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        self.roots: list[bytes] = []
        self.sign_root()

    # --- what is published ------------------------------------------------------------------------------------------
    def release(
        self,
        title: str,
        *,
        length: int = 2_500_000,
        duration_ms: int = 60_000,
        section: str = "agriculture",
        rights: Rights | None = None,
        poster: bool = False,
        admit: bool = True,
    ) -> Release:
        """An edition with one video of made bytes, put on the read plane and (by default) admitted."""
        data = made_bytes(title, length)
        layer = self.put_media(data)
        files = []
        if poster:
            picture = self.put_media(made_bytes(f"{title} poster", 4_000))
            files.append(
                ReleaseFile(
                    kind=documents.FileKind.POSTER,
                    sha256=picture.sha256,
                    length=picture.length,
                    pieces_root=picture.root,
                )
            )
        manifest = ReleaseManifest(
            edition=uuid7(self.now_ms),
            programme=uuid7(self.now_ms),
            number=0,
            title=title,
            section=section,
            duration_ms=duration_ms,
            rights=rights or Rights(),
            source_sha256=hashlib.sha256(title.encode()).hexdigest(),
            recipe_sha256=hashlib.sha256(b"recipe").hexdigest(),
            renditions=[
                Rendition(
                    profile="360p",
                    profile_version=1,
                    sha256=layer.sha256,
                    length=layer.length,
                    pieces_root=layer.root,
                    width=640,
                    height=360,
                    bitrate=400_000,
                )
            ],
            files=files,
        )
        encoded = documents.encode(manifest)
        made = Release(manifest, data, hashlib.sha256(encoded).hexdigest())
        if admit:
            self.admit(made)
        return made

    def admit(self, release: Release) -> None:
        path = names.release_target(release.edition)
        self.put(self.bin_of(path), path, documents.encode(release.manifest))

    def put_media(self, data: bytes):
        layer = piece_layer_of(data)
        (self.folder / "m" / layer.sha256).write_bytes(data)
        (self.folder / "p" / layer.root).write_bytes(layer.layer)
        return layer

    def frame(
        self,
        items: Sequence[Item] = (),
        *,
        region: str = "13",
        fillers: Sequence[Ref] = (),
        library: Sequence[LibraryEntry] = (),
        windows: Sequence[documents.Window] = (),
        logo: documents.Picture | None = None,
        **more: Any,
    ) -> None:
        document = Frame(
            region=region,
            serial=self.next_serial(names.frame_target(region)),
            valid_from=ms_to_text(self.now_ms - DAY_MS),
            valid_until=ms_to_text(self.now_ms + 14 * DAY_MS),
            channels=[
                FrameChannel(
                    id="main",
                    name="综合",
                    items=list(items),
                    windows=list(windows),
                    fillers=list(fillers),
                    logo=logo,
                )
            ],
            library=list(library),
            **more,
        )
        self.put(names.FRAME, names.frame_target(region), documents.encode(document))

    def local(self, items: Sequence[Item], *, region: str = "130123") -> None:
        path = names.local_target(region)
        document = LocalDocument(
            region=region,
            serial=self.next_serial(path),
            valid_from=ms_to_text(self.now_ms - DAY_MS),
            valid_until=ms_to_text(self.now_ms + 14 * DAY_MS),
            channels=[documents.LocalChannel(id="main", items=list(items))],
        )
        self.put(names.local_role(region[:4]), path, documents.encode(document))

    def recall(self, *releases: Release) -> None:
        recalled = [
            documents.RecalledRelease(edition=r.edition, release=r.sha256, at=ms_to_text(self.now_ms))
            for r in releases
        ]
        document = Recall(serial=self.next_serial(names.RECALL_TARGET), recalled=recalled)
        self.put(names.RECALL, names.RECALL_TARGET, documents.encode(document))

    def emergency(self, *items: documents.EmergencyItem) -> None:
        document = Emergency(serial=self.next_serial(names.EMERGENCY_TARGET), items=list(items))
        self.put(names.EMERGENCY, names.EMERGENCY_TARGET, documents.encode(document))

    def commands(self, *items: documents.Command) -> None:
        document = documents.Commands(serial=self.next_serial(names.COMMAND_TARGET), items=list(items))
        self.put(names.COMMAND, names.COMMAND_TARGET, documents.encode(document))

    def network(self, read: Sequence[str], *, api: str = "http://127.0.0.1:9/api/v1", **more: Any) -> None:
        public = public_text(self.receipt_private)
        document = Network(
            serial=self.next_serial(names.NETWORK_TARGET),
            endpoints=Endpoints(api=api, read=list(read)),
            receipt_keys=[ReceiptKey(keyid=key_id(public), public=public)],
            **more,
        )
        self.put(names.NETWORK, names.NETWORK_TARGET, documents.encode(document))

    def put(self, role: str, path: str, data: bytes) -> None:
        self.files.setdefault(role, {})[path] = data

    def remove(self, role: str, path: str) -> None:
        self.files.get(role, {}).pop(path, None)

    def next_serial(self, path: str) -> int:
        self.serials[path] = self.serials.get(path, 0) + 1
        return self.serials[path]

    # --- signing ----------------------------------------------------------------------------------------------------
    def _keys(self, *names_: str) -> list[CryptoSigner]:
        return [signer for name in names_ for signer in self.signers[name]]

    def sign_root(self) -> bytes:
        """The next root, signed by two of the three of old and new keys; returns its bytes."""
        self.root_version += 1
        root = Root(version=self.root_version, expires=self._expiry("root"), consistent_snapshot=True)
        for role, threshold in (("root", 2), ("targets", 2), ("snapshot", 1), ("timestamp", 1)):
            for signer in self.signers[role]:
                root.add_key(signer.public_key, role)
            root.roles[role].threshold = threshold
        signing = self.signers["root"][:2] + getattr(self, "_old_root_signers", [])[:2]
        data = _signed(root, signing)
        self._old_root_signers = self.signers["root"]
        self._write_metadata("root", self.root_version, data)
        self.roots.append(data)
        return data

    def publish(self, *, hours: float = 1.0, issued_ms: int | None = None) -> None:
        """Sign what changed and issue a new timestamp, ``hours`` later than the last."""
        self.now_ms += int(hours * HOUR_MS)
        self._sign_named_roles()
        self._sign("targets", self._targets_with_delegations(), self.signers["targets"][:2])
        snapshot = Snapshot(version=1, expires=self._expiry("snapshot"), meta=self._meta())
        self._sign("snapshot", snapshot, self.signers["snapshot"])
        self.sign_timestamp(hours=0, issued_ms=issued_ms)

    def sign_timestamp(
        self, *, hours: float = 1.0, issued_ms: int | None = None, version: int | None = None
    ) -> None:
        """A fresh timestamp over the present snapshot."""
        self.now_ms += int(hours * HOUR_MS)
        _, data = self._written["snapshot"]
        meta = MetaFile.from_data(self.versions["snapshot"], data, ["sha256"])
        self.versions["timestamp"] = version or self.versions.get("timestamp", 0) + 1
        issued = ms_to_text(self.now_ms if issued_ms is None else issued_ms)
        timestamp = Timestamp(
            version=self.versions["timestamp"],
            expires=self._expiry("timestamp"),
            snapshot_meta=meta,
            unrecognized_fields={names.TIMESTAMP_ISSUED_FIELD: issued},
        )
        data = _signed(timestamp, self.signers["timestamp"])
        (self.folder / "r/metadata/timestamp.json").write_bytes(data)

    def _sign_named_roles(self) -> None:
        both = [*self.signers["policy"], self.signers["officers"][0]]
        for role in (names.FRAME, names.RECALL, names.EMERGENCY, names.NETWORK):
            self._sign(role, self._targets(role), both)
        if names.COMMAND in self.files:
            self._sign(names.COMMAND, self._targets(names.COMMAND), self.signers["policy"])
        self._sign(
            names.local_role("1301"),
            self._targets(names.local_role("1301")),
            self._keys("city-1301", "policy"),
        )
        catalogue = Targets(version=1, expires=self._expiry("catalogue"))
        bin_keys = self._keys("policy", "officers")
        succinct = SuccinctRoles([], 2, names.CATALOGUE_BIN_BITS, names.CATALOGUE)
        catalogue.delegations = Delegations({}, succinct_roles=succinct)
        for signer in bin_keys:
            catalogue.add_key(signer.public_key)
        self._sign(names.CATALOGUE, catalogue, both)
        for role in succinct.get_roles():
            self._sign(role, self._targets(role), both)

    def _targets(self, role: str) -> Targets:
        targets = Targets(version=1, expires=self._expiry(role))
        for path, data in sorted(self.files.get(role, {}).items()):
            targets.targets[path] = TargetFile.from_data(path, data, ["sha256"])
            folder, slash, name = path.rpartition("/")
            hashed = self.folder / "r/targets" / f"{folder}{slash}{hashlib.sha256(data).hexdigest()}.{name}"
            hashed.parent.mkdir(parents=True, exist_ok=True)
            if not hashed.exists():
                hashed.write_bytes(data)
        return targets

    def _targets_with_delegations(self) -> Targets:
        targets = Targets(version=1, expires=self._expiry("targets"))
        rules = {
            names.CATALOGUE: (["release/*"], 2, self._keys("policy", "officers")),
            names.FRAME: (["frame/*"], 2, self._keys("policy", "officers")),
            names.local_role("1301"): (["local/1301/*"], 2, self._keys("city-1301", "policy")),
            names.RECALL: ([names.RECALL_TARGET], 1, self._keys("policy", "officers")),
            names.EMERGENCY: ([names.EMERGENCY_TARGET], 2, self._keys("policy", "officers")),
            names.NETWORK: ([names.NETWORK_TARGET], 2, self._keys("policy", "officers")),
            names.COMMAND: (["command/*.json"], 1, self._keys("policy", "officers")),
        }
        roles = {role: DelegatedRole(role, [], n, True, paths=paths) for role, (paths, n, _) in rules.items()}
        targets.delegations = Delegations({}, roles=roles)
        for role, (_, _, signers) in rules.items():
            for signer in signers:
                targets.add_key(signer.public_key, role)
        return targets

    def _meta(self) -> dict[str, MetaFile]:
        return {
            f"{role}.json": MetaFile.from_data(self.versions[role], data, ["sha256"])
            for role, (_, data) in self._written.items()
            if role != "snapshot"
        }

    def _sign(self, role: str, signed: Any, signers: Sequence[CryptoSigner]) -> None:
        """A new version only when something changed besides the version."""
        signed.version = 1
        text = json.dumps([signed.to_dict(), sorted(s.public_key.keyid for s in signers)], sort_keys=True)
        before = self._written.get(role)
        if before is not None and before[0] == text:
            return
        self.versions[role] = signed.version = self.versions.get(role, 0) + 1
        key = (text, signed.version)
        data = _SIGNED.get(key) or _SIGNED.setdefault(key, _signed(signed, signers))
        self._written[role] = (text, data)
        self._write_metadata(role, signed.version, data)

    def _write_metadata(self, role: str, version: int, data: bytes) -> None:
        (self.folder / "r/metadata" / f"{version}.{role}.json").write_bytes(data)

    def _expiry(self, role: str) -> datetime:
        # A day's grid, so that an unchanged role stays byte for byte what it was.
        start = self.now_ms - self.now_ms % (365 * DAY_MS) if role not in self.expires else self.now_ms
        lasting = self.expires.get(role, timedelta(days=3 if role == "timestamp" else 730))
        if role == "timestamp":
            start = self.now_ms
        return from_ms(start).replace(microsecond=0) + lasting

    def bin_of(self, path: str) -> str:
        succinct = SuccinctRoles([], 1, names.CATALOGUE_BIN_BITS, names.CATALOGUE)
        return succinct.get_role_for_target(path)

    def copy_to(self, folder: Path) -> Path:
        """A mirror as it is now: what a relay would hold."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return folder


def _signed(signed: Any, signers: Sequence[CryptoSigner]) -> bytes:
    metadata = Metadata(signed)
    for signer in {s.public_key.keyid: s for s in signers}.values():
        metadata.sign(signer, append=True)
    return metadata.to_bytes()


# --- serving --------------------------------------------------------------------------------------------------------
@dataclass
class Request:
    """What a source was asked."""

    path: str
    range: str | None


Spoil = Callable[[Request, int, dict[str, str], bytes], tuple[int, dict[str, str], bytes]]
"""(request, status, headers, body) → what is sent instead."""


@dataclass
class Source:
    """A loopback server over a folder, with ranges. ``spoil`` may alter any answer; ``asked`` lists the requests."""

    folder: Path
    spoil: Spoil | None = None
    answer_post: Callable[[str, bytes], tuple[int, bytes]] | None = None
    asked: list[Request] = field(default_factory=list)
    piece_delay_s: float = 0.0

    def __enter__(self) -> Self:
        source = self

        class Handler(_Handler):
            owner = source

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def paths(self, prefix: str = "/") -> list[str]:
        return [request.path for request in self.asked if request.path.startswith(prefix)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: Source

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        request = Request(self.path, self.headers.get("Range"))
        self.owner.asked.append(request)
        status, headers, body = self._found(request)
        if self.owner.spoil is not None:
            status, headers, body = self.owner.spoil(request, status, headers, body)
        self._reply(status, headers, body)

    def _found(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        path = self.owner.folder / request.path.lstrip("/")
        if not path.is_file() or ".." in request.path:
            return 404, {}, b"not here"
        body = path.read_bytes()
        if request.range is None:
            return 200, {}, body
        first, last = (int(n) for n in request.range.removeprefix("bytes=").split("-"))
        threading.Event().wait(self.owner.piece_delay_s)
        return 206, {"Content-Range": f"bytes {first}-{last}/{len(body)}"}, body[first : last + 1]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.owner.asked.append(Request(self.path, None))
        status, answer = self.owner.answer_post(self.path, body) if self.owner.answer_post else (404, b"")
        self._reply(status, {"Content-Type": "application/json"}, answer)

    def _reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
        try:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True
