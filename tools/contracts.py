"""Two import rules that import-linter does not bring along; pyproject.toml says what each fences.

- `fence`: packages that only the named modules may import.
- `pure`: modules that reach none of the named packages and modules, directly or through others.

Module names are shell patterns (`server.*.pages`), so a rule also holds for files that do not exist yet.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


def matches(module: str, patterns: list[str]) -> bool:
    """Whether MODULE, or a package that it is in, is named by one of PATTERNS."""
    return any(fnmatchcase(module, pattern) or fnmatchcase(module, pattern + ".*") for pattern in patterns)


class FenceContract(Contract):
    """Only `allowed` may import `packages`."""

    type_name = "fence"
    packages = fields.ListField(subfield=fields.StringField())
    allowed = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        packages, allowed = cast("list[str]", self.packages), cast("list[str]", self.allowed)
        broken = [
            f"{importer} imports {package}"
            for package in sorted(graph.modules)
            if matches(package, packages)
            for importer in sorted(graph.find_modules_that_directly_import(package))
            if not matches(importer, allowed)
        ]
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for line in check.metadata["broken"]:
            output.print_error(line)


class PureContract(Contract):
    """`modules` reach none of `forbidden`."""

    type_name = "pure"
    modules = fields.ListField(subfield=fields.StringField())
    forbidden = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        modules, forbidden = cast("list[str]", self.modules), cast("list[str]", self.forbidden)
        broken = []
        for module in sorted(graph.modules):
            if not matches(module, modules):
                continue
            for reached in sorted(graph.find_upstream_modules(module)):
                if matches(reached, forbidden):
                    chain = graph.find_shortest_chain(importer=module, imported=reached) or ()
                    broken.append(" -> ".join(chain))
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for line in check.metadata["broken"]:
            output.print_error(line)
