"""Where installations lie, and whether what lies there is what a lock asks for.

Owns the layout of ``.hitl/envs`` and its stamps. An environment has a part for npm and one for each minor
version of Python; every part bears the digest of the lock it was built from.

Invariant: a part without its stamp is not there. The stamp is written before the part gets its name.
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from harness.adapter import NpmRequires, Requires

ENVS_VARIABLE: Final = "HITL_ENVS"
"""Names another folder than ``.hitl/envs`` of the working directory."""
STAMP_FILE: Final = "hitl-stamp.json"
NODE_LOCK: Final = Path(__file__).parent / "node-requirements.txt"
PYTHON_PART: Final = f"python-{sys.version_info.major}.{sys.version_info.minor}"
NPM_PART: Final = "npm"


class NotInstalledError(Exception):
    """Something that an adapter needs is not installed; the text ends with the command that mends it."""


class State(StrEnum):
    """What is known of one part of an environment."""

    MISSING = "not installed"
    STALE = "outdated, its lock changed"
    BUILT = "installed apart"


@dataclass(frozen=True, slots=True)
class Part:
    """One folder of an environment and the files that say what belongs in it."""

    folder: Path
    locks: tuple[Path, ...]

    @property
    def digest(self) -> str:
        """The SHA-256 of the locks; raises OSError where one cannot be read."""
        parts = hashlib.sha256()
        for lock in self.locks:
            content = lock.read_bytes()
            parts.update(b"%d:" % len(content) + content)
        return parts.hexdigest()

    @property
    def state(self) -> State:
        """Whether the part is there, and built from its present locks."""
        try:
            stamp = json.loads((self.folder / STAMP_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return State.MISSING
        known = stamp.get("digest") if isinstance(stamp, dict) else None
        return State.BUILT if known == self.digest else State.STALE

    def stamp(self, folder: Path) -> None:
        """Mark ``folder``, which is about to become this part, as complete."""
        (folder / STAMP_FILE).write_text(json.dumps({"digest": self.digest}) + "\n", encoding="utf-8")


def envs_folder() -> Path:
    """Return the folder that holds all environments; it need not be there."""
    return Path(os.environ.get(ENVS_VARIABLE) or ".hitl/envs").resolve()


def part_of(requires: Requires) -> Part:
    """Return the part of an environment that satisfies ``requires``."""
    home = envs_folder() / requires.environment
    if isinstance(requires, NpmRequires):
        return Part(home / NPM_PART, (requires.lock, requires.lock.with_name("package.json")))
    return Part(home / PYTHON_PART, (requires.lock,))


def node_part() -> Part:
    """Return the part that holds the Node which all adapters share."""
    return Part(envs_folder() / "node" / "runtime", (NODE_LOCK,))


def install_command(names: Iterable[str]) -> str:
    """Return what the user types to install what the adapters ``names`` need."""
    return f"hitl adapter install {' '.join(names)}"
