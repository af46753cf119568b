"""Imports go down the layer table only, and each third-party package stays where it belongs.

Owns the table of the kernel's layers. It walks the syntax trees, so that an import inside a function
counts like one at the top.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
PLUGIN_FOLDERS: Final = ("adapters", "scenarios", "reports")

# What each part of the kernel may import of the others; a part is a module or a folder of harness/.
LAYERS: Final[dict[str, frozenset[str]]] = {
    "model": frozenset(),
    "trace": frozenset({"model"}),
    "trace_file": frozenset({"model", "trace"}),
    "deviations": frozenset({"model", "trace"}),
    "plan": frozenset({"model", "trace", "deviations"}),
    "sim": frozenset(),
    "channel": frozenset(),
    "messaging": frozenset({"sim", "channel", "model"}),
    "feed": frozenset({"messaging", "channel", "model"}),
    "http": frozenset(),
    "ably": frozenset({"channel", "http"}),
    "proxy": frozenset(),
    "adapter": frozenset({"model", "messaging", "sim"}),
    "install": frozenset({"adapter"}),
    "ablation": frozenset({"adapter"}),
    "identity": frozenset({"adapter", "channel", "model", "plan", "trace"}),
    "kits": frozenset(),  # what processes of adapters import; it knows nothing of the harness
    "stdio": frozenset({"adapter", "model", "sim", "install"}),
    "properties": frozenset({"model", "trace"}),
}
_BELOW_WORLD: Final = frozenset(LAYERS)
# From the world upwards every part sees all parts that stand above it in this list, and those of LAYERS.
_UPPER: Final = (
    "world",
    "casting",
    "scenario",
    "run",
    "wall",
    "results",
    "expectations",
    "narrate",
    "report",
    "compare",
    "trend",
    "bench",
    "catalog",
    "audit",
    "explore",
    "watch",
    "cli",
    "pytest_plugin",
)
ALLOWED: Final = LAYERS | {
    part: _BELOW_WORLD | frozenset(_UPPER[:place]) for place, part in enumerate(_UPPER)
}

# Third-party packages with the parts (or single modules) of harness/ that may import them.
AT_HOME: Final[dict[str, tuple[str, ...]]] = {
    "simpy": ("sim", "world", "wall"),
    "typer": ("cli",),
    "rich": ("cli",),
    "hypothesis": ("explore",),
    "jwt": ("ably", "identity", "stdio"),
    "pytest": ("pytest_plugin",),
    "time_machine": ("sim",),
    "ably": (),
    "matplotlib": ("bench",),
    "numpy": ("bench",),
    "hdrh": ("bench",),
}


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the full dotted name of everything that a module imports."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            stem = ".".join((*base, *filter(None, [node.module])))
            yield from ((node.lineno, f"{stem}.{alias.name}") for alias in node.names)


def _modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def _part(path: Path) -> str:
    """Return the part of the kernel that a module of harness/ belongs to."""
    return path.relative_to(ROOT / "harness").parts[0].removesuffix(".py")


def _kernel() -> list[Path]:
    return [path for path in _modules("harness") if path.parent.name != "harness" or path.stem != "__init__"]


def _short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", _kernel(), ids=_short)
def test_a_kernel_module_imports_only_from_layers_below_it(path: Path) -> None:
    part = _part(path)
    assert part in ALLOWED, f"harness/{part} is in no layer: add it to the table in this file"
    for line, name in _imports(path):
        top, _, rest = name.partition(".")
        if top == "harness" and rest:
            target = rest.partition(".")[0]
            assert target == part or target in ALLOWED[part] or target == "__version__", (
                f"{_short(path)}:{line}: {part} may not import harness.{target}"
            )


@pytest.mark.parametrize("path", _kernel(), ids=_short)
def test_the_kernel_names_no_plug_in(path: Path) -> None:
    for line, name in _imports(path):
        parts = name.split(".")
        top = parts[1] if parts[0] == "harness" and len(parts) > 1 else parts[0]
        assert top not in PLUGIN_FOLDERS, f"{_short(path)}:{line}: plug-ins are found by the catalogue only"


@pytest.mark.parametrize("path", _kernel(), ids=_short)
def test_a_third_party_package_is_imported_only_where_it_belongs(path: Path) -> None:
    for line, name in _imports(path):
        homes = AT_HOME.get(name.partition(".")[0])
        if homes is not None:
            assert _part(path) in homes, f"{_short(path)}:{line}: {name} belongs in {homes}"


@pytest.mark.parametrize(
    "path",
    [path for folder in PLUGIN_FOLDERS for path in _modules(folder)],
    ids=_short,
)
def test_a_plug_in_imports_the_kernel_and_itself_but_no_other_plug_in(path: Path) -> None:
    kind, *inside = path.relative_to(ROOT).parts
    own = f"{kind}.{inside[0].removesuffix('.py')}"
    for line, name in _imports(path):
        parts = name.split(".")
        private = [part for part in parts if part.startswith("_") and not part.startswith("__")]
        assert parts[0] != "harness" or not private, f"{_short(path)}:{line}: {name} is private"
        if parts[0] in PLUGIN_FOLDERS:
            assert ".".join(parts[:2]) == own, f"{_short(path)}:{line}: {name} is another plug-in"


def test_no_two_layers_import_each_other() -> None:
    for part, below in ALLOWED.items():
        for other in below:
            assert part not in ALLOWED[other], f"{part} and {other} see each other"
