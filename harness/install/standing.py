"""Whether what an adapter requires is at hand, in which version, and where.

Owns the rule which installation counts: a package that is importable here in the locked version needs none;
otherwise the adapter's environment where that is built; otherwise an importable package of any version.

Invariant: nothing is imported to find out, and nothing is installed.
"""

import importlib.util
import json
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from harness.adapter import NpmRequires, PythonRequires, Requires
from harness.install.folders import NotInstalledError, Part, State, install_command, part_of
from harness.install.node import OLDEST, find_node


class Where(Enum):
    """Where a requirement is found."""

    HERE = auto()
    """Importable in this process."""
    APART = auto()
    """In an environment under ``.hitl/envs``."""
    NOWHERE = auto()


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one requirement; ``version`` is the one that would be used, or installed."""

    package: str
    version: str
    where: Where
    words: str

    @property
    def missing(self) -> str:
        """What is not there, in words; empty where all is."""
        return f"{self.package} {self.version}: {self.words}" if self.where is Where.NOWHERE else ""


def standing(requires: Requires) -> Standing:
    """Return where ``requires`` stands. Raises NotInstalledError where its lock cannot be used."""
    part, locked = part_of(requires), locked_version(requires)
    if isinstance(requires, NpmRequires):
        return _of_npm(requires, part, locked)
    here = _version_here(requires)
    inside = part.folder == Path(sys.prefix).resolve()
    if here is not None and (here == locked or inside or part.state is not State.BUILT):
        return Standing(requires.package, here, Where.HERE, "importable here")
    if inside:
        text = f"missing from {part.folder}, which was built for it: remove that folder"
        return Standing(requires.package, locked, Where.NOWHERE, text)
    return _apart(requires.package, part, locked)


def missing(requires: Iterable[Requires]) -> str:
    """Return what of ``requires`` is not there, in words; empty where all is."""
    return "; ".join(filter(None, (standing(it).missing for it in requires)))


def interpreter(requires: Iterable[Requires]) -> Path | None:
    """Return the Python in which an adapter plays, None for this one; all must be there."""
    for it in requires:
        if isinstance(it, PythonRequires) and standing(it).where is Where.APART:
            return python_in(part_of(it).folder)
    return None


def python_in(folder: Path) -> Path:
    """Return the interpreter of a virtual environment."""
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def needs(requires: Iterable[Requires], name: str) -> None:
    """Raise NotInstalledError with the command to type where the adapter ``name`` lacks something."""
    absent = missing(requires)
    if absent:
        raise NotInstalledError(f"{absent}; type: {install_command([name])}")


def _of_npm(requires: NpmRequires, part: Part, locked: str) -> Standing:
    found = _apart(requires.package, part, locked)
    if not found.missing and find_node() is None:
        text = f"it runs on Node {'.'.join(map(str, OLDEST))} or newer, which is not here"
        return Standing(requires.package, locked, Where.NOWHERE, text)
    return found


def _apart(package: str, part: Part, locked: str) -> Standing:
    state = part.state
    where = Where.APART if state is State.BUILT else Where.NOWHERE
    return Standing(package, locked, where, state.value)


def _version_here(requires: PythonRequires) -> str | None:
    """Return the version of a package that is importable here, None where it is not."""
    if importlib.util.find_spec(requires.module) is None:
        return None
    try:
        return version(requires.package)
    except PackageNotFoundError:
        return "of unknown version"


def locked_version(requires: Requires) -> str:
    """Return the version of the wrapped package that a lock fixes; raises NotInstalledError."""
    lock, package = requires.lock, requires.package
    try:
        text = lock.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotInstalledError(f"{lock}: the lock of {package} cannot be read: {error}.") from error
    found = _npm_version(text, package) if isinstance(requires, NpmRequires) else _pip_version(text, package)
    if found is None:
        raise NotInstalledError(f"{lock}: no exact version of {package} is locked there. Lock it anew.")
    return found


def _pip_version(text: str, package: str) -> str | None:
    wanted = _normalised(package)
    pins = re.finditer(r"(?m)^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", text)
    return next((pin[2] for pin in pins if _normalised(pin[1]) == wanted), None)


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _npm_version(text: str, package: str) -> str | None:
    try:
        record = json.loads(text)
        found = record["packages"][f"node_modules/{package}"]["version"]
    except (ValueError, TypeError, KeyError):
        return None
    return found if isinstance(found, str) else None
