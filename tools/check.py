"""`./yuanbo check [--fix] [NAME…]`: what must hold of the source before anybody runs it. One line a check.

Exit status 0 when all hold, 1 when one does not (what it found stands below its line), 2 for a wrong name.
"""

from __future__ import annotations

import argparse
import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from tools import templates, translations

ROOT = Path(__file__).resolve().parent.parent
LARGEST_FILE_BYTES = 12 * 1024 * 1024
LARGEST_MEDIA_BYTES = 12 * 1024 * 1024
LINES_SHOWN = 60
PYTHON_FOLDERS = ("protocol", "server", "client_agent", "tools", "bench", "tests")
# Written in two halves, or this file would find itself.
OUTSIDE = tuple(
    re.compile(first + second) for first, second in (("/wo", "rk/"), (r"\.\./sha", "red"), ("/ro", "ot/"))
)
REGISTRIES = re.compile(
    "(registry" + r"\.npm|npm" + r"mirror|pypi" + r"\.org|python" + r"hosted|deb" + r"\.debian)",
    re.IGNORECASE,
)


# ---------------------------------------------------------------- each check returns what it found, a line each


def style() -> list[str]:
    return tool("ruff", "check", "--output-format=concise", "--quiet", ".")


def layout() -> list[str]:
    return [line for line in tool("ruff", "format", "--check", "--output-format=concise", ".") if ":" in line]


def types() -> list[str]:
    # Not incremental: a cache from before a module existed goes on saying that it does not.
    return tool("mypy", "--no-incremental", "--no-error-summary", "--hide-error-context")


def imports() -> list[str]:
    """Who may import whom; the contracts stand in pyproject.toml."""
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_logo=True))"
    said = tool("-c", code)
    start = next((number for number, line in enumerate(said) if line.startswith("Broken contracts")), 0)
    return said[start:]


def pages() -> list[str]:
    """Every template compiles and can be translated."""
    return templates.problems()


def english() -> list[str]:
    """Every text in use has its English; none is guessed or left over."""
    return [line for side in translations.SIDES for line in translations.problems(side, "en")]


def outside() -> list[str]:
    """Nothing in the repository points to a place outside it, or to a registry's host."""
    found = []
    for path in text_files():
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1):
            if any(pattern.search(line) for pattern in OUTSIDE) or REGISTRIES.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    return found


def sizes() -> list[str]:
    """No tracked file is large, and the test clips together stay small."""
    found = [
        f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes"
        for path in tracked()
        if path.stat().st_size > LARGEST_FILE_BYTES
    ]
    media = sum(path.stat().st_size for path in tracked() if path.is_relative_to(ROOT / "tests" / "media"))
    if media > LARGEST_MEDIA_BYTES:
        found.append(f"tests/media: {media} bytes together")
    return found


def locks() -> list[str]:
    """Every package that our code imports is locked, at the version installed here."""
    locked = locked_versions("requirements.txt")
    tested = locked | locked_versions("requirements-test.txt")
    providers = importlib.metadata.packages_distributions()
    found = []
    for name, allowed in (
        ("server", locked),
        ("protocol", locked),
        ("client_agent", locked),
        ("tools", tested),
        ("tests", tested),
    ):
        for module, place in imported_packages(ROOT / name):
            distributions = {normal(found_name) for found_name in providers.get(module, ())}
            if distributions and not distributions & allowed.keys():
                found.append(f"{place}: imports {module}, which is not in a requirements file")
    for distribution, version in tested.items():
        try:
            installed = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            installed = "nothing"
        if installed != version:
            found.append(f"{distribution}: {version} is locked, {installed} is installed")
    return found


CHECKS: dict[str, Callable[[], list[str]]] = {
    "style": style,
    "layout": layout,
    "types": types,
    "imports": imports,
    "pages": pages,
    "english": english,
    "outside": outside,
    "sizes": sizes,
    "locks": locks,
}


# ---------------------------------------------------------------- what they use


def tool(module: str, *arguments: str) -> list[str]:
    """Run a Python tool in the repository; return what it said when it was not content."""
    start = [module] if module == "-c" else ["-m", module]
    done = subprocess.run(
        [sys.executable, *start, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": "160"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode == 0:
        return []
    return [line for line in (done.stdout + done.stderr).splitlines() if line.strip()] or [
        f"exit status {done.returncode}"
    ]


def tracked() -> list[Path]:
    """The files that git has, or would take."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True)
    paths = [ROOT / os.fsdecode(name) for name in done.stdout.split(b"\0") if name]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def text_files() -> Iterable[Path]:
    for path in tracked():
        with path.open("rb") as file:
            if b"\0" not in file.read(4096):
                yield path


def normal(name: str) -> str:
    """A distribution's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked_versions(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text("utf-8").splitlines()
    pairs = [line.split("#")[0].strip().split("==") for line in lines if "==" in line]
    return {normal(package.split("[")[0]): version for package, version in pairs}


def imported_packages(folder: Path) -> list[tuple[str, str]]:
    """(top-level package, first place) of everything that the folder's Python files import."""
    places: dict[str, str] = {}
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names.append(node.module)
            for name in names:
                places.setdefault(
                    name.split(".")[0], f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
                )
    return sorted((name, place) for name, place in places.items() if name not in sys.stdlib_module_names)


def run_check(name: str) -> bool:
    """Run one check, print its line and what it found; whether it holds."""
    started = time.monotonic()
    try:
        found = CHECKS[name]()
    except Exception as error:  # noqa: BLE001  -- a check that cannot run has not passed; the others still run
        found = [f"could not run: {type(error).__name__}: {error}"]
    print(f"{'FAIL' if found else 'ok':4} {name:8} {time.monotonic() - started:5.1f} s", flush=True)
    for line in found[:LINES_SHOWN]:
        print(f"       {line}")
    if len(found) > LINES_SHOWN:
        print(f"       … and {len(found) - LINES_SHOWN} more")
    return not found


def fix() -> None:
    """Repair what can be repaired by a program."""
    tool("ruff", "check", "--fix", "--quiet", ".")
    tool("ruff", "format", "--quiet", ".")
    translations.main(["update"])


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="yuanbo check", description="Checks of the source: " + ", ".join(CHECKS)
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these checks")
    parser.add_argument(
        "--fix", action="store_true", help="first repair style and layout, and list new texts for translation"
    )
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in CHECKS]
    if unknown:
        parser.error(f"no check is called {unknown[0]}; there are {', '.join(CHECKS)}")
    os.chdir(ROOT)
    if options.fix:
        fix()
    held = [run_check(name) for name in options.names or CHECKS]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
