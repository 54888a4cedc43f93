"""A real S3 service for the length of a test run: SeaweedFS, from its wheel, on loopback ports of its own."""

from __future__ import annotations

import ctypes
import json
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from minio import Minio

from server.config import S3Settings

START_TIMEOUT_S = 60
PR_SET_PDEATHSIG = 1


class CannotStart(Exception):
    """SeaweedFS is not here or does not start; the message is one line."""


class ObjectServer:
    """A running SeaweedFS with one account. `bucket()` makes a new bucket and says how to reach it."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="yuanbo-s3-"))
        self._key, self._secret = secrets.token_hex(8), secrets.token_hex(16)
        self._ports = _free_ports(8)
        self._port, *others = self._ports
        try:
            self._process = self._start(others)
            self._wait()
        except BaseException:
            self.close()
            raise

    def bucket(self) -> S3Settings:
        """A new, empty bucket."""
        name = f"yuanbo-{secrets.token_hex(6)}"
        self._client().make_bucket(name)
        return S3Settings(
            endpoint=f"127.0.0.1:{self._port}",
            bucket=name,
            access_key=self._key,
            secret_key=self._secret,
            secure=False,
        )

    def close(self) -> None:
        """Stop the server and remove its folder."""
        process = getattr(self, "_process", None)
        if process and process.poll() is None:
            process.kill()  # asked politely it takes ten seconds, and what it holds is thrown away
            process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
        for port in self._ports:  # it leaves sockets where it was not told to
            for left_over in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108
                left_over.unlink(missing_ok=True)

    def _client(self) -> Minio:
        return Minio(f"127.0.0.1:{self._port}", access_key=self._key, secret_key=self._secret, secure=False)

    def _start(self, ports: list[int]) -> subprocess.Popen[bytes]:
        program = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
        if program is None:
            raise CannotStart("SeaweedFS is not here: ./yuanbo test installs it")
        account = {
            "name": "yuanbo",
            "credentials": [{"accessKey": self._key, "secretKey": self._secret}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        accounts = self._folder / "accounts.json"
        accounts.write_text(json.dumps({"identities": [account]}), "utf-8")
        names = (
            "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc",
            "s3.port.grpc",
        )  # fmt: skip
        arguments = [f"-{name}={port}" for name, port in zip(names, ports, strict=True)]
        arguments += [
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            f"-dir={self._folder}",
            "-s3",
            f"-s3.port={self._port}",
        ]
        arguments += ["-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.localSocket={self._folder / 's3.sock'}"]
        arguments += [
            f"-s3.config={accounts}",
            "-master.volumeSizeLimitMB=64",
            "-volume.max=2000",  # each bucket takes some, and each test takes a bucket; an empty one is nothing on disk
            "-master.telemetry=false",
        ]
        with (self._folder / "server.log").open("wb") as log:
            return subprocess.Popen(
                [program, "server", *arguments],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_stop_with_parent,  # noqa: PLW1509  -- one prctl call
                start_new_session=True,
            )

    def _wait(self) -> None:
        """Until a bucket can be made. Raises CannotStart."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self._port), timeout=1):
                    pass
                self.bucket()
                return
            except Exception as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    said = (self._folder / "server.log").read_text("utf-8", "replace").strip().split("\n")
                    raise CannotStart(f"SeaweedFS did not start: {said[-1]}") from error
                time.sleep(0.2)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for opened in sockets:
            opened.bind(("127.0.0.1", 0))
        return [opened.getsockname()[1] for opened in sockets]
    finally:
        for opened in sockets:
            opened.close()


_libc = ctypes.CDLL(None)


def _stop_with_parent() -> None:
    """In the child: be killed when the parent dies."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
