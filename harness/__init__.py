"""A deterministic simulator and conformance harness for human-in-the-loop approval systems.

The one public entry point, :func:`simulate`, is imported when it is first used, so that the command line
answers at once.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.sim import simulate

__all__ = ["simulate"]


def __getattr__(name: str) -> object:
    """Return what :data:`__all__` names."""
    if name in __all__:
        return getattr(importlib.import_module("harness.sim"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
