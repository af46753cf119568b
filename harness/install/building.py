"""Building environments: a virtual environment from a requirements file, ``node_modules`` from a lock, Node.

Owns the steps and their order. A part is built beside its place and renamed into it when it is complete, so
that whatever ends an installation leaves the former part or none; what was begun is removed by the next one.
Package registries, asked by pip and npm, are the only network.
"""

import importlib.util
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.metadata import PackageNotFoundError
from importlib.metadata import requires as requirements_of
from pathlib import Path
from typing import Final

from harness.adapter import NpmRequires, Requires
from harness.install.abandoned import own_prefix, remove_abandoned
from harness.install.folders import NODE_LOCK, Part, State, node_part, part_of
from harness.install.node import find_node
from harness.install.standing import Where, locked_version, python_in, standing
from harness.install.steps import NPM_CI, PIP_INSTALL, InstallError, run_step

Say = Callable[[str], None]

_BUILDING: Final = ".building-"
_DISTRIBUTION: Final = "hitl-harness"


def install(requires: Iterable[Requires], say: Say) -> None:
    """Bring ``requires`` about and ``say`` what is done; what is there in its locked version is left alone.

    Raises InstallError, and NotInstalledError where a lock cannot be used.
    """
    for it in requires:
        known, wanted = standing(it), locked_version(it)
        if known.where is not Where.NOWHERE and known.version == wanted:
            say(f"{it.package} {wanted}: {known.words}")
        elif isinstance(it, NpmRequires):
            _install_npm(it, say)
        else:
            _build(part_of(it), f"{it.package} {wanted}", partial(_python, lock=it.lock), say)


def _install_npm(requires: NpmRequires, say: Say) -> None:
    if find_node() is None:
        _build(node_part(), "Node", _node, say)
    node = find_node()
    if node is None:
        raise InstallError(f"the Node in {node_part().folder} does not start: does the platform support it?")
    part = part_of(requires)
    if part.state is not State.BUILT:
        fill = partial(_npm, lock=requires.lock, npm=node.npm)
        _build(part, f"{requires.package} {locked_version(requires)}", fill, say)


def _build(part: Part, what: str, fill: Callable[[Path], None], say: Say) -> None:
    """Have ``fill`` make the contents of ``part`` in a folder aside, then put that in its place."""
    say(f"installing {what} into {_shown(part.folder)}")
    home = part.folder.parent
    try:
        home.mkdir(parents=True, exist_ok=True)
        remove_abandoned(home, _BUILDING)
        prefix = own_prefix(_BUILDING)
        with tempfile.TemporaryDirectory(prefix=prefix, dir=home, ignore_cleanup_errors=True) as aside:
            fresh = Path(aside) / part.folder.name
            fresh.mkdir()
            fill(fresh)
            part.stamp(fresh)
            _replace(part, fresh, Path(aside) / "former")
    except OSError as error:
        raise InstallError(
            f"{home}: {error.strerror or error}. Mend that, or name another folder in HITL_ENVS."
        ) from error


def _replace(part: Part, fresh: Path, former: Path) -> None:
    """Put ``fresh`` in the place of a part; where another process was faster, its part stands."""
    if part.folder.exists():
        part.folder.rename(former)
    try:
        fresh.rename(part.folder)
    except OSError:
        if part.state is not State.BUILT:
            raise


def _shown(folder: Path) -> Path:
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def _python(aside: Path, lock: Path) -> None:
    pip = _environment(aside)
    limits = aside / "harness-constraints.txt"
    limits.write_text("".join(f"{line}\n" for line in own_requirements()), encoding="utf-8")
    what = ("--requirement", str(lock), "--constraint", str(limits))
    run_step(f"installing {lock}", [*pip, *PIP_INSTALL, *what])


def _node(aside: Path) -> None:
    pip = _environment(aside.with_name("tools"))
    what = ("--require-hashes", "--only-binary", ":all:", "--requirement", str(NODE_LOCK))
    run_step("installing Node", [*pip, *PIP_INSTALL, "--target", str(aside), *what])


def _environment(folder: Path) -> list[str]:
    """Make a virtual environment; return how pip is called for it: this Python's own, where it has one."""
    make = [sys.executable, "-m", "venv", str(folder)]
    if importlib.util.find_spec("pip") is None:
        run_step("making a virtual environment", make)
        return [str(python_in(folder)), "-m", "pip"]
    run_step("making a virtual environment", [*make, "--without-pip"])
    return [sys.executable, "-m", "pip", "--python", str(python_in(folder))]


def _npm(aside: Path, lock: Path, npm: tuple[str, ...]) -> None:
    for name in ("package.json", lock.name):
        shutil.copyfile(lock.with_name(name), aside / name)
    run_step(f"installing {lock}", [*npm, *NPM_CI], folder=aside)


def own_requirements() -> Iterator[str]:
    """Yield what the harness needs of packages, and these of others, as lines of a constraints file.

    Nothing that breaks the harness can then be installed beside a package that it is to play in.
    """
    due, seen = [_DISTRIBUTION], {_DISTRIBUTION}
    while due:
        try:
            lines = requirements_of(due.pop()) or ()
        except PackageNotFoundError:
            continue
        for line in lines:
            name = re.match(r"[A-Za-z0-9._-]+", line)
            if name is None or "extra ==" in line:
                continue
            yield re.sub(r"\[[^\]]*\]", "", line)
            if name[0] not in seen:
                seen.add(name[0])
                due.append(name[0])
