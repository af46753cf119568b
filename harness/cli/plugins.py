"""The catalogue as commands use it: problems told, names looked up.

Owns how a broken plug-in is reported; it never stops a command that does not need it.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from harness.catalog import Catalog, Problem, load_catalog


def catalog_with(plugins: Sequence[str]) -> Catalog:
    """Return the catalogue with further ``plugins``; what could not be loaded is told on stderr."""
    catalog = load_catalog([_absolute(plugin) for plugin in plugins])
    for problem in catalog.problems:
        print(f"hitl: plug-in left out: {_relative(problem)}", file=sys.stderr)
    return catalog


def _absolute(plugin: str) -> str:
    """Return a plug-in's path in full, so that its problems can be told from those of other files."""
    return str(Path(plugin).resolve()) if Path(plugin).exists() else plugin


def _relative(problem: Problem) -> str:
    path, here = problem.path, Path.cwd()
    shown = path.relative_to(here) if path.is_relative_to(here) else path
    return f"{shown}:{problem.line}: {problem.text}"
