"""What the checks ask of every page template: it compiles in the real application, and every text can be translated."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, TemplateError, nodes

from tools.translations import CHINESE, MARKERS, PLURAL_MARKERS, ROOT

TRANSLATING = MARKERS | PLURAL_MARKERS


def template_files() -> list[Path]:
    return sorted(path for path in (ROOT / "server").rglob("*.html") if "templates" in path.parts)


def problems() -> list[str]:
    """One line for every template that does not compile and every Chinese text outside a translation."""
    with tempfile.TemporaryDirectory(prefix="yuanbo-check-") as folder:
        environment = application_environment(Path(folder))
        found = []
        for path in template_files():
            place, source = path.relative_to(ROOT), path.read_text("utf-8")
            try:
                environment.compile(source, filename=str(path))
            except TemplateError as error:
                found.append(f"{place}:{getattr(error, 'lineno', 0)}: {error}")
                continue
            found += [
                f"{place}:{line}: not translatable: {text}" for line, text in bare_texts(environment, source)
            ]
        return found


def application_environment(data: Path) -> Environment:
    """The Jinja environment of the real application, with its filters and globals."""
    from server.app import create_app
    from server.config import load

    config = load(data, environ={})
    config.make_folders()
    environment: Environment = create_app(config).jinja_env
    return environment


def bare_texts(environment: Environment, source: str) -> Iterator[tuple[int, str]]:
    """(line, text) of Chinese in the page itself or in an expression, where no translation reaches it."""
    yield from _bare(environment.parse(source))


def _bare(node: nodes.Node) -> Iterator[tuple[int, str]]:
    if isinstance(node, nodes.Call) and getattr(node.node, "name", None) in TRANSLATING:
        return
    text = (
        node.data
        if isinstance(node, nodes.TemplateData)
        else node.value
        if isinstance(node, nodes.Const)
        else None
    )
    if isinstance(text, str):
        for offset, line in enumerate(text.split("\n")):
            if CHINESE.search(line):
                yield node.lineno + offset, line.strip()[:60]
    for child in node.iter_child_nodes():
        yield from _bare(child)
