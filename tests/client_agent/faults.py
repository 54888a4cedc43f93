"""Faults of a real machine for tests: small disks, power cuts, system calls that fail or kill.

What needs root or strace says so; a test asks first and takes its plain form where the machine cannot.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def drawn(name: str) -> random.Random:
    """Randomness whose seed stands in the test's output; YUANBO_SEED repeats a run."""
    seed = int(os.environ.get("YUANBO_SEED", random.SystemRandom().randrange(10**6)))
    sys.stdout.write(f"{name}: seed {seed}\n")
    return random.Random(seed)


@cache
def can_mount() -> bool:
    """Whether this process may mount small file systems."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    probe = Path("/tmp") / f"yuanbo-mount-{os.getpid()}"
    probe.mkdir(exist_ok=True)
    try:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1M", "yuanbo-probe", str(probe)],
            capture_output=True,
            check=False,
        )
        if done.returncode == 0:
            subprocess.run(["umount", str(probe)], check=True)
        return done.returncode == 0
    finally:
        probe.rmdir()


@cache
def can_loop() -> bool:
    """Whether an ext4 image can be made and mounted."""
    return can_mount() and shutil.which("mkfs.ext4") is not None and Path("/dev/loop-control").exists()


@cache
def can_trace() -> bool:
    """Whether strace can inject faults into a process of ours."""
    if shutil.which("strace") is None:
        return False
    done = subprocess.run(
        ["strace", "-qq", "-o", "/dev/null", "-e", "inject=chdir:error=EIO", "true"],
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system of its own, this large, in memory."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}M,mode=700", "yuanbo-test", str(folder)], check=True
    )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def ext4(image: Path, folder: Path) -> Iterator[Path]:
    """An ext4 image, mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def make_ext4(image: Path, megabytes: int) -> None:
    with image.open("wb") as file:
        file.truncate(megabytes * 1024 * 1024)
    subprocess.run(
        ["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(image)], check=True
    )


def agent_process(*words: str, data: Path, under: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
    """A command of the agent as a process of its own, under another program if asked."""
    return subprocess.Popen(
        [*under, sys.executable, "-m", "client_agent", *words, "--data", str(data)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def injected(call: str, fault: str, when: int | str) -> tuple[str, ...]:
    """strace in front of a command: the nth such call (of any thread or child) fails or kills."""
    return (
        "strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:{fault}:when={when}",
    )  # fmt: skip
