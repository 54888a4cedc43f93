"""Runs one media tool with as little power as the kernel lets us take away. Standard library only.

Started as its own process (``python -I -S jail.py SPEC COMMAND…``), so that limits are set without code between
fork and exec in a threaded worker. SPEC is JSON: ``{cpu_s, address_space, file_size, open_files, read: [path…],
write: [path…], parent}``. ``jail.py --probe`` prints which protections this machine offers.

Rules: `docs/media.md`, "Hostile files". Landlock: linux/landlock.h, ABI 1–6.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys

_LANDLOCK_CREATE_RULESET, _LANDLOCK_ADD_RULE, _LANDLOCK_RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000

_FS_EXECUTE, _FS_WRITE_FILE, _FS_READ_FILE, _FS_READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_FS_REMOVE_FILE, _FS_MAKE_REG = 1 << 5, 1 << 8
_FS_REFER, _FS_TRUNCATE, _FS_IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_FS_ALL_ABI1 = (1 << 13) - 1
_FS_ON_FILES = _FS_EXECUTE | _FS_WRITE_FILE | _FS_READ_FILE | _FS_TRUNCATE
_NET_TCP = 0b11
_SCOPE_ALL = 0b11

_libc = ctypes.CDLL(None, use_errno=True)


class _RulesetAttr(ctypes.Structure):
    _fields_ = [("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _PathBeneathAttr(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = [("access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32)]


def landlock_abi() -> int:
    """The kernel's Landlock ABI, 0 where it has none."""
    return max(_libc.syscall(_LANDLOCK_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION), 0)


def _handled(abi: int) -> _RulesetAttr:
    fs = _FS_ALL_ABI1
    fs |= _FS_REFER if abi >= 2 else 0
    fs |= _FS_TRUNCATE if abi >= 3 else 0
    fs |= _FS_IOCTL_DEV if abi >= 5 else 0
    return _RulesetAttr(fs, _NET_TCP if abi >= 4 else 0, _SCOPE_ALL if abi >= 6 else 0)


def _ruleset_size(abi: int) -> int:
    return 8 if abi < 4 else 16 if abi < 6 else 24


def _allow(ruleset: int, path: str, access: int) -> None:
    try:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not os.path.isdir(path):  # noqa: PTH112 -- pathlib would be another import in every run
            access &= _FS_ON_FILES
        attr = _PathBeneathAttr(access, beneath)
        if _libc.syscall(_LANDLOCK_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.byref(attr), 0):
            raise OSError(ctypes.get_errno(), "landlock_add_rule", path)
    finally:
        os.close(beneath)


def apply_landlock(read: list[str], write: list[str]) -> bool:
    """From here on only ``read`` can be read (and executed) and only ``write`` be written. False without Landlock."""
    abi = landlock_abi()
    if abi < 1:
        return False
    attr = _handled(abi)
    ruleset = _libc.syscall(_LANDLOCK_CREATE_RULESET, ctypes.byref(attr), _ruleset_size(abi), 0)
    if ruleset < 0:
        return False
    reading = (_FS_EXECUTE | _FS_READ_FILE | _FS_READ_DIR) & attr.fs
    writing = (
        _FS_READ_FILE | _FS_READ_DIR | _FS_WRITE_FILE | _FS_REMOVE_FILE | _FS_MAKE_REG | _FS_TRUNCATE
    ) & attr.fs
    for path in read:
        _allow(ruleset, path, reading)
    for path in [*write, "/dev/null"]:
        _allow(ruleset, path, writing)
    restricted = _libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0) == 0
    os.close(ruleset)
    return restricted


def leave_network() -> bool:
    """A network namespace of its own, without any interface. False where the kernel does not let us."""
    return _libc.unshare(_CLONE_NEWNET) == 0 or _libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0


def set_limits(spec: dict[str, int]) -> None:
    """CPU seconds, address space, largest file, open files; no core dumps."""
    for limit, key in (
        (resource.RLIMIT_CPU, "cpu_s"),
        (resource.RLIMIT_AS, "address_space"),
        (resource.RLIMIT_FSIZE, "file_size"),
        (resource.RLIMIT_NOFILE, "open_files"),
    ):
        hard = resource.getrlimit(limit)[1]
        value = spec[key] if hard == resource.RLIM_INFINITY else min(spec[key], hard)
        resource.setrlimit(limit, (value, value))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def die_with(parent: int) -> None:
    """A worker that is killed takes its tools along."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(137)


def probe() -> dict[str, bool | int]:
    """Which protections work here."""
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    no_network = leave_network()
    return {"landlock": apply_landlock(["/"], []), "landlock_abi": landlock_abi(), "no_network": no_network}


def main(argv: list[str]) -> None:
    """Take away what can be taken away, then become the command."""
    if argv == ["--probe"]:
        sys.stdout.write(json.dumps(probe()))
        return
    spec = json.loads(argv[0])
    die_with(spec["parent"])
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    leave_network()
    apply_landlock(spec["read"], spec["write"])
    set_limits(spec)
    os.execv(argv[1], argv[1:])  # noqa: S606 -- becoming the tool is what this program is for


if __name__ == "__main__":
    main(sys.argv[1:])
