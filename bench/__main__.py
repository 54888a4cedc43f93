"""`./yuanbo bench [NAME…] [--json]`: runs the measurements in `bench/bench_*.py`.

A measurement is a module with `BASELINE`, one sentence that says what its figures are compared with, and `run()`,
which returns {figure: number}. A figure's name ends in its unit (`rss_mb`, `start_s`); a figure that is measured on
the baseline begins with `baseline_`. Medians over several rounds are taken inside. `LIMITS`, if there, says
how much a figure may be at most: the table marks a figure above it, and the exit status is then 1.
"""

from __future__ import annotations

import argparse
import json
import pkgutil
import sys
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType

import bench
from bench.processes import Unmeasurable

PREFIX = "bench_"


def names() -> list[str]:
    """The measurements there are."""
    return sorted(
        module.name.removeprefix(PREFIX)
        for module in pkgutil.iter_modules(bench.__path__)
        if module.name.startswith(PREFIX)
    )


def as_json(name: str, module: ModuleType, figures: Mapping[str, float]) -> str:
    """The one line that a program reads."""
    return json.dumps(
        {"bench": name, "figures": dict(figures), "baseline": module.BASELINE}, ensure_ascii=False
    )


def as_table(name: str, module: ModuleType, figures: Mapping[str, float]) -> str:
    """What a person reads."""
    limits = getattr(module, "LIMITS", {})
    width = max(map(len, figures), default=0)
    lines = [f"{name}  ({module.BASELINE})"]
    for figure, number in figures.items():
        limit = f"  at most {limits[figure]:g}" if figure in limits else ""
        mark = "  ← over" if number > limits.get(figure, float("inf")) else ""
        lines.append(f"  {figure:<{width}}  {number:>10.4g}{limit}{mark}")
    return "\n".join(lines)


def over_limit(module: ModuleType, figures: Mapping[str, float]) -> bool:
    limits: Mapping[str, float] = getattr(module, "LIMITS", {})
    return any(number > limits.get(figure, float("inf")) for figure, number in figures.items())


def main(arguments: list[str]) -> int:
    there = names()
    parser = argparse.ArgumentParser(
        prog="yuanbo bench", description=f"Measurements: {', '.join(there) or 'none yet'}"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these measurements")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in there]
    if unknown:
        parser.error(f"no measurement is called {unknown[0]}; there are {', '.join(there) or 'none'}")
    over = False
    for name in options.names or there:
        module = import_module(f"bench.{PREFIX}{name}")
        try:
            figures = module.run()
        except Unmeasurable as reason:
            sys.stderr.write(f"yuanbo bench: {name}: {reason}\n")
            return 1
        print((as_json if options.json else as_table)(name, module, figures), flush=True)
        over = over or over_limit(module, figures)
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
