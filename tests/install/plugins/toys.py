"""Adapters that wrap one package in versions that exclude each other, for the tests of installations.

``toy-one`` and ``toy-two`` need ``hitl_toylib`` in version 1.0 and 2.0, and refuse to open over another one;
``toy-lost`` needs what nobody installs. ``toy-mortal`` ends its process. Their locks stand beside this file.
"""

import os
import signal
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

from harness.adapter import Environment, Implementation, Manifest, PythonRequires
from tests.cli.plugins.forgetful import OFFERS, Forgetful

HERE: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class ToyAdapter:
    """The forgetful implementation over one version of the package."""

    manifest: Manifest
    version: str

    def open(self, environment: Environment) -> Implementation:
        """Return an instance; fails over another version than its own."""
        found = import_module("hitl_toylib").VERSION
        if found != self.version:
            raise RuntimeError(f"version {self.version} is due, not {found}")
        marker = os.environ.get("HITL_TOY_MARKER")
        if marker:
            Path(marker).write_text(f"{os.getpid()}\n", encoding="utf-8")
        return Forgetful(environment, clumsy=False)


@dataclass(frozen=True, slots=True)
class MortalAdapter:
    """Takes its process along."""

    manifest: Manifest

    def open(self, environment: Environment) -> Implementation:
        """End this process."""
        del environment
        signal.raise_signal(signal.SIGKILL)
        raise AssertionError("nobody survives that")


def _manifest(name: str, environment: str) -> Manifest:
    lock = HERE / f"{environment}.txt"
    requires = PythonRequires(environment, "hitl-toylib", "hitl_toylib", lock)
    return Manifest(name, "1", "wraps a toy", "tests", OFFERS, requires=(requires,))


ADAPTERS: Final = (
    ToyAdapter(_manifest("toy-one", "one"), "1.0"),
    ToyAdapter(_manifest("toy-two", "two"), "2.0"),
    ToyAdapter(_manifest("toy-lost", "lost"), "1.0"),
    MortalAdapter(_manifest("toy-mortal", "one")),
)
