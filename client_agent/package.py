"""The agent alone, in forms that a station installs: a wheel for pip, and one file that Python runs as it is.

    yuanbo_agent-<version>-py3-none-any.whl                 pip install … ; then `yuanbo-agent`
    yuanbo-agent-<version>-<python>-<machine>.pyz           python3 yuanbo-agent-….pyz run …

Neither holds anything of the server. Equal sources make equal bytes: no times, names in order, one compression level.
The one-file form carries the packages it needs, as installed here; machine code cannot be loaded from inside a zip, so
its first start unpacks them, whole or not at all, into a cache folder named by their hash.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import sys
import sysconfig
import zipfile
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution
from pathlib import Path, PurePosixPath

import client_agent
import protocol
from client_agent import VERSION
from client_agent.durable import write_durably
from client_agent.reporting import find_fonts

NEEDS = ("msgspec", "tuf", "cryptography", "tzdata", "segno")
"""What the agent's sources import, beside the standard library; what those need comes with them."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
_NOT_CARRIED = (
    "__pycache__",
    ".dist-info/direct_url.json",
    ".dist-info/RECORD",
    ".dist-info/INSTALLER",
    "../",
)
_MAIN = '''\
"""Unpacks what machine code needs, once, and hands over to the agent."""
import os, shutil, sys, tempfile, zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
DIGEST = "{digest}"
PYTHON = {python!r}

if sys.version_info[:2] != PYTHON:
    sys.exit("yuanbo-agent: needs Python %d.%d" % PYTHON)
home = os.environ.get("YUANBO_AGENT_CACHE") or os.path.join(
    os.environ.get("CACHE_DIRECTORY") or os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "yuanbo-agent")
place = os.path.join(home, DIGEST)
if not os.path.isdir(place):
    os.makedirs(home, mode=0o700, exist_ok=True)
    beside = tempfile.mkdtemp(prefix=".unpacking-", dir=home)
    try:
        with zipfile.ZipFile(HERE) as whole:
            for name in whole.namelist():
                if name.startswith("site/"):
                    whole.extract(name, beside)
        os.rename(os.path.join(beside, "site"), place)
    except OSError:
        if not os.path.isdir(place):  # else another start was first
            raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
for old in os.listdir(home):
    if old != DIGEST and not old.startswith("."):
        shutil.rmtree(os.path.join(home, old), ignore_errors=True)
sys.path.insert(0, place)
os.environ["PYTHONPATH"] = place
from client_agent.cli import main
sys.exit(main())
'''


def own_files() -> dict[str, bytes]:
    """The sources of agent and protocol, by their path in a package."""
    found: dict[str, bytes] = {}
    for package in (client_agent, protocol):
        folder = Path(str(package.__file__)).resolve().parent
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder.parent).as_posix()
            if path.is_file() and "__pycache__" not in inside and path.suffix not in (".pyc", ".po", ".pot"):
                found[inside] = path.read_bytes()
    return found


def font_files() -> dict[str, bytes]:
    """The television's Chinese font (some 40 MB), where the set-up put it: a bare machine has none."""
    fonts = find_fonts()
    if fonts is None:
        return {}
    return {
        f"client_agent/tv/fonts/{path.relative_to(fonts).as_posix()}": path.read_bytes()
        for path in sorted(fonts.rglob("*"))
        if path.is_file()
    }


def build_wheel(folder: Path, *, with_font: bool = True) -> Path:
    """The wheel, whole, in ``folder``. Raises OSError."""
    info = f"yuanbo_agent-{VERSION}.dist-info"
    files = {**own_files(), **(font_files() if with_font else {})}
    needs = "".join(f"Requires-Dist: {name}=={distribution(name).version}\n" for name in NEEDS)
    files[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: yuanbo-agent\nVersion: {VERSION}\nRequires-Python: >=3.11\n"
        f"Summary: Yuanbo 远播: the agent of a receiving station\n{needs}"
    ).encode()
    files[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: yuanbo\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    files[f"{info}/entry_points.txt"] = b"[console_scripts]\nyuanbo-agent = client_agent.cli:main\n"
    record = "".join(
        f"{name},sha256={_record_hash(data)},{len(data)}\n" for name, data in sorted(files.items())
    )
    files[f"{info}/RECORD"] = (record + f"{info}/RECORD,,\n").encode()
    path = folder / f"yuanbo_agent-{VERSION}-py3-none-any.whl"
    write_durably(path, _zip(files))
    path.chmod(0o644)
    return path


def build_zipapp(folder: Path, *, with_font: bool = True) -> Path:
    """The one-file form for this Python and machine, whole, in ``folder``. Raises OSError."""
    all_files = {**carried_files(), **own_files(), **(font_files() if with_font else {})}
    site = {f"site/{name}": data for name, data in all_files.items()}
    digest = hashlib.sha256()
    for name, data in sorted(site.items()):
        digest.update(f"{name} {len(data)}\n".encode() + data)
    main = _MAIN.format(digest=digest.hexdigest()[:32], python=tuple(sys.version_info[:2]))
    python = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    machine = re.sub(r"[^A-Za-z0-9]+", "_", sysconfig.get_platform())
    path = folder / f"yuanbo-agent-{VERSION}-{python}-{machine}.pyz"
    write_durably(path, b"#!/usr/bin/env python3\n" + _zip({"__main__.py": main.encode(), **site}))
    path.chmod(0o755)
    return path


def carried_files() -> dict[str, bytes]:
    """The installed files of everything the agent needs."""
    found: dict[str, bytes] = {}
    for package in closure(NEEDS):
        for file in package.files or ():
            name = PurePosixPath(file).as_posix()
            if not any(part in name for part in _NOT_CARRIED):
                found[name] = Path(str(package.locate_file(file))).read_bytes()
    return found


def closure(names: Iterable[str]) -> list[Distribution]:
    """The distributions of these names and of everything they need here, without extras, by name."""
    found: dict[str, Distribution] = {}
    waiting = list(names)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        found[name] = distribution(name)
        for need in found[name].requires or ():
            wanted, _, marker = need.partition(";")
            if "extra" not in marker and _applies(marker):
                waiting.append(re.split(r"[^A-Za-z0-9._-]", wanted.strip(), maxsplit=1)[0])
    return [found[name] for name in sorted(found)]


def _applies(marker: str) -> bool:
    """Whether a requirement's condition holds here; one that is not about the Python version counts as met when its
    package is installed anyway."""
    text = marker.strip()
    version = re.fullmatch(r"python_(?:full_)?version\s*(<|<=|>=|>)\s*[\"']([\d.]+)[\"']", text)
    if version is None:
        return not text or "PyPy" in text or "platform" in text
    mine, asked = sys.version_info[:2], tuple(int(n) for n in version[2].split(".")[:2])
    return {"<": mine < asked, "<=": mine <= asked, ">=": mine >= asked, ">": mine > asked}[version[1]]


def _zip(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as whole:
        for name, data in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            packed = name.endswith((".woff", ".woff2"))
            entry.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            whole.writestr(entry, data)
    return out.getvalue()


def _record_hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
