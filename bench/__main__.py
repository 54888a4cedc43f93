"""`./yuanbo bench [NAME…] [--json]`: runs the measurements in `bench/bench_*.py`.

A measurement is a module with `BASELINE`, one sentence that says what its figures are compared with, and `run()`,
which returns {figure: number}. A figure's name ends in its unit (`rss_mb`, `start_s`); a figure that is measured on
the baseline begins with `baseline_`. Medians over several rounds are taken inside. `LIMITS`, if there, says
how much a figure may be at most, and `FLOORS` how much it must be at least: the table marks a figure beyond, and the
exit status is then 1.
"""

from __future__ import annotations

import argparse
import json
import pkgutil
import sys
from collections.abc import Mapping
from importlib import import_module
from math import inf
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
    limits, floors = _bounds(module)
    width = max(map(len, figures), default=0)
    lines = [f"{name}  ({module.BASELINE})"]
    for figure, number in figures.items():
        limit = f"  at most {limits[figure]:g}" if figure in limits else ""
        floor = f"  at least {floors[figure]:g}" if figure in floors else ""
        mark = "  ← beyond" if is_beyond(module, figure, number) else ""
        lines.append(f"  {figure:<{width}}  {number:>10.4g}{limit}{floor}{mark}")
    return "\n".join(lines)


def _bounds(module: ModuleType) -> tuple[Mapping[str, float], Mapping[str, float]]:
    return getattr(module, "LIMITS", {}), getattr(module, "FLOORS", {})


def is_beyond(module: ModuleType, figure: str, number: float) -> bool:
    """Whether a figure is above its limit or below its floor."""
    limits, floors = _bounds(module)
    return not floors.get(figure, -inf) <= number <= limits.get(figure, inf)


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
    beyond = False
    for name in options.names or there:
        module = import_module(f"bench.{PREFIX}{name}")
        try:
            figures = module.run()
        except Unmeasurable as reason:
            sys.stderr.write(f"yuanbo bench: {name}: {reason}\n")
            return 1
        print((as_json if options.json else as_table)(name, module, figures), flush=True)
        beyond = beyond or any(is_beyond(module, figure, number) for figure, number in figures.items())
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
